"""Announcements to store, a clock to turn by hand, and strategies for all that may legally be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import uuid4

from hypothesis import strategies as st

from broker.model import Announcement, Case, Composed, Delivery, Draft, Event, Goal, Reason, Role, RoutePlan, State
from broker.store import Accept, Change, IdempotencyRecord, Save

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


# all that is legal, read from the annotations: a field that is added to a value is tried without a word here

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, width=32) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(0, 2**53),
    datetime: st.timedeltas(timedelta(0), timedelta(days=80_000)).map(
        lambda since: datetime(1970, 1, 1, tzinfo=UTC) + since
    ),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=400)),
    Any: JSON,
    type(None): st.none(),
}


def values(kind: type, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any value of a dataclass, with some fields `given`."""
    found = {name: _values_of(hint) for name, hint in get_type_hints(kind).items() if name not in given}
    return st.builds(kind, **found, **given)


@cache
def _values_of(hint: Any) -> st.SearchStrategy[Any]:
    arguments = get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([_values_of(each) for each in arguments])
    if get_origin(hint) is tuple:
        return st.lists(_values_of(arguments[0]), max_size=3).map(tuple)
    if get_origin(hint) is Mapping:
        return st.dictionaries(_values_of(arguments[0]), _values_of(arguments[1]), max_size=2)
    return st.sampled_from(list(hint)) if issubclass(hint, Enum) else values(hint)


@st.composite
def any_case(draw: st.DrawFn) -> Case:
    """Of an agency of its own, also when the same one is drawn again: no two meet in a store."""
    unique = uuid4().hex
    names = TEXT.map(lambda text: text + unique)
    announcement = draw(values(Announcement, id=names, agency=names, owner=st.just("run")))
    channels = draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))
    of_this = st.just(announcement.id)
    return Case(
        announcement,
        {name: draw(values(Delivery, announcement_id=of_this, channel=st.just(name))) for name in channels},
    )


def any_events(first: int) -> st.SearchStrategy[tuple[Event, ...]]:
    numbered = st.lists(values(Event, n=st.just(0)), max_size=2)
    return numbered.map(lambda events: tuple(replace(e, n=n) for n, e in enumerate(events, first)))
