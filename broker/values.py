"""`replace` for the frozen values everything here is made of.

Those that every step of every delivery makes anew are `msgspec.Struct`s, made and replaced in C; what adapters make or
configuration says is a dataclass (docs/decisions/015-structs.md).
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from msgspec import Struct, structs

T = TypeVar("T")


def replace(value: T, **changes: Any) -> T:
    """`value` with these fields changed; raises `TypeError` for a name that is no field."""
    if isinstance(value, Struct):
        return structs.replace(value, **changes)
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]  # every other value is a dataclass
