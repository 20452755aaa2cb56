"""What is known of one channel by itself: `observe` takes one piece of evidence in and opens or closes the breaker;
`may_try` says when a post may try an open one (docs/failover.md, "Health"). Pure.

Only this is stored. What an answer is evidence of is said in evidence.py, what the members of a domain show together in
health.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from broker.contract import Profile
from broker.outcome import Fault
from broker.rules.evidence import Evidence, Verdict
from broker.values import replace

SAME_MOMENT = timedelta(seconds=1)
EVIDENCE_FOR = timedelta(seconds=60)
"""How long one failure counts, and how close together two members must begin to fail."""
OPENS_AFTER = 2
REFUSES_EVERYTHING = 3
"""One code on this many announcements in a row means that the channel refuses everything."""
TRIAL_AFTER = (1, 5, 15)
"""Times `probe_every` (at most a minute) until a post may try a channel again that posts opened; the last repeats."""
TRIAL_LASTS = timedelta(minutes=2)
"""Of a post that is there for a trial, it is over by then."""
LAST_PROBE = timedelta(seconds=60)
"""The longest wait between two probes of an open channel."""


class Breaker(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


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


def may_try(health: ChannelHealth, now: datetime) -> bool:
    """Whether one post may try an open channel: its probe recovered, or the time of a trial has come."""
    if health.breaker is Breaker.HALF_OPEN:
        return True
    return is_open(health) and not health.probe_failing and health.trial_at is not None and now >= health.trial_at


def changes_at(health: ChannelHealth, now: datetime) -> datetime | None:
    """When time alone next changes what this channel's health says: a trial's time comes, a failure grows old."""
    grows_old = health.failed_at + EVIDENCE_FOR if health.failed_at and not is_open(health) else None
    trials = [health.trial_at, health.trial_at + TRIAL_LASTS] if is_open(health) and health.trial_at else []
    media_at = health.media_failed_at + EVIDENCE_FOR if health.media_failed_at else None
    return min((at for at in (grows_old, *trials, media_at) if at is not None and at > now), default=None)


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
