"""Real processes of a test: brokers that are killed, frozen and restarted, and the emulated platforms beside them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from adapters.emulators.control import ControlClient
from tests.acceptance.runner import FORKS, forked

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0
"""For what takes a second on a machine that has nothing else to do: only what hangs takes so long."""


class Life(Protocol):
    """One life of one broker process."""

    pid: int

    async def ended(self) -> int:
        """Waits for its end: the exit code, or minus the signal that ended it."""
        ...

    @property
    def is_over(self) -> bool: ...


class ForkedLife:
    """Forked from a process that has imported everything; `environment` as in `tests.acceptance.runner`."""

    def __init__(self, config: Path, environment: Mapping[str, str], log: Path) -> None:
        arguments = (str(config), dict(environment), str(log))
        self._process = FORKS.Process(target=forked, args=arguments, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    async def ended(self) -> int:
        await asyncio.to_thread(self._process.join, PATIENCE_S)
        if self._process.exitcode is None:
            raise TimeoutError(f"process {self.pid} does not end")
        return self._process.exitcode

    @property
    def is_over(self) -> bool:
        return self._process.exitcode is not None


class StartedLife:
    """A command of its own, as a person would start it: `loa serve`, or anything that ends up being that process."""

    def __init__(self, process: asyncio.subprocess.Process, pid: int) -> None:
        self._process, self.pid = process, pid

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            return await self._process.wait()

    @property
    def is_over(self) -> bool:
        return self._process.returncode is not None


async def started(command: Sequence[str], environment: Mapping[str, str], log: Path) -> StartedLife:
    """Starts `command`; what it says goes to `log`."""
    with log.open("ab") as words:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            start_new_session=True,
        )
    return StartedLife(process, process.pid)


def send(life: Life | None, number: signal.Signals) -> None:
    """Sends a signal; to a process that is over, nothing."""
    if life is not None and not life.is_over:
        try:
            os.kill(life.pid, number)
        except ProcessLookupError:
            return


def processor_s(pid: int) -> float:
    """Processor time that a process has used so far. OSError if it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


Platforms = dict[str, dict[str, Any]]


@asynccontextmanager
async def platforms(
    *names: str, options: Mapping[str, Mapping[str, Any]] | None = None
) -> AsyncIterator[tuple[ControlClient, Platforms]]:
    """The named emulators in a process of their own, with their control port."""
    command = [sys.executable, "-m", "adapters.emulators", *names, "--options", json.dumps(options or {})]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))
        async with ControlClient(ready["control"]) as control:
            yield control, ready["platforms"]
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE_S)
