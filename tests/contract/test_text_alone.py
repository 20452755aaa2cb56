"""A text alone, on platforms that take none, in a whole broker: by its headline card, and by a person who taps."""

from __future__ import annotations

from pathlib import Path

import loa
from adapters.emulators.instagram import InstagramEmulator
from adapters.emulators.pointing import settings_for
from adapters.emulators.site import SiteEmulator
from adapters.emulators.tiktok import TiktokEmulator


def settings(folder: Path, site: SiteEmulator, instagram: InstagramEmulator, tiktok: TiktokEmulator, mode: str) -> Path:
    channels = {
        "site": {**settings_for(site), "title": "Tin Ví Dụ"},
        "instagram": settings_for(instagram),
        "tiktok": {**settings_for(tiktok), "mode": mode, "card_video": "true", "look_back": "300ms"},
    }
    rows = [
        f"[channels.{name}]\n" + "\n".join(f'{key} = "{value}"' for key, value in said.items())
        for name, said in channels.items()
    ]
    path = folder / "loa.toml"
    path.write_text(
        f"""
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
"""
        + "\n".join(rows)
        + """
[routes.breaking]
post_to = ["site", "instagram", "tiktok"]
goal = { operators = 2, domestic = 0, within = "60s" }
""",
        encoding="utf-8",
    )
    return path


async def test_a_draft_counts_once_a_person_has_tapped_it_and_not_before(tmp_path: Path) -> None:
    async with (
        SiteEmulator(folder=tmp_path / "site") as site,
        InstagramEmulator(lag=(0, 0)) as instagram,
        TiktokEmulator(lag=(0, 0), ready_after=0) as tiktok,
        loa.Broker.open(settings(tmp_path, site, instagram, tiktok, "inbox")) as broker,
    ):
        wanted = {"site": "live", "instagram": "live", "tiktok": "pending"}
        accepted = await broker.announce(headline="Bão số 9", body="Sơ tán.", route="breaking", urgency="urgent")
        waiting = accepted.report
        async for _ in broker.follow(waiting.id):
            waiting = await broker.get(waiting.id)
            if {one.channel: one.state for one in waiting.deliveries} == wanted:
                break
        states = {one.channel: one for one in waiting.deliveries}
        assert waiting.goal.have.operators == ["meta"]
        assert states["tiktok"].reason is not None
        assert "must tap it" in states["tiktok"].reason["en"]
        assert "bản nháp đang chờ" in states["tiktok"].reason["vi"]
        assert not tiktok.log.posts
        [publish_id] = tiktok.publications
        tiktok.tap(publish_id, f"Bão số 9 ({waiting.reference})")
        async for event in broker.follow(waiting.id):
            if (event.channel, event.kind) == ("tiktok", "live"):
                break
        reached = await broker.get(waiting.id)
        assert sorted(reached.goal.have.operators) == ["meta", "tiktok"]
        assert [len(log.copies(waiting.reference)) for log in (instagram.log, tiktok.log)] == [1, 1]


async def test_an_app_that_is_not_audited_never_counts(tmp_path: Path) -> None:
    async with (
        SiteEmulator(folder=tmp_path / "site") as site,
        InstagramEmulator(lag=(0, 0)) as instagram,
        TiktokEmulator(lag=(0, 0), audited=False) as tiktok,
        loa.Broker.open(settings(tmp_path, site, instagram, tiktok, "direct")) as broker,
    ):
        accepted = await broker.announce(headline="Bão số 9", body="Sơ tán.", route="breaking", urgency="urgent")
        await tiktok.until(lambda log: log.asked("init"), timeout=60)
        async for event in broker.follow(accepted.report.id):
            if event.channel == "tiktok" and event.reason and "audited" in event.reason["en"]:
                break
        [shut] = [one for one in await broker.channels() if one.name == "tiktok"]
        assert shut.state == "down"
        assert not tiktok.log.taken
