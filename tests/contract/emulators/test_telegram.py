"""Telegram's own rules, by a plain HTTP client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from adapters.emulators.telegram import TelegramEmulator

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
WORDS = {"chat_id": "@tinvidu", "text": "Bão số 9"}


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramEmulator]:
    async with TelegramEmulator(token=TOKEN) as emulator:
        yield emulator


async def call(
    session: aiohttp.ClientSession, telegram: TelegramEmulator, name: str, token: str = TOKEN, **how: Any
) -> tuple[int, Any]:
    method = how.pop("method", "POST")
    async with session.request(method, f"{telegram.base_url}/bot{token}/{name}", **how) as response:
        return response.status, json.loads(await response.read())


async def test_every_form_of_a_request_is_taken_and_any_case_of_a_method(telegram, session):
    form = aiohttp.FormData(WORDS, default_to_multipart=True)
    for name, how in (
        ("sendMessage", {"data": WORDS}),
        ("sendmessage", {"json": WORDS}),
        ("SENDMESSAGE", {"data": form}),
        ("sendMessage", {"params": WORDS, "method": "GET"}),
    ):
        status, answer = await call(session, telegram, name, **how)
        assert (status, answer["ok"], answer["result"]["text"]) == (200, True, WORDS["text"])
    assert [post.id for post in telegram.log.posts] == ["812", "813", "814", "815"]


@pytest.mark.parametrize(
    ("name", "token", "status", "said"),
    [
        ("sendMessage", "110201543:other", 401, "Unauthorized"),
        ("sendMessage", "nonsense", 404, "Not Found"),
        ("getHistory", TOKEN, 404, "Not Found"),
    ],
)
async def test_wrong_addresses(telegram, session, name, token, status, said):
    got, answer = await call(session, telegram, name, token, data=WORDS)
    assert (got, answer["error_code"], answer["description"]) == (status, status, said)
    assert not telegram.log.taken
    assert token not in json.dumps(telegram.log.to_json())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": " "}, "message text is empty"),
        ({"text": "🌀" * 2049}, "message is too long"),
        ({"chat_id": "@other"}, "chat not found"),
    ],
)
async def test_bad_messages(telegram, session, change, said):
    status, answer = await call(session, telegram, "sendMessage", data={**WORDS, **change})
    assert (status, answer["description"]) == (400, f"Bad Request: {said}")


async def test_a_flood_is_answered_in_two_places(telegram, session):
    await telegram.fail("throttled", after=5)
    async with session.post(f"{telegram.base_url}/bot{TOKEN}/sendMessage", data=WORDS) as response:
        assert response.headers["Retry-After"] == "5"
        assert (await response.json())["parameters"] == {"retry_after": 5}
