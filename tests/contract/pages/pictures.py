"""Makes the pictures of docs/desk.md: python -m tests.contract.pages.pictures docs/images"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, ViewportSize, async_playwright

from tests.contract.pages.stage import Stage, stage
from tests.contract.pages.test_browser import CHROMIUM, SMALL, signed_in, unconfirmed

LARGE: ViewportSize = {"width": 1100, "height": 800}


async def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as kept:
        async with stage(Path(kept), public_url=None) as desk, async_playwright() as playwright:
            reference = await _evening(desk)
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = await signed_in(browser, desk)
            one = f"/announcements/{reference}"
            await _take(page, SMALL, folder, "phone", {"list": "", "announcement": one, "channels": "/channels"})
            await _take(page, LARGE, folder, "desktop", {"list": "", "announcement": one})
            await browser.close()


async def _evening(desk: Stage) -> str:
    """A quiet start, then Meta fails; the reference of what is sent at that moment."""
    await unconfirmed(desk)
    await desk.announce(headline="Cấm biển từ 17 giờ hôm nay", author="Nguyễn Văn A")
    for name in ("facebook", "threads"):
        await desk.emulators[name].fail("refused")
    said = {
        "headline": "Bão số 9 đổi hướng",
        "body": "Tâm bão cách bờ 120 km.",
        "urgency": "urgent",
        "route": "breaking",
    }
    receipt = await desk.broker.announce("agency", said, by="newsroom")
    await desk.until(receipt.report.reference, lambda report: report.status == "reached")
    return receipt.report.reference


async def _take(page: Page, size: ViewportSize, folder: Path, tag: str, paths: dict[str, str]) -> None:
    await page.set_viewport_size(size)
    for name, path in paths.items():
        await page.goto(f"/desk{path}")
        await page.screenshot(path=folder / f"desk-{name}-{tag}.png", full_page=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
