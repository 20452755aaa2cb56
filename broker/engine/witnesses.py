"""Two outside servers that tell an outage of our own network apart from everybody else's.

They are asked only when a platform is silent, by opening a connection and closing it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from broker.clock import Clock

CONNECT_S = 3.0
FRESH_FOR = timedelta(seconds=5)
Dial = Callable[[str], Awaitable[bool]]
"""Whether a server at `host:port` takes a connection."""


class Witnesses:
    """`silent`: True when all are, False when one answers, None when there are none or nobody has asked lately."""

    def __init__(self, addresses: Sequence[str], clock: Clock, heard: Callable[[], None], dial: Dial) -> None:
        self._addresses, self._clock, self._heard, self._dial = tuple(addresses), clock, heard, dial
        self._asking: asyncio.Task[None] | None = None
        self._asked_at: datetime | None = None
        self._silent: bool | None = None

    @property
    def silent(self) -> bool | None:
        return self._silent if self._is_fresh() else None

    def ask(self) -> None:
        """Asks all of them, unless that is under way or has just been done; `heard` is called with the answer known."""
        under_way = self._asking is not None and not self._asking.done()
        if self._addresses and not under_way and not self._is_fresh():
            self._asking = asyncio.create_task(self._ask(), name="witnesses")

    async def stop(self) -> None:
        if self._asking:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _is_fresh(self) -> bool:
        return self._asked_at is not None and self._clock.now() - self._asked_at < FRESH_FOR

    async def _ask(self) -> None:
        answers = await asyncio.gather(*(self._dial(address) for address in self._addresses))
        self._silent, self._asked_at = not any(answers), self._clock.now()
        self._heard()


async def dial(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
