"""The proxy does what its faults say, over real sockets, before an echo server that counts what it was asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.faults.proxy import WINDOW, Kind, Proxy

pytestmark = pytest.mark.quick
ANSWER = b"answer " * 100
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


class Platform:
    """Answers each line; keeps them."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.news = asyncio.Event()
        self.tasks: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        with suppress(ConnectionError):
            while line := await reader.readline():
                self.lines.append(line)
                self.news.set()
                writer.write(ANSWER + b"\n")
                await writer.drain()
                if line == b"bye\n":
                    break
        await closed(writer)

    async def has(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.lines) < count:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def platform() -> AsyncIterator[tuple[Platform, Proxy]]:
    made = Platform()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with Proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield made, proxy
    server.close()
    await asyncio.gather(*(task for task in made.tasks if task))


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        await closed(writer)


async def asked(connection: Connection, line: bytes = b"post\n", within: float = 0.5) -> bytes:
    """What came back: b"" at the end of the connection. TimeoutError if nothing did."""
    reader, writer = connection
    writer.write(line)
    return await asyncio.wait_for(reader.readline(), within)


async def timed(call: Callable[[], object]) -> float:
    begun = time.monotonic()
    result = call()
    if asyncio.iscoroutine(result):
        await result
    return time.monotonic() - begun


async def test_without_a_fault_everything_passes(platform):
    made, proxy = platform
    async with connected(proxy) as connection:
        assert await asked(connection) == ANSWER + b"\n"
        assert await asked(connection) == ANSWER + b"\n"
    assert made.lines == [b"post\n"] * 2
    assert not proxy.struck


async def test_latency_and_its_end(platform):
    _, proxy = platform
    proxy.fail(Kind.LATENCY, seconds=0.2, times=1)
    async with connected(proxy) as connection:
        assert await timed(lambda: asked(connection)) >= 0.2
        assert await timed(lambda: asked(connection)) < 0.2


async def test_bandwidth(platform):
    _, proxy = platform
    proxy.fail(Kind.BANDWIDTH, size=2000)
    async with connected(proxy) as connection:
        assert await timed(lambda: asked(connection, within=3)) >= 0.25


async def test_slices(platform):
    _, proxy = platform
    proxy.fail(Kind.SLICER, size=100, seconds=0.02)
    async with connected(proxy) as (reader, writer):
        writer.write(b"post\n")
        first = await reader.read(4096)
        assert 0 < len(first) < len(ANSWER)
        while not first.endswith(b"\n"):
            first += await reader.read(4096)
        assert first == ANSWER + b"\n"


async def test_a_limit_ends_the_connection_in_the_middle(platform):
    made, proxy = platform
    proxy.fail(Kind.LIMIT, size=10)
    async with connected(proxy) as (reader, writer):
        writer.write(b"post\n")
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 1) == ANSWER[:10]
    assert made.lines == [b"post\n"]


async def test_a_slow_close(platform):
    _, proxy = platform
    proxy.fail(Kind.SLOW_CLOSE, seconds=0.2)
    async with connected(proxy) as (reader, writer):
        writer.write(b"bye\n")
        await reader.readline()
        assert await timed(lambda: reader.read()) >= 0.15


async def test_a_black_hole_swallows_the_request(platform):
    made, proxy = platform
    proxy.fail(Kind.TIMEOUT)
    async with connected(proxy) as connection:
        with pytest.raises(TimeoutError):
            await asked(connection, within=0.2)
    assert made.lines == []


async def test_a_reset_before_the_request_is_passed_on(platform):
    made, proxy = platform
    proxy.fail(Kind.RESET)
    async with connected(proxy) as connection:
        with pytest.raises(ConnectionResetError):
            await asked(connection)
    assert made.lines == []


@pytest.mark.parametrize(("seconds", "error"), [(0.0, TimeoutError), (0.05, ConnectionResetError)])
async def test_a_lost_answer_was_processed(platform, seconds, error):
    made, proxy = platform
    proxy.fail(Kind.LOSE_ANSWER, match=rb"^post", times=1, seconds=seconds)
    async with connected(proxy) as connection:
        with pytest.raises(error):
            await asked(connection, within=0.3)
    assert made.lines == [b"post\n"]
    async with connected(proxy) as connection:
        assert await asked(connection) == ANSWER + b"\n"
    assert proxy.struck == {Kind.LOSE_ANSWER: 1}


async def test_a_request_runs_after_its_client_gave_up(platform):
    made, proxy = platform
    proxy.fail(Kind.RUN_LATER, times=1, seconds=0.3)
    async with connected(proxy) as connection:
        with pytest.raises(TimeoutError):
            await asked(connection, within=0.1)
    assert made.lines == []
    await made.has(1)


async def test_only_what_matches_is_struck(platform):
    made, proxy = platform
    proxy.fail(Kind.RESET, match=rb"^post")
    async with connected(proxy) as connection:
        assert await asked(connection, b"look\n") == ANSWER + b"\n"
        with pytest.raises(ConnectionResetError):
            await asked(connection)
    proxy.heal()
    async with connected(proxy) as connection:
        assert await asked(connection) == ANSWER + b"\n"
    assert made.lines == [b"look\n", b"post\n"]


async def test_what_begins_a_large_request_is_seen(platform):
    made, proxy = platform
    proxy.fail(Kind.RESET, match=rb"^put ")
    async with connected(proxy) as connection:
        with pytest.raises(ConnectionError):
            await asked(connection, b"put " + b"x" * 2 * WINDOW + b"\n")
    assert made.lines == []


def test_a_fault_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="size"):
        Proxy("127.0.0.1", 1).fail(Kind.SLICER)
