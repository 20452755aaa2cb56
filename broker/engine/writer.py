"""The group-commit writer: what the engine writes goes into the store in batches, one durable transaction each.

    submit ──► Batcher (pure, two lanes) ──► commit ──► the futures of the whole batch, in one call
                                               │
                        disk full: accepts are refused, outcomes wait for space, helped by the ballast
                        store broken: nobody is answered `Done` any more, unrecorded outcomes are handed out

A thread commits in production; `inline=True` commits on the event loop, for simulations. Between two batches whoever
has something to write is asked to `gather` it: what comes in during a commit is decided once, not once an answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

from broker.clock import Clock
from broker.engine.switches import At, Point, pass_by
from broker.errors import Overloaded, StoreError, StoreFull
from broker.store import Done, Operation, Result, Store, row_of

FULL_RETRY_S = 0.5
"""How often a full disk is asked again whether there is space."""


class Lane(Enum):
    OUTCOMES = "outcomes"
    """Never refused: what is written here has happened already."""
    ACCEPTS = "accepts"
    """Bounded: beyond its limit a caller is told to come again."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One operation and whoever waits for its result."""

    operation: Operation
    lane: Lane
    future: asyncio.Future[Result]


class Batcher:
    """What waits to be written, in order. Pure: no I/O, no clock, no thread."""

    def __init__(self, *, batch_size: int = 256, accept_limit: int = 5000, row_twice: bool = False) -> None:
        """`row_twice` (sabotage) lets an announcement occur twice in one batch."""
        self._size = batch_size
        self._accept_limit = accept_limit
        self._row_twice = row_twice
        self._lanes: dict[Lane, deque[Ticket]] = {Lane.OUTCOMES: deque(), Lane.ACCEPTS: deque()}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def add(self, ticket: Ticket) -> None:
        """Raises `Overloaded` when the accept lane is full."""
        lane = self._lanes[ticket.lane]
        if ticket.lane is Lane.ACCEPTS and len(lane) >= self._accept_limit:
            raise Overloaded("Too many announcements wait for the disk: send it again in a second.")
        lane.append(ticket)

    def next_batch(self) -> list[Ticket]:
        """Outcomes first, each lane in order; what concerns one row twice waits for a later batch."""
        batch: list[Ticket] = []
        rows: set[Hashable] = set()
        for lane in self._lanes.values():
            held_back: list[Ticket] = []
            while lane and len(batch) < self._size and len(held_back) < self._size:
                ticket = lane.popleft()
                row = row_of(ticket.operation)
                if row in rows and not self._row_twice:
                    held_back.append(ticket)
                    continue
                batch.append(ticket)
                if row is not None:
                    rows.add(row)
            lane.extendleft(reversed(held_back))
        return batch

    def put_back(self, tickets: Sequence[Ticket]) -> None:
        """Tickets of the last batch wait again, before all others."""
        for ticket in reversed(tickets):
            self._lanes[ticket.lane].appendleft(ticket)

    def drain(self, lane: Lane) -> list[Ticket]:
        """Everything that waits in a lane; nothing does any more."""
        tickets = list(self._lanes[lane])
        self._lanes[lane].clear()
        return tickets


class Writer:
    """Writes operations durably. `submit` and `write` are called on the event loop that `start` was awaited on."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        batch_size: int = 256,
        accept_limit: int = 5000,
        inline: bool = False,
        commit_delay: Callable[[], float] | None = None,
        on_unrecorded: Callable[[Sequence[Operation]], None] = lambda operations: None,
        acknowledge_first: bool = False,
        row_twice: bool = False,
        at: At = pass_by,
    ) -> None:
        """`on_unrecorded` gets, from any thread, the outcomes a broken store could not take: their last way out.

        `inline` commits on the event loop, `commit_delay` seconds (by `clock`) after a batch was taken. Sabotage, for
        tests that must turn red: `acknowledge_first` answers `Done` before the commit, `row_twice` as in `Batcher`.
        """
        self._store = store
        self._clock = clock
        self._batcher = Batcher(batch_size=batch_size, accept_limit=accept_limit, row_twice=row_twice)
        self._inline = inline
        self._commit_delay = commit_delay
        self._on_unrecorded = on_unrecorded
        self._acknowledge_first = acknowledge_first
        self._at = at
        self._lock = threading.Lock()
        self._stopping = False
        self._failure: StoreError | None = None
        self._full: StoreFull | None = None
        self._refuse_until = 0.0
        self._taken_at: float | None = None
        self._runner: asyncio.Task[None] | None = None
        self._work = asyncio.Event()
        self._gathers: list[Callable[[], None]] = []
        self.failed = asyncio.Event()
        """Set when the store broke: nothing is acknowledged any more, and the process is to end."""

    @property
    def failure(self) -> StoreError | None:
        return self._failure

    @property
    def waiting(self) -> int:
        """Operations that are neither durable nor refused."""
        return len(self._batcher)

    @property
    def silent_s(self) -> float:
        """How long the disk has been at one batch without an answer; 0 when it has nothing to do."""
        return 0.0 if self._taken_at is None else self._clock.monotonic() - self._taken_at

    async def start(self) -> None:
        """Idempotent."""
        if self._runner is None:
            self._loop = asyncio.get_running_loop()
            self._runner = asyncio.create_task(self._run(), name="writer")

    async def stop(self) -> None:
        """Writes what waits, then takes no more. Idempotent."""
        self._stopping = True
        self._work.set()
        if self._runner:
            await asyncio.wait({self._runner})
        self._end([], StoreError("The store is closing: nothing more is written."))

    def before_batch(self, gather: Callable[[], None]) -> None:
        """`gather` is called on the event loop before each batch is taken, to submit what belongs to it."""
        self._gathers.append(gather)

    def ask_to_gather(self) -> None:
        """Begins a batch as soon as the writer is free, though nothing is submitted yet. Never calls back at once."""
        if self._runner is None or self._runner.done():
            asyncio.get_running_loop().call_soon(self._gather)
        else:
            self._work.set()

    def submit(self, operation: Operation, lane: Lane) -> asyncio.Future[Result]:
        """Its result once it is durable. The future fails with `Overloaded` or `StoreFull` (accepts only), after
        which nothing was written, or with `StoreError`, after which nobody knows. Cancelling it unwrites nothing."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        try:
            self._refuse_while_full(lane)
            self._add(Ticket(operation, lane, future))
        except (Overloaded, StoreError) as error:
            if self.failed.is_set() and lane is Lane.OUTCOMES:
                self._on_unrecorded([operation])
            _fail(future, error)
        return future

    async def write(self, operation: Operation, lane: Lane) -> Result:
        return await self.submit(operation, lane)

    def _refuse_while_full(self, lane: Lane) -> None:
        """Lets one accept through now and then, to find out whether there is space again."""
        if lane is Lane.ACCEPTS and self._full:
            now = self._clock.monotonic()
            if now < self._refuse_until:
                raise self._full
            self._refuse_until = now + FULL_RETRY_S

    def _add(self, ticket: Ticket) -> None:
        with self._lock:
            if self._failure:
                raise self._failure
            self._batcher.add(ticket)
        self._work.set()

    # the runner

    async def _run(self) -> None:
        """Batch after batch, until it failed, or is stopping and nothing waits."""
        with ThreadPoolExecutor(1, "writer") as thread:
            while batch := await self._next_batch():
                self._taken_at = self._clock.monotonic()
                self._sabotage(batch)
                if self._commit_delay:
                    await self._clock.sleep(self._commit_delay())
                if self._inline:
                    written = self._write(batch)
                else:
                    written = await self._loop.run_in_executor(thread, self._write, batch)
                self._taken_at = None
                if not written and not self._stopping:
                    await self._clock.sleep(FULL_RETRY_S)

    async def _next_batch(self) -> list[Ticket]:
        """Waits for work; empty when there is none left and the writer is stopping, or when it failed."""
        while not self._failure:
            await asyncio.sleep(0)  # what the last batch has set going, and what comes in at this moment, is part of it
            self._work.clear()
            self._gather()
            with self._lock:
                if (batch := self._batcher.next_batch()) or self._stopping:
                    return batch
            await self._work.wait()
        self._gather()  # for the last way out
        return []

    def _gather(self) -> None:
        for gather in self._gathers:
            gather()

    # writing

    def _write(self, batch: list[Ticket]) -> bool:
        """False if outcomes wait for space. Never raises: whatever happens, everybody gets an answer."""
        try:
            if self._full and self._store.renew_ballast():
                self._full = None
            if self._full:
                batch = self._refuse_accepts(batch, self._full)
            self._commit(batch)
            batch = []  # durable and answered, whatever comes now
            self._store.tidy()
        except StoreFull as error:
            return self._without_space(batch, error)
        except Exception as error:
            self._fail(batch, error)
        return True

    def _commit(self, batch: Sequence[Ticket]) -> None:
        if batch:
            self._at(Point.BATCH_TAKEN)
            results = self._store.commit([ticket.operation for ticket in batch])
            self._at(Point.BATCH_DURABLE)
            self._answer(zip(batch, results, strict=True))

    def _without_space(self, batch: list[Ticket], error: StoreFull) -> bool:
        """Outcomes get the ballast's space, then they wait: nothing may be sent meanwhile that was not recorded."""
        self._full = error
        outcomes = self._refuse_accepts(batch, error)
        try:
            if outcomes and self._store.release_ballast():
                self._commit(outcomes)
                return True
        except StoreFull:
            pass
        except Exception as broken:
            self._fail(outcomes, broken)
            return True
        if outcomes and self._stopping:
            self._fail(outcomes, error)
        else:
            with self._lock:
                self._batcher.put_back(outcomes)
        return not outcomes

    def _sabotage(self, batch: Sequence[Ticket]) -> None:
        if self._acknowledge_first:
            self._answer((ticket, Done()) for ticket in batch)

    def _refuse_accepts(self, batch: Sequence[Ticket], error: StoreFull) -> list[Ticket]:
        """The outcomes of the batch; all accepts, also those that wait, are told that the disk is full."""
        with self._lock:
            waiting = self._batcher.drain(Lane.ACCEPTS)
        self._answer((ticket, error) for ticket in [*batch, *waiting] if ticket.lane is Lane.ACCEPTS)
        return [ticket for ticket in batch if ticket.lane is Lane.OUTCOMES]

    def _fail(self, batch: Iterable[Ticket], error: Exception) -> None:
        """The store is of no more use: everybody hears of it, and outcomes get their last way out."""
        failure = error if isinstance(error, StoreError) else StoreError(f"The store failed: {error!r}")
        ended = self._end(batch, failure)
        if unrecorded := [ticket.operation for ticket in ended if ticket.lane is Lane.OUTCOMES]:
            self._on_unrecorded(unrecorded)
        self._on_loop(self.failed.set)

    def _end(self, batch: Iterable[Ticket], error: StoreError) -> list[Ticket]:
        """Takes nothing more, and returns what was waiting after telling it so."""
        with self._lock:
            self._failure = self._failure or error
            ended = [*batch, *self._batcher.drain(Lane.OUTCOMES), *self._batcher.drain(Lane.ACCEPTS)]
        self._answer((ticket, error) for ticket in ended)
        return ended

    def _answer(self, answers: Iterable[tuple[Ticket, Result | StoreError]]) -> None:
        """One call for the whole batch, on the event loop."""
        if listed := list(answers):
            self._on_loop(_settle, listed)

    def _on_loop(self, function: Callable[..., object], *arguments: object) -> None:
        if self._inline:
            function(*arguments)
        else:
            self._loop.call_soon_threadsafe(function, *arguments)


def _settle(answers: Iterable[tuple[Ticket, Result | StoreError]]) -> None:
    for ticket, answer in answers:
        if ticket.future.done():
            continue
        if isinstance(answer, StoreError):
            _fail(ticket.future, answer)
        else:
            ticket.future.set_result(answer)


def _fail(future: asyncio.Future[Result], error: Exception) -> None:
    future.set_exception(error)
    future.exception()  # a failing store is announced by `failed`, not once more per forgotten future
