"""Withdrawing and sending in any order: nothing is sent after it, what was sent is deleted or listed for a person."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from broker.model import State, Verb
from tests.simulation.oracles import judge
from tests.simulation.platforms import Spell, Trouble
from tests.simulation.scenes import channel, news, scene
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.worlds import Blow, ChannelSpec, Kind, Strike, World

T = Trouble
COMES_AT = 30.0
"""When the announcement comes in, in seconds."""
TROUBLES = (T.REFUSED, T.HANGS, T.ANSWER_LOST, T.FAILS_AFTER, T.LOGGED_OUT, T.SLOW, T.THROTTLED, T.HTML_500)
BLOWS = (Blow.CRASH, Blow.CRASH_SENT, Blow.CRASH_BEFORE_COMMIT, Blow.CRASH_AFTER_COMMIT, Blow.RESTART)


def interleaving(seed: int) -> World:
    """One announcement on three channels, withdrawn while it is sent, while it waits, or just before they return."""
    rng = random.Random(f"withdrawal {seed}")
    ends = COMES_AT + rng.choice((1.0, 4.0, 40.0))
    specs = [_channel(rng, name, ends) for name in ("meta", "vng", "telegram")]
    after = rng.choice((rng.uniform(0, 0.5), rng.uniform(0, 3), ends - COMES_AT + rng.uniform(-1, 1)))
    later = rng.uniform(0.5, 3) if rng.random() < 0.15 else None
    blows = [_blow(rng, COMES_AT + max(after, 0) + rng.uniform(-0.3, 0.3))] if rng.random() < 0.4 else []
    story = news(at=COMES_AT, withdrawn_after=max(after, 0.0), send_after=later)
    served = {"meta": ("telegram",)} if rng.random() < 0.5 else {}
    post_to = ("meta", "vng") if served else tuple(spec.name for spec in specs)
    return scene(specs, story, strikes=blows, post_to=post_to, stand_ins=served, late_copies=timedelta(minutes=10))


def _channel(rng: random.Random, name: str, ends: float) -> ChannelSpec:
    kind = rng.choice([k for k in Kind if k is not Kind.SITE])
    spells = [Spell(rng.choice(TROUBLES), rng.choice((0.0, COMES_AT - 0.1)), ends)] if rng.random() < 0.6 else []
    spec = channel(name, kind, *spells, nature={"latency_s": rng.choice((0.05, 0.3, 1.0))})
    if rng.random() < 0.7:
        return spec
    able = spec.profile.abilities - {Verb.DELETE}
    return channel(name, kind, *spells, abilities=able)


def _blow(rng: random.Random, at: float) -> Strike:
    return Strike(rng.choice(BLOWS), at, rng.uniform(2, 10), rng.randint(1, 40))


def left_behind(outcome: Outcome) -> Iterator[str]:
    """Copies of what a client was told is withdrawn that are still up, and that nobody is told of."""
    for errand in outcome.errands:
        if errand.accepted is None or errand.withdrawn_at is None:
            continue
        listed = {one.channel for one in outcome.reports[errand.accepted.id].to_remove}
        for platform in outcome.platforms.values():
            ours = [c for c in platform.copies if c.announcement_id == errand.accepted.id]
            up = [c.platform_id for c in ours if c.public_at and c.removed_at is None]
            if up and platform.name not in listed:
                delivery = outcome.cases[errand.accepted.id].deliveries[platform.name]
                yield f"{up} on {platform.name}, which is {delivery.state.value} ({delivery.reason})"


def wrong(seed: int) -> list[str]:
    outcome = simulate(interleaving(seed))
    late = [str(f) for f in judge(outcome) if f.oracle in ("stuck", "bug", "lost", "sent after withdrawal")]
    return [*late, *left_behind(outcome)]


@pytest.mark.parametrize(
    ("first", "last"), [pytest.param(0, 49, marks=pytest.mark.quick), (50, 349), (350, 674), (675, 999)]
)
def test_withdrawals_and_sends_in_any_order(first: int, last: int) -> None:
    """A thousand in all."""
    found = {seed: problems for seed in range(first, last + 1) if (problems := wrong(seed))}
    assert found == {}


@pytest.mark.quick
def test_the_interleavings_are_worth_the_name() -> None:
    """Among them are copies that were deleted, copies left to a person, some that never left, and deaths in between."""
    outcomes = [simulate(interleaving(seed)) for seed in range(40)]
    states = {d.state for o in outcomes for case in o.cases.values() for d in case.deliveries.values()}
    assert {State.WITHDRAWN, State.SKIPPED, State.LIVE} <= states
    assert any(len(o.lives) > 1 for o in outcomes)
