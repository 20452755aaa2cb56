"""Input that cannot be used: each is refused with its code and the field's path, and nothing is stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from broker.api.problems import FIELDS_AT_MOST
from broker.intake import Submission
from broker.report import AnnouncementReport
from tests.contract.api.newsroom import NEWS

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}
FULL_NEWS = json.dumps(NEWS).encode()

UNREADABLE = {
    "nothing": (b"", 400, "malformed_json"),
    "blank": (b"  \n", 400, "malformed_json"),
    "cut off": (FULL_NEWS[:-4], 400, "malformed_json"),
    "a comma too many": (b'{"headline": "a", "body": "b",}', 400, "malformed_json"),
    "single quotes": (b"{'headline': 'a'}", 400, "malformed_json"),
    "two objects": (FULL_NEWS * 2, 400, "malformed_json"),
    "NaN": (b'{"headline": NaN}', 400, "malformed_json"),
    "Infinity": (b'{"headline": -Infinity}', 400, "malformed_json"),
    "a raw line end in a text": (b'{"headline": "a\nb"}', 400, "malformed_json"),
    "a number too long": (b'{"headline": ' + b"9" * 5000 + b"}", 400, "malformed_json"),
    "a text without an end": (b'{"a": "' + b'\\"' * 100_000, 400, "malformed_json"),
    "UTF-16": ('{"headline": "a"}'.encode("utf-16"), 400, "wrong_encoding"),
    "Windows-1258": ('{"headline": "Bà"}'.encode("cp1258"), 400, "wrong_encoding"),
    "half a surrogate in bytes": (b'{"headline": "\xed\xa0\x80"}', 400, "wrong_encoding"),
    "the same field twice": (b'{"headline": "a", "headline": "b", "body": "c"}', 400, "duplicate_field"),
    "twice by escape": (b'{"body": "a", "b\\u006fdy": "b"}', 400, "duplicate_field"),
    "deep lists": (b'{"media": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "too_deep"),
    "deep objects": (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400, "too_deep"),
    "a list": (b"[]", 422, "invalid_input"),
    "a text": (b'"headline"', 422, "invalid_input"),
    "null": (b"null", 422, "invalid_input"),
    "too large": (b'{"headline": "' + b"a" * 300_000 + b'"}', 413, "too_large"),
}


@pytest.fixture
def room(shared_room):
    return shared_room


@pytest_asyncio.fixture(loop_scope="module")
async def stored(room) -> list[str]:
    """What is stored before the test."""
    return await ids(room)


@pytest.mark.parametrize("what", UNREADABLE)
async def test_what_cannot_be_read_is_refused(room, stored, what):
    body, status, code = UNREADABLE[what]
    answer = await room.call("POST", "/v1/announcements", data=body, headers=JSON)
    assert (answer.status, answer.code) == (status, code)
    assert await ids(room) == stored


PAST, FUTURE, FAR = ((datetime.now(UTC) + timedelta(days=days)).isoformat() for days in (-1, 1, 400))
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no headline": ({"headline": ...}, "headline"),
    "no body": ({"body": ...}, "body"),
    "an empty headline": ({"headline": ""}, "headline"),
    "a blank body": ({"body": " \n\t "}, "body"),
    "a headline too long": ({"headline": "a" * 301}, "headline"),
    "a body too long": ({"body": "a" * 50_001}, "body"),
    "NUL": ({"body": "a\0b"}, "body"),
    "a lone surrogate": ({"headline": "a\ud800"}, "headline"),
    "a lone surrogate in an override": ({"overrides": {"partner": "\udfff"}}, "overrides.partner"),
    "a lone surrogate in a name": ({"translations": {"\ud800": {"headline": "a"}}}, "translations.\ufffd\ufffd\ufffd"),
    "NUL in a translation": ({"translations": {"en": {"headline": "\0"}}}, "translations.en.headline"),
    "a number as text": ({"body": 5}, "body"),
    "a list as text": ({"headline": ["a"]}, "headline"),
    "an unknown field": ({"sendat": FUTURE}, "sendat"),
    "an unknown urgency": ({"urgency": "now"}, "urgency"),
    "a number as time": ({"send_at": 1_900_000_000}, "send_at"),
    "a number in a text as time": ({"send_at": "1900000000"}, "send_at"),
    "a day as time": ({"send_at": "2030-01-01"}, "send_at"),
    "an impossible time": ({"send_at": "2030-13-45T99:00:00Z"}, "send_at"),
    "a time out of range": ({"send_at": "9999-12-31T23:59:59-23:00"}, "send_at"),
    "too far ahead": ({"send_at": FAR}, "send_at"),
    "sent the day before": ({"send_at": PAST}, "send_at"),
    "expired": ({"expires_at": PAST}, "expires_at"),
    "expired when sent": ({"send_at": FUTURE, "expires_at": FUTURE}, "expires_at"),
    "a bad address": ({"link": "tin.example"}, "link"),
    "another kind of address": ({"link": "javascript:alert(1)"}, "link"),
    "an address with NUL": ({"link": "https://tin.example/\0"}, "link"),
    "an unknown route": ({"route": "braking"}, "route"),
    "a lone surrogate as route": ({"route": "\ud800"}, "route"),
    "a bad language": ({"language": "Vietnamese"}, "language"),
    "an override for no channel": ({"overrides": {"zalo": "a"}}, "overrides.zalo"),
    "an override that is no text": ({"overrides": {"partner": None}}, "overrides.partner"),
    "overrides as list": ({"overrides": []}, "overrides"),
    "too many media": ({"media": ["https://tin.example/a.jpg"] * 11}, "media"),
    "an external id too long": ({"external_id": "a" * 129}, "external_id"),
    "a text as dry_run": ({"dry_run": "yes"}, "dry_run"),
    "a replaced one nobody knows": ({"replaces": "\ud800"}, "replaces"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_wrong_field_is_named(room, stored, what):
    change, path = WRONG[what]
    body = {name: value for name, value in {**NEWS, **change}.items() if value is not ...}
    answer = await room.call("POST", "/v1/announcements", data=json.dumps(body), headers=JSON)
    assert answer.status == 422
    assert [one["path"] for one in answer.json["errors"]] == [path]
    assert all(one["problem"] for one in answer.json["errors"])
    assert await ids(room) == stored


async def test_what_is_wrong_is_said_in_our_own_words(room):
    wrong = {**NEWS, "body": "a" * 50_001, "route": "", "urgency": "now", "external_id": "a" * 129}
    answer = await room.post("/v1/announcements", wrong)
    assert {one["path"]: one["problem"] for one in answer.json["errors"]} == {
        "body": "is too long: at most 50000",
        "route": "is empty: write something",
        "external_id": "is too long: at most 128",
        "urgency": "must be 'routine' or 'urgent'",
    }


async def test_all_wrong_fields_are_named_at_once(room):
    answer = await room.post("/v1/announcements", {"headline": "", "urgency": "now", "x": 1})
    assert {one["path"] for one in answer.json["errors"]} == {"headline", "body", "urgency", "x"}


async def test_an_error_does_not_grow_with_the_request(room):
    answer = await room.post("/v1/announcements", {**NEWS, **{f"{n:05}": 1 for n in range(20_000)}})
    assert (answer.status, len(answer.json["errors"])) == (422, FIELDS_AT_MOST)
    answer = await room.post("/v1/announcements", {**NEWS, "x" * 200_000: 1})
    assert answer.status == 422
    assert len(answer.body) < 2000


OURS = AnnouncementReport.model_fields.keys() - Submission.model_fields.keys()


@pytest.mark.parametrize("name", [*sorted(OURS), "agency", "epoch", "owner"])
async def test_what_is_ours_cannot_be_set(room, name):
    answer = await room.post("/v1/announcements", {**NEWS, name: "x"})
    assert (answer.status, [one["path"] for one in answer.json["errors"]]) == (422, [name])


NAUGHTY: list[object] = [
    *(None, True, 0, -1, 2**63, 1e308, "", " ", "0", "null", "a" * 400, "\x01", "\x7f", "\u2028", "\ufeffa", "\ufffe"),
    *(
        "../../etc/passwd",
        "'; DROP TABLE announcement; --",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "%s%n",
        "$(reboot)",
    ),
    *(
        "a\r\nBcc: b@tin.example",
        "=1+1",
        "\x1b[31m",
        "👩‍👩‍👧‍👦" * 20,
        "e" + "\u0301" * 300,
        "\U000e0001",
        "﷽" * 50,
        "ﬀ",
    ),
    *([], {}, [[]], [None], {"": ""}, {"a": None}, {"partner": {"a": "b"}}, ["a"] * 5, {"en": {"headline": "a"}}),
    *("2030-01-01T00:00:00Z", "2030-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "http://[::1", "http://a@b:c/", "//a"),
]


@pytest.mark.parametrize("name", Submission.model_fields)
async def test_whatever_a_field_holds_is_answered_properly(room, name):
    for value in NAUGHTY:
        answer = await room.post("/v1/announcements/preview", {**NEWS, "route": "quick", name: value})
        assert answer.status in (200, 422), (value, answer.status)
        if answer.status == 422:
            assert all(one["path"].partition(".")[0] == name for one in answer.json["errors"]), (value, answer.json)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": ""},
        {**JSON, "Content-Encoding": "gzip"},
        {**JSON, "Content-Encoding": "br"},
    ],
    ids=str,
)
async def test_other_media_types_are_refused(room, headers):
    answer = await room.call("POST", "/v1/announcements", data=FULL_NEWS, headers=headers)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=utf8"]
)
async def test_json_is_accepted_however_it_is_declared(room, kind):
    answer = await room.call("POST", "/v1/announcements", data=FULL_NEWS, headers={"Content-Type": kind})
    assert answer.status == 202


async def test_a_byte_order_mark_does_no_harm(room):
    answer = await room.call("POST", "/v1/announcements", data=b"\xef\xbb\xbf" + FULL_NEWS, headers=JSON)
    assert answer.json["headline"] == NEWS["headline"]


async def test_texts_come_back_as_they_were_meant(room):
    text = '👩‍👩‍👧 Tie\u0302\u0301ng Việt \u202e "quoted" <b>&amp;</b> \\ 末'
    said = await room.announce(headline=text, author="O'Brien; DROP TABLE announcement --")
    report = (await room.get(f"/v1/announcements/{said['id']}")).json
    assert report["headline"] == text.replace("e\u0302\u0301", "ế")
    assert report["author"] == "O'Brien; DROP TABLE announcement --"


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("before=yesterday", "before"),
        ("before=%00", "before"),
        ("status=fine", "status"),
        ("page=2", "page"),
        ("%ff=1", "\ufffd"),
    ],
)
async def test_wrong_parameters_are_named(room, query, path):
    answer = await room.get(f"/v1/announcements?{query}")
    assert (answer.status, answer.json["errors"][0]["path"]) == (422, path)


@pytest.mark.parametrize("part", ["%00", "%ED%A0%80", "%FF", "..%2F..%2Fetc", "a" * 4000, "'%20OR%201=1", "%0D%0Aa:b"])
async def test_ids_that_nothing_has_are_not_found(room, part):
    for path in (f"/v1/announcements/{part}", f"/v1/announcements/{part}/events"):
        answer = await room.get(path)
        assert (answer.status, answer.code) == (404, "not_found")
    answer = await room.post(f"/v1/channels/{part}/probe")
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ""),
        ({"gone": True, "live": True}, ""),
        ({"gone": True, "send_again": True}, ""),
        ({"gone": "yes"}, "gone"),
        ({"live": "yes"}, "live"),
        ({"live": 1}, "live"),
        ({"live": True, "url": "partner.example"}, "url"),
        ({"live": False, "url": "https://partner.example"}, ""),
        ({"live": True, "send_again": True}, ""),
        ({"live": True, "by": ""}, "by"),
        ({"live": True, "state": "live"}, "state"),
    ],
)
async def test_a_resolution_must_make_sense(room, body, path):
    answer = await room.post("/v1/announcements/x/deliveries/partner/resolution", body)
    assert (answer.status, answer.json["errors"][0]["path"]) == (422, path)


async def test_unknown_addresses_are_problems_too(room):
    answer = await room.get("/v2/announcements", key=None)
    assert (answer.status, answer.code) == (404, "no_such_path")
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def ids(room) -> list[str]:
    return [one["id"] for one in (await room.get("/v1/announcements")).json["announcements"]]
