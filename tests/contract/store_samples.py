"""Announcements to store, what changes them, and a clock to turn by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.model import Announcement, Case, Composed, Delivery, Draft, Event, Goal, Reason, Role, RoutePlan, State
from broker.store import Accept, Change, IdempotencyRecord, Save
from broker.values import replace

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
AGENCY = "tvd"
PLAN = RoutePlan(name="breaking", post_to=("site", "facebook"), goal=Goal(1, 0, timedelta(minutes=1)))


class HandClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOON).total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Turns itself, and lets everybody else go on."""
        self.turn(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    def turn(self, by: timedelta) -> None:
        self.at += by


def identity(number: int) -> str:
    """Ids sort by number, as real ones sort by time."""
    return f"0195{number:012x}"


def case(number: int = 1, *channels: str, **fields: Any) -> Case:
    """An open announcement accepted `number` seconds after noon, unowned unless said, with deliveries in `due`.

    `delivery` gives fields of all its deliveries, `draft` of its draft.
    """
    of_deliveries, of_draft = fields.pop("delivery", {}), fields.pop("draft", {})
    draft: dict[str, Any] = {"headline": "Bão số 5", "body": f"Tin số {number}"} | of_draft
    announcement: dict[str, Any] = {
        "id": identity(number),
        "agency": AGENCY,
        "reference": f"TVD-{number:06}",
        "draft": Draft(**draft),
        "plan": PLAN,
        "accepted_at": NOON + timedelta(seconds=number),
        "events": 1,
    }
    deliveries = {
        channel: Delivery(**_delivery(identity(number), channel, position) | of_deliveries)
        for position, channel in enumerate(channels or ("site", "facebook"))
    }
    return Case(Announcement(**announcement | fields), deliveries)


def _delivery(announcement_id: str, channel: str, position: int) -> dict[str, Any]:
    return {
        "announcement_id": announcement_id,
        "channel": channel,
        "role": Role.POST_TO,
        "state": State.DUE,
        "composed": Composed(text=f"Bão số 5 ({channel})", length=8, limit=500),
        "position": position,
    }


def accept(case: Case, key: str | None = None, digest: str = "d1") -> Accept:
    record = IdempotencyRecord(key, digest) if key else None
    return Accept(case, (Event(n=1, at=case.announcement.accepted_at, kind="accepted"),), record)


def moved(case: Case, channel: str, **fields: Any) -> Case:
    """The case after one delivery got these fields and one event was noted."""
    deliveries = dict(case.deliveries)
    deliveries[channel] = replace(deliveries[channel], **fields)
    announcement = replace(case.announcement, events=case.announcement.events + 1)
    return Case(announcement, deliveries)


def save(before: Case, after: Case, inbox_done: Iterable[int] = ()) -> Save:
    """What a decision that turned `before` into `after` writes; it notes events up to `after`'s count."""
    changes = tuple(
        Change.of(old, new)
        for old, new in zip(before.deliveries.values(), after.deliveries.values(), strict=True)
        if old != new
    )
    return Save(after.announcement, changes, events_between(before, after), tuple(inbox_done))


def events_between(before: Case, after: Case) -> tuple[Event, ...]:
    numbers = range(before.announcement.events + 1, after.announcement.events + 1)
    return tuple(Event(n=n, at=NOON, kind="noted", reason=Reason("noted", {"n": n})) for n in numbers)
