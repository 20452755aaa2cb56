"""A bare HTTP client for the emulators' own tests, and a clock moved by hand."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from adapters.emulators.base import Emulator
from adapters.emulators.log import PlatformLog

TEXT = "Bão số 9 đổi hướng\nhttps://tin.example/l/TVD-7QK2F9"
FEED = "/v25.0/1098/feed"


@dataclass
class HandClock:
    time: datetime = field(default_factory=lambda: datetime(2026, 11, 22, 3, tzinfo=UTC))

    def now(self) -> datetime:
        return self.time

    def advance(self, **delta: float) -> None:
        self.time += timedelta(**delta)


@dataclass
class Browser:
    """A bare HTTP client that knows one emulator and one token."""

    session: aiohttp.ClientSession
    emulator: Emulator
    token: str
    patience: float = 20
    """Seconds it waits for an answer."""

    @property
    def hasty(self) -> "Browser":
        """The same, for where no answer will come."""
        return replace(self, patience=0.6)

    async def ask(
        self, method: str, path: str, *, host: str | None = None, token: str | None = None, **params: str
    ) -> tuple[int, Any]:
        """Status and the body, decoded if it is JSON."""
        status, body, _ = await self.exchange(method, path, host=host, token=token, **params)
        return status, body

    async def exchange(
        self, method: str, path: str, *, host: str | None = None, token: str | None = None, **params: str
    ) -> tuple[int, Any, CIMultiDictProxy[str]]:
        url = self.emulator.base_urls[host or self.emulator.hosts[0]] + path
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        sent: dict[str, Any] = {"data": params} if method == "POST" else {"params": params}
        timeout = aiohttp.ClientTimeout(total=self.patience)
        async with self.session.request(method, url, headers=headers, timeout=timeout, **sent) as response:
            raw = await response.read()
        try:
            return response.status, json.loads(raw), response.headers
        except ValueError:
            return response.status, raw, response.headers

    async def post(self, text: str = TEXT, **params: str) -> tuple[int, Any]:
        return await self.ask("POST", FEED, message=text, **params)


def code_of(body: Any) -> tuple[object, object]:
    """Code and subcode of a Graph error."""
    return body["error"]["code"], body["error"].get("error_subcode")


def texts(log: PlatformLog) -> list[str]:
    """What the public sees now, oldest first."""
    return [post.text for post in log.visible]


async def comes_true(question: Callable[[], Awaitable[bool]]) -> bool:
    """Does the answer become yes within a second or so?"""
    for _ in range(200):
        if await question():
            return True
        await asyncio.sleep(0.005)
    return False
