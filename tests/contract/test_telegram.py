"""The Telegram adapter: the suite, and what is Telegram's alone."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError
from telegram.error import NetworkError

from adapters._bot_api import fault_of
from adapters.emulators.faults import Kind
from adapters.emulators.telegram import TelegramEmulator
from adapters.telegram import LIMIT, TelegramAdapter, TelegramSettings
from broker.contract import Adapter
from broker.model import Composed, StepClass, Verb
from broker.outcome import Absent, Denied, Fault, Finding, Live, Rejected, Throttled, Uncertain
from broker.values import replace
from tests.contract.adapter_suite import Deletes, Edits
from tests.contract.bench import OTHER, PATIENCE, POST, Bench, LeaseGate
from tests.contract.emulators.browser import HandClock
from tests.contract.media_host import MediaHost

NUMBER, SECRET = "110201543", "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
TOKEN = f"{NUMBER}:{SECRET}"


class TelegramBench(Bench):
    """Closes its adapters: each has an HTTP client of its own."""

    def new_adapter(self, patience: timedelta = PATIENCE, **settings: object) -> Adapter:
        adapter = super().new_adapter(patience, **settings)
        self.made = [*getattr(self, "made", []), adapter]
        return adapter


class TestTelegram(Deletes, Edits):
    adapter = TelegramAdapter
    emulator = TelegramEmulator
    settings: ClassVar = {"token": TOKEN, "chat_id": "@tinvidu"}
    options: ClassVar = {"token": TOKEN}
    steps: ClassVar = {"send": "publish"}
    exempt: ClassVar = {
        Kind.ERROR_IN_200: "an error comes with its own status",
        Kind.EXPIRED: "a bot's token has no end",
    }
    test_a_delete_that_changed_nothing_is_seen = None  # type: ignore[assignment]  # nobody can look

    @pytest.fixture
    async def bench(self, clock: HandClock, host: MediaHost) -> AsyncIterator[TelegramBench]:
        async with self.emulator(now=clock.now, **self.options) as emulator, aiohttp.ClientSession() as session:
            bench = TelegramBench(self.adapter, self.settings, self.public_step(), emulator, session, host=host)
            yield bench
            for adapter in bench.made:
                await adapter.close()

    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    async def test_a_picture_is_shown_above_a_text_that_fits_below_it(self, bench, host):
        copy = bench.copy(replace(POST, media=(host.picture(size=(1200, 800)), host.picture())))
        live = await copy.publish(bench.adapter)
        assert isinstance(live, Live)
        assert live.without == ""
        [post] = bench.log.copies(POST.reference)
        assert (post.text, post.extra["photo"]) == (copy.composed.text, (1200, 800))

    async def test_nothing_is_cut_for_a_pictures_sake(self, bench, host):
        copy = bench.copy(replace(POST, body="Nước lên nhanh. " * 80, media=(host.picture(),)))
        assert copy.composed.media == ()
        assert isinstance(await copy.publish(bench.adapter), Live)
        assert bench.log.copies(POST.reference)[0].text == copy.composed.text

    async def test_a_picture_that_is_gone_does_not_hold_the_text_back(self, bench, host):
        picture = host.picture()
        (host.shelf.folder / picture.name).unlink()
        live = await bench.copy(replace(POST, media=(picture,))).publish(bench.adapter)
        assert isinstance(live, Live)
        assert live.without == "media_not_kept"

    async def test_a_lost_picture_is_as_uncertain_as_a_lost_text(self, bench, host):
        await bench.emulator.fail(Kind.STORED_THEN_RESET, step="photo", times=1)
        assert isinstance(await bench.copy(replace(POST, media=(host.picture(),))).publish(bench.adapter), Uncertain)
        assert bench.copies() == 1

    async def test_a_lost_answer_cannot_be_settled(self, bench):
        """Class C: one copy is there, nobody can be asked, and the profile says so."""
        profile = bench.adapter.profile
        assert profile.step_class(0) is StepClass.NOTHING
        assert Verb.FIND not in profile.abilities
        await bench.emulator.fail(Kind.STORED_THEN_STALL, times=1)
        assert await bench.copy().publish(bench.against(Kind.STALL)) == Uncertain(Fault.HANG, "no answer in time")
        assert bench.copies() == 1
        assert await bench.adapter.find(bench.copy().job()) == Rejected("not_offered", "this platform has no find")

    @pytest.mark.parametrize(
        ("kind", "fault"),
        [
            (Kind.REFUSED, Fault.CONNECT),
            (Kind.RESET_BEFORE, Fault.NO_BYTE),
            (Kind.STALL, Fault.HANG),
            (Kind.HTML_503, Fault.SERVER),
            (Kind.SERVER_ERROR, Fault.SERVER),
        ],
    )
    async def test_causes_are_told_apart(self, bench, kind, fault):
        await bench.emulator.fail(kind)
        assert (await bench.copy().publish(bench.against(kind))).fault is fault

    async def test_telegram_says_how_long_to_wait(self, bench):
        await bench.emulator.fail(Kind.THROTTLED, after=17)
        assert await bench.copy().publish(bench.adapter) == Throttled(timedelta(seconds=17))
        await bench.emulator.heal()
        await bench.emulator.fail(Kind.THROTTLED, after=10**9)
        assert await bench.adapter.probe() == Throttled(timedelta(hours=24))

    async def test_a_text_is_measured_in_utf16_units(self, bench):
        fits = Composed(text="🌀" * (LIMIT.limit // 2 - 6) + f" {POST.reference}", parts={})
        copy = bench.copy()
        copy.composed = fits
        assert isinstance(await copy.publish(bench.adapter), Live)
        copy.composed = replace(fits, text=fits.text + "🌀")
        assert await copy.publish(bench.adapter) == Rejected("too_long", "the message is longer than 4096 characters")
        assert bench.copies() == 1

    async def test_a_chat_may_be_named_by_number(self, bench):
        adapter = bench.new_adapter(chat_id=bench.emulator.chat_id)
        outcome = await bench.copy().publish(adapter)
        assert outcome == Live("812", "https://t.me/tinvidu/812")

    async def test_an_unknown_chat_is_for_the_desk(self, bench):
        for outcome in (
            await bench.copy().publish(bench.new_adapter(chat_id="@tinkhac")),
            await bench.new_adapter(chat_id="@tinkhac").probe(),
        ):
            assert isinstance(outcome, Denied)
            assert "correct chat_id" in outcome.detail

    async def test_without_the_right_to_post_the_probe_fails_too(self, bench):
        bench.emulator.set_rights(False)
        for outcome in (await bench.copy().publish(bench.adapter), await bench.adapter.probe()):
            assert isinstance(outcome, Denied)
            assert "administrator" in outcome.detail
        assert not bench.log.taken

    async def test_a_replaced_token_is_for_the_desk(self, bench):
        bench.emulator.replace_token(f"{NUMBER}:new")
        for outcome in (await bench.copy().publish(bench.adapter), await bench.adapter.probe()):
            assert isinstance(outcome, Denied)
            assert "@BotFather" in outcome.detail

    async def test_posts_older_than_two_days_stay(self, bench, clock):
        copy = await bench.live()
        clock.advance(hours=49)
        refused = await bench.adapter.delete(copy.job())
        assert isinstance(refused, Rejected)
        assert "by hand" in refused.detail
        assert bench.log.visible

    async def test_an_edit_without_change_is_done(self, bench):
        copy = await bench.live()
        assert isinstance(await bench.adapter.edit(copy.job()), Live)
        copy.platform_id = "404"
        assert isinstance(await bench.adapter.edit(copy.job()), Rejected)
        assert await bench.adapter.delete(copy.job()) == Absent()
        copy.platform_id = None
        assert isinstance(await bench.adapter.delete(copy.job()), Rejected)
        assert len(bench.log.visible) == 1

    async def test_each_attempt_has_a_gate_of_its_own(self, bench):
        closed, open_ = LeaseGate(is_open=False), LeaseGate()
        results = await asyncio.gather(
            bench.copy().publish(bench.adapter, gate=closed),
            bench.copy(OTHER).publish(bench.adapter, gate=open_),
            return_exceptions=True,
        )
        assert [type(result).__name__ for result in results] == ["GateClosed", "Live"]
        assert (closed.passed, open_.passed, bench.copies(), bench.copies(OTHER)) == (False, True, 0, 1)

    async def test_no_log_ever_shows_the_token(self, bench, caplog):
        hear_everything(caplog)
        outcomes = [await bench.copy().publish(bench.new_adapter()), await bench.adapter.probe()]
        for kind in (Kind.GARBAGE_200, Kind.LOGGED_OUT, Kind.STORED_THEN_RESET, Kind.REFUSED):
            await bench.emulator.fail(kind)
            outcomes.append(await bench.copy().publish(bench.adapter))
            await bench.emulator.heal()
        assert "sendMessage" in caplog.text  # PTB and HTTPX do log their calls
        assert SECRET not in caplog.text + repr(outcomes)

    async def test_proxies_of_the_environment_are_not_used(self, bench, monkeypatch):
        for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        await bench.copy().publish(bench.new_adapter())
        assert bench.copies() == 1

    async def test_readers_in_vietnam_cannot_open_it(self, bench):
        assert bench.adapter.profile.blocked_in == {"VN"}


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def answered(answer: Answer, question: Callable[[Bench], Awaitable[Finding]]) -> Finding:
    """What an adapter makes of a server that answers like this."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        bench = Bench(TelegramAdapter, TestTelegram.settings, "publish", at(str(server.make_url("/"))), session)
        try:
            return await question(bench)
        finally:
            await bench.adapter.close()


def hear_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Also of the libraries that Loa's own logging keeps quiet."""
    for name in ("", "httpx", "httpcore", "telegram"):
        caplog.set_level(logging.DEBUG, logger=name)


async def published_to(answer: Answer) -> Finding:
    return await answered(answer, lambda bench: bench.copy().publish(bench.adapter))


def at(base_url: str) -> Any:
    """A server that is no emulator."""
    return SimpleNamespace(base_url=base_url, log=None)


@pytest.mark.parametrize("status", [200, 401, 403, 404, 502])
async def test_a_page_that_is_not_telegrams_says_nothing_about_our_account(status, caplog):
    """A censor's or a proxy's page, which may quote the address called, and with it the token."""

    async def page(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=status, text=f"<html>{request.path} is blocked</html>", content_type="text/html")

    hear_everything(caplog)
    outcome = await published_to(page)
    assert isinstance(outcome, Uncertain)
    ours = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]  # the page's own log
    assert len(ours) > 5
    assert SECRET not in "".join(ours) + repr(outcome)


@pytest.mark.parametrize(
    "body", ["[]", "7", "null", "{}", '{"ok": true}', '{"ok": true, "result": true}', '{"ok": true, "result": {}}']
)
async def test_an_answer_without_a_message_is_uncertain(body):
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=body, content_type="application/json")

    assert isinstance(await published_to(answer), Uncertain)


async def test_a_huge_answer_is_not_read_to_its_end():
    async def endless(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" " * 65536)
        return response

    async def bomb(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=zlib.compress(b" " * 10**7), headers={"Content-Encoding": "deflate"})

    for answer in (endless, bomb):
        assert await published_to(answer) == Uncertain(Fault.SERVER, "unreadable answer")


async def test_a_removal_that_is_not_confirmed_proves_nothing():
    async def no(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"ok": True, "result": False})

    assert isinstance(
        await answered(no, lambda bench: bench.adapter.delete(replace(bench.copy().job(), platform_id="812"))),
        Uncertain,
    )


async def test_a_group_that_moved_is_for_the_desk():
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        moved = {"ok": False, "error_code": 400, "parameters": {"migrate_to_chat_id": -100777}}
        return web.json_response(moved, status=400)

    assert await published_to(answer) == Denied("the group has become a supergroup: set chat_id to -100777")


async def test_words_nobody_has_seen_are_rejected_aloud():
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        said = {"ok": False, "error_code": 400, "description": f"Bad Request: odd thing at {request.path}"}
        return web.json_response(said, status=400)

    outcome = await published_to(answer)
    assert isinstance(outcome, Rejected)
    assert outcome.code.startswith("odd thing at /bot***/")


async def test_a_proxy_carries_everything():
    seen: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readline()).decode())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server, aiohttp.ClientSession() as session:
        port = server.sockets[0].getsockname()[1]
        settings = {**TestTelegram.settings, "proxy": f"http://127.0.0.1:{port}"}
        bench = Bench(TelegramAdapter, settings, "publish", at("http://telegram.example"), session)
        outcome = await bench.copy().publish(bench.adapter)
        await bench.adapter.close()
    assert isinstance(outcome, Uncertain)
    assert [line.split("/bot")[0] for line in seen] == ["POST http://telegram.example"]


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        (socket.gaierror(-2, "Name or service not known"), Fault.DNS),
        (ssl.SSLCertVerificationError("expired"), Fault.TLS),
        (TimeoutError(), Fault.CONNECT),
    ],
)
def test_what_lies_behind_a_failed_connection(cause, fault):
    behind = httpx.ConnectTimeout("x") if isinstance(cause, TimeoutError) else httpx.ConnectError("x")
    behind.__cause__ = cause
    error = NetworkError("httpx.ConnectError")
    error.__cause__ = behind
    gate = LeaseGate()
    gate.enter()
    assert fault_of(error, gate)[::2] == (fault, False)


@pytest.mark.parametrize("token", ["", "no colon", "110201543:", ":AAHd", "abc:AAHd", "1102 01543:AAHd", f"{TOKEN}/x"])
def test_a_token_that_is_none_is_refused_at_start(token):
    with pytest.raises(ValidationError) as error:
        TelegramSettings(token=token, chat_id="@tinvidu")
    assert "BotFather" in str(error.value)
    assert not token or token not in str(error.value)


@pytest.mark.parametrize("chat", ["tinvidu", "https://t.me/tinvidu", "@", ""])
def test_a_chat_that_is_none_is_refused_at_start(chat):
    with pytest.raises(ValidationError):
        TelegramSettings(token=TOKEN, chat_id=chat)


def test_a_constructor_asks_nobody():
    """Telegram may be down when Loa starts; not even a name is looked up."""
    nothing: Any = object()
    adapter = TelegramAdapter(TelegramSettings(token=TOKEN, chat_id="@tinvidu"), nothing)
    assert adapter.profile.hosts == ("api.telegram.org",)
    assert adapter.profile.login == f"telegram bot {NUMBER}"
