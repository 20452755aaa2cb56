"""Articles of a Zalo Official Account: created, verified by token until they have an id, read back by our account.

Source: as in `adapters._zalo`. `create` answers with a processing token; `verify` trades it for the article's id once
Zalo has fetched the cover. Zalo keeps no key of ours, so the title carries the reference, which `getslice` shows.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from adapters._http import host_of
from adapters._readback import Page, search, window
from adapters._zalo import Reply, ZaloApi, ZaloAppSettings, classify
from adapters._zalo_account import ZaloConnector
from adapters._zalo_articles import compose, encode, rehearsal
from adapters._zalo_calls import HIDDEN, Articles, account, unanswered
from broker.contract import AdapterBase, ChannelSettings, Job, Path, Profile, Step, Tools
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Finding,
    Hidden,
    Live,
    NotSeen,
    Outcome,
    Pending,
    Rejected,
    Seen,
    Unavailable,
    Uncertain,
)

_MOST_PAGES = 100
_FIRST_CHECK, _LAST_CHECK = timedelta(seconds=1), timedelta(minutes=1)


class ZaloSettings(ZaloAppSettings):
    """`[channels.NAME]` of a Zalo Official Account's articles."""

    cover_url: str = Field(pattern=r"^https?://")
    """Picture above every article, at most 1 MB, on a public address: Zalo takes no article without one."""
    article_url: str | None = Field(default=None, pattern=r"^https?://.*\{id\}")
    """Where readers find an article, with `{id}`; by default the link Zalo's list gives."""


PROFILE = Profile(
    adapter="zalo",
    operator="vng",
    country="VN",
    path=Path.DOMESTIC,
    steps=(Step("create", StepClass.LIST),),
    abilities=frozenset({Verb.PROBE, Verb.CONFIRM, Verb.FIND, Verb.EDIT, Verb.DELETE, Verb.REHEARSE}),
    usual=timedelta(seconds=6),
    max_in_flight=4,
    rate_per_s=2.0,
)


class ZaloAdapter(AdapterBase):
    """Publishes articles of one Official Account."""

    Settings: ClassVar[type[ChannelSettings]] = ZaloSettings

    def __init__(self, settings: ZaloSettings, tools: Tools) -> None:
        self._settings, self._clock = settings, tools.clock
        hosts = (host_of(settings.base_url), host_of(settings.oauth_url))
        self.profile = replace(PROFILE, login=f"zalo app {settings.app_id}", hosts=hosts).adjusted(settings)
        self._api = ZaloApi(settings, tools, self.profile)
        self._articles = Articles(self._api)
        self.connector = ZaloConnector(settings, tools, self._api)
        self._rehearsal: str | None = None

    def compose(self, post: Post) -> Composed:
        return compose(post)

    async def publish(self, job: Job) -> Outcome:
        if job.handle:
            return await self._followed(job, job.handle)
        return await self._submitted(job, "create", encode(job.composed, self._settings.cover_url))

    async def edit(self, job: Job) -> Outcome:
        article = encode(job.composed, self._settings.cover_url)
        return await self._submitted(job, "update", {"id": job.platform_id, **article})

    async def confirm(self, job: Job) -> Finding:
        found = await self._verified(job, job.handle) if job.handle else None
        return found or await self._listed(job)

    async def find(self, job: Job) -> Finding:
        if job.count:
            return await self._listed(job)
        if job.platform_id:
            return await self._still_shown(job, job.platform_id)
        return await self.confirm(job)

    async def delete(self, job: Job) -> Finding:
        article_id = job.platform_id or ""
        match await self._api.call("POST", "/v2.0/article/remove", gate=job.gate, json_body={"id": article_id}):
            case Reply(code=0 | -201, blames_token=False):  # -201: removed before
                found = await self._shown(article_id)
                still = Uncertain(Fault.SERVER, "Zalo took the removal and still shows the article")
                return still if isinstance(found, Live) else Absent() if found in (None, Hidden(HIDDEN)) else found
            case other:
                return classify(other, wrote=True)

    async def probe(self) -> Outcome:
        return await account(self._api, self._settings.oa_id)

    async def rehearse(self) -> Outcome:
        """A hidden article, created and removed. `Pending`: Zalo still works on it, so call again."""
        if self._rehearsal is None:
            article = rehearsal(self._settings.cover_url, self._clock.now())
            made = await self._articles.submit("create", article, None)
            if not isinstance(made, str):
                return unanswered(made)
            self._rehearsal = made
        return await self._rehearsed(self._rehearsal)

    async def _rehearsed(self, token: str) -> Outcome:
        found = await self._articles.id_of(token)
        if found is None:
            return Pending(token, _FIRST_CHECK)
        self._rehearsal = None
        if not isinstance(found, str):
            return Unavailable(Fault.SERVER, "Zalo has lost the article") if isinstance(found, Absent) else found
        gone = await self._api.call("POST", "/v2.0/article/remove", json_body={"id": found})
        is_gone = isinstance(gone, Reply) and gone.code == 0
        return Live(found) if is_gone else Rejected("left_over", f"remove the hidden article {found}")

    async def _submitted(self, job: Job, call: str, article: dict[str, Any]) -> Outcome:
        token = await self._articles.submit(call, article, job.gate)
        if not isinstance(token, str):
            return token
        await job.keep(token)
        return await self._followed(job, token)

    async def _followed(self, job: Job, token: str) -> Outcome:
        """Zalo has the article: a question that fails from here on changes nothing about that."""
        match await self._verified(job, token):
            case Live() | Rejected() as found:
                return found
            case Hidden(detail):
                return Denied(detail)
            case _:
                return Pending(token, self._wait(job))

    def _wait(self, job: Job) -> timedelta:
        """A quarter of the time it has taken so far."""
        return min(max((self._clock.now() - job.started_at) / 4, _FIRST_CHECK), _LAST_CHECK)

    async def _verified(self, job: Job, token: str) -> Finding | None:
        """What the processing token proves; None: nothing, so the list must be asked."""
        later = Pending(token, self._wait(job))
        match await self._articles.id_of(token):
            case str(article_id):
                return await self._shown(article_id) or later
            case None:
                return later
            case Absent():
                return None
            case outcome:
                return outcome

    async def _shown(self, article_id: str) -> Finding | None:
        """The article as our account reads it; None: Zalo says that it knows no such article."""
        match await self._api.call("GET", "/v2.0/article/getdetail", params={"id": article_id}):
            case Reply(code=0, data={"status": "show"}):
                return Live(article_id, self._url(article_id), Seen.ACCOUNT)
            case Reply(code=0, data={"status": str()}):
                return Hidden(HIDDEN)
            case Reply(code=0):
                return Unavailable(Fault.SERVER, "unreadable article")
            case Reply(code=-201, blames_token=False):
                return None
            case other:
                return unanswered(other)

    async def _still_shown(self, job: Job, article_id: str) -> Finding:
        """A live article again; gone only if the list misses it too: no page tells the code of a removed one."""
        found = await self._shown(article_id)
        if isinstance(found, Live) and not (found.url or job.url):
            page = await self._articles.page(None)
            links = {line.id: line.url for line in page.posts} if isinstance(page, Page) else {}
            return replace(found, url=links.get(article_id))
        if found is None:
            found = await self._listed(job)
            is_gone = isinstance(found, NotSeen) and found.back_to <= window(job) and found.neighbour is not False
            return Absent() if is_gone else found
        return found

    async def _listed(self, job: Job) -> Finding:
        """Our article among the account's, of which the list shows the titles."""
        titled = replace(job, composed=replace(job.composed, text=job.composed.parts["title"]))
        return await search(titled, self._articles.page, window(job), most_pages=_MOST_PAGES)

    def _url(self, article_id: str) -> str | None:
        return self._settings.article_url.replace("{id}", article_id) if self._settings.article_url else None
