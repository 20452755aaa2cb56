"""The pages in a real browser, without scripts: by pointer, by keyboard, on a small screen, against naughty text."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from tests.contract.pages.naughty import NAUGHTY
from tests.contract.pages.stage import FULL, Stage, moving, stage

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SMALL: ViewportSize = {"width": 360, "height": 740}

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with stage(tmp_path_factory.mktemp("desk"), public_url=None) as desk:
        yield desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


async def opened(browser: Browser, desk: Stage, **settings: Any) -> BrowserContext:
    given = {"java_script_enabled": False, "viewport": SMALL, "base_url": desk.url, **settings}
    context = await browser.new_context(**given)
    context.set_default_timeout(10_000)
    return context


async def signed_in(browser: Browser, desk: Stage, **settings: Any) -> Page:
    page = await (await opened(browser, desk, **settings)).new_page()
    await page.goto("/desk")
    await page.fill("#key", FULL)
    await page.click("main button")
    await page.wait_for_url("**/desk")
    return page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(browser: Browser, desk: Stage) -> Any:
    """The cookies of who is signed in."""
    page = await signed_in(browser, desk)
    kept = await page.context.storage_state()
    await page.context.close()
    return kept


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, desk: Stage, session: Any) -> AsyncIterator[Page]:
    """Signed in, as small as phones are, without scripts."""
    context = await opened(browser, desk, storage_state=session)
    page = await context.new_page()
    await page.goto("/desk")
    yield page
    await context.close()


async def unconfirmed(desk: Stage) -> str:
    await desk.announce(route="telegram")
    await desk.emulators["telegram"].fail("stored_then_reset", step="publish", times=1)
    return await desk.announce(route="telegram", headline="Học sinh nghỉ học ngày 23/11")


async def test_an_announcement_from_writing_to_withdrawal(desk, page):
    await page.click("text=Viết tin")
    await page.fill("#headline", "Bão số 9 đổi hướng")
    await page.fill("#body", "Tâm bão cách bờ 120 km.")
    await page.check("text=Khẩn")
    await page.select_option("#route", "breaking")
    await page.click("text=Xem trước")
    assert "Tâm bão cách bờ 120 km." in await page.inner_text("main")
    await page.click("text=Gửi ngay")
    reference = page.url.partition("?")[0].rpartition("/")[2]
    await page.wait_for_selector(".badge.busy", state="detached")  # the page comes anew by itself
    assert "Đã đăng" in await page.inner_text(".meta")
    text = await page.inner_text("main")
    facebook = next(d for d in (await desk.broker.get("agency", reference)).deliveries if d.channel == "facebook")
    assert await page.get_attribute("#facebook .links a", "href") == facebook.url
    assert facebook.text in text.replace("\n\n\n", "\n\n")
    await page.click("text=Rút tin")
    await page.fill("#because", "sai giờ")
    await page.click("text=Rút ngay")
    assert "Đã rút: sai giờ" in await page.inner_text("main")
    await desk.until(reference, lambda report: not moving(report))
    assert (await desk.broker.get("agency", reference)).withdrawn_at
    assert [post.is_up for post in desk.emulators["facebook"].log.posts][-1] is False


async def test_an_unconfirmed_copy_is_confirmed(desk, page):
    reference = await unconfirmed(desk)
    await page.goto("/desk")
    await page.click("text=Kiểm tra Telegram")
    await page.check("text=Độc giả xem được tin")
    await page.fill("#url", "https://t.me/tinvidu/7")
    await page.click("text=Lưu")
    assert await page.get_attribute("#telegram .links a", "href") == "https://t.me/tinvidu/7"
    assert (await desk.broker.get("agency", reference)).deliveries[0].state == "live"


async def test_a_channel_is_paused_and_resumed(desk, page):
    await page.click("text=Các kênh")
    card = page.locator(".card", has=page.locator("h2", has_text="Facebook"))
    await card.locator("summary").click()
    await card.locator("input[name=reason]").fill("đổi mật khẩu")
    await card.locator("button").click()
    assert "Tạm dừng" in await card.inner_text()
    await card.get_by_role("button", name="Mở lại").click()
    assert "Hoạt động" in await card.inner_text()


async def test_a_keyboard_is_enough(desk, browser):
    context = await opened(browser, desk)
    page = await context.new_page()
    await page.goto("/desk/send")
    await page.wait_for_selector("#key:focus")
    await page.keyboard.type(FULL)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#headline:focus")
    await page.keyboard.type("Tin gõ bằng bàn phím")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Không cần chuột.")
    await _press_until(page, "Xem trước")
    await _press_until(page, "Gửi ngay")
    assert "Đã nhận" in await page.inner_text(".done")
    await _press_until(page, "Rút tin")
    await page.wait_for_selector("#because:focus")
    await page.keyboard.type("thử")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".done")
    [newest] = await desk.broker.announcements("agency", limit=1)
    assert (newest.headline, newest.withdrawn_at is not None) == ("Tin gõ bằng bàn phím", True)
    await context.close()


async def _press_until(page: Page, label: str) -> None:
    """Tabs to what is called so, sees that the focus shows, and presses it."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if await focused.count() and (await focused.inner_text()).strip() == label:
            break
    else:
        raise AssertionError(f"the keyboard does not reach {label!r}")
    assert await page.locator(":focus-visible").count() == 1
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


MEASURE = """() => {
    for (const one of document.querySelectorAll("details")) one.open = true;
    return {width: document.documentElement.scrollWidth, scripts: document.scripts.length};
}"""


async def test_nothing_is_wider_than_a_phone_and_nothing_runs(desk, browser):
    """Here scripts are allowed, so that one that came in with a text would run; our own question is the only one."""
    said = {"body": "\n\n".join(NAUGHTY), "route": "facebook", "overrides": {"facebook": "\n".join(NAUGHTY)}}
    for text in NAUGHTY:
        await desk.broker.announce("agency", {**said, "headline": text, "author": text[:100]})
    reference = await unconfirmed(desk)
    page = await signed_in(browser, desk, java_script_enabled=True)
    ran: list[str] = []
    loaded: list[str] = []
    page.on("dialog", lambda dialog: ran.append(dialog.message))
    page.on("console", lambda message: ran.append(message.text))
    page.on("request", lambda request: loaded.append(request.url))
    listed = await desk.broker.announcements("agency", limit=40)
    paths = ["/desk", f"/desk?before={listed[19].id}", "/desk/channels", "/desk/send"]
    paths += [f"/desk/announcements/{reference}/confirm/telegram"]
    paths += [f"/desk/announcements/{listed[2].reference}{more}" for more in ("", "/withdraw", "/record")]
    for path in paths:
        await page.goto(path)
        assert await page.evaluate(MEASURE) == {"width": SMALL["width"], "scripts": 0}, path
    assert not ran
    assert not [url for url in loaded if not url.startswith(desk.url)]
    await page.context.close()


EVIL = """<title>calm</title><script>document.title = "ran"</script><img src=x onerror="document.title = 'ran'">"""


async def test_the_policy_alone_stops_what_was_not_escaped(browser, page):
    response = await page.goto("/desk")
    policy = response.headers["content-security-policy"]
    for headers, title in (({}, "ran"), ({"Content-Security-Policy": policy}, "calm")):
        context = await browser.new_context()
        other = await context.new_page()
        await other.route("**/*", _answering(EVIL, headers))
        await other.goto("https://loa.tin.example/")
        assert await other.title() == title
        await context.close()


def _answering(body: str, headers: dict[str, str]) -> Any:
    async def answer(route: Any) -> None:
        await route.fulfill(body=body, headers={"Content-Type": "text/html", **headers})

    return answer
