"""What a newsroom does with announcements over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.webhook import WebhookEmulator
from broker.clock import SystemClock
from tests.contract.api.newsroom import BAO, FULL, HOOK_SECRET, NEWS, PAGE_TOKEN, TIN, Answer, serving

QUICK = {**NEWS, "route": "quick"}


async def test_an_announcement_is_accepted_and_goes_out(room):
    answer = await room.post("/v1/announcements", QUICK)
    assert answer.status == 202
    said = answer.json
    assert answer.headers["Location"] == f"/v1/announcements/{said['id']}"
    assert said["reference"].startswith("TVD-")
    assert [d["channel"] for d in said["deliveries"]] == ["partner", "portal"]
    done = await room.closed(said["id"])
    assert (done["status"], done["complete"]) == ("reached", True)
    assert len(room.hook.log.copies(said["reference"])) == 2


async def test_any_id_finds_it(room):
    said = await room.announce(external_id="cms/2026 số 9?")
    for any_id in (said["id"], said["reference"], "cms%2F2026%20s%E1%BB%91%209%3F"):
        assert (await room.get(f"/v1/announcements/{any_id}")).json["id"] == said["id"]


async def test_pages_go_through_all_announcements_newest_first(room):
    made = [(await room.announce(headline=f"Tin {n}"))["id"] for n in range(5)]
    found, path = [], "/v1/announcements?limit=2"
    while path:
        page = (await room.get(path)).json
        found += [one["id"] for one in page["announcements"]]
        path = page["next"] and f"/v1/announcements?limit=2&before={page['next']}"
    assert found == made[::-1]


async def test_a_status_filters_the_list(room):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    scheduled = await room.announce(send_at=later)
    await room.closed((await room.announce())["id"])
    page = (await room.get("/v1/announcements?status=scheduled")).json
    assert [one["id"] for one in page["announcements"]] == [scheduled["id"]]
    assert room.hook.log.copies(scheduled["reference"]) == []


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        ("/v1/announcements?dry_run=true", {}),
        ("/v1/announcements", {"dry_run": True}),
        ("/v1/announcements/preview", {}),
    ],
)
async def test_a_dry_run_shows_what_readers_would_see_and_stores_nothing(room, path, extra):
    body = {**QUICK, **extra, "overrides": {"portal": "Chỉ cho cổng"}}
    answer = await room.post(path, body, headers={"Idempotency-Key": "dry"})
    assert answer.status == 200
    texts = {one["channel"]: one["text"] for one in answer.json["previews"]}
    assert NEWS["body"] in texts["partner"]
    assert "Chỉ cho cổng" in texts["portal"]
    assert (await room.get("/v1/announcements")).json["announcements"] == []
    assert room.hook.log.taken == []
    assert (await room.post("/v1/announcements", QUICK, headers={"Idempotency-Key": "dry"})).status == 202


async def test_what_is_withdrawn_before_its_time_is_never_sent(room):
    said = await room.announce(send_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    answer = await room.post(f"/v1/announcements/{said['reference']}/withdrawal", {"because": "nhầm"})
    assert (answer.status, answer.json["status"]) == (200, "withdrawn")
    assert {d["state"] for d in answer.json["deliveries"]} == {"skipped"}
    again = await room.post(f"/v1/announcements/{said['reference']}/withdrawal")
    assert again.json["withdrawn_at"] == answer.json["withdrawn_at"]


async def test_a_person_settles_what_nobody_else_can(room):
    room.hook.answer_with(422)
    said = await room.announce()
    await room.closed(said["id"])
    path = f"/v1/announcements/{said['id']}/deliveries/partner/resolution"
    answer = await room.post(path, {"live": True, "url": "https://partner.example/1"})
    delivery = answer.json["deliveries"][0]
    assert (delivery["state"], delivery["url"]) == ("live", "https://partner.example/1")
    assert "Full" in delivery["reason"]["en"]  # the key's name, since nobody was named
    repeated = await room.post(path, {"live": True})
    assert (repeated.status, repeated.code) == (409, "conflict")


async def test_an_unknown_channel_cannot_be_resolved(room):
    said = await room.announce()
    answer = await room.post(f"/v1/announcements/{said['id']}/deliveries/zalo/resolution", {"live": True})
    assert (answer.status, answer.code) == (404, "not_found")


async def test_replacing_what_does_not_exist_stores_nothing(room):
    answer = await room.post("/v1/announcements", {**QUICK, "replaces": "TVD-ZZZZZZ"})
    assert (answer.status, answer.json["errors"][0]["path"]) == (422, "replaces")
    assert (await room.get("/v1/announcements")).json["announcements"] == []


async def test_a_replacement_ends_the_old_one(room):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    old = await room.announce(send_at=later, external_id="old")
    new = await room.announce(replaces="old")
    assert (await room.get(f"/v1/announcements/{old['id']}")).json["replaced_by"] == new["reference"]


# -- once only


async def test_the_same_key_counts_once(room):
    key = {"Idempotency-Key": "cms 81234"}
    first = await room.post("/v1/announcements", QUICK, headers=key)
    again = await room.post("/v1/announcements", QUICK, headers=key)
    assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await room.post("/v1/announcements", {**QUICK, "body": "khác"}, headers=key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    await room.closed(first.json["id"])
    assert len(room.hook.log.copies(first.json["reference"])) == 2


async def test_the_same_key_counts_once_also_when_nothing_more_could_be_sent(room):
    """Whoever lost the answer may ask again after `expires_at`."""
    ends = datetime.now(UTC) + timedelta(seconds=2)
    body = {**QUICK, "expires_at": ends.isoformat()}
    first = await room.post("/v1/announcements", body, headers={"Idempotency-Key": "late"})
    await SystemClock().sleep((ends - datetime.now(UTC)).total_seconds())
    again = await room.post("/v1/announcements", body, headers={"Idempotency-Key": "late"})
    assert (again.status, again.json["id"]) == (202, first.json["id"])
    other = await room.post("/v1/announcements", body)
    assert (other.status, other.json["errors"][0]["path"]) == (422, "expires_at")


async def test_what_should_be_out_already_goes_out_at_once(room):
    """The CMS was cut off when its time came; nobody should have to correct it."""
    said = await room.announce(send_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    assert (await room.closed(said["id"]))["status"] == "reached"


async def test_a_key_belongs_to_its_agency(room):
    key = {"Idempotency-Key": "1"}
    mine = await room.post("/v1/announcements", QUICK, headers=key)
    theirs = await room.post("/v1/announcements", {**QUICK, "body": "khác"}, headers=key, key=FULL[BAO])
    assert (mine.status, theirs.status) == (202, 202)
    assert theirs.json["reference"].startswith("BVD-")


async def test_posts_at_the_same_moment_with_one_key_are_one(room):
    key = {"Idempotency-Key": "race"}
    answers = await asyncio.gather(*(room.post("/v1/announcements", QUICK, headers=key) for _ in range(12)))
    assert {one.status for one in answers} == {202}
    assert len({one.json["id"] for one in answers}) == 1
    assert sum("Idempotency-Replayed" not in one.headers for one in answers) == 1


async def test_an_external_id_is_used_once(room):
    first = await room.announce(external_id="cms-1")
    other = await room.post("/v1/announcements", {**QUICK, "external_id": "cms-1", "body": "khác"})
    assert (other.status, other.code) == (409, "external_id_exists")
    assert other.json["errors"][0]["path"] == "external_id"
    same = await room.post("/v1/announcements", {**QUICK, "external_id": "cms-1"})
    assert (same.status, same.json["id"]) == (202, first["id"])
    theirs = await room.post("/v1/announcements", {**QUICK, "external_id": "cms-1"}, key=FULL[BAO])
    assert theirs.json["id"] != first["id"]


async def test_keys_and_announcements_outlive_the_process(tmp_path):
    key = {"Idempotency-Key": "before the restart"}
    async with WebhookEmulator(secrets=[HOOK_SECRET]) as hook, FacebookEmulator(token=PAGE_TOKEN) as facebook:
        async with serving(tmp_path, hook, facebook) as room:
            first = await room.post("/v1/announcements", QUICK, headers=key)
        async with serving(tmp_path, hook, facebook) as room:
            again = await room.post("/v1/announcements", QUICK, headers=key)
            assert again.headers["Idempotency-Replayed"] == "true"
            assert again.json["id"] == first.json["id"]
            await room.closed(first.json["id"])
        assert len(hook.log.copies(first.json["reference"])) == 2


@pytest.mark.parametrize("key", ["", "k" * 201, "khoá", "a\tb"])
async def test_a_key_that_cannot_be_kept_is_refused(room, key):
    answer = await room.post("/v1/announcements", QUICK, headers={"Idempotency-Key": key})
    assert (answer.status, answer.code) == (400, "bad_request")


async def test_two_keys_are_refused(room):
    headers = [("Idempotency-Key", "1"), ("Idempotency-Key", "2")]
    answer = await room.post("/v1/announcements", QUICK, headers=headers)
    assert (answer.status, answer.code) == (400, "bad_request")


# -- two agencies


async def test_an_agency_sees_nothing_of_another(room):
    theirs = (await room.post("/v1/announcements", {**QUICK, "external_id": "secret-1"}, key=FULL[BAO])).json
    assert (await room.get("/v1/announcements", key=FULL[TIN])).json["announcements"] == []
    for any_id in (theirs["id"], theirs["reference"], "secret-1"):
        absent = any_id[:-1] + ("0" if any_id[-1] != "0" else "2")
        for method, path, body in [
            ("GET", "/v1/announcements/{}", None),
            ("GET", "/v1/announcements/{}/events", None),
            ("POST", "/v1/announcements/{}/withdrawal", {}),
            ("POST", "/v1/announcements/{}/deliveries/partner/resolution", {"live": True}),
        ]:
            foreign = await room.call(method, path.format(any_id), json=body)
            none = await room.call(method, path.format(absent), json=body)
            assert _told(foreign, any_id) == _told(none, absent)
            assert foreign.status == 404
    untouched = (await room.get(f"/v1/announcements/{theirs['id']}", key=FULL[BAO])).json
    assert untouched["withdrawn_at"] is None


def _told(answer: Answer, any_id: str) -> dict[str, Any]:
    said = {name: value for name, value in answer.json.items() if name != "request_id"}
    return {**said, "detail": said["detail"].replace(any_id, "…")}
