"""Speaks the HTTP API of a running `loa serve`; every failure is raised as one of Loa's own errors."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import aiohttp

from broker.cli.exits import Exit, Unreachable, exit_of
from broker.errors import FieldProblem, InvalidInput, LoaError, RequestError, Unauthorised

TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
UPLOAD = aiohttp.ClientTimeout(total=600, connect=5)
STREAM = aiohttp.ClientTimeout(total=None, connect=5, sock_read=60)
CONNECT_AGAIN = 1.0
RETURNS_WITHIN = 30
"""Tries, one a second: a restart takes two or three."""


def read_key(key_file: Path | None, environment: Mapping[str, str]) -> str:
    """The API key. Raises `Unauthorised` when there is none, `InvalidInput` when its file cannot be read."""
    if key_file is not None:
        try:
            return key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"The key file {key_file} cannot be read: {_why(error)}.") from None
    if key := environment.get("LOA_KEY", "").strip():
        return key
    raise Unauthorised("No API key was given: set LOA_KEY or use --key-file; `loa key new` makes one.")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is no UTF-8 text"


def may_return(error: LoaError) -> bool:
    """The server is not there now, or can take nothing in: as while it restarts."""
    return exit_of(error) is Exit.UNREACHABLE


class AnswerLost(Unreachable):
    """The request left, and no answer came."""


class Client:
    """One server, one key. Use it with `async with`."""

    def __init__(self, url: str, key: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidInput(f"--server {url!r} is no address: write it like http://127.0.0.1:8080.")
        if not key.isascii() or not key.isprintable():
            raise Unauthorised("The API key holds characters that no key has: copy it again.")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    # announcements

    async def announce(self, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Hands one announcement in; asked again once with the same key when the answer was lost."""
        for last in (False, True):
            try:
                return dict(await self._json("POST", "/announcements", body, {"Idempotency-Key": key}))
            except AnswerLost:
                if last:
                    break
        what = f"The answer of {self.url} was lost: the announcement may have been accepted"
        raise Unreachable(f"{what}. Repeat the command with --idempotency-key {key}: it counts once.")

    async def upload(self, path: Path, alt: str) -> str:
        """Hands a picture or video in, piece by piece; the name under which an announcement shows it."""
        query = f"?alt={quote(alt, safe='')}" if alt else ""
        with path.open("rb") as file:
            return str((await self._json("POST", f"/media{query}", file=file, timeout=UPLOAD))["name"])

    async def preview(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await self._listed("POST", "/announcements/preview", "previews", body)

    async def announcements(self, limit: int = 20, status: str | None = None) -> list[dict[str, Any]]:
        query = f"?limit={limit}" + (f"&status={_part(status)}" if status else "")
        return await self._listed("GET", f"/announcements{query}", "announcements")

    async def announcement(self, any_id: str) -> dict[str, Any]:
        return dict(await self._json("GET", f"/announcements/{_part(any_id)}"))

    async def events(self, any_id: str, after: int = 0) -> list[dict[str, Any]]:
        return await self._listed("GET", f"/announcements/{_part(any_id)}/events?after={after}", "events")

    async def record(self, any_id: str) -> dict[str, Any]:
        return dict(await self._json("GET", f"/announcements/{_part(any_id)}/record?format=json"))

    async def withdraw(self, any_id: str, because: str | None) -> dict[str, Any]:
        body = {"because": because} if because else {}
        return dict(await self._json("POST", f"/announcements/{_part(any_id)}/withdrawal", body))

    async def resolve(self, any_id: str, channel: str, body: Mapping[str, Any]) -> dict[str, Any]:
        path = f"/announcements/{_part(any_id)}/deliveries/{_part(channel)}/resolution"
        return dict(await self._json("POST", path, body))

    async def follow(self, any_id: str, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """Events after number `after`, as they happen; ends when the announcement is closed.

        Goes on when cut off; a server that restarts is waited for.
        """
        left = RETURNS_WITHIN
        while True:
            try:
                async for event in self._stream(f"/announcements/{_part(any_id)}/events", after):
                    if not event:
                        return
                    after, left = event["n"], RETURNS_WITHIN
                    yield event
            except (aiohttp.ClientError, TimeoutError):
                pass
            except LoaError as error:
                left -= 1
                if not (left and may_return(error)):
                    raise
            await asyncio.sleep(CONNECT_AGAIN)

    # channels

    async def channels(self) -> list[dict[str, Any]]:
        return await self._listed("GET", "/channels", "channels")

    async def account(self, name: str) -> dict[str, Any]:
        """What the platform says of our account now."""
        return dict(await self._json("GET", f"/channels/{_part(name)}/account"))

    async def restoration(self, older: str | None = None) -> dict[str, Any]:
        """Whether the broker waits for a decision about what is older than its backup; `older` decides it."""
        if older is None:
            return dict(await self._json("GET", "/restoration"))
        return dict(await self._json("POST", "/restoration", {"older": older}))

    async def channel(self, name: str, action: str, body: Mapping[str, Any] | None = None) -> Any:
        """`action`: probe, pause, resume, rehearsal or connection."""
        return await self._json("POST", f"/channels/{_part(name)}/{action}", body or {})

    # the wire

    async def _listed(
        self, method: str, path: str, name: str, body: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        return list((await self._json(method, path, body))[name])

    async def _json(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        file: BinaryIO | None = None,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> Any:
        assert self._session is not None, "use the client with `async with`"
        url = f"{self.url}/v1{path}"
        try:
            async with self._session.request(
                method, url, json=body, data=file, headers=headers, timeout=timeout
            ) as response:
                text = await response.text()
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise self._unreachable(error) from None
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:
            raise AnswerLost(
                f"{self.url} did not answer ({type(error).__name__}): see the log of `loa serve`."
            ) from None
        if response.status >= 400:
            raise self._problem(response.status, text)
        return self._parsed(text)

    def _unreachable(self, error: Exception) -> Unreachable:
        what_to_do = "start `loa serve`, or name it with --server"
        return Unreachable(f"No server answers at {self.url} ({_trouble(error)}): {what_to_do}.")

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise self._stranger() from None

    def _stranger(self) -> Unreachable:
        return Unreachable(f"{self.url} answers, but is no Loa server: correct --server or LOA_URL.")

    def _problem(self, status: int, text: str) -> LoaError:
        """`application/problem+json` as the error it tells of."""
        try:
            said = json.loads(text)
            fields = [FieldProblem(one["path"], one["problem"]) for one in said["errors"]]
            return RequestError(str(said["detail"]), *fields, code=str(said["code"]), status=status)
        except (ValueError, TypeError, KeyError):
            return self._stranger()

    async def _stream(self, path: str, after: int) -> AsyncIterator[dict[str, Any]]:
        """Server-sent events; an empty one says that no more will come."""
        assert self._session is not None, "use the client with `async with`"
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        try:
            async with self._session.get(f"{self.url}/v1{path}", headers=headers, timeout=STREAM) as response:
                if response.status >= 400:
                    raise self._problem(response.status, await response.text())
                async for line in response.content:
                    if line.startswith(b"data:"):
                        yield json.loads(line[5:])
                    elif line.startswith(b"event: end"):
                        yield {}
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise self._unreachable(error) from None


def _trouble(error: Exception) -> str:
    """Why there is no connection, as short as the system says it."""
    number, said = getattr(error, "errno", None) or 0, getattr(error, "strerror", None)
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not accepted"
        case aiohttp.ClientSSLError():
            return "it speaks no TLS"
        case _:
            return (os.strerror(number) if number > 0 else said or "the address cannot be used").lower()


def _part(text: str) -> str:
    """An id or a name in a path."""
    if not text:
        raise InvalidInput("The id or name is empty: write which one is meant.")
    return quote(text, safe="", errors="replace")
