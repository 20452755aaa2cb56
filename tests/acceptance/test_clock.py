"""R9: somebody sets the wall clock an hour wrong, forward and back, in the middle of the work."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.acceptance.rig import Rig

SEED = 20261122
COUNT = 30
JUMPS_S = (3600, -3600, 0, 300, -300, 0)


@pytest.mark.parametrize("sabotage", ["", "naive_clock"])
async def test_a_wall_clock_that_jumps_changes_nothing(rig: Rig, sabotage: str) -> None:
    """Nothing lost, doubled, expired early or held back. Sabotage: the broker's clock follows the wall clock."""
    shift = rig.folder / "shift"
    shift.write_text("0")
    rig.environment["LOA_CLOCK_SHIFT"] = str(shift)
    rng = random.Random(SEED)
    await rig.start(sabotage=sabotage)
    for jump_s in JUMPS_S:
        rig.submit(COUNT // len(JUMPS_S))
        await asyncio.sleep(rng.uniform(0.05, 0.4))
        shift.with_suffix(".new").write_text(str(jump_s))
        shift.with_suffix(".new").replace(shift)
    try:
        verdict = await rig.verdict(12)
    except TimeoutError:
        assert sabotage, "something waits for an hour"
        return
    print(f"seed {SEED}: {verdict.figures()}")
    assert bool(verdict.faults or verdict.unconfirmed) == bool(sabotage)
    assert verdict.deliveries == COUNT * 6
