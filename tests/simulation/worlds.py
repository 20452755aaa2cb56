"""What a seed stands for: channels, routes, announcements, and everything that goes wrong, all drawn beforehand.

Three of four worlds are small, because most faults need one announcement and two channels, and a large world costs as
much as ten small ones; half of what goes wrong outside begins about when something is accepted. So a run meets as many
faults as it did before, when all worlds were like the second size here (docs/promises.md).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from broker.contract import Path, Profile, Readers, Step
from broker.engine.channels import key_of
from broker.model import OnUnconfirmed, RoutePlan, StepClass, Urgency, Verb
from broker.rules.routes import Route
from broker.rules.standing import Channel
from tests.simulation.platforms import Nature, Spell, Trouble

S, T = StepClass, Trouble
AGENCY, COUNTRY = "agency", "VN"
OPERATORS = {"meta": "US", "vng": "VN", "google": "US", "telegram": "AE", "x": "US", "partner": "VN"}
FIRST_AT, NEWS_FOR = 20.0, 300.0
VERY_LATE_S = 150.0
"""Longer than any `settle_for` here: a post run as late as this is seen twice, and must be reported."""


class Kind(StrEnum):
    """What a channel's publish is made of."""

    KEYED = "keyed"
    HANDLE = "handle"
    LIST = "list"
    MODERATED = "moderated"
    PREPARED_LIST = "prepared_list"
    NOTHING = "nothing"
    SITE = "site"


STEPS: Mapping[Kind, tuple[StepClass, ...]] = {
    Kind.KEYED: (S.KEYED,),
    Kind.HANDLE: (S.INVISIBLE, S.HANDLE),
    Kind.LIST: (S.LIST,),
    Kind.MODERATED: (S.LIST,),
    Kind.PREPARED_LIST: (S.INVISIBLE, S.LIST),
    Kind.NOTHING: (S.NOTHING,),
    Kind.SITE: (S.KEYED,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    name: str
    kind: Kind
    profile: Profile
    nature: Nature
    spells: tuple[Spell, ...] = ()

    @property
    def domestic(self) -> bool:
        return self.profile.country == COUNTRY

    @property
    def counts(self) -> bool:
        """For a goal."""
        return self.channel.counts

    @property
    def channel(self) -> Channel:
        """As `plan` sees it."""
        return Channel(key=key_of(AGENCY, self.name), profile=self.profile, domestic=self.domestic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One client's errand: an announcement, and perhaps a change of mind."""

    number: int
    at: float
    route: str
    urgency: Urgency
    key: str | None
    expires_after: float | None
    send_after: float | None
    replaces: int | None
    withdrawn_after: float | None
    hangs_up_after: float | None = None
    """The client closes its connection so soon that it may not hear the answer."""


class Blow(StrEnum):
    """What befalls the broker itself."""

    CRASH = "crash"
    """Killed some steps after a moment."""
    CRASH_SENT = "crash_sent"
    """Killed when a request has arrived and is not answered yet."""
    CRASH_BEFORE_COMMIT = "crash_before_commit"
    CRASH_AFTER_COMMIT = "crash_after_commit"
    """Killed when something is durable that nobody has been told of."""
    CRASH_AT_POINT = "crash_at_point"
    """Killed at a named point of the code."""
    CRASH_AGAIN = "crash_again"
    """Killed once more while it recovers."""
    FREEZE = "freeze"
    """Stopped for a while, past its lease or not; another run takes over once the lease is over."""
    RESTART = "restart"
    """Stopped in order."""
    DISK_FULL = "disk_full"
    COMMIT_UNKNOWN = "commit_unknown"
    """A commit is durable and answers with an error."""
    CLAIM_UNKNOWN = "claim_unknown"
    """A claim is durable and answers with an error."""


@dataclass(frozen=True, slots=True)
class Strike:
    blow: Blow
    at: float
    lasts: float
    """How long it is away (crash, restart), stands still (freeze), is full (disk)."""
    steps: int
    """Steps from the moment to the crash; which point, for a crash at one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything about one run, before it begins."""

    seed: int
    channels: tuple[ChannelSpec, ...]
    routes: Mapping[str, Route]
    submissions: tuple[Submission, ...]
    strikes: tuple[Strike, ...]
    disk_s: float
    """Usual time of a commit."""
    disk_spikes_s: float
    """Longest time of a slow one; 0: there are none."""
    held_at_most: int = 5000
    """Cases in memory."""
    clock_jumps: tuple[float, ...] = field(default=())
    """How far the wall clock is wrong in each life of the broker, in turn."""

    def plan(self, submission: Submission) -> RoutePlan:
        """The plan this announcement must get."""
        return self.routes[submission.route].plan(submission.urgency, {c.name: c.channel for c in self.channels})


def world(seed: int) -> World:
    """The world of this seed."""
    rng = random.Random(f"world {seed}")
    [size] = rng.choices(SIZES, [size.share for size in SIZES])
    specs = list(_channels(rng, size))
    routes = {name: _route(rng, name, specs) for name in ("default", "second")[: rng.choice((1, 1, 2))]}
    submissions = list(_submissions(rng, list(routes), size))
    spells = _spells(rng, specs, submissions)
    specs = [_troubled(spec, some) for spec, some in zip(specs, spells, strict=True)]
    return World(
        seed=seed,
        channels=tuple(specs),
        routes=routes,
        submissions=tuple(submissions),
        strikes=tuple(sorted(_strikes(rng, submissions), key=lambda strike: strike.at)),
        disk_s=rng.choice((0.002, 0.005, 0.02, 0.15)),
        disk_spikes_s=rng.choice((0, 0, 0, 0, 1.0, 6.0)),
        held_at_most=rng.choice((2, *[5000] * 6)),
        clock_jumps=tuple(rng.choice((0, 0, 0, 0, 0, 300, -300, 3600, -3600)) for _ in range(8)),
    )


@dataclass(frozen=True, slots=True)
class Size:
    """How large a world is."""

    share: float
    """Of all worlds."""
    channels: tuple[int, int]
    announcements: tuple[int, int]
    more: float
    """How many announcements come on top of the fewest, on average, as far as there may be so many."""


SIZES = (
    Size(0.75, channels=(3, 4), announcements=(2, 4), more=0.6),
    Size(0.22, channels=(3, 7), announcements=(3, 9), more=2.0),
    Size(0.03, channels=(5, 7), announcements=(8, 14), more=3.0),
)


# channels


def _channels(rng: random.Random, size: Size) -> Iterator[ChannelSpec]:
    operators = rng.sample(list(OPERATORS), k=rng.randint(2, 5))
    kinds = [k for k in Kind if k is not Kind.SITE]
    for index in range(rng.randint(*size.channels)):
        operator = rng.choice(operators)
        yield _channel(rng, f"{operator}{index}", rng.choice(kinds), operator)
    if rng.random() < 0.4:
        yield _channel(rng, "site", Kind.SITE, "own")


def _channel(rng: random.Random, name: str, kind: Kind, operator: str) -> ChannelSpec:
    own, country = kind is Kind.SITE, OPERATORS.get(operator, COUNTRY)
    nature = _nature(rng, kind)
    profile = Profile(
        adapter=name,
        operator=operator,
        country=country,
        steps=tuple(Step(f"step{i}", c) for i, c in enumerate(STEPS[kind])),
        hosts=(f"api.{operator}.example",) if rng.random() < 0.5 else (f"{name}.example",),
        login=f"{operator}-login" if rng.random() < 0.4 else None,
        path=Path.OWN if own else Path.DOMESTIC if country == COUNTRY else Path.INTERNATIONAL,
        readers=Readers.ABROAD if not own and rng.random() < 0.12 else Readers.HOME,
        own=own,
        abilities=_abilities(rng, kind),
        usual=timedelta(seconds=(nature.moderation_s or 2) + rng.choice((1, 2, 5))),
        settle_for=timedelta(seconds=rng.choice((90, 90, 90, 90, 300))),
        look_back=timedelta(seconds=30),
        pending_for=timedelta(minutes=5),
        key_lifetime=timedelta(seconds=nature.keeps_keys_s),
        probe_every=timedelta(seconds=rng.choice((30, 60, 60, 120, 300))),
        max_in_flight=rng.choice((1, 2, 8)),
        rate_per_s=rng.choice((0.5, 1, 2, 5)),
    )
    return ChannelSpec(name=name, kind=kind, profile=profile, nature=nature)


def _nature(rng: random.Random, kind: Kind) -> Nature:
    return Nature(
        latency_s=rng.choice((0.05, 0.1, 0.1, 0.4)),
        lag_s=rng.uniform(1, 8),
        keeps_keys_s={Kind.KEYED: rng.choice((300, 1200, 86400)), Kind.SITE: 30 * 86400}.get(kind, 0),
        container_s=rng.choice((0, 0, 4)) if kind in (Kind.HANDLE, Kind.PREPARED_LIST) else 0,
        moderation_s=rng.choice((3, 10, 40)) if kind is Kind.MODERATED else None,
        runs_later_s=rng.choice((20, 40, 40, 40, VERY_LATE_S)),
        names_handles=rng.random() < 0.7,
    )


def _abilities(rng: random.Random, kind: Kind) -> frozenset[Verb]:
    can = {Verb.PROBE}
    if kind not in (Kind.NOTHING, Kind.KEYED) or (kind is Kind.KEYED and rng.random() < 0.5):
        can.add(Verb.FIND)
    if kind is Kind.MODERATED:
        can.add(Verb.CONFIRM)
    if rng.random() < 0.7:
        can.add(Verb.DELETE)
    return frozenset(can)


def _route(rng: random.Random, name: str, specs: list[ChannelSpec]) -> Route:
    names = [spec.name for spec in specs]
    rng.shuffle(names)
    post_to = tuple(names[: rng.randint(1, max(1, len(names) - 1))])
    rest = [n for n in names if n not in post_to]
    reserve = tuple(n for n in rest if rng.random() < 0.3)
    others = [n for n in names if n not in reserve]
    stand_ins = {served: _stand_ins(rng, served, others) for served in post_to if rng.random() < 0.7}
    return Route(
        name=name,
        post_to=post_to,
        stand_ins={served: some for served, some in stand_ins.items() if some},
        reserve=reserve,
        within=timedelta(seconds=rng.choice((30, 60, 60, 120))),
        start_by=timedelta(minutes=rng.choice((3, 5, 8))),
        late_copies=rng.choice((None, *(timedelta(minutes=m) for m in (5, 10, 10, 20)))),
        on_unconfirmed=rng.choice((OnUnconfirmed.STAND_IN, *OnUnconfirmed)),
    )


def _stand_ins(rng: random.Random, served: str, others: list[str]) -> tuple[str, ...]:
    able = [n for n in others if n != served]
    return tuple(rng.sample(able, k=rng.randint(0, min(3, len(able)))))


# announcements


def _submissions(rng: random.Random, routes: list[str], size: Size) -> Iterator[Submission]:
    fewest, most = size.announcements
    count = min(most, fewest + int(rng.expovariate(1 / size.more)))
    news_for = rng.choice((10.0, 60.0, NEWS_FOR))
    moments = sorted(FIRST_AT + rng.uniform(0, news_for) for _ in range(count))
    for number, at in enumerate(moments):
        send_after = rng.uniform(10, 120) if rng.random() < 0.08 else None
        expires_after = rng.uniform(20, 600) if rng.random() < 0.12 else None
        yield Submission(
            number=number,
            at=at,
            route=rng.choice(routes),
            urgency=rng.choice((Urgency.ROUTINE, Urgency.URGENT)),
            key=f"key-{number}" if rng.random() < 0.7 else None,
            send_after=send_after,
            expires_after=expires_after + (send_after or 0) if expires_after else None,
            replaces=rng.randrange(number) if number and rng.random() < 0.12 else None,
            hangs_up_after=rng.uniform(0, 0.05) if rng.random() < 0.05 else None,
            withdrawn_after=rng.choice((rng.uniform(0, 2), rng.uniform(0, 120))) if rng.random() < 0.2 else None,
        )


# what goes wrong outside


def _troubled(spec: ChannelSpec, spells: list[Spell]) -> ChannelSpec:
    return ChannelSpec(name=spec.name, kind=spec.kind, profile=spec.profile, nature=spec.nature, spells=tuple(spells))


def _spells(rng: random.Random, specs: list[ChannelSpec], submissions: list[Submission]) -> list[list[Spell]]:
    """For each channel what it suffers from: alone, with its operator, or with all outside."""
    spells: list[list[Spell]] = [[] for _ in specs]
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 3))):
        first = rng.choice(specs)
        trouble = rng.choice(list(Trouble))
        reach = rng.random()
        if reach < 0.06:
            trouble = T.REFUSED
        some = list(_spell_times(rng, submissions))
        for index, spec in enumerate(specs):
            alike = trouble is not T.PAUSED and spec.profile.operator == first.profile.operator
            together = alike and 0.06 <= reach < 0.45
            if spec is first or together or (reach < 0.06 and not spec.profile.own):
                spells[index] += [Spell(trouble, since, until) for since, until in some]
                spells[index] += _blind(rng, trouble, some)
    return spells


def _blind(rng: random.Random, trouble: Trouble, some: list[tuple[float, float]]) -> Iterator[Spell]:
    """Where answers are lost, the questions that follow often go wrong too."""
    if trouble in (T.ANSWER_LOST, T.FAILS_AFTER, T.RUNS_LATER) and rng.random() < 0.5:
        until = some[0][1]
        yield Spell(rng.choice((T.EMPTY_LISTS, T.LAGS, T.HTML_500)), until, until + rng.choice((30, 120, 600)))


def _spell_times(rng: random.Random, submissions: list[Submission]) -> Iterator[tuple[float, float]]:
    since = rng.uniform(0, FIRST_AT + 200)
    if rng.random() < 0.5:
        since = max(0.0, rng.choice(submissions).at - rng.choice((0.0, rng.uniform(0, 60))))
    if rng.random() < 0.12:
        for flap in range(rng.randint(3, 12)):
            yield since + 10 * flap, since + 10 * flap + 5
        return
    yield since, since + rng.choice((rng.uniform(2, 20), rng.uniform(30, 180), rng.uniform(180, 720)))


# what goes wrong inside

SHARES: Mapping[Blow, float] = {
    Blow.FREEZE: 0.1,
    Blow.RESTART: 0.1,
    Blow.DISK_FULL: 0.05,
    Blow.COMMIT_UNKNOWN: 0.04,
    Blow.CLAIM_UNKNOWN: 0.1,
}


def _strikes(rng: random.Random, submissions: list[Submission]) -> Iterator[Strike]:
    crashes = [b for b in Blow if b.value.startswith("crash") and b is not Blow.CRASH_AGAIN]
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        at = _moment(rng, submissions)
        yield _strike(rng, rng.choice(crashes), at)
        if rng.random() < 0.25:
            yield _strike(rng, Blow.CRASH_AGAIN, at)
    for blow, share in SHARES.items():
        if rng.random() < share:
            yield _strike(rng, blow, _moment(rng, submissions))


def _moment(rng: random.Random, submissions: list[Submission]) -> float:
    """Some time, or just when something is under way."""
    if rng.random() < 0.5:
        return rng.choice(submissions).at + rng.uniform(0, 1)
    return FIRST_AT + rng.uniform(0, 150)


def _strike(rng: random.Random, blow: Blow, at: float) -> Strike:
    lasts = rng.uniform(2, 20)
    if blow is Blow.FREEZE:
        lasts = rng.choice((rng.uniform(5, 28), rng.uniform(35, 120)))
    steps = rng.randint(1, 400) if blow is Blow.CRASH_AGAIN else rng.randint(1, 60)
    return Strike(blow, at, lasts, steps)
