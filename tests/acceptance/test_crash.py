"""R1 and R2 in their short form: sixty lives, each killed (docs/promises.md has the long form's figures)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from broker.engine.switches import Point
from tests.acceptance.campaign import Death, Report, at_random, killed, named, twice
from tests.acceptance.processes import PATIENCE_S
from tests.acceptance.rig import Rig

SEED = 20261122


async def _campaign(folder: Path, deaths: list[Death], seed: int) -> Report:
    folder.mkdir()
    return await killed(folder, deaths, seed)


@pytest.mark.timeout(600)
async def test_nothing_is_lost_or_doubled_however_it_is_killed(tmp_path: Path) -> None:
    """At every named point, at random moments, and again while it recovers; three brokers beside each other."""
    rng = random.Random(SEED)
    plans = [named(1, rng), at_random(20, rng), twice(9, rng)]
    reports = await asyncio.gather(*(_campaign(tmp_path / str(i), deaths, SEED + i) for i, deaths in enumerate(plans)))
    for report in reports:
        print(f"seed {report.seed}: {report.lives} lives, {report.verdict.figures()}, {dict(report.killed_at)}")
        assert report.faults == []
    assert sum(report.killed_at.total() for report in reports) == 60
    assert reports[0].killed_at["a random moment"] <= 6, "nearly every named point was reached"


@pytest.mark.parametrize("sabotage", ["", "crash_is_due"])
async def test_what_was_sent_and_not_recorded_is_not_sent_again(tmp_path: Path, sabotage: str) -> None:
    """Sabotage: what a crash found in flight is simply due again."""
    deaths = [Death(Point.OUTCOME_KNOWN, n) for n in (1, 4)]
    report = await killed(tmp_path, deaths, SEED, sabotage=sabotage)
    assert report.killed_at["outcome.known"] == 2
    assert bool(report.faults) == bool(report.verdict.duplicates) == bool(sabotage)


@pytest.mark.parametrize("sabotage", ["", "acknowledge_first"])
async def test_accepted_means_durable(rig: Rig, sabotage: str) -> None:
    """Killed as soon as a client has its 202, on a slow disk. Sabotage: it is answered before the commit."""
    rig.environment["LOA_SLOW_COMMIT"] = "3"
    await rig.start(sabotage=sabotage)
    first = rig.submit()[0]
    async with asyncio.timeout(PATIENCE_S):
        await first.accepted.wait()
    await rig.end()
    rig.environment.clear()
    await rig.start()
    verdict = await rig.verdict()
    assert bool(verdict.faults) == bool(verdict.lost) == bool(sabotage)
