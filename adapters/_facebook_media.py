"""Pictures and videos of a Facebook Page.

Source: Meta's pages on Page photos, attached media and Page videos (Graph API v25.0), read 2026-11-22. Pictures are
uploaded unpublished and then attached to a post, so nobody sees them before it, and our media host need not work.
Videos are fetched by the platform and become public once it has processed them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters._graph import Graph, Refusal
from adapters._readback import Listed
from broker.contract import Job, MediaFile, MediaNeeds, Tools
from broker.model import MediaKind
from broker.outcome import (
    Absent,
    Fault,
    Finding,
    Hidden,
    Live,
    Outcome,
    Pending,
    Rejected,
    Seen,
    Unavailable,
    Uncertain,
)

NEEDS = MediaNeeds(images=10, videos=1, image_bytes=4_000_000, video_bytes=1_000_000_000)
VIDEO_FIELDS = "id,description,created_time,permalink_url,published,privacy,status"
LOOK_AFTER = timedelta(seconds=10)


class PageMedia:
    """Of one Page."""

    def __init__(self, graph: Graph, tools: Tools) -> None:
        self._graph, self._tools = graph, tools

    async def photos(self, job: Job) -> dict[str, str] | Outcome | None:
        """What attaches the post's pictures to it; None if the platform or our folder will not have one of them."""
        attached: dict[str, str] = {}
        for n, medium in enumerate(job.composed.media):
            file = await self._tools.media.ready(medium, NEEDS) if self._tools.media else None
            if not isinstance(file, MediaFile):
                return None
            made = await self._graph.upload(f"{self._graph.node}/photos", job.gate, _hidden(file), file)
            if isinstance(made, Refusal):
                return None if isinstance(made.outcome, Rejected) else _repeatable(made.outcome)
            attached[f"attached_media[{n}]"] = f'{{"media_fbid":"{made}"}}'
        return attached

    async def film(self, job: Job) -> Outcome | None:
        """The post's video with its text; None if the platform cannot have it: nothing was made then."""
        shelf = self._tools.media
        file = await shelf.ready(job.composed.media[0], replace(NEEDS, by_url=True)) if shelf else None
        if not isinstance(file, MediaFile):
            return None
        form = {"file_url": f"{file.url}", "description": job.composed.text}
        match await self._graph.create(f"{self._graph.node}/videos", job.gate, form):
            case Refusal(Unavailable(Fault.MEDIA)):
                return None
            case Refusal(outcome):
                return outcome
            case made:
                return Pending(made, LOOK_AFTER)

    async def look(self, video_id: str, hidden: str) -> Finding:
        """How a video stands; `hidden`: what to do when readers cannot see it."""
        video = await self._graph.read(video_id, VIDEO_FIELDS)
        if not isinstance(video, dict):
            return video
        match (video.get("status") or {}).get("video_status"):
            case "ready" if video.get("published", True) and _is_for_everyone(video):
                return Live(video_id, _address(video), Seen.ACCOUNT)
            case "ready":
                return Hidden(hidden)
            case "error":
                return Rejected("video_error", "the platform could not process the video: export it anew as MP4")
            case "expired":
                return Absent()
            case _:
                return Pending(video_id, LOOK_AFTER)


def shows_film(job: Job) -> bool:
    return any(medium.kind is MediaKind.VIDEO for medium in job.composed.media)


def is_film(post_id: str) -> bool:
    """A post's id has its Page's before it; a video's does not."""
    return "_" not in post_id


def listed_film(video: Mapping[str, Any]) -> Listed:
    made_at = datetime.fromisoformat(video["created_time"])
    return Listed(video["id"], video.get("description", ""), made_at, _address(video))


def _address(video: Mapping[str, Any]) -> str | None:
    """The platform names it without its host."""
    link = video.get("permalink_url")
    return f"https://www.facebook.com{link}" if link and link.startswith("/") else link


def _is_for_everyone(video: Mapping[str, Any]) -> bool:
    return ((video.get("privacy") or {}).get("value") or "EVERYONE") == "EVERYONE"


def _repeatable(outcome: Outcome) -> Outcome:
    """Of an upload that nobody sees: whatever is uncertain about it, it may be made again."""
    return Unavailable(outcome.fault, outcome.detail) if isinstance(outcome, Uncertain) else outcome


def _hidden(file: MediaFile) -> dict[str, str]:
    return {"published": "false", **({"alt_text_custom": file.alt} if file.alt else {})}
