"""Threads' own rules, by a plain HTTP client."""

from typing import Any

import aiohttp
import pytest

from adapters.emulators.threads import ThreadsEmulator, text_length
from tests.contract.emulators.browser import TEXT, Browser, code_of


async def create(user: Browser, text: str = TEXT, **params: str) -> tuple[int, Any]:
    return await user.ask("POST", "/v1.0/2468/threads", media_type="TEXT", text=text, **params)


async def publish(user: Browser, container: str) -> tuple[int, Any]:
    return await user.ask("POST", "/v1.0/2468/threads_publish", creation_id=container)


async def status_of(user: Browser, container: str) -> str:
    _, body = await user.ask("GET", f"/v1.0/{container}", fields="status,error_message")
    return str(body["status"])


async def test_threads_publishes_in_two_steps(threads, user, clock):
    container = (await create(user))[1]["id"]
    assert await status_of(user, container) == "IN_PROGRESS"
    assert code_of((await publish(user, container))[1]) == (24, 4279009)
    clock.advance(seconds=1)
    assert await status_of(user, container) == "FINISHED"
    assert not threads.log.taken
    post_id = (await publish(user, container))[1]["id"]
    assert post_id != container
    assert await status_of(user, container) == "PUBLISHED"
    assert (await user.ask("GET", f"/v1.0/{post_id}", fields="text"))[1] == {"id": post_id, "text": TEXT}
    assert (await user.ask("GET", "/v1.0/me/threads", fields="id"))[1]["data"] == [{"id": post_id}]


async def test_threads_publishes_a_container_once(threads, user, clock):
    container = (await create(user))[1]["id"]
    clock.advance(seconds=1)
    await publish(user, container)
    assert code_of((await publish(user, container))[1]) == (24, 4279009)
    assert len(threads.log.posts) == 1


async def test_threads_containers_expire_break_and_hang(threads, user, clock):
    old, broken = [(await create(user))[1]["id"] for _ in range(2)]
    threads.break_container(broken)
    assert await status_of(user, broken) == "ERROR"
    await threads.fail("never_finish", times=1)
    stuck = (await create(user))[1]["id"]
    clock.advance(hours=23)
    assert await status_of(user, stuck) == "IN_PROGRESS"
    clock.advance(hours=1)
    assert await status_of(user, old) == "EXPIRED"
    assert code_of((await publish(user, old))[1]) == (24, 4279009)
    assert not threads.log.taken


async def test_threads_media_that_cannot_be_fetched_shows_in_the_status(user):
    video = {"media_type": "VIDEO", "video_url": "https://media.invalid/a.mp4"}
    _, made = await user.ask("POST", "/v1.0/me/threads", **video)
    _, body = await user.ask("GET", f"/v1.0/{made['id']}", fields="status,error_message")
    assert (body["status"], body["error_message"]) == ("ERROR", "FAILED_DOWNLOADING_VIDEO")


def test_threads_counts_emoji_by_bytes():
    assert text_length("Bão số 9") == 8
    assert text_length("Ba\u0303o") == 3
    assert text_length("🌀") == 4
    assert text_length("🇻🇳") == 8


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ẵ" * 500, None),
        ("ẵ" * 501, 100),
        ("a" * 496 + "🌀", None),
        ("a" * 497 + "🌀", 100),
        ("", 100),
        (" ".join(f"https://tin.example/{n}" for n in range(5)), None),
        (" ".join(f"https://tin.example/{n}" for n in range(6)), "THREADS_API__LINK_LIMIT_EXCEEDED"),
    ],
)
async def test_threads_checks_texts_at_create(user, text, code):
    _, body = await create(user, text)
    assert body.get("error", {}).get("code") == code


async def test_threads_counts_posts_of_24_hours(session, clock):
    async with ThreadsEmulator(now=clock.now, quota=2, ready_after=0) as threads:
        user = Browser(session, threads, "threads-token")
        containers = [(await create(user))[1]["id"] for _ in range(3)]
        answers = [await publish(user, container) for container in containers]
        assert [status for status, _ in answers] == [200, 200, 400]
        assert code_of(answers[2][1]) == (9, 2207042)
        _, limit = await user.ask("GET", "/v1.0/me/threads_publishing_limit", fields="quota_usage,config")
        assert limit["data"][0] == {"quota_usage": 2, "config": {"quota_total": 2, "quota_duration": 86400}}
        assert len(threads.log.posts) == 2
        clock.advance(hours=24)
        assert (await publish(user, (await create(user))[1]["id"]))[0] == 200


async def test_threads_deletes_with_the_scope_for_it(threads, user, clock):
    container = (await create(user))[1]["id"]
    clock.advance(seconds=1)
    post_id = (await publish(user, container))[1]["id"]
    threads.remove_scope("threads_delete")
    assert (await user.ask("DELETE", f"/v1.0/{post_id}"))[0] == 403
    threads.tokens["threads-token"].scopes |= {"threads_delete"}
    assert (await user.ask("DELETE", f"/v1.0/{post_id}"))[1] == {"success": True, "deleted_id": post_id}
    assert code_of((await user.ask("GET", f"/v1.0/{post_id}"))[1]) == (100, 33)


async def test_threads_refreshes_tokens_between_a_day_and_sixty(threads, user, clock):
    async def refresh(token: str) -> tuple[int, Any]:
        asked: tuple[int, Any] = await user.ask(
            "GET", "/refresh_access_token", token=token, grant_type="th_refresh_token"
        )
        return asked

    assert (await refresh("threads-token"))[0] == 400
    clock.advance(hours=24)
    _, fresh = await refresh("threads-token")
    assert (fresh["token_type"], fresh["expires_in"]) == ("bearer", 5184000)
    clock.advance(days=59)
    assert (await user.ask("GET", "/v1.0/me", token=fresh["access_token"]))[0] == 200
    assert code_of((await refresh("threads-token"))[1]) == (190, 463)


async def test_threads_exchanges_a_short_token_for_a_long_one(threads, user, clock):
    short = threads.issue_token(is_short=True)
    asked = {"grant_type": "th_exchange_token", "access_token": short, "token": ""}
    assert (await user.ask("GET", "/access_token", client_secret="wrong", **asked))[0] == 400
    _, long = await user.ask("GET", "/access_token", client_secret="app-secret", **asked)
    clock.advance(hours=1)
    assert code_of((await user.ask("GET", "/v1.0/me", token=short))[1]) == (190, 463)
    assert (await user.ask("GET", "/v1.0/me", token=long["access_token"]))[0] == 200


async def test_threads_can_lose_the_answer_to_a_refresh(threads, user, clock):
    clock.advance(hours=24)
    await threads.fail("lose_refresh_answer")
    with pytest.raises(aiohttp.ClientOSError):
        await user.ask("GET", "/refresh_access_token", grant_type="th_refresh_token")
    assert {note.what for note in threads.log.notes} == {"token issued"}  # a client may repeat a lost GET by itself
    assert (await user.ask("GET", "/v1.0/me"))[0] == 200


async def test_threads_published_then_reset_is_told_by_the_container(threads, user, clock):
    container = (await create(user))[1]["id"]
    clock.advance(seconds=1)
    await threads.fail("stored_then_reset", step="publish", times=1)
    with pytest.raises(aiohttp.ClientOSError):
        await publish(user, container)
    assert await status_of(user, container) == "PUBLISHED"


async def test_threads_one_call_publishing_leaves_no_container_to_ask(threads, user):
    await threads.fail("stored_then_reset", step="create", times=1)
    with pytest.raises(aiohttp.ClientOSError):
        await create(user, auto_publish_text="true")
    _, again = await create(user, auto_publish_text="true")
    assert again["id"].startswith("17")
    assert threads.log.duplicates() == {"TVD-7QK2F9": 2}


async def test_threads_takes_multipart(threads, session):
    form = aiohttp.FormData(
        {"media_type": "TEXT", "text": TEXT, "access_token": "threads-token"}, default_to_multipart=True
    )
    async with session.post(f"{threads.base_url}/v1.0/me/threads", data=form) as response:
        assert response.status == 200


async def test_threads_words_policy_and_restriction_its_own_way(threads, user):
    for kind, wanted in {"policy": (4, 2207051), "suspended": (10, 4279013), "throttled": (4, None)}.items():
        await threads.fail(kind, step="create", times=1)
        assert code_of((await create(user))[1]) == wanted
