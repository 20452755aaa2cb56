"""A newsroom's channels, and what is known of them after some answers."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from broker.contract import Path
from broker.model import Verb
from broker.outcome import Absent, Denied, Fault, Finding, Live, Rejected, Throttled, Unavailable, Uncertain
from broker.rules.breaker import ChannelHealth, observe
from broker.rules.domains import Member
from broker.rules.evidence import evidence
from broker.values import replace
from tests.unit.builders import T0, at, profile, s

UP = Live("p1")
REFUSED = Unavailable(Fault.CONNECT, "connection refused")
ERROR_500 = Unavailable(Fault.SERVER, "500")
HANG = Uncertain(Fault.HANG, "no answer in time")
EXPIRED = Denied("expired")
META = profile(operator="meta", hosts=("graph.facebook.com",))
NEW = ChannelHealth()


def after(health: ChannelHealth, *seen: tuple[float, Verb, Finding], announcement: str = "a1") -> ChannelHealth:
    """Health after answers at these seconds."""
    for seconds, verb, outcome in seen:
        said = evidence(verb, outcome, announcement)
        if said is not None:
            health = observe(health, said, META, at(seconds))
    return health


def posted(*seen: tuple[float, Finding]) -> ChannelHealth:
    return after(NEW, *((seconds, Verb.PUBLISH, outcome) for seconds, outcome in seen))


def probed(health: ChannelHealth, *seen: tuple[float, Finding]) -> ChannelHealth:
    return after(health, *((seconds, Verb.PROBE, outcome) for seconds, outcome in seen))


FACEBOOK = Member("tvd/facebook", "tvd", profile(operator="meta", hosts=("graph.facebook.com",), login="page"), NEW)
INSTAGRAM = Member("tvd/instagram", "tvd", profile(operator="meta", hosts=("graph.instagram.com",)), NEW)
THREADS = Member("tvd/threads", "tvd", profile(operator="meta", hosts=("graph.threads.net",)), NEW)
X = Member("tvd/x", "tvd", profile(operator="x"), NEW)
YOUTUBE = Member("tvd/youtube", "tvd", profile(operator="google"), NEW)
ZALO = Member("tvd/zalo", "tvd", profile(operator="vng", country="VN", path=Path.DOMESTIC), NEW)
SITE = Member("tvd/site", "tvd", profile(operator="us", country="VN", own=True, path=Path.OWN), NEW)
EVERYONE = (FACEBOOK, INSTAGRAM, THREADS, X, YOUTUBE, ZALO, SITE)


def seen(members: Iterable[Member], *answers: tuple[float, str, Finding], verb: Verb = Verb.PROBE) -> dict[str, Member]:
    """Everyone's health after these answers: (second, channel's name, outcome)."""
    known = {m.key: m for m in members}
    for seconds, name, outcome in answers:
        member = known[f"tvd/{name}" if "/" not in name else name]
        said = evidence(verb, outcome, "a1")
        assert said is not None
        known[member.key] = replace(member, health=observe(member.health, said, member.profile, at(seconds)))
    return known


EVIDENCES = st.sampled_from(
    [
        (verb, outcome)
        for verb in (Verb.PUBLISH, Verb.PROBE, Verb.FIND)
        for outcome in (UP, REFUSED, ERROR_500, HANG, EXPIRED, Throttled(s(20)), Rejected("1"), Rejected("2"), Absent())
    ]
)
HISTORIES = st.lists(st.tuples(st.floats(0, 400), EVIDENCES, st.sampled_from(["a1", "a2", "a3", "a4"])), max_size=25)


def history(steps: Any) -> tuple[ChannelHealth, datetime]:
    health, now = NEW, T0
    for wait, (verb, outcome), announcement in steps:
        now += s(wait)
        said = evidence(verb, outcome, announcement)
        assert said is not None
        health = observe(health, said, META, now)
    return health, now
