"""Instagram's own rules, by a plain HTTP client and a real media host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from adapters.emulators.instagram import InstagramEmulator
from tests.contract.emulators.browser import TEXT, Browser, HandClock, code_of
from tests.contract.media_host import MediaHost


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """With patience for a platform that fetches pictures."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def instagram(clock: HandClock) -> AsyncIterator[InstagramEmulator]:
    async with InstagramEmulator(now=clock.now, lag=(0, 0)) as emulator:
        yield emulator


@pytest.fixture
def user(instagram: InstagramEmulator, session: aiohttp.ClientSession) -> Browser:
    return Browser(session, instagram, "instagram-token")


@pytest.fixture
def picture(host: MediaHost) -> str:
    return f"{host.shelf.url}/{host.picture().name}"


async def create(user: Browser, **form: str) -> tuple[int, Any]:
    return await user.ask("POST", "/v25.0/17840/media", **{"caption": TEXT, **form})


async def publish(user: Browser, container: str) -> tuple[int, Any]:
    return await user.ask("POST", "/v25.0/17840/media_publish", creation_id=container)


async def status_of(user: Browser, container: str) -> tuple[str, str]:
    _, body = await user.ask("GET", f"/v25.0/{container}", fields="status_code,status")
    return body["status_code"], body["status"]


async def test_a_picture_is_published_in_two_steps_and_once(instagram, user, clock, picture):
    container = (await create(user, image_url=picture))[1]["id"]
    assert (await status_of(user, container))[0] == "IN_PROGRESS"
    assert code_of((await publish(user, container))[1]) == (9007, 2207027)
    clock.advance(seconds=1)
    post_id = (await publish(user, container))[1]["id"]
    assert (await status_of(user, container))[0] == "PUBLISHED"
    assert code_of((await publish(user, container))[1]) == (24, 2207006)
    shown = (await user.ask("GET", f"/v25.0/{post_id}", fields="caption,permalink,media_type"))[1]
    assert (shown["caption"], shown["media_type"]) == (TEXT, "IMAGE")
    assert [post["id"] for post in (await user.ask("GET", "/v25.0/me/media"))[1]["data"]] == [post_id]
    assert len(instagram.log.posts) == 1


async def test_containers_end_after_a_day_and_unknown_ones_are_told(instagram, user, clock, picture):
    container = (await create(user, image_url=picture))[1]["id"]
    clock.advance(hours=24)
    assert (await status_of(user, container))[0] == "EXPIRED"
    for gone in (container, "18999999999999999"):
        assert code_of((await publish(user, gone))[1]) == (24, 2207008)
    assert not instagram.log.taken


@pytest.mark.parametrize(
    ("mime", "size", "code"),
    [
        ("image/jpeg", (320, 400), None),
        ("image/jpeg", (1440, 754), None),
        ("image/png", (1080, 1350), (36001, 2207005)),
        ("image/jpeg", (319, 319), (36003, 2207009)),
        ("image/jpeg", (1441, 1441), (36003, 2207009)),
        ("image/jpeg", (1000, 1251), (36003, 2207009)),
        ("image/jpeg", (1440, 753), (36003, 2207009)),
    ],
)
async def test_pictures_are_fetched_and_looked_at(user, host, mime, size, code):
    name = host.picture(mime=mime, size=size).name
    status, body = await create(user, image_url=f"{host.shelf.url}/{name}")
    assert (status == 200) is (code is None)
    assert code is None or code_of(body) == code
    assert host.fetched == [(name, 200)]


async def test_pictures_over_8_megabytes_are_refused(user, host):
    picture = host.picture()
    with (host.shelf.folder / picture.name).open("ab") as file:
        file.write(b"\0" * 8_000_000)
    _, body = await create(user, image_url=f"{host.shelf.url}/{picture.name}")
    assert code_of(body) == (36000, 2207004)


async def test_a_dead_media_host_is_told_at_once_for_pictures_and_by_the_container_for_videos(user, host, picture):
    video = f"{host.shelf.url}/{host.video().name}"
    host.down = True
    assert code_of((await create(user, image_url=picture))[1]) == (9004, 2207052)
    assert code_of((await create(user, image_url="https://media.invalid/a.jpg"))[1]) == (9004, 2207052)
    container = (await create(user, media_type="REELS", video_url=video))[1]["id"]
    code, why = await status_of(user, container)
    assert (code, "2207052" in why) == ("ERROR", True)


async def test_a_video_that_is_none_breaks_its_container(user, host, clock, picture):
    good, bad = [
        (await create(user, media_type="REELS", video_url=url))[1]["id"]
        for url in (f"{host.shelf.url}/{host.video().name}", picture)
    ]
    clock.advance(seconds=1)
    assert (await status_of(user, good))[0] == "FINISHED"
    assert "2207026" in (await status_of(user, bad))[1]


@pytest.mark.parametrize(
    ("caption", "code"),
    [
        ("ẵ" * 2200, None),
        ("ẵ" * 2201, (36004, 2207010)),
        ("🌀" * 2200, None),
        ("#tin " * 30, None),
        ("#tin " * 31, (36004, 2207010)),
        ("@tin " * 21, (36004, 2207010)),
    ],
)
async def test_captions_are_counted(user, picture, caption, code):
    _, body = await create(user, image_url=picture, caption=caption)
    assert code is None or code_of(body) == code
    assert ("id" in body) is (code is None)


async def test_text_alone_is_refused(user):
    assert code_of((await create(user))[1]) == (100, None)
    assert code_of((await create(user, media_type="TEXT"))[1]) == (100, 2207023)


async def test_a_carousel_has_from_two_to_ten_items_of_its_own(instagram, user, clock, picture):
    items = [(await create(user, image_url=picture, is_carousel_item="true"))[1]["id"] for _ in range(2)]
    assert code_of((await publish(user, items[0]))[1]) == (24, 2207008)
    for children in (items[:1], items * 6):
        _, body = await create(user, media_type="CAROUSEL", children=",".join(children))
        assert code_of(body) == (100, 2207028)
    single = (await create(user, image_url=picture))[1]["id"]
    _, body = await create(user, media_type="CAROUSEL", children=f"{items[0]},{single}")
    assert code_of(body) == (24, 2207008)
    carousel = (await create(user, media_type="CAROUSEL", children=",".join(items)))[1]["id"]
    clock.advance(seconds=1)
    assert (await publish(user, carousel))[0] == 200
    assert len(instagram.log.posts) == 1


async def test_posts_of_24_hours_are_counted(session, clock, picture):
    async with InstagramEmulator(now=clock.now, quota=1, ready_after=0) as instagram:
        user = Browser(session, instagram, "instagram-token")
        containers = [(await create(user, image_url=picture))[1]["id"] for _ in range(2)]
        answers = [await publish(user, container) for container in containers]
        assert code_of(answers[1][1]) == (9, 2207042)
        _, limit = await user.ask("GET", "/v25.0/17840/content_publishing_limit", fields="config,quota_usage")
        assert limit["data"][0] == {"config": {"quota_total": 1, "quota_duration": 86400}, "quota_usage": 1}
        clock.advance(hours=24)
        assert len(instagram.log.posts) == 1


async def test_only_facebooks_login_deletes(session, clock, picture):
    for facebook_login, status in ((False, 400), (True, 200)):
        async with InstagramEmulator(now=clock.now, ready_after=0, facebook_login=facebook_login) as instagram:
            user = Browser(session, instagram, "instagram-token")
            post_id = (await publish(user, (await create(user, image_url=picture))[1]["id"]))[1]["id"]
            assert (await user.ask("DELETE", f"/v25.0/{post_id}"))[0] == status
            assert len(instagram.log.visible) == (0 if facebook_login else 1)


async def test_tokens_are_refreshed_between_a_day_and_sixty(user, clock):
    def refresh() -> Any:
        return user.ask("GET", "/refresh_access_token", grant_type="ig_refresh_token")

    assert (await refresh())[0] == 400
    clock.advance(hours=24)
    assert (await refresh())[1]["expires_in"] == 5184000
    clock.advance(days=59)
    assert code_of((await refresh())[1]) == (190, 463)


async def test_a_refusal_that_comes_later_shows_in_the_status(instagram, user, picture):
    await instagram.fail("refuse_later", times=1)
    container = (await create(user, image_url=picture))[1]["id"]
    assert "2207051" in (await status_of(user, container))[1]


async def test_policy_suspension_and_limits_are_worded_its_own_way(instagram, user, picture):
    for kind, wanted in {"policy": (4, 2207051), "suspended": (25, 2207050), "throttled": (80002, None)}.items():
        await instagram.fail(kind, step="create", times=1)
        assert code_of((await create(user, image_url=picture))[1]) == wanted
