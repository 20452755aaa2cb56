"""Zalo's own rules, by a plain HTTP client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from adapters.emulators.zalo import ZaloEmulator

ARTICLE = {
    "type": "normal",
    "title": "Bão số 9 (TVD-7QK2F9)",
    "author": "Tin Ví Dụ",
    "description": "Sơ tán",
    "cover": {"cover_type": "photo", "photo_url": "https://tin.example/c.jpg", "status": "show"},
    "body": [{"type": "text", "content": "Gió &lt; cấp 12"}],
    "status": "show",
}


@pytest.fixture
async def zalo(clock) -> AsyncIterator[ZaloEmulator]:
    async with ZaloEmulator(now=clock.now, lag=(0, 0), ready_after=10) as emulator:
        yield emulator


async def call(
    session: aiohttp.ClientSession, zalo: ZaloEmulator, name: str, token: str = "zalo-access", **how: Any
) -> Any:
    method = "GET" if name.startswith("get") else "POST"
    url = f"{zalo.base_url}/v2.0/article/{name}"
    async with session.request(method, url, headers={"access_token": token}, **how) as response:
        assert response.status == 200
        return await response.json()


async def renew(session: aiohttp.ClientSession, zalo: ZaloEmulator, refresh: str, secret: str = "app-secret") -> Any:
    form = {"app_id": "7002", "refresh_token": refresh, "grant_type": "refresh_token"}
    url = f"{zalo.base_urls['oauth']}/v4/oa/access_token"
    async with session.post(url, headers={"secret_key": secret}, data=form) as response:
        return await response.json()


async def test_an_article_has_its_id_only_after_a_while(zalo, session, clock):
    token = (await call(session, zalo, "create", json=ARTICLE))["data"]["token"]
    assert (await call(session, zalo, "verify", json={"token": token}))["error"] == -100
    assert (await call(session, zalo, "getslice", params={"type": "normal"}))["data"]["medias"] == []
    clock.advance(seconds=10)
    article_id = (await call(session, zalo, "verify", json={"token": token}))["data"]["id"]
    listed = (await call(session, zalo, "getslice", params={"type": "normal"}))["data"]
    assert [(line["id"], line["title"], line["status"]) for line in listed["medias"]] == [
        (article_id, ARTICLE["title"], "show")
    ]
    [post] = zalo.log.visible
    assert post.text == "Bão số 9 (TVD-7QK2F9)\n\nGió < cấp 12"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": "x" * 150}, "title allow 1 to 150 characters"),
        ({"description": ""}, "description allow 1 to 300 characters"),
        ({"cover": None}, "cover value is invalid"),
        ({"body": []}, "body is empty"),
        ({"author": "x" * 51}, "author allow 1 to 50 characters"),
    ],
)
async def test_bad_articles(zalo, session, change, said):
    answer = await call(session, zalo, "create", json={**ARTICLE, **change})
    assert (answer["error"], answer["message"]) == (-201, said)
    assert not zalo.log.taken


async def test_a_list_has_at_most_ten_lines_and_only_our_own(zalo, session):
    for number in range(12):
        zalo.plant_post(f"a{number}", f"Tin {number}", author="4402", seconds_ago=number)
    zalo.plant_post("b", "Tin khác")
    page = {"type": "normal", "offset": "10", "limit": "10"}
    assert [line["id"] for line in (await call(session, zalo, "getslice", params=page))["data"]["medias"]] == [
        "a10",
        "a11",
    ]
    assert (await call(session, zalo, "getslice", params={**page, "limit": "11"}))["error"] == -201
    assert (await call(session, zalo, "getslice", params={"offset": "0"}))["error"] == -201


async def test_a_refresh_token_works_once(zalo, session, clock):
    first = await renew(session, zalo, "zalo-refresh")
    assert first["expires_in"] == "90000"
    assert (await renew(session, zalo, "zalo-refresh"))["error"] == -14014
    assert (await renew(session, zalo, first["refresh_token"], secret="wrong"))["error"] == -14004
    assert "access_token" in await renew(session, zalo, first["refresh_token"])
    assert (await call(session, zalo, "create", first["access_token"], json=ARTICLE))["error"] == 0
    clock.advance(hours=25)
    assert (await call(session, zalo, "create", first["access_token"], json=ARTICLE))["error"] == -216
    assert [note.what for note in zalo.log.notes].count("refresh token refused") == 1


async def test_the_log_holds_no_token(zalo, session):
    answer = await renew(session, zalo, "zalo-refresh")
    await call(session, zalo, "create", answer["access_token"], json=ARTICLE)
    shown = repr(zalo.log.to_json())
    assert not [secret for secret in (*answer.values(), "zalo-refresh", "app-secret") if secret in shown]
