"""R13 to R17 in their short forms, and what turns each of them red (docs/promises.md has the long forms' figures)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from broker.contract import Job
from broker.outcome import Absent, Outcome, Throttled, Unavailable, Uncertain
from broker.values import replace
from tests.simulation.machine import Sabotage
from tests.simulation.platforms import ScriptedAdapter
from tests.simulation.programme import DEATHS, Found, all_fail, cut_off, flaps, operator_dies, returns
from tests.simulation.worlds import ChannelSpec

SEEDS = range(3)


class TakesFailuresForThrottles(ScriptedAdapter):
    """What costs no try is tried for ever."""

    async def publish(self, job: Job) -> Outcome | Absent:
        outcome = await super().publish(job)
        return Throttled(timedelta(seconds=1)) if isinstance(outcome, Unavailable | Uncertain) else outcome


def changed(**profile: Any) -> Callable[[ChannelSpec], ChannelSpec]:
    return lambda spec: replace(spec, profile=replace(spec.profile, **profile))


PARTS: Mapping[str, tuple[Callable[[Sabotage], Found], Sabotage]] = {
    **{
        f"R13 an operator dies: {trouble.value}": (
            partial(operator_dies, SEEDS, trouble),
            Sabotage(route=lambda route: replace(route, stand_ins={})),
        )
        for trouble in DEATHS
    },
    "R14 it returns": (partial(returns, 0, 300), Sabotage(channel=changed(rate_per_s=50.0))),
    "R15 all fail": (partial(all_fail, SEEDS), Sabotage(adapter=TakesFailuresForThrottles)),
    "R16 one comes and goes": (
        partial(flaps, SEEDS),
        Sabotage(channel=changed(probe_every=timedelta(seconds=4))),
    ),
    "R17 our own network": (partial(cut_off, SEEDS), Sabotage(channel=changed(own=True))),
}


@pytest.mark.parametrize("part", PARTS)
def test_outages_are_answered_as_the_programme_wants(part: str) -> None:
    run, sabotage = PARTS[part]
    found = run(Sabotage())
    print(found)
    assert found.broken == []
    assert run(sabotage).broken != [], "the sabotage is not seen"
