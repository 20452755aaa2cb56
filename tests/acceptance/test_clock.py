"""R9 in its short form: the wall clock is set an hour wrong, forward and back, in the middle of the work."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.wall_clock import set_wrong

SEED = 20261122
COUNT = 32


async def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    """Nothing lost, doubled, expired early or held back; nor on a leap day, nor when 32-bit time ends."""
    verdict = await set_wrong(tmp_path, COUNT, SEED)
    print(f"seed {SEED}: {verdict.figures()}")
    assert verdict.faults == []
    assert (verdict.unconfirmed, verdict.deliveries) == (0, COUNT * 6)


async def test_a_broker_that_follows_the_wall_clock_waits_for_an_hour(tmp_path: Path) -> None:
    """Sabotage."""
    try:
        verdict = await set_wrong(tmp_path, COUNT, SEED, sabotage="naive_clock", within=15)
    except TimeoutError:
        return
    assert verdict.faults or verdict.unconfirmed
