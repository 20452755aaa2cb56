"""What a platform does behind a good answer, and what its log tells of it."""

import json

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.log import PlatformLog, references
from tests.contract.emulators.browser import FEED, TEXT, Browser, code_of


async def test_lists_lag_behind_but_ids_do_not(session, clock):
    async with FacebookEmulator(now=clock.now) as fb:
        page = Browser(session, fb, "page-token")
        post_id = (await page.post())[1]["id"]
        clock.advance(seconds=2.9)
        assert (await page.ask("GET", FEED))[1]["data"] == []
        assert (await page.ask("GET", f"/v25.0/{post_id}"))[0] == 200
        clock.advance(seconds=5.2)
        assert [post["id"] for post in (await page.ask("GET", FEED))[1]["data"]] == [post_id]


async def test_list_lag_and_empty_list_hide_posts_for_a_while(fb, page, clock):
    await page.post()
    await fb.fail("list_lag", after=20)
    clock.advance(seconds=19)
    assert (await page.ask("GET", FEED))[1]["data"] == []
    clock.advance(seconds=1)
    assert len((await page.ask("GET", FEED))[1]["data"]) == 1
    await fb.heal()
    await fb.fail("empty_list", times=1)
    assert [len((await page.ask("GET", FEED))[1]["data"]) for _ in range(2)] == [0, 1]


async def test_a_silent_drop_answers_with_an_id_of_nothing(fb, page):
    await fb.fail("silent_drop", step="publish", times=1)
    status, body = await page.post()
    assert status == 200
    assert code_of((await page.ask("GET", f"/v25.0/{body['id']}"))[1]) == (100, 33)
    assert not fb.log.taken
    assert (await page.post())[0] == 200
    assert len(fb.log.posts) == 1


async def test_a_post_can_be_removed_later_or_by_hand(fb, page):
    await fb.fail("remove_later", after=0.02, times=1)
    await page.post()
    await fb.until(lambda log: log.posts and not log.visible)
    post_id = (await page.post("second"))[1]["id"]
    fb.remove_post(post_id)
    assert code_of((await page.ask("GET", f"/v25.0/{post_id}"))[1]) == (100, 33)
    assert [post.removed_by for post in fb.log.posts] == ["platform", "platform"]


async def test_copies_are_counted_by_reference_and_quotes_are_not_copies(fb, page):
    await page.post(TEXT + " a")
    await page.post(TEXT + " b")
    fb.plant_post("1098_1", f"Look: {TEXT}")
    assert fb.log.duplicates() == {"TVD-7QK2F9": 2}
    assert len((await page.ask("GET", FEED))[1]["data"]) == 3
    assert len((await page.ask("GET", "/v25.0/1098/published_posts"))[1]["data"]) == 2


def test_references_are_whole_words():
    assert references("l/TVD-7QK2F9. xTVD-7QK2F9 ABCD-123456 TVD-7QK2F9A") == {"TVD-7QK2F9", "ABCD-123456"}


async def test_the_log_holds_no_token_and_survives_json(fb, page):
    await page.post()
    await page.ask("GET", "/v25.0/me", access_token="page-token")
    document = json.dumps(fb.log.to_json())
    assert "page-token" not in document
    assert PlatformLog.from_json(json.loads(document)) == fb.log
