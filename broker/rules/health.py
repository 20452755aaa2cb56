"""Which channels and failure domains work. Implements table III (docs/failover.md, "Health").

Only channels have stored health; the state of a shared domain (operator, login, host, path) is derived from its members
each time, so it can neither go stale nor be forgotten by a restart. `observe` takes one piece of evidence in; `view`
says what is down, since when and why.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from broker.contract import Path, Profile
from broker.model import Verb
from broker.outcome import (
    MEDIA_GONE,
    MEDIA_UNFIT,
    Absent,
    Cause,
    Denied,
    Fault,
    Finding,
    Hidden,
    Live,
    NotSeen,
    Pending,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
    bounded,
)
from broker.values import replace

SAME_MOMENT = timedelta(seconds=1)
EVIDENCE_FOR = timedelta(seconds=60)
"""How long one failure counts, and how close together two members must begin to fail."""
OPENS_AFTER = 2
REFUSES_EVERYTHING = 3
"""One code on this many announcements in a row means that the channel refuses everything."""
DENIED_PROBE = timedelta(minutes=15)
TRIAL_AFTER = (1, 5, 15, 60)
"""Times `probe_every` (at most a minute) until a channel opened by posts is tried with a post again."""
FIRST_PROBE = timedelta(seconds=5)
LAST_PROBE = timedelta(seconds=60)
SILENT_OPERATORS = 3
"""So many outside operators silent at once, and none answering, mean that our own network is down."""


MEDIA_HOST = "media_host"


class Breaker(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Scope(StrEnum):
    """What fails together."""

    CHANNEL = "channel"
    OPERATOR = "operator"
    LOGIN = "login"
    HOST = "host"
    PATH = "path"
    MEDIA = "media"
    """The agency's own media host, for channels that show nothing without what they fetch from it."""


class Verdict(StrEnum):
    UP = "up"
    OUTAGE = "outage"
    DENIED = "denied"
    THROTTLED = "throttled"
    REFUSED = "refused"
    MEDIA = "media"
    """Our media host failed it, not the platform."""


class Evidence(Struct, frozen=True):
    """What one answer says about the channel it came from."""

    verdict: Verdict
    by_post: bool
    fault: Fault | None = None
    detail: str = ""
    code: str | None = None
    announcement_id: str | None = None
    wait: timedelta | None = None


class ChannelHealth(Struct, frozen=True, kw_only=True):
    """What is known of one channel; stored, so that a restart in the middle of an outage burns nothing."""

    breaker: Breaker = Breaker.CLOSED
    failures: int = 0
    """Failures in a row, each within a minute of the one before."""
    post_failures: int = 0
    """Failed posts in a row, however far apart: posts outrank probes."""
    probe_failing: bool = False
    failing_since: datetime | None = None
    failed_at: datetime | None = None
    fault: Fault | None = None
    detail: str = ""
    denied: bool = False
    refused_code: str | None = None
    refused: tuple[str, ...] = ()
    """Announcements refused with `refused_code`, newest last."""
    answered_at: datetime | None = None
    """Any well-formed answer: host and path were up."""
    up_at: datetime | None = None
    opened_at: datetime | None = None
    trials: int = 0
    trial_at: datetime | None = None
    """When a channel opened by posts may be tried with one post again."""
    probed_at: datetime | None = None
    probes: int = 0
    """Probes since the breaker opened."""
    slow_until: datetime | None = None
    media_failures: int = 0
    """In a row, each within a minute of the one before."""
    media_since: datetime | None = None
    media_failed_at: datetime | None = None
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One channel as health sees it."""

    key: str
    agency: str
    profile: Profile
    health: ChannelHealth
    domains: tuple[tuple[Scope, str], ...] = field(init=False, repr=False)
    """What it shares with others; kept because every view asks for it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "domains", tuple(domains(self.profile)))


class Down(Struct, frozen=True):
    """Why a channel is not to be relied on: itself or a domain it shares."""

    scope: Scope
    what: str
    since: datetime
    cause: Cause
    channels: tuple[str, ...]
    """Keys of the members that showed it, as far as they are of the same agency."""
    detail: str = ""
    half_open: bool = False
    """One permit may run, beside a stand-in."""


class View(Struct, frozen=True):
    """What is down now, by channel key."""

    down: Mapping[str, Down] = {}
    own_network_since: datetime | None = None
    """Our own network is suspected: breakers, alerts and class C sends pause, the walk does not."""


_OURS = frozenset({Fault.CRASH, Fault.MEDIA, Fault.WAY})
"""What failed on our side of the platform."""


def evidence(verb: Verb, outcome: Finding, announcement_id: str | None = None) -> Evidence | None:
    """What an answer says about the channel; None when it says nothing: it failed on our side."""
    by_post = verb is Verb.PUBLISH
    match outcome:
        case Absent() | NotSeen():
            return Evidence(Verdict.UP, by_post=False)
        case Live() | Pending() | Unfinished() | Uncertain(Fault.DUPLICATE):
            return Evidence(Verdict.UP, by_post)
        case Throttled(wait):
            return Evidence(Verdict.THROTTLED, by_post, wait=bounded(wait))
        case Denied(detail):
            return Evidence(Verdict.DENIED, by_post, detail=detail)
        case Hidden(detail):  # what became of a post, so no probe contradicts it
            return Evidence(Verdict.DENIED, by_post=True, detail=detail)
        case Rejected(code, detail) if code not in (MEDIA_GONE, MEDIA_UNFIT):
            return Evidence(Verdict.REFUSED, by_post, detail=detail, code=code, announcement_id=announcement_id)
        case Unavailable(Fault.MEDIA, detail) | Uncertain(Fault.MEDIA, detail):
            return Evidence(Verdict.MEDIA, by_post, fault=Fault.MEDIA, detail=detail)
        case Unavailable(fault, detail) | Uncertain(fault, detail) if fault not in _OURS:
            return Evidence(Verdict.OUTAGE, by_post, fault=fault, detail=detail)
        case _:
            return None


def observe(health: ChannelHealth, seen: Evidence, profile: Profile, now: datetime) -> ChannelHealth:
    """The channel's health after one piece of evidence. Pure."""
    noted: dict[str, object] = {}
    if seen.fault is None or seen.fault is Fault.SERVER:
        noted["answered_at"] = now
    if not seen.by_post:
        noted |= {"probed_at": now, "probes": health.probes + 1}
    health = replace(health, **noted)
    match seen.verdict:
        case Verdict.UP if seen.by_post:
            return _close(health, profile, now)
        case Verdict.UP:
            return _probe_passed(health, profile, now)
        case Verdict.OUTAGE:
            return _failed(health, seen, profile, now)
        case Verdict.DENIED:
            return _failed(replace(health, denied=True), seen, profile, now)
        case Verdict.THROTTLED:
            return replace(health, slow_until=now + (seen.wait or timedelta(0)))
        case Verdict.MEDIA:
            return _media_failed(health, seen, now)
        case Verdict.REFUSED if seen.by_post:
            return _refused(health, seen, profile, now)
        case _:
            return health


def is_known(health: ChannelHealth, seen: Evidence, now: datetime) -> bool:
    """One more success, within a second of the last, of a channel that has no trouble: it says nothing new."""
    well = seen.verdict is Verdict.UP and seen.by_post and seen.fault is None
    if not well or health.up_at is None or health.up_at != health.answered_at or now - health.up_at >= SAME_MOMENT:
        return False
    return not (
        health.failed_at
        or health.failing_since
        or health.post_failures
        or health.refused
        or health.slow_until
        or health.media_failed_at
        or is_open(health)
    )


def _close(health: ChannelHealth, profile: Profile, now: datetime) -> ChannelHealth:
    if _comes_and_goes(health, _unit(profile), now):
        return replace(
            health, up_at=now, failures=0, post_failures=0, probe_failing=False, denied=False, refused=(), trials=0,
            breaker=Breaker.HALF_OPEN,
        )  # fmt: skip
    was_open = health.breaker is not Breaker.CLOSED
    return ChannelHealth(
        answered_at=now, up_at=now, probed_at=health.probed_at, recovered_at=now if was_open else health.recovered_at
    )


def _comes_and_goes(health: ChannelHealth, unit: timedelta, now: datetime) -> bool:
    """It opened right after a recovery, and not long ago: it stays open for a while, and only lets one post try."""
    opened, recovered = health.opened_at, health.recovered_at
    return bool(opened and recovered and opened - recovered < unit and now - opened < unit)


def _unit(profile: Profile) -> timedelta:
    """A minute, or less for channels that are probed more often (demos, tests)."""
    return min(profile.probe_every, LAST_PROBE)


def _probe_passed(health: ChannelHealth, profile: Profile, now: datetime) -> ChannelHealth:
    """A passing probe undoes no failed post: it closes what probes opened, else it only lets one post try."""
    up = replace(health, up_at=now, failures=0, probe_failing=False)
    if health.breaker is Breaker.CLOSED:
        return replace(up, failing_since=None) if not health.post_failures else up
    if not _opened_by_posts(health):
        return replace(_close(up, profile, now), post_failures=health.post_failures)
    return replace(up, breaker=Breaker.HALF_OPEN) if health.probe_failing else up


def _opened_by_posts(health: ChannelHealth) -> bool:
    return refuses_everything(health) or health.post_failures >= (1 if health.denied else OPENS_AFTER)


def _failed(health: ChannelHealth, seen: Evidence, profile: Profile, now: datetime) -> ChannelHealth:
    fresh = health.failed_at is not None and now - health.failed_at <= EVIDENCE_FOR
    failing = replace(
        health,
        failures=health.failures + 1 if fresh else 1,
        post_failures=health.post_failures + seen.by_post,
        probe_failing=health.probe_failing or not seen.by_post,
        failing_since=health.failing_since if health.failing_since and (fresh or is_open(health)) else now,
        failed_at=now,
        fault=seen.fault,
        detail=seen.detail,
        denied=health.denied and seen.verdict is Verdict.DENIED,
    )
    enough = failing.denied or max(failing.failures, failing.post_failures) >= OPENS_AFTER
    return _opened(failing, seen, profile, now) if enough or is_open(health) else failing


def _opened(health: ChannelHealth, seen: Evidence, profile: Profile, now: datetime) -> ChannelHealth:
    """Opens, or stays open; a failed trial waits longer for the next. Posts in flight at the opening are no trials."""
    newly = not is_open(health)
    tried = seen.by_post and may_try(health, now)
    trials = health.trials + tried
    trial_at = (
        now + _unit(profile) * TRIAL_AFTER[min(trials, len(TRIAL_AFTER) - 1)] if newly or tried else health.trial_at
    )
    return replace(
        health,
        breaker=Breaker.OPEN,
        opened_at=now if newly else health.opened_at,
        probes=0 if newly else health.probes,
        trials=trials,
        trial_at=trial_at,
    )


def _refused(health: ChannelHealth, seen: Evidence, profile: Profile, now: datetime) -> ChannelHealth:
    before = health.refused if health.refused_code == seen.code else ()
    refused = (*(i for i in before if i != seen.announcement_id), seen.announcement_id or "")[-REFUSES_EVERYTHING:]
    refusing = replace(health, refused=refused, refused_code=seen.code, detail=seen.detail)
    if len(refused) < REFUSES_EVERYTHING:
        return refusing
    since = refusing.failing_since if is_open(health) else now
    return _opened(replace(refusing, failing_since=since, failed_at=now, fault=None), seen, profile, now)


def _media_failed(health: ChannelHealth, seen: Evidence, now: datetime) -> ChannelHealth:
    fresh = health.media_failed_at is not None and now - health.media_failed_at < EVIDENCE_FOR
    return replace(
        health,
        media_failures=health.media_failures + 1 if fresh else 1,
        media_since=health.media_since if fresh else now,
        media_failed_at=now,
        detail=seen.detail,
    )


def is_open(health: ChannelHealth) -> bool:
    """Not to be relied on by itself; half-open included."""
    return health.breaker is not Breaker.CLOSED


def is_well(health: ChannelHealth) -> bool:
    """Nothing is held against it, and time alone changes nothing of that."""
    return not (is_open(health) or health.failed_at or health.failures or health.media_failed_at)


def refuses_everything(health: ChannelHealth) -> bool:
    return len(health.refused) >= REFUSES_EVERYTHING


def shared_outage(down: Down | None) -> bool:
    """Whether more than the channel itself is down: then logged-out answers are part of the outage."""
    ours = (Scope.CHANNEL, Scope.MEDIA)
    return down is not None and down.scope not in ours and down.cause is Cause.OUTAGE


def may_try(health: ChannelHealth, now: datetime) -> bool:
    """Whether one post may try an open channel: its probe recovered, or the time of a trial has come."""
    if health.breaker is Breaker.HALF_OPEN:
        return True
    return is_open(health) and not health.probe_failing and health.trial_at is not None and now >= health.trial_at


def probe_at(health: ChannelHealth, profile: Profile, now: datetime, *, shared_outage: bool = False) -> datetime:
    """When the channel is to be probed next: at once after a first failure, 5 s doubling to 60 s while open.

    A refused login is asked about every quarter of an hour, but in a shared outage, and while one ends, like any.
    A platform that asked us to wait is waited for, up to a quarter of an hour.
    """
    if health.probed_at is None:
        return now
    at = _next_probe(health, health.probed_at, profile, now, shared_outage)
    return max(at, min(health.slow_until, at + DENIED_PROBE)) if health.slow_until else at


def _next_probe(
    health: ChannelHealth, probed_at: datetime, profile: Profile, now: datetime, shared_outage: bool
) -> datetime:
    if is_open(health):
        if health.denied and not shared_outage:
            return probed_at + max(DENIED_PROBE, profile.probe_every) * _scale(profile)
        wait: timedelta = FIRST_PROBE * 2 ** min(health.probes, 6)
        return probed_at + min(wait, LAST_PROBE, profile.probe_every)
    once_more_at = (health.failed_at or now) + min(profile.quick_retry, profile.probe_every)
    if health.failures and probed_at < once_more_at and now - EVIDENCE_FOR <= once_more_at:
        return once_more_at
    return probed_at + profile.probe_every


def changes_at(health: ChannelHealth, now: datetime) -> datetime | None:
    """When time alone next changes what this channel's health says: a trial's time comes, a failure grows old."""
    grows_old = health.failed_at + EVIDENCE_FOR if health.failed_at and not is_open(health) else None
    trial_at = health.trial_at if is_open(health) else None
    media_at = health.media_failed_at + EVIDENCE_FOR if health.media_failed_at else None
    return min((at for at in (grows_old, trial_at, media_at) if at is not None and at > now), default=None)


def _scale(profile: Profile) -> float:
    """Channels probed more often than once a minute (demos, tests) shorten the long probe as well."""
    return min(1.0, profile.probe_every / LAST_PROBE)


def in_our_time(health: ChannelHealth, now: datetime) -> ChannelHealth:
    """Health as an earlier run stored it. If the clock was set back since then, all its times move back alike: else
    nothing would be probed or tried before the clock has caught up."""
    ahead = max((at for name in _PAST if (at := getattr(health, name))), default=now) - now
    if ahead <= timedelta(0):
        return health
    return replace(health, **{name: at - ahead for name in (*_PAST, *_LATER) if (at := getattr(health, name))})


_PAST = (
    "failing_since",
    "failed_at",
    "answered_at",
    "up_at",
    "opened_at",
    "probed_at",
    "recovered_at",
    "media_since",
    "media_failed_at",
)
_LATER = ("trial_at", "slow_until")


# domains


def domains(profile: Profile) -> Iterable[tuple[Scope, str]]:
    """What this channel shares with others, most specific first."""
    if profile.login:
        yield Scope.LOGIN, profile.login
    for host in profile.hosts:
        yield Scope.HOST, host
    yield Scope.OPERATOR, profile.operator
    if profile.path is not Path.OWN:
        yield Scope.PATH, profile.path.value


def siblings(key: str, members: Mapping[str, Member]) -> set[str]:
    """Who is asked for evidence when `key` failed: one member of each shared domain, for a path of another operator."""
    me = members[key]
    asked: set[str] = set()
    for scope, name in me.domains:
        for other in members.values():
            shares = other.key != key and (scope, name) in other.domains
            alike = other.profile.operator == me.profile.operator
            if shares and not (scope in (Scope.PATH, Scope.HOST) and alike):
                asked.add(other.key)
                break
    return asked


def comrades(key: str, members: Mapping[str, Member]) -> Iterable[Member]:
    """The other channels of its operator or its login: they fail together, and return together."""
    mine = {domain for domain in members[key].domains if domain[0] in (Scope.OPERATOR, Scope.LOGIN)}
    return (m for m in members.values() if m.key != key and not mine.isdisjoint(m.domains))


def is_returning(key: str, members: Mapping[str, Member], now: datetime) -> bool:
    """Whether a comrade recovered lately: a login refused meanwhile may still be part of the outage that ends."""
    lately = DENIED_PROBE * _scale(members[key].profile)
    recovered = (m.health.recovered_at for m in comrades(key, members))
    return any(now - at < lately for at in recovered if at is not None)


def view(members: Mapping[str, Member], now: datetime, witnesses_silent: bool | None = None) -> View:
    """What is down now. Two members that newly fail in a way that speaks about a domain take all its members down.

    `witnesses_silent`: what servers outside say of our own network; None when nobody was asked.
    """
    media = dict(_media_down(members.values(), now))
    failing = [m for m in members.values() if _is_failing(m.health, now)]
    if not failing:
        return View(media)
    own_since = _own_network(members.values(), failing, witnesses_silent)
    if own_since is not None:
        failing_themselves = {m.key: m for m in failing if not _is_silent(m.health)}
        return View(media | _downs(failing_themselves, {}, now), own_since)
    suspects = [d for d, n in Counter(d for m in failing for d in m.domains).items() if n >= OPENS_AFTER]
    shared = {d: [m for m in members.values() if d in m.domains] for d in suspects}
    broken = {d: broke for d, group in shared.items() if (broke := _domain_down(d, group, now)) is not None}
    return View(media | _downs(members, broken, now))


def _media_down(members: Collection[Member], now: datetime) -> Iterator[tuple[str, Down]]:
    """Our media host failed two posts of an agency within a minute: what shows nothing without it waits a minute."""
    recent: dict[str, list[Member]] = defaultdict(list)
    for m in members:
        if m.health.media_failed_at is not None and now - m.health.media_failed_at < EVIDENCE_FOR:
            recent[m.agency].append(m)
    for agency, failed in recent.items():
        if sum(m.health.media_failures for m in failed) < OPENS_AFTER:
            continue
        since = min(m.health.media_since or now for m in failed)
        keys = tuple(sorted(m.key for m in failed))
        down = Down(Scope.MEDIA, MEDIA_HOST, since, Cause.OUTAGE, keys, failed[0].health.detail)
        yield from ((m.key, down) for m in members if m.agency == agency and needs_media_host(m.profile))


def needs_media_host(profile: Profile) -> bool:
    """The platform shows nothing without a picture or video, and fetches it from us."""
    return profile.media.by_url and profile.media.card is not None


_WIDEST_FIRST = (Scope.OPERATOR, Scope.PATH, Scope.LOGIN, Scope.HOST)


def _downs(members: Mapping[str, Member], broken: Mapping[tuple[Scope, str], Down], now: datetime) -> dict[str, Down]:
    return {key: found for key, m in members.items() if (found := _down(m, broken, members, now)) is not None}


def _down(
    member: Member, broken: Mapping[tuple[Scope, str], Down], members: Mapping[str, Member], now: datetime
) -> Down | None:
    """The widest domain that explains it, else the channel itself. No agency is told of another's channels."""
    trial = may_try(member.health, now)
    if around := [broken[d] for d in member.domains if d in broken]:
        found = min(around, key=lambda down: _WIDEST_FIRST.index(down.scope))
        ours = tuple(key for key in found.channels if members[key].agency == member.agency)
        detail = members[ours[0]].health.detail if ours else ""
        return replace(found, half_open=trial, channels=ours, detail=detail)
    health = member.health
    if not is_open(health):
        return None
    cause = Cause.ACCOUNT if health.denied else Cause.CONTENT if refuses_everything(health) else Cause.OUTAGE
    since = health.failing_since or health.opened_at or now
    return Down(Scope.CHANNEL, member.key, since, cause, (member.key,), health.detail, trial)


def _is_failing(health: ChannelHealth, now: datetime) -> bool:
    recent = health.failed_at is not None and now - health.failed_at < EVIDENCE_FOR
    return is_open(health) or (health.failures > 0 and recent)


def _is_silent(health: ChannelHealth) -> bool:
    return health.fault is not None and health.fault.is_transport


def _domain_down(domain: tuple[Scope, str], group: list[Member], now: datetime) -> Down | None:
    scope, name = domain
    bad = (m for m in group if _is_failing(m.health, now) and not _answers(m.health))
    failing = [m for m in bad if _speaks(scope, m.health)]
    newly = _newly_together(failing)
    if len(newly) < OPENS_AFTER:
        return None
    operators = {m.profile.operator for m in newly}
    if scope is Scope.PATH and len(operators) < OPENS_AFTER:
        return None
    since = min(m.health.failing_since or now for m in newly)
    if scope in (Scope.HOST, Scope.PATH) and _answered(group, since):
        return None
    denied = all(m.health.denied for m in newly)
    if scope is Scope.OPERATOR and denied and len({(m.agency, m.profile.login or m.key) for m in newly}) < OPENS_AFTER:
        return None
    cause = Cause.ACCOUNT if scope is Scope.LOGIN and denied else Cause.OUTAGE
    return Down(scope, name, since, cause, tuple(sorted(m.key for m in newly)))


def _answers(health: ChannelHealth) -> bool:
    """Its probe has recovered: it may wait for a post to prove it, for ever if none is left, but blames nobody."""
    return health.breaker is Breaker.HALF_OPEN


def _speaks(scope: Scope, health: ChannelHealth) -> bool:
    """Table III: which failures are evidence about which domain."""
    match scope:
        case Scope.HOST | Scope.PATH:
            return _is_silent(health)
        case Scope.LOGIN:
            return health.denied
        case _:
            return health.denied or health.fault is not None


def _newly_together(failing: list[Member]) -> list[Member]:
    """The largest group that began to fail within a minute of one another: never a blip beside an old failure."""
    dated = sorted(((m.health.failing_since, m) for m in failing if m.health.failing_since), key=lambda pair: pair[0])
    best: list[Member] = []
    for index, (start, _) in enumerate(dated):
        group = [member for since, member in dated[index:] if since - start <= EVIDENCE_FOR]
        best = max(best, group, key=len)
    return best


def _answered(group: Iterable[Member], since: datetime) -> bool:
    """Any well-formed answer since then refutes a silent host or path."""
    return any(m.health.answered_at is not None and m.health.answered_at > since for m in group)


def _own_network(members: Iterable[Member], failing: list[Member], witnesses_silent: bool | None) -> datetime | None:
    """Since when our own network seems to be the one that is down; None if anybody outside answers."""
    if witnesses_silent is False:
        return None
    outside = [m for m in members if not m.profile.own]
    silent = _newly_together([m for m in failing if not m.profile.own and _is_silent(m.health)])
    if len({m.profile.operator for m in silent}) < (1 if witnesses_silent else SILENT_OPERATORS):
        return None
    since = min(m.health.failing_since for m in silent if m.health.failing_since)
    return None if _answered(outside, since) else since
