"""What a platform did with what we asked: closed sets of frozen values that adapters return.

An adapter returns one of these and raises only for a bug; an exception that escapes counts as `Uncertain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(hours=24)


class Seen(StrEnum):
    """Who has read the copy back."""

    PUBLIC = "public"
    """Read without our credentials."""
    ACCOUNT = "account"
    """Read by our own account."""


class Cause(StrEnum):
    """Why something is not live, in the words of the API."""

    OUTAGE = "outage"
    ACCOUNT = "account"
    CONTENT = "content"
    LIMIT = "limit"
    OWN_NETWORK = "own_network"
    UNCLEAR = "unclear"


class Fault(StrEnum):
    """What kind of failure was seen; decides which failure domain it speaks about (table III)."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    NO_BYTE = "no_byte"
    """The connection was made or reused and closed without one byte of answer."""
    SERVER = "server"
    """5xx, HTML, an answer nobody can read: something answered, so host and path are up."""
    HANG = "hang"
    """The request left and no answer came in time: speaks about the operator, and says nothing about the path."""
    MEDIA = "media"
    """The platform could not fetch media from our own host."""
    WAY = "way"
    """What leads to the person who posts failed, not the platform they post on."""
    DUPLICATE = "duplicate"
    """The platform says that it has this post already: a sound answer that may hide a success."""
    CRASH = "crash"
    """Our own process ended while the attempt was in flight."""

    @property
    def is_transport(self) -> bool:
        """Nothing answered: speaks about host and network path, not about the operator's software."""
        return self in _TRANSPORT


_TRANSPORT = frozenset({Fault.DNS, Fault.CONNECT, Fault.TLS, Fault.NO_BYTE})


@dataclass(frozen=True, slots=True)
class Live:
    """Public now."""

    platform_id: str
    url: str | None = None
    seen: Seen | None = None
    extra: tuple[str, ...] = ()
    """Platform ids of younger copies of the same announcement that a list showed beside this one."""
    without: str = ""
    """What was to be shown beside the text and is not, and why; "" when nothing is missing."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Taken; becomes public later by the platform's own work. Ask again after `check_after`."""

    handle: str
    check_after: timedelta
    why: str = ""
    """What people have to do before readers see it, in words or as a key of the catalogue; "" when nothing."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Nothing is public; our own next step is needed after `resume_after`."""

    handle: str
    resume_after: timedelta


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Down, and nothing can become public of what we sent."""

    fault: Fault
    detail: str = ""
    """Short, for people, without secrets: `connection refused`."""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Throttled:
    """Come later; costs no attempt."""

    retry_after: timedelta


@dataclass(frozen=True, slots=True)
class Denied:
    """Our account may not: expired, revoked, suspended, no rights, no money, or visible to nobody."""

    detail: str
    """What to do about it, for the desk, without secrets."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The platform judged this content, or our request was malformed."""

    code: str
    """The platform's own code; one code on three announcements in a row means that it refuses everything."""
    detail: str = ""


MEDIA_GONE, MEDIA_UNFIT = "media_gone", "media_unfit"
"""Codes of `Rejected` that are ours and no platform's: a picture or video is missing, or cannot be made to fit."""


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may have got through."""

    fault: Fault
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """Proved by the platform's own handle or id: nothing of ours is public. As an answer to publish: start over."""

    removed: bool = False
    """The platform had it, and took it away: it is never sent again by ourselves."""


@dataclass(frozen=True, slots=True)
class NotSeen:
    """Not in a list of our posts that reaches back to `back_to`. Only `find` and `confirm`."""

    back_to: datetime
    neighbour: bool | None = None
    """Whether the list shows our neighbouring live post; None when there is no such post."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Our copy is there, and readers cannot see it. Only `find` and `confirm`; as an answer to publish: `Denied`."""

    detail: str
    """What to do about it, for the desk."""


Outcome = Live | Pending | Unfinished | Unavailable | Throttled | Denied | Rejected | Uncertain
Finding = Outcome | Absent | NotSeen | Hidden


def bounded(wait: timedelta | float | None) -> timedelta:
    """A platform's `retry after` as a usable wait: seconds or timedelta, 1 s to 24 h; nonsense gives the nearer end."""
    if wait is None:
        return SHORTEST_WAIT
    try:
        seconds = wait if isinstance(wait, timedelta) else timedelta(seconds=wait)
    except (OverflowError, ValueError):
        return LONGEST_WAIT
    return min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)
