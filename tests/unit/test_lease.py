"""The lease is renewed through a full disk, and given up with a broken one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from broker.clock import SystemClock
from broker.engine.calls import inline
from broker.engine.lease import LEASE, Lease, LeaseKeeper
from broker.errors import StoreError, StoreFull
from broker.store import Run
from broker.store.sqlite import SqliteStore


class Hurried(SystemClock):
    """Waits for nothing."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Troubled(SqliteStore):
    """Raises these, one after the other, before it renews a run."""

    def __init__(self, *troubles: StoreError) -> None:
        super().__init__(":memory:", SystemClock())
        self.troubles = list(troubles)
        self.decided = asyncio.Event()

    def renew_run(self, run_id: str, lease: timedelta) -> Run | None:
        if not self.troubles or not isinstance(self.troubles[0], StoreFull):
            self.decided.set()
        if self.troubles:
            raise self.troubles.pop(0)
        return super().renew_run(run_id, lease)


async def kept(store: Troubled, lost: asyncio.Event) -> Lease:
    """A lease that is nearly over and its keeper's work on it, until it is renewed or lost."""
    store.open()
    run = store.begin_run("run", LEASE)
    lease = Lease("run", run.lease_until - timedelta(seconds=29), Hurried())
    keeper = LeaseKeeper(store, lease, inline, lost.set)
    keeper.start()
    async with asyncio.timeout(60):
        await store.decided.wait()
    await keeper.stop()
    store.close()
    return lease


async def test_a_full_disk_is_asked_again():
    lost = asyncio.Event()
    lease = await kept(Troubled(StoreFull("full"), StoreFull("full")), lost)
    assert lease.covers(timedelta(seconds=15))
    assert not lost.is_set()


@pytest.mark.parametrize("troubles", [[StoreError("broken")], [StoreFull("full"), StoreError("broken")]])
async def test_a_broken_store_ends_the_lease(troubles):
    lost = asyncio.Event()
    lease = await kept(Troubled(*troubles), lost)
    assert lost.is_set()
    assert not lease.covers(timedelta(0))
