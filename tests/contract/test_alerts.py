"""People hear of an outage once, and once of its end, by two ways that do not share its fate."""

from __future__ import annotations

from pathlib import Path

import loa
from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.threads import ThreadsEmulator
from adapters.emulators.webhook import WebhookEmulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def settings(folder: Path, fb: FacebookEmulator, threads: ThreadsEmulator, *hooks: WebhookEmulator) -> Path:
    partner, duty, second = (hook.base_url for hook in hooks)
    path = folder / "loa.toml"
    path.write_text(
        f"""
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
language = "en"
alerts = ["duty", "second"]
[channels.facebook]
page_id = "1098"
token = "page-token"
base_url = "{fb.base_url}"
probe_every = "0.2s"
[channels.threads]
user_id = "2468"
token = "threads-token"
base_url = "{threads.base_url}"
probe_every = "0.2s"
[channels.partner]
adapter = "webhook"
url = "{partner}/hooks/loa"
secret = "{SECRET}"
country = "VN"
allow_http = true
allow_private = true
[channels.duty]
adapter = "webhook"
form = "chat"
url = "{duty}/hooks/duty"
operator = "chat"
allow_http = true
allow_private = true
[channels.second]
adapter = "webhook"
form = "chat"
url = "{second}/hooks/second"
operator = "second"
allow_http = true
allow_private = true
""",
        encoding="utf-8",
    )
    return path


async def test_an_outage_is_told_once_and_its_end_once_by_two_ways(tmp_path: Path) -> None:
    async with (
        FacebookEmulator() as fb,
        ThreadsEmulator() as threads,
        WebhookEmulator(secrets=[SECRET]) as partner,
        WebhookEmulator() as duty,
        WebhookEmulator() as second,
        loa.Broker.open(settings(tmp_path, fb, threads, partner, duty, second)) as broker,
    ):
        for platform in (fb, threads):
            await platform.fail("refused")
        await broker.announce(headline="Bão số 9", body="Tâm bão cách bờ 120 km.")
        await duty.until(lambda log: len(log.posts) == 1, timeout=60)
        for platform in (fb, threads):
            await platform.heal()
            await platform.fail("html_500")
        await broker.announce(headline="Bão số 9 mạnh lên", body="Gió giật cấp 12.")
        for platform in (fb, threads):
            await platform.heal()
        await broker.announce(headline="Bão số 9 tan", body="Hết gió.")
        await duty.until(lambda log: len(log.posts) == 2, timeout=60)
        told = [post.text for post in duty.log.posts]
        assert told[0].startswith("Meta is down since")
        assert told[1].startswith("Meta works again")
        assert [post.text for post in second.log.posts] == told
