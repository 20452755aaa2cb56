"""The record: complete, told apart from any other by its fingerprint, and one page that runs nothing."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.api.newsroom import BAO, FULL, Newsroom, newsroom

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }} \u202e"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory):
    async with newsroom(tmp_path_factory.mktemp("newsroom")) as room:
        yield room


async def told(room: Newsroom, **fields: Any) -> dict[str, Any]:
    """An announcement that went out and was taken back."""
    sent = await room.announce(author="Nguyễn Văn A", link="https://tin.example/a", **fields)
    await room.closed(sent["id"])
    await room.post(f"/v1/announcements/{sent['id']}/withdrawal", {"because": "sai giờ"})
    await room.closed(sent["id"])
    return sent


async def record_of(room: Newsroom, any_id: str) -> Any:
    answer = await room.get(f"/v1/announcements/{any_id}/record")
    assert answer.status == 200
    return answer.json


async def test_it_says_who_when_what_and_where(room):
    await told(room, external_id="cms-9")
    record = (await record_of(room, "cms-9"))["record"]
    assert (record["author"], record["accepted_from"]) == ("Nguyễn Văn A", "full")
    assert (record["withdrawn_by"], record["withdrawn_because"], record["status"]) == ("full", "sai giờ", "withdrawn")
    assert record["body"] == "Tâm bão cách bờ 120 km."
    in_utc, at_home = (datetime.fromisoformat(record["accepted_at"][clock]) for clock in ("utc", "local"))
    assert in_utc == at_home
    assert at_home.utcoffset() == timedelta(hours=7)
    copies = {copy["channel"]: copy for copy in record["copies"]}
    taken_in = [post.extra["event"] for post in room.hook.log.taken if "event" in post.extra]
    for name in ("partner", "portal"):
        assert json.loads(copies[name]["parts"]["body"]) in taken_in
        assert copies[name]["text"].startswith("Bão số 9")
        assert copies[name]["platform_id"]
        assert copies[name]["live_at"]


async def test_it_holds_every_event_in_order(room):
    sent = await told(room)
    record = (await record_of(room, sent["id"]))["record"]
    events = (await room.get(f"/v1/announcements/{sent['id']}/events")).json["events"]
    assert [one["n"] for one in record["events"]] == [one["n"] for one in events] == list(range(1, len(events) + 1))
    reasons = {one["kind"]: one["reason"]["en"] for one in record["events"] if one["channel"] is None}
    assert reasons["accepted"] == "Accepted from full"
    assert reasons["withdrawn"] == "Withdrawn by full: sai giờ"


async def test_its_fingerprint_is_that_of_its_json(room):
    sent = await told(room, headline="Tiêu đề \u2028 với “dấu” và \t ký tự lạ")
    first, again = await record_of(room, sent["id"]), await record_of(room, sent["id"])
    plain = json.dumps(first["record"], ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(plain).hexdigest() == first["sha256"] == again["sha256"]
    other = await told(room)
    assert (await record_of(room, other["id"]))["sha256"] != first["sha256"]


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    ("path", "accept"),
    [("?format=html", "*/*"), ("", "text/html,application/xhtml+xml,*/*;q=0.8"), ("?format=html&language=en", "*/*")],
)
async def test_as_a_page_it_needs_and_runs_nothing(room, path, accept):
    sent = await told(room, headline=EVIL, body=EVIL, overrides={"partner": EVIL})
    answer = await room.get(f"/v1/announcements/{sent['id']}/record{path}", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    seen = Seen()
    seen.feed(answer.body.decode())
    assert not {"script", "img", "iframe", "object", "link", "form"} & {*seen.tags}
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("style", "src")]
    assert EVIL in seen.text
    fingerprint = (await record_of(room, sent["id"]))["sha256"]
    assert fingerprint in seen.text
    assert ("Record of" if "language=en" in path else "Hồ sơ thông báo") in seen.text


async def test_json_is_what_programs_get(room):
    sent = await told(room)
    for accept in ("*/*", "application/json", "application/json, text/html"):
        answer = await room.get(f"/v1/announcements/{sent['id']}/record", headers={"Accept": accept})
        assert answer.headers["Content-Type"].startswith("application/json")


async def test_nobody_gets_another_agencys(room):
    sent = await told(room)
    answer = await room.get(f"/v1/announcements/{sent['id']}/record", key=FULL[BAO])
    assert (answer.status, answer.code) == (404, "not_found")
