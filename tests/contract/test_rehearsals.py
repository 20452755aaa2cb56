"""Posting is proved by itself, where that is possible and while it makes sense."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.webhook import WebhookEmulator
from adapters.emulators.zalo import ZaloEmulator
from broker.core import Broker
from broker.engine.rehearsals import FIRST, REHEARSED, Rehearser
from broker.outcome import Live
from broker.settings import load, load_adapters
from broker.wiring import open_broker

KEY = "agency/facebook"
CONFIG = """
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
language = "en"
alerts = ["duty"]
[channels.duty]
adapter = "webhook"
form = "chat"
url = "{duty}/hooks/duty"
operator = "chat"
allow_http = true
allow_private = true
[channels.facebook]
page_id = "1098"
token = "page-token"
base_url = "{facebook}"
rehearse_every = "{every}"
probe_every = "1h"
[channels.zalo]
app_id = "7002"
app_secret = "app-secret"
access_token = "zalo-access"
refresh_token = "zalo-refresh"
cover_url = "https://tin.example/cover.jpg"
base_url = "{zalo}"
oauth_url = "{oauth}"
rehearse_every = "0s"
"""


@pytest.fixture
async def facebook() -> AsyncIterator[FacebookEmulator]:
    async with FacebookEmulator(lag=(0, 0)) as emulator:
        yield emulator


@pytest.fixture
async def zalo() -> AsyncIterator[ZaloEmulator]:
    async with ZaloEmulator(lag=(0, 0), ready_after=0.5) as emulator:
        yield emulator


@pytest.fixture
async def duty() -> AsyncIterator[WebhookEmulator]:
    async with WebhookEmulator() as emulator:
        yield emulator


@asynccontextmanager
async def opened(
    folder: Path,
    facebook: FacebookEmulator,
    zalo: ZaloEmulator,
    every: str = "1s",
    duty: WebhookEmulator | None = None,
) -> AsyncIterator[Broker]:
    path = folder / "loa.toml"
    urls = {
        "duty": duty.base_url if duty else "http://127.0.0.1:9",
        "facebook": facebook.base_url,
        "zalo": zalo.base_urls["api"],
        "oauth": zalo.base_urls["oauth"],
    }
    path.write_text(CONFIG.format(folder=folder, every=every, **urls), encoding="utf-8")
    async with open_broker(load(path, {}, load_adapters())) as broker:
        yield broker


def rehearsals(facebook: FacebookEmulator) -> int:
    return len(facebook.log.asked("publish"))


async def test_posting_is_proved_again_and_again(tmp_path, facebook, zalo):
    async with opened(tmp_path, facebook, zalo) as broker:
        await broker.rehearse("agency", "facebook")
        await facebook.until(lambda log: len(log.asked("publish")) >= 3)
        [report] = [one for one in await broker.channels("agency") if one.name == "facebook"]
        assert report.proved is True
        assert report.proved_at is not None
        assert datetime.now(UTC) - report.proved_at < timedelta(seconds=30)
    assert not facebook.log.posts


async def test_a_channel_that_was_never_proved_is_left_alone_for_the_first_hour(tmp_path, facebook, zalo):
    async with opened(tmp_path, facebook, zalo) as broker:
        assert FIRST <= waits(broker) + timedelta(seconds=30) <= 2 * FIRST + timedelta(minutes=1)
        assert broker.engine.rehearser.due_at("agency/zalo") is None


async def test_a_paused_channel_is_not_rehearsed(tmp_path, facebook, zalo):
    async with opened(tmp_path, facebook, zalo) as broker:
        await broker.rehearse("agency", "facebook")
        await broker.pause("agency", "facebook")
        await until(lambda: waits(broker) > timedelta(minutes=5))
        assert rehearsals(facebook) == 1


async def test_a_channel_that_is_down_waits_for_its_turn(tmp_path, facebook, zalo):
    async with opened(tmp_path, facebook, zalo) as broker:
        await broker.rehearse("agency", "facebook")
        await facebook.fail("refused")
        for _ in range(2):
            await broker.probe("agency", "facebook")
        await until(lambda: waits(broker) > timedelta(minutes=5))


async def test_people_hear_once_that_posting_fails_though_the_channel_works(tmp_path, facebook, zalo, duty):
    facebook.remove_scope("pages_manage_posts")
    async with opened(tmp_path, facebook, zalo, "7d", duty) as broker:
        await broker.rehearse("agency", "facebook")
        await duty.until(lambda log: log.taken, timeout=60)
    async with opened(tmp_path, facebook, zalo, "7d", duty) as broker:
        for token in facebook.tokens.values():
            token.scopes = facebook.scopes
        await broker.rehearse("agency", "facebook")
        await duty.until(lambda log: len(log.taken) == 2, timeout=60)
    failed, over = (post.text for post in duty.log.taken)
    assert "rehearsal could not post" in failed
    assert "permission" in failed
    assert "can post again" in over


async def test_what_was_proved_is_known_after_a_restart(tmp_path, facebook, zalo):
    async with opened(tmp_path, facebook, zalo, every="7d") as broker:
        facebook.remove_scope("pages_manage_posts")
        await broker.rehearse("agency", "facebook")
    async with opened(tmp_path, facebook, zalo, every="7d") as broker:
        rehearser: Rehearser = broker.engine.rehearser
        proof = rehearser.proof(KEY)
        assert proof is not None
        assert (proof.works, "permission" in proof.detail) == (False, True)
        assert timedelta(hours=23) < waits(broker) <= timedelta(days=1)
        assert REHEARSED + KEY in await broker.engine.call(broker.store.settings, REHEARSED)


async def test_a_platform_that_takes_its_time_is_asked_again(tmp_path, facebook, zalo):
    """Zalo gives a hidden article its id only after a while; nothing of it stays."""
    async with opened(tmp_path, facebook, zalo) as broker:
        assert isinstance(await broker.rehearse("agency", "zalo"), Live)
    assert zalo.log.posts == []
    assert not [post for post in zalo.log.taken if post.is_up]


def waits(broker: Broker) -> timedelta:
    """Until the next rehearsal."""
    due_at = broker.engine.rehearser.due_at(KEY)
    assert due_at is not None
    return due_at - datetime.now(UTC)


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # the rehearser tells nobody of its plans
            await asyncio.sleep(0.02)
