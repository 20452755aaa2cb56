"""One announcement, and a broker that is killed between any two steps of its life with it."""

from dataclasses import replace

import pytest

from tests.simulation.oracles import judge
from tests.simulation.scenes import channel, scene
from tests.simulation.simulation import simulate
from tests.simulation.worlds import Blow, Kind, Strike

SHARES = 8


@pytest.mark.parametrize("share", [pytest.param(0, marks=pytest.mark.quick), *range(1, SHARES)])
@pytest.mark.parametrize("kind", Kind)
def test_killed_between_any_two_steps_nothing_is_lost_or_doubled(kind: Kind, share: int):
    """Found: a handle that was called durable with an earlier decision, and sent for the second time."""
    channels = [channel("meta", kind), channel("x", Kind.LIST, nature={"latency_s": 0.05})]
    slow_disk = replace(scene(channels), disk_s=0.2)
    first = simulate(slow_disk).lives[0].process.steps
    for step in range(first // 10 + share, first, SHARES):
        outcome = simulate(replace(slow_disk, strikes=(Strike(Blow.CRASH, 0.0, 5.0, step),)))
        assert [str(finding) for finding in judge(outcome)] == [], f"killed after {step} steps"
