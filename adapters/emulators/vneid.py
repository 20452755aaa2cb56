"""A gateway to VNeID and VssID as docs/adapters/vneid.md proposes it: our own proposal, not the two apps, which have no
public interface.

One gateway serves both apps, since citizens open both with one identity: a fault set here takes both.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Unpack
from urllib.parse import urlsplit

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.faults import Fault, Kind
from adapters.emulators.http import WIRE, Call, HttpEmulator, Refused, Route
from adapters.emulators.log import Post

KEY_ID = "loa-1"
SIGNING_KEY = base64.b64encode(b"a key for emulators: nobody else").decode()
"""The client's half of the pair that the emulator knows unless told otherwise."""

_TITLE, _BODY = 120, 1000
_WINDOW = timedelta(seconds=300)
_WORDS: Mapping[Kind, tuple[int, str]] = {
    Kind.SERVER_ERROR: (503, "maintenance"),
    Kind.ERROR_IN_200: (200, "internal"),
    Kind.THROTTLED: (429, "too_many_notices"),
    Kind.LOGGED_OUT: (401, "bad_signature"),
    Kind.REVOKED: (401, "unknown_key"),
    Kind.NO_PERMISSION: (403, "not_authorised_for_audience"),
    Kind.SUSPENDED: (403, "agreement_suspended"),
    Kind.POLICY: (422, "text_not_allowed"),
}


@dataclass(slots=True)
class Notice:
    """One notice and how far it has come. `post` is None until it is delivered."""

    id: str
    key: str
    digest: str
    given: Mapping[str, Any]
    state: str = "received"
    reason: str | None = None
    post: Post | None = None


class VneidEmulator(HttpEmulator):
    """`desk`: whether the approving desk says yes by itself (`auto`) or waits for hooks (`manual`).

    `decides_after`, `delivers_after`: seconds each step takes. `link_hosts`: domains that links may lead to.
    """

    name = "vneid"
    kinds = WIRE | frozenset(_WORDS) | {Kind.SILENT_DROP, Kind.NEVER_FINISH, Kind.REFUSE_LATER}

    def __init__(
        self,
        *,
        desk: Literal["auto", "manual"] = "auto",
        decides_after: float = 1.0,
        delivers_after: float = 1.0,
        link_hosts: tuple[str, ...] = (),
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.desk = desk
        self.decides_after, self.delivers_after = decides_after, delivers_after
        self.link_hosts = link_hosts
        known = Ed25519PrivateKey.from_private_bytes(base64.b64decode(SIGNING_KEY)).public_key()
        self.key_id, self.signing_key = KEY_ID, SIGNING_KEY
        self.keys: dict[str, Ed25519PublicKey] = {KEY_ID: known}
        self.notices: dict[str, Notice] = {}
        self._nonces: set[str] = set()

    @override
    def routes(self) -> Iterator[Route]:
        yield Route("POST", "/v1/notices", "publish", self._take, writes=True)
        yield Route("GET", "/v1/notices", "list", self._list)
        yield Route("GET", "/v1/notices/{notice}", "get", self._get)
        yield Route("POST", "/v1/notices/{notice}/cancel", "cancel", self._cancel, writes=True)
        yield Route("GET", "/v1/health", "probe", self._health)

    @override
    def shape(self, fault: Fault, call: Call) -> web.Response:
        wait = {"Retry-After": str(int(fault.after or 60))} if fault.kind is Kind.THROTTLED else None
        status, code = _WORDS[fault.kind]
        return _words(status, code, headers=wait)

    @override
    def unknown_path(self, call: Call) -> web.Response:
        return _words(404, "no_such_call")

    @hook
    def add_key(self, key_id: str, public_key: str) -> None:
        """One more key of ours, as during a rotation: base64 of its 32 bytes."""
        self.keys[key_id] = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))

    @hook
    def approve(self, notice_id: str) -> None:
        """The desk says yes; the notice is delivered."""
        self._deliver(self.notices[notice_id])

    @hook
    def reject(self, notice_id: str, reason: str) -> None:
        """The desk says no."""
        self.notices[notice_id].state, self.notices[notice_id].reason = "rejected", reason

    # -- notices

    async def _take(self, call: Call) -> web.Response:
        self._verify(call)
        given, key = self._checked(call), call.request.headers.get("Idempotency-Key", "")
        digest = hashlib.sha256(call.body).hexdigest()
        if known := next((one for one in self.notices.values() if one.key == key), None):
            self.note("repeated", known.id)
            return _shown(known) if known.digest == digest else _words(409, "duplicate_key_other_body")
        notice = Notice(self.random.randbytes(8).hex(), key, digest, given)
        self.notices[notice.id] = notice
        self._begin(notice)
        return _shown(notice, status=202)

    def _begin(self, notice: Notice) -> None:
        if self.faults.take(Kind.REFUSE_LATER, "publish"):
            self.later(self.decides_after, lambda: self.reject(notice.id, "không phù hợp"))
        elif self.faults.take(Kind.NEVER_FINISH, "publish") is None and self.desk == "auto":
            self.later(self.decides_after, lambda: self._approved(notice))

    def _approved(self, notice: Notice) -> None:
        notice.state = "approved"
        self.later(self.delivers_after, lambda: self._deliver(notice))

    def _deliver(self, notice: Notice) -> None:
        if notice.state in ("received", "approved"):
            notice.state = "delivered"
            given = notice.given
            notice.post = self.take_in(notice.id, f"{given['title']}\n\n{given['body']}", given["service"])

    async def _get(self, call: Call) -> web.Response:
        self._verify(call)
        notice = self.notices.get(call.match["notice"])
        return _shown(notice) if notice else _words(404, "no_such_notice")

    async def _list(self, call: Call) -> web.Response:
        self._verify(call)
        wanted = call.params.get("external_id")
        found = [one for one in self.notices.values() if one.given["external_id"] == wanted]
        return web.json_response({"notices": [_as_json(one) for one in found]})

    async def _cancel(self, call: Call) -> web.Response:
        self._verify(call)
        notice = self.notices.get(call.match["notice"])
        if notice is None:
            return _words(404, "no_such_notice")
        if notice.state == "delivered":
            return _words(409, "already_delivered")
        notice.state = "cancelled"
        return _shown(notice)

    async def _health(self, call: Call) -> web.Response:
        self._verify(call)
        desk = "open" if self.desk == "auto" else "by_hand"
        return web.json_response({"status": "ok", "approval_desk": desk, "time": self.now().isoformat()})

    # -- rules

    def _verify(self, call: Call) -> None:
        headers = call.request.headers
        key, nonce = self.keys.get(headers.get("X-Key-Id", "")), headers.get("X-Nonce", "")
        seconds = headers.get("X-Timestamp", "")
        if key is None:
            raise _refused(401, "unknown_key")
        if not seconds.isdigit() or abs(self.now().timestamp() - int(seconds)) > _WINDOW.total_seconds():
            raise _refused(401, "clock_skew")
        digest = hashlib.sha256(call.body).hexdigest()
        content = "\n".join((call.request.method, call.request.path_qs, seconds, nonce, digest))
        try:
            key.verify(base64.b64decode(headers.get("X-Signature", "")), content.encode())
        except (InvalidSignature, ValueError):
            raise _refused(401, "bad_signature") from None
        if not nonce or nonce in self._nonces:
            raise _refused(401, "bad_signature", "the nonce was used before")
        self._nonces.add(nonce)

    def _checked(self, call: Call) -> Mapping[str, Any]:
        match call.json:
            case {
                "service": "vneid" | "vssid",
                "external_id": str(),
                "title": str(title),
                "body": str(body),
                "severity": "routine" | "urgent",
                "audience": {"kind": str()},
            } as given if title and body and call.request.headers.get("Idempotency-Key"):
                if len(title) > _TITLE or len(body) > _BODY:
                    raise _refused(422, "text_too_long")
                if (link := given.get("link")) and not self._allows(link):
                    raise _refused(422, "link_not_allowed")
                return dict(given)
            case _:
                raise _refused(400, "bad_request")

    def _allows(self, link: str) -> bool:
        host = urlsplit(link).hostname or ""
        return any(host == one or host.endswith(f".{one}") for one in self.link_hosts)


def _as_json(notice: Notice) -> dict[str, object]:
    return {"notice_id": notice.id, "state": notice.state, "reason": notice.reason}


def _shown(notice: Notice, status: int = 200) -> web.Response:
    return web.json_response(_as_json(notice), status=status)


def _words(status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"code": code, "message": message or code}, status=status, headers=headers)


def _refused(status: int, code: str, message: str = "") -> Refused:
    return Refused(_words(status, code, message), verdict=code)
