"""The simulation in its short form: two thousand seeds in which everything goes wrong, and what each safety is for."""

from __future__ import annotations

import os

import pytest

from tests.simulation import quiet
from tests.simulation.__main__ import portions
from tests.simulation.figures import KINDS, Figures
from tests.simulation.oracles import judge
from tests.simulation.sabotage import CASES, Case
from tests.simulation.simulation import simulate
from tests.simulation.worlds import world

SEEDS = range(2000)
ENOUGH = range(130)
"""In so many worlds each sabotage is seen, whatever the code's details."""


@pytest.mark.timeout(1200)
def test_two_thousand_seeds_find_nothing() -> None:
    """No finding of any oracle, and every kind of fault was met. `make deep` runs a hundred thousand."""
    total = Figures()
    for _, figures in portions(SEEDS, os.cpu_count() or 1):
        total.merge(figures)
    print(total.data())
    assert total.examples == {}
    assert total.counts["runs"] == len(SEEDS)
    assert KINDS - total.faults.keys() == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_safety_that_is_taken_away_is_seen(case: Case) -> None:
    """And the same worlds are sound with it."""
    quiet()
    seed = case.seen(ENOUGH)
    assert seed is not None
    assert judge(simulate(case.setting.world(seed))) == []


@pytest.mark.quick
def test_the_same_seed_writes_the_same_log() -> None:
    first, second = (list(simulate(world(19)).trace.lines()) for _ in range(2))
    assert first == second
    assert len(first) > 50
