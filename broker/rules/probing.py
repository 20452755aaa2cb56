"""When a channel is probed next (docs/failover.md, "Health"); who is asked beside it is in domains.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from broker.contract import Profile
from broker.rules.breaker import EVIDENCE_FOR, LAST_PROBE, ChannelHealth, is_open
from broker.rules.domains import Member, comrades

FIRST_PROBE = timedelta(seconds=5)
DENIED_PROBE = timedelta(minutes=15)


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


def _scale(profile: Profile) -> float:
    """Channels probed more often than once a minute (demos, tests) shorten the long probe as well."""
    return min(1.0, profile.probe_every / LAST_PROBE)


def is_returning(key: str, members: Mapping[str, Member], now: datetime) -> bool:
    """Whether a comrade recovered lately: a login refused meanwhile may still be part of the outage that ends."""
    lately = DENIED_PROBE * _scale(members[key].profile)
    recovered = (m.health.recovered_at for m in comrades(key, members))
    return any(now - at < lately for at in recovered if at is not None)
