"""R13 to R17 on virtual time: hours of outage, with the real rules, engine and store, judged by the platforms' logs.

Each run is a small world drawn from its seed; what must not be is named in `Found.broken`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from structlog.testing import capture_logs

from broker.model import State, Urgency
from broker.rules.health import View
from broker.values import replace
from tests.simulation.machine import Life, Sabotage
from tests.simulation.oracles import judge
from tests.simulation.platforms import Platform, Spell, Trouble
from tests.simulation.scenes import channel, news, scene
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.virtual import START
from tests.simulation.worlds import ChannelSpec, Kind, Submission, World

T = Trouble
SOUND = Sabotage()
META, OUTSIDE = ("facebook", "threads"), ("facebook", "threads", "zalo", "x", "telegram")
OPERATOR = {"facebook": "meta", "threads": "meta", "zalo": "vng"}
DEATHS = (T.REFUSED, T.HTML_500, T.HANGS, T.LOGGED_OUT, T.THROTTLED, T.SILENT_DROP)
BROKEN = (T.REFUSED, T.HTML_500, T.HANGS, T.LOGGED_OUT, T.POSTS_FAIL)
TRIES, TRIALS = 3, 2
"""A channel whose probes pass is tried with a post after one minute and after five."""
KNOWN_AFTER_S = 120.0
"""Twice the time between two probes."""


@dataclass(slots=True)
class Found:
    """What one part of the programme found."""

    runs: int = 0
    announcements: int = 0
    copies: int = 0
    broken: list[str] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)
    """The longest of each, in seconds."""
    most: dict[str, float] = field(default_factory=dict)

    def took(self, name: str, seconds: float) -> None:
        self.times[name] = max(self.times.get(name, 0.0), round(seconds, 2))

    def saw(self, name: str, number: float) -> None:
        self.most[name] = max(self.most.get(name, 0), number)

    def count(self, outcome: Outcome) -> None:
        """Every oracle of the simulation judges this run too, as far as it is small enough to be read as a whole."""
        self.runs += 1
        self.announcements += len(outcome.errands)
        self.copies += sum(len(p.copies) for p in outcome.platforms.values())
        if len(outcome.errands) == len(outcome.cases):
            self.broken += [str(finding) for finding in judge(outcome)]
        elif outcome.stuck or outcome.bugs:
            self.broken += [str(outcome.stuck), *outcome.bugs]


def _spec(name: str, *spells: Spell, rng: random.Random | None = None, **profile: object) -> ChannelSpec:
    kind = Kind.NOTHING if name == "telegram" else Kind.HANDLE if name == "threads" else Kind.LIST
    latency = {"latency_s": rng.choice((0.05, 0.1, 0.4))} if rng else {}
    return channel(name, kind, *spells, operator=OPERATOR.get(name, name), nature=latency, **profile)


def _of(platform: Platform, outcome: Outcome, number: int) -> list[float]:
    """When attempts for that announcement were begun there."""
    accepted = outcome.errands[number].accepted
    return [at for at, _, each in platform.begun if accepted and each == accepted.id]


# R13: one operator dies


def operator_dies(seeds: Sequence[int], trouble: Trouble, sabotage: Sabotage = SOUND) -> Found:
    """All channels of Meta fail in one way: one announcement comes before that is known, one when it is."""
    found = Found()
    for seed in seeds:
        outcome = simulate(_dying(seed, trouble), sabotage)
        found.count(outcome)
        found.broken += [f"seed {seed}, {trouble.value}: {what}" for what in _badly_stood_in(outcome, trouble, found)]
    return found


def _dying(seed: int, trouble: Trouble) -> World:
    rng = random.Random(f"R13 {trouble.value} {seed}")
    dies_at, probes = rng.uniform(60, 90), timedelta(seconds=rng.choice((30, 60)))
    spell = Spell(trouble, dies_at, dies_at + 3600)
    specs = [_spec(name, spell, rng=rng, probe_every=probes) for name in META]
    specs += [_spec(name, rng=rng, probe_every=probes) for name in ("zalo", "x")]
    urgency = rng.choice(list(Urgency))
    stories = [news(n, dies_at + at, urgency=urgency) for n, at in enumerate((rng.uniform(0.5, 5), 400.0))]
    stand_ins = {"facebook": ("threads", "zalo")}
    return scene(specs, *stories, post_to=("facebook", "x"), stand_ins=stand_ins, late_copies=timedelta(minutes=30))


def _badly_stood_in(outcome: Outcome, trouble: Trouble, found: Found) -> Iterator[str]:
    zalo, facebook = outcome.platforms["zalo"], outcome.platforms["facebook"]
    told_by_answers = trouble not in (T.THROTTLED, T.SILENT_DROP)
    for errand in outcome.errands:
        number, accepted_at = errand.submission.number, errand.submission.at
        known = number == 1 and told_by_answers
        starts = _of(zalo, outcome, number)
        after_s = min(starts, default=float("inf")) - accepted_at
        found.took(f"stand_in_{'known' if known else 'unknown'}_{trouble.value}", after_s)
        if after_s > (1.1 if known else 60.0 if trouble is T.SILENT_DROP else 17.0):
            yield f"zalo began {after_s:.1f} s after acceptance"
        if known and _of(facebook, outcome, number):
            yield "attempted on a channel that is known to be down"
    dies_at = outcome.world.channels[0].spells[0].since
    vain = [at for at, _, _ in facebook.begun if dies_at <= at < dies_at + 3600]
    found.saw("attempts_on_the_dead_channel", len(vain))
    if told_by_answers and len(vain) > 5:
        yield f"{len(vain)} attempts on a channel of the dead operator"


# R14: it returns, and much is waiting


def returns(seed: int, waiting: int, sabotage: Sabotage = SOUND) -> Found:
    """An hour's announcements wait for their only channel; the last of each hundred are urgent."""
    rng, found = random.Random(f"R14 {seed}"), Found()
    down = Spell(rng.choice((T.REFUSED, T.HTML_500)), 0, 3600 + rng.uniform(0, 60))
    stories = [_waiting(n, waiting) for n in range(waiting)]
    rate = 5.0
    spec = _spec("facebook", down, rate_per_s=rate, max_in_flight=8)
    outcome = simulate(scene([spec], *stories, late_copies=timedelta(hours=3)), sabotage)
    found.count(outcome)
    platform = outcome.platforms["facebook"]
    begun = [at for at, _, _ in platform.begun if at >= down.until]
    fastest = max(sum(at <= other < at + 1 for other in begun) for at in begun)
    found.saw("attempts_in_any_second", fastest)
    found.took("all_out_after", begun[-1] - down.until)
    if fastest > rate:
        found.broken.append(f"{fastest} attempts in one second, {rate:g} are allowed")
    missing = waiting - len({copy.announcement_id for copy in platform.copies})
    found.broken += [f"{missing} announcements were not sent"] if missing else []
    found.broken += list(_herd(outcome, platform, begun, found))
    return found


def _waiting(number: int, count: int) -> Submission:
    urgent = number % 100 > 94
    return news(number, 300 + 3200 * number / count, urgency=Urgency.URGENT if urgent else Urgency.ROUTINE)


def _herd(outcome: Outcome, platform: Platform, begun: list[float], found: Found) -> Iterator[str]:
    answered = [(copy.made_at - START).total_seconds() for copy in platform.copies]
    if len(begun) > 1 and begun[1] < answered[0]:
        yield "a second attempt began before the first was answered"
    urgent = {e.accepted.id for e in outcome.errands if e.accepted and e.submission.urgency is Urgency.URGENT}
    places = [place for place, copy in enumerate(platform.copies) if copy.announcement_id in urgent]
    overtaken = places[-1] + 1 - len(places) if places else 0
    found.saw("routine_before_an_urgent_one", overtaken)
    if overtaken > 2 + len(platform.copies) // 100:
        yield f"{overtaken} routine copies went before the last urgent one"


# R15: everybody fails


def all_fail(seeds: Sequence[int], sabotage: Sabotage = SOUND) -> Found:
    """Ten minutes long nothing works; then everything comes to its end."""
    found = Found()
    for seed in seeds:
        rng = random.Random(f"R15 {seed}")
        spells = {n: Spell(rng.choice(BROKEN), 60, 660) for n in OUTSIDE}
        specs = [_spec(name, spells[name], rng=rng) for name in OUTSIDE]
        stories = [news(n, rng.uniform(50, 600), urgency=rng.choice(list(Urgency))) for n in range(8)]
        outcome = simulate(scene(specs, *stories), sabotage)
        found.count(outcome)
        for platform in outcome.platforms.values():
            for number in range(len(stories)):
                tries = sum(60 <= at < 660 for at in _of(platform, outcome, number))
                found.saw("tries_of_one_delivery", tries)
                if tries > TRIES + (TRIALS if spells[platform.name].trouble is T.POSTS_FAIL else 0):
                    found.broken.append(f"seed {seed}: {tries} tries on {platform.name}")
    return found


# R16: a platform comes and goes


def flaps(seeds: Sequence[int], sabotage: Sabotage = SOUND) -> Found:
    """Five seconds up, five seconds down, for ten minutes."""
    found = Found()
    for seed in seeds:
        rng = random.Random(f"R16 {seed}")
        trouble = rng.choice((T.REFUSED, T.HTML_500, T.POSTS_FAIL))
        spells = [Spell(trouble, at, at + 5) for at in range(60, 660, 10)]
        specs = [_spec("facebook", *spells, rng=rng), _spec("zalo", rng=rng), _spec("x", rng=rng)]
        stories = [news(n, 40 + 20 * n + rng.uniform(0, 15)) for n in range(30)]
        world = scene(specs, *stories, post_to=("facebook", "x"), stand_ins={"facebook": ("zalo",)})
        with heard() as logs:
            outcome = simulate(world, sabotage)
        found.count(outcome)
        opened = sum(log["event"] == "channel_down" for log in logs)
        found.saw("switches_in_ten_minutes", opened)
        if opened > 10:
            found.broken.append(f"seed {seed}, {trouble.value}: its channel was given up {opened} times in ten minutes")
    return found


# R17: our own network


def cut_off(seeds: Sequence[int], sabotage: Sabotage = SOUND) -> Found:
    """Nobody can be reached for some minutes: nobody is blamed, nothing is given up, and all of it goes out after."""
    found = Found()
    for seed in seeds:
        rng = random.Random(f"R17 {seed}")
        since, lasts = rng.uniform(60, 90), rng.uniform(180, 600)
        specs = [_spec(name, Spell(T.REFUSED, since, since + lasts), rng=rng) for name in OUTSIDE]
        stories = [news(n, since + rng.uniform(-5, lasts)) for n in range(4)]
        outcome, view = _looked_at(scene(specs, *stories), sabotage, since + KNOWN_AFTER_S)
        found.count(outcome)
        found.saw("channels_blamed", len(view.down))
        found.broken += [] if view.own_network_since else [f"seed {seed}: our own network is not suspected"]
        found.broken += [f"seed {seed}: {down.what} is blamed" for down in view.down.values()]
        found.broken += [f"seed {seed}: {what}" for what in _given_up(outcome)]
    return found


def _looked_at(world: World, sabotage: Sabotage, at_s: float) -> tuple[Outcome, View]:
    """The run, and what the broker held for down at that time."""
    views: list[View] = []

    def started(life: Life) -> None:
        asyncio.get_running_loop().call_at(at_s, lambda: views.append(life.engine.monitor.view))

    outcome = simulate(world, replace(sabotage, started=started))
    [view] = views
    return outcome, view


def _given_up(outcome: Outcome) -> Iterator[str]:
    for case in outcome.cases.values():
        for delivery in case.deliveries.values():
            if delivery.state is not State.LIVE:
                yield f"{case.announcement.reference} on {delivery.channel} is {delivery.state.value}"


class heard:  # noqa: N801 - reads as the function it is
    """What the broker logs meanwhile, whatever else is set for logs in this process."""

    def __enter__(self) -> list[dict[str, object]]:
        self._before = structlog.get_config()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
        self._capture = capture_logs()
        logs: list[dict[str, object]] = self._capture.__enter__()  # type: ignore[assignment]
        return logs

    def __exit__(self, *error: object) -> None:
        self._capture.__exit__(None, None, None)
        structlog.configure(**self._before)
