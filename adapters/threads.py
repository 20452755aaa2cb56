"""Posts of one Threads account, in two steps: a container that nobody sees, then its publication.

Source: Meta's pages on Threads posts, deletes and long-lived tokens (v1.0), read 2026-11-22. A container is published
at most once and tells its own status, so its id, stored before the second step, decides what an answer left open.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from pydantic import Field

from adapters._containers import TEXT_ALONE, ContainerAdapter, ContainerSettings
from adapters._graph import Graph, Refusal
from adapters._meta_accounts import ThreadsConnector
from broker.contract import Job, MediaFile, MediaNeeds, Profile, Step, TextLimit, Tools, Unit
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import Absent, Fault, Finding, Live, Outcome, Rejected, Unavailable
from broker.rules.media import chosen
from broker.rules.text import compose_text

LIMIT = TextLimit(500, Unit.EMOJI_BYTES)
MEDIA = MediaNeeds(
    images=20, videos=20, mixed=True, image_bytes=8_000_000, video_bytes=1_000_000_000, width=(320, 1440), by_url=True
)
MOST_LINKS = 5
DOWNLOAD = "FAILED_DOWNLOADING"

_LINK = re.compile(r"https?://\S+")


class ThreadsSettings(ContainerSettings):
    """`[channels.NAME]` of a Threads account."""

    base_url: str = Field("https://graph.threads.net", pattern=r"^https?://[^/]+/?$")
    oauth_url: str = Field("https://threads.net", pattern=r"^https?://[^/]+/?$")
    version: str = Field("v1.0", pattern=r"^v\d+\.\d+$")


class ThreadsAdapter(ContainerAdapter):
    """One account."""

    Settings = ThreadsSettings
    grant, edge, status, text = "th", "threads", ("status", "error_message"), "text"
    connector: ThreadsConnector

    def __init__(self, settings: ThreadsSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self.profile = _profile(settings)
        self._graph = Graph(settings, tools, self.profile, settings.user_id or "me", self._token)
        self.connector = ThreadsConnector(settings, tools, self._graph, self._pair)

    def compose(self, post: Post) -> Composed:
        composed = compose_text(post, LIMIT)
        if (links := len(set(_LINK.findall(composed.text)))) > MOST_LINKS:
            raise ValueError(f"{links} links in one text: Threads takes {MOST_LINKS}, leave the others out")
        return replace(composed, media=chosen(post, MEDIA))

    async def publish(self, job: Job) -> Outcome | Absent:
        found = await super().publish(job)
        return _told(job, found) if isinstance(found, Live) else found

    async def find(self, job: Job) -> Finding:
        found = await super().find(job)
        return _told(job, found) if isinstance(found, Live) else found

    async def probe(self) -> Outcome:
        return await self._graph.probe()

    async def rehearse(self) -> Outcome:
        """A container that is never published; the platform drops it after 24 hours."""
        words = f"Loa rehearses {self._tools.clock.now().isoformat()}"
        made = await self._made(None, {"media_type": "TEXT", "text": words})
        if isinstance(made, Refusal):
            return made.outcome
        reply = await self._graph.get(made, {"fields": "status"})
        return reply.outcome if isinstance(reply, Refusal) else Live(made)

    async def _create(self, job: Job) -> str | Outcome:
        """With pictures and videos; the text alone when the platform cannot have them from us: news does not wait."""
        lost_before = job.handle == ""
        files = [] if lost_before else await self._files(job)
        made = await self._container(job, files) if files else None
        if isinstance(made, str):
            return made
        if isinstance(made, Refusal) and not isinstance(made.outcome, Rejected):
            return made.outcome
        alone = await self._made(job.gate, {"media_type": "TEXT", "text": job.composed.text})
        if isinstance(alone, Refusal):
            return alone.outcome
        return f"{alone}{TEXT_ALONE}" if job.composed.media else alone

    async def _files(self, job: Job) -> list[MediaFile]:
        """All of them, or none."""
        files: list[MediaFile] = []
        for medium in job.composed.media:
            file = await self._tools.media.ready(medium, MEDIA) if self._tools.media else None
            if not isinstance(file, MediaFile):
                return []
            files.append(file)
        return files

    def _source(self, file: MediaFile) -> dict[str, str]:
        kind = "VIDEO" if file.mime.startswith("video/") else "IMAGE"
        return {"media_type": kind, f"{kind.lower()}_url": f"{file.url}", "alt_text": file.alt}

    def _failed(self, why: str) -> Finding:
        if why.startswith(DOWNLOAD):
            return Unavailable(Fault.MEDIA, f"the platform could not fetch it from our media host ({why})")
        return Absent() if why in ("", "UNKNOWN") else Rejected(why, "the platform could not process it")

    async def used(self) -> tuple[int, int] | tuple[None, None]:
        return await self.connector.quota()


def _told(job: Job, live: Live) -> Live:
    return replace(live, without="media_not_fetched") if TEXT_ALONE in f"{job.handle}" else live


def _profile(settings: ThreadsSettings) -> Profile:
    return Profile(
        adapter="threads",
        operator="meta",
        country="US",
        login=settings.app,
        hosts=(settings.host,),
        steps=(Step("create", StepClass.INVISIBLE), Step("publish", StepClass.HANDLE)),
        text=LIMIT,
        media=MEDIA,
        abilities=frozenset({Verb.PROBE, Verb.CONFIRM, Verb.FIND, Verb.DELETE, Verb.REHEARSE}),
        usual=timedelta(seconds=4),
    ).adjusted(settings)
