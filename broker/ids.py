"""Ids that sort by time, and references that people can read out over a telephone."""

from __future__ import annotations

import random
from datetime import datetime
from uuid import UUID

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without 0 O 1 I L U: nothing to mistake."""


def new_id(now: datetime, rng: random.Random) -> str:
    """A UUID of version 7 (RFC 9562): milliseconds since 1970, then 74 random bits."""
    millis = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    bits = millis << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    return str(UUID(int=bits))


def new_reference(prefix: str, rng: random.Random) -> str:
    """For example `TVD-7QK2F9`: six letters of thirty, about 730 million an agency; the store keeps them unique."""
    return f"{prefix}-{''.join(rng.choices(LETTERS, k=6))}"
