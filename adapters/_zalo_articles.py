"""What an article on Zalo looks like: from a post to its fields, and from a line of Zalo's list back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

from adapters._readback import Listed
from adapters._titled import titled
from broker.contract import TextLimit, Unit
from broker.model import Composed, Post
from broker.rules.text import GAP, compose_text, count, cut

# Documented are 150 and 300, but Zalo has refused titles of exactly 150; the unit is not known.
TITLE = TextLimit(140, Unit.UTF16)
DESCRIPTION, AUTHOR = 280, 50
_SECONDS = 1e11
"""Times above are milliseconds: clients have seen both."""


def compose(post: Post) -> Composed:
    """Title, description, author and body; the title ends in the reference, for it is all that lists show."""
    headline, body = titled(post)
    mark = f" ({post.reference})"
    kept = cut(headline, TITLE.limit - count(mark, TITLE.unit), TITLE.unit)
    title = kept + mark if kept else post.reference
    text = compose_text(replace(post, headline="", body=body, override=None)).text
    lines = [line for line in text.splitlines() if line]
    parts = {
        "title": title,
        "description": cut(" ".join(body.split()) or headline, DESCRIPTION, TITLE.unit),
        "author": cut(post.author or post.agency, AUTHOR, TITLE.unit),
        "body": "\n".join(lines),
    }
    told = None if kept == headline else f"the headline is cut: Zalo's titles hold {TITLE.limit} characters"
    return Composed(
        text=GAP.join([title, *lines]),
        parts=parts,
        length=count(title, TITLE.unit),
        limit=TITLE.limit,
        unit=TITLE.unit,
        cut=told,
    )


def encode(composed: Composed, cover_url: str) -> dict[str, Any]:
    """The article. Each line is a paragraph of its own, and nothing in it can be taken for markup."""
    lines = composed.parts["body"].splitlines()
    return {
        "type": "normal",
        "title": composed.parts["title"],
        "author": composed.parts["author"],
        "description": composed.parts["description"],
        "cover": {"cover_type": "photo", "photo_url": cover_url, "status": "show"},
        "body": [{"type": "text", "content": line.replace("<", "&lt;").replace(">", "&gt;")} for line in lines],
        "status": "show",
        "comment": "show",
    }


def rehearsal(cover_url: str, at: datetime) -> dict[str, Any]:
    """An article that readers never see."""
    words = f"Loa rehearses {at.isoformat()}"
    parts = {"title": words, "description": words, "author": "Loa", "body": words}
    article = encode(Composed(text=words, parts=parts, length=len(words), limit=None, unit=TITLE.unit), cover_url)
    return {**article, "status": "hide", "comment": "hide"}


def listed(line: Mapping[str, Any], hidden: str) -> Listed:
    """One line of `getslice`, which shows the title and no body. Raises `ValueError` if it cannot be read."""
    stamp = float(str(line.get("create_date") or line.get("created_date")))
    at = datetime.fromtimestamp(stamp / 1000 if stamp > _SECONDS else stamp, UTC)
    is_shown = line.get("status") == "show"
    return Listed(
        str(line.get("id", "")),
        unescape(str(line.get("title", ""))),
        at,
        line.get("link_view"),
        None if is_shown else hidden,
    )
