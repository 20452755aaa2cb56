"""Headline and body apart, for platforms that show both: pages, feeds, mail, events."""

from __future__ import annotations

from broker.model import Post
from broker.rules.text import normal


def titled(post: Post) -> tuple[str, str]:
    """Headline (one line) and body (may be ""); of the desk's own text for the channel, its first line and the rest."""
    headline, body = post.headline, post.body
    if override := normal(post.override or ""):
        headline, _, body = override.partition("\n")
    return " ".join(headline.split()), normal(body)
