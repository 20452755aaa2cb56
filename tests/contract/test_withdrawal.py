"""Taking back: what can be deleted is, what cannot is a list for a person, and a restart forgets neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import loa
from adapters.emulators.webhook import WebhookEmulator
from broker.clock import SystemClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STORY = {"headline": "Bão số 9 đổi hướng", "body": "Tâm bão cách bờ 120 km."}


def settings(folder: Path, hooks: str) -> Path:
    path = folder / "loa.toml"
    path.write_text(
        f"""
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
[channels.partner]
adapter = "webhook"
url = "{hooks}/partner"
secret = "{SECRET}"
country = "VN"
allow_http = true
allow_private = true
[channels.chat]
adapter = "webhook"
form = "chat"
url = "{hooks}/chat"
operator = "chat"
allow_http = true
allow_private = true
""",
        encoding="utf-8",
    )
    return path


def states(report: loa.AnnouncementReport) -> dict[str, str]:
    return {d.channel: d.state.value for d in report.deliveries}


async def test_what_cannot_be_deleted_is_listed_and_ticked_off(tmp_path: Path) -> None:
    async with WebhookEmulator(lag=(0, 0)) as hooks:
        async with loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker:
            receipt = await broker.announce(**STORY, external_id="cms-1")
            await broker.settled("cms-1")
            with pytest.raises(loa.Conflict, match="not withdrawn"):
                await broker.resolve("cms-1", "chat", gone=True)
            await broker.withdraw("cms-1", because="sai số liệu")
            report = await broker.settled(receipt.report.reference)
            assert states(report) == {"partner": "withdrawn", "chat": "live"}
            assert [(one.channel, one.certain) for one in report.to_remove] == [("chat", True)]
        async with loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker:
            assert [one.channel for one in (await broker.get("cms-1")).to_remove] == ["chat"]
            report = await broker.resolve("cms-1", "chat", gone=True)
            assert (states(report)["chat"], report.to_remove, report.status) == ("withdrawn", [], "withdrawn")
            with pytest.raises(loa.Conflict):
                await broker.resolve("cms-1", "chat", gone=True)


async def test_what_is_scheduled_far_ahead_can_be_taken_back_after_a_restart(tmp_path: Path) -> None:
    at = datetime.now(UTC) + timedelta(days=2)
    async with WebhookEmulator(lag=(0, 0)) as hooks:
        async with loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker:
            receipt = await broker.announce(**STORY, send_at=at)
            assert receipt.report.status == "scheduled"
        async with loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker:
            report = await broker.withdraw(receipt.report.id)
            assert report.status == "withdrawn"
            assert set(states(report).values()) == {"skipped"}
    assert hooks.log.posts == []


async def test_what_is_scheduled_goes_out_at_its_time_and_not_before(tmp_path: Path) -> None:
    at = datetime.now(UTC) + timedelta(seconds=2.5)
    async with WebhookEmulator(lag=(0, 0)) as hooks:
        async with loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker:
            receipt = await broker.announce(**STORY, send_at=at)
        async with loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker:
            assert (await broker.get(receipt.report.id)).status == "scheduled"
            report = await broker.settled(receipt.report.id)
    assert report.status == "reached"
    assert [post.posted_at >= at for post in hooks.log.posts] == [True, True]


async def test_a_time_without_offset_is_the_agencys(tmp_path: Path) -> None:
    async with (
        WebhookEmulator(lag=(0, 0)) as hooks,
        loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker,
    ):
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
        at_home = tomorrow.astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).replace(tzinfo=None)
        receipt = await broker.announce(**STORY, send_at=at_home.isoformat())
        assert receipt.report.send_at == tomorrow
        assert (await broker.withdraw(receipt.report.id)).status == "withdrawn"
        for wrong in ("0001-01-01T00:00:00", "9999-12-31T23:59:59"):
            with pytest.raises(loa.InvalidInput):
                await broker.announce(**STORY, send_at=wrong)


async def test_a_scheduled_announcement_expires_even_while_nobody_runs(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with WebhookEmulator(lag=(0, 0)) as hooks:
        async with loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker:
            send_at, expires_at = now + timedelta(milliseconds=600), now + timedelta(milliseconds=700)
            receipt = await broker.announce(**STORY, send_at=send_at, expires_at=expires_at)
        await SystemClock().sleep((expires_at - datetime.now(UTC)).total_seconds())
        async with loa.Broker.open(settings(tmp_path, hooks.base_url)) as broker:
            report = await broker.settled(receipt.report.id)
    assert set(states(report).values()) == {"expired"}
    assert hooks.log.posts == []
