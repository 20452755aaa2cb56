"""Time comes in through a `Clock`; nothing else in Loa reads the system's."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock: aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock, made steady: small corrections are followed, jumps are not.

    Timers, leases and deadlines of a running broker must not move because somebody set the wall clock an hour wrong.
    So `now` advances with the monotonic clock from the wall time at start, and follows the wall only while both agree
    within `FOLLOWED`; a larger difference is ignored until the next start.
    """

    FOLLOWED = timedelta(seconds=2)

    def __init__(self) -> None:
        self._behind_s = time.time() - time.monotonic()

    def now(self) -> datetime:
        wall_s, steady_s = time.time(), time.monotonic() + self._behind_s
        if abs(wall_s - steady_s) > self.FOLLOWED.total_seconds():
            return datetime.fromtimestamp(steady_s, UTC)
        self._behind_s += wall_s - steady_s
        return datetime.fromtimestamp(wall_s, UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0))
