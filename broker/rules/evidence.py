"""What one answer says about the channel it came from: the left column of table III (docs/failover.md, "Health").

What that makes of the channel is said in breaker.py, what it says about operator, login, host and path in health.py.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from broker.model import Verb
from broker.outcome import (
    MEDIA_GONE,
    MEDIA_UNFIT,
    Absent,
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
