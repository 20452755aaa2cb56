"""How a broker ends when it is asked to, and what a frozen one may not do (R20, R8, R9)."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from signal import SIGCONT, SIGTERM
from zlib import crc32

import pytest

from broker.engine.lease import LEASE
from tests.acceptance.processes import platforms, send
from tests.acceptance.rig import EMULATED, OPTIONS, Rig

EXITS_WITHIN_S = 15.0


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.3])
async def test_a_stop_under_load_loses_nothing(rig: Rig, after_s: float) -> None:
    """R20: the command `loa serve`, told to stop in the middle of sixteen announcements."""
    await rig.start(cold=True)
    rig.submit(16)
    await asyncio.sleep(after_s)
    begun = time.monotonic()
    assert await rig.end(SIGTERM) == 0
    assert time.monotonic() - begun <= EXITS_WITHIN_S
    await rig.start()
    verdict = await rig.verdict()
    assert verdict.faults == []
    assert verdict.unconfirmed == 0, "an orderly stop leaves nothing in the open"


@pytest.mark.timeout(150)
async def test_a_broker_frozen_past_its_lease_posts_nothing_before_it_owns_it_again(tmp_path: Path) -> None:
    """R8 for one file: frozen with the intent durable and no byte sent, thawed when its lease is over.

    Only a broker that still owns its run may go on; one whose run was ended meanwhile ends itself. Sabotage: no gate.
    """
    async with platforms(*EMULATED, options=OPTIONS) as (control, found):

        async def thawed(name: str, *, ended: bool, sabotage: str = "") -> tuple[int, int, list[str]]:
            """Posts within a second of the thaw, how the process ended, and what is wrong after the next start."""
            folder = tmp_path / name
            folder.mkdir()
            async with Rig(folder, control, found, seed=crc32(name.encode()), routes={"one": ONE}) as rig:
                await _freeze(rig, "one" if ended else "default", sabotage)
                if ended:
                    _end_run(rig)
                send(rig.life, SIGCONT)
                code = await rig.end_of_life(10) if ended else 0
                posts = await _posts(rig)
                if ended:
                    rig.environment.clear()
                    await rig.start()
                return posts, code, (await rig.verdict()).faults

        gone, sabotaged, *still = await asyncio.gather(
            thawed("ended by another", ended=True),
            thawed("without a gate", ended=True, sabotage="gate"),
            *(thawed(f"still its owner {number}", ended=False) for number in range(3)),
        )
        assert [faults for _, _, faults in still] == [[], [], []]
        assert gone == (0, 1, [])
        assert sabotaged[0] > 0, "without the gate a thawed broker posts what another may be posting"


ONE = {"post_to": ["telegram"], "goal": {"operators": 0, "domestic": 0}}
"""With one channel nothing is being written while the broker is frozen, so that its run can be ended."""


async def _freeze(rig: Rig, route: str, sabotage: str) -> None:
    """Lets the broker stop itself right before its first send, and waits until its lease is over."""
    rig.environment["LOA_FREEZE_AT"] = "intent.durable:1"
    await rig.start(sabotage=sabotage)
    rig.submit(route=route)
    await asyncio.sleep(LEASE.total_seconds() + 2)


def _end_run(rig: Rig) -> None:
    """What an adopter does first; on one file it cannot start beside the frozen one, so the test does it."""
    with closing(sqlite3.connect(rig.store)) as db, db:
        db.execute("UPDATE run SET ended_at = ?", (time.time_ns() // 1000,))


async def _posts(rig: Rig) -> int:
    token = rig.submissions[0].token
    logs = [await rig.control.log(name) for name in EMULATED]
    return sum(token in post.text for log in logs for post in log.posts)
