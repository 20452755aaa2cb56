"""The world around a broker, one process: the newsroom that posts announcements and the platforms that take them.

One process, because a newsroom that waits for its announcements to arrive keeps the load steady, and because the time
from POST to a platform's first byte is then read from one clock. Commands and answers are JSON, one a line.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count as numbers
from typing import Any

import uvloop

from benchmarks.wire import Lines, Visit, get, post

TEXT = "tin nhanh bão số chín đổi hướng tâm cách bờ gió giật cấp mưa lớn người dân cần theo dõi trên các kênh"
_UNSETTLED = re.compile(rb"^loa_deliveries\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Platform:
    """One port that takes posts. `delay_s` None: it takes the request and never answers."""

    delay_s: float | None = 0.0
    received: int = 0
    is_counted: bool = True
    connections: set[Visit] = field(default_factory=set)
    server: asyncio.Server | None = None
    port: int = 0


class World:
    def __init__(self) -> None:
        self.platforms: list[Platform] = []
        self.first_byte_at: float | None = None
        self.received = 0
        """Posts in all, on platforms that are counted."""
        self._waiting: list[tuple[int, int, asyncio.Event]] = []
        self._numbers = numbers()
        self._watched: list[asyncio.Task[float]] = []

    # platforms

    async def open(self, count: int) -> dict[str, Any]:
        for _ in range(count):
            self.platforms.append(platform := Platform())
            await self._listen(platform)
        return {"ports": [platform.port for platform in self.platforms]}

    async def set(self, index: int, delay_s: float | None = 0.0, refuses: bool = False) -> dict[str, Any]:
        platform = self.platforms[index]
        platform.delay_s = delay_s
        if refuses and platform.server:
            platform.server.close()
            platform.server = None
        elif not refuses and platform.server is None:
            await self._listen(platform)
        if refuses or delay_s == 0.0:
            for visit in list(platform.connections):
                visit.transport.abort()
        return {}

    async def _listen(self, platform: Platform) -> None:
        def visit() -> Visit:
            return Visit(self._began, partial(self._arrived, platform), platform.connections)

        loop = asyncio.get_running_loop()
        platform.server = await loop.create_server(visit, "127.0.0.1", platform.port, backlog=1024)
        platform.port = platform.server.sockets[0].getsockname()[1]

    def _began(self, visit: Visit) -> None:
        if self.first_byte_at is None:
            self.first_byte_at = time.monotonic()

    def _arrived(self, platform: Platform, visit: Visit) -> None:
        platform.received += 1
        if platform.delay_s == 0.0:
            visit.answer()
        elif platform.delay_s is not None:
            asyncio.get_running_loop().call_later(platform.delay_s, visit.answer)
        self.received += platform.is_counted
        while self._waiting and self._waiting[0][0] <= self.received:
            heappop(self._waiting)[2].set()

    async def _until(self, wanted: int, timeout_s: float = 60.0) -> None:
        """Until so many posts have arrived."""
        if wanted > self.received:
            event = asyncio.Event()
            heappush(self._waiting, (wanted, next(self._numbers), event))
            async with asyncio.timeout(timeout_s):
                await event.wait()

    def _count(self, indexes: list[int] | None) -> int:
        """From now on these platforms count; what they have received so far."""
        for index, platform in enumerate(self.platforms):
            platform.is_counted = indexes is None or index in indexes
        if indexes is not None:
            self._waiting.clear()
        self.received = sum(platform.received for platform in self.platforms if platform.is_counted)
        return self.received

    # newsroom

    async def announce(
        self, host: str, port: int, key: str, count: int, per: int, window: int, seed: int,
        path: str = "/v1/announcements", more: dict[str, Any] | None = None, awaited: list[int] | None = None,
        settle: bool = True, timeout_s: float = 120.0, keys: list[str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Posts `count` announcements, `window` of them under way at once: posted and not yet on their `per` platforms
        (`awaited` alone counted). `per` 0: under way until answered. Seconds until all is delivered and recorded."""
        rng, lines = random.Random(seed), await Lines.to(host, port, min(window, 64))
        keys = keys or [key]
        bodies = [post(host, path, body(rng, more), keys[i % len(keys)]) for i in range(count)]
        statuses: Counter[int] = Counter()
        start, before = time.monotonic(), self._count(awaited)
        counts_before = [platform.received for platform in self.platforms]
        posted = 0

        async def worker() -> None:
            nonlocal posted
            while posted < count:
                mine, posted = posted, posted + 1
                status, _ = await lines.ask(bodies[mine])
                statuses[status] += 1
                await self._until(before + (mine + 1 - window) * per, timeout_s)

        async with asyncio.timeout(timeout_s):
            await asyncio.gather(*(worker() for _ in range(min(window, 64))))
            answered_s = time.monotonic() - start
            await self._until(before + count * per, timeout_s)
            delivered_s = time.monotonic() - start
            if settle:
                await self._settled(lines, host, keys[0])
        seconds = time.monotonic() - start
        lines.close()
        received = [p.received - b for p, b in zip(self.platforms, counts_before, strict=True)]
        return {
            "seconds": seconds, "answered_s": answered_s, "delivered_s": delivered_s, "statuses": dict(statuses),
            "received": received,
        }  # fmt: skip

    async def _settled(self, lines: Lines, host: str, key: str) -> None:
        """Until every outcome is durable: no delivery of an open announcement is left."""
        while True:
            _, shown = await lines.ask(get(host, "/metrics", key))
            if not sum(float(found[1]) for found in _UNSETTLED.finditer(shown)):
                return
            await asyncio.sleep(0.005)

    async def one_by_one(
        self, host: str, port: int, key: str, count: int, per: int, seed: int, path: str = "/v1/announcements",
        more: dict[str, Any] | None = None, gap_s: float = 0.01,
    ) -> dict[str, Any]:  # fmt: skip
        """Milliseconds from each POST to the first byte at any platform, one announcement at a time."""
        rng, lines = random.Random(seed), await Lines.to(host, port, 1)
        found: list[float] = []
        answers: list[float] = []
        for _ in range(count):
            request, before = post(host, path, body(rng, more), key), self._count(None)
            self.first_byte_at, start = None, time.monotonic()
            await lines.ask(request)
            answers.append((time.monotonic() - start) * 1000)
            await self._until(before + per, 20)
            found.append((self._first_byte() - start) * 1000)
            await asyncio.sleep(gap_s)
        lines.close()
        return {"first_byte_ms": found, "answer_ms": answers}

    def _first_byte(self) -> float:
        assert self.first_byte_at is not None
        return self.first_byte_at

    async def first_bytes(self, count: int, timeout_s: float = 60.0) -> dict[str, Any]:
        """Monotonic times at which the next `count` posts, one after the other, began to arrive."""
        found: list[float] = []
        for _ in range(count):
            before, self.first_byte_at = self._count(None), None
            await self._until(before + 1, timeout_s)
            found.append(self._first_byte())
        return {"at": found}

    async def ask(self, host: str, port: int, key: str, path: str, method: str = "POST") -> dict[str, Any]:
        """One call of the API without a body."""
        lines = await Lines.to(host, port, 1)
        request = get(host, path, key) if method == "GET" else post(host, path, b"{}", key)
        status, said = await lines.ask(request)
        lines.close()
        return {"status": status, "body": json.loads(said or b"null")}

    async def watch(self, counts: list[int]) -> dict[str, Any]:
        """From now on: when so many more posts have arrived is kept, for `watched`."""
        before = self._count(None)
        self._watched = [asyncio.create_task(self._at(before + count)) for count in counts]
        return {}

    async def watched(self, timeout_s: float = 120.0) -> dict[str, Any]:
        """Monotonic times of what was to be watched."""
        async with asyncio.timeout(timeout_s):
            return {"at": await asyncio.gather(*self._watched)}

    async def _at(self, count: int) -> float:
        await self._until(count, 600)
        return time.monotonic()


def body(rng: random.Random, more: dict[str, Any] | None = None) -> bytes:
    """One announcement of about a hundred words."""
    words = TEXT.split()
    written = {"headline": " ".join(rng.choices(words, k=12)), "body": " ".join(rng.choices(words, k=100))}
    return json.dumps(written | (more or {})).encode()


async def main() -> None:
    world, loop = World(), asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        try:
            answer = await getattr(world, command.pop("do"))(**command)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
