"""Child processes that read what strangers sent: bounded in time, memory and size of files, and of low priority."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    within: timedelta
    memory_bytes: int
    file_bytes: int
    """Of the largest file it may write."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended; `code` is None when its time was over."""

    code: int | None
    out: bytes
    err: bytes


async def run(limits: Limits, program: str, *arguments: str, given: bytes = b"") -> Ended:
    """The program's end, within its limits; nothing of it runs on afterwards, also when we are cancelled.

    It reads what is given from a file: a pipe would be ours to feed, and breaks when the program ends before that.
    """
    own = [str(round(limits.within.total_seconds()) + 1), str(limits.memory_bytes), str(limits.file_bytes)]
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-m", "broker.media.limited", *own, program, *arguments),
            stdin=file,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )
    try:
        async with asyncio.timeout(limits.within.total_seconds()):
            out, err = await process.communicate()
        return Ended(process.returncode, out, err)
    except TimeoutError:
        return Ended(None, b"", b"")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
