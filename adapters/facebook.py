"""Posts of one Facebook Page.

Source: Meta's pages on Page posts, the feed edge and error handling (Graph API v25.0), read 2026-11-22. Meta documents
no key of ours that it would keep: what an answer leaves open, the list of the Page's own posts decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from adapters._consent import never_renewed
from adapters._facebook_media import NEEDS, VIDEO_FIELDS, PageMedia, is_film, listed_film, shows_film
from adapters._graph import Graph, GraphSettings, Refusal
from adapters._meta_accounts import FacebookConnector
from adapters._readback import Listed, Page, search, window
from broker.contract import AdapterBase, Job, Profile, Step, TextLimit, Tools
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import Absent, Fault, Finding, Hidden, Live, NotSeen, Outcome, Rejected, Seen, Uncertain
from broker.rules.media import chosen
from broker.rules.text import compose_text

# Clients have met 63,206 as the most, in a unit nobody names: far below it no unit matters.
LIMIT = TextLimit(5000)
FIELDS = "id,message,created_time,permalink_url,is_published,privacy"
LINK_TROUBLE = frozenset({"1609005", "2061006"})
HIDDEN = (
    "readers cannot see the post, only people with a role in the app or on the Page: switch the app to live mode in"
    " Meta's developer console, and see in the Page's settings whether the Page is published"
)


class FacebookSettings(GraphSettings):
    """`[channels.NAME]` of a Page."""

    page_id: str | None = Field(None, pattern=r"^\d+$")
    """None: the Page whose token it is."""
    base_url: str = Field("https://graph.facebook.com", pattern=r"^https?://[^/]+/?$")
    oauth_url: str = Field("https://www.facebook.com", pattern=r"^https?://[^/]+/?$")
    redirect_url: str = Field("https://www.facebook.com/connect/login_success.html", pattern=r"^https?://\S+$")
    version: str = Field("v25.0", pattern=r"^v\d+\.\d+$")


def listed(post: Mapping[str, Any]) -> Listed:
    """One of the Page's posts as the list or a call by id shows it."""
    made_at = datetime.fromisoformat(post["created_time"])
    return Listed(post["id"], post.get("message", ""), made_at, post.get("permalink_url"), hidden(post))


def hidden(post: Mapping[str, Any]) -> str | None:
    """What to do when readers cannot see a post; None when they can."""
    audience = (post.get("privacy") or {}).get("value") or "EVERYONE"
    return None if post.get("is_published", True) and audience == "EVERYONE" else HIDDEN


class FacebookAdapter(AdapterBase):
    """One Page."""

    Settings = FacebookSettings

    def __init__(self, settings: FacebookSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self.profile = _profile(settings)
        self._graph = Graph(settings, tools, self.profile, settings.page_id or "me", self._token)
        self._feed = f"{self._graph.node}/feed"
        self._media = PageMedia(self._graph, tools)
        self.connector = FacebookConnector(settings, tools, self._graph, self._token)

    def compose(self, post: Post) -> Composed:
        """A preview of the link, or pictures, or a video."""
        composed = replace(compose_text(post, LIMIT), media=chosen(post, NEEDS))
        link = post.link or post.short_link
        return replace(composed, parts={"link": link}) if link and not composed.media else composed

    async def publish(self, job: Job) -> Outcome:
        """With its pictures or video; when the platform cannot have those, the text alone: news does not wait."""
        if not job.composed.media:
            return await self._post(job, job.composed.parts)
        if shows_film(job):
            return await self._media.film(job) or await self._post(job, {}, without="media_not_fetched")
        match await self._media.photos(job):
            case None:
                return await self._post(job, {}, without="media_not_fetched")
            case dict() as attached:
                return await self._post(job, attached)
            case outcome:
                return outcome

    async def _post(self, job: Job, rest: Mapping[str, str], without: str = "") -> Outcome:
        form = {"message": job.composed.text, **rest}
        made = await self._graph.create(self._feed, job.gate, form)
        if isinstance(made, Refusal) and "link" in form and _is_the_links_fault(made):
            made = await self._graph.create(self._feed, job.gate, {"message": form["message"]})
        url = f"https://www.facebook.com/{made}"
        return made.outcome if isinstance(made, Refusal) else Live(made, url, without=without)

    async def confirm(self, job: Job) -> Finding:
        """Whether a video was processed. One that the platform had, and does not know any more, was taken away."""
        found = await self._look(job.handle) if job.handle else await self.find(job)
        return Absent(removed=True) if isinstance(found, Absent) else found

    async def find(self, job: Job) -> Finding:
        if job.platform_id and not job.count:
            return await self._look(job.platform_id)
        if not shows_film(job):
            return await search(job, self._turn, window(job))
        found = await search(job, self._films, window(job))
        if isinstance(found, Live) and not found.extra:
            return await self._look(found.platform_id)
        return await search(job, self._turn, window(job)) if isinstance(found, NotSeen) else found

    async def edit(self, job: Job) -> Outcome:
        field = "description" if is_film(f"{job.platform_id}") else "message"
        reply = await self._graph.post(f"{job.platform_id}", job.gate, {field: job.composed.text})
        if isinstance(reply, Refusal):
            return reply.outcome
        if reply.get("success") is not True:
            return Uncertain(Fault.SERVER, "the edit was not confirmed")
        return Live(f"{job.platform_id}", job.url)

    async def delete(self, job: Job) -> Finding:
        if job.platform_id is None:
            return Rejected("no_id", "the id of the post is not known: delete it on the Page by hand")
        refused = await self._graph.remove(job.platform_id, job.gate)
        return refused.outcome if refused else await self._look(job.platform_id)

    async def probe(self) -> Outcome:
        return await self._graph.probe()

    async def rehearse(self) -> Outcome:
        """An unpublished post, made, read and deleted."""
        words = {"message": f"Loa rehearses {self._tools.clock.now().isoformat()}", "published": "false"}
        made = await self._graph.create(self._feed, None, words)
        if isinstance(made, Refusal):
            return made.outcome
        read = await self._graph.get(made, {"fields": FIELDS})
        refused = await self._graph.remove(made, None)
        for reply in (read, refused):
            if isinstance(reply, Refusal):
                return reply.outcome
        gone = await self._graph.read(made, "id")
        return Live(made) if isinstance(gone, Absent) else Rejected("left_over", f"delete the unpublished post {made}")

    async def _look(self, post_id: str) -> Finding:
        if is_film(post_id):
            return await self._media.look(post_id, HIDDEN)
        post = await self._graph.read(post_id, FIELDS)
        if not isinstance(post, dict):
            return post
        return Hidden(HIDDEN) if hidden(post) else Live(post_id, post.get("permalink_url"), Seen.ACCOUNT)

    async def _turn(self, after: str | None) -> Page | Outcome:
        """The Page's own posts only; the `feed` edge also shows what readers wrote on it."""
        return await self._graph.page(f"{self._graph.node}/published_posts", FIELDS, after, listed)

    async def _films(self, after: str | None) -> Page | Outcome:
        """Also those that are being processed."""
        return await self._graph.page(f"{self._graph.node}/videos", VIDEO_FIELDS, after, listed_film)

    async def _token(self) -> str:
        return (await self._tools.vault.pair(self._settings.seed, never_renewed)).access


def _is_the_links_fault(refusal: Refusal) -> bool:
    """A judgement on the link alone, so nothing was posted: not a fault of the platform, which might have."""
    return isinstance(refusal.outcome, Rejected) and not LINK_TROUBLE.isdisjoint(refusal.code.split("/"))


def _profile(settings: FacebookSettings) -> Profile:
    return Profile(
        adapter="facebook",
        operator="meta",
        country="US",
        login=settings.app,
        hosts=(settings.host,),
        steps=(Step("feed", StepClass.LIST),),
        text=LIMIT,
        media=NEEDS,
        abilities=frozenset({Verb.PROBE, Verb.CONFIRM, Verb.FIND, Verb.EDIT, Verb.DELETE, Verb.REHEARSE}),
        usual=timedelta(seconds=2),
    ).adjusted(settings)
