"""Connecting a bot: its token is pasted, tried, and kept only if the bot may post in the channel.

Source: Telegram's Bot API pages, read 2026-11-22. Bots have no consent page: @BotFather gives the token.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapters._consent import Consenting, refused
from broker.contract import (
    Account,
    Consent,
    Invitation,
    Job,
    MediaFile,
    MediaNeeds,
    NotConnected,
    Particulars,
    Shelf,
    TokenPair,
    Tools,
)
from broker.outcome import Outcome

TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")
_SAY = (
    "In Telegram, open @BotFather, send /newbot (or /token for a bot you have), and make the bot an administrator of"
    " {chat} with the right to post messages. Then paste the token that @BotFather shows here"
)

PICTURE = MediaNeeds(images=1, image_bytes=10_000_000, width=(16, 2560), ratio=(0.05, 20))


async def picture_of(job: Job, shelf: Shelf | None) -> bytes | None:
    """The post's picture as it is uploaded; None if it has none, or it cannot be had."""
    file = await shelf.ready(job.composed.media[0], PICTURE) if shelf and job.composed.media else None
    return await asyncio.to_thread(file.path.read_bytes) if isinstance(file, MediaFile) else None


@dataclass(frozen=True, slots=True)
class BotSeen:
    """A bot in its chat."""

    number: int
    name: str
    lacks: str | None


class TelegramConnector(Consenting):
    """`look` asks Telegram with the token given, or else with ours."""

    def __init__(
        self, chat: str, tools: Tools, seed: TokenPair, look: Callable[[str | None], Awaitable[BotSeen | Outcome]]
    ) -> None:
        super().__init__(tools, seed)
        self._chat, self._look = chat, look

    def invite(self, consent: Consent) -> Invitation:
        return Invitation(_SAY.format(chat=self._chat), secret=True)

    async def accept(self, consent: Consent, pasted: str) -> list[Account]:
        token = pasted.strip()
        if not TOKEN.fullmatch(token):
            raise NotConnected("This is no bot's token: paste all of it, digits, a colon, then letters.")
        seen = await self._look(token)
        if isinstance(seen, Outcome):
            raise refused("Telegram", seen, token)
        pair = TokenPair(token)
        return [Account(id=str(seen.number), name=f"{seen.name} in {self._chat}", pair=pair, lacks=seen.lacks)]

    async def particulars(self) -> Particulars | Outcome:
        seen = await self._look(None)
        if isinstance(seen, Outcome):
            return seen
        may = () if seen.lacks else ("can_post_messages",)
        lacks = (seen.lacks,) if seen.lacks else ()
        return Particulars(account=f"{seen.name} in {self._chat}", rights=may, lacks=lacks)
