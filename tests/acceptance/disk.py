"""Disks that go wrong under a real broker: errors and deaths at the n-th system call by strace, and disks that fill up.

strace runs as a grandchild (`-D`), so the broker's pid and exit code are its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM

from tests.acceptance.processes import platforms
from tests.acceptance.rig import EMULATED, OPTIONS, Rig
from tests.acceptance.verdict import Verdict

ANSWERED_LATE_S = 0.5
"""An acceptance may be on its way when the disk fails; so much later none may come."""
LEFT_BYTES = 1 << 17
EIO = re.compile(r"(\d+\.\d+) fdatasync\(.*EIO.*INJECTED")


def injected(calls: str, what: str, journal: Path | None = None) -> list[str]:
    """The command prefix that makes these calls do `what`, as in `strace --inject`."""
    output = ["-ttt", "-o", str(journal)] if journal else ["-o", "/dev/null"]
    tool = shutil.which("strace")
    assert tool, "strace is missing: apt-get install strace"
    return [tool, "-D", "-f", "-qq", "--seccomp-bpf", *output, "-e", f"trace={calls}", "-e", f"inject={calls}:{what}"]


@dataclass(slots=True)
class BrokenDisk:
    """What a broker did whose disk failed at the n-th sync."""

    nth: int
    verdict: Verdict
    exit_code: int = 0
    acknowledged_after: list[str] = field(default_factory=list)
    unrecorded: int = 0
    """Outcomes it wrote to stderr because the disk could not take them."""
    known_sends: int = 0
    """Sends that were under way when the disk failed, by the platforms' logs."""


async def broken_disk(folder: Path, nth: int, seed: int) -> BrokenDisk:
    """R4: from its n-th sync on the disk answers EIO; then a new start on a disk that is well."""
    async with (
        platforms(*EMULATED, options=OPTIONS) as (control, found),
        Rig(folder, control, found, seed=seed) as rig,
    ):
        journal = folder / "strace"
        await rig.start(wrapped=injected("fdatasync", f"error=EIO:when={nth}+", journal))
        if rig.life is not None and not rig.life.is_over:
            rig.submit(4)
        rng = random.Random(seed)
        for _ in range(40):
            if await rig.died(rng.uniform(0.05, 0.2)):
                break
            rig.submit()
        code = await rig.end_of_life(15)
        failed_at = min((float(each) for each in EIO.findall(journal.read_text())), default=time.time())
        late = [s.token for s in rig.submissions if s.answered and s.answered_at > failed_at + ANSWERED_LATE_S]
        unrecorded = [line for line in rig.words().splitlines() if line.startswith('{"unrecorded"')]
        for line in unrecorded:
            json.loads(line)
        await rig.start()
        verdict = await rig.verdict()
        await rig.end(SIGTERM)
        return BrokenDisk(nth, verdict, code, late, len(unrecorded))


async def killed_at_call(folder: Path, calls: str, nths: list[int], seed: int, *, each: int = 2) -> Verdict:
    """R1 and R21: dies at the n-th such call of each life, the first one's migration included."""
    async with (
        platforms(*EMULATED, options=OPTIONS) as (control, found),
        Rig(folder, control, found, seed=seed) as rig,
    ):
        for nth in nths:
            await rig.start(wrapped=injected(calls, f"signal=KILL:when={nth}"))
            if rig.life is not None and not rig.life.is_over:
                rig.submit(each)
                if not await rig.died(3):
                    await rig.end()
        await rig.start()
        return await rig.verdict(60)


def mounted(folder: Path, size: str) -> list[str]:
    """The command prefix that gives a process a disk of its own there, which nobody else sees."""
    script = f'mount -t tmpfs -o size={size} none {folder} && exec "$@"'
    return ["unshare", "-rm", "sh", "-c", script, "sh"]


def inside(rig: Rig, path: Path) -> Path:
    """The same path as the broker's process sees it."""
    assert rig.life is not None
    return Path(f"/proc/{rig.life.pid}/root{path}")


def fill(path: Path) -> None:
    """Takes nearly all the space there is, at once: what the broker frees from now on is its own."""
    disk = os.statvfs(path.parent)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - LEFT_BYTES)


async def refused(rig: Rig, within: float = 20.0) -> tuple[int, str | None, float]:
    """Status, Retry-After and seconds of the first announcement that is not accepted."""
    async with asyncio.timeout(within):
        while True:
            begun = time.monotonic()
            body = {"headline": "Tin thử đĩa đầy", "body": "x" * 20_000}
            status, headers, _ = await rig.ask("POST", "/v1/announcements", body)
            if status != 202:
                return status, headers.get("Retry-After"), time.monotonic() - begun
