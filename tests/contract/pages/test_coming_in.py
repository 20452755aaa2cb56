"""Who gets in, and what keeps strangers, strangers' pages and old sessions out."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from broker.api.doorman import FAILURES_AT_MOST
from broker.pages.app import PAGES
from broker.pages.guard import local
from broker.pages.session import AT_MOST, IDLE
from tests.contract.api.newsroom import BAO, TIN, newsroom
from tests.contract.api.newsroom import FULL as NEWSROOM
from tests.contract.pages.reader import reader
from tests.contract.pages.stage import FULL, KEYS, NEWS, PUBLIC, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUARDED = [page for page in PAGES if page.scope]
FORMS = [page for page in PAGES if page.method == "POST"]


def path_of(page: Any, reference: str) -> str:
    channel = "telegram" if "confirm" in page.path or "gone" in page.path else "facebook"
    return (
        str(page.path).replace("{announcement}", reference).replace("{channel}", channel).replace("{token}", "x" * 43)
    )


@pytest.mark.parametrize("page", GUARDED, ids=lambda page: f"{page.method} {page.path}")
async def test_strangers_are_led_to_the_door(desk, stranger, page):
    path = path_of(page, await desk.announce(route="facebook"))
    answer = await (stranger.get(path) if page.method == "GET" else stranger.post(path, {"because": "x"}))
    assert urlsplit(answer.path).path == "/desk/sign-in"
    if page.method == "GET":
        assert answer.form("/desk/sign-in").fields["to"] == path
    assert NEWS["headline"] not in answer.text


@pytest.mark.parametrize("page", GUARDED, ids=lambda page: f"{page.method} {page.path}")
async def test_each_page_asks_for_its_scope(desk, page):
    path = path_of(page, await desk.announce(route="facebook"))
    for scopes in ("read", "read,operate"):
        async with reader(desk.url) as someone:
            await someone.sign_in(KEYS[scopes])
            answer = await (someone.get(path) if page.method == "GET" else someone.post(path, {}))
            lacks = page.scope not in scopes.split(",")
            assert not lacks or answer.status == 403
            assert page.method == "POST" or lacks is (answer.status == 403)


async def test_a_key_that_may_not_read_does_not_open_the_desk(stranger):
    assert (await stranger.sign_in(KEYS["send"])).status == 403
    assert (await stranger.get("/desk")).path.startswith("/desk/sign-in")


async def test_guessing_ends_soon(tmp_path):
    async with stage(tmp_path) as desk, reader(desk.url) as someone:
        answers = [await someone.sign_in(f"loa_{n}") for n in range(FAILURES_AT_MOST + 1)]
        assert [answer.status for answer in answers] == [401] * FAILURES_AT_MOST + [429]
        assert "Khóa này không đúng" in answers[0].text
        assert int(answers[-1].headers["Retry-After"]) <= 60


async def test_the_cookie_is_for_us_alone(desk, stranger):
    form = {"key": FULL, "to": "/desk"}
    for headers, secure in (
        ({}, False),
        ({"X-Forwarded-Proto": "https"}, True),
        ({"Host": "loa.tin.example", "Origin": PUBLIC}, True),
    ):
        given = {"Origin": desk.url, **headers}
        async with stranger.session.post(
            f"{desk.url}/desk/sign-in", data=form, headers=given, allow_redirects=False
        ) as answer:
            cookie = answer.headers["Set-Cookie"]
        stranger.session.cookie_jar.clear()
        assert answer.status == 303, headers
        assert {"HttpOnly", "SameSite=Strict", "Path=/desk"} <= set(cookie.split("; "))
        assert ("Secure" in cookie) is secure
        assert FULL not in cookie


@pytest.mark.parametrize(
    ("to", "lands"),
    [
        ("/desk/channels", "/desk/channels"),
        ("https://evil.example/", "/desk"),
        ("//evil.example", "/desk"),
        ("/desk//evil.example", "/desk"),
        ("/desk/\\evil.example", "/desk"),
        ("/deskevil", "/desk"),
        ("/v1/channels", "/desk"),
        ("javascript:alert(1)", "/desk"),
        ("/desk/\r\nSet-Cookie: a=b", "/desk"),
    ],
)
async def test_the_door_leads_nowhere_else(stranger, to, lands):
    page = await stranger.get(f"/desk/sign-in?to={quote(to, safe='')}")
    assert page.form("/desk/sign-in").fields["to"] == lands == local(to)
    assert (await stranger.submit(page, "/desk/sign-in", key=FULL, to=to)).path == lands


# forms


@pytest.mark.parametrize("page", FORMS, ids=lambda page: page.path)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site", "Origin": "null"},
    ],
    ids=str,
)
async def test_no_form_is_taken_from_elsewhere(desk, editor, page, headers):
    path = path_of(page, await desk.announce(route="facebook"))
    token = {"token": (await editor.get("/desk/channels")).form("/desk/sign-out").fields["token"]}
    answer = await editor.post(path, {**token, "key": FULL, "because": "x"}, **headers)
    assert answer.status == 403


async def test_browsers_that_name_no_origin_name_the_site(editor):
    page = await editor.get("/desk/channels")
    fields = page.form("/desk/channels/zalo/pause").fields
    async with editor.session.post(f"{editor.url}/desk/channels/zalo/pause", data=fields) as answer:
        assert answer.status == 403
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with editor.session.post(f"{editor.url}/desk/channels/zalo/pause", data=fields, headers=headers) as answer:
        assert answer.status == 200
    await editor.submit(await editor.get("/desk/channels"), "/desk/channels/zalo/resume")


@pytest.mark.parametrize("page", [page for page in FORMS if page.scope], ids=lambda page: page.path)
async def test_each_form_has_a_token_of_its_own(desk, editor, page):
    path = path_of(page, await desk.announce(route="facebook"))
    other = (await editor.get("/desk/channels")).form("/desk/sign-out").fields["token"]
    async with reader(desk.url) as somebody:
        await somebody.sign_in(FULL)
        theirs = (await somebody.get("/desk/send")).form("/desk/send").fields["token"]
    for token in ("", "x" * 64, "é", other, theirs):
        assert (await editor.post(path, {"token": token, "because": "x"})).status == 403


async def test_what_is_no_form_is_not_read(editor):
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        assert (await editor.post("/desk/send", {}, Content_Type=kind)).status == 415
    headers = {"Origin": editor.url, "Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"\xff", b"a=%ff", b"&".join(b"a%d=1" % n for n in range(60))):
        async with editor.session.post(f"{editor.url}/desk/send", data=body, headers=headers) as answer:
            assert answer.status == 400


# sessions


async def test_a_session_ends(desk, stranger):
    await stranger.sign_in(FULL)
    try:
        for _ in range(5):
            desk.clock.ahead += IDLE - timedelta(minutes=5)
            assert (await stranger.get("/desk")).path == "/desk"
        desk.clock.ahead += AT_MOST - 5 * (IDLE - timedelta(minutes=5))
        assert (await stranger.get("/desk")).path != "/desk"
        await stranger.sign_in(FULL)
        desk.clock.ahead += IDLE
        assert (await stranger.get("/desk")).path != "/desk"
    finally:
        desk.clock.ahead = timedelta(0)


async def test_a_page_that_updates_itself_keeps_nobody_signed_in(desk, stranger):
    reference = await desk.announce(route="facebook")
    await stranger.sign_in(FULL)
    path = f"/desk/announcements/{reference}?watch=1"
    try:
        desk.clock.ahead += IDLE * 0.6
        assert (await stranger.get(path)).path == path
        desk.clock.ahead += IDLE * 0.6
        assert (await stranger.get(path)).path.startswith("/desk/sign-in")
    finally:
        desk.clock.ahead = timedelta(0)


async def test_an_altered_cookie_is_none(desk, stranger):
    await stranger.sign_in(FULL)
    [cookie] = [c for c in stranger.session.cookie_jar if c.key == "desk"]
    good = cookie.value
    for bad in (
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        "x" + good,
        good.partition(".")[0] + ".",
        ".",
        "x" * 5000,
    ):
        async with stranger.session.get(
            f"{desk.url}/desk", headers={"Cookie": f"desk={bad}"}, cookies={"desk": bad}, allow_redirects=False
        ) as answer:
            assert answer.status == 303


async def test_signing_out_ends_it(editor):
    page = await editor.submit(await editor.get("/desk"), "/desk/sign-out")
    assert "Bạn đã đăng xuất" in page.text
    assert (await editor.get("/desk")).path.startswith("/desk/sign-in")


async def test_a_session_outlives_a_restart_but_not_its_key(tmp_path):
    async with stage(tmp_path) as desk, reader(desk.url) as someone:
        await someone.sign_in(KEYS["read"])
        [cookie] = [c.value for c in someone.session.cookie_jar if c.key == "desk"]
    for without, opens in ((None, True), ("read", False)):
        async with stage(tmp_path, without=without) as desk, reader(desk.url) as someone:
            page = await someone.get("/desk", Cookie=f"desk={cookie}")
            assert (page.path == "/desk") is opens


async def test_nobody_meets_anything_of_another_agency(tmp_path):
    async with newsroom(tmp_path) as room, reader(room.server.url) as someone:
        theirs = (await room.announce(headline="Tin của người khác"))["reference"]
        await someone.sign_in(NEWSROOM[BAO])
        assert "Tin của người khác" not in (await someone.get("/desk")).text
        for page in GUARDED:
            if "{announcement}" not in page.path:
                continue
            path = path_of(page, theirs)
            if page.method == "GET":
                assert (await someone.get(path)).status == 404
        assert (await room.get(f"/v1/announcements/{theirs}")).json["withdrawn_at"] is None
        assert room.broker.agencies.keys() == {TIN, BAO}


# links


async def link_of(desk: Any, page: str = "channels") -> Any:
    return urlsplit(await desk.broker.engine.doors.link("agency", page)).path


async def test_an_alert_opens_the_desk_once(tmp_path):
    async with stage(tmp_path) as desk, reader(desk.url) as someone, reader(desk.url) as another:
        await desk.emulators["telegram"].fail("stored_then_reset", step="publish", times=1)
        reference = await desk.announce(route="telegram")
        await desk.duty.until(lambda log: log.posts, timeout=60)
        [link] = re.findall(r"https://loa\.tin\.example(/desk/in/[\w-]{43})\b", desk.duty.log.posts[0].text)
        await another.get(link)  # as chats do, to show what it leads to
        page = await someone.get(link)
        assert "Mời vào bàn trực" in page.text
        page = await someone.submit(page, link)
        assert page.path == f"/desk/announcements/{reference}"
        path = f"/desk/announcements/{reference}/confirm/telegram"
        page = await someone.submit(await someone.get(path), path, seen="live", url="")
        [delivery] = (await desk.broker.get("agency", reference)).deliveries
        assert delivery.reason == {"en": "Desk-link has seen it there", "vi": "Desk-link đã thấy tin trên kênh"}
        for page in (await another.get(link), await another.post(link, {})):
            assert page.status == 404
            assert "đã hết hiệu lực" in page.text
        assert (await another.get("/desk")).path.startswith("/desk/sign-in")
        await desk.duty.until(lambda log: len(log.posts) == 2, timeout=60)
        assert "/desk/in/" not in desk.duty.log.posts[1].text


async def test_a_link_lets_nobody_speak_for_the_agency(desk, stranger):
    reference = await desk.announce(route="facebook")
    link = await link_of(desk)
    page = await stranger.submit(await stranger.get(link), link)
    assert page.path == "/desk/channels"
    assert "/desk/send" not in page.links
    for path in ("/desk/send", f"/desk/announcements/{reference}/withdraw"):
        assert (await stranger.get(path)).status == 403


async def test_a_link_takes_nothing_from_who_is_signed_in(desk, editor):
    link = await link_of(desk)
    await editor.submit(await editor.get(link), link)
    assert (await editor.get("/desk/send")).status == 200
    assert (await editor.get(link)).status == 404


async def test_only_the_digest_of_a_link_is_stored(desk):
    token = (await link_of(desk)).rpartition("/")[2]
    stored = desk.broker.store.settings("link:")
    assert stored
    assert token not in repr(stored)


@pytest.mark.parametrize("token", ["x", "x" * 43, "..%2f", "%00", "é", "link:"])
async def test_what_is_no_link_opens_nothing(stranger, token):
    for page in (await stranger.get(f"/desk/in/{token}"), await stranger.post(f"/desk/in/{token}", {})):
        assert page.status == 404


# what every page says to the browser


async def test_pages_tell_browsers_to_run_and_load_nothing(desk, editor):
    reference = await desk.announce(route="facebook")
    for page in PAGES:
        if page.method != "GET":
            continue
        headers = (await editor.get(path_of(page, reference))).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src '")
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    assert "form-action 'self'" in (await editor.get("/desk")).headers["Content-Security-Policy"]


async def test_whoever_follows_a_link_in_a_chat_is_still_signed_in(desk, stranger):
    """Browsers keep strict cookies back on the first request from elsewhere: our own page asks once more."""
    reference = await desk.announce(route="facebook")
    page = await stranger.get(f"/desk/announcements/{reference}", **{"Sec-Fetch-Site": "cross-site"})
    assert f'content="0; url=/desk/announcements/{reference}"' in page.html
    assert NEWS["headline"] not in page.text
