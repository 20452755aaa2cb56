"""Facebook's own rules, by a plain HTTP client."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from adapters.emulators.facebook import FacebookEmulator
from tests.contract.emulators.browser import FEED, TEXT, Browser, code_of, texts


async def test_facebook_publishes_reads_edits_and_deletes(fb, page):
    _, made = await page.ask("POST", FEED, message=TEXT, link="https://tin.example/l/TVD-7QK2F9")
    path = f"/v25.0/{made['id']}"
    assert made["id"].startswith("1098_")
    _, read = await page.ask("GET", path, fields="id,message,created_time,permalink_url,is_published")
    assert (read["message"], read["created_time"], read["is_published"]) == (TEXT, "2026-11-22T03:00:00+0000", True)
    assert await page.ask("POST", path, message="Sửa") == (200, {"success": True})
    assert (await page.ask("GET", path))[1]["message"] == "Sửa"
    assert await page.ask("DELETE", path) == (200, {"success": True})
    assert [code_of((await page.ask(m, path, message="x"))[1]) for m in ("GET", "POST", "DELETE")] == [(100, 33)] * 3
    assert [(post.text, post.removed_by) for post in fb.log.posts] == [("Sửa", "owner")]


async def test_facebook_takes_form_json_and_query(fb, page, session):
    url, token = fb.base_url + FEED, {"access_token": "page-token"}
    for sent in (
        {"data": {"message": "form", **token}},
        {"json": {"message": "json", **token}},
        {"params": {"message": "query", **token}},
    ):
        async with session.post(url, **sent) as response:
            assert response.status == 200
    assert texts(fb.log) == ["form", "json", "query"]


async def test_facebook_pages_through_its_list(fb, page, clock):
    for number in range(5):
        await page.post(f"post {number}")
        clock.advance(minutes=1)
    _, first = await page.ask("GET", FEED, limit="2", fields="message")
    assert [post["message"] for post in first["data"]] == ["post 4", "post 3"]
    assert "after=" in first["paging"]["next"]
    _, second = await page.ask("GET", FEED, limit="2", fields="message", after=first["paging"]["cursors"]["after"])
    assert [post["message"] for post in second["data"]] == ["post 2", "post 1"]
    _, third = await page.ask("GET", FEED, limit="2", after=second["paging"]["cursors"]["after"])
    assert len(third["data"]) == 1
    assert "next" not in third["paging"]
    _, back = await page.ask("GET", FEED, limit="2", before=second["paging"]["cursors"]["before"])
    assert back["data"][0]["id"] == first["data"][0]["id"]
    since = str(int((clock.now() - timedelta(minutes=3)).timestamp()))
    assert len((await page.ask("GET", FEED, since=since))[1]["data"]) == 3
    assert len((await page.ask("GET", FEED, until=since))[1]["data"]) == 3


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, (100, None)),
        ({"message": "x" * 63207}, (100, None)),
        ({"message": "x", "link": "tin.example"}, (100, 2061006)),
        ({"message": "x", "link": "https://down.invalid/a"}, (100, 1609005)),
    ],
)
async def test_facebook_refuses_bad_posts(fb, page, params, error):
    status, body = await page.ask("POST", FEED, **params)
    assert (status, code_of(body)) == (400, error)
    assert not fb.log.taken


async def test_facebook_refuses_the_same_text_twice_running(fb, page):
    await page.post()
    assert code_of((await page.post())[1]) == (506, None)
    await page.post("between")
    assert (await page.post())[0] == 200


async def test_facebook_unpublished_posts_are_seen_by_nobody(fb, page):
    _, made = await page.post(published="false")
    assert (await page.ask("GET", f"/v25.0/{made['id']}", fields="is_published"))[1]["is_published"] is False
    assert (await page.ask("GET", FEED))[1]["data"] == []
    assert not fb.log.posts


async def test_facebook_in_development_mode_shows_posts_to_its_testers_only(fb, page):
    fb.set_live(False)
    _, made = await page.post()
    _, read = await page.ask("GET", f"/v25.0/{made['id']}", fields="is_published,privacy")
    assert (read["is_published"], read["privacy"]["value"]) == (False, "CUSTOM")
    assert len((await page.ask("GET", FEED))[1]["data"]) == 1
    assert not fb.log.posts
    assert len(fb.log.taken) == 1


@pytest.mark.parametrize(
    ("state", "subcode"),
    [("expired", 463), ("revoked", 458), ("checkpoint", 459), ("password_changed", 460), ("logged_out", 467)],
)
async def test_facebook_token_states(fb, page, state, subcode):
    fb.set_token_state(state)
    assert code_of((await page.post())[1]) == (190, subcode)
    assert code_of((await page.ask("GET", "/v25.0/me"))[1]) == (190, subcode)
    fb.set_token_state("valid")
    assert (await page.post())[0] == 200


async def test_facebook_tokens_are_needed_known_and_allowed(fb, page):
    assert code_of((await page.ask("GET", "/v25.0/me", token=""))[1]) == (104, None)
    assert code_of((await page.ask("GET", "/v25.0/me", token="nonsense"))[1]) == (190, None)
    assert code_of((await page.ask("GET", "/v25.0/1099"))[1]) == (100, 33)
    fb.remove_scope("pages_manage_posts")
    assert code_of((await page.post())[1]) == (200, None)
    assert (await page.ask("GET", "/v25.0/me"))[0] == 200


async def test_facebook_wants_the_secret_proof_in_the_query(fb, page):
    proof = hmac.new(b"s3cret", b"page-token", hashlib.sha256).hexdigest()
    fb.require_proof = True
    assert (await page.post(appsecret_proof=proof))[0] == 400
    assert (await page.ask("POST", f"{FEED}?appsecret_proof={proof}", message="x"))[0] == 200
    fb.require_proof = False
    assert code_of((await page.ask("GET", "/v25.0/me", appsecret_proof="0" * 64))[1]) == (100, None)


async def test_facebook_debug_token_tells_the_app_about_a_token(fb, page):
    asked = {"input_token": "page-token", "token": "7001|s3cret"}
    assert (await page.ask("GET", "/v25.0/debug_token", **asked))[1]["data"]["is_valid"] is True
    fb.set_token_state("revoked")
    assert (await page.ask("GET", "/v25.0/debug_token", **asked))[1]["data"]["is_valid"] is False
    assert (await page.ask("GET", "/v25.0/debug_token", input_token="page-token"))[0] == 400


async def test_facebook_serves_known_versions_and_paths_only(page):
    assert code_of((await page.ask("GET", "/v19.0/me"))[1]) == (2635, None)
    assert code_of((await page.ask("GET", "/v25.0/1098/nothing"))[1]) == (2500, None)


async def test_facebook_counts_calls_and_throttles_with_minutes(session, clock):
    async with FacebookEmulator(now=clock.now, calls_per_hour=4) as fb:
        page = Browser(session, fb, "page-token")
        _, _, headers = await page.exchange("GET", "/v25.0/me")
        assert json.loads(headers["X-App-Usage"])["call_count"] == 25
        for _ in range(3):
            await page.ask("GET", "/v25.0/me")
        clock.advance(minutes=20)
        _, body, headers = await page.exchange("GET", "/v25.0/me")
        assert code_of(body) == (80001, None)
        business = json.loads(headers["X-Business-Use-Case-Usage"])["1098"][0]
        assert (business["call_count"], business["estimated_time_to_regain_access"]) == (100, 40)
        clock.advance(minutes=41)
        assert (await page.ask("GET", "/v25.0/me"))[0] == 200


SHAPES = {
    "server_error": (500, (2, None)),
    "error_in_200": (200, (2, None)),
    "logged_out": (400, (190, 467)),
    "expired": (400, (190, 463)),
    "revoked": (400, (190, 458)),
    "no_permission": (403, (200, None)),
    "policy": (400, (368, None)),
    "suspended": (400, (368, 1404112)),
    "throttled": (400, (80001, None)),
}


@pytest.mark.parametrize("kind", SHAPES)
async def test_facebook_words_each_fault_its_own_way(fb, page, kind):
    await fb.fail(kind, step="publish", after=90)
    status, body, headers = await page.exchange("POST", FEED, message=TEXT)
    assert (status, code_of(body)) == SHAPES[kind]
    assert not fb.log.taken
    assert (await page.ask("GET", "/v25.0/me"))[0] == 200
    wait = json.loads(headers["X-Business-Use-Case-Usage"])["1098"][0]["estimated_time_to_regain_access"]
    assert wait == (2 if kind == "throttled" else 0)
