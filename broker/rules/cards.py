"""What a headline card says; `broker.media` draws it. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, tzinfo

from broker.model import Card, Post
from broker.rules.text import cut, normal

BODY_SHOWN = 900
"""Characters of the body that a card can hold at most."""

_ADDRESS = re.compile(r"https?://\S+")
_DRAWN_TOO = frozenset("₫€£¥©®°•·–—…“”‘’«»×±½¼¾¹²³ªº§¶¡¿†‡‰™")


def card_of(post: Post, zone: tzinfo) -> Card | None:
    """The words of this post's card; None if they are in letters that the card's font does not have."""
    headline, body = drawable(normal(post.headline)), drawable(normal(_ADDRESS.sub("", post.body)))
    if headline is None or body is None or not headline:
        return None
    return Card(
        agency=drawable(post.agency) or post.reference.partition("-")[0],
        headline=headline,
        body=cut(body, BODY_SHOWN),
        reference=post.reference,
        written=written(post.written_at, zone, post.language),
        language=post.language,
    )


def written(at: datetime, zone: tzinfo, language: str) -> str:
    """Date and time as readers of `language` write them."""
    local = at.astimezone(zone)
    return (
        f"{local:%H:%M} · {local.day}/{local.month}/{local.year}" if language == "vi" else f"{local:%d %b %Y · %H:%M}"
    )


def drawable(text: str) -> str | None:
    """The text without signs that the font lacks (emoji, say); None if it lacks letters: other scripts than Latin."""
    kept = "".join(char for char in text if _is_drawn(char))
    lacks = any(char.isalpha() and not _is_drawn(char) for char in text)
    return None if lacks else kept


def _is_drawn(char: str) -> bool:
    if char.isascii() or char in _DRAWN_TOO:
        return True
    return char.isalpha() and unicodedata.name(char, "").startswith("LATIN") and ord(char) < 0x1F00
