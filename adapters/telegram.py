"""Posts of a bot in one Telegram channel, through python-telegram-bot (PTB).

Source: Telegram's Bot API pages, the code of PTB 22.8 and of the Bot API server, read 2026-11-22. Telegram keeps no key
of ours and shows bots no list of posts: what an answer leaves open nobody can settle but a person (class C).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Annotated, ClassVar, TypeVar

import httpx
from pydantic import BeforeValidator, Field, SecretStr, field_validator
from telegram import Bot, ChatMember
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, TelegramError

from adapters._bot_api import TooSoon, bot_for, fault_of
from adapters._consent import never_renewed, not_connected
from adapters._http import host_of
from adapters._telegram_bot import PICTURE, TOKEN, BotSeen, TelegramConnector, picture_of
from broker.contract import (
    AdapterBase,
    ChannelSettings,
    Gate,
    Job,
    Profile,
    Step,
    TextLimit,
    TokenPair,
    Tools,
    Unit,
)
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import Absent, Denied, Fault, Finding, Live, Outcome, Rejected, Throttled, Unavailable, Uncertain
from broker.rules.media import chosen
from broker.rules.text import compose_text

T = TypeVar("T")

# Telegram counts "characters" and names no unit; its entities count UTF-16 units, which are never fewer.
LIMIT = TextLimit(4096, Unit.UTF16)
CAPTION = TextLimit(1024, Unit.UTF16)

_RIGHTS = "make the bot an administrator of the channel with the right to post messages"
_UNKNOWN_BOT = (
    "Telegram does not accept the bot's token: ask @BotFather for the current one, and put it into the configuration"
)
_FROZEN = "Telegram has frozen the account that owns the bot: its owner must open Telegram and appeal"
_TOO_OLD = "bots can delete posts of the last 48 hours only: delete it by hand"

REFUSED: Mapping[str, Denied | Rejected] = {
    "chat not found": Denied(f"the bot knows no such chat: correct chat_id, and {_RIGHTS}"),
    "need administrator rights": Denied(_RIGHTS),
    "not enough rights": Denied(_RIGHTS),
    "have no rights to send": Denied(_RIGHTS),
    "chat_write_forbidden": Denied(_RIGHTS),
    "frozen": Denied(_FROZEN),
    "message text is empty": Rejected("empty", "the message is empty"),
    "message is too long": Rejected("too_long", f"the message is longer than {LIMIT.limit} characters"),
    "can't parse entities": Rejected("entities", "Telegram cannot read the text's markup"),
    "message can't be deleted": Rejected("too_old", _TOO_OLD),
}
"""What HTTP 400 means by its description; PTB strips "Bad Request: ". Others are `Rejected` in Telegram's own words."""

_NO_NUMBER = Rejected("no_id", "the number of the post is not known: change it by hand")
_NOTHING_TO_DELETE = "message to delete not found"
_NOT_MODIFIED = "message is not modified"
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)
"""What PTB raises on a 2xx that is JSON and yet not what Telegram documents."""


class TelegramSettings(ChannelSettings):
    """`[channels.NAME]` of a bot in a channel, a group or a chat."""

    token: SecretStr | None = None
    """None: the one that `loa connect` was given and the store keeps."""
    chat_id: Annotated[str, BeforeValidator(str)] = Field(pattern=r"^(@\w+|-?\d+)$")
    """`@name` of a public channel, or the number of any chat (channels: -100…)."""
    base_url: str = "https://api.telegram.org"
    proxy: SecretStr | None = None
    """`http://user:password@host:port` where Telegram is blocked; no proxy of the environment is used."""

    @field_validator("token")
    @classmethod
    def _has_two_parts(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("write the whole token as @BotFather shows it: digits, a colon, letters")
        return token

    @property
    def seed(self) -> TokenPair:
        return TokenPair(self.token.get_secret_value() if self.token else "")


PROFILE = Profile(
    adapter="telegram",
    operator="telegram",
    country="AE",
    blocked_in=frozenset({"VN"}),  # since May 2025
    steps=(Step("send", StepClass.NOTHING),),
    text=LIMIT,
    media=PICTURE,
    abilities=frozenset({Verb.PROBE, Verb.EDIT, Verb.DELETE}),
    usual=timedelta(seconds=2),
    look_back=None,
    max_in_flight=2,
    rate_per_s=1.0,
)


def classify(error: Exception, gate: Gate | None) -> Outcome:
    """What an exception of PTB means. Order matters: `BadRequest` and `TimedOut` are `NetworkError`s."""
    match error:
        case TooSoon(wait=wait):
            return Throttled(wait)
        case ChatMigrated(new_chat_id=number):
            return Denied(f"the group has become a supergroup: set chat_id to {number}")
        case TelegramError() if isinstance(error.__cause__, TelegramError):  # an error page, not Telegram's own words
            return _unclear(error, gate)
        case Forbidden():
            return Denied(f"Telegram says: {error.message}; {_RIGHTS}")
        case InvalidToken():
            return Denied(_UNKNOWN_BOT)
        case BadRequest():
            said = error.message.lower()
            known = next((outcome for words, outcome in REFUSED.items() if words in said), None)
            return known or Rejected(said[:60], f"Telegram says: {error.message[:200]}")
        case _:
            return _unclear(error, gate)


def _unclear(error: Exception, gate: Gate | None) -> Outcome:
    fault, detail, has_left = fault_of(error, gate)
    return Uncertain(fault, detail) if has_left else Unavailable(fault, detail)


def rights(member: ChatMember) -> Denied | None:
    """Why the bot may not post, as far as its standing in the chat tells."""
    match member.status:
        case ChatMemberStatus.LEFT | ChatMemberStatus.BANNED:
            return Denied(f"the bot is not in the chat: {_RIGHTS}")
        case ChatMemberStatus.ADMINISTRATOR if getattr(member, "can_post_messages", None) is False:
            return Denied(_RIGHTS)
        case ChatMemberStatus.RESTRICTED if not getattr(member, "can_send_messages", True):
            return Denied("the bot may not write in this group: ask its administrators")
        case _:
            return None


class TelegramAdapter(AdapterBase):
    """Sends to one chat. Builds its HTTP client with the first call: nothing is asked of Telegram at start."""

    Settings: ClassVar[type[ChannelSettings]] = TelegramSettings

    def __init__(self, settings: TelegramSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        bot_number = settings.seed.access.partition(":")[0]
        login = f"telegram bot {bot_number}" if bot_number else None
        self.profile = replace(PROFILE, login=login, hosts=(host_of(settings.base_url),)).adjusted(settings)
        self.connector = TelegramConnector(settings.chat_id, tools, settings.seed, self._look)

    def compose(self, post: Post) -> Composed:
        """With the first picture, where the whole text fits below it: nothing is cut for a picture's sake."""
        composed = compose_text(post, LIMIT)
        return replace(composed, media=chosen(post, PICTURE)) if composed.length <= CAPTION.limit else composed

    async def publish(self, job: Job) -> Outcome:
        """When the picture cannot be had, the text goes alone: news does not wait."""
        photo = await picture_of(job, self._tools.media)
        without = "media_not_kept" if job.composed.media and photo is None else ""

        async def send(bot: Bot) -> Live:
            chat, text = self._settings.chat_id, job.composed.text
            sent = bot.send_photo(chat, photo, caption=text) if photo else bot.send_message(chat, text)
            message = await sent
            return Live(str(message.message_id), message.link, without=without)

        return await self._called(job.gate, send)

    async def edit(self, job: Job) -> Outcome:
        if job.platform_id is None:
            return _NO_NUMBER
        chat, number, text = self._settings.chat_id, int(job.platform_id), job.composed.text
        edited = await self._called(
            job.gate,
            lambda bot: (
                bot.edit_message_caption(chat, number, caption=text)
                if job.composed.media
                else bot.edit_message_text(text, chat, number)
            ),
        )
        is_same = isinstance(edited, Rejected) and _NOT_MODIFIED in edited.code
        return edited if isinstance(edited, Outcome) and not is_same else Live(str(number), job.url)

    async def delete(self, job: Job) -> Finding:
        if job.platform_id is None:
            return _NO_NUMBER
        chat, number = self._settings.chat_id, int(job.platform_id)
        deleted = await self._called(job.gate, lambda bot: bot.delete_message(chat, number))
        if deleted is True or (isinstance(deleted, Rejected) and _NOTHING_TO_DELETE in deleted.code):
            return Absent()
        return deleted if isinstance(deleted, Outcome) else Uncertain(Fault.SERVER, "the removal was not confirmed")

    async def probe(self) -> Outcome:
        seen = await self._look()
        if isinstance(seen, Outcome):
            return seen
        return Denied(seen.lacks) if seen.lacks else Live(self._settings.chat_id)

    async def _look(self, token: str | None = None) -> BotSeen | Outcome:
        """Bot and chat as this token sees them, ours unless another is given."""

        async def look(bot: Bot) -> BotSeen:
            me = await bot.get_me()
            member = await bot.get_chat_member(self._settings.chat_id, me.id)
            denied = rights(member)
            return BotSeen(me.id, f"@{me.username}", denied.detail if denied else None)

        return await self._called(None, look, token)

    async def close(self) -> None:
        if "_wire" in vars(self):
            await self._wire.aclose()

    async def _called(
        self, gate: Gate | None, call: Callable[[Bot], Awaitable[T]], token: str | None = None
    ) -> T | Outcome:
        """One call's result, or what its failure means: `Unavailable` where nothing can have become public."""
        token = token or (await self._tools.vault.pair(self._settings.seed, never_renewed)).access
        if not token:
            return not_connected(self._tools.channel)
        bot = bot_for(token, self._settings.base_url, self.profile, self._wire, gate)
        try:
            async with asyncio.timeout(self.profile.total_timeout.total_seconds()):
                return await call(bot)
        except (TelegramError, TimeoutError, *_UNREADABLE) as error:
            return classify(error, gate)

    @cached_property
    def _wire(self) -> httpx.AsyncHTTPTransport:
        proxy = self._settings.proxy.get_secret_value() if self._settings.proxy else None
        needs_certificates = proxy is not None or not self._settings.base_url.startswith("http:")
        return httpx.AsyncHTTPTransport(verify=needs_certificates, proxy=proxy, retries=0)
