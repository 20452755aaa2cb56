"""Ways into the desk's pages for people: one-time links that alerts carry; and what their sessions are signed with.

A link's token is known to whoever got the alert; the store has its SHA-256 only.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.clock import Clock
from broker.engine.calls import Call
from broker.engine.writer import Lane, Writer
from broker.store import SaveSetting, Store

LINK_FOR = timedelta(hours=1)
"""How long a link opens the door, once."""
PATH = "/desk/in/"
_LINK = "link:"
_SECRET = "desk_secret"  # noqa: S105  # the setting's name
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Door:
    """Where a link has led."""

    agency: str
    page: str
    """What it is about, as a path below the desk's pages."""


class Doors:
    """The links of one store. Tokens are drawn from the operating system: they must not be guessed."""

    def __init__(self, store: Store, writer: Writer, clock: Clock, call: Call, public_url: str | None) -> None:
        self._store, self._writer, self._clock, self._call = store, writer, clock, call
        self._public_url = public_url
        self._lock = asyncio.Lock()
        self._kept: bytes | None = None

    async def link(self, agency: str, page: str) -> str | None:
        """An address that lets one person in, once, within the hour; None where nobody said what ours is."""
        if self._public_url is None:
            return None
        await self._forget_old()
        token = secrets.token_urlsafe(_BYTES)
        until = self._clock.now() + LINK_FOR
        data = {"agency": agency, "page": page, "until": until.isoformat()}
        await self._writer.write(SaveSetting(_key(token), data), Lane.OUTCOMES)
        return f"{self._public_url}{PATH}{token}"

    async def known(self, token: str) -> Door | None:
        """Where the link leads, while it does; it stays unused."""
        data = await self._call(self._store.setting, _key(token))
        if data is None or datetime.fromisoformat(data["until"]) <= self._clock.now():
            return None
        return Door(data["agency"], data["page"])

    async def enter(self, token: str) -> Door | None:
        """Uses the link up, durably, before anybody is let in; None when it is none, too old, or used."""
        async with self._lock:
            door = await self.known(token)
            if door is not None:
                await self._writer.write(SaveSetting(_key(token), None), Lane.OUTCOMES)
            return door

    async def secret(self) -> bytes:
        """What sessions are signed with; the same after a restart, so that nobody is thrown out in an outage."""
        async with self._lock:
            if self._kept is None:
                self._kept = await self._stored_secret()
            return self._kept

    async def _stored_secret(self) -> bytes:
        if stored := await self._call(self._store.setting, _SECRET):
            return bytes.fromhex(stored["hex"])
        made = secrets.token_bytes(_BYTES)
        await self._writer.write(SaveSetting(_SECRET, {"hex": made.hex()}), Lane.OUTCOMES)
        return made

    async def _forget_old(self) -> None:
        now = self._clock.now()
        for key, data in (await self._call(self._store.settings, _LINK)).items():
            if datetime.fromisoformat(data["until"]) <= now:
                await self._writer.write(SaveSetting(key, None), Lane.OUTCOMES)


def _key(token: str) -> str:
    return _LINK + hashlib.sha256(token.encode()).hexdigest()
