"""Notices in the apps VNeID and VssID, through a gateway that the body behind the app runs for us by agreement.

Neither app has a public interface to send anything; source: public pages and the legal texts on who may be connected
(Decree 69/2024/ND-CP, article 18), read 2026-11-22. What is spoken here is our own proposal for such a gateway, written
down in docs/adapters/vneid.md: signed requests, a key that makes repeats safe, and a desk that approves each notice.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import aiohttp
from pydantic import Field, FilePath, SecretStr, model_validator
from yarl import URL

from adapters._http import Answer, ask, host_of, retry_after
from adapters._notices import BODY, encode, refusal, signed, signing_key
from broker.contract import AdapterBase, ChannelSettings, Gate, Job, Path, Profile, Step, Tools
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Finding,
    Live,
    Outcome,
    Pending,
    Rejected,
    Seen,
    Throttled,
    Unavailable,
    Uncertain,
)

_OPERATORS = {"vneid": "mps", "vssid": "vss"}
_LOGIN = "VNeID"
"""Citizens open both apps with it, so one fault of the identity takes both."""
_KEY_KEPT = timedelta(hours=72)
_FIRST_CHECK, _LAST_CHECK = timedelta(seconds=10), timedelta(minutes=5)
_UNDER_WAY = frozenset({"received", "approved", "delivering"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class VneidSettings(ChannelSettings):
    """`[channels.NAME]` of a gateway."""

    service: Literal["vneid", "vssid"] = "vneid"
    base_url: str = Field(pattern=r"^https?://[^/]+/?$")
    """The gateway's address, from the agreement."""
    key_id: str = Field(min_length=1)
    """Under which the gateway knows our public key."""
    signing_key: SecretStr
    """Base64 of the 32 bytes of our Ed25519 private key."""
    client_certificate: FilePath | None = None
    """PEM, with its key in `client_key`: mutual TLS, where the gateway asks for it."""
    client_key: FilePath | None = None
    ca_file: FilePath | None = None
    """Certificates to trust instead of the system's."""
    audience: tuple[str, ...] = ()
    """Codes of provinces; without any: everybody."""
    link_hosts: tuple[str, ...] = ()
    """Domains that links may lead to; others are left out of the text."""

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        url = URL(self.base_url)
        if url.scheme != "https" and url.host not in _LOOPBACK:
            raise ValueError("base_url: use https")
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key: give both or neither")
        signing_key(self.signing_key.get_secret_value())
        return self


def classify(answer: Answer, waits: timedelta, throttled: timedelta) -> Outcome:
    """What the gateway says of a notice, or of our request for one."""
    said = answer.json() if isinstance(answer.json(), dict) else {}
    if answer.status == 429:
        return Throttled(throttled)
    if 300 <= answer.status < 500 and answer.status != 408:
        return refusal(answer.status, said)
    match answer.status, said:
        case 200 | 202, {"notice_id": str(notice_id), "state": str(state)} if notice_id:
            return _standing(notice_id, state, said, waits)
        case _:
            return Uncertain(Fault.SERVER, f"unreadable answer (HTTP {answer.status})")


def _standing(notice_id: str, state: str, said: Mapping[str, Any], waits: timedelta) -> Outcome:
    if state in _UNDER_WAY:
        return Pending(notice_id, waits)
    if state == "delivered":
        return Live(notice_id, None, Seen.ACCOUNT)
    if state in ("rejected", "expired", "cancelled"):
        return Rejected(state, f"the approving desk: {said.get('reason') or state}")
    return Unavailable(Fault.SERVER, f"a state that nobody knows ({state[:40]})")


class VneidAdapter(AdapterBase):
    """Hands notices to one gateway."""

    Settings: ClassVar[type[ChannelSettings]] = VneidSettings

    def __init__(self, settings: VneidSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self._key = signing_key(settings.signing_key.get_secret_value())
        self.profile = _profile(settings)

    def compose(self, post: Post) -> Composed:
        return encode(post, self._settings.service, self._settings.audience, self._settings.link_hosts)

    async def publish(self, job: Job) -> Outcome:
        sent = job.composed.parts["body"].encode()
        return self._read(job, await self._call("POST", "/v1/notices", job.gate, sent, {"Idempotency-Key": job.key}))

    async def confirm(self, job: Job) -> Finding:
        answer = await self._call("GET", f"/v1/notices/{job.handle}")
        if isinstance(answer, Answer) and answer.status == 404 and isinstance(answer.json(), dict):
            return Absent()
        match self._read(job, answer):
            case Uncertain(fault, detail):
                return Unavailable(fault, detail)
            case Rejected(_, detail) if not isinstance(answer, Answer) or answer.status != 200:
                return Unavailable(Fault.SERVER, detail)  # of our question, not of the notice
            case outcome:
                return outcome

    async def probe(self) -> Outcome:
        """Also whether clock and key are right; a desk that is closed takes notices all the same."""
        answer = await self._call("GET", "/v1/health")
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 200 and isinstance(said := answer.json(), dict) and said.get("status") == "ok":
            return Live(self._settings.service)
        refused = classify(answer, _FIRST_CHECK, retry_after(answer.headers, self._tools.clock.now()))
        return refused if isinstance(refused, Denied | Throttled) else Unavailable(Fault.SERVER, "it is not ready")

    async def close(self) -> None:
        if "_session" in vars(self) and self._session is not self._tools.session:
            await self._session.close()

    def _read(self, job: Job, answer: Answer | Unavailable | Uncertain) -> Outcome:
        if not isinstance(answer, Answer):
            return answer
        now = self._tools.clock.now()
        waits = min(max((now - job.started_at) / 4, _FIRST_CHECK), _LAST_CHECK)
        return classify(answer, waits, retry_after(answer.headers, now))

    async def _call(
        self,
        method: str,
        path: str,
        gate: Gate | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer | Unavailable | Uncertain:
        now = int(self._tools.clock.now().timestamp())
        proof = signed(self._key, self._settings.key_id, method, path, now, secrets.token_hex(16), body)
        url = str(URL(self._settings.base_url).join(URL(path)))
        return await ask(
            self._session, self.profile, method, url, gate=gate, headers={**proof, **(headers or {})}, body=body
        )

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """Of its own where the gateway wants our certificate or has one the system does not trust."""
        settings = self._settings
        if settings.client_certificate is None and settings.ca_file is None:
            return self._tools.session
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.client_certificate:
            context.load_cert_chain(settings.client_certificate, settings.client_key)
        connector = aiohttp.TCPConnector(ssl=context)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def _profile(settings: VneidSettings) -> Profile:
    return Profile(
        adapter="vneid",
        operator=_OPERATORS[settings.service],
        country="VN",
        login=_LOGIN,
        hosts=(host_of(settings.base_url),),
        path=Path.DOMESTIC,
        push=True,
        steps=(Step("notice", StepClass.KEYED),),
        text=BODY,
        abilities=frozenset({Verb.PROBE, Verb.CONFIRM}),
        key_lifetime=_KEY_KEPT,
        usual=timedelta(minutes=30),
        pending_for=timedelta(hours=12),
        look_back=None,
        max_in_flight=2,
        rate_per_s=0.2,
    ).adjusted(settings)
