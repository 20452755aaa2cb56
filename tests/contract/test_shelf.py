"""The media folder: what adapters are handed, and what they hear when there is nothing to hand out."""

from __future__ import annotations

from dataclasses import replace

import aiohttp

from broker.contract import MediaFile, MediaNeeds
from broker.media.shelf import MediaShelf
from broker.outcome import Fault, Rejected, Unavailable

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
    shelf = MediaShelf(host.shelf.folder, None)
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
