"""How a broker ends when it is asked to, and what a frozen one may not do (R20, R8)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.acceptance.frozen import Thawed, frozen
from tests.acceptance.processes import platforms
from tests.acceptance.rig import EMULATED, OPTIONS, Rig

SEED = 20261122
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


async def test_a_broker_frozen_past_its_lease_posts_nothing_before_it_owns_it_again(tmp_path: Path) -> None:
    """R8 for one file: frozen between intent and first byte, thawed when its lease is over. Sabotage: no gate."""
    async with platforms(*EMULATED, options=OPTIONS) as (control, found):

        async def thawed(number: int, *, ended: bool, sabotage: str = "") -> Thawed:
            folder = tmp_path / str(number)
            folder.mkdir()
            return await frozen(folder, control, found, SEED + number, ended=ended, sabotage=sabotage)

        gone, sabotaged, *still = await asyncio.gather(
            thawed(0, ended=True), thawed(1, ended=True, sabotage="gate"), *(thawed(n, ended=False) for n in (2, 3, 4))
        )
    assert [each.verdict.faults for each in (gone, *still)] == [[]] * 4
    assert (gone.posts, gone.exit_code) == (0, 1)
    assert sabotaged.posts > 0, "without the gate a thawed broker posts what another may be posting"
