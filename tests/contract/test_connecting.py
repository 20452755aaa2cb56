"""Connecting accounts: a person's browser before the emulators' consent pages, and what the connectors make of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.instagram import InstagramEmulator
from adapters.emulators.pointing import settings_for
from adapters.emulators.telegram import TelegramEmulator
from adapters.emulators.threads import ThreadsEmulator
from adapters.emulators.tiktok import TiktokEmulator
from adapters.emulators.youtube import YouTubeEmulator
from adapters.emulators.zalo import ZaloEmulator
from adapters.facebook import FacebookAdapter
from adapters.instagram import InstagramAdapter
from adapters.telegram import TelegramAdapter
from adapters.threads import ThreadsAdapter
from adapters.tiktok import TiktokAdapter
from adapters.youtube import YouTubeAdapter
from adapters.zalo import ZaloAdapter
from broker.clock import SystemClock
from broker.contract import Account, Adapter, Connector, Consent, NotConnected, Particulars, Tools
from broker.outcome import Denied, Live
from tests.contract.bench import MemoryVault

CONSENT = Consent("state-of-this-question", "verifier-" + "v" * 40)
BOT = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
KINDS: dict[str, tuple[Any, Any]] = {
    "facebook": (FacebookEmulator, FacebookAdapter),
    "threads": (ThreadsEmulator, ThreadsAdapter),
    "instagram": (InstagramEmulator, InstagramAdapter),
    "zalo": (ZaloEmulator, ZaloAdapter),
    "telegram": (TelegramEmulator, TelegramAdapter),
    "tiktok": (TiktokEmulator, TiktokAdapter),
    "youtube": (YouTubeEmulator, YouTubeAdapter),
}
OAUTH = ("facebook", "threads", "instagram", "zalo", "tiktok", "youtube")
OURS = frozenset({"token", "page_id", "user_id", "oa_id", "channel_id", "refresh_token"})
"""What connecting finds out, and the configuration therefore need not say."""


@dataclass
class Desk:
    """A channel that is not connected, and a person at a browser."""

    emulator: Any
    kind: str
    session: aiohttp.ClientSession
    vault: MemoryVault
    made: list[Adapter]

    def adapter(self, **more: object) -> Any:
        """As after a restart: only the vault remembers."""
        settings: dict[str, Any] = {k: v for k, v in settings_for(self.emulator).items() if k not in OURS}
        settings |= {"cover_url": "https://tin.example/cover.jpg"} if self.kind == "zalo" else {}
        cls = KINDS[self.kind][1]
        tools = Tools(channel=self.kind, session=self.session, clock=SystemClock(), vault=self.vault, agency="Tin")
        adapter = cls(cls.Settings(**settings | more), tools)
        self.made.append(adapter)
        return adapter

    def connector(self, **more: object) -> Connector:
        connector: Connector = self.adapter(**more).connector
        return connector

    async def browse(self, url: str, decision: str) -> str:
        """Opens the page, reads it, clicks; where the browser lands."""
        async with self.session.get(url) as page:
            text = await page.text()
            assert page.status == 200, text
        links = [unescape(link) for link in re.findall(r'href="([^"]+)"', text)]
        link = next(link for link in links if f"decision={decision}" in link)
        async with self.session.get(_absolute(url, link), allow_redirects=False) as answer:
            assert answer.status == 302
            return answer.headers["Location"]

    async def land(self, decision: str = "allow", consent: Consent = CONSENT) -> str:
        url = self.connector().invite(consent).url
        assert url is not None
        return await self.browse(url, decision)


def _absolute(base: str, link: str) -> str:
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}{link}" if link.startswith("/") else link


MakeDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def desk_for() -> AsyncIterator[MakeDesk]:
    async with aiohttp.ClientSession() as session:
        emulators: list[Any] = []
        adapters: list[Adapter] = []

        async def make(kind: str, **options: Any) -> Desk:
            emulator = KINDS[kind][0](lag=(0, 0), **options)
            await emulator.start()
            emulators.append(emulator)
            return Desk(emulator, kind, session, MemoryVault(), adapters)

        yield make
        await asyncio.gather(*(adapter.close() for adapter in adapters))
        await asyncio.gather(*(emulator.stop() for emulator in emulators))


# -- the way it goes


@pytest.mark.parametrize("kind", OAUTH)
async def test_consent_leads_to_an_account_that_posts(desk_for, kind):
    desk = await desk_for(kind)
    denied = await desk.adapter().probe()
    assert isinstance(denied, Denied)
    assert f"loa connect {kind}" in denied.detail
    connector = desk.connector()
    [account] = await connector.accept(CONSENT, f"  {await desk.land()}\n")
    assert (account.lacks, bool(account.name)) == (None, True)
    await connector.keep(account)
    assert isinstance(await desk.adapter().probe(), Live)


@pytest.mark.parametrize("kind", OAUTH)
async def test_the_sandbox_lands_on_this_machine(desk_for, kind):
    desk = await desk_for(kind)
    async with desk.session.get(await desk.land()) as page:
        assert (page.status, page.url.host) == (200, "127.0.0.1")
        assert "Copy the whole address" in await page.text()


async def test_a_bot_is_tried_and_kept(desk_for):
    desk = await desk_for("telegram", token=BOT)
    invited = desk.connector().invite(CONSENT)
    assert (invited.url, invited.secret) == (None, True)
    assert "@tinvidu" in invited.say
    connector = desk.connector()
    [account] = await connector.accept(CONSENT, f" {BOT}\n")
    assert (account.id, account.name, account.lacks) == ("110201543", "@tinvidu_bot in @tinvidu", None)
    await connector.keep(account)
    assert isinstance(await desk.adapter().probe(), Live)


async def test_a_bot_without_the_right_to_post_is_told_so(desk_for):
    desk = await desk_for("telegram", can_post=False)
    [account] = await desk.connector().accept(CONSENT, BOT)
    assert "administrator" in str(account.lacks)


async def test_pages_are_offered_with_what_the_person_may_not_do_there(desk_for):
    desk = await desk_for("facebook")
    desk.emulator.add_page("2000", "other-token")
    desk.emulator.set_tasks("2000", ["ANALYZE"])
    pages = await desk.connector().accept(CONSENT, await desk.land())
    assert [(page.id, page.lacks is None) for page in pages] == [("1098", True), ("2000", False)]
    [chosen] = await desk.connector(page_id="1098").accept(CONSENT, await desk.land())
    assert chosen.id == "1098"


async def test_a_page_token_names_no_end(desk_for):
    """It is made from a long-lived token of the person, not from the hour's one."""
    desk = await desk_for("facebook")
    [page] = await desk.connector().accept(CONSENT, await desk.land())
    assert desk.emulator.tokens[page.pair.access].expires_at is None


async def test_a_permission_left_out_is_named(desk_for):
    desk = await desk_for("facebook")
    desk.emulator.grant_only(["pages_show_list", "pages_read_engagement"])
    [page] = await desk.connector().accept(CONSENT, await desk.land())
    assert "pages_manage_posts" in str(page.lacks)


@pytest.mark.parametrize("kind", ["threads", "instagram"])
async def test_a_long_token_lives_for_sixty_days(desk_for, kind):
    desk = await desk_for(kind)
    [account] = await desk.connector().accept(CONSENT, await desk.land())
    life = account.pair.expires_at - account.pair.issued_at
    assert (life.days, account.name) == (60, "@tinvidu")


# -- what goes wrong


@pytest.mark.parametrize("kind", OAUTH)
async def test_a_code_works_once(desk_for, kind):
    desk = await desk_for(kind)
    landed = await desk.land()
    await desk.connector().accept(CONSENT, landed)
    with pytest.raises(NotConnected, match="start again") as caught:
        await desk.connector().accept(CONSENT, landed)
    assert _code(landed) not in str(caught.value)


@pytest.mark.parametrize("kind", OAUTH)
@pytest.mark.parametrize("pasted", ["", "xin chào", "AQBx-hBsH3", "https://[", "https://localhost/", "\x00", "code=1"])
async def test_garbage_gets_a_sentence(desk_for, kind, pasted):
    desk = await desk_for(kind)
    with pytest.raises(NotConnected, match="paste the whole address"):
        await desk.connector().accept(CONSENT, pasted)


@pytest.mark.parametrize("kind", OAUTH)
async def test_the_answer_to_another_question_is_refused_before_anything_is_traded(desk_for, kind):
    desk = await desk_for(kind)
    landed = await desk.land(consent=Consent("another-state", CONSENT.verifier))
    for pasted in (landed, re.sub(r"&?state=[^&#]*", "", landed)):
        with pytest.raises(NotConnected, match="another question"):
            await desk.connector().accept(CONSENT, pasted)
    assert not [request for request in desk.emulator.log.requests if request.step in ("token", "exchange")]


@pytest.mark.parametrize("kind", OAUTH)
async def test_a_refusal_says_so(desk_for, kind):
    desk = await desk_for(kind)
    with pytest.raises(NotConnected, match="not granted"):
        await desk.connector().accept(CONSENT, await desk.land("cancel"))


@pytest.mark.parametrize("kind", OAUTH)
async def test_a_wrong_secret_is_the_platforms_refusal_without_the_secret(desk_for, kind):
    desk = await desk_for(kind)
    secret = "client_secret" if kind in ("tiktok", "youtube") else "app_secret"
    with pytest.raises(NotConnected) as caught:
        await desk.connector(**{secret: "not-the-secret"}).accept(CONSENT, await desk.land())
    assert "not-the-secret" not in str(caught.value)


@pytest.mark.parametrize("kind", OAUTH)
@pytest.mark.parametrize("fault", ["refused", "html_500", "garbage_200", "reset_before"])
async def test_a_platform_that_is_down_gets_a_sentence(desk_for, kind, fault):
    desk = await desk_for(kind)
    landed = await desk.land()
    await desk.emulator.fail(fault)
    with pytest.raises(NotConnected):
        await desk.connector().accept(CONSENT, landed)


@pytest.mark.parametrize("kind", ["zalo", "youtube"])
async def test_a_token_is_given_only_to_who_asked(desk_for, kind):
    desk = await desk_for(kind)
    landed = await desk.land()
    with pytest.raises(NotConnected, match="start again"):
        await desk.connector().accept(Consent(CONSENT.state, "another-verifier"), landed)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("zalo", {"oa_id": "9999"}),
        ("threads", {"user_id": "9999"}),
        ("instagram", {"user_id": "9999"}),
        ("facebook", {"page_id": "9999"}),
        ("youtube", {"channel_id": "UC9999"}),
    ],
)
async def test_another_account_than_the_configured_one_is_refused(desk_for, kind, wrong):
    desk = await desk_for(kind)
    with pytest.raises(NotConnected, match="9999"):
        await desk.connector(**wrong).accept(CONSENT, await desk.land())


async def test_a_consent_that_does_not_last_is_refused(desk_for):
    desk = await desk_for("youtube")
    url = desk.connector().invite(CONSENT).url.replace("access_type=offline", "access_type=online")
    with pytest.raises(NotConnected, match="lasting token"):
        await desk.connector().accept(CONSENT, await desk.browse(url, "allow"))


async def test_a_channel_that_nobody_sees_is_told_so(desk_for):
    desk = await desk_for("youtube")
    desk.emulator.channel_privacy = "private"
    [account] = await desk.connector().accept(CONSENT, await desk.land())
    assert "make it public" in str(account.lacks)


async def test_a_person_without_pages_is_told_what_to_do(desk_for):
    desk = await desk_for("facebook")
    desk.emulator.set_tasks("1098", [])
    with pytest.raises(NotConnected, match="manages no Page"):
        await desk.connector().accept(CONSENT, await desk.land())


@pytest.mark.parametrize("pasted", ["", "hello", "12345", "110201543:with blanks", "https://t.me/tinvidu"])
async def test_what_is_no_bots_token_is_never_sent(desk_for, pasted):
    desk = await desk_for("telegram")
    with pytest.raises(NotConnected, match="no bot's token"):
        await desk.connector().accept(CONSENT, pasted)
    assert desk.emulator.log.requests == []


async def test_an_unknown_bot_is_refused_without_its_token(desk_for):
    desk = await desk_for("telegram", token=BOT)
    with pytest.raises(NotConnected, match="BotFather") as caught:
        await desk.connector().accept(CONSENT, f"110201543:{'B' * 35}")
    assert "BBBB" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "replace-with-the-app-secret"])
async def test_what_the_configuration_lacks_is_named(desk_for, value):
    desk = await desk_for("facebook")
    with pytest.raises(NotConnected, match=r"channels\.facebook\.app_secret"):
        desk.connector(app_secret=value).invite(CONSENT)


async def test_nothing_secret_is_shown_of_an_account(desk_for):
    desk = await desk_for("threads")
    [account] = await desk.connector().accept(CONSENT, await desk.land())
    assert account.pair.access not in repr(account)
    assert CONSENT.state not in repr(CONSENT)
    assert CONSENT.verifier not in repr(CONSENT)


# -- what platforms tell of an account


async def _connected(desk: Desk, pasted: str | None = None) -> Connector:
    connector = desk.connector()
    accounts: list[Account] = list(await connector.accept(CONSENT, pasted or await desk.land()))
    await connector.keep(accounts[0])
    return desk.connector()


async def test_facebook_tells_rights_and_mode(desk_for):
    desk = await desk_for("facebook")
    connector = await _connected(desk)
    told = await connector.particulars()
    assert isinstance(told, Particulars)
    assert (told.account, told.mode, told.lacks) == ("Page 1098 (1098)", None, ())
    assert "pages_manage_posts" in told.rights
    desk.emulator.set_live(False)
    await _post(desk, "1098")
    told = await connector.particulars()
    assert isinstance(told, Particulars)
    assert told.mode == "development"
    assert "live mode" in told.lacks[0]


async def _post(desk: Desk, page: str) -> None:
    token = next(name for name, held in desk.emulator.tokens.items() if held.owner == page)
    query = urlencode({"message": "Tin", "access_token": token})
    async with desk.session.post(f"{desk.emulator.base_url}/v25.0/{page}/feed?{query}") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(("kind", "account"), [("threads", "@tinvidu (2468)"), ("instagram", "@tinvidu (17840)")])
async def test_quota_and_the_tokens_end_are_told(desk_for, kind, account):
    told = await (await _connected(await desk_for(kind, quota=7))).particulars()
    assert isinstance(told, Particulars)
    assert (told.account, told.quota_used, told.quota_total, told.token_renews) == (account, 0, 7, True)
    assert told.token_ends_at is not None


async def test_zalo_tells_its_package(desk_for):
    told = await (await _connected(await desk_for("zalo"))).particulars()
    assert isinstance(told, Particulars)
    assert (told.account, told.rights) == ("Tin Ví Dụ (4402)", ("package Gói Nâng cao",))
    assert told.token_ends_at is not None


async def test_youtube_tells_its_channel(desk_for):
    told = await (await _connected(await desk_for("youtube"))).particulars()
    assert isinstance(told, Particulars)
    assert (told.account, told.lacks, told.token_renews) == ("Tin Ví Dụ (UCtin-vi-du)", (), True)


async def test_telegram_tells_a_missing_right(desk_for):
    desk = await desk_for("telegram", token=BOT)
    connector = await _connected(desk, BOT)
    desk.emulator.set_rights(can_post=False)
    told = await connector.particulars()
    assert isinstance(told, Particulars)
    assert (told.rights, len(told.lacks)) == ((), 1)


@pytest.mark.parametrize(("mode", "lacking"), [("inbox", 0), ("direct", 1)])
async def test_tiktok_tells_that_a_private_account_cannot_post_for_everybody(desk_for, mode, lacking):
    desk = await desk_for("tiktok", private=True)
    connector = desk.connector(mode=mode)
    [account] = await connector.accept(CONSENT, await desk.land())
    await connector.keep(account)
    told = await desk.connector(mode=mode).particulars()
    assert isinstance(told, Particulars)
    assert (told.account, told.mode, len(told.lacks)) == ("Tin Ví Dụ (open-4402)", mode, lacking)
    assert told.token_ends_at is not None


def _code(landed: str) -> str:
    return parse_qs(urlsplit(landed).query)["code"][0]
