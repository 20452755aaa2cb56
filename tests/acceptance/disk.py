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
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from typing import Any

import aiohttp

from tests.acceptance.processes import PATIENCE_S, platforms
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
        code = await rig.end_of_life(PATIENCE_S)
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
        return await rig.verdict()


def mounted(folder: Path, size: str) -> list[str]:
    """The command prefix that gives a process a disk of its own there, which nobody else sees."""
    script = f'mount -t tmpfs -o size={size} none {folder} && exec "$@"'
    return ["unshare", "-rm", "sh", "-c", script, "sh"]


def inside(rig: Rig, path: Path) -> Path:
    """The same path as the broker's process sees it."""
    assert rig.life is not None
    return Path(f"/proc/{rig.life.pid}/root{path}")


def fill(path: Path) -> None:
    """Takes nearly all the space there is, at once; never more than that, for what the broker frees is its own."""
    with path.open("wb") as file:
        size = _free(path) - LEFT_BYTES
        while True:
            with suppress(OSError):  # the broker took some of it meanwhile
                return os.posix_fallocate(file.fileno(), 0, size)
            size = min(size, _free(path) - LEFT_BYTES)


def _free(path: Path) -> int:
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize


@dataclass(slots=True)
class FullDisk:
    """What a broker did while it had no space, and when it had some again."""

    answers: Counter[str] = field(default_factory=Counter)
    """HTTP statuses of what came in while the disk was full."""
    without_retry_after: int = 0
    slowest_answer_s: float = 0.0
    unrecorded: int = 0
    """Sends under way when the disk became full whose result was not recorded."""
    sent_without_intent: int = 0
    """Copies of what was refused."""
    resumed_s: float = 0.0
    """From the first free space to the acceptance of everything that waited."""
    verdict: Verdict = field(default_factory=Verdict)

    def figures(self) -> dict[str, Any]:
        return {
            "answers": dict(self.answers),
            "without_retry_after": self.without_retry_after,
            "slowest_answer_s": round(self.slowest_answer_s, 2),
            "unrecorded": self.unrecorded,
            "sent_without_intent": self.sent_without_intent,
            "resumed_s": round(self.resumed_s, 2),
        }


async def full_disk(folder: Path, seed: int, *, seconds: float, per_s: int = 100) -> FullDisk:
    """R5: the disk fills up with sends under way, more comes in all the time, and then there is space again."""
    patient = {"telegram": {"total_timeout": "18s"}}
    async with (
        platforms(*EMULATED, options=OPTIONS) as (control, found),
        Rig(folder, control, found, seed=seed, channels=patient) as rig,
    ):
        await rig.start(wrapped=mounted(rig.disk, "40m"))
        rig.submit(2)
        await rig.accepted()
        await rig.control.fail("telegram", "slow_drip", step="publish", after=0.001)
        in_flight = rig.submit(3)
        await rig.accepted()
        filler = inside(rig, rig.disk / "filler")
        fill(filler)
        await refused(rig)  # the last of the space is used up
        rig.submit(3)
        full = FullDisk()
        tokens = await _pressed(rig, full, round(seconds * per_s), per_s)
        await rig.settled()
        reports = [await rig.report(one) for one in in_flight]
        full.unrecorded = sum(d["state"] != "live" for report in reports if report for d in report["deliveries"])
        await rig.control.heal("telegram")
        filler.unlink()
        freed_at = time.monotonic()
        await rig.accepted()
        full.resumed_s = time.monotonic() - freed_at
        full.verdict = await rig.verdict()
        logs = [await rig.control.log(name) for name in EMULATED]
        full.sent_without_intent = sum(token in post.text for log in logs for post in log.posts for token in tokens)
        return full


async def _pressed(rig: Rig, found: FullDisk, count: int, per_s: int) -> list[str]:
    """So many announcements at that rate, none of them tried again; those that were refused."""

    async def one(number: int, begun: float) -> str | None:
        await asyncio.sleep(max(0.0, begun + number / per_s - time.monotonic()))
        token, asked_at = f"press{number:05}", time.monotonic()
        try:
            status, headers, _ = await rig.ask("POST", "/v1/announcements", {"headline": token, "body": "x" * 2000})
        except (aiohttp.ClientError, TimeoutError):
            status, headers = 0, {}
        found.answers[str(status)] += 1
        found.slowest_answer_s = max(found.slowest_answer_s, time.monotonic() - asked_at)
        found.without_retry_after += status != 202 and not headers.get("Retry-After")
        return None if status == 202 else token

    begun = time.monotonic()
    tokens = await asyncio.gather(*(one(number, begun) for number in range(count)))
    return [token for token in tokens if token]


async def refused(rig: Rig, within: float = PATIENCE_S) -> tuple[int, str | None, float]:
    """Status, Retry-After and seconds of the first announcement that is not accepted."""
    async with asyncio.timeout(within):
        while True:
            begun = time.monotonic()
            body = {"headline": "Tin thử đĩa đầy", "body": "x" * 20_000}
            status, headers, _ = await rig.ask("POST", "/v1/announcements", body)
            if status != 202:
                return status, headers.get("Retry-After"), time.monotonic() - begun
