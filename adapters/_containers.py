"""Posts in two steps, as Meta has them: a container that nobody sees, then its publication, at most once.

Source: Meta's pages on content publishing, read 2026-11-22. A container tells its own status, so its id, stored before
the second step, decides what an answer left open; docs/adapters/instagram.md has the table.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from adapters._graph import ERRORS, GONE, Graph, GraphSettings, Means, Refusal, harmless
from adapters._meta_accounts import long_token
from adapters._readback import Listed, Page, search, window
from broker.contract import AdapterBase, Gate, Job, MediaFile, Profile, TokenPair, Tools
from broker.outcome import (
    Absent,
    Fault,
    Finding,
    Hidden,
    Live,
    NotSeen,
    Outcome,
    Pending,
    Rejected,
    Seen,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
)

TOKEN_LIFE = timedelta(days=60)
CONTAINER_LIFE = timedelta(hours=24)
NOW, SOON = timedelta(0), timedelta(seconds=1)
STUCK_AFTER = timedelta(minutes=5)
LISTS_LAG = timedelta(seconds=3)
QUOTA_WAIT = timedelta(minutes=15)
NOT_READY = frozenset({"24/2207008", "24/2207006", "24/4279009", "9007/2207027"})
"""Not ready, unknown, expired or published already: the container says which."""

TEXT_ALONE = "~text"
"""Marks a container that was made without the pictures and videos that were to be shown."""


def handle_of(container: str, made_at: datetime) -> str:
    """A container's id with its time of making, which the platform does not tell."""
    return f"{container}@{made_at.timestamp():.0f}"


class ContainerSettings(GraphSettings):
    """What both platforms need."""

    user_id: str | None = Field(None, pattern=r"^\d+$")
    """None: the account whose token it is."""
    token_at: AwareDatetime | None = None
    """When the long-lived token was issued: it lives 60 days, and is renewed in time only if this is known."""
    redirect_url: str = Field("https://localhost/", pattern=r"^https?://\S+$")

    @property
    def seed(self) -> TokenPair:
        ends_at = self.token_at + TOKEN_LIFE if self.token_at else None
        return replace(super().seed, issued_at=self.token_at, expires_at=ends_at)


class ContainerAdapter(AdapterBase):
    """One account whose posts are containers first."""

    grant: ClassVar[str]
    """What the platform's grants of tokens begin with."""
    edge: ClassVar[str]
    """Where containers are made and posts are listed; with `_publish` where they become public."""
    status: ClassVar[tuple[str, str]]
    """The fields of a container that say how it stands, and why it failed."""
    text: ClassVar[str]
    """The field of a post's words."""
    profile: Profile
    _settings: ContainerSettings
    _graph: Graph
    _tools: Tools

    @abstractmethod
    async def _create(self, job: Job) -> str | Outcome:
        """The id of a new container; whatever happens here, nobody sees it."""

    @abstractmethod
    def _source(self, file: MediaFile) -> dict[str, str]:
        """A picture or video as a field of a container."""

    @abstractmethod
    def _failed(self, why: str) -> Finding:
        """What a container's failure means; `Absent`: another one may do better."""

    async def publish(self, job: Job) -> Outcome | Absent:
        if is_fresh := not job.handle:
            made = await self._create(job)
            if not isinstance(made, str):
                return made
            await job.keep(handle_of(made, self._tools.clock.now()))
        handle = f"{job.handle}"
        match await self._by_container(job, handle):
            case Unfinished(_, wait) if not wait:
                return await self._make_public(job, handle)
            case Unavailable(Fault.MEDIA) as lost:
                await job.keep("")  # this container is dead: the next attempt makes another
                return lost
            case NotSeen() if is_fresh:
                return Unfinished(handle, SOON)
            case NotSeen() | Hidden():
                return Uncertain(Fault.SERVER, "the platform does not know the container of this post any more")
            case finding:
                return finding

    async def confirm(self, job: Job) -> Finding:
        return await self.find(job)

    async def find(self, job: Job) -> Finding:
        """Without a container nothing can have been published."""
        if job.count:
            return await search(job, self._turn, window(job))
        if job.platform_id:
            return await self._look(job.platform_id)
        found = await self._by_container(job, job.handle) if job.handle else Absent()
        is_dead = isinstance(found, Unavailable) and found.fault is Fault.MEDIA
        return Absent() if is_dead else found

    async def delete(self, job: Job) -> Finding:
        if job.platform_id is None:
            return Rejected("no_id", "the id of the post is not known: delete it in the app by hand")
        refused = await self._graph.remove(job.platform_id, job.gate)
        return refused.outcome if refused else await self._look(job.platform_id)

    async def _container(self, job: Job, files: Sequence[MediaFile]) -> str | Refusal:
        """Of one file, or a carousel of several; whatever is lost here, nobody sees it."""
        text = {self.text: job.composed.text}
        if len(files) == 1:
            return await self._made(job.gate, {**self._source(files[0]), **text})
        children: list[str] = []
        for file in files:
            child = await self._made(job.gate, {**self._source(file), "is_carousel_item": "true"})
            if isinstance(child, Refusal):
                return child
            children.append(child)
        return await self._made(job.gate, {"media_type": "CAROUSEL", "children": ",".join(children), **text})

    async def _made(self, gate: Gate | None, form: Mapping[str, str]) -> str | Refusal:
        made = await self._graph.create(f"{self._graph.node}/{self.edge}", gate, form)
        return harmless(made) if isinstance(made, Refusal) else made

    async def _make_public(self, job: Job, handle: str) -> Outcome | Absent:
        form = {"creation_id": container_of(handle)}
        made = await self._graph.create(f"{self._graph.node}/{self.edge}_publish", job.gate, form)
        if isinstance(made, str):
            shown = await self._look(made, within=self.profile.connect_timeout)
            return shown if isinstance(shown, Live) else Live(made)
        is_judged = isinstance(made.outcome, Rejected) or made.code == GONE
        return await self._refused(job, handle, made) if is_judged else made.outcome

    async def _refused(self, job: Job, handle: str, refusal: Refusal) -> Outcome | Absent:
        """A refused publication may be a second one: the container knows."""
        match await self._by_container(job, handle):
            case Unfinished(_, wait) if not wait:
                return await self._quota(refusal)
            case Live() | Pending() | Absent() | Rejected() | Unfinished() as finding:
                return finding
            case _:
                return Uncertain(Fault.SERVER, f"refused ({refusal.code}), and its container cannot be read")

    async def _quota(self, refusal: Refusal) -> Outcome:
        """Why a container that is ready was refused: it may be a quota that is used up, whatever the code says."""
        used, total = await self.used()
        if used is not None and total is not None and used >= total:
            return Throttled(QUOTA_WAIT)
        if refusal.code in NOT_READY:
            return Unavailable(Fault.SERVER, f"a container that is ready was refused ({refusal.code})")
        return refusal.outcome

    @abstractmethod
    async def used(self) -> tuple[int, int] | tuple[None, None]:
        """Posts of the last 24 hours, and the most there may be; None where the platform does not tell."""

    async def _by_container(self, job: Job, handle: str) -> Finding:
        """What the container's status says; `Unfinished` without a wait: it is ready and not published."""
        reply = await self._graph.get(container_of(handle), {"fields": ",".join(self.status)})
        if isinstance(reply, Refusal):
            return await search(job, self._turn, window(job)) if reply.code == GONE else reply.outcome
        match reply.get(self.status[0]):
            case "PUBLISHED":
                return await self._published(job, handle)
            case "FINISHED":
                return Unfinished(handle, NOW)
            case "IN_PROGRESS":
                return self._in_progress(handle)
            case "EXPIRED":
                return Absent()
            case "ERROR":
                return self._failed(str(reply.get(self.status[1]) or ""))
            case _:
                return Unavailable(Fault.SERVER, "a container status that nobody can read")

    def _in_progress(self, handle: str) -> Outcome:
        """Asked at growing intervals. Once it is stuck another container would be no safer: this may still come out."""
        age = self._tools.clock.now() - _made_at(handle)
        if age > STUCK_AFTER:
            return Unavailable(Fault.SERVER, "the platform does not finish processing it")
        return Unfinished(handle, max(SOON, age / 4))

    async def _published(self, job: Job, handle: str) -> Finding:
        """The post of a published container, which names no id: our own list shows it, a little later."""
        found = await search(job, self._turn, self._tools.clock.now() - CONTAINER_LIFE)
        return Pending(handle, LISTS_LAG) if isinstance(found, NotSeen) else found

    async def _look(self, post_id: str, within: timedelta | None = None) -> Finding:
        post = await self._graph.read(post_id, "id,permalink", within=within)
        return Live(post_id, post.get("permalink"), Seen.ACCOUNT) if isinstance(post, dict) else post

    async def _turn(self, after: str | None) -> Page | Outcome:
        fields = f"id,{self.text},timestamp,permalink"
        return await self._graph.page(f"{self._graph.node}/{self.edge}", fields, after, self._listed)

    def _listed(self, post: Mapping[str, Any]) -> Listed:
        at = datetime.fromisoformat(post["timestamp"])
        return Listed(post["id"], post.get(self.text, ""), at, post.get("permalink"))

    async def _token(self) -> str:
        return (await self._pair()).access

    async def _pair(self) -> TokenPair:
        return await self._tools.vault.pair(self._settings.seed, self._renewed)

    async def _renewed(self, pair: TokenPair) -> TokenPair | Outcome:
        """Sixty more days. The old token stays good, so nothing is burned when the answer is lost."""
        query = {"grant_type": f"{self.grant}_refresh_token"}
        reply = await self._graph.get("/refresh_access_token", query, token=pair.access)
        if isinstance(reply, Refusal):
            return reply.outcome
        return long_token(reply, self._tools.clock.now()) or Unavailable(Fault.SERVER, "a new token nobody can read")


def failure(code: str, words: str) -> Finding:
    """What a container's failure by this code of Meta's means."""
    known = ERRORS.get(code)
    if known and known.means is Means.MEDIA:
        return Unavailable(Fault.MEDIA, f"{known.say} ({code})")
    if known and known.means is Means.REJECTED:
        return Rejected(code, f"{known.say}: {words}")
    return Absent()


def container_of(handle: str) -> str:
    return handle.partition("@")[0].removesuffix(TEXT_ALONE)


def _made_at(handle: str) -> datetime:
    return datetime.fromtimestamp(int(handle.partition("@")[2]), UTC)
