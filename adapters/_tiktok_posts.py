"""What TikTok tells of our posts, by `publish_id`, by id and in a list. Source: as in `adapters._tiktok`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters._readback import Listed, Page
from adapters._tiktok import TiktokApi
from broker.outcome import Absent, Fault, Finding, Live, NotSeen, Outcome, Seen, Unavailable

UPLOAD_LIFE = timedelta(minutes=70)
"""TikTok's hour, and some minutes in which it may count what came in the last one."""
_UNREADABLE = Unavailable(Fault.SERVER, "an answer that nobody can read")


@dataclass(frozen=True, slots=True)
class Handle:
    """A publication; of a video also its size, since when its upload is open, and where its bytes go."""

    publish_id: str
    size_bytes: int = 0
    since: int = 0
    upload_url: str = ""

    @classmethod
    def of(cls, text: str) -> Handle:
        publish_id, size, since, url = [*text.split(" "), "0", "0", ""][:4]
        return cls(publish_id, int(size), int(since), url)

    def __str__(self) -> str:
        parts = (self.publish_id, str(self.size_bytes), str(self.since), self.upload_url)
        return " ".join(parts) if self.upload_url else self.publish_id

    def is_over(self, now: datetime) -> bool:
        return now > datetime.fromtimestamp(self.since, UTC) + UPLOAD_LIFE


@dataclass(frozen=True, slots=True)
class Publication:
    """How a publication stands, in TikTok's words."""

    handle: Handle
    status: str
    arrived: int | None
    """Bytes of an upload; None where TikTok does not say."""
    post_id: str | None
    """Once it is public."""
    why: str
    """Of a failure."""

    @property
    def waits_for_bytes(self) -> bool:
        is_upload = self.status == "PROCESSING_UPLOAD" and self.arrived is not None
        return is_upload and (self.arrived or 0) < self.handle.size_bytes


class Posts:
    """Questions about the posts of one account."""

    def __init__(self, api: TiktokApi) -> None:
        self._api = api

    async def publication(self, handle: str) -> Publication | Outcome:
        known = Handle.of(handle)
        match await self._api.question("/v2/post/publish/status/fetch/", {"publish_id": known.publish_id}):
            case {"status": str(status), **rest}:
                arrived, ids = rest.get("uploaded_bytes"), rest.get("publicaly_available_post_id")
                post_id = str(ids[0]) if isinstance(ids, list) and ids else None
                count = arrived if isinstance(arrived, int) else None
                return Publication(known, status, count, post_id, str(rest.get("fail_reason") or "no reason given"))
            case answer:
                return _UNREADABLE if isinstance(answer, Mapping) else answer

    async def live(self, post_id: str) -> Live:
        """A post that TikTok has just called public; its address may be known a little later."""
        shown = await self._shown(post_id)
        url = shown.get(post_id) if isinstance(shown, dict) else None
        return Live(post_id, url, Seen.ACCOUNT if url else None)

    async def still_shown(self, post_id: str, neighbour: str | None, now: datetime) -> Finding:
        """Gone is what TikTok does not know by its id while it knows our neighbouring post."""
        shown = await self._shown(post_id, *([neighbour] if neighbour else []))
        if not isinstance(shown, dict):
            return shown
        if post_id in shown:
            return Live(post_id, shown[post_id], Seen.ACCOUNT)
        return NotSeen(now, neighbour=False) if neighbour and neighbour not in shown else Absent()

    async def _shown(self, *ids: str) -> dict[str, str | None] | Outcome:
        """Those of these posts that are public, with their addresses."""
        filters = {"filters": {"video_ids": ids}}
        match await self._api.question("/v2/video/query/", filters, fields="id,share_url"):
            case {"videos": [*videos]} if all(isinstance(video, dict) for video in videos):
                return {str(video.get("id")): video.get("share_url") for video in videos}
            case answer:
                return _UNREADABLE if isinstance(answer, Mapping) else answer

    async def page(self, after: str | None) -> Page | Outcome:
        """Twenty posts, newest first."""
        body: dict[str, Any] = {"max_count": 20, **({"cursor": int(after)} if after else {})}
        match await self._api.question("/v2/video/list/", body, fields="id,title,create_time,share_url"):
            case {"videos": [*videos], **rest}:
                try:
                    posts = [_listed(video) for video in videos]
                except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
                    return _UNREADABLE
                cursor = rest.get("cursor")
                return Page(posts, str(cursor) if rest.get("has_more") and isinstance(cursor, int) else None)
            case answer:
                return _UNREADABLE if isinstance(answer, Mapping) else answer


def _listed(video: Mapping[str, Any]) -> Listed:
    """One line of the account's list, which shows public posts only."""
    at = datetime.fromtimestamp(video["create_time"], UTC)
    return Listed(str(video["id"]), str(video.get("title") or ""), at, video.get("share_url"))
