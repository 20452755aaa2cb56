"""Processes that a command starts beside itself, and ends with itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from broker.errors import InvalidInput, LoaError

Result = TypeVar("Result")

READY_WITHIN = 60.0
STOPS_WITHIN = 15.0
LAST_WORDS = 400
"""Characters of a dead process's own words that are shown."""
ASKED_WRONGLY = 2


class ProcessFailed(LoaError):
    """A process that is needed did not start."""


class Child:
    """One process of ours; `log` takes what it says on stderr."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    @property
    def pid(self) -> int:
        return self.process.pid

    async def first_line(self) -> str:
        """What it prints once it is ready. Raises `ProcessFailed` or `InvalidInput` with its own last words."""
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), READY_WITHIN)
        except TimeoutError:
            raise ProcessFailed(f"{self.name} was not ready within {READY_WITHIN:g} s.") from None
        if not line:
            raise await self._failure()
        return line.decode()

    async def _failure(self) -> LoaError:
        """What it ended with, in the last line it said itself; 2 means that it was asked wrongly."""
        code = await self.process.wait()
        *_, words = self.log.read_text(encoding="utf-8", errors="replace").strip().rsplit("\n", 1)
        said = words.rpartition("error: ")[2].removeprefix("loa: ")[:LAST_WORDS]
        told = f"{self.name} did not start: {said or 'it said nothing'}"
        return InvalidInput(told) if code == ASKED_WRONGLY else ProcessFailed(told)

    def kill(self) -> None:
        """SIGKILL: no time for last words."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough. Idempotent."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOPS_WITHIN)
        except TimeoutError:
            self.kill()
            await self.process.wait()


async def start(name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
    """This Python with `arguments`, in a session of its own: a Ctrl-C is ours to pass on.

    Its stdin ends when this process does, even by SIGKILL; `at_eof` is how it notices.
    """
    with log.open("ab") as words:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env=dict(environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=words,
            start_new_session=True,
        )
    return Child(name, process, log)


@asynccontextmanager
async def running(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> AsyncIterator[Child]:
    """As `start`; stopped at the end, whatever happens."""
    child = await start(name, arguments, environment, log)
    try:
        yield child
    finally:
        await child.stop()


def at_eof(act: Callable[[], None]) -> None:
    """Calls `act` when stdin ends: the process that started this one is gone."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(0, 1024):
            loop.remove_reader(0)
            act()

    loop.add_reader(0, read)


async def until_told(work: Awaitable[Result]) -> Result | None:
    """The result of `work`, or None when SIGINT, SIGTERM or SIGHUP came first; then `work` is cancelled and awaited."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return None
