"""R8 for one file: a broker that stands still past its lease, right between its durable intent and its first byte.

Only a broker that still owns its run may go on when it thaws; one whose run was ended meanwhile ends itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT

from adapters.emulators.control import ControlClient
from broker.engine.lease import LEASE
from tests.acceptance.processes import PATIENCE_S, Platforms, send
from tests.acceptance.rig import EMULATED, Rig
from tests.acceptance.verdict import Verdict

ONE = {"post_to": ["telegram"], "goal": {"operators": 0, "domestic": 0}}
"""With one channel nothing is being written while the broker is frozen, so that its run can be ended."""


@dataclass(frozen=True, slots=True)
class Thawed:
    """What a broker did after it stood still."""

    ended: bool
    """Whether another ended its run meanwhile."""
    posts: int
    """Copies before its next start."""
    exit_code: int
    verdict: Verdict


async def frozen(
    folder: Path, control: ControlClient, found: Platforms, seed: int, *, ended: bool, sabotage: str = ""
) -> Thawed:
    """One life frozen for longer than its lease, thawed, and (if its run was ended) followed by another."""
    async with Rig(folder, control, found, seed=seed, routes={"one": ONE}) as rig:
        await _freeze(rig, "one" if ended else "default", sabotage)
        if ended:
            _end_run(rig)
        send(rig.life, SIGCONT)
        code = await rig.end_of_life(PATIENCE_S) if ended else 0
        posts = await _posts(rig)
        if ended:
            rig.environment.clear()
            await rig.start()
        return Thawed(ended, posts, code, await rig.verdict())


async def _freeze(rig: Rig, route: str, sabotage: str) -> None:
    """Lets the broker stop itself right before its first send, and waits until its lease is over."""
    rig.environment["LOA_FREEZE_AT"] = "intent.durable:1"
    await rig.start(sabotage=sabotage)
    rig.submit(route=route)
    await asyncio.sleep(LEASE.total_seconds() + 2)


def _end_run(rig: Rig) -> None:
    """What an adopter does first; on one file it cannot start beside the frozen one, so the test does it."""
    with closing(sqlite3.connect(rig.store, timeout=30)) as db, db:
        db.execute("UPDATE run SET ended_at = ?", (time.time_ns() // 1000,))


async def _posts(rig: Rig) -> int:
    token = rig.submissions[0].token
    logs = [await rig.control.log(name) for name in EMULATED]
    return sum(token in post.text for log in logs for post in log.posts)
