"""Announcements as signed events to one consumer: a partner newsroom, a portal, an app, or a chat of the desk.

Source: Standard Webhooks specification (version 2026-08), read 2026-11-22. The event's bytes are made once, when the
announcement is accepted, and are the same in every attempt, as is their `webhook-id`; each attempt is signed anew. So
a consumer that remembers ids, as the specification asks, takes every announcement once. Signatures are `v1`
(HMAC-SHA256); `v1a` (ed25519) needs a cryptographic library and is not offered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import aiohttp
from pydantic import SecretStr, model_validator
from pydantic_core import to_json
from yarl import URL

from adapters._guard import AddressRefused, PublicResolver, may_be_public
from adapters._http import Answer, ask, retry_after
from adapters._signing import signed, signing_keys
from adapters._titled import titled
from broker.contract import AdapterBase, ChannelSettings, Gate, Job, MediaNeeds, Profile, Shelf, Step, Tools
from broker.model import Composed, Medium, Post, StepClass, Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Finding,
    Live,
    Outcome,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
)
from broker.rules.media import chosen
from broker.rules.text import compose_text

_IDS_KEPT = timedelta(days=4)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_CONTENT = frozenset({400, 409, 413, 415, 422})
_TOO_SOON = frozenset({408, 425})
_DENIED = {
    401: "it refuses our signature (401): compare the secret, and check this machine's clock",
    403: "it refuses our signature (403): compare the secret, and check this machine's clock",
    404: "there is no such address (404): correct `url`",
    405: "the address takes no POST (405): correct `url`",
    410: "it is gone for good (410): take the channel out of the routes, or ask the consumer for a new address",
}

MEDIA = MediaNeeds(images=20, videos=20, mixed=True)


class WebhookSettings(ChannelSettings):
    """`[channels.NAME]` of a webhook consumer."""

    url: SecretStr
    """Where events are posted; may hold a token."""
    base_url: str | None = None
    """Another scheme, host and port for the same path: an emulator or a proxy."""
    secret: SecretStr | None = None
    """`whsec_…`, as the consumer has it; during a rotation the new and the old one with a blank between."""
    form: Literal["event", "chat"] = "event"
    """`event`: Standard Webhooks; `chat`: {"text": …}, as incoming hooks of chat systems take it."""
    allow_http: bool = False
    allow_private: bool = False
    """Also addresses of this machine and of private networks."""

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if self.target.scheme not in ("https", "http") or not self.target.host:
            raise ValueError("url: write the whole address, such as https://partner.example/hooks/loa")
        if self.target.scheme == "http" and not self.allow_http and self.target.host not in _LOOPBACK:
            raise ValueError("url: use https, or set allow_http = true if nobody can listen on the way")
        if not self.allow_private and not may_be_public(self.target.raw_host or ""):
            raise ValueError("url: this address is not public; set allow_private = true if the consumer is your own")
        self.keys()
        return self

    @property
    def target(self) -> URL:
        url = URL(self.url.get_secret_value())
        return URL(self.base_url).join(url.relative()) if self.base_url and url.host else url

    def keys(self) -> list[bytes]:
        return signing_keys(self.secret.get_secret_value() if self.secret else "")


def encode(kind: str, at: datetime, data: Mapping[str, Any]) -> str:
    """One event as JSON, data without value left out."""
    given = {name: value for name, value in data.items() if value is not None}
    timestamp = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return to_json({"type": kind, "timestamp": f"{timestamp}Z", "data": given}).decode()


def shown(medium: Medium, shelf: Shelf | None) -> dict[str, Any]:
    """A picture or video, by its address."""
    data = {name: getattr(medium, name) for name in ("mime", "size_bytes", "width", "height", "alt")}
    duration = {"duration_s": medium.duration.total_seconds()} if medium.duration else {}
    return {"url": shelf.address(medium) if shelf else None, **data, **duration}


def published(post: Post, media: Sequence[Mapping[str, Any]] = ()) -> str:
    """The event that tells of an announcement."""
    headline, text = titled(post)
    data = {
        "id": post.announcement_id,
        "reference": post.reference,
        "revision": 1,
        "lang": post.language,
        "urgency": post.urgency,
        "agency": post.agency,
        "author": post.author,
        "headline": headline,
        "text": text,
        "late_mark": post.late_mark,
        "url": post.link or post.short_link,
        **({"media": list(media)} if media else {}),
    }
    return encode("announcement.published", post.written_at, data)


def classify(answer: Answer, webhook_id: str, now: datetime) -> Outcome:
    """What the consumer's answer means; only its status counts."""
    status = answer.status
    if 200 <= status < 300:
        return Live(webhook_id)
    if status == 429:
        return Throttled(retry_after(answer.headers, now))
    if status >= 500 or status in _TOO_SOON:
        return Uncertain(Fault.SERVER, f"HTTP {status}")
    if status in _CONTENT:
        return Rejected(str(status), f"the consumer does not take this event (HTTP {status})")
    if 300 <= status < 400:
        return Denied(f"it has moved, and redirects are not followed ({status}): correct `url`")
    return Denied(_DENIED.get(status, f"it takes no announcements (HTTP {status}): ask the consumer why"))


class WebhookAdapter(AdapterBase):
    """Posts events to one consumer."""

    Settings: ClassVar[type[ChannelSettings]] = WebhookSettings

    def __init__(self, settings: WebhookSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._keys = settings.keys()
        self._url = settings.target
        self.profile = _profile(settings)

    def compose(self, post: Post) -> Composed:
        composed = compose_text(post)
        is_chat = self._settings.form == "chat"
        if is_chat:
            body = json.dumps({"text": composed.text}, ensure_ascii=False)
            return Composed(text=composed.text, parts={"body": body}, length=composed.length)
        media = chosen(post, MEDIA)
        body = published(post, [shown(medium, self._tools.media) for medium in media])
        return Composed(text=composed.text, parts={"body": body}, length=composed.length, media=media)

    async def publish(self, job: Job) -> Outcome:
        return await self._post(_event_id(job), job.composed.parts["body"], job.gate)

    async def delete(self, job: Job) -> Finding:
        """`Absent` once the consumer took the retraction: what it shows is its own affair."""
        data = {"id": job.announcement_id, "reference": job.reference, "revision": 2}
        body = encode("announcement.retracted", job.started_at, data)
        outcome = await self._post(f"{_event_id(job)}-retracted", body, job.gate)
        return Absent() if isinstance(outcome, Live) else outcome

    async def probe(self) -> Outcome:
        """Whether anything answers there; a HEAD proves no more, for it carries no signature."""
        answer = await self._asked("HEAD")
        if not isinstance(answer, Answer):
            return answer
        if answer.status in (500, 502, 503, 504):
            return Unavailable(Fault.SERVER, f"HTTP {answer.status}")
        return Denied(_DENIED[410]) if answer.status == 410 else Live(self.profile.hosts[0])

    async def rehearse(self) -> Outcome:
        """A signed event of type `ping`, which shows that address and secret are right."""
        now = self._tools.clock.now()
        return await self._post(f"ping-{now:%Y%m%d%H%M%S%f}", encode("ping", now, {}), None)

    async def close(self) -> None:
        if "_session" in vars(self) and self._session is not self._tools.session:
            await self._session.close()

    async def _post(self, webhook_id: str, body: str, gate: Gate | None) -> Outcome:
        now, sent = self._tools.clock.now(), body.encode()
        answer = await self._asked("POST", gate=gate, headers=signed(self._keys, webhook_id, now, sent), body=sent)
        return classify(answer, webhook_id, now) if isinstance(answer, Answer) else answer

    async def _asked(self, method: str, **request: Any) -> Answer | Unavailable | Uncertain | Denied:
        try:
            return await ask(self._session, self.profile, method, self._url, **request)
        except AddressRefused:
            return Denied("its name leads to an address that is not public: correct `url`, or set allow_private = true")

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """Of its own, because only its connector resolves names with care."""
        if self._settings.allow_private:
            return self._tools.session
        connector = aiohttp.TCPConnector(resolver=PublicResolver())
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def _profile(settings: WebhookSettings) -> Profile:
    host = settings.target.host or ""
    is_chat = settings.form == "chat"
    kept = settings.key_lifetime if settings.key_lifetime is not None else timedelta(0) if is_chat else _IDS_KEPT
    return Profile(
        adapter="webhook",
        operator=URL(settings.url.get_secret_value()).host or host,  # base_url changes the way there, not the consumer
        country="",
        hosts=(host,),
        steps=(Step("post", StepClass.KEYED if kept else StepClass.NOTHING),),
        abilities=frozenset({Verb.PROBE} if is_chat else {Verb.PROBE, Verb.DELETE, Verb.REHEARSE}),
        media=MediaNeeds() if is_chat else MEDIA,
        key_lifetime=kept,
        usual=timedelta(seconds=1),
        look_back=None,
    ).adjusted(settings)


def _event_id(job: Job) -> str:
    """The delivery's key without full stops, which separate the parts of what is signed."""
    return job.key.replace(".", "-")
