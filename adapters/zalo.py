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
from adapters._zalo import CODES, Reply, ZaloApi, ZaloAppSettings, classify
from adapters._zalo_account import GET_OA, ZaloConnector
from adapters._zalo_articles import compose, encode, listed, rehearsal
from broker.contract import AdapterBase, ChannelSettings, Job, Path, Profile, Step, Tools
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Finding,
    Live,
    NotSeen,
    Outcome,
    Pending,
    Rejected,
    Seen,
    Unavailable,
    Uncertain,
)

_PAGE, _MOST_PAGES = 10, 100
_FIRST_CHECK, _LAST_CHECK = timedelta(seconds=1), timedelta(minutes=1)
_POLICY = -248
_HIDDEN = Denied("Zalo hides the article from readers: look in the OA's console why, and set it to show")
_NO_COVER = Rejected("-200", "Zalo could not fetch the cover picture: check cover_url (public, at most 1 MB)")


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
                found = await self._shown(article_id, hidden=Absent()) or Absent()
                still = Uncertain(Fault.SERVER, "Zalo took the removal and still shows the article")
                return still if isinstance(found, Live) else found
            case other:
                return classify(other, wrote=True)

    async def probe(self) -> Outcome:
        wanted = self._settings.oa_id
        match await self._api.call("GET", GET_OA):
            case Reply(code=0, data={"oa_id": oa_id} | {"oaid": oa_id}) if wanted not in (None, str(oa_id)):
                return Denied(f"the token belongs to the account {oa_id}, not to {wanted}: correct oa_id or the token")
            case Reply(code=0):
                return Live(wanted or "zalo")
            case other:
                return classify(other, wrote=False)

    async def rehearse(self) -> Outcome:
        """A hidden article, created and removed. `Pending`: Zalo still works on it, so call again."""
        if self._rehearsal is None:
            article = rehearsal(self._settings.cover_url, self._clock.now())
            match await self._api.call("POST", "/v2.0/article/create", json_body=article):
                case Reply(code=0, data={"token": str(token)}):
                    self._rehearsal = token
                case other:
                    return _unanswered(other) if isinstance(other, Outcome) else classify(other, wrote=False)
        return await self._rehearsed(self._rehearsal)

    async def _rehearsed(self, token: str) -> Outcome:
        match await self._api.call("POST", "/v2.0/article/verify", json_body={"token": token}):
            case Reply(code=0, data={"id": str(article_id)} | {"article_id": str(article_id)}):
                self._rehearsal = None
                gone = await self._api.call("POST", "/v2.0/article/remove", json_body={"id": article_id})
                is_gone = isinstance(gone, Reply) and gone.code == 0
                return Live(article_id) if is_gone else Rejected("left_over", f"remove the hidden article {article_id}")
            case Reply(message=message) if "process" in message.lower():
                return Pending(token, _FIRST_CHECK)
            case other:
                self._rehearsal = None
                return (
                    _NO_COVER if isinstance(other, Reply) and "media" in other.message.lower() else _unanswered(other)
                )

    async def _submitted(self, job: Job, call: str, article: dict[str, Any]) -> Outcome:
        match await self._api.call("POST", f"/v2.0/article/{call}", gate=job.gate, json_body=article):
            case Reply(code=0, data={"token": str(token)}) if token:
                await job.keep(token)
                return await self._followed(job, token)
            case Reply(code=0):
                return Uncertain(Fault.SERVER, "Zalo took the article and gave no token")
            case other:
                return classify(other, wrote=True)

    async def _followed(self, job: Job, token: str) -> Outcome:
        """Zalo has the article: a question that fails from here on changes nothing about that."""
        found = await self._verified(job, token)
        return found if isinstance(found, Live | Rejected) or found is _HIDDEN else Pending(token, self._wait(job))

    def _wait(self, job: Job) -> timedelta:
        """A quarter of the time it has taken so far."""
        return min(max((self._clock.now() - job.started_at) / 4, _FIRST_CHECK), _LAST_CHECK)

    async def _verified(self, job: Job, token: str) -> Finding | None:
        """What the processing token proves; None: nothing, so the list must be asked."""
        later = Pending(token, self._wait(job))
        match await self._api.call("POST", "/v2.0/article/verify", json_body={"token": token}):
            case Reply(code=0, data={"id": str(article_id)} | {"article_id": str(article_id)}) if article_id:
                return await self._shown(article_id) or later
            case Reply(code=0):
                return later
            case Reply(message=message) if "process" in message.lower():
                return later
            case Reply(code=-200, message=message) if "media" in message.lower():
                return _NO_COVER
            case other:
                answer = classify(other, wrote=False)
                return None if isinstance(answer, Rejected) and answer != CODES[_POLICY] else answer

    async def _shown(self, article_id: str, hidden: Finding = _HIDDEN) -> Finding | None:
        """The article as our account reads it; None: Zalo says that it knows no such article."""
        match await self._api.call("GET", "/v2.0/article/getdetail", params={"id": article_id}):
            case Reply(code=0, data={"status": "show"}):
                return Live(article_id, self._url(article_id), Seen.ACCOUNT)
            case Reply(code=0, data={"status": str()}):
                return hidden
            case Reply(code=0):
                return Unavailable(Fault.SERVER, "unreadable article")
            case Reply(code=-201, blames_token=False):
                return None
            case other:
                return _unanswered(other)

    async def _still_shown(self, job: Job, article_id: str) -> Finding:
        """A live article again; gone only if the list misses it too: no page tells the code of a removed one."""
        found = await self._shown(article_id, hidden=Absent())
        if isinstance(found, Live) and not (found.url or job.url):
            page = await self._page(None)
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
        return await search(titled, self._page, window(job), most_pages=_MOST_PAGES)

    async def _page(self, after: str | None) -> Page | Outcome:
        """Ten articles, newest first; pages overlap by one, so that an article removed meanwhile hides no other."""
        offset = int(after or 0)
        params = {"offset": str(offset), "limit": str(_PAGE), "type": "normal"}
        match await self._api.call("GET", "/v2.0/article/getslice", params=params):
            case Reply(code=0, data={"medias": [*lines]} | {"articles": [*lines]}):
                try:
                    posts = [listed(line, _HIDDEN.detail) for line in lines]
                except (ValueError, OverflowError, AttributeError):
                    return Unavailable(Fault.SERVER, "unreadable list")
                return Page(posts, str(offset + _PAGE - 1) if len(lines) >= _PAGE else None)
            case Reply(code=0):
                return Unavailable(Fault.SERVER, "unreadable list")
            case other:
                return _unanswered(other)

    def _url(self, article_id: str) -> str | None:
        return self._settings.article_url.replace("{id}", article_id) if self._settings.article_url else None


def _unanswered(answer: Reply | Outcome) -> Outcome:
    """A question that Zalo refused says nothing about the post."""
    outcome = classify(answer, wrote=False)
    return Unavailable(Fault.SERVER, outcome.detail) if isinstance(outcome, Rejected) else outcome
