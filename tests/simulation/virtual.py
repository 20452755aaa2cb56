"""An event loop whose time jumps to the next timer whenever every task waits: hours of outage in milliseconds.

The real selector is only polled, never waited on, so nothing that runs here may use sockets or threads.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
START = datetime(2024, 3, 5, 14, 0, tzinfo=UTC)


class Stuck(AssertionError):
    """Every task waits and no timer is set: without a bug this cannot happen before the run is over."""


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, moves the loop's time forward by what it would have waited."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stuck("nothing is left to happen")
        self.loop.jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own, which starts at 0 and only jumps."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        self._virtual = 0.0
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._virtual

    def jump(self, seconds: float) -> None:
        self._virtual += seconds


class VirtualClock:
    """The clock of one simulated machine."""

    def __init__(self, loop: VirtualLoop, start: datetime = START) -> None:
        self._loop, self._start = loop, start

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0))


def run_virtual(main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Runs `main` to its end on virtual time and closes the loop."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        _cancel_the_rest(loop)
        asyncio.set_event_loop(None)
        loop.close()


def _cancel_the_rest(loop: VirtualLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
