"""Connecting, pausing and proving channels over HTTP; and what a restored broker waits for."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from broker.engine.writer import Lane
from broker.store import RESTORED, SaveSetting
from tests.contract.api.newsroom import BAO, FULL, KEYS, TIN, Newsroom, newsroom

CONNECTION = "/v1/channels/facebook/connection"


async def consented(room: Newsroom, url: str) -> str:
    """A person clicks "Allow": where the browser lands."""
    async with room.session.get(url) as page:
        links = [unescape(link) for link in re.findall(r'href="([^"]+)"', await page.text())]
    allow = next(link for link in links if "decision=allow" in link)
    async with room.session.get(room.facebook.base_url + allow, allow_redirects=False) as answer:
        return answer.headers["Location"]


async def step(room: Newsroom, **body: Any) -> dict[str, Any]:
    answer = await room.post(CONNECTION, body)
    assert answer.status == 200, answer.body
    return dict(answer.json)


async def test_an_account_is_connected_in_three_steps(room):
    asked = await step(room)
    assert (asked["step"], asked["secret"]) == ("consent", False)
    landed = await consented(room, asked["url"])
    offered = await step(room, pasted=landed)
    assert offered["step"] == "choose"
    assert [(one["id"], one["lacks"]) for one in offered["accounts"]] == [("1098", None)]
    done = await step(room, account="1098")
    assert (done["step"], done["answer"]["works"]) == ("connected", True)
    shown = {one["name"]: one["account"] for one in (await room.get("/v1/channels")).json["channels"]}
    assert shown["facebook"] == "Page 1098 (1098)"
    assert (await room.get("/v1/channels", key=FULL[BAO])).json["channels"][2]["account"] is None


async def test_a_connected_account_outlives_the_process_and_the_configured_token(tmp_path):
    async with newsroom(tmp_path) as room:
        landed = await consented(room, (await step(room))["url"])
        await step(room, pasted=landed)
        await step(room, account="1098")
    async with newsroom(tmp_path) as room:
        token = await room.broker.engine.call(room.broker.store.token, f"{TIN}/facebook")
        assert token is not None
        assert token.pair.access.startswith("EAAP")
        assert (await room.get("/v1/channels")).json["channels"][2]["account"] == "Page 1098 (1098)"


async def test_no_step_can_be_left_out(room):
    for body in ({"pasted": "https://localhost/?code=1&state=2"}, {"account": "1098"}):
        answer = await room.post(CONNECTION, body)
        assert (answer.status, answer.code) == (409, "not_connected")
        assert "start again" in answer.json["detail"]
    asked = await step(room)
    answer = await room.post(CONNECTION, {"account": "1098"})
    assert "paste the answer first" in answer.json["detail"]
    landed = await consented(room, asked["url"])
    await step(room)
    answer = await room.post(CONNECTION, {"pasted": landed})
    assert "another question" in answer.json["detail"]


@pytest.mark.parametrize("body", [{"pasted": "a", "account": "b"}, {"pasted": 3}, {"pasted": "x" * 8001}, {"url": ""}])
async def test_what_makes_no_sense_is_refused(room, body):
    answer = await room.post(CONNECTION, body)
    assert (answer.status, answer.code) == (422, "invalid_input")


async def test_a_slip_of_the_hand_leaves_the_question_open(room):
    asked = await step(room)
    landed = await consented(room, asked["url"])
    answer = await room.post(CONNECTION, {"pasted": "PASTED-CANARY"})
    assert (answer.status, b"CANARY" in answer.body) == (409, False)
    assert (await step(room, pasted=landed))["step"] == "choose"


async def test_a_channel_without_an_account_offers_none(room):
    for answer in (await room.post("/v1/channels/partner/connection", {}), await room.get("/v1/channels/duty/account")):
        assert (answer.status, answer.code) == (409, "not_offered")


@pytest.mark.parametrize(("method", "path"), [("POST", CONNECTION), ("GET", "/v1/channels/facebook/account")])
async def test_only_operators_may(room, method, path):
    body: dict[str, Any] = {"json": {}} if method == "POST" else {}
    answer = await room.call(method, path, key=KEYS[TIN, "send"], **body)
    assert (answer.status, answer.code) == (403, "forbidden")


async def test_the_platform_is_asked_about_the_account(room):
    told = (await room.get("/v1/channels/facebook/account")).json
    assert (told["works"], told["account"], told["lacks"]) == (True, "Page 1098 (1098)", [])
    await room.facebook.fail("refused")
    told = (await room.get("/v1/channels/facebook/account")).json
    assert (told["works"], told["detail"]) == (False, "connection refused")


# -- pauses and proofs


async def test_a_pause_ends_by_itself(room):
    until = datetime.now(UTC) + timedelta(seconds=1.5)
    paused = await room.post("/v1/channels/partner/pause", {"reason": "bảo trì", "until": until.isoformat()})
    assert (paused.json["state"], datetime.fromisoformat(paused.json["paused_until"])) == ("paused", until)
    assert "bảo trì" in paused.json["reason"]["vi"]
    said = await room.announce()
    done = await room.closed(said["id"])
    assert done["complete"]
    assert datetime.now(UTC) >= until


async def test_a_pause_with_an_end_outlives_the_process(tmp_path):
    async with newsroom(tmp_path) as room:
        until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        await room.post("/v1/channels/portal/pause", {"until": until})
    async with newsroom(tmp_path) as room:
        portal = (await room.get("/v1/channels")).json["channels"][1]
        assert (portal["state"], portal["paused_until"] is not None) == ("paused", True)


async def test_a_pause_in_the_past_is_refused(room):
    answer = await room.post("/v1/channels/partner/pause", {"until": "2020-01-01T00:00:00Z"})
    assert (answer.status, answer.json["errors"][0]["path"]) == (422, "until")


async def test_a_rehearsal_is_kept_as_proof(tmp_path):
    async with newsroom(tmp_path) as room:
        partner = (await room.get("/v1/channels")).json["channels"][0]
        assert (partner["proved"], partner["proved_at"]) == (None, None)
        await room.post("/v1/channels/partner/rehearsal")
    async with newsroom(tmp_path) as room:
        partner = (await room.get("/v1/channels")).json["channels"][0]
        assert partner["proved"] is True
        room.hook.set_secrets(["whsec_" + "b3RoZXI0" * 4])
        await room.post("/v1/channels/partner/rehearsal")
        partner = (await room.get("/v1/channels")).json["channels"][0]
        assert partner["proved"] is False
        assert "secret" in partner["proof_detail"]


# -- after a restore


@pytest.mark.parametrize(("older", "left"), [("skip", "skipped"), ("send", "live")])
async def test_a_restored_broker_sends_nothing_until_somebody_decides(tmp_path, older, left):
    async with newsroom(tmp_path) as room:
        for name in ("partner", "portal"):
            await room.post(f"/v1/channels/{name}/pause")
        old = await room.announce()
        await mark_restored(room)
    async with newsroom(tmp_path) as room:
        for name in ("partner", "portal"):
            resumed = await room.post(f"/v1/channels/{name}/resume")
            assert resumed.json["state"] == "paused"
            assert "estored from a backup" in resumed.json["reason"]["en"]
        new = await room.announce(headline="Mới")
        assert (await room.get("/v1/restoration")).json["backup_at"] is not None
        assert room.hook.log.taken == []
        decided = await room.post("/v1/restoration", {"older": older})
        assert decided.json["backup_at"] is None
        assert (await room.closed(new["id"]))["complete"]
        states = {d["state"] for d in (await room.closed(old["id"]))["deliveries"]}
        assert states == {left}
        assert (await room.get("/v1/restoration", key=FULL[BAO])).json["backup_at"] is not None


async def mark_restored(room: Newsroom) -> None:
    """As `loa backup` marks its copies."""
    at = (datetime.now(UTC) + timedelta(milliseconds=1)).isoformat()
    for agency in (TIN, BAO):
        await room.broker.engine.writer.write(SaveSetting(RESTORED + agency, {"backup_at": at}), Lane.OUTCOMES)
    await asyncio.sleep(0.01)


async def test_there_is_nothing_to_decide_on_a_broker_that_was_not_restored(room):
    assert (await room.get("/v1/restoration")).json == {"backup_at": None}
    assert (await room.post("/v1/restoration", {"older": "skip"})).json == {"backup_at": None}
