"""What the store's rows look like: from operations to the rows they write, and from rows back to values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, reduce
from typing import Any
from zlib import crc32

from broker.contract import TokenPair
from broker.model import Announcement, Case, Composed, Delivery, Draft, Event, Role, RoutePlan, State, Status, Urgency
from broker.outcome import Cause
from broker.store import Accept, Change, InboxEntry, Operation, Save, SaveBreaker, SaveSetting, Token, fingerprint
from broker.store.codec import Shape, dumps, from_micros, loads, to_micros

Row = tuple[Any, ...]
Write = tuple[str, Row]
"""A statement's name and one row for it."""

STATEMENTS = (
    "insert_announcements",
    "insert_contents",
    "insert_deliveries",
    "insert_idempotency",
    "save_announcements",
    "save_deliveries",
    "save_recomposed",
    "insert_events",
    "delete_inbox",
    "insert_inbox",
    "save_breakers",
    "delete_settings",
    "save_settings",
)
"""In the order in which a batch runs them: what is referred to comes first."""

GUARDED = frozenset({"save_announcements", "save_deliveries"})
"""Statements that must find every row they are given."""

_ANNOUNCEMENT_COLUMNS = frozenset(
    {"id", "agency", "reference", "draft", "plan", "accepted_at", "status", "closed_at", "wake_at", "owner", "epoch"}
)
_DELIVERY_COLUMNS = frozenset(
    {"announcement_id", "channel", "role", "state", "attempt", "next_at", "live_at", "platform_id", "cause", "composed"}
)


class Damaged(Exception):
    """A row is not as it was written."""


def checksum(*values: Any) -> int:
    return crc32(dumps(values))


def checksum_of_texts(*texts: bytes) -> int:
    """Cheaper for long texts."""
    return reduce(lambda crc, text: crc32(text, crc), texts, 0)


def verify(what: str, expected: int, found: int) -> None:
    if found != expected:
        raise Damaged(what)


def legal(text: str | None) -> str | None:
    """The text, if it can be stored. Raises `ValueError` for U+0000 and lone surrogates, as `dumps` does."""
    if text is not None and b"\0" in text.encode():
        raise ValueError("text contains U+0000")
    return text


def micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def moment(stored: int | None) -> datetime | None:
    return None if stored is None else from_micros(stored)


class Rows:
    """The codec of rows. Encoding raises whatever a value that cannot be kept raises; decoding raises `Damaged`."""

    def __init__(self) -> None:
        self._announcement = Shape(Announcement, _ANNOUNCEMENT_COLUMNS)
        self._delivery = Shape(Delivery, _DELIVERY_COLUMNS)
        self._draft = Shape(Draft)
        self._route_plan = Shape(RoutePlan)
        self._composed = Shape(Composed)
        self._event = Shape(Event, {"n", "at", "kind", "channel"})
        self._bare_events: dict[str, str] = {}
        self._token_pair = Shape(TokenPair)
        self._plan = lru_cache(maxsize=256)(self._unpack_plan)
        self._packed_plan: tuple[RoutePlan | None, bytes] = None, b""

    # operations → rows

    def writes(self, operation: Operation) -> list[Write]:
        """The rows an operation writes."""
        match operation:
            case Save():
                return list(self._save(operation))
            case Accept():
                return list(self._accept(operation))
            case InboxEntry():
                return [("insert_inbox", self._inbox_row(operation))]
            case SaveBreaker(key, data):
                return [("save_breakers", (legal(key), dumps(data).decode()))]
            case SaveSetting(key, None):
                return [("delete_settings", (legal(key),))]
            case SaveSetting(key, data):
                return [("save_settings", (legal(key), dumps(data).decode()))]

    def _accept(self, accept: Accept) -> Iterator[Write]:
        announcement, deliveries = accept.case.announcement, accept.case.deliveries
        row = self.announcement_row(announcement)
        yield "insert_announcements", (*row, announcement.owner, announcement.epoch)
        yield "insert_contents", self._content_row(accept.case)
        for delivery in deliveries.values():
            yield "insert_deliveries", self.delivery_row(announcement, delivery)
        yield from self._events(announcement.id, accept.events)
        if key := accept.idempotency:
            kept = legal(key.key)
            yield "insert_idempotency", (announcement.agency, kept, key.digest, announcement.id, row[4])
        if accept.tells:
            yield "insert_inbox", self._inbox_row(accept.tells)

    def _save(self, save: Save) -> Iterator[Write]:
        announcement = save.announcement
        row = self.announcement_row(announcement)
        yield "save_announcements", (announcement.id, announcement.owner, announcement.epoch, *row[5:])
        for change in save.changes:
            yield from self._change(announcement, change)
        yield from self._events(announcement.id, save.events)
        for entry in save.inbox_done:
            yield "delete_inbox", (entry,)

    def _change(self, announcement: Announcement, change: Change) -> Iterator[Write]:
        delivery = change.delivery
        row = self.delivery_row(announcement, delivery)
        yield "save_deliveries", (row[0], row[1], str(change.was), change.attempt, *row[5:])
        if change.recomposed:
            composed = dumps(self._composed.pack(delivery.composed)).decode()
            yield "save_recomposed", (row[0], row[1], composed, checksum(row[0], row[1], composed))

    def _events(self, announcement_id: str, events: Iterable[Event]) -> Iterator[Write]:
        for event in events:
            kind, channel = legal(event.kind), legal(event.channel)
            data = self._event_data(event)
            yield "insert_events", (announcement_id, event.n, to_micros(event.at), kind, channel, data)

    def _event_data(self, event: Event) -> str:
        if event.reason is None or event.reason.args:
            return dumps(self._event.pack(event)).decode()
        key = event.reason.key  # one of few
        if (data := self._bare_events.get(key)) is None:
            data = self._bare_events[key] = dumps(self._event.pack(event)).decode()
        return data

    def announcement_row(self, announcement: Announcement) -> Row:
        """All columns in order but owner and epoch, which the store changes by itself."""
        row = (
            announcement.id,
            announcement.agency,
            announcement.reference,
            announcement.draft.external_id,
            to_micros(announcement.accepted_at),
            str(announcement.status),
            micros(announcement.closed_at),
            micros(announcement.wake_at),
            dumps(self._announcement.pack(announcement)).decode(),
        )
        return (*row, checksum(*row))

    def delivery_row(self, announcement: Announcement, delivery: Delivery) -> Row:
        row = (
            delivery.announcement_id,
            delivery.channel,
            announcement.agency,
            int(announcement.draft.urgency is Urgency.URGENT),
            to_micros(announcement.accepted_at),
            str(delivery.role),
            str(delivery.state),
            delivery.attempt,
            micros(delivery.next_at),
            micros(delivery.live_at),
            delivery.platform_id,
            delivery.cause and str(delivery.cause),
            dumps(self._delivery.pack(delivery)).decode(),
        )
        return (*row, checksum(*row))

    def _content_row(self, case: Case) -> Row:
        texts = (
            dumps(self._draft.pack(case.announcement.draft)),
            self._pack_plan(case.announcement.plan),
            dumps({name: self._composed.pack(each.composed) for name, each in case.deliveries.items()}),
        )
        crc = checksum_of_texts(case.announcement.id.encode(), *texts)
        return (case.announcement.id, *(text.decode() for text in texts), crc)

    def _pack_plan(self, plan: RoutePlan) -> bytes:
        """Announcements in a row mostly share theirs."""
        last, text = self._packed_plan
        if last is not plan:
            self._packed_plan = plan, text = plan, dumps(self._route_plan.pack(plan))
        return text

    def _inbox_row(self, entry: InboxEntry) -> Row:
        channel, kind = legal(entry.channel), legal(entry.kind)
        return entry.announcement_id, channel, entry.attempt, kind, dumps(entry.payload).decode()

    def token_row(self, token: Token) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint(token.pair),
            "parent": token.parent,
            "intent_at": micros(token.intent_at),
            "pair": dumps(self._token_pair.pack(token.pair)).decode(),
        }

    # rows → values

    def case(self, row: Row, deliveries: Sequence[Row]) -> Case:
        """One case from its row of `load_announcements` and its rows of `load_deliveries`. Raises `Damaged`."""
        try:
            announcement, composed = self._read_announcement(row)
            found = {each[1]: self._read_delivery(each, composed) for each in deliveries}
            return Case(announcement, {channel: found[channel] for channel in composed})
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(repr(error)) from error

    def _read_announcement(self, row: Row) -> tuple[Announcement, dict[str, Any]]:
        announcement_id, agency, reference, _, accepted_at, status, closed_at, wake_at, data, crc, owner, epoch = row[
            :12
        ]
        draft, plan, composed, content_crc = row[12:]
        verify("its row", crc, checksum(*row[:9]))
        texts = (announcement_id, draft, plan, composed)
        verify("its content", content_crc, checksum_of_texts(*(text.encode() for text in texts)))
        announcement = self._announcement.unpack(
            loads(data),
            id=announcement_id,
            agency=agency,
            reference=reference,
            draft=self._draft.unpack(loads(draft)),
            plan=self._plan(plan),
            accepted_at=from_micros(accepted_at),
            status=Status(status),
            closed_at=moment(closed_at),
            wake_at=moment(wake_at),
            owner=owner,
            epoch=epoch,
        )
        return announcement, loads(composed)

    def _unpack_plan(self, plan: str) -> RoutePlan:
        return self._route_plan.unpack(loads(plan))

    def _read_delivery(self, row: Row, composed: Mapping[str, Any]) -> Delivery:
        announcement_id, channel, _, _, _, role, state, attempt, next_at, live_at, platform_id, cause, data = row[:13]
        crc, recomposed, recomposed_crc = row[13:]
        verify(f"delivery {channel}", crc, checksum(*row[:13]))
        if recomposed is not None:
            verify(f"text of {channel}", recomposed_crc, checksum(announcement_id, channel, recomposed))
        return self._delivery.unpack(
            loads(data),
            announcement_id=announcement_id,
            channel=channel,
            role=Role(role),
            state=State(state),
            attempt=attempt,
            next_at=moment(next_at),
            live_at=moment(live_at),
            platform_id=platform_id,
            cause=cause and Cause(cause),
            composed=self._composed.unpack(composed[channel] if recomposed is None else loads(recomposed)),
        )

    def event(self, row: Row) -> Event:
        n, at, kind, channel, data = row
        return self._event.unpack(loads(data), n=n, at=from_micros(at), kind=kind, channel=channel)

    def inbox_entry(self, row: Row) -> InboxEntry:
        entry_id, announcement_id, channel, attempt, kind, payload = row
        return InboxEntry(
            id=entry_id,
            announcement_id=announcement_id,
            channel=channel,
            attempt=attempt,
            kind=kind,
            payload=loads(payload),
        )

    def token(self, row: Row) -> Token:
        pair, parent, intent_at = row
        return Token(self._token_pair.unpack(loads(pair)), parent, moment(intent_at))
