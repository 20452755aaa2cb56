"""The media folder: what adapters are handed, and what they hear when there is nothing to hand out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from broker.contract import MediaFile, MediaNeeds
from broker.look import CARD_SECONDS
from broker.media import films
from broker.media.bounded import run
from broker.media.shelf import MediaShelf
from broker.media.studio import FILM, Studio
from broker.model import Card, MediaKind, Medium
from broker.outcome import Fault, Rejected, Unavailable
from broker.values import replace

BY_URL = MediaNeeds(images=1, videos=1, by_url=True)


async def test_a_picture_is_where_its_address_says(host):
    picture = host.picture("Cầu bị cuốn trôi")
    file = await host.shelf.ready(picture, BY_URL)
    assert isinstance(file, MediaFile)
    async with aiohttp.ClientSession() as session, session.get(str(file.url)) as answer:
        assert await answer.read() == file.path.read_bytes()
    assert (file.alt, file.size_bytes) == ("Cầu bị cuốn trôi", picture.size_bytes)
    assert host.fetched == [(picture.name, 200)]


async def test_a_video_is_handed_out_as_it_is(host):
    file = await host.shelf.ready(host.video(), BY_URL)
    assert isinstance(file, MediaFile)
    assert file.path.read_bytes()[4:8] == b"ftyp"


async def test_without_a_public_address_nothing_can_be_fetched(host):
    picture = host.picture()
    shelf = MediaShelf(host.shelf.folder, None, Studio())
    answer = await shelf.ready(picture, BY_URL)
    assert isinstance(answer, Unavailable)
    assert answer.fault is Fault.MEDIA
    assert isinstance(await shelf.ready(picture, replace(BY_URL, by_url=False)), MediaFile)


async def test_a_file_that_is_gone_is_no_reason_to_wait(host):
    picture = host.picture()
    (host.shelf.folder / picture.name).unlink()
    assert isinstance(await host.shelf.ready(picture, BY_URL), Rejected)


async def test_a_video_that_is_too_large_for_the_platform_is_not_sent(host):
    answer = await host.shelf.ready(host.video(), replace(BY_URL, video_bytes=1000))
    assert isinstance(answer, Rejected)


def card(headline: str = "Bão số 9 đổ bộ: sơ tán trước 18 giờ", kind: MediaKind = MediaKind.IMAGE) -> Medium:
    words = Card(
        agency="Tin Ví Dụ", headline=headline, body="Người dân ven biển vào nhà kiên cố.", reference="TVD-7QK2F9",
        written="10:04 · 22/11/2026", language="vi",
    )  # fmt: skip
    end, mime = ("jpg", "image/jpeg") if kind is MediaKind.IMAGE else ("mp4", "video/mp4")
    return Medium(name=f"k3y-card.{end}", kind=kind, mime=mime, width=1080, height=1350, alt=headline, card=words)


async def test_a_card_is_made_when_it_is_first_asked_for_and_then_kept(host):
    files = await asyncio.gather(*(host.shelf.ready(card(), BY_URL) for _ in range(5)))
    assert len({file.path.stat().st_ino for file in files}) == 1
    with Image.open(files[0].path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (1080, 1350))
    made = files[0].path.stat().st_ino
    again = await host.shelf.ready(card("Lũ rút"), BY_URL)
    assert again.path.stat().st_ino == made
    assert [path.name for path in host.shelf.folder.iterdir()] == ["k3y-card.jpg"]


async def test_a_card_becomes_a_short_video_with_sound(host):
    file = await host.shelf.ready(card(kind=MediaKind.VIDEO), BY_URL)
    said = (await run(FILM, get_ffmpeg_exe(), *films.looks(file.path))).err.decode()
    assert films.told(said) == films.Film(1080, 1350, timedelta(seconds=CARD_SECONDS))
    assert all(word in said for word in ("h264", "yuv420p", "30 fps", "Audio: aac"))
    assert file.path.read_bytes().index(b"moov") < file.path.read_bytes().index(b"mdat")


async def test_who_leaves_while_a_card_is_made_stops_nobody(host):
    leaving = asyncio.ensure_future(host.shelf.ready(card(), BY_URL))
    staying = asyncio.ensure_future(host.shelf.ready(card(), BY_URL))
    await asyncio.sleep(0)
    leaving.cancel()
    assert isinstance(await staying, MediaFile)


@pytest.mark.parametrize(
    ("size", "needs", "shown"),
    [
        ((1080, 1350), MediaNeeds(images=1), (1080, 1350)),
        ((3000, 2000), MediaNeeds(images=1, width=(320, 1440)), (1440, 960)),
        ((200, 100), MediaNeeds(images=1, width=(320, 1440)), (320, 160)),
        ((1000, 3000), MediaNeeds(images=1, ratio=(0.8, 1.91)), (2048, 2560)),
        ((3000, 1000), MediaNeeds(images=1, ratio=(0.8, 1.91), width=(320, 1440)), (1440, 754)),
    ],
)
async def test_a_picture_is_made_to_fit(host, size, needs, shown):
    picture = host.picture(size=size)
    file = await host.shelf.ready(picture, needs)
    with Image.open(file.path) as made:
        assert made.size == (file.width, file.height) == shown
    assert needs.ratio[0] <= shown[0] / shown[1] <= needs.ratio[1]
    assert (await host.shelf.ready(picture, needs)).path.stat().st_ino == file.path.stat().st_ino


async def test_a_large_picture_is_compressed_to_what_is_allowed(host):
    picture = host.picture(size=(2000, 2000))
    file = await host.shelf.ready(picture, MediaNeeds(images=1, image_bytes=picture.size_bytes - 1000))
    assert file.size_bytes < picture.size_bytes == (host.shelf.folder / picture.name).stat().st_size


async def test_a_card_makes_its_folder(tmp_path):
    shelf = MediaShelf(tmp_path / "public" / "media", "http://x", Studio())
    assert isinstance(await shelf.ready(card(), BY_URL), MediaFile)


async def test_another_format_is_converted(host):
    file = await host.shelf.ready(host.picture(mime="image/png"), BY_URL)
    assert file.mime == "image/jpeg"
    assert file.path.read_bytes().startswith(b"\xff\xd8\xff")


async def test_a_folder_that_cannot_be_written_is_our_media_host_failing(host, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    answer = await MediaShelf(blocked / "media", "http://x", Studio()).ready(card(), BY_URL)
    assert isinstance(answer, Unavailable)
    assert answer.fault is Fault.MEDIA
