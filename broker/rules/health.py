"""What is down now, since when and why: a channel, a domain it shares with others, our own network or our media host.
Implements the right column of table III (docs/failover.md, "Health").

Only channels have stored health (breaker.py); that of a shared domain (operator, login, host, path) is derived from its
members each time, so it can neither go stale nor be forgotten by a restart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from broker.outcome import Cause
from broker.rules.breaker import (
    EVIDENCE_FOR,
    OPENS_AFTER,
    TRIAL_LASTS,
    Breaker,
    ChannelHealth,
    is_open,
    may_try,
    refuses_everything,
)
from broker.rules.domains import MEDIA_HOST, Member, Scope, needs_media_host
from broker.values import replace

SILENT_OPERATORS = 3
"""So many outside operators silent at once, and none answering, mean that our own network is down."""


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


def shared_outage(down: Down | None) -> bool:
    """Whether more than the channel itself is down: then logged-out answers are part of the outage."""
    ours = (Scope.CHANNEL, Scope.MEDIA)
    return down is not None and down.scope not in ours and down.cause is Cause.OUTAGE


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
        failing_themselves = {m.key: m for m in failing if m.profile.own or not _is_silent(m.health)}
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
    bad = (m for m in group if _is_failing(m.health, now) and not _answers(m.health, now))
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


def _answers(health: ChannelHealth, now: datetime) -> bool:
    """Its probe has recovered, or nobody made the trial whose time came: it may wait for a post to prove it, for ever
    if none is left, but blames nobody."""
    overdue = may_try(health, now) and health.trial_at is not None and now >= health.trial_at + TRIAL_LASTS
    return health.breaker is Breaker.HALF_OPEN or overdue


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
