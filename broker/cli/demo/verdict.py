"""The demo's verdict, counted from what the platforms took in; the broker's own word counts for nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from broker.model import Goal, Role

REFERENCE = re.compile(r"(?<![A-Z0-9])[A-Z]{2,6}-[A-Z0-9]{6}(?![A-Z0-9])")
WAYS = 2
IN_FLIGHT = timedelta(seconds=3)
"""How long before a kill an announcement may have been on its way."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One post that the public could see."""

    reference: str
    at: datetime
    is_up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One channel of the route, with what its platform took in."""

    name: str
    role: Role
    operator: str
    counts: bool
    domestic: bool
    can_be_asked: bool
    """Whether the platform can tell what became of a post; else one that was in flight at a kill stays unconfirmed."""
    stricken: bool
    copies: tuple[Copy, ...]

    def first(self, reference: str) -> datetime | None:
        """When readers could first see it, if they still can."""
        return min((c.at for c in self.copies if c.reference == reference and c.is_up), default=None)


@dataclass(frozen=True, slots=True)
class Sent:
    """One announcement that the broker accepted."""

    number: int
    reference: str
    headline: str
    at: datetime
    """When it was handed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When things happened, by the demo's own clock."""

    failed_at: datetime
    healed_at: datetime
    killed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One message to people about the operator that failed."""

    way: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the replay came to; `wrong` says in words what must not be."""

    announcements: int
    goal_met: int
    slowest_s: float | None
    lost: list[str]
    duplicates: list[str]
    tokens_burned: list[str]
    stand_ins: int
    late_copies: int
    late_copies_owed: int
    unconfirmed: list[str]
    told: dict[str, tuple[int, int]]
    """By way: how often people heard of the failure, and how often of the return."""
    wrong: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.wrong

    @property
    def was_told_once(self) -> bool:
        return len(self.told) == WAYS and set(self.told.values()) == {(1, 1)}

    @property
    def may_improve(self) -> bool:
        """Whether waiting can make it right: what was posted twice stays so."""
        return not self.ok and not self.duplicates

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def judge(
    sent: Iterable[Sent],
    channels: Iterable[Shown],
    goal: Goal,
    times: Times,
    burned: Iterable[str],
    told: Mapping[str, Iterable[Alert]],
) -> Verdict:
    """Everything the verdict says, and what of it is wrong."""
    sent, channels = list(sent), list(channels)
    took = [seconds for one in sent if (seconds := seconds_to_goal(one, channels, goal)) is not None]
    missing = list(_missing(sent, channels))
    open_ends = [what for one, channel, what in missing if _may_be_open(one, channel, times)]
    owed = [
        (one, c) for one in sent for c in channels if c.stricken and c.role is Role.POST_TO and _in_outage(one, times)
    ]
    found = Verdict(
        announcements=len(sent),
        goal_met=sum(seconds <= goal.within.total_seconds() for seconds in took),
        slowest_s=round(max(took), 2) if took else None,
        lost=[what for _, _, what in missing if what not in open_ends],
        duplicates=list(_duplicates(channels)),
        tokens_burned=list(burned),
        stand_ins=sum(_stood_in(one, channels) for one in sent),
        late_copies=sum(_made_late(one, channel, times) for one, channel in owed),
        late_copies_owed=len(owed),
        unconfirmed=open_ends,
        told={way: _heard(alerts, times) for way, alerts in told.items()},
    )
    uncovered = [one.reference for one in sent if _in_outage(one, times) and not _stood_in(one, channels)]
    return _judged(found, uncovered)


def _judged(found: Verdict, uncovered: list[str]) -> Verdict:
    missed = found.announcements - found.goal_met
    complaints = (
        (not found.announcements, "nothing was announced"),
        (missed, f"the goal was missed by {missed} of {found.announcements}"),
        (found.lost, f"lost: {', '.join(found.lost)}"),
        (found.duplicates, f"posted twice: {', '.join(found.duplicates)}"),
        (found.tokens_burned, f"tokens burned: {', '.join(found.tokens_burned)}"),
        (uncovered, f"no stand-in carried {', '.join(uncovered)}"),
        (not found.was_told_once, f"people were not told once each by two ways: {found.told}"),
        (found.late_copies < found.late_copies_owed, "late copies are missing or were made during the outage"),
    )
    found.wrong.extend(text for is_wrong, text in complaints if is_wrong)
    return found


def seconds_to_goal(one: Sent, channels: Iterable[Shown], goal: Goal) -> float | None:
    """From handing in to the copy that met the goal; None if it never was."""
    seen = sorted((at, c.operator, c.domestic) for c in channels if c.counts and (at := c.first(one.reference)))
    operators: set[str] = set()
    domestic: set[str] = set()
    for at, operator, at_home in seen:
        operators.add(operator)
        domestic |= {operator} if at_home else set()
        if len(operators) >= goal.operators and len(domestic) >= goal.domestic:
            return max(0.0, (at - one.at).total_seconds())
    return None


def _missing(sent: list[Sent], channels: list[Shown]) -> Iterator[tuple[Sent, Shown, str]]:
    """Copies that every announcement must have in the end, and has not."""
    for one in sent:
        for channel in channels:
            if channel.role is Role.POST_TO and channel.first(one.reference) is None:
                yield one, channel, f"{one.reference} on {channel.name}"


def _may_be_open(one: Sent, channel: Shown, times: Times) -> bool:
    """Killed in flight on a platform that cannot be asked: it is unconfirmed, and nobody repeats it blindly."""
    if channel.can_be_asked or times.killed_at is None:
        return False
    return one.at <= times.killed_at <= one.at + IN_FLIGHT


def _duplicates(channels: list[Shown]) -> Iterator[str]:
    for channel in channels:
        references = [c.reference for c in channel.copies]
        for reference in dict.fromkeys(references):
            if (times := references.count(reference)) > 1:
                yield f"{reference} on {channel.name} ({times})"


def _in_outage(one: Sent, times: Times) -> bool:
    return times.failed_at <= one.at < times.healed_at


def _heard(alerts: Iterable[Alert], times: Times) -> tuple[int, int]:
    since = [alert.at >= times.healed_at for alert in alerts]
    return since.count(False), since.count(True)


def _stood_in(one: Sent, channels: list[Shown]) -> bool:
    return any(c.role is not Role.POST_TO and c.first(one.reference) for c in channels)


def _made_late(one: Sent, channel: Shown, times: Times) -> bool:
    at = channel.first(one.reference)
    return at is not None and at >= times.healed_at


# reading the platforms' logs


def copies_in(log: Mapping[str, Any], author: str | None) -> tuple[Copy, ...]:
    """Our public posts in a platform's log; `author` parts several accounts on one platform."""
    return tuple(
        Copy(reference, datetime.fromisoformat(post["posted_at"]), post["removed_at"] is None)
        for post in log["taken"]
        if post["visible"] and post["how"] != "planted" and author in (None, post["author"])
        for reference in sorted(set(REFERENCE.findall(post["text"])))
    )


def copies_on_site(feed: Mapping[str, Any]) -> tuple[Copy, ...]:
    """What the own site's feed shows."""
    return tuple(
        Copy(reference, datetime.fromisoformat(item["date_published"]))
        for item in feed["items"]
        for reference in sorted(set(REFERENCE.findall(item["url"])))
    )


def alerts_in(log: Mapping[str, Any], way: str, author: str, about: str) -> list[Alert]:
    """What people were told by one way about an operator."""
    mine = (post for post in log["taken"] if post["author"] == author and about in post["text"])
    return [Alert(way, datetime.fromisoformat(post["posted_at"])) for post in mine]


def burned_tokens(logs: Mapping[str, Mapping[str, Any]], stricken: Iterable[str], healed_at: datetime) -> Iterator[str]:
    """Tokens that were used up, replaced, or are no longer taken; single-use ones that were shown twice."""
    for name, log in logs.items():
        for note in log["notes"]:
            if note["what"] == "refresh token refused":
                yield f"{name} ({note['detail']})"
    for name in stricken:
        if any(note["what"] == "token issued" for note in logs[name]["notes"]):
            yield f"{name} (replaced)"
        requests = (r for r in logs[name]["requests"] if datetime.fromisoformat(r["at"]) >= healed_at)
        if not any(request["verdict"] == "200" for request in requests):
            yield f"{name} (not accepted since the return)"
