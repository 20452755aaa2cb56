"""Text posts of one Threads account, in two steps: a container that nobody sees, then its publication.

Source: Meta's pages on Threads posts, deletes and long-lived tokens (v1.0), read 2026-11-22. A container is published
at most once and tells its own status, so its id, stored before the second step, decides what an answer left open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, Field

from adapters._graph import GONE, Graph, GraphSettings, Refusal, harmless
from adapters._meta_accounts import ThreadsConnector, long_token
from adapters._readback import Listed, Page, search, window
from broker.contract import AdapterBase, Gate, Job, Profile, Step, TextLimit, TokenPair, Tools, Unit
from broker.model import Composed, Post, StepClass, Verb
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
from broker.rules.text import compose_text

LIMIT = TextLimit(500, Unit.EMOJI_BYTES)
MOST_LINKS = 5
TOKEN_LIFE = timedelta(days=60)
CONTAINER_LIFE = timedelta(hours=24)
NOW, SOON = timedelta(0), timedelta(seconds=1)
STUCK_AFTER = timedelta(minutes=5)
LISTS_LAG = timedelta(seconds=3)
QUOTA_WAIT = timedelta(minutes=15)

_LINK = re.compile(r"https?://\S+")
NOT_READY = frozenset({"24/2207008", "24/4279009"})
"""Not ready, unknown, expired or published already: it looks the same each time."""


class ThreadsSettings(GraphSettings):
    """`[channels.NAME]` of a Threads account."""

    user_id: str | None = Field(None, pattern=r"^\d+$")
    """None: the account whose token it is."""
    token_at: AwareDatetime | None = None
    """When the long-lived token was issued: it lives 60 days, and is renewed in time only if this is known."""
    base_url: str = Field("https://graph.threads.net", pattern=r"^https?://[^/]+/?$")
    oauth_url: str = Field("https://threads.net", pattern=r"^https?://[^/]+/?$")
    redirect_url: str = Field("https://localhost/", pattern=r"^https?://\S+$")
    version: str = Field("v1.0", pattern=r"^v\d+\.\d+$")

    @property
    def seed(self) -> TokenPair:
        ends_at = self.token_at + TOKEN_LIFE if self.token_at else None
        return replace(super().seed, issued_at=self.token_at, expires_at=ends_at)


def listed(post: Mapping[str, Any]) -> Listed:
    return Listed(post["id"], post.get("text", ""), datetime.fromisoformat(post["timestamp"]), post.get("permalink"))


def handle_of(container: str, made_at: datetime) -> str:
    """A container's id with its time of making, which the platform does not tell."""
    return f"{container}@{made_at.timestamp():.0f}"


class ThreadsAdapter(AdapterBase):
    """One account."""

    Settings = ThreadsSettings
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
        return composed

    async def publish(self, job: Job) -> Outcome | Absent:
        if is_fresh := job.handle is None:
            made = await self._create(job.composed.text, job.gate)
            if isinstance(made, Refusal):
                return made.outcome
            await job.keep(made)
        handle = f"{job.handle}"
        match await self._by_container(job, handle):
            case Unfinished(_, wait) if not wait:
                return await self._make_public(job, handle)
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
        return await self._by_container(job, job.handle) if job.handle else Absent()

    async def delete(self, job: Job) -> Finding:
        if job.platform_id is None:
            return Rejected("no_id", "the id of the post is not known: delete it in Threads by hand")
        refused = await self._graph.remove(job.platform_id, job.gate)
        return refused.outcome if refused else await self._look(job.platform_id)

    async def probe(self) -> Outcome:
        return await self._graph.probe()

    async def rehearse(self) -> Outcome:
        """A container that is never published; the platform drops it after 24 hours."""
        made = await self._create(f"Loa rehearses {self._tools.clock.now().isoformat()}", None)
        if isinstance(made, Refusal):
            return made.outcome
        reply = await self._graph.get(_container(made), {"fields": "status"})
        return reply.outcome if isinstance(reply, Refusal) else Live(_container(made))

    async def _create(self, text: str, gate: Gate | None) -> str | Refusal:
        """The handle of a new container; whatever happens here, nobody sees it."""
        made = await self._graph.create(f"{self._graph.node}/threads", gate, {"media_type": "TEXT", "text": text})
        return harmless(made) if isinstance(made, Refusal) else handle_of(made, self._tools.clock.now())

    async def _make_public(self, job: Job, handle: str) -> Outcome | Absent:
        form = {"creation_id": _container(handle)}
        made = await self._graph.create(f"{self._graph.node}/threads_publish", job.gate, form)
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
        """Why a container that is ready was refused: no code is documented for a quota that is used up."""
        used, total = await self.connector.quota()
        if used is not None and total is not None and used >= total:
            return Throttled(QUOTA_WAIT)
        if refusal.code in NOT_READY:
            return Unavailable(Fault.SERVER, f"a container that is ready was refused ({refusal.code})")
        return refusal.outcome

    async def _by_container(self, job: Job, handle: str) -> Finding:
        """What the container's status says; `Unfinished` without a wait: it is ready and not published."""
        reply = await self._graph.get(_container(handle), {"fields": "status,error_message"})
        if isinstance(reply, Refusal):
            return await search(job, self._turn, window(job)) if reply.code == GONE else reply.outcome
        match reply.get("status"), reply.get("error_message"):
            case "PUBLISHED", _:
                return await self._published(job, handle)
            case "FINISHED", _:
                return Unfinished(handle, NOW)
            case "IN_PROGRESS", _:
                return self._in_progress(handle)
            case "EXPIRED", _:
                return Absent()
            case "ERROR", "UNKNOWN" | None:
                return Absent()
            case "ERROR", why:
                return Rejected(f"{why}", "the platform could not process it")
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
        return await self._graph.page(f"{self._graph.node}/threads", "id,text,timestamp,permalink", after, listed)

    async def _token(self) -> str:
        return (await self._pair()).access

    async def _pair(self) -> TokenPair:
        return await self._tools.vault.pair(self._settings.seed, self._renewed)

    async def _renewed(self, pair: TokenPair) -> TokenPair | Outcome:
        """Sixty more days. The old token stays good, so nothing is burned when the answer is lost."""
        reply = await self._graph.get("/refresh_access_token", {"grant_type": "th_refresh_token"}, token=pair.access)
        if isinstance(reply, Refusal):
            return reply.outcome
        return long_token(reply, self._tools.clock.now()) or Unavailable(Fault.SERVER, "a new token nobody can read")


def _container(handle: str) -> str:
    return handle.partition("@")[0]


def _made_at(handle: str) -> datetime:
    return datetime.fromtimestamp(int(handle.partition("@")[2]), UTC)


def _profile(settings: ThreadsSettings) -> Profile:
    return Profile(
        adapter="threads",
        operator="meta",
        country="US",
        login=settings.app,
        hosts=(settings.host,),
        steps=(Step("create", StepClass.INVISIBLE), Step("publish", StepClass.HANDLE)),
        text=LIMIT,
        abilities=frozenset({Verb.PROBE, Verb.CONFIRM, Verb.FIND, Verb.DELETE, Verb.REHEARSE}),
        usual=timedelta(seconds=4),
    ).adjusted(settings)
