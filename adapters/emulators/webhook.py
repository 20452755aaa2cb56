"""A consumer of signed events: checks each as Standard Webhooks asks, takes each id once, and keeps what it took.

Source: Standard Webhooks specification (version 2026-08), read 2026-11-22. Of the two kinds of signature it knows `v1`;
`v1a` needs a cryptographic library. Each path is a consumer of its own (`Post.author`), all with the same secrets.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Any, Unpack

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.faults import Fault, Kind
from adapters.emulators.http import WIRE, Call, HttpEmulator, Refused, Route

_STATUS = {
    Kind.SERVER_ERROR: 503,
    Kind.THROTTLED: 429,
    Kind.LOGGED_OUT: 401,
    Kind.NO_PERMISSION: 403,
    Kind.SUSPENDED: 410,
    Kind.POLICY: 422,
}


class WebhookEmulator(HttpEmulator):
    """`secrets`: those it accepts, as `whsec_…`; with none it checks no signature. `keeps_ids`: False for a consumer
    that takes a repeated event as a new one. `tolerance`: seconds that an attempt's time may be off.
    """

    name = "webhook"
    kinds = WIRE | frozenset(_STATUS) | {Kind.SILENT_DROP, Kind.REMOVE_LATER}

    def __init__(
        self,
        *,
        secrets: Sequence[str] = (),
        keeps_ids: bool = True,
        tolerance: float = 300.0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.secrets = tuple(secrets)
        self.keeps_ids = keeps_ids
        self.tolerance = tolerance
        self._bodies: dict[str, bytes] = {}
        self._status: int | None = None

    @override
    def routes(self) -> Iterator[Route]:
        yield Route("POST", "/{path:.*}", "delete", self._event, writes=True, fits=_retracts)
        yield Route("POST", "/{path:.*}", "publish", self._event, writes=True)
        yield Route("HEAD", "/{path:.*}", "probe", self._probe)

    @override
    def shape(self, fault: Fault, call: Call) -> web.Response:
        wait = {"Retry-After": str(int(fault.after or 30))} if fault.kind is Kind.THROTTLED else None
        return web.json_response({"error": fault.kind}, status=_STATUS[fault.kind], headers=wait)

    @hook
    def set_secrets(self, secrets: Sequence[str]) -> None:
        """The consumer rotates its secrets."""
        self.secrets = tuple(secrets)

    @hook
    def answer_with(self, status: int | None) -> None:
        """Refuse every event with this HTTP status; None: take events again."""
        self._status = status

    async def _probe(self, call: Call) -> web.Response:
        return web.Response(status=405)  # as most endpoints that take only POST

    async def _event(self, call: Call) -> web.Response:
        if self._status is not None:
            headers = {"Location": f"{self.base_url}/moved"} if 300 <= self._status < 400 else None
            return web.Response(status=self._status, headers=headers)
        if self.secrets:
            self._verify(call)
        event_id = call.request.headers.get("webhook-id", "")
        if self.keeps_ids and event_id in self._bodies:
            same = self._bodies[event_id] == call.body
            self.note("repeated" if same else "repeated with another body", event_id)
            return web.json_response({"repeated": True})
        self._take(call, event_id)
        self._bodies[event_id] = call.body
        return web.json_response({"ok": True})

    def _take(self, call: Call, event_id: str) -> None:
        match call.json:
            case {"type": "announcement.published", "timestamp": str(), "data": {"id": str(), "text": str()} as data}:
                shown = f"{data.get('headline', '')}\n\n{data['text']}\n\n{data.get('reference', '')}"
                self.take_in(event_id, shown, call.match["path"], event=call.json)
            case {"type": "announcement.retracted", "data": {"id": str(announcement_id)}}:
                self._retract(call.match["path"], announcement_id)
            case {"type": "ping"}:
                self.note("ping", event_id)
            case {"text": str(text)}:
                self.take_in(self.digits(12), text, call.match["path"])
            case _:
                raise _refused(400, "no event")

    def _retract(self, path: str, announcement_id: str) -> None:
        for post in self.log.taken:
            event: dict[str, Any] = post.extra.get("event", {})
            if post.author == path and event.get("data", {}).get("id") == announcement_id:
                self.take_down(post, by="owner")

    def _verify(self, call: Call) -> None:
        headers = call.request.headers
        event_id, seconds = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not event_id or not seconds.isdigit():
            raise _refused(401, "no id or time")
        if abs(self.now().timestamp() - int(seconds)) > self.tolerance:
            raise _refused(401, "time out of tolerance")
        content = f"{event_id}.{seconds}.".encode() + call.body
        given = headers.get("webhook-signature", "").split()
        if not any(
            hmac.compare_digest(_signature(secret, content), one.encode()) for secret in self.secrets for one in given
        ):
            raise _refused(403, "no signature fits")


def _retracts(request: web.Request) -> bool:
    """As far as its id tells, which is Loa's own habit."""
    return request.headers.get("webhook-id", "").endswith("-retracted")


def _signature(secret: str, content: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return b"v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())


def _refused(status: int, verdict: str) -> Refused:
    return Refused(web.json_response({"error": verdict}, status=status), verdict)
