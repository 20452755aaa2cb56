"""What the desk's pages show and do."""

from __future__ import annotations

import re

import pytest

from tests.contract.pages.naughty import NAUGHTY
from tests.contract.pages.reader import Page, reader
from tests.contract.pages.stage import FULL, KEYS, NEWS, PAGE_TOKEN, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def unconfirmed(desk) -> str:
    """An announcement whose answer was lost where nobody can be asked; its reference.

    One that works goes before: two failures in a row would be an outage.
    """
    await desk.announce(route="telegram")
    await desk.emulators["telegram"].fail("stored_then_reset", step="publish", times=1)
    return str(await desk.announce(route="telegram"))


async def test_it_says_what_is_out_where_and_what_readers_see(desk, editor):
    reference = await desk.announce(author="Nguyễn Văn A")
    listed = await editor.get("/desk")
    assert NEWS["headline"] in listed.text
    assert "Đã đăng trên trang của tòa soạn, Zalo và Facebook." in listed.text
    facebook = next(d for d in (await desk.broker.get("agency", reference)).deliveries if d.channel == "facebook")
    assert facebook.url in listed.links
    page = await editor.get(f"/desk/announcements/{reference}")
    assert facebook.text in page.text
    assert facebook.url in page.links
    assert re.search(r"Đạt mục tiêu sau \d+,\d giây", page.text)
    assert "Tác giả: Nguyễn Văn A." in page.text
    assert "Đã nhận từ newsroom" in page.text


async def test_what_is_written_is_seen_before_it_is_sent(desk, editor):
    before = len(await desk.broker.announcements("agency", limit=200))
    written = {"headline": "Cấm biển", "body": "Từ 17 giờ.\r\n\r\nMọi tàu thuyền.", "route": "breaking"}
    form = await editor.get("/desk/send")
    preview = await editor.submit(form, "/desk/send", **written, do="preview")
    assert "Từ 17 giờ.\n\nMọi tàu thuyền." in preview.text
    assert len(await desk.broker.announcements("agency", limit=200)) == before
    changed = await editor.submit(preview, "/desk/send", do="change")
    assert changed.form("/desk/send").fields["body"].replace("\r", "") == "Từ 17 giờ.\n\nMọi tàu thuyền."
    sent = await editor.submit(preview, "/desk/send", do="send")
    assert "Đã nhận" in sent.text
    again = await editor.submit(preview, "/desk/send", do="send")
    assert again.path == sent.path
    assert len(await desk.broker.announcements("agency", limit=200)) == before + 1


async def test_what_is_missing_is_named_and_nothing_is_lost(editor):
    form = await editor.get("/desk/send")
    given = {"headline": " ", "body": "Nội dung", "link": "không phải địa chỉ", "send_at": "mai", "do": "preview"}
    page = await editor.submit(form, "/desk/send", **given)
    assert page.status == 422
    assert "không phải thời gian" in page.text
    page = await editor.submit(form, "/desk/send", **{**given, "send_at": ""})
    assert "Tiêu đề: đang để trống" in page.text
    assert "Đường dẫn: không phải địa chỉ web" in page.text
    assert page.form("/desk/send").fields["body"] == "Nội dung"


async def test_a_time_is_the_agencys(desk, editor):
    form = await editor.get("/desk/send")
    given = {"headline": "Hẹn", "body": "Giờ", "send_at": "2026-12-31T23:30"}
    preview = await editor.submit(form, "/desk/send", **given, do="preview")
    sent = await editor.submit(preview, "/desk/send", do="send")
    [found] = await desk.broker.announcements("agency", limit=1)
    assert found.send_at.isoformat() == "2026-12-31T16:30:00+00:00"
    assert "Đã hẹn giờ" in sent.text
    assert "23:30" in sent.text


async def test_withdrawing_says_first_what_it_does(desk, editor):
    reference = await desk.announce()
    asked = await editor.get(f"/desk/announcements/{reference}/withdraw")
    assert "Tin sẽ bị xóa khỏi: Trang của tòa soạn, Zalo, Facebook." in asked.text
    assert (await desk.broker.get("agency", reference)).withdrawn_at is None
    path = f"/desk/announcements/{reference}/withdraw"
    page = await editor.submit(asked, path, because="sai giờ")
    assert "Đã rút: sai giờ" in page.text
    record = (await desk.broker.record("agency", reference)).record
    assert (record.withdrawn_by, record.withdrawn_because) == ("newsroom", "sai giờ")


@pytest.mark.parametrize(("seen", "state"), [("live", "live"), ("missing", "failed"), ("again", "live")])
async def test_a_person_settles_what_nobody_else_can(desk, editor, seen, state):
    reference = await unconfirmed(desk)
    listed = await editor.get("/desk")
    path = f"/desk/announcements/{reference}/confirm/telegram"
    assert path in listed.links
    form = await editor.get(path)
    assert reference in form.text
    page = await editor.submit(form, path, seen=seen, url="https://t.me/tinvidu/7" if seen == "live" else "")
    assert "Đã ghi nhận" in page.text
    report = await desk.until(reference, lambda found: found.deliveries[0].state.value == state)
    if seen == "live":
        assert report.deliveries[0].url == "https://t.me/tinvidu/7"
    assert (await editor.get(path)).status == (409 if state == "live" else 200)


async def test_what_programs_cannot_delete_is_ticked_off(desk, editor):
    reference = await unconfirmed(desk)
    await desk.broker.withdraw("agency", reference)
    page = await editor.get(f"/desk/announcements/{reference}")
    assert "Cần người xóa" in page.text
    path = f"/desk/announcements/{reference}/gone/telegram"
    page = await editor.submit(page, path)
    assert "Đã ghi nhận" in page.text
    assert "Cần người xóa" not in page.text


async def test_a_channel_is_paused_and_resumed(desk, editor):
    page = await editor.get("/desk/channels")
    usual = switches(page)
    page = await editor.submit(page, "/desk/channels/facebook/pause", reason="đổi mật khẩu")
    assert switches(page) == ["facebook", *(name for name in usual if name != "facebook")]  # what is wrong comes first
    assert "Tạm dừng" in page.text
    assert "đổi mật khẩu" in page.text
    assert "Facebook" in (await editor.get("/desk")).text
    page = await editor.submit(page, "/desk/channels/facebook/resume")
    [facebook] = [c for c in await desk.broker.channels("agency") if c.name == "facebook"]
    assert facebook.state == "up"
    over = await editor.submit(page, "/desk/channels/facebook/pause", until="2020-01-01T00:00")
    assert over.status == 422


def switches(page: Page) -> list[str]:
    """The channels that could be paused or resumed, from the top."""
    return [form.action.split("/")[3] for form in page.forms if form.action.startswith("/desk/channels/")]


async def test_the_record_is_at_hand(desk, editor):
    reference = await desk.announce()
    page = await editor.get(f"/desk/announcements/{reference}/record")
    assert (await desk.broker.record("agency", reference)).sha256 in page.text


async def test_older_ones_are_a_page_away(desk, editor):
    for n in range(21):
        await desk.broker.announce("agency", {**NEWS, "headline": f"Tin {n}", "route": "telegram"})
    page = await editor.get("/desk")
    [older] = [link for link in page.links if link.startswith("/desk?before=")]
    assert "Tin 20" in page.text
    assert "Tin 0" in (await editor.get(older)).text


async def test_both_languages_are_spoken(editor, tmp_path):
    assert (await editor.get("/desk")).lang == "vi"
    assert "Announcements" in (await editor.get("/desk?language=en")).text
    assert (await editor.get("/desk/channels")).lang == "en"
    assert (await editor.get("/desk?language=fr")).lang == "en"
    assert (await editor.get("/desk?language=vi")).lang == "vi"
    async with stage(tmp_path, language="en") as english, reader(english.url) as someone:
        assert (await someone.get("/desk/sign-in")).lang == "en"


@pytest.mark.parametrize("text", NAUGHTY, ids=lambda text: ascii(text[:24]))
async def test_text_stays_text(desk, editor, text):
    """`Page` itself fails on every tag and attribute that we do not write."""
    given = {"headline": text, "body": text, "author": text[:100], "route": "facebook", "do": "preview"}
    preview = await editor.submit(await editor.get("/desk/send"), "/desk/send", **given)
    if preview.status == 422:  # nothing but blanks
        return
    kept = (await editor.submit(preview, "/desk/send", do="change")).form("/desk/send").fields["headline"]
    assert kept == text
    sent = await editor.submit(preview, "/desk/send", do="send")
    [reference] = re.findall(r"TVD-\w+", sent.path)
    for path in ("/desk", *(f"/desk/announcements/{reference}{more}" for more in ("", "/withdraw", "/record"))):
        page = await editor.get(path)
        assert page.status == 200
        assert text.strip()[:20] in page.text
    asked = await editor.get(f"/desk/announcements/{reference}/withdraw")
    assert text.strip()[:20] in (await editor.submit(asked, asked.path, because=text)).text


async def test_no_page_shows_a_secret(desk, editor):
    reference = await unconfirmed(desk)
    paths = ["/desk", "/desk/channels", "/desk/send", f"/desk/announcements/{reference}", "/desk/sign-in"]
    paths += [f"/desk/announcements/{reference}/{more}" for more in ("record", "withdraw", "confirm/telegram")]
    said = "".join([(await editor.get(path)).html for path in paths])
    said += (await editor.sign_in(FULL + "x")).html
    secrets = [*KEYS.values(), PAGE_TOKEN, desk.duty.base_url]
    assert not [secret for secret in secrets if secret in said]


async def test_what_is_not_there_is_said_in_a_page(editor):
    for path in ("/desk/nowhere", "/desk/announcements/TVD-XXXXXX", "/desk/announcements/%00/withdraw"):
        page = await editor.get(path)
        assert page.status == 404
        assert "Không có trang hoặc thông báo này" in page.text


async def test_a_picture_that_cannot_be_had_is_told_at_its_field(editor):
    form = await editor.get("/desk/send")
    given = {"headline": "Lũ rút", "body": "Nước đã rút.", "picture": "http://127.0.0.1:9/a.jpg", "alt": "Bờ kè"}
    told = await editor.submit(form, "/desk/send", **given, do="preview")
    assert told.status == 422
    assert "Ảnh hoặc video: " in told.text
    fields = told.form("/desk/send").fields
    assert (fields["picture"], fields["alt"]) == (given["picture"], given["alt"])
