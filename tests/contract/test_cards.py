"""A text alone, on platforms that show none: with the card that Loa makes, from intake to the platform's own log."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from adapters.emulators.faults import Kind
from adapters.emulators.instagram import InstagramEmulator
from adapters.emulators.site import SiteEmulator
from adapters.emulators.youtube import YouTubeEmulator
from broker.core import Broker
from broker.model import State
from broker.rules.breaker import Breaker
from broker.rules.domains import Scope
from broker.settings import load, load_adapters
from broker.wiring import open_broker

AGENCY = "agency"
NEWS = {"headline": "Bão số 9 đổ bộ: sơ tán trước 18 giờ", "body": "Người dân ven biển vào nhà kiên cố."}
CONFIG = """
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
colours = {{ background = "#faf7f2", text = "#1d1d1f", accent = "#c8102e" }}
[channels.site]
folder = "{folder}/public"
url = "{site}"
[channels.instagram]
user_id = "17840"
token = "instagram-token"
base_url = "{instagram}"
[channels.youtube]
client_id = "c"
client_secret = "s"
refresh_token = "r"
card_video = true
base_url = "{youtube}"
oauth_url = "{youtube}"
[routes.pictures]
post_to = ["site", "instagram", "youtube"]
goal = {{ operators = 1, domestic = 0 }}
"""


@dataclass(slots=True, kw_only=True)
class Room:
    broker: Broker
    folder: Path
    site: SiteEmulator
    instagram: InstagramEmulator

    @property
    def media(self) -> Path:
        return self.folder / "public" / "media"

    async def closed(self, any_id: str) -> None:
        async for _ in self.broker.follow(AGENCY, any_id):
            pass


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with (
        SiteEmulator(folder=tmp_path / "public") as site,
        InstagramEmulator(lag=(0, 0), ready_after=0) as instagram,
        YouTubeEmulator(lag=(0, 0)) as youtube,
    ):
        bases = {"site": site.base_url, "instagram": instagram.base_url, "youtube": youtube.base_url}
        (tmp_path / "loa.toml").write_text(CONFIG.format(folder=tmp_path, **bases), encoding="utf-8")
        async with open_broker(load(tmp_path / "loa.toml", {}, load_adapters())) as broker:
            yield Room(broker=broker, folder=tmp_path, site=site, instagram=instagram)


async def test_a_text_alone_is_live_on_instagram_by_its_card(room):
    receipt = await room.broker.announce(AGENCY, {**NEWS, "route": "pictures"})
    deliveries = {d.channel: d for d in receipt.report.deliveries}
    async for _ in room.broker.follow(AGENCY, receipt.report.id):
        deliveries = {d.channel: d for d in (await room.broker.get(AGENCY, receipt.report.id)).deliveries}
        if deliveries["instagram"].state is State.LIVE and deliveries["site"].state is State.LIVE:
            break
    [post] = room.instagram.log.copies(receipt.report.reference)
    assert post.extra["kind"] == "IMAGE"
    [card] = room.media.glob("*.jpg")
    [shown] = deliveries["instagram"].media
    assert shown.url == f"{room.site.base_url}/media/{card.name}"
    assert any(request.path == f"/media/{card.name}" for request in room.site.log.requests)
    with Image.open(card) as picture:
        assert picture.size == (1080, 1350)
        assert picture.convert("RGB").getpixel((10, 700)) == (250, 247, 242)


async def test_what_has_nothing_to_show_is_skipped_and_says_what_to_add(room):
    receipt = await room.broker.announce(AGENCY, {**NEWS, "route": "pictures"})
    youtube = next(d for d in receipt.report.deliveries if d.channel == "youtube")
    assert (youtube.state, youtube.cause, youtube.text) == (State.SKIPPED, None, "")
    assert youtube.reason is not None
    assert "add one" in youtube.reason["en"]
    assert "hãy thêm video" in youtube.reason["vi"]


async def test_a_preview_shows_the_card_and_what_is_skipped(room):
    previews = {p.channel: p for p in await room.broker.preview(AGENCY, {**NEWS, "route": "pictures"})}
    instagram = previews["instagram"]
    [card] = instagram.media
    assert card.url == f"{room.site.base_url}/media/{card.name}"
    with Image.open(io.BytesIO((room.media / card.name).read_bytes())) as picture:
        assert picture.size == (card.width, card.height) == (1080, 1350)
    assert instagram.text.startswith(NEWS["headline"])
    assert (instagram.quota_used, instagram.quota_total) == (0, room.instagram.quota)
    assert previews["youtube"].skipped is not None
    assert previews["site"].skipped is None
    assert room.instagram.log.posts == []


async def test_channels_that_show_the_same_card_preview_it_together(room):
    body = {**NEWS, "route": "pictures", "urgency": "urgent"}
    previews = {p.channel: p for p in await room.broker.preview(AGENCY, body)}
    [card], [video] = previews["instagram"].media, previews["youtube"].media
    assert Path(card.name).stem == Path(video.name).stem
    assert (video.kind, video.url) == ("video", None)
    assert [path.name for path in room.media.iterdir()] == [card.name]


async def test_two_previews_make_two_names_that_nobody_guesses(room):
    body = {**NEWS, "route": "pictures"}
    first, second = [await room.broker.preview(AGENCY, body) for _ in range(2)]
    names = {p.media[0].name for p in (*first, *second) if p.channel == "instagram"}
    assert len(names) == 2
    assert all(len(name) == len("0" * 32 + ".jpg") for name in names)


async def test_a_withdrawal_removes_the_card(room):
    receipt = await room.broker.announce(AGENCY, {**NEWS, "route": "pictures"})
    async for _ in room.broker.follow(AGENCY, receipt.report.id):
        if list(room.media.glob("*.jpg")):
            break
    await room.broker.withdraw(AGENCY, receipt.report.id)
    for _ in range(1000):
        if not list(room.media.glob("*.jpg")):
            return
        await asyncio.sleep(0.02)
    pytest.fail("the card is still there")


async def test_a_card_that_a_crash_left_behind_is_removed(room):
    receipt = await room.broker.announce(AGENCY, {**NEWS, "route": "pictures"})
    async for _ in room.broker.follow(AGENCY, receipt.report.id):
        if cards := list(room.media.glob("*.jpg")):
            break
    else:
        cards = []
    [card] = cards
    await room.broker.withdraw(AGENCY, receipt.report.id)
    for _ in range(1000):
        if not card.exists():
            break
        await asyncio.sleep(0.02)
    card.write_bytes(b"left behind")
    await room.broker.sweep_media()
    assert not card.exists()


async def test_our_media_host_is_blamed_and_no_platform(room):
    """Twice it could not be fetched from: what shows nothing without it waits, and the desk hears what failed."""
    await room.site.fail(Kind.REFUSED)
    receipt = await room.broker.announce(AGENCY, {**NEWS, "route": "pictures", "urgency": "urgent"})
    view = room.broker.engine.monitor
    async for _ in room.broker.follow(AGENCY, receipt.report.id):
        if "agency/instagram" in view.view.down:
            break
    down = view.view.down["agency/instagram"]
    assert (down.scope, down.what) == (Scope.MEDIA, "media_host")
    assert view.health("agency/instagram").breaker is Breaker.CLOSED
    report = await room.broker.get(AGENCY, receipt.report.id)
    instagram = next(d for d in report.deliveries if d.channel == "instagram")
    assert instagram.state is State.DUE
    assert instagram.reason is not None
    assert "media host" in instagram.reason["en"]
    assert room.instagram.log.posts == []
