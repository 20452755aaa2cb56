"""A TCP proxy that goes wrong when told to, for what stands between a sound broker and a sound platform.

    async with Proxy("127.0.0.1", emulator.port) as proxy:
        proxy.fail(Kind.LOSE_ANSWER, match=rb"POST .*/feed", times=1)      # the platform posts it, we never hear of it
        ...                                                               # talk to 127.0.0.1:proxy.port
        assert proxy.struck[Kind.LOSE_ANSWER] == 1

Faults with `match` strike an exchange whose request looks so (a regular expression over what came last and the 4 KiB
before it), others every exchange; `times` bounds how often. The first fault that fits is taken.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

WINDOW = 4096
CHUNK = 1 << 16


class Kind(StrEnum):
    LATENCY = "latency"  # the answer comes `seconds` later
    BANDWIDTH = "bandwidth"  # the answer comes with at most `size` bytes a second
    SLICER = "slicer"  # the answer comes in pieces of `size` bytes, `seconds` apart
    LIMIT = "limit"  # the connection closes after `size` bytes of the answer
    SLOW_CLOSE = "slow_close"  # the platform's end of a connection is passed on `seconds` later
    TIMEOUT = "timeout"  # black hole: nothing passes any more; reset after `seconds`, 0: never
    RESET = "reset"  # reset by the peer after `seconds`, the request not passed on
    LOSE_ANSWER = "lose_answer"  # the request is processed; its answer is lost, and after `seconds` (0: never) we reset
    RUN_LATER = "run_later"  # no answer; the request reaches the platform `seconds` later


@dataclass(frozen=True, slots=True)
class Fault:
    kind: Kind
    match: bytes = b""
    times: int | None = None
    seconds: float = 0.0
    size: int = 0


class Proxy:
    """Listens on a free port of 127.0.0.1 for one upstream address."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = host, port
        self._faults: list[Fault] = []
        self._used: Counter[Fault] = Counter()
        self._links: set[asyncio.Task[None]] = set()
        self.struck: Counter[Kind] = Counter()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def fail(
        self, kind: Kind, *, match: bytes = b"", times: int | None = None, seconds: float = 0.0, size: int = 0
    ) -> None:
        """Arms one fault. ValueError where `size` is needed and missing."""
        if kind in (Kind.BANDWIDTH, Kind.SLICER) and size < 1:
            raise ValueError(f"{kind} needs a size of 1 or more")
        re.compile(match)
        self._faults.append(Fault(kind, match, times, seconds, size))

    def heal(self) -> None:
        """All is well for what comes next; exchanges already struck stay so."""
        self._faults.clear()
        self._used.clear()

    def strike(self, seen: bytes) -> Fault | None:
        """The fault that hits this exchange, used once by it."""
        for fault in self._faults:
            if (fault.times is None or self._used[fault] < fault.times) and re.search(fault.match, seen, re.DOTALL):
                self._used[fault] += 1
                self.struck[fault.kind] += 1
                return fault
        return None

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            with suppress(ConnectionError, TimeoutError):
                upstream = await asyncio.open_connection(*self._upstream)
                await _Link(self, reader, writer, *upstream).run()
        finally:
            self._links.discard(task)
            await _closed(writer)


class _Link:
    """One connection, both ways."""

    def __init__(
        self,
        proxy: Proxy,
        client_reader: asyncio.StreamReader,
        client: asyncio.StreamWriter,
        platform_reader: asyncio.StreamReader,
        platform: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._client_reader, self._client = client_reader, client
        self._platform_reader, self._platform = platform_reader, platform
        self._fault: Fault | None = None
        self._seen = b""
        self._held = bytearray()
        self._answered = 0
        self._later: asyncio.Task[None] | None = None
        self._processed = asyncio.Event()

    async def run(self) -> None:
        ways = [asyncio.create_task(self._requests()), asyncio.create_task(self._answers())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if self._later is not None:
                await self._later  # the client may have given up; its request is still on its way
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._processed.wait(), 5)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _closed(self._platform)

    async def _requests(self) -> None:
        while data := await self._client_reader.read(CHUNK):
            seen = self._seen + data
            self._seen = seen[-WINDOW:]
            if self._fault is None and (fault := self._proxy.strike(seen)):
                self._fault, self._answered = fault, 0
                self._begin(fault)
            if self._holds:
                self._held += data
                continue
            self._platform.write(data)
            await self._platform.drain()

    @property
    def _holds(self) -> bool:
        kind = self._fault.kind if self._fault else None
        return kind in (Kind.TIMEOUT, Kind.RESET, Kind.RUN_LATER)

    def _begin(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.RESET:
                asyncio.get_running_loop().call_later(fault.seconds, _reset, self._client)
            case Kind.TIMEOUT | Kind.LOSE_ANSWER if fault.seconds:
                asyncio.get_running_loop().call_later(fault.seconds, _reset, self._client)
            case Kind.RUN_LATER:
                self._later = asyncio.create_task(self._run_later(fault.seconds))

    async def _run_later(self, seconds: float) -> None:
        """Passes on what the client sent before it gave up."""
        await asyncio.sleep(seconds)
        self._platform.write(bytes(self._held))

    async def _answers(self) -> None:
        while True:
            data = await self._platform_reader.read(CHUNK)
            if not data:
                if self._fault and self._fault.kind is Kind.SLOW_CLOSE:
                    await asyncio.sleep(self._fault.seconds)
                return
            self._seen = b""
            if not await self._pass(data):
                return

    async def _pass(self, data: bytes) -> bool:
        """One piece of an answer on its way to the client; False when the connection ends with it."""
        fault = self._fault
        match fault:
            case Fault(kind=Kind.LOSE_ANSWER | Kind.TIMEOUT | Kind.RESET | Kind.RUN_LATER):
                self._processed.set()
                return True
            case Fault(kind=Kind.LATENCY):
                await asyncio.sleep(fault.seconds)
            case Fault(kind=Kind.LIMIT):
                data = data[: fault.size - self._answered]
            case Fault(kind=Kind.BANDWIDTH | Kind.SLICER):
                pause = fault.seconds if fault.kind is Kind.SLICER else fault.size / 100 / fault.size
                step = fault.size if fault.kind is Kind.SLICER else max(1, fault.size // 100)
                return await self._in_pieces(data, step, pause)
        await self._give(data)
        if fault and fault.kind is Kind.LIMIT:
            return self._answered < fault.size
        if fault and fault.kind is not Kind.SLOW_CLOSE:
            self._fault = None
        return True

    async def _in_pieces(self, data: bytes, size: int, pause_s: float) -> bool:
        for start in range(0, len(data), size):
            await self._give(data[start : start + size])
            await asyncio.sleep(pause_s)
        return True

    async def _give(self, data: bytes) -> None:
        self._answered += len(data)
        self._client.write(data)
        await self._client.drain()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST, unsent bytes thrown away."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.is_closing():
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
