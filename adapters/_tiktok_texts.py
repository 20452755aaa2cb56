"""What a post on TikTok looks like. Pure. Source: as in `adapters._tiktok`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters._titled import titled
from broker.contract import MediaNeeds, TextLimit, Unit
from broker.model import Composed, MediaKind, Post
from broker.rules.media import chosen
from broker.rules.text import GAP, compose_text, count, cut

CAPTION, DESCRIPTION = TextLimit(2200, Unit.UTF16), TextLimit(4000, Unit.UTF16)
TITLE, LISTED = 90, 150
"""Of pictures; what lists show of a caption."""
EVERYBODY = "PUBLIC_TO_EVERYONE"


def compose(post: Post, needs: MediaNeeds, *, card_video: bool) -> Composed:
    """A video has a caption; pictures a title and a text. Lists show a beginning only: the reference is in it."""
    media = chosen(post, needs, card_video=card_video)
    if media[0].kind is MediaKind.VIDEO:
        return replace(compose_text(_marked(post), CAPTION), media=media)
    described, mark = compose_text(post, DESCRIPTION), f" ({post.reference})"
    kept = cut(titled(post)[0], TITLE - count(mark, Unit.UTF16), Unit.UTF16)
    title = kept + mark if kept else post.reference
    parts = {"title": title, "description": described.text}
    return replace(described, text=f"{title}{GAP}{described.text}", parts=parts, media=media)


def _marked(post: Post) -> Post:
    """With the reference beside the headline; before it, if the headline is long."""
    headline, body = titled(post)
    mark = f"({post.reference})"
    is_long = count(f"{post.late_mark or ''}{GAP}{headline} {mark}", Unit.UTF16) > LISTED
    marked = f"{mark} {headline}" if is_long else f"{headline} {mark}"
    return replace(post, headline=marked, body=body, override=None)


def post_info(composed: Composed) -> dict[str, object]:
    return dict(composed.parts) or {"title": composed.text}


def for_everybody(composed: Composed, creator: Mapping[str, Any]) -> dict[str, object]:
    """The same for a post that is public at once; what the account has switched off stays off."""
    off = ("comment",) if composed.parts else ("comment", "duet", "stitch")
    switches = {f"disable_{one}": bool(creator.get(f"{one}_disabled")) for one in off}
    return {**post_info(composed), "privacy_level": EVERYBODY, **switches}
