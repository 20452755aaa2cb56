"""HTTP/1.1 by hand, as much of it as the benchmarks need, so that neither sink nor newsroom is what is measured."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

END = b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"
"""The answer to a probe."""

Handler = Callable[["Visit"], None]


def length_of(head: bytes) -> int:
    """What Content-Length says; 0 without one."""
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class Visit(asyncio.Protocol):
    """One connection to a platform; `arrived` is called for every request, once its last byte is here."""

    def __init__(self, began: Handler, arrived: Handler, connections: set[Visit]) -> None:
        self._began, self._arrived, self._connections = began, arrived, connections
        self._buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are of no common class
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if not self._buffer and data[:4] == b"POST":
            self._began(self)
        self._buffer += data
        while (head_end := self._buffer.find(END)) >= 0:
            end = head_end + 4 + length_of(self._buffer[:head_end])
            if len(self._buffer) < end:
                return
            is_post = self._buffer[:4] == b"POST"
            self._buffer = self._buffer[end:]
            if is_post:
                self._arrived(self)
            else:
                self.transport.write(NOTHING)

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(OK)


class Line(asyncio.Protocol):
    """One kept connection of the newsroom: one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport

    @classmethod
    async def to(cls, host: str, port: int) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(cls, host, port)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if (head_end := self._buffer.find(END)) < 0 or self._answer is None or self._answer.done():
            return
        head = self._buffer[:head_end]
        end = head_end + 4 + length_of(head)
        if len(self._buffer) >= end:
            body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
            self._answer.set_result((int(head[9:12]), body))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


class Lines:
    """A pool of kept connections; waits for a free one."""

    def __init__(self, lines: list[Line]) -> None:
        self._all, self._free = lines, deque(lines)
        self._freed = asyncio.Semaphore(len(lines))

    @classmethod
    async def to(cls, host: str, port: int, count: int) -> Lines:
        return cls([await Line.to(host, port) for _ in range(count)])

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        async with self._freed:
            line = self._free.popleft()
            try:
                return await line.ask(request)
            finally:
                self._free.append(line)

    def close(self) -> None:
        for line in self._all:
            line.close()


def post(host: str, path: str, body: bytes, key: str = "") -> bytes:
    """The bytes of one JSON request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    return "\r\n".join(lines).encode() + END + body


def get(host: str, path: str, key: str = "") -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}"] + ([f"Authorization: Bearer {key}"] if key else [])
    return "\r\n".join(lines).encode() + END
