"""TikTok's own rules, by a plain HTTP client and a real media host."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from adapters.emulators.tiktok import TiktokEmulator
from tests.contract.emulators.browser import TEXT, HandClock
from tests.contract.media_host import MediaHost

MIB = 1024 * 1024
PUBLISH = "/v2/post/publish"
PUBLIC = {"title": TEXT, "privacy_level": "PUBLIC_TO_EVERYONE"}
VIDEO = b"\0\0\0\x18ftypmp42" + b"\0" * 500


class Client:
    """Speaks JSON with one token."""

    def __init__(self, session: aiohttp.ClientSession, tiktok: TiktokEmulator) -> None:
        self.session, self.tiktok, self.token = session, tiktok, "tiktok-access"

    async def post(self, path: str, body: Any = None, **query: str) -> Any:
        url, headers = self.tiktok.base_url + path, {"Authorization": f"Bearer {self.token}"}
        async with self.session.post(url, json=body or {}, headers=headers, params=query) as answer:
            return await answer.json()

    async def init(self, size: int = len(VIDEO), **source: int) -> Any:
        sizes = {"video_size": size, "chunk_size": size, "total_chunk_count": 1, **source}
        body = {"post_info": PUBLIC, "source_info": {"source": "FILE_UPLOAD", **sizes}}
        return await self.post(f"{PUBLISH}/video/init/", body)

    async def put(self, url: str, body: bytes = VIDEO, said: str = "") -> int:
        headers = {
            "Content-Range": said or f"bytes 0-{len(body) - 1}/{len(body)}",
            "Content-Type": "video/mp4",
        }
        async with self.session.put(url, data=io.BytesIO(body), headers=headers) as answer:
            return answer.status

    async def uploaded(self) -> str:
        data = (await self.init())["data"]
        assert await self.put(data["upload_url"]) == 201
        return str(data["publish_id"])

    async def photos(self, *urls: str, mode: str = "DIRECT_POST", **info: str) -> Any:
        source = {"source": "PULL_FROM_URL", "photo_images": urls, "photo_cover_index": 0}
        info = {**PUBLIC, "title": "Tin TVD-7QK2F9", **info}
        body = {"media_type": "PHOTO", "post_mode": mode, "post_info": info, "source_info": source}
        return await self.post(f"{PUBLISH}/content/init/", body)

    async def status(self, publish_id: str) -> Any:
        return (await self.post(f"{PUBLISH}/status/fetch/", {"publish_id": publish_id}))["data"]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """With patience for pieces of megabytes, and for a platform that fetches pictures."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def tiktok(clock: HandClock) -> AsyncIterator[TiktokEmulator]:
    async with TiktokEmulator(now=clock.now, lag=(0, 0)) as emulator:
        yield emulator


@pytest.fixture
def client(tiktok: TiktokEmulator, session: aiohttp.ClientSession) -> Client:
    return Client(session, tiktok)


def code_of(body: Any) -> str:
    assert body["error"]["log_id"]
    return str(body["error"]["code"])


async def test_a_video_is_uploaded_to_another_host_and_public_when_it_is_ready(tiktok, client, clock):
    answer = await client.init()
    assert code_of(answer) == "ok"
    url, publish_id = answer["data"]["upload_url"], answer["data"]["publish_id"]
    assert url.startswith(tiktok.base_urls["upload"])
    assert await client.status(publish_id) == {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}
    assert await client.put(url) == 201
    assert (await client.status(publish_id))["status"] == "PROCESSING_UPLOAD"
    clock.advance(seconds=1)
    [post_id] = (await client.status(publish_id))["publicaly_available_post_id"]
    listed = (await client.post("/v2/video/list/", {"max_count": 10}, fields="id,title,share_url"))["data"]
    assert [video["id"] for video in listed["videos"]] == [str(post_id)]
    assert listed["has_more"] is False


async def test_the_public_id_may_come_late(tiktok, session, clock):
    async with TiktokEmulator(now=clock.now, public_after=60) as slow:
        client = Client(session, slow)
        publish_id = await client.uploaded()
        clock.advance(seconds=2)
        assert (await client.status(publish_id)) == {
            "status": "PUBLISH_COMPLETE",
            "uploaded_bytes": len(VIDEO),
            "publicaly_available_post_id": [],
        }
        clock.advance(seconds=60)
        assert len((await client.status(publish_id))["publicaly_available_post_id"]) == 1


@pytest.mark.parametrize(
    ("size", "piece", "pieces", "code"),
    [
        (4 * MIB, 4 * MIB, 1, "ok"),
        (4 * MIB, 2 * MIB, 2, "invalid_params"),
        (12 * MIB, 5 * MIB, 2, "ok"),
        (12 * MIB, 5 * MIB, 3, "invalid_params"),
        (64_000_000, 64_000_000, 1, "ok"),
        (64_000_001, 64_000_001, 1, "invalid_params"),
        (65_000_000, 60_000_000, 1, "ok"),
        (5_300_000_000, 5 * MIB + 1000, 1010, "invalid_params"),
        (0, 0, 1, "invalid_params"),
    ],
)
async def test_pieces_have_rules(client, size, piece, pieces, code):
    assert code_of(await client.init(size, chunk_size=piece, total_chunk_count=pieces)) == code


async def test_pieces_come_in_order_and_whole(client):
    answer = await client.init(11 * MIB, chunk_size=5 * MIB, total_chunk_count=2)
    url, body = answer["data"]["upload_url"], VIDEO + b"\0" * (5 * MIB - len(VIDEO))
    last = b"\0" * (6 * MIB)
    end, total = 5 * MIB, 11 * MIB
    assert await client.put(url, last, f"bytes {end}-{total - 1}/{total}") == 416
    assert await client.put(url, body[:-1], f"bytes 0-{end - 1}/{total}") == 416
    assert await client.put(url, body, "all of it") == 400
    assert await client.put(url, body, f"bytes 0-{end - 1}/{total}") == 206
    assert await client.put(url, body, f"bytes 0-{end - 1}/{total}") == 416
    assert await client.put(url, last, f"bytes {end}-{total - 1}/{total}") == 201


async def test_an_upload_address_lives_an_hour(client, clock):
    url = (await client.init())["data"]["upload_url"]
    clock.advance(hours=1)
    assert await client.put(url) == 403
    assert await client.put(f"{client.tiktok.base_urls['upload']}/video/unknown/") == 404


async def test_what_is_no_video_fails(client, clock):
    answer = await client.init(500)
    assert await client.put(answer["data"]["upload_url"], b"\0" * 500) == 201
    clock.advance(seconds=1)
    status = await client.status(answer["data"]["publish_id"])
    assert (status["status"], status["fail_reason"]) == ("FAILED", "file_format_check_failed")


async def test_an_app_without_an_audit_posts_for_its_owner_only(tiktok, client, clock):
    tiktok.audited = False
    assert code_of(await client.init()) == "unaudited_client_can_only_post_to_private_accounts"
    answer = await client.photos("http://127.0.0.1:9/a.jpg", privacy_level="SELF_ONLY")
    assert code_of(answer) == "ok"
    assert not tiktok.log.posts


async def test_privacy_must_be_among_the_accounts_own_options(tiktok, client):
    options = (await client.post(f"{PUBLISH}/creator_info/query/"))["data"]["privacy_level_options"]
    assert "PUBLIC_TO_EVERYONE" in options
    tiktok.private = True
    options = (await client.post(f"{PUBLISH}/creator_info/query/"))["data"]["privacy_level_options"]
    assert "PUBLIC_TO_EVERYONE" not in options
    assert code_of(await client.init()) == "privacy_level_option_mismatch"


@pytest.mark.parametrize(
    ("title", "description", "code"),
    [
        ("ẵ" * 90, "", "ok"),
        ("ẵ" * 91, "", "invalid_params"),
        ("🌀" * 45, "🌀" * 2000, "ok"),
        ("🌀" * 46, "", "invalid_params"),
        ("", "🌀" * 2001, "invalid_params"),
    ],
)
async def test_texts_are_counted_in_utf_16(client, host: MediaHost, title, description, code):
    url = f"{host.shelf.url}/{host.picture().name}"
    assert code_of(await client.photos(url, title=title, description=description)) == code


@pytest.mark.parametrize(
    ("mime", "down", "reason"),
    [
        ("image/jpeg", False, None),
        ("image/webp", False, None),
        ("image/png", False, "file_format_check_failed"),
        ("image/jpeg", True, "photo_pull_failed"),
    ],
)
async def test_pictures_are_fetched_and_looked_at(client, clock, host: MediaHost, mime, down, reason):
    url = f"{host.shelf.url}/{host.picture(mime=mime).name}"
    host.down = down
    publish_id = (await client.photos(url))["data"]["publish_id"]
    assert (await client.status(publish_id))["status"] == "PROCESSING_DOWNLOAD"
    clock.advance(seconds=1)
    status = await client.status(publish_id)
    assert status.get("fail_reason") == reason
    assert [code for _, code in host.fetched] == [503 if down else 200]


async def test_only_verified_addresses_are_fetched(client, host: MediaHost):
    assert code_of(await client.photos("https://tin.example/a.jpg")) == "url_ownership_unverified"


async def test_a_draft_waits_until_somebody_posts_it(tiktok, client, clock):
    source = {"source": "FILE_UPLOAD", "video_size": len(VIDEO), "chunk_size": len(VIDEO), "total_chunk_count": 1}
    answer = await client.post(f"{PUBLISH}/inbox/video/init/", {"source_info": source})
    publish_id = answer["data"]["publish_id"]
    await client.put(answer["data"]["upload_url"])
    with pytest.raises(LookupError):
        tiktok.tap(publish_id, TEXT)
    clock.advance(seconds=1)
    assert (await client.status(publish_id))["status"] == "SEND_TO_USER_INBOX"
    tiktok.tap(publish_id, TEXT)
    assert len((await client.status(publish_id))["publicaly_available_post_id"]) == 1
    assert [(post.text, post.how) for post in tiktok.log.posts] == [(TEXT, "inbox")]


async def test_five_drafts_wait_at_most(tiktok, client, clock, host: MediaHost):
    url = f"{host.shelf.url}/{host.picture().name}"
    codes = [code_of(await client.photos(url, mode="MEDIA_UPLOAD")) for _ in range(6)]
    assert codes == ["ok"] * 5 + ["spam_risk_too_many_pending_share"]
    clock.advance(hours=24)
    client.token = tiktok.grant()["access_token"]
    assert code_of(await client.photos(url, mode="MEDIA_UPLOAD")) == "ok"


async def test_calls_and_posts_have_limits(session, clock):
    async with TiktokEmulator(now=clock.now, posts_a_day=7) as tiktok:
        client = Client(session, tiktok)
        assert [code_of(await client.init()) for _ in range(7)] == ["ok"] * 6 + ["rate_limit_exceeded"]
        clock.advance(minutes=1)
        assert [code_of(await client.init()) for _ in range(2)] == ["ok", "spam_risk_too_many_posts"]
        clock.advance(hours=24)
        client.token = tiktok.grant()["access_token"]
        assert code_of(await client.init()) == "ok"


async def test_refresh_tokens_rotate_and_the_answer_can_be_lost(tiktok, client, clock, session):
    form = {"client_key": "tiktok-app", "client_secret": "tiktok-secret", "grant_type": "refresh_token"}

    async def trade(token: str) -> Any:
        url = f"{tiktok.base_url}/v2/oauth/token/"
        async with session.post(url, data={**form, "refresh_token": token}) as answer:
            return answer.status, await answer.json()

    clock.advance(hours=24)
    assert code_of(await client.post(f"{PUBLISH}/creator_info/query/")) == "access_token_invalid"
    _, pair = await trade("tiktok-refresh")
    assert (pair["expires_in"], pair["refresh_expires_in"]) == (86400, 31_536_000)
    status, refused = await trade("tiktok-refresh")
    assert (status, refused["error"]) == (200, "invalid_grant")
    await tiktok.fail("lose_refresh_answer", times=1)
    with pytest.raises(aiohttp.ClientOSError):
        await trade(pair["refresh_token"])
    assert (await trade(pair["refresh_token"]))[1]["error"] == "invalid_grant"
    assert [note.what for note in tiktok.log.notes].count("token renewed") == 2


async def test_hidden_posts_are_in_no_list_and_under_no_id(tiktok, client, clock):
    await tiktok.fail("invisible", times=1)
    publish_id = await client.uploaded()
    clock.advance(seconds=1)
    assert (await client.status(publish_id))["publicaly_available_post_id"] == []
    [post] = tiktok.log.taken
    found = await client.post("/v2/video/query/", {"filters": {"video_ids": [post.id]}}, fields="id")
    assert found["data"]["videos"] == []
    assert tiktok.private
