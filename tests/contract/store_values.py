"""Strategies for all that may legally be stored.

They are read from the annotations: a field that is added to a value is tried without a word here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import uuid4

from hypothesis import strategies as st

from broker.model import Announcement, Case, Delivery, Event
from broker.values import replace

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e30, 1e30) | TEXT,
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
