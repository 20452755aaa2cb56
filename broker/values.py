"""`replace` for the frozen values everything here is made of.

Those that every step of every delivery makes anew are `msgspec.Struct`s, made and replaced in C; what adapters make or
configuration says is a dataclass (docs/decisions/015-structs.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import cache
from itertools import repeat
from operator import attrgetter, call
from typing import Any, TypeVar

from msgspec import Struct, structs

T = TypeVar("T")
Write = Callable[[Any, Any], None]


def replace(value: T, **changes: Any) -> T:
    """`value` with these fields changed. For structs and dataclasses with slots; raises `TypeError` for a name that is
    no field."""
    if isinstance(value, Struct):
        return structs.replace(value, **changes)
    kind = type(value)
    read, writes, by_name = _access(kind)  # type: ignore[arg-type]  # classes are hashable
    new = object.__new__(kind)
    deque(map(call, writes, repeat(new), read(value)), maxlen=0)  # a loop without bytecode
    for name, item in changes.items():
        if name not in by_name:
            raise TypeError(f"{kind.__name__} has no field {name!r}")
        by_name[name](new, item)
    if hasattr(new, "__post_init__"):
        new.__post_init__()
    return new


@cache
def _access(kind: type) -> tuple[Callable[[Any], Iterable[Any]], list[Write], dict[str, Write]]:
    """How to read all fields at once, and how to write each of them past `frozen`."""
    names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]  # by dataclass(slots=True)
    writes = {name: getattr(kind, name).__set__ for name in names}
    read = attrgetter(*names) if len(names) > 1 else lambda value: [getattr(value, name) for name in names]
    return read, list(writes.values()), writes
