"""What readers of one channel would see, and what it would cost: asked before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from broker.contract import Particulars, Unsuited
from broker.engine.channels import Station
from broker.media.collection import Collection
from broker.model import Composed, MediaKind, Medium, Post, Reason, Role
from broker.report import MediaReport, PreviewReport, media_report
from broker.rules.sentences import sentence

QUOTA_WITHIN_S = 3.0
"""How long a platform may take to tell what is left; then the preview comes without it."""


async def previewed(
    station: Station, post: Post, role: Role, zone: tzinfo, collection: Collection | None
) -> PreviewReport:
    """One channel's preview. Its card is made, so that somebody can look at it, and removed after a day."""
    said: dict[str, Any] = {"channel": station.name, "role": role, "cost": station.channel.profile.cost}
    try:
        composed = station.adapter.compose(post)
    except Unsuited as error:
        why = sentence(Reason("unsuited", {"why": str(error)}), zone)
        return PreviewReport(**said, skipped=why, **_words(Composed(text="", unit="")))
    except ValueError as error:
        return PreviewReport(**said, problem=str(error), **_words(Composed(text="", unit="")))
    quota = await _quota(station)
    used, total = (quota.quota_used, quota.quota_total) if quota else (None, None)
    media = await _shown(composed.media, collection)
    return PreviewReport(**said, **_words(composed), media=media, quota_used=used, quota_total=total)


def _words(composed: Composed) -> dict[str, Any]:
    return {name: getattr(composed, name) for name in ("text", "parts", "length", "limit", "unit", "cut")}


async def _shown(media: Iterable[Medium], collection: Collection | None) -> list[MediaReport]:
    return [await _one_shown(medium, collection) for medium in media]


async def _one_shown(medium: Medium, collection: Collection | None) -> MediaReport:
    """Of a card's video only its picture is made."""
    if collection is None:
        return media_report(medium, None)
    if medium.card and medium.kind is MediaKind.VIDEO:
        await collection.show(replace(medium, name=medium.name.replace(".mp4", ".jpg"), kind=MediaKind.IMAGE))
        return media_report(medium, None)
    if medium.card:
        await collection.show(medium)
    return media_report(medium, collection.shelf.address(medium))


async def _quota(station: Station) -> Particulars | None:
    """What the platform says is left, if it says so in time."""
    connector = station.adapter.connector
    if connector is None:
        return None
    try:
        async with asyncio.timeout(QUOTA_WITHIN_S):
            found = await connector.particulars()
    except Exception:  # anybody's code; a preview without it is still one
        return None
    return found if isinstance(found, Particulars) else None
