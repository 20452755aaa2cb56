"""What a headline card says; `broker.media` draws it. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from broker.look import CARD_HEIGHT, CARD_SECONDS, CARD_WIDTH
from broker.model import Card, MediaKind, Medium, Post
from broker.rules.text import cut, normal

BODY_SHOWN = 900
"""Characters of the body that a card can hold at most."""
ALT_SHOWN = 400
"""Characters of what a card says, for readers who cannot see it."""
READ = 4000
"""Characters of the body that are looked at."""

_ADDRESS = re.compile(r"https?://\S+")
_DRAWN_TOO = frozenset("₫€£¥©®°•·–—…“”‘’«»×±½¼¾¹²³ªº§¶¡¿†‡‰™")


def carded(post: Post, key: str, zone: tzinfo) -> Post:
    """The post with the card that can be made of its words, as a picture and as a video; `key` makes their names."""
    card = card_of(post, zone)
    if card is None:
        return post
    picture = Medium(
        name=f"{key}.jpg",
        kind=MediaKind.IMAGE,
        mime="image/jpeg",
        width=CARD_WIDTH,
        height=CARD_HEIGHT,
        alt=cut(f"{card.headline}. {card.body}", ALT_SHOWN),
        card=card,
    )
    seconds = timedelta(seconds=CARD_SECONDS)
    video = replace(picture, name=f"{key}.mp4", kind=MediaKind.VIDEO, mime="video/mp4", duration=seconds)
    return replace(post, card=picture, card_video=video)


def card_of(post: Post, zone: tzinfo) -> Card | None:
    """The words of this post's card; None if they are in letters that the card's font does not have."""
    headline, body = drawable(normal(post.headline)), drawable(normal(_ADDRESS.sub("", post.body[:READ])))
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
