"""An event loop whose time jumps to the next timer whenever every task waits: hours of outage in milliseconds.

On it run *processes*: everything that a process schedules is known by its context, so a process can be killed between
any two steps (nothing of it runs any more, not even its `finally`) and frozen (it runs on where it stood, later).
There are no sockets and no threads, so nothing but the seed decides what happens next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2024, 3, 5, 14, 0, tzinfo=UTC)
SPINS = 20_000
"""So many rounds of the loop at one and the same time are a bug, not work."""


class Stuck(AssertionError):
    """Nothing is left to happen, or nothing but the same again: without a bug neither can be."""


class Gone(ConnectionError):
    """The process that was asked is not there (any more): whoever asked knows nothing of what became of it."""


class Process:
    """What a crash takes away and a freeze holds up: all callbacks that were scheduled from inside."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name, self._loop = name, loop
        self.steps = 0
        self.dies_at_step: int | None = None
        self.is_dead = self.is_frozen = False
        self.on_death: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], None] = lambda: None
        self._held_up: list[asyncio.Handle] = []
        self._asked: dict[asyncio.Future[Any], None] = {}
        self._context = copy_context()
        self._context.run(PROCESS.set, self)

    @property
    def is_up(self) -> bool:
        return not (self.is_dead or self.is_frozen)

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs `work` inside the process."""
        return self._loop.create_task(work, context=self._context.copy())

    async def ask(self, work: Coroutine[Any, Any, T], *, hangs_up: bool = False) -> T:
        """What `work`, done inside, answers to the outside. Raises `Gone` if the process dies before it does.

        `hangs_up`: if whoever asks stops waiting, the work inside is cancelled, as a server does with a request.
        """
        if self.is_dead:
            work.close()
            raise Gone(self.name)
        answer: asyncio.Future[T] = self._loop.create_future()
        self._asked[answer] = None
        task = self.run(work)
        task.add_done_callback(lambda task: _hand_on(task, answer))
        try:
            return await answer
        except asyncio.CancelledError:
            if hangs_up and not task.done():
                self._loop.call_soon(task.cancel, context=self._context.copy())
            raise
        finally:
            self._asked.pop(answer)

    def die(self) -> None:
        """As `kill -9`: no callback of it runs any more. Its requests that left are on their way all the same."""
        if not self.is_dead:
            self.is_dead = True
            self._held_up.clear()
            for answer in self._asked:
                if not answer.done():
                    answer.set_exception(Gone(self.name))
            with outside():
                self.on_death()

    def freeze(self) -> None:
        self.is_frozen = True

    def thaw(self) -> None:
        self.is_frozen = False
        held_up, self._held_up = self._held_up, []
        for step in held_up:
            self._loop.again(step)

    def holds_up(self, step: asyncio.Handle) -> None:
        """This step does not run now: of a frozen process later, of a dead one never."""
        if not self.is_dead:
            self._held_up.append(step)


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


@contextmanager
def outside() -> Iterator[None]:
    """What is scheduled in here belongs to no process: it happens whatever becomes of them."""
    token = PROCESS.set(None)
    try:
        yield
    finally:
        PROCESS.reset(token)


class _Step(asyncio.TimerHandle):
    """One scheduled callback, of a process or of none. asyncio's own handle for less: a run makes thousands."""

    __slots__ = ("process",)

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], loop: VirtualLoop, context: Context
    ) -> None:
        self._when, self._callback, self._args, self._loop, self._context = when, callback, args, loop, context
        self._cancelled = self._scheduled = False
        self._repr = self._source_traceback = None
        self.process: Process | None = context.get(PROCESS)

    def cancel(self) -> None:
        self._cancelled = True

    def _run(self) -> None:
        process = self.process
        if process is not None and (process.is_dead or process.is_frozen):
            process.holds_up(self)
            return
        try:
            self._context.run(self._callback, *self._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            what = {"message": f"Exception in callback {self._callback}", "exception": error, "handle": self}
            self._loop.call_exception_handler(what)
        if process is not None:
            process.steps += 1
            if process.steps == process.dies_at_step:
                process.die()


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop with a time of its own, which starts at 0 and only jumps.

    asyncio's own loop waits for sockets and for the machine's time; there are neither, so a round is short.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self.is_over = False
        self._tasks: list[asyncio.Task[Any]] = []
        self._timers: list[tuple[float, int, _Step]] = []
        """A heap; what was scheduled first for one time comes first."""
        self._timed = 0
        self._rounds = 0

    def time(self) -> float:
        return self._now

    get_debug = staticmethod(bool)
    """Never: asked for every future and every task."""

    def _run_once(self) -> None:
        """Everything that is ready, or after a jump in time everything that is ready then."""
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]  # asyncio's own queue
        if ready:
            self._rounds += 1
            if self._rounds > SPINS:
                raise Stuck(f"time stands still at {self._now:.3f} s: something spins")
        else:
            self._jump()
        while timers and timers[0][0] <= self._now:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _jump(self) -> None:
        """To the next time at which something is to happen."""
        timers, self._rounds = self._timers, 0
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not timers:
            raise Stuck("nothing is left to happen")
        self._now = max(self._now, timers[0][0])

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        """Keeps the task, so that what the dead leave behind is not collected, and so ended, in the middle of a run."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    def call_soon(  # type: ignore[override]  # typeshed knows callbacks by their arguments
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        step = _Step(self._now, callback, args, self, copy_context() if context is None else context)
        self.again(step)
        return step

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        step = _Step(when, callback, args, self, copy_context() if context is None else context)
        if not self.is_over:
            self._timed += 1
            heappush(self._timers, (when, self._timed, step))
        return step

    def again(self, handle: asyncio.Handle) -> None:
        """Runs it in the next round."""
        if not self.is_over:
            self._ready.append(handle)  # type: ignore[attr-defined]

    def end(self) -> None:
        """Tasks that are left, those of the dead too, end without another step."""
        self.is_over = True
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # the only way to let it go in silence
                with suppress(RuntimeError):
                    task.get_coro().close()

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def _write_to_self(self) -> None:
        """Nothing wakes this loop from another thread."""


def _hand_on(task: asyncio.Task[T], answer: asyncio.Future[T]) -> None:
    if answer.done() or task.cancelled():
        return
    if (error := task.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(task.result())


class VirtualClock:
    """One machine's clock: `ahead` of the true time by a constant, as its wall clock was when it was started."""

    def __init__(self, loop: VirtualLoop, ahead: timedelta = timedelta(0)) -> None:
        self._loop, self._zero = loop, START + ahead
        self._known_at, self._known = 0.0, self._zero

    def now(self) -> datetime:
        at = self._loop.time()
        if at != self._known_at:
            self._known_at, self._known = at, self._zero + timedelta(seconds=at)
        return self._known

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """As `asyncio.sleep`, step by step, on a loop that is known."""
        if seconds <= 0:
            return await asyncio.sleep(0)
        over = self._loop.create_future()
        timer = self._loop.call_later(seconds, _end, over)
        try:
            await over
        finally:
            timer.cancel()


def _end(sleep: asyncio.Future[None]) -> None:
    if not sleep.done():
        sleep.set_result(None)


def run_virtual(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Runs `main` to its end on virtual time and closes the loop."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.end()
        asyncio.set_event_loop(None)
        loop.close()
