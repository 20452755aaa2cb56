"""One HTTP request as adapters need it: gated where bytes leave, bounded, never redirected, its failure told apart.

The gate is entered inside the write of the request's body. So it also knows what decides most: an error before the gate
was passed is `Unavailable` (nothing of ours can become public), an error after it is `Uncertain`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from broker.contract import Gate, GateClosed, Profile
from broker.outcome import Fault, Unavailable, Uncertain, bounded

LARGEST_ANSWER = 1 << 20
_PART = 1 << 18
_UNNAMED_WAIT = timedelta(seconds=30)
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def host_of(url: str) -> str:
    """The host as a failure domain: with its port unless that is the scheme's own."""
    parsed = URL(url)
    return (parsed.host or "") if parsed.is_default_port() else parsed.authority


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform said, read whole (at most 1 MiB)."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON, or None if it is none: HTML, cut short, empty."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta:
    """The wait a server asks for, given in seconds or as a date; half a minute when it names none."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return bounded(float(value))
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return _UNNAMED_WAIT
    return bounded((date if date.tzinfo else date.replace(tzinfo=UTC)) - now)


class _GatedBody(aiohttp.Payload):
    """A body that asks the gate before its first byte, and is written once: aiohttp's own repeat is refused.

    `passed` is its own: what an earlier request of the job sent says nothing about this one.
    """

    def __init__(self, body: bytes, content_type: str, gate: Gate) -> None:
        super().__init__(body, content_type=content_type)
        self._size, self._gate, self.passed = len(body), gate, False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """A large one leaves in parts, between which others run."""
        if self.passed:
            raise ConnectionError("a request is sent once; a repeat is an attempt of its own")
        self._gate.enter()
        self.passed = True
        for start in range(0, len(self._value), _PART):
            if start:
                await asyncio.sleep(0)
            await writer.write(self._value[start : start + _PART])


class _Open:
    """The gate of read-only questions: always open, and nothing they send can become public."""

    passed = False

    def enter(self) -> None: ...


ALWAYS: Gate = _Open()
"""For what publishes nothing and yet must be told apart by whether it left: the trade of a token that works once."""


async def ask(
    session: aiohttp.ClientSession,
    profile: Profile,
    method: str,
    url: str | URL,
    *,
    gate: Gate | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    json_body: Any = None,
    body: bytes = b"",
    content_type: str = JSON,
) -> Answer | Unavailable | Uncertain:
    """The platform's answer, or why there is none. Without `gate` the request must be read-only.

    Raises `GateClosed` when the gate refused; everything else that goes wrong is a value.
    """
    if form is not None:
        body, content_type = urlencode(form).encode(), FORM
    elif json_body is not None:
        body = json.dumps(json_body, ensure_ascii=False, separators=(",", ":")).encode()
    sent = _GatedBody(body, content_type, gate or ALWAYS)
    data = sent if gate or body else None
    timeout = _timeout(profile.total_timeout, profile.connect_timeout)
    try:
        async with session.request(
            method, url, data=data, headers=headers, params=params, timeout=timeout, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await _read(response))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return failure(error, left=gate is not None and sent.passed)


@lru_cache
def _timeout(total: timedelta, connect: timedelta) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total.total_seconds(), sock_connect=connect.total_seconds())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise aiohttp.ClientPayloadError("the answer is larger than 1 MiB")
    return b"".join(chunks)


def failure(error: BaseException, *, left: bool) -> Unavailable | Uncertain:
    """What an exception means for a post that may have `left`. Raises the `GateClosed` behind it, if the gate is what
    refused."""
    for cause in _causes(error):
        if isinstance(cause, GateClosed):
            raise cause
    fault, detail = _fault(error)
    return Uncertain(fault, detail) if left else Unavailable(fault, detail)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _fault(error: BaseException) -> tuple[Fault, str]:
    """Order matters: aiohttp's connector errors are OSErrors, its timeouts are TimeoutErrors."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return Fault.DNS, "name not found"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLError():
            return Fault.TLS, "TLS failed"
        case aiohttp.ConnectionTimeoutError():
            return Fault.CONNECT, "no connection in time"
        case aiohttp.ClientConnectorError():
            return Fault.CONNECT, "connection refused"
        case aiohttp.ClientPayloadError() | ValueError():
            return Fault.SERVER, "unreadable answer"
        case TimeoutError() | asyncio.CancelledError():
            return Fault.HANG, "no answer in time"
        case _:
            return Fault.NO_BYTE, "connection closed without an answer"
