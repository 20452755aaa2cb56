"""One run's lease on its announcements, and the gate that keeps a run without a lease from posting.

The lease protects the store; the gate protects the platforms: a process that was frozen past its lease and thaws in the
middle of an attempt must not let the bytes go (docs/decisions, ARCHITECTURE.md "Gate").
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.clock import Clock
from broker.contract import GateClosed
from broker.engine.calls import Call
from broker.errors import StoreError, StoreFull
from broker.store import Run, Store

LEASE = timedelta(seconds=30)
BEAT = timedelta(seconds=10)
MARGIN = timedelta(seconds=2)
LONGEST = LEASE - BEAT - MARGIN
"""The longest attempt that a lease covers at any time between two beats."""
AGAIN = timedelta(seconds=1)
"""How soon a full disk is asked again."""


@dataclass(slots=True)
class Lease:
    """What this run may still do; `until` moves forward with every beat, and is in the past once the run is ended."""

    run_id: str
    until: datetime
    clock: Clock

    def covers(self, timeout: timedelta) -> bool:
        """Whether an attempt that may last `timeout` ends safely inside the lease."""
        return self.clock.now() < self.until - timeout - MARGIN


class AttemptGate:
    """The gate of one attempt (`broker.contract.Gate`); closed for good once `close` was called.

    `until`: what has not begun to leave by then stays here.
    """

    __slots__ = ("_always_open", "_closed", "_lease", "_timeout", "_until", "passed")

    def __init__(
        self, lease: Lease, timeout: timedelta, *, until: datetime | None = None, always_open: bool = False
    ) -> None:
        self._lease, self._timeout, self._until = lease, timeout, until
        self._always_open = always_open
        self._closed = False
        self.passed = False

    def enter(self) -> None:
        if self.is_closed or not (self._always_open or self._lease.covers(self._timeout)):
            raise GateClosed("nothing more may leave: this run's lease is over, or this attempt is held back")
        self.passed = True

    def close(self) -> None:
        self._closed = True

    @property
    def is_closed(self) -> bool:
        """Nothing may leave any more, whatever the lease says."""
        too_late = not self.passed and self._until is not None and self._lease.clock.now() >= self._until
        return (self._closed or too_late) and not self._always_open


class LeaseKeeper:
    """Renews the run's lease every ten seconds; calls `lost` once if another run has ended it."""

    def __init__(self, store: Store, lease: Lease, call: Call, lost: Callable[[], None]) -> None:
        self._store, self.lease, self._call, self._lost = store, lease, call, lost
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._beat(), name="lease")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await self.lease.clock.sleep(BEAT.total_seconds())
            renewed = await self._renewed()
            if renewed is None:
                self.lease.until = self.lease.clock.now()
                self._lost()
                return
            self.lease.until = renewed.lease_until

    async def _renewed(self) -> Run | None:
        """The renewed run; None if another has ended it, or the store is broken. On a full disk it tries again."""
        while True:
            try:
                return await self._call(self._store.renew_run, self.lease.run_id, LEASE)
            except StoreFull:
                await self.lease.clock.sleep(AGAIN.total_seconds())
            except StoreError:
                return None
