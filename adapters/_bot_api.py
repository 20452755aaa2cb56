"""Telegram's Bot API as python-telegram-bot (PTB) reaches it: the gate, the token, and what an exception means.

PTB writes its base address, which holds the token, into its debug log, and HTTPX logs every address it calls. So PTB is
given a stand-in; the token is put in where a request goes to the wire, and taken out of every answer.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import httpx
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from adapters._http import LARGEST_ANSWER
from broker.contract import Gate, GateClosed, Profile
from broker.outcome import Fault, bounded

_STAND_IN = "0:token"


class TooSoon(TelegramError):
    """HTTP 429. PTB's own class for it warns of its own future whenever it is made."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("Too Many Requests")
        self.wait = wait


class _GatedBody(httpx.AsyncByteStream):
    """A body that asks the gate before its first byte. HTTPX writes a body once and repeats nothing."""

    def __init__(self, body: httpx.AsyncByteStream, gate: Gate) -> None:
        self._body, self._gate = body, gate

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._gate.enter()
        async for chunk in self._body:
            yield chunk


class _BoundedBody(httpx.AsyncByteStream):
    """An answer of at most `LARGEST_ANSWER` bytes."""

    def __init__(self, body: httpx.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._body:
            size += len(chunk)
            if size > LARGEST_ANSWER:
                raise httpx.DecodingError("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._body.aclose()


class _Wire(httpx.AsyncBaseTransport):
    """Sends a copy of each request with the true token and under the gate: nobody else ever sees that copy."""

    def __init__(self, inner: httpx.AsyncBaseTransport, token: str, gate: Gate | None) -> None:
        self._inner, self._token, self._gate = inner, token, gate

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.replace(_STAND_IN.encode(), self._token.encode(), 1)
        body = cast("httpx.AsyncByteStream", request.stream)
        copy = httpx.Request(
            request.method,
            request.url.copy_with(raw_path=path),
            headers={**request.headers, "Accept-Encoding": "identity"},
            stream=_GatedBody(body, self._gate) if self._gate else body,
            extensions=request.extensions,
        )
        response = await self._inner.handle_async_request(copy)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            await response.aclose()
            raise httpx.DecodingError("the answer is compressed, which was not asked for")
        response.stream = _BoundedBody(cast("httpx.AsyncByteStream", response.stream))
        return response


class _Request(HTTPXRequest):
    def __init__(self, wire: _Wire, profile: Profile, token: str) -> None:
        total, connect = profile.total_timeout.total_seconds(), profile.connect_timeout.total_seconds()
        super().__init__(
            connect_timeout=connect,
            read_timeout=total,
            write_timeout=total,
            pool_timeout=connect,
            httpx_kwargs={"transport": wire},  # one of our own: no proxy of the environment comes between
        )
        self._secret = token.encode()

    async def do_request(self, *args: Any, **rest: Any) -> tuple[int, bytes]:
        status, answer = await super().do_request(*args, **rest)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise TooSoon(_wait(answer))
        return status, answer.replace(self._secret, b"***")

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Without PTB's log entry, which quotes whatever a proxy or a censor has answered."""
        try:
            answer = json.loads(payload)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise TelegramError("Invalid server response")
        return answer


def bot_for(token: str, base_url: str, profile: Profile, wire: httpx.AsyncBaseTransport, gate: Gate | None) -> Bot:
    """A bot for one call; cheap, since `wire` is shared. Nothing is sent yet."""
    request = _Request(_Wire(wire, token, gate), profile, token)
    return Bot(_STAND_IN, base_url=f"{base_url.rstrip('/')}/bot", request=request, get_updates_request=request)


def fault_of(error: BaseException, gate: Gate | None) -> tuple[Fault, str, bool]:
    """What failed, in words, and whether bytes may have left. Raises the `GateClosed` behind it, if that is it."""
    causes = _causes(error)
    if closed := next((cause for cause in causes if isinstance(cause, GateClosed)), None):
        raise closed
    http = next((cause for cause in causes if isinstance(cause, httpx.HTTPError)), error)
    never_left = isinstance(http, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    fault, detail = _fault(http, causes)
    return fault, detail, gate is not None and gate.passed and not never_left


def _fault(error: BaseException, causes: list[BaseException]) -> tuple[Fault, str]:
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Fault.DNS, "name not found"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Fault.TLS, "TLS failed"
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return Fault.CONNECT, "no connection in time"
        case httpx.ConnectError() | httpx.ProxyError():
            return Fault.CONNECT, "connection refused"
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return Fault.NO_BYTE, "connection closed without an answer"
        case httpx.TimeoutException() | TimeoutError():
            return Fault.HANG, "no answer in time"
        case TelegramError(__cause__=None):
            return Fault.SERVER, error.message[:200]
        case _:
            return Fault.SERVER, "unreadable answer"


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _wait(answer: bytes) -> timedelta:
    """`parameters.retry_after` in seconds; half a minute when it is not there."""
    try:
        return bounded(float(json.loads(answer)["parameters"]["retry_after"]))
    except (ValueError, LookupError, TypeError):
        return timedelta(seconds=30)
