"""Who may do what: every operation with every kind of key that must not open it, and the lock-out of who guesses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
import pytest_asyncio

from broker.api import Options
from broker.api.doorman import FAILURES_AT_MOST, SOURCES_KEPT, Doorman
from broker.api.face import AnyOperation
from broker.api.operations import OPERATIONS
from tests.contract.api.newsroom import BAO, FULL, KEYS, NEWS, SCOPES, TIN, Clock, newsroom

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUARDED = [operation for operation in OPERATIONS if operation.scope]
GOOD, WRONG = FULL[TIN], "loa_" + "w" * 43

BAD_FORMS = {
    "wrong": [("Authorization", f"Bearer {WRONG}")],
    "empty": [("Authorization", "")],
    "no key": [("Authorization", "Bearer ")],
    "no scheme": [("Authorization", GOOD)],
    "basic": [("Authorization", "Basic dXNlcjpwYXNz")],
    "basic with the key": [("Authorization", f"Basic {GOOD}")],
    "twice": [("Authorization", f"Bearer {GOOD}")] * 2,
    "good after wrong": [("Authorization", f"Bearer {WRONG}"), ("Authorization", f"Bearer {GOOD}")],
    "wrong after good": [("Authorization", f"Bearer {GOOD}"), ("Authorization", f"Bearer {WRONG}")],
    "two in one": [("Authorization", f"Bearer {GOOD}, Bearer {GOOD}")],
    "longer": [("Authorization", f"Bearer {GOOD}a")],
    "shorter": [("Authorization", f"Bearer {GOOD[:-1]}")],
    "other case": [("Authorization", f"Bearer {GOOD.upper()}")],
    "quoted": [("Authorization", f'Bearer "{GOOD}"')],
    "its digest": [("Authorization", "Bearer 0000")],
    "huge": [("Authorization", f"Bearer {'k' * 7000}")],
    "not ASCII": [("Authorization", "Bearer khoá")],
    "elsewhere": [("X-Api-Key", GOOD), ("Cookie", f"key={GOOD}"), ("Proxy-Authorization", f"Bearer {GOOD}")],
}
IN_THE_ADDRESS = ["key", "api_key", "token", "access_token", "authorization", "auth"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory):
    """For the whole module: whoever guesses does it from an address of his own."""
    folder = tmp_path_factory.mktemp("newsroom")
    async with newsroom(folder, Options(proxies=frozenset({"127.0.0.1"}))) as room:
        yield room


def sources() -> Iterator[tuple[str, str]]:
    """A header that makes each request come from somewhere else, so that nobody is locked out."""
    return (("X-Forwarded-For", f"10.0.{n >> 8}.{n & 255}") for n in count())


def path_of(operation: AnyOperation, announcement: str) -> str:
    return operation.path.replace("{announcement}", announcement).replace("{channel}", "partner")


BODIES = {"announce": {**NEWS, "route": "quick"}, "preview": NEWS, "resolve": {"live": True}}


def body_of(operation: AnyOperation) -> object:
    return BODIES.get(operation.name, {}) if operation.method == "POST" else None


async def test_no_operation_opens_without_a_proper_key(room):
    said, origin, bypassed = await room.announce(), sources(), []
    for operation in GUARDED:
        path = path_of(operation, said["id"])
        attempts = [(name, path, headers) for name, headers in {**BAD_FORMS, "none": []}.items()]
        attempts += [(f"in the address: {name}", f"{path}?{name}={GOOD}", []) for name in IN_THE_ADDRESS]
        for name, address, headers in attempts:
            answer = await room.call(
                operation.method, address, key=None, headers=[*headers, next(origin)], json=body_of(operation)
            )
            if (answer.status, answer.code, answer.headers["WWW-Authenticate"]) != (401, "unauthorised", "Bearer"):
                bypassed.append((operation.name, name, answer.status))
    assert not bypassed


async def test_each_operation_asks_for_its_scope(room):
    said, wrong = await room.announce(), []
    for operation in GUARDED:
        for scope in SCOPES:
            answer = await room.call(
                operation.method, path_of(operation, said["id"]), key=KEYS[TIN, scope], json=body_of(operation)
            )
            if (answer.status == 403) is (scope == operation.scope):
                wrong.append((operation.name, scope, answer.status))
    assert not wrong


async def test_a_foreign_key_finds_nothing(room):
    said, opened = await room.announce(), []
    for operation in GUARDED:
        if "{announcement}" not in operation.path:
            continue
        answer = await room.call(
            operation.method, path_of(operation, said["id"]), key=FULL[BAO], json=body_of(operation)
        )
        if answer.status != 404:
            opened.append((operation.name, answer.status))
    assert not opened


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {}"])
async def test_the_scheme_has_no_case(room, form):
    headers = {"Authorization": form.format(GOOD)}
    assert (await room.get("/v1/channels", key=None, headers=headers)).status == 200


@pytest.mark.parametrize(
    "path", ["//v1/channels", "/v1//channels", "/v1/./channels/..", "/V1/channels", "/v1/channels/", "/v1/channels%00"]
)
async def test_odd_paths_open_nothing(room, path):
    answer = await room.get(path, key=None, checked=False)
    assert answer.status in (401, 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_not_allowed(room, method):
    answer = await room.call(method, "/v1/announcements", key=None)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}


async def test_a_method_that_pretends_is_no_other(room):
    headers = {"X-HTTP-Method-Override": "POST", "Authorization": f"Bearer {KEYS[TIN, 'read']}"}
    answer = await room.get("/v1/announcements", key=None, headers=headers)
    assert "announcements" in answer.json


# -- guessing


async def guess(room, times: int, source: str) -> list[int]:
    headers = {"X-Forwarded-For": f"198.51.100.1, {source}"}
    return [(await room.get("/v1/channels", key=WRONG, headers=headers)).status for _ in range(times)]


async def test_guessing_is_stopped_for_the_rest_of_the_minute(room):
    source = "203.0.113.7"
    assert await guess(room, FAILURES_AT_MOST + 2, source) == [401] * FAILURES_AT_MOST + [429] * 2
    answer = await room.get("/v1/channels", key=GOOD, headers={"X-Forwarded-For": source})
    assert (answer.status, answer.code) == (429, "locked_out")  # a right guess is not looked at either
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert (await room.get("/v1/channels", headers={"X-Forwarded-For": "203.0.113.8"})).status == 200
    room.clock.jumped += 61
    assert await guess(room, 1, source) == [401]


async def test_guessing_behind_the_same_proxy_does_not_silence_the_desk(room):
    headers = {"X-Forwarded-For": "203.0.113.9"}
    assert (await room.get("/v1/channels", headers=headers)).status == 200
    await guess(room, FAILURES_AT_MOST + 1, "203.0.113.9")
    assert (await room.post("/v1/announcements", BODIES["announce"], headers=headers)).status == 202


async def test_requests_without_any_key_guess_nothing(room):
    for _ in range(FAILURES_AT_MOST + 1):
        assert (await room.get("/v1/channels", key=None)).status == 401


async def test_an_ipv6_network_is_one_source(room):
    found = [(await guess(room, 1, f"2001:db8:1:1::{n:x}"))[0] for n in range(FAILURES_AT_MOST + 1)]
    assert found[-1] == 429
    assert await guess(room, 1, "2001:db8:1:2::1") == [401]


async def test_only_our_own_proxies_are_believed(tmp_path):
    async with newsroom(tmp_path) as room:
        found = [(await guess(room, 1, f"203.0.113.{n}"))[0] for n in range(FAILURES_AT_MOST + 1)]
        assert found[-1] == 429


async def test_the_doorman_remembers_a_bounded_number_of_sources(room):
    doorman = Doorman(room.broker.agencies.values(), Clock())
    for n in range(SOURCES_KEPT + 50):
        doorman._failed(f"10.0.{n >> 8}.{n & 255}")
    assert len(doorman._failures) == SOURCES_KEPT
