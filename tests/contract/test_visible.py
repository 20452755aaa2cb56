"""What readers cannot see never counts as live, in a whole broker: the account is shut and others carry it."""

from __future__ import annotations

from pathlib import Path

import loa
from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.webhook import WebhookEmulator


def settings(folder: Path, facebook: FacebookEmulator, partner: WebhookEmulator) -> Path:
    path = folder / "loa.toml"
    path.write_text(
        f"""
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
[channels.facebook]
page_id = "1098"
token = "page-token"
base_url = "{facebook.base_url}"
look_back = "300ms"
[channels.partner]
adapter = "webhook"
url = "{partner.base_url}/hooks/loa"
country = "VN"
allow_private = true
[routes.breaking]
post_to = ["facebook"]
stand_ins = {{ facebook = ["partner"] }}
goal = {{ operators = 1, domestic = 0, within = "30s" }}
""",
        encoding="utf-8",
    )
    return path


async def test_a_page_whose_app_is_in_development_mode_is_shut_and_a_stand_in_serves(tmp_path: Path) -> None:
    async with (
        FacebookEmulator(live=False) as facebook,
        WebhookEmulator() as partner,
        loa.Broker.open(settings(tmp_path, facebook, partner)) as broker,
    ):
        accepted = await broker.announce(headline="Bão số 9", body="Tâm bão cách bờ 120 km.", route="breaking")
        async for event in broker.follow(accepted.report.id):
            if event.channel == "partner" and event.kind == "live":
                break
        report = await broker.get(accepted.report.id)
        deliveries = {one.channel: one for one in report.deliveries}
        assert deliveries["facebook"].state == "removed"
        assert deliveries["facebook"].reason is not None
        assert "live mode" in deliveries["facebook"].reason["en"]
        assert report.goal.have.operators == ["127.0.0.1"]
        [shut] = [one for one in await broker.channels() if one.name == "facebook"]
        assert shut.state == "down"
        assert not facebook.log.posts
