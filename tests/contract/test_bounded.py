"""Child processes that read what strangers sent end within their limits, whatever they do."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop

from broker.media.bounded import Limits, run

LIMITS = Limits(within=timedelta(seconds=20), memory_bytes=1 << 29, file_bytes=1 << 20)
SHORT = Limits(within=timedelta(seconds=1), memory_bytes=1 << 29, file_bytes=1 << 20)


async def python(program: str, limits: Limits = LIMITS, given: bytes = b"") -> tuple[int | None, bytes]:
    ended = await run(limits, sys.executable, "-c", program, given=given)
    return ended.code, ended.out


async def test_what_it_is_given_and_says_comes_through():
    assert await python("import sys; print(sys.stdin.read()[::-1])", given=b"abc") == (0, b"cba\n")


def test_one_that_ends_before_it_reads_breaks_nothing_on_a_busy_loop():
    """Found by lost answers on a busy machine: an upload failed, since the program was gone before it was fed."""

    async def busy() -> None:
        while True:
            threading.Event().wait(0.1)
            await asyncio.sleep(0)

    async def children() -> list[tuple[int | None, bytes]]:
        others = asyncio.ensure_future(busy())
        ended = await asyncio.gather(*(python("", given=bytes(200_000)) for _ in range(5)))
        others.cancel()
        return ended

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(children()) == [(0, b"")] * 5


@pytest.mark.parametrize("program", ["while True: pass", "import threading; threading.Event().wait()"])
async def test_time_ends_it(program):
    assert await python(program, SHORT) == (None, b"")


async def test_memory_ends_it():
    code, _ = await python("bytes(1 << 30)")
    assert code == 1


async def test_a_file_ends_it(tmp_path):
    path = tmp_path / "large"
    code, _ = await python(f"open({str(path)!r}, 'wb').write(bytes(1 << 22))")
    assert code != 0
    assert path.stat().st_size <= LIMITS.file_bytes


async def test_nothing_of_our_environment_goes_along():
    os.environ["LOA_CANARY"] = "secret"
    try:
        _, said = await python("import os; print(sorted(os.environ))")
    finally:
        del os.environ["LOA_CANARY"]
    assert b"LOA_" not in said


async def test_who_stops_waiting_leaves_nothing_running(tmp_path):
    """The child says who it is, then waits for ever."""
    told = tmp_path / "pid"
    program = f"import os, threading; open({str(told)!r}, 'w').write(str(os.getpid())); threading.Event().wait()"
    waiting = asyncio.ensure_future(python(program))
    for _ in range(500):
        if told.exists() and told.read_text(encoding="utf-8"):
            break
        await asyncio.sleep(0.02)
    pid = told.read_text(encoding="utf-8")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not Path(f"/proc/{pid}").exists()
