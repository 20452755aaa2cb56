"""Frozen values as compact JSON and back: the one codec of everything the store keeps.

A field that has its default is left out, times are integer microseconds since 1970 (UTC). What a field may hold is read
from its annotation, so a field that is added to a value is kept without a change here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from operator import attrgetter
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct, structs
from msgspec.json import Encoder
from pydantic_core import from_json

T = TypeVar("T")
Convert = Callable[[Any], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encoded = Encoder().encode


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8; an infinite number becomes null. Raises `ValueError` for U+0000 and lone surrogates,
    `TypeError` for values JSON has no word for."""
    text = _encoded(value)
    if b"\\u0000" in text and _has_nul(from_json(text)):
        raise ValueError("text contains U+0000")
    return text


def loads(text: str) -> Any:
    return from_json(text)


def _has_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_has_nul, value))
        case dict():
            return any(_has_nul(item) for pair in value.items() for item in pair)
    return False


def to_micros(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


class Shape(Generic[T]):
    """The JSON form of one frozen value, without the fields that have columns of their own."""

    def __init__(self, kind: type[T], columns: Collection[str] = ()) -> None:
        hints = get_type_hints(kind)
        kept = {name: default for name, default in _fields(kind) if name not in columns}
        self._kind = kind
        self._read = attrgetter(*kept, "__class__")
        self._packs = [(name, default, _converter(hints[name], packs=True)) for name, default in kept.items()]
        self._unpacks = {name: _converter(hints[name], packs=False) for name in kept}

    def pack(self, value: T) -> dict[str, Any]:
        return {
            name: convert(item) if convert and item is not None else item
            for (name, default, convert), item in zip(self._packs, self._read(value), strict=False)
            if item is not default and item != default
        }

    def unpack(self, packed: Mapping[str, Any], **columns: Any) -> T:
        """The value; fields that have columns are given beside its JSON form. Unknown names raise `KeyError`."""
        for name, item in packed.items():
            convert = self._unpacks[name]
            columns[name] = convert(item) if convert and item is not None else item
        return self._kind(**columns)


def _fields(kind: Any) -> Iterator[tuple[str, Any]]:
    """Names and defaults; one that is a mark of msgspec's or of `dataclasses` equals no value."""
    fields: Iterable[Any] = structs.fields(kind) if issubclass(kind, Struct) else dataclasses.fields(kind)
    for field in fields:
        is_fixed = field.default_factory in (NODEFAULT, dataclasses.MISSING)
        yield field.name, field.default if is_fixed else field.default_factory()


def _converter(kind: Any, *, packs: bool) -> Convert | None:
    """From a field's value, unless it is None, to what JSON knows (`packs`) or back; None where both are the same."""
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        [inner] = [_converter(each, packs=packs) for each in arguments if each is not type(None)]
        return inner
    if get_origin(kind) is tuple:
        return _over_items(_converter(arguments[0], packs=packs))
    if get_origin(kind) is Mapping:
        return _over_values(_converter(arguments[1], packs=packs))
    return _packer(kind) if packs else _unpacker(kind)


def _over_items(convert: Convert | None) -> Convert:
    return (lambda items: tuple(map(convert, items))) if convert else tuple


def _over_values(convert: Convert | None) -> Convert:
    return (lambda items: {key: convert(item) for key, item in items.items()}) if convert else dict


def _packer(kind: Any) -> Convert | None:
    if kind is datetime:
        return to_micros
    if kind is timedelta:
        return lambda wait: wait // _MICROSECOND
    return Shape(kind).pack if _is_value(kind) and not _writes_itself(kind) else None


def _unpacker(kind: Any) -> Convert | None:
    if kind is datetime:
        return from_micros
    if kind is timedelta:
        return lambda micros: timedelta(microseconds=micros)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {member.value: member for member in kind}.__getitem__
    return Shape(kind).unpack if _is_value(kind) else None


def _writes_itself(kind: Any) -> bool:
    """Written in C, its defaults left out as here: for what holds no times, which have another form there."""
    return issubclass(kind, Struct) and kind.__struct_config__.omit_defaults


def _is_value(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, Struct))
