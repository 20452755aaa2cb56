"""Broadcasts of a Zalo Official Account: an article is pushed to the followers' phones, once people at Zalo have let it
pass.

Source: as in `adapters._zalo`, and Zalo's pages for account owners on broadcasts, read 2026-11-22. The article that the
account shows already is used, else a hidden one is made. No call lists broadcasts or tells what became of one: a lost
answer stays open (class C), and so does the moderation's verdict, which only the account's console shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from adapters._http import host_of
from adapters._readback import search
from adapters._zalo import Reply, ZaloApi, ZaloAppSettings, classify
from adapters._zalo_account import ZaloConnector
from adapters._zalo_articles import compose, encode
from adapters._zalo_calls import Articles, account
from broker.contract import AdapterBase, ChannelSettings, Job, Path, Profile, Step, Tools
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
    Unavailable,
    Uncertain,
    Unfinished,
)

_MODERATION = timedelta(minutes=30)
_SOON = timedelta(seconds=3)
_ARTICLES_OF, _MOST_PAGES = timedelta(hours=3), 5
"""How far back an article of ours is looked for: as long as a late copy may take."""


class ZaloPushSettings(ZaloAppSettings):
    """`[channels.NAME]` of an Official Account's broadcasts."""

    cover_url: str = Field(pattern=r"^https?://")
    """Picture above an article of our own, as for the articles."""
    target: dict[str, str] = Field(default_factory=lambda: {"gender": "0"}, min_length=1)
    """Which followers: Zalo's `ages`, `gender`, `locations`, `cities`, `platform`, as codes; by default all of them."""


PROFILE = Profile(
    adapter="zalo_push",
    operator="vng",
    country="VN",
    path=Path.DOMESTIC,
    push=True,
    cost="a broadcast of the account's package: few a month for each follower",
    steps=(Step("article", StepClass.INVISIBLE), Step("broadcast", StepClass.NOTHING)),
    abilities=frozenset({Verb.PROBE}),
    usual=_MODERATION,
    pending_for=timedelta(hours=2),
    look_back=None,
    max_in_flight=1,
    rate_per_s=0.2,
)


def encode_broadcast(article_id: str, target: Mapping[str, str]) -> dict[str, Any]:
    """One article to the followers in `target`."""
    element = {"media_type": "article", "attachment_id": article_id}
    payload = {"template_type": "media", "elements": [element]}
    return {
        "recipient": {"target": dict(target)},
        "message": {"attachment": {"type": "template", "payload": payload}},
    }


class ZaloPushAdapter(AdapterBase):
    """Broadcasts for one Official Account."""

    Settings: ClassVar[type[ChannelSettings]] = ZaloPushSettings

    def __init__(self, settings: ZaloPushSettings, tools: Tools) -> None:
        self._settings = settings
        hosts = (host_of(settings.base_url), host_of(settings.oauth_url))
        self.profile = replace(PROFILE, login=f"zalo app {settings.app_id}", hosts=hosts).adjusted(settings)
        self._api = ZaloApi(settings, tools, self.profile)
        self._articles = Articles(self._api)
        self.connector = ZaloConnector(settings, tools, self._api)

    def compose(self, post: Post) -> Composed:
        return compose(post)

    async def publish(self, job: Job) -> Outcome | Absent:
        if job.step == 0:
            article_id = await self._article(job)
            if not isinstance(article_id, str):
                return article_id
            await job.keep(article_id)
        return await self._broadcast(job)

    async def probe(self) -> Outcome:
        return await account(self._api, self._settings.oa_id)

    async def _article(self, job: Job) -> str | Outcome | Absent:
        """The id of the article to push; readers see nothing of what happens here."""
        if job.handle is None:
            match await self._shown(job):
                case Live(article_id):
                    return article_id
                case NotSeen() | Hidden():
                    pass
                case failed:
                    return failed
        article = {**encode(job.composed, self._settings.cover_url), "status": "hide", "comment": "hide"}
        token = job.handle or await self._articles.submit("create", article, job.gate)
        if not isinstance(token, str):
            return Unavailable(token.fault, token.detail) if isinstance(token, Uncertain) else token
        found = await self._articles.id_of(token)
        is_new = job.handle is None and not isinstance(found, str | Rejected)
        return Unfinished(token, _SOON) if found is None or is_new else found

    async def _shown(self, job: Job) -> Finding:
        """The article that the account shows its visitors already, found by its title."""
        titled = replace(job, neighbour=None, composed=replace(job.composed, text=job.composed.parts["title"]))
        return await search(titled, self._articles.page, job.started_at - _ARTICLES_OF, _MOST_PAGES)

    async def _broadcast(self, job: Job) -> Outcome:
        message = encode_broadcast(f"{job.handle}", self._settings.target)
        match await self._api.call("POST", "/v2.0/oa/message", gate=job.gate, json_body=message):
            case Reply(code=0, data={"message_id": str(message_id)}) if message_id:
                return Pending(message_id, _MODERATION)
            case Reply(code=0):
                return Uncertain(Fault.SERVER, "Zalo took the broadcast and gave no number")
            case other:
                return classify(other, wrote=True)
