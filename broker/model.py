"""The values Loa speaks of: announcement, delivery, case, event. No I/O, no clock, no decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from broker.outcome import Cause, Seen


class State(StrEnum):
    """Where one delivery stands; the moves between states are `broker.rules.delivery.MOVES`."""

    STANDBY = "standby"
    DUE = "due"
    SENDING = "sending"
    PENDING = "pending"
    CHECKING = "checking"
    LIVE = "live"
    UNCONFIRMED = "unconfirmed"
    REMOVED = "removed"
    FAILED = "failed"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    WITHDRAWN = "withdrawn"


RESTING = frozenset(
    {State.LIVE, State.UNCONFIRMED, State.REMOVED, State.FAILED, State.EXPIRED, State.SKIPPED, State.WITHDRAWN}
)
"""States that time alone does not leave."""


class Status(StrEnum):
    """What an announcement has come to; derived by `broker.rules.standing.status_of`."""

    AWAITING_APPROVAL = "awaiting_approval"
    SCHEDULED = "scheduled"
    OPEN = "open"
    REACHED = "reached"
    PARTLY = "partly"
    NOWHERE = "nowhere"
    WITHDRAWN = "withdrawn"


class Role(StrEnum):
    """Why a channel is part of an announcement's route."""

    POST_TO = "post_to"
    STAND_IN = "stand_in"
    RESERVE = "reserve"


class Urgency(StrEnum):
    ROUTINE = "routine"
    URGENT = "urgent"


class Verb(StrEnum):
    """What is asked of an adapter."""

    PUBLISH = "publish"
    CONFIRM = "confirm"
    FIND = "find"
    PROBE = "probe"
    EDIT = "edit"
    DELETE = "delete"
    REHEARSE = "rehearse"


class StepClass(StrEnum):
    """What may be done after an uncertain answer to one step of a publish (ARCHITECTURE.md, "After Uncertain")."""

    INVISIBLE = "invisible"
    """Nothing public can come of the step: repeat it freely (a container that was created and lost)."""
    KEYED = "keyed"
    """A: the platform keeps our key: the same bytes with the same key are safe within the key's lifetime."""
    HANDLE = "handle"
    """B by handle: the platform's own handle proves `Live` or `Absent`."""
    LIST = "list"
    """B by list: a list of our posts gives `Live` or `NotSeen`."""
    NOTHING = "nothing"
    """C: nobody can be asked; never repeated on our own."""


class OnUnconfirmed(StrEnum):
    """What a route does about a copy that may or may not be public."""

    STAND_IN = "stand_in"
    REPEAT = "repeat"
    WAIT = "wait"


class Reason(Struct, frozen=True, omit_defaults=True):
    """One sentence of the catalogue (`broker.rules.sentences`) with its arguments; rendered only when read."""

    key: str
    args: Mapping[str, Any] = {}


class Draft(Struct, frozen=True, kw_only=True):
    """What an agency hands in, validated and in NFC. Kept as sent."""

    headline: str
    body: str
    route: str | None = None
    external_id: str | None = None
    author: str | None = None
    link: str | None = None
    language: str = "vi"
    translations: Mapping[str, Mapping[str, str]] = {}
    media: tuple[str, ...] = ()
    """Addresses, and names of uploads."""
    alts: Mapping[str, str] = {}
    """By address or name: what it shows, in words."""
    urgency: Urgency = Urgency.ROUTINE
    send_at: datetime | None = None
    expires_at: datetime | None = None
    replaces: str | None = None
    overrides: Mapping[str, str] = {}


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The words of a headline card, the picture Loa makes where a platform needs one and the announcement has none."""

    agency: str
    headline: str
    body: str
    reference: str
    written: str
    """When it was written, as readers see it, in the agency's zone."""
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One picture or video as Loa keeps it: checked, without location data, under a name that nobody guesses."""

    name: str
    """File name in the media folder, such as `pX2…w.jpg`."""
    kind: MediaKind
    mime: str
    size_bytes: int = 0
    width: int = 0
    """Pixels, as shown."""
    height: int = 0
    duration: timedelta | None = None
    """Of a video."""
    alt: str = ""
    """What it shows, in words, for readers who cannot see it."""
    card: Card | None = None
    """What it is made from when it is first needed; None: the agency's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What an adapter composes from: one announcement as one channel sees it."""

    announcement_id: str
    reference: str
    """For example `TVD-7QK2F9`; every text must carry it, because read-back looks for it."""
    headline: str
    body: str
    agency: str
    language: str
    written_at: datetime
    urgency: Urgency = Urgency.ROUTINE
    author: str | None = None
    link: str | None = None
    """The agency's own article, if it named one."""
    short_link: str | None = None
    """Our page of this announcement (ends in the reference); None without a `site` channel."""
    override: str | None = None
    """The desk's own text for this channel instead of headline and body."""
    late_mark: str | None = None
    """Sentence that says when it was written; set on copies over 15 min late."""
    media: tuple[Medium, ...] = ()
    """The agency's own pictures and videos, in its order."""
    card: Medium | None = None
    """The picture that Loa can make of the words; None: it cannot (no media folder)."""
    card_video: Medium | None = None
    """The same as a short video."""

    @property
    def reference_line(self) -> str:
        """The line that carries the reference: the short link, or the bare reference."""
        return self.short_link or self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """Exactly what readers of one channel will see; stored at accept and shown by previews."""

    text: str
    parts: Mapping[str, str] = field(default_factory=dict)
    """Further fields of platforms that have several (title, description, html)."""
    length: int = 0
    """Counted as the platform counts, in `unit`."""
    limit: int | None = None
    unit: str = "code_points"
    cut: str | None = None
    """What was cut and why, in words; None when nothing was."""
    media: tuple[Medium, ...] = ()
    """What is shown beside the text, in order."""


class Delivery(Struct, frozen=True, kw_only=True):
    """One announcement on one channel. `attempt` guards writes; `tries` counts failures that cost one."""

    announcement_id: str
    channel: str
    role: Role
    state: State
    composed: Composed
    position: int = 0
    """Order of writing in the route."""
    serves: tuple[str, ...] = ()
    """Channels of `post_to` this one may stand in for."""
    attempt: int = 0
    tries: int = 0
    repeats: int = 0
    """How often bytes that may have got through were sent again; more than 0 asks for a count of copies."""
    asks: int = 0
    """Questions asked in this state, for the backoff."""
    step: int = 0
    handle: str | None = None
    next_at: datetime | None = None
    """When this delivery is to be acted on; None: whenever its channel permits (due), or never (resting)."""
    started_at: datetime | None = None
    """When it first became `due`."""
    sent_at: datetime | None = None
    """Start of the last attempt whose bytes may have left."""
    first_sent_at: datetime | None = None
    """Start of the first such attempt: read-back must reach back beyond it."""
    uncertain_at: datetime | None = None
    """When the last answer that may hide a copy came in, or this run found it so: none of its bytes left later."""
    platform_id: str | None = None
    extra: tuple[str, ...] = ()
    """Platform ids of younger copies, found after a repeat; deleted where the platform lets us."""
    url: str | None = None
    live_at: datetime | None = None
    seen: Seen | None = None
    cause: Cause | None = None
    reason: Reason | None = None

    @property
    def key(self) -> str:
        """Idempotency key, the same for every attempt of this delivery."""
        return f"{self.announcement_id}-{self.channel}"


@dataclass(frozen=True, slots=True)
class Goal:
    """Readers can see it on `operators` outside operators, `domestic` of them at home, `within` this time."""

    operators: int
    domestic: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """A route as it stood when the announcement was accepted; later edits of the configuration do not change it."""

    name: str
    post_to: tuple[str, ...]
    stand_ins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reserve: tuple[str, ...] = ()
    goal: Goal
    stand_in_after: timedelta = timedelta(seconds=15)
    start_by: timedelta = timedelta(minutes=10)
    late_copies: timedelta | None = timedelta(hours=3)
    """How long a `post_to` channel owes its copy; None: never made late."""
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.STAND_IN


class Announcement(Struct, frozen=True, kw_only=True):
    """One accepted announcement. `epoch` grows with every change of owner and guards every write."""

    id: str
    agency: str
    reference: str
    draft: Draft
    plan: RoutePlan
    accepted_at: datetime
    media: tuple[Medium, ...] = ()
    """What `draft.media` names, as it is kept."""
    media_key: str = ""
    """What the names of cards are made of; nobody guesses it."""
    accepted_from: str | None = None
    """Name of the key it came with; None from a program that holds the broker itself."""
    status: Status = Status.OPEN
    complete: bool = False
    """Every `post_to` channel is live."""
    met_at: datetime | None = None
    late: bool = False
    """The goal was missed or met after its time."""
    withdrawn_at: datetime | None = None
    withdrawn_because: str | None = None
    withdrawn_by: str | None = None
    replaced_by: str | None = None
    closed_at: datetime | None = None
    owner: str | None = None
    epoch: int = 0
    wake_at: datetime | None = None
    events: int = 0
    """Number of the newest event."""

    @property
    def base_at(self) -> datetime:
        """The moment all times of the route count from."""
        return self.draft.send_at or self.accepted_at

    @property
    def goal_by(self) -> datetime:
        return self.base_at + self.plan.goal.within


class Case(Struct, frozen=True):
    """An announcement with its deliveries, by channel in order of the route."""

    announcement: Announcement
    deliveries: Mapping[str, Delivery]

    def is_ahead(self, now: datetime) -> bool:
        """It is to go out later. Only `send_at` says so, and only until something is attempted: an acceptance ahead of
        us, or an attempt, is a clock that was set back."""
        send_at = self.announcement.draft.send_at
        return send_at is not None and now < send_at and not any(d.attempt for d in self.deliveries.values())

    def having(self, deliveries: Iterable[Delivery]) -> Case:
        """The case with these deliveries in place of what it had; itself if they are the same."""
        changed = {d.channel: d for d in deliveries if d is not self.deliveries.get(d.channel)}
        return Case(self.announcement, {**self.deliveries, **changed}) if changed else self


class Event(Struct, frozen=True, kw_only=True):
    """One change of course of one announcement, numbered from 1 without gaps."""

    n: int
    at: datetime
    kind: str
    """A delivery's new state, or `accepted`, `status`, `goal_met`, `goal_missed`, `withdrawn`."""
    channel: str | None = None
    reason: Reason | None = None
