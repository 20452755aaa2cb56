"""Channels: whether they work, and what people may do with them."""

from __future__ import annotations

import pytest

from tests.contract.api.newsroom import BAO, FULL, NEWS, newsroom


async def states(room, key: str | None = None) -> dict[str, str]:
    answer = await room.get("/v1/channels", **({"key": key} if key else {}))
    return {one["name"]: one["state"] for one in answer.json["channels"]}


async def test_channels_come_in_order_of_the_configuration(room):
    listed = (await room.get("/v1/channels")).json["channels"]
    assert [one["name"] for one in listed] == ["partner", "portal", "facebook", "duty"]
    partner = listed[0]
    assert (partner["adapter"], partner["operator"], partner["domestic"]) == ("webhook", "partner", True)


async def test_a_probe_asks_now(room):
    answer = await room.post("/v1/channels/partner/probe")
    assert answer.json == {"channel": "partner", "verdict": "works", "works": True, "detail": None}
    await room.hook.fail("refused")
    answer = (await room.post("/v1/channels/partner/probe")).json
    assert (answer["verdict"], answer["works"], answer["detail"]) == ("down", False, "connection refused")


async def test_a_rehearsal_proves_the_account(room):
    assert (await room.post("/v1/channels/partner/rehearsal")).json["works"] is True
    room.hook.set_secrets(["whsec_" + "b3RoZXI0" * 4])
    answer = (await room.post("/v1/channels/partner/rehearsal")).json
    assert answer["verdict"] == "denied"
    assert "secret" in answer["detail"]
    assert room.hook.log.taken == []


async def test_what_a_platform_does_not_offer_is_said(room):
    answer = await room.post("/v1/channels/duty/rehearsal")
    assert (answer.status, answer.code) == (409, "not_offered")


async def test_a_paused_channel_sends_nothing_until_it_is_resumed(room):
    paused = await room.post("/v1/channels/partner/pause", {"reason": "đổi mật khẩu"})
    assert (paused.json["name"], paused.json["state"]) == ("partner", "paused")
    assert (await states(room, FULL[BAO]))["partner"] != "paused"
    said = await room.announce()
    resumed = await room.post("/v1/channels/partner/resume")
    assert resumed.json["state"] != "paused"
    done = await room.closed(said["id"])
    assert done["complete"]


async def test_a_pause_outlives_the_process(tmp_path):
    async with newsroom(tmp_path) as room:
        await room.post("/v1/channels/portal/pause")
    async with newsroom(tmp_path) as room:
        assert (await states(room))["portal"] == "paused"


@pytest.mark.parametrize("action", ["probe", "pause", "resume", "rehearsal"])
async def test_an_unknown_channel_is_not_found(room, action):
    answer = await room.post(f"/v1/channels/zalo/{action}")
    assert (answer.status, answer.code) == (404, "not_found")


# -- figures


async def test_metrics_count_what_happened(room):
    said = await room.announce()
    await room.closed(said["id"])
    await room.post("/v1/announcements", {})
    shown = (await room.get("/metrics")).body.decode()
    for line in [
        'loa_announcements_accepted_total{agency="tin"} 1.0',
        'loa_announcements_status_total{agency="tin",status="reached"} 1.0',
        'loa_attempts_total{agency="tin",channel="partner"} 1.0',
        'loa_delivery_moves_total{agency="tin",cause="",channel="portal",state="live"} 1.0',
        'loa_goal_seconds_count{agency="tin"} 1.0',
        'loa_http_requests_total{method="POST",operation="announce",status="202"} 1.0',
        'loa_http_requests_total{method="POST",operation="announce",status="422"} 1.0',
        'loa_channel_state{agency="tin",channel="partner",state="up"} 1.0',
        "loa_writes_waiting 0.0",
    ]:
        assert line in shown, line


async def test_metrics_tell_nothing_of_other_agencies(room):
    await room.post("/v1/announcements", {**NEWS, "route": "quick"})
    for path in ("/v1/channels/nobody%27s/probe", "/v1/x/CANARY"):
        await room.get(path, checked=False)
    shown = (await room.get("/metrics", key=FULL[BAO])).body.decode()
    assert 'agency="bao"' in shown
    assert 'agency="tin"' not in shown
    assert "CANARY" not in shown


async def test_open_deliveries_are_shown_by_channel(room):
    await room.post("/v1/channels/partner/pause")
    await room.announce()
    shown = (await room.get("/metrics")).body.decode()
    assert 'loa_deliveries{agency="tin",cause="",channel="partner",state="due"} 1.0' in shown
    assert 'loa_channel_state{agency="tin",channel="partner",state="paused"} 1.0' in shown
