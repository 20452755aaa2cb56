"""The record of one announcement, for whoever must show later what was said, where, when and by whom.

`sha256` is taken over the record alone, in one fixed form of JSON, so that two copies of the same record can be told to
be the same and a changed one is noticed. Made again without anything having happened since, it is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from itertools import zip_longest

from broker.model import Announcement, Case, Delivery, Event, Medium, Reason, Role, State, Status, Urgency
from broker.outcome import Cause, Seen
from broker.report import Report
from broker.rules.agency import Agency
from broker.rules.sentences import Sentence, sentence


class Moment(Report):
    """One moment on two clocks, both RFC 3339 with milliseconds."""

    utc: str
    local: str
    """In the agency's time zone."""


class RecordedCopy(Report):
    """What one channel was to show, and what became of it."""

    channel: str
    operator: str | None
    role: Role
    serves: list[str]
    state: State
    text: str
    """Exactly as composed for this channel and sent there."""
    parts: dict[str, str]
    """Further fields of platforms that have several, such as a title."""
    cut: str | None
    media: list[str]
    """Names of the files shown beside it."""
    attempts: int
    first_sent_at: Moment | None
    """Start of the first attempt whose bytes may have left and whose answer left doubt."""
    sent_at: Moment | None
    """Start of the last attempt whose bytes may have left."""
    live_at: Moment | None
    seen: Seen | None
    """Who has read the copy back: proof that it was there."""
    platform_id: str | None
    further_copies: list[str]
    """The platform's ids of second copies."""
    url: str | None
    cause: Cause | None
    reason: Sentence | None


class RecordedEvent(Report):
    """One change of course."""

    n: int
    at: Moment
    kind: str
    channel: str | None
    reason: Sentence | None


class RecordedMedium(Report):
    """A picture or video of the announcement."""

    source: str
    """As it was named: an address, or an upload."""
    name: str | None
    """The file that was kept of it; null: none was."""
    kind: str | None
    alt: str | None


class RecordedGoal(Report):
    operators: int
    domestic: int
    by: Moment
    met_at: Moment | None


class Record(Report):
    """Everything that is kept of one announcement."""

    agency: str
    time_zone: str
    id: str
    reference: str
    external_id: str | None
    headline: str
    body: str
    link: str | None
    media: list[RecordedMedium]
    language: str
    translations: dict[str, dict[str, str]]
    overrides: dict[str, str]
    """By channel: the desk's own text for it."""
    author: str | None
    """As the announcement names him or her."""
    accepted_from: str | None
    """Name of the API key it came with."""
    accepted_at: Moment
    route: str
    urgency: Urgency
    send_at: Moment | None
    expires_at: Moment | None
    goal: RecordedGoal
    status: Status
    withdrawn_at: Moment | None
    withdrawn_by: str | None
    withdrawn_because: str | None
    replaces: str | None
    replaced_by: str | None
    closed_at: Moment | None
    """When nothing more could happen to it."""
    copies: list[RecordedCopy]
    """By channel, in the order of the route; also those that were never sent."""
    events: list[RecordedEvent]
    """All of them, oldest first."""


class RecordReport(Report):
    """The record with its fingerprint."""

    made_at: datetime
    sha256: str
    """Of `record` as JSON in UTF-8 with sorted names and no blanks."""
    record: Record


def record_report(case: Case, events: Iterable[Event], agency: Agency, now: datetime) -> RecordReport:
    record = _record(case, events, agency)
    return RecordReport(made_at=now, sha256=hashlib.sha256(canonical(record)).hexdigest(), record=record)


def canonical(record: Record) -> bytes:
    """The one form that is hashed: `jq -cSj .record` writes the same."""
    plain = record.model_dump(mode="json")
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _record(case: Case, events: Iterable[Event], agency: Agency) -> Record:
    a, zone = case.announcement, agency.zone
    operators = {name: channel.operator for name, channel in agency.posting.items()}
    draft = a.draft
    return Record(
        agency=agency.name,
        time_zone=zone.key,
        id=a.id,
        reference=a.reference,
        external_id=draft.external_id,
        headline=draft.headline,
        body=draft.body,
        link=draft.link,
        media=[_medium(source, medium) for source, medium in zip_longest(draft.media, a.media)],
        language=draft.language,
        translations={language: dict(texts) for language, texts in draft.translations.items()},
        overrides=dict(draft.overrides),
        author=draft.author,
        accepted_from=a.accepted_from,
        accepted_at=_at(a.accepted_at, zone),
        route=a.plan.name,
        urgency=draft.urgency,
        send_at=_moment(draft.send_at, zone),
        expires_at=_moment(draft.expires_at, zone),
        goal=_goal(a, zone),
        status=a.status,
        withdrawn_at=_moment(a.withdrawn_at, zone),
        withdrawn_by=a.withdrawn_by,
        withdrawn_because=a.withdrawn_because,
        replaces=draft.replaces,
        replaced_by=a.replaced_by,
        closed_at=_moment(a.closed_at, zone),
        copies=[_copy(d, operators, zone) for d in case.deliveries.values()],
        events=[_event(event, operators, zone) for event in events],
    )


def _medium(source: str, medium: Medium | None) -> RecordedMedium:
    if medium is None:
        return RecordedMedium(source=source, name=None, kind=None, alt=None)
    return RecordedMedium(source=source, name=medium.name, kind=medium.kind, alt=medium.alt or None)


def _goal(a: Announcement, zone: tzinfo) -> RecordedGoal:
    goal = a.plan.goal
    met_at = _moment(a.met_at, zone)
    return RecordedGoal(operators=goal.operators, domestic=goal.domestic, by=_at(a.goal_by, zone), met_at=met_at)


def _copy(d: Delivery, operators: Mapping[str, str], zone: tzinfo) -> RecordedCopy:
    return RecordedCopy(
        channel=d.channel,
        operator=operators.get(d.channel),
        role=d.role,
        serves=list(d.serves),
        state=d.state,
        text=d.composed.text,
        parts=dict(d.composed.parts),
        cut=d.composed.cut,
        media=[medium.name for medium in d.composed.media],
        attempts=d.attempt,
        first_sent_at=_moment(d.first_sent_at, zone),
        sent_at=_moment(d.sent_at, zone),
        live_at=_moment(d.live_at, zone),
        seen=d.seen,
        platform_id=d.platform_id,
        further_copies=list(d.extra),
        url=d.url,
        cause=d.cause,
        reason=_told(d.reason, d.channel, operators, zone),
    )


def _event(event: Event, operators: Mapping[str, str], zone: tzinfo) -> RecordedEvent:
    return RecordedEvent(
        n=event.n,
        at=_at(event.at, zone),
        kind=event.kind,
        channel=event.channel,
        reason=_told(event.reason, event.channel, operators, zone),
    )


def _told(reason: Reason | None, channel: str | None, operators: Mapping[str, str], zone: tzinfo) -> Sentence | None:
    if reason is None:
        return None
    return sentence(reason, zone, operator=operators.get(channel or ""), channel=channel)


def _moment(at: datetime | None, zone: tzinfo) -> Moment | None:
    return None if at is None else _at(at, zone)


def _at(at: datetime, zone: tzinfo) -> Moment:
    utc = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Moment(utc=utc, local=at.astimezone(zone).isoformat(timespec="milliseconds"))
