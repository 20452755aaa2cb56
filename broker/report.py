"""What Loa says of announcements and channels: the shapes the HTTP API, the command line and the library share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from pydantic import BaseModel, ConfigDict, Field

from broker.model import Case, Delivery, Event, MediaKind, Medium, Reason, Role, State, Status
from broker.outcome import Cause, Seen
from broker.rules.breaker import ChannelHealth
from broker.rules.health import Down, View
from broker.rules.sentences import Outlook, sentence, summary
from broker.rules.standing import Channel, Channels, left_up, live, reach
from broker.rules.timing import useful_until
from broker.rules.walk import down_reason

Sentence = dict[str, str]
Address = Callable[[Medium], str | None]
"""Where anybody can see a picture or video."""
WAITING = frozenset({State.DUE, State.SENDING, State.PENDING, State.CHECKING})


class Report(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Have(Report):
    """What counts towards the goal by now."""

    operators: list[str]
    domestic: int


class GoalReport(Report):
    operators: int
    domestic: int
    by: datetime
    met_at: datetime | None
    late: bool
    have: Have


class MediaReport(Report):
    """A picture or video as Loa keeps it: without anything but pictures and sound."""

    name: str
    """What an announcement says in `media` to show it; after a day without use it is removed."""
    kind: MediaKind
    mime: str
    size_bytes: int
    width: int
    height: int
    duration_s: float | None
    alt: str
    url: str | None
    """Where anybody can see it; null: the media folder has no public address, or it is a card not made yet."""


class DeliveryReport(Report):
    channel: str
    operator: str | None
    role: Role
    serves: list[str]
    state: State
    attempt: int
    platform_id: str | None
    url: str | None
    live_at: datetime | None
    seen: Seen | None
    text: str
    media: list[MediaReport]
    """What is shown beside the text, cards included; `reason` says when it goes out without."""
    cause: Cause | None
    reason: Sentence | None
    """Why it stands where it stands, in one plain sentence by language."""
    next: Sentence | None
    """What happens next, and when; null: nothing by itself."""


class ToRemove(Report):
    """A copy of a withdrawn announcement that a person has to take away, and then to resolve as `gone`."""

    channel: str
    url: str | None
    platform_ids: list[str]
    certain: bool
    """False: it may be there, so look."""
    reason: Sentence | None


class AnnouncementReport(Report):
    id: str
    reference: str
    external_id: str | None
    status: Status
    complete: bool
    route: str
    urgency: str
    headline: str
    author: str | None
    media: list[MediaReport]
    """The agency's own pictures and videos."""
    accepted_at: datetime
    send_at: datetime | None
    expires_at: datetime | None
    withdrawn_at: datetime | None
    replaced_by: str | None
    summary: Sentence
    to_remove: list[ToRemove]
    """After a withdrawal: what programs cannot take away."""
    goal: GoalReport
    deliveries: list[DeliveryReport]


class EventReport(Report):
    n: int
    at: datetime
    kind: str
    channel: str | None
    reason: Sentence | None


class ChannelReport(Report):
    name: str
    adapter: str
    operator: str
    domestic: bool
    readers: str
    state: str
    """`up`, `down`, `half_open` or `paused`."""
    since: datetime | None
    reason: Sentence | None
    account: str | None
    """The account that was connected, by name and id; null: the configuration's."""
    paused_until: datetime | None
    proved_at: datetime | None
    """When posting was last tried out by a write that readers cannot see."""
    proved: bool | None
    """Whether that worked; null: it was never tried, or the platform offers nothing of the kind."""
    proof_detail: str | None
    token_ends_at: datetime | None
    """When the token in use ends, as far as that is known; renewed before, where the platform lets us."""
    probed_at: datetime | None
    up_at: datetime | None
    waiting: int
    in_flight: int


class PreviewReport(Report):
    """What one channel's readers would see."""

    channel: str
    role: Role
    text: str
    parts: Mapping[str, str]
    length: int
    limit: int | None
    unit: str
    cut: str | None
    media: list[MediaReport] = Field(default_factory=list)
    """What is shown beside the text; a card that Loa makes can be looked at for a day."""
    skipped: Sentence | None = None
    """Why it is not sent here, and what to add; null: it is sent."""
    problem: str | None = None
    """Why the announcement would be refused; null: it would not."""
    cost: str | None = None
    quota_used: int | None = None
    """Posts of the last 24 hours, where the platform tells."""
    quota_total: int | None = None


def media_report(medium: Medium, url: str | None) -> MediaReport:
    return MediaReport(
        name=medium.name,
        kind=medium.kind,
        mime=medium.mime,
        size_bytes=medium.size_bytes,
        width=medium.width,
        height=medium.height,
        duration_s=medium.duration.total_seconds() if medium.duration else None,
        alt=medium.alt,
        url=url,
    )


def announcement_report(
    case: Case, channels: Channels, health: View, zone: tzinfo, address: Address = lambda medium: None
) -> AnnouncementReport:
    a = case.announcement
    operators, domestic = reach(live(case), channels)
    return AnnouncementReport(
        id=a.id,
        reference=a.reference,
        external_id=a.draft.external_id,
        status=a.status,
        complete=a.complete,
        route=a.plan.name,
        urgency=a.draft.urgency,
        headline=a.draft.headline,
        author=a.draft.author,
        media=[media_report(medium, address(medium)) for medium in a.media],
        accepted_at=a.accepted_at,
        send_at=a.draft.send_at,
        expires_at=a.draft.expires_at,
        withdrawn_at=a.withdrawn_at,
        replaced_by=a.replaced_by,
        summary=summary(outlook(case, channels, health), zone),
        to_remove=[to_remove(d, channels, zone) for d in case.deliveries.values() if left_up(a, d)],
        goal=GoalReport(
            operators=a.plan.goal.operators,
            domestic=a.plan.goal.domestic,
            by=a.goal_by,
            met_at=a.met_at,
            late=a.late,
            have=Have(operators=sorted(operators), domestic=len(domestic)),
        ),
        deliveries=[delivery_report(case, d, channels, zone, address) for d in case.deliveries.values()],
    )


def to_remove(d: Delivery, channels: Channels, zone: tzinfo) -> ToRemove:
    operator = channels[d.channel].operator if d.channel in channels else None
    return ToRemove(
        channel=d.channel,
        url=d.url,
        platform_ids=[one for one in (d.platform_id, *d.extra) if one],
        certain=d.state is State.LIVE,
        reason=sentence(d.reason, zone, operator=operator, channel=d.channel) if d.reason else None,
    )


def delivery_report(case: Case, d: Delivery, channels: Channels, zone: tzinfo, address: Address) -> DeliveryReport:
    channel = channels.get(d.channel)
    operator = channel.operator if channel else None
    upcoming = _next(case, d)
    return DeliveryReport(
        channel=d.channel,
        operator=operator,
        role=d.role,
        serves=list(d.serves),
        state=d.state,
        attempt=d.attempt,
        platform_id=d.platform_id,
        url=d.url,
        live_at=d.live_at,
        seen=d.seen,
        text=d.composed.text,
        media=[media_report(medium, address(medium)) for medium in d.composed.media],
        cause=d.cause,
        reason=sentence(d.reason, zone, operator=operator, channel=d.channel) if d.reason else None,
        next=sentence(upcoming, zone) if upcoming else None,
    )


def _next(case: Case, d: Delivery) -> Reason | None:
    match d.state:
        case State.DUE if d.role is Role.POST_TO and d.cause is not None:
            return Reason("next_late_copy", {"until": useful_until(case.announcement, d)})
        case State.DUE if d.next_at:
            return Reason("next_try", {"at": d.next_at})
        case State.CHECKING | State.PENDING if d.next_at:
            return Reason("next_question", {"at": d.next_at})
        case _:
            return None


def outlook(case: Case, channels: Channels, health: View) -> Outlook:
    """What the announcement's summary tells."""
    a, deliveries = case.announcement, case.deliveries.values()
    waiting = [d for d in deliveries if d.state in WAITING]
    owed = [d for d in waiting if d.state is State.DUE and d.role is Role.POST_TO and d.cause is not None]
    downs = {_what(down): down.since for d in owed if (down := _down(d, channels, health)) is not None}
    return Outlook(
        status=a.status,
        live=_names(live(case)),
        on_its_way=_names(d for d in waiting if d not in owed),
        down=tuple(downs.items()),
        owed=tuple((d.channel, useful_until(a, d)) for d in owed),
        unconfirmed=_names(d for d in deliveries if d.state is State.UNCONFIRMED),
        failed=tuple((d.channel, d.reason) for d in deliveries if d.state is State.FAILED and d.reason),
        at=a.draft.send_at,
        because=a.withdrawn_because,
        operators={name: c.operator for name, c in channels.items()},
    )


def _names(deliveries: Iterable[Delivery]) -> tuple[str, ...]:
    return tuple(d.channel for d in deliveries)


def _down(d: Delivery, channels: Channels, health: View) -> Down | None:
    return health.down.get(channels[d.channel].key) if d.channel in channels else None


def _what(down: Down) -> str:
    return down.what.rpartition("/")[2]


def event_report(event: Event, channels: Channels, zone: tzinfo) -> EventReport:
    channel = channels.get(event.channel) if event.channel else None
    operator = channel.operator if channel else None
    said = sentence(event.reason, zone, operator=operator, channel=event.channel) if event.reason else None
    return EventReport(n=event.n, at=event.at, kind=event.kind, channel=event.channel, reason=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What people and rehearsals have made of a channel."""

    account: str | None = None
    paused: bool = False
    paused_until: datetime | None = None
    paused_because: str = ""
    restored_from: datetime | None = None
    proved_at: datetime | None = None
    proved: bool | None = None
    proof_detail: str = ""

    def reason(self, zone: tzinfo) -> Reason | None:
        """Why nothing is sent; None: because of no person."""
        if self.restored_from is not None:
            return Reason("restored", {"at": _day(self.restored_from, zone)})
        if self.paused:
            until = _day(self.paused_until, zone) if self.paused_until else None
            return Reason("paused_because", {"until": until, "because": self.paused_because})
        return None


def _day(at: datetime, zone: tzinfo) -> str:
    """With its date, for what may be days away."""
    return at.astimezone(zone).strftime("%d.%m.%Y %H:%M")


def channel_report(
    name: str, channel: Channel, health: ChannelHealth, view: View, zone: tzinfo, *, ways: Ways, waiting: int,
    in_flight: int, token_ends_at: datetime | None = None,
) -> ChannelReport:  # fmt: skip
    down, held = view.down.get(channel.key), ways.reason(zone)
    state = "paused" if held else "up" if down is None else "half_open" if down.half_open else "down"
    why = held or (down_reason(down) if down else None)
    return ChannelReport(
        name=name,
        adapter=channel.profile.adapter,
        operator=channel.operator,
        domestic=channel.domestic,
        readers=channel.profile.readers.value,
        state=state,
        since=down.since if down else None,
        reason=sentence(why, zone) if why else None,
        account=ways.account,
        paused_until=ways.paused_until,
        proved_at=ways.proved_at,
        proved=ways.proved,
        proof_detail=ways.proof_detail or None,
        token_ends_at=token_ends_at,
        probed_at=health.probed_at,
        up_at=health.up_at,
        waiting=waiting,
        in_flight=in_flight,
    )
