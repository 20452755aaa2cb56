"""The group-commit writer: what a batch may hold, and what its callers are told when the disk is full or broken."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.clock import SystemClock
from broker.engine.writer import Batcher, Lane, Ticket, Writer
from broker.errors import Overloaded, StoreError, StoreFull
from broker.model import State
from broker.store import Done, InboxEntry, Operation, Result, SaveSetting
from broker.store.sqlite import SqliteStore
from tests.contract.store_samples import HandClock, accept, case, identity, moved, save
from tests.contract.store_suite import LEASE, ids, mine, stored

ROOT = Path(__file__).resolve().parents[2]

# the batcher

ADDED = st.lists(st.tuples(st.sampled_from(Lane), st.integers(0, 3)), max_size=30)


def batches_of(added: Sequence[tuple[Lane, int]], size: int, **switches: bool) -> list[list[Ticket]]:
    """All batches of tickets that were added with these lanes and rows; a ticket's future is its number."""
    batcher = Batcher(batch_size=size, **switches)
    for number, (lane, row) in enumerate(added):
        batcher.add(ticket(number, lane, row))
    batches = []
    while batcher:
        batches.append(batcher.next_batch())
        assert batches[-1], "something waits, but nothing comes"
    return batches


def ticket(number: int, lane: Lane, row: int) -> Ticket:
    future: Any = number
    return Ticket(SaveSetting(f"{lane.value} {row}", {}), lane, future)


def rows(batch: Sequence[Ticket]) -> list[str]:
    return [t.operation.key for t in batch if isinstance(t.operation, SaveSetting)]


@given(ADDED, st.integers(1, 6))
def test_every_ticket_is_in_one_batch_and_rows_keep_their_order(added: list[tuple[Lane, int]], size: int):
    batches = batches_of(added, size)
    assert all(len(batch) <= size for batch in batches)
    out: list[Any] = [t.future for batch in batches for t in batch]
    assert sorted(out) == list(range(len(added)))
    for wanted in set(added):
        of_row = [number for number in out if added[number] == wanted]
        assert of_row == sorted(of_row)


def has_a_row_twice(batches: Sequence[Sequence[Ticket]]) -> bool:
    return any(len(set(rows(batch))) < len(batch) for batch in batches)


@given(ADDED, st.integers(1, 6))
def test_a_row_occurs_once_in_a_batch(added: list[tuple[Lane, int]], size: int):
    assert not has_a_row_twice(batches_of(added, size))


def test_sabotage_a_row_twice_in_a_batch_is_seen():
    assert has_a_row_twice(batches_of([(Lane.OUTCOMES, 1), (Lane.OUTCOMES, 1)], 2, row_twice=True))


@given(ADDED, st.integers(1, 6))
def test_outcomes_go_first(added: list[tuple[Lane, int]], size: int):
    for batch in batches_of(added, size):
        lanes = [ticket.lane for ticket in batch]
        assert lanes == sorted(lanes, key=list(Lane).index)


def test_accepts_are_bounded_and_outcomes_are_not():
    batcher = Batcher(accept_limit=2)
    for n in range(2):
        batcher.add(ticket(n, Lane.ACCEPTS, n))
    with pytest.raises(Overloaded):
        batcher.add(ticket(2, Lane.ACCEPTS, 2))
    for n in range(1000):
        batcher.add(ticket(n, Lane.OUTCOMES, n))
    assert len(batcher) == 1002


# the writer


class Disk(SqliteStore):
    """A store in memory on a disk that can be filled; SQLite itself says when it is full."""

    def __init__(self) -> None:
        super().__init__(":memory:", HandClock())
        self.batches: list[list[Operation]] = []
        self.spare_pages = 0
        """What the ballast gives."""

    def commit(self, operations: Sequence[Operation]) -> list[Result]:
        self.batches.append(list(operations))
        return super().commit(operations)

    def fill(self, spare_pages: int = 0) -> None:
        self.spare_pages = spare_pages
        self._leave(0)

    def clear(self) -> None:
        self._leave(100_000)

    def release_ballast(self) -> bool:
        pages, self.spare_pages = self.spare_pages, 0
        if pages > self._free():
            self._leave(pages)
        return pages > 0

    def renew_ballast(self) -> bool:
        return self._free() > 1000

    def _leave(self, pages: int) -> None:
        with self._database.writing() as db:
            [used] = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {used + pages}")

    def _free(self) -> int:
        with self._database.writing() as db:
            [used] = db.execute("PRAGMA page_count").fetchone()
            [limit] = db.execute("PRAGMA max_page_count").fetchone()
        return int(limit) - int(used)


@pytest.fixture
def disk():
    with closing(Disk()) as disk:
        disk.open()
        disk.begin_run("r1", LEASE)
        disk.commit([accept(mine(case(0)))])
        disk.batches.clear()
        yield disk


def large(number: int) -> InboxEntry:
    """An outcome that needs a page or two of its own."""
    payload = {"n": number, "text": "x" * 5000}
    return InboxEntry(announcement_id=identity(0), channel=None, attempt=None, kind="outcome", payload=payload)


def recorded(disk: Disk) -> list[int]:
    return [entry.payload["n"] for entry in disk.inbox("r1", 100)]


@asynccontextmanager
async def running(store: SqliteStore, **options: Any) -> AsyncIterator[Writer]:
    clock = HandClock() if options.get("inline") else SystemClock()
    writer = Writer(store, clock, **options)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


both = pytest.mark.parametrize("inline", [False, True], ids=["thread", "inline"])


@both
async def test_many_writes_share_few_commits(disk: Disk, inline: bool):
    async with running(disk, inline=inline) as writer:
        results = await asyncio.gather(*(writer.write(accept(case(n)), Lane.ACCEPTS) for n in range(1, 501)))
    assert results == [Done()] * 500
    assert len(disk.announcements("tvd", limit=1000)) == 501
    assert len(disk.batches) < 50


@both
async def test_writes_of_one_announcement_follow_each_other(disk: Disk, inline: bool):
    sending = moved(mine(case(0)), "site", state=State.SENDING, attempt=1)
    live = moved(sending, "site", state=State.LIVE)
    async with running(disk, inline=inline) as writer:
        first = writer.submit(save(mine(case(0)), sending), Lane.OUTCOMES)
        second = writer.submit(save(sending, live), Lane.OUTCOMES)
        assert [await first, await second] == [Done(), Done()]
    assert stored(disk, live) == live
    assert len(disk.batches) == 2


@both
async def test_stop_writes_what_waits_and_takes_no_more(disk: Disk, inline: bool):
    async with running(disk, inline=inline) as writer:
        await writer.start()
        waiting = [writer.submit(accept(case(n)), Lane.ACCEPTS) for n in range(1, 600)]
        await writer.stop()
        await writer.stop()
        assert [future.result() for future in waiting] == [Done()] * 599
        with pytest.raises(StoreError, match="closing"):
            await writer.write(accept(case(700)), Lane.ACCEPTS)
        assert not writer.failed.is_set()


async def test_a_caller_that_goes_away_unwrites_nothing(disk: Disk):
    async with running(disk) as writer:
        writer.submit(accept(case(1)), Lane.ACCEPTS).cancel()
        assert await writer.write(accept(case(2)), Lane.ACCEPTS) == Done()
    assert ids(disk.load([identity(1), identity(2)])) == [identity(1), identity(2)]


# a full disk


@both
async def test_a_full_disk_refuses_accepts_and_records_outcomes_from_the_ballast(disk: Disk, inline: bool):
    disk.fill(spare_pages=4)
    async with running(disk, inline=inline) as writer:
        outcome = writer.submit(large(1), Lane.OUTCOMES)
        with pytest.raises(StoreFull):
            await writer.write(accept(case(1, draft={"body": "x" * 9000})), Lane.ACCEPTS)
        assert await outcome == Done()
        refused = writer.submit(accept(case(2)), Lane.ACCEPTS)
        with pytest.raises(StoreFull):
            await refused
        assert not writer.failed.is_set()
    assert recorded(disk) == [1]
    assert disk.load([identity(1), identity(2)]) == []


@both
async def test_outcomes_wait_for_space_in_order_and_accepts_come_back_with_it(disk: Disk, inline: bool):
    disk.fill()
    async with running(disk, inline=inline) as writer:
        waiting = [writer.submit(large(n), Lane.OUTCOMES) for n in range(3)]
        with pytest.raises(StoreFull):
            await writer.write(accept(case(1)), Lane.ACCEPTS)
        assert not any(future.done() for future in waiting)
        disk.clear()
        assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [Done()] * 3
        assert await writer.write(accept(case(2)), Lane.ACCEPTS) == Done()
    assert recorded(disk) == [0, 1, 2]


async def test_accepts_alone_leave_the_ballast_where_it_is(disk: Disk):
    disk.fill(spare_pages=4)
    async with running(disk, inline=True) as writer:
        for n in (1, 2, 3):
            with pytest.raises(StoreFull):
                await writer.write(accept(case(n, draft={"body": "x" * 9000})), Lane.ACCEPTS)
    assert disk.spare_pages == 4


async def test_outcomes_that_still_wait_at_the_end_are_handed_out(disk: Disk):
    unrecorded: list[Operation] = []
    disk.fill()
    async with running(disk, on_unrecorded=unrecorded.extend) as writer:
        waiting = writer.submit(large(1), Lane.OUTCOMES)
        await writer.stop()
        with pytest.raises(StoreFull):
            await waiting
    assert unrecorded == [large(1)]


# a broken store


@both
async def test_a_broken_store_acknowledges_nothing_and_hands_outcomes_out(disk: Disk, inline: bool):
    unrecorded: list[Operation] = []
    async with running(disk, inline=inline, on_unrecorded=unrecorded.extend) as writer:
        disk.close()
        writes = [writer.submit(large(1), Lane.OUTCOMES), writer.submit(accept(case(1)), Lane.ACCEPTS)]
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreError, StoreError]
        await asyncio.wait_for(writer.failed.wait(), 5)
        assert isinstance(writer.failure, StoreError)
        with pytest.raises(StoreError):
            await writer.write(large(2), Lane.OUTCOMES)
    assert unrecorded == [large(1), large(2)], "also what happens after the store broke"


class Untidy(Disk):
    """Breaks when it moves its log after what it has just written."""

    is_written = False

    def commit(self, operations: Sequence[Operation]) -> list[Result]:
        results = super().commit(operations)
        self.is_written = True
        return results

    def tidy(self) -> None:
        if self.is_written:
            raise StoreError("the disk failed")


@both
async def test_a_store_that_breaks_after_a_batch_calls_nothing_of_it_unrecorded(inline: bool):
    unrecorded: list[Operation] = []
    with closing(Untidy()) as disk:
        disk.open()
        disk.begin_run("r1", LEASE)
        disk.commit([accept(mine(case(0)))])
        disk.is_written = False
        async with running(disk, inline=inline, on_unrecorded=unrecorded.extend) as writer:
            assert await writer.write(large(1), Lane.OUTCOMES) == Done()
            await asyncio.wait_for(writer.failed.wait(), 5)
            with pytest.raises(StoreError):
                await writer.write(large(2), Lane.OUTCOMES)
        assert recorded(disk) == [1]
    assert unrecorded == [large(2)]


# acknowledged is durable

ACKNOWLEDGES = """
import asyncio, sys
from broker.clock import SystemClock
from broker.engine.writer import Lane, Writer
from broker.store import Done
from broker.store.sqlite import SqliteStore
from tests.contract.store_samples import accept, case

async def main(path, sabotage):
    store = SqliteStore(path, SystemClock(), ballast_bytes=0)
    store.open()
    delay = 1.0 if sabotage else 0.01
    writer = Writer(store, SystemClock(), inline=True, commit_delay=lambda: delay, acknowledge_first=sabotage)
    await writer.start()
    for n in range(1, 10_000):
        assert await writer.write(accept(case(n)), Lane.ACCEPTS) == Done()
        print(n, flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2] == "True"))
"""
"""Commits on the loop, a moment after the batch was taken: long enough to be killed in."""


def acknowledged_but_missing(path: Path, sabotage: bool) -> list[str]:
    """Ids a process acknowledged before it was killed, and that its store does not have."""
    command = [sys.executable, "-c", ACKNOWLEDGES, str(path), str(sabotage)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(1 if sabotage else 10)]
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout
    promised = [identity(int(line)) for line in lines]
    with closing(SqliteStore(path, HandClock(), ballast_bytes=0)) as store:
        store.open()
        return sorted(set(promised) - set(ids(store.load(promised))))


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path):
    assert acknowledged_but_missing(tmp_path / "loa.db", sabotage=False) == []


def test_sabotage_acknowledging_before_the_commit_is_seen(tmp_path: Path):
    assert acknowledged_but_missing(tmp_path / "loa.db", sabotage=True) != []
