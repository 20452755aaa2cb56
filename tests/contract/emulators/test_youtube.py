"""YouTube's own rules, by a plain HTTP client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from adapters.emulators.youtube import YouTubeEmulator

SNIPPET = {"title": "Bão số 9", "description": "Sơ tán\n\nTVD-7QK2F9", "categoryId": "25"}
PIECE = 256 * 1024
TOTAL = 2 * PIECE + 7


@pytest.fixture
async def youtube(clock) -> AsyncIterator[YouTubeEmulator]:
    async with YouTubeEmulator(now=clock.now, lag=(0, 0), processed_after=0) as emulator:
        yield emulator


async def call(
    session: aiohttp.ClientSession,
    youtube: YouTubeEmulator,
    method: str,
    path: str,
    token: str = "youtube-access",
    headers: dict[str, str] | None = None,
    **how: Any,
) -> tuple[int, Any, Any]:
    """Status, body and headers."""
    url = path if path.startswith("http") else youtube.base_urls["api"] + path
    sent = {"Authorization": f"Bearer {token}", **(headers or {})}
    async with session.request(method, url, headers=sent, **how) as response:
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else await response.text(), response.headers


async def begin(session: aiohttp.ClientSession, youtube: YouTubeEmulator, **snippet: str) -> tuple[int, Any, Any]:
    path = "/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status"
    video = {"snippet": SNIPPET | snippet, "status": {"privacyStatus": "public"}}
    size = {"X-Upload-Content-Length": str(TOTAL)}
    return await call(session, youtube, "POST", path, headers=size, json=video)


async def put(session: Any, youtube: YouTubeEmulator, address: str, start: int, size: int) -> tuple[int, Any, Any]:
    sent = {"Content-Range": f"bytes {start}-{start + size - 1}/{TOTAL}"}
    return await call(session, youtube, "PUT", address, headers=sent, data=b"v" * size)


async def asked(session: Any, youtube: YouTubeEmulator, address: str) -> tuple[int, Any, Any]:
    return await call(session, youtube, "PUT", address, headers={"Content-Range": f"bytes */{TOTAL}"})


def reason(body: Any) -> str:
    return str(body["error"]["errors"][0]["reason"])


async def test_pieces_make_a_video_once(session, youtube):
    address = (await begin(session, youtube))[2]["Location"]
    status, _, headers = await asked(session, youtube, address)
    assert (status, headers.get("Range")) == (308, None)
    status, _, headers = await put(session, youtube, address, 0, PIECE)
    assert (status, headers["Range"]) == (308, f"bytes=0-{PIECE - 1}")
    assert (await put(session, youtube, address, PIECE, 1000))[0] == 400  # no multiple of 256 KiB, and not the last
    assert (await put(session, youtube, address, TOTAL - 7, 7))[0] == 400  # a gap
    status, video, _ = await put(session, youtube, address, PIECE, TOTAL - PIECE)
    assert (status, video["status"]["privacyStatus"]) == (201, "public")
    for _ in range(2):
        assert (await asked(session, youtube, address))[1]["id"] == video["id"]
    assert [post.id for post in youtube.log.posts] == [video["id"]]


async def test_a_session_ends_after_a_week_and_a_token_after_an_hour(session, youtube, clock):
    address = (await begin(session, youtube))[2]["Location"]
    clock.advance(hours=1)
    status, body, _ = await put(session, youtube, address, 0, PIECE)
    assert (status, reason(body)) == (401, "authError")
    clock.advance(days=7)
    youtube.access_tokens["youtube-access"] = datetime.max.replace(tzinfo=UTC)
    assert (await asked(session, youtube, address))[0] == 404


@pytest.mark.parametrize(
    ("snippet", "wanted"),
    [
        ({"title": "a" * 101}, "invalidTitle"),
        ({"title": ""}, "invalidTitle"),
        ({"title": "a < b"}, "invalidTitle"),
        ({"description": "ẵ" * 1667}, "invalidDescription"),
        ({"description": "a > b"}, "invalidDescription"),
        ({"categoryId": ""}, "invalidCategoryId"),
    ],
)
async def test_words_are_checked(session, youtube, snippet, wanted):
    status, body, _ = await begin(session, youtube, **snippet)
    assert (status, reason(body)) == (400, wanted)
    assert (await begin(session, youtube, description="ẵ" * 1666, title="a" * 100))[0] == 200


async def test_buckets_are_apart_and_return_at_midnight_in_california(session, youtube, clock):
    youtube.limits |= {"inserts": 1, "units": 51}
    assert (await begin(session, youtube))[0] == 200
    status, body, _ = await begin(session, youtube)
    assert (status, reason(body)) == (403, "quotaExceeded")
    for expected in (200, 404, 403):  # 1 unit, 50 for a call that fails, nothing left
        path = "/youtube/v3/videos?id=none"
        method = "GET" if expected == 200 else "DELETE"
        assert (await call(session, youtube, method, path))[0] == expected
    clock.time = datetime(2026, 11, 22, 8, tzinfo=UTC)
    youtube.access_tokens["youtube-access"] = datetime.max.replace(tzinfo=UTC)
    assert (await begin(session, youtube))[0] == 200


async def test_a_refresh_token_is_good_until_it_is_revoked(session, youtube):
    form = {"client_id": youtube.client_id, "client_secret": youtube.client_secret, "refresh_token": "youtube-refresh"}
    url = f"{youtube.base_urls['oauth']}/token"
    for _ in range(2):
        async with session.post(url, data=form | {"grant_type": "refresh_token"}) as response:
            answer = await response.json()
            assert answer.keys() == {"access_token", "expires_in", "scope", "token_type"}
    youtube.revoke()
    async with session.post(url, data=form | {"grant_type": "refresh_token"}) as response:
        assert (response.status, await response.json()) == (400, {"error": "invalid_grant"})


async def test_an_unaudited_project_uploads_into_private(session, youtube):
    youtube.audited = False
    address = (await begin(session, youtube))[2]["Location"]
    _, video, _ = await put(session, youtube, address, 0, TOTAL)
    assert video["status"]["privacyStatus"] == "private"
    assert not youtube.log.posts
