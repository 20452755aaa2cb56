"""The server under callers who are slow, greedy or broken, and its orderly end."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import structlog
from aiohttp import web

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.webhook import WebhookEmulator
from broker import core
from broker.api import Options, create_app
from broker.api.problems import CATALOGUE, problem_of
from broker.engine import owner
from broker.errors import LoaError, Overloaded, StoreError, StoreFull
from broker.settings import load, load_adapters
from broker.wiring import open_broker
from tests.contract.api import child
from tests.contract.api.newsroom import (
    FULL,
    HOOK_SECRET,
    NEWS,
    PAGE_TOKEN,
    SECRETS,
    TIN,
    Answer,
    Newsroom,
    Server,
    configuration,
    newsroom,
    served,
)

ROOT = Path(__file__).parents[3]
POST = f"POST /v1/announcements HTTP/1.1\r\nHost: loa\r\nAuthorization: Bearer {FULL[TIN]}\r\n"
JSON = "Content-Type: application/json\r\n"


@asynccontextmanager
async def link(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def raw(server: Server, sent: str | bytes) -> tuple[int, dict[str, object]]:
    """Status and problem of the answer to what was put on the wire."""
    async with link(server) as (reader, writer):
        writer.write(sent.encode() if isinstance(sent, str) else sent)
        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return int(head.split()[1]), json.loads(await reader.readexactly(length))


# -- limits


async def test_a_body_that_says_it_is_too_large_is_refused_unread(room):
    status, problem = await raw(room.server, f"{POST}{JSON}Content-Length: 100000000\r\n\r\n")
    assert (status, problem["code"]) == (413, "too_large")


async def test_a_body_that_grows_too_large_is_refused(room):
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(400):
            yield b" " * 1024

    answer = await room.call("POST", "/v1/announcements", data=chunks(), headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (413, "too_large")


async def test_the_limit_is_a_setting(tmp_path):
    async with newsroom(tmp_path, Options(body_limit_bytes=100)) as room:
        answer = await room.post("/v1/announcements", {**NEWS, "author": "a" * 100})
        assert (answer.status, answer.code) == (413, "too_large")


async def test_a_compressed_body_is_not_unpacked(room):
    bomb = gzip.compress(b'{"headline": "' + b"a" * 50_000_000)
    assert len(bomb) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await room.call("POST", "/v1/announcements", data=bomb, headers=headers)
    assert answer.status == 415
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16_000  # KiB


async def test_a_body_that_does_not_come_is_given_up(tmp_path):
    async with newsroom(tmp_path, Options(body_within_s=0.05)) as room:
        status, problem = await raw(room.server, f'{POST}{JSON}Content-Length: 100\r\n\r\n{{"headline')
        assert (status, problem["code"]) == (408, "too_slow")


async def test_a_head_that_does_not_end_is_cut(room):
    async with served(create_app(room.broker), idle_s=0.1) as server, link(server) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        async with asyncio.timeout(60):
            assert await reader.read() == b""


async def test_a_refused_caller_need_not_send_the_body(room):
    head = POST.replace(FULL[TIN], "wrong") + JSON + "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
    assert (await raw(room.server, head))[0] == 401


async def test_a_body_that_waits_for_a_go_gets_it(room):
    async with link(room.server) as (reader, writer):
        body = json.dumps(NEWS).encode()
        writer.write(f"{POST}{JSON}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readline()).split()[1] == b"202"


@pytest.mark.parametrize(
    "sent",
    [
        "GARBAGE\r\n\r\n",
        "FOO /v1/announcements HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /v1/announcements HTTP/9.9\r\nHost: a\r\n\r\n",
        f"GET /healthz HTTP/1.1\r\nHost: a\r\nX: {'a' * 20_000}\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n" + "".join(f"X-{n}: a\r\n" for n in range(1000)) + "\r\n",
        f"GET /{'a' * 20_000} HTTP/1.1\r\nHost: a\r\n\r\n",
        f"{POST}{JSON}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{{}}",
        f"{POST}{JSON}Content-Length: -1\r\n\r\n{{}}",
        f"{POST}{JSON}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        f"{POST}{JSON}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:24]),
)
async def test_what_is_no_http_gets_a_problem(room, sent):
    status, problem = await raw(room.server, sent)
    assert (status, problem["code"]) == (400, "bad_request")
    assert FULL[TIN] not in json.dumps(problem)


async def test_a_caller_that_leaves_in_the_middle_is_no_bug(room):
    with structlog.testing.capture_logs() as logs:
        async with link(room.server) as (reader, writer):
            writer.write(f"{POST}{JSON}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n".encode())
            await reader.readuntil(b"100 Continue\r\n\r\n")
            writer.write(b'{"headline": ')
        await room.get("/healthz", key=None)
    assert [one["event"] for one in logs if one["log_level"] == "error"] == []


async def test_a_thousand_idle_and_slow_callers_hold_up_nobody(room):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4000:
        pytest.skip("this system allows too few open files")
    async with AsyncExitStack() as links:
        for n in range(1000):
            _, writer = await links.enter_async_context(link(room.server))
            if n % 2:
                writer.write(b"POST /v1/announcements HTTP/1.1\r\nX: ")
        took = []
        for _ in range(100):
            began = time.process_time()
            assert (await room.get("/v1/channels")).status == 200
            took.append(time.process_time() - began)
        assert sorted(took)[-2] < 0.5
        assert (await room.post("/v1/announcements", {**NEWS, "route": "quick"})).status == 202


# -- our own faults


async def test_a_bug_is_told_without_its_values(room):
    async def bug(request: web.Request) -> web.Response:
        raise ValueError("CANARY-value")

    app = create_app(room.broker)
    app.router.add_get("/bug", bug)
    async with served(app) as server:
        with structlog.testing.capture_logs() as logs:
            async with room.session.get(f"{server.url}/bug") as response:
                problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["code"]) == (500, "internal")
    assert response.headers["X-Request-Id"] == problem["request_id"]
    [entry] = [one for one in logs if one["event"] == "request_failed"]
    assert (entry["error"], entry["request_id"]) == ("ValueError", problem["request_id"])
    assert any("test_server.py" in line for line in entry["where"])
    assert "CANARY" not in json.dumps([problem, logs], default=str)


@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreFull("disk"), 507), (StoreError("disk"), 503), (Overloaded("too much"), 503), (LoaError("?"), 500)],
    ids=lambda one: type(one).__name__,
)
def test_what_the_store_cannot_do_says_when_to_try_again(error, status):
    answer = problem_of(error, "1")
    assert answer.status == status
    assert ("Retry-After" in answer.headers) == (status != 500)


async def test_a_broken_store_makes_the_broker_unready(room):
    assert (await room.get("/readyz", key=None)).status == 200
    room.broker.engine.writer._fail([], OSError("the disk is gone"))  # as its thread does
    answer = await room.get("/readyz", key=None)
    assert (answer.status, answer.code) == (503, "not_ready")
    assert int(answer.headers["Retry-After"]) > 0
    assert (await room.get("/healthz", key=None)).status == 200
    refused = await room.post("/v1/announcements", NEWS)
    assert (refused.status, refused.code) == (503, "store_unavailable")


async def test_a_disk_that_does_not_answer_makes_the_broker_unready(room, monkeypatch):
    monkeypatch.setattr(core, "DISK_ANSWERS_WITHIN_S", 0.2)
    with room.broker.store._database._lock:  # as a write that hangs in the kernel holds it
        waiting = asyncio.create_task(room.post("/v1/announcements", NEWS))
        answer = await _until(room, 503)
        assert "disk does not answer" in answer.json["detail"]
        assert (await room.get("/healthz", key=None)).status == 200
    assert (await waiting).status == 202
    await _until(room, 200)


async def test_what_is_not_settled_in_time_is_not_confirmed(room, monkeypatch):
    wrong, old = (await room.announce())["id"], (await room.announce())["id"]
    body, headers = {**NEWS, "route": "quick", "replaces": old}, {"Idempotency-Key": "new"}
    with monkeypatch.context() as patched:
        patched.setattr(owner, "SETTLED_WITHIN", timedelta(0))
        taken_back = await room.post(f"/v1/announcements/{wrong}/withdrawal", {})
        replaced = await room.post("/v1/announcements", body, headers=headers)
    assert {(each.status, each.code) for each in (taken_back, replaced)} == {(503, "store_unavailable")}
    assert (await room.post(f"/v1/announcements/{wrong}/withdrawal", {})).json["withdrawn_at"]
    assert (await room.post("/v1/announcements", body, headers=headers)).headers["Idempotency-Replayed"] == "true"
    assert (await room.get(f"/v1/announcements/{old}")).json["replaced_by"]


async def _until(room: Newsroom, status: int) -> Answer:
    async with asyncio.timeout(60):
        while (answer := await room.get("/readyz", key=None)).status != status:
            continue
    return answer


def test_only_those_errors_ask_to_come_again_that_pass():
    assert {known.status for known in CATALOGUE.values() if known.retry_after} <= {408, 429, 503, 507}


async def test_heads_are_answered_like_gets(room):
    for path in ("/healthz", "/readyz", "/v1/channels"):
        answer = await room.call("HEAD", path, checked=False)
        assert (answer.status, answer.body) == (200, b"")
    said = await room.announce()
    headers = {"Accept": "text/event-stream"}
    answer = await room.call("HEAD", f"/v1/announcements/{said['id']}/events", headers=headers, checked=False)
    assert (answer.status, answer.body) == (200, b"")


async def test_no_answer_names_the_machinery(room):
    answer = await room.get("/v1/channels")
    assert answer.headers["Server"] == "loa"
    assert answer.headers["Cache-Control"] == "no-store"


# -- the end


async def test_a_request_under_way_is_finished(room):
    async with asyncio.timeout(60), link(room.server) as (reader, writer):
        while not all(one["probed_at"] for one in (await room.get("/v1/channels")).json["channels"]):
            pass
        known = len(room.hook.log.requests)
        await room.hook.fail("stall")
        probe = asyncio.create_task(room.post("/v1/channels/partner/probe"))
        while len(room.hook.log.requests) == known:
            await room.get("/healthz", key=None)
        room.server.stop.set()
        await room.hook.heal()
        assert (await probe).status == 200
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        with suppress(ConnectionResetError):
            assert await reader.read() == b""  # nothing new is taken in


async def test_sigterm_loses_nothing_that_was_accepted(tmp_path):
    async with WebhookEmulator(secrets=[HOOK_SECRET]) as hook, FacebookEmulator(token=PAGE_TOKEN) as facebook:
        config = tmp_path / "loa.toml"
        config.write_text(configuration(tmp_path, hook.base_url, facebook.base_url), encoding="utf-8")
        with (tmp_path / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", child.__name__, config, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                port = int(await process.stdout.readline())
                accepted, refused = await keep_posting(port, lambda: process.send_signal(signal.SIGTERM))
                began = time.monotonic()
                assert await process.wait() == 0
                assert time.monotonic() - began < 15
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert refused == []
        async with open_broker(load(config, {}, load_adapters())) as broker:
            stored = {one.id for one in await broker.announcements(TIN, limit=200)}
        assert len(accepted) >= 20
        assert stored >= set(accepted)
        logged = (tmp_path / "log").read_text(encoding="utf-8")
        assert '"event": "stopping"' in logged
        assert not [one for one in SECRETS if one in logged]


async def keep_posting(port: int, stop) -> tuple[list[str], list[int]]:
    """Posts from many callers until nobody answers; `stop` is called after some. Ids accepted, statuses refused."""
    accepted: list[str] = []
    refused: list[int] = []
    stopped = False

    async def caller(session: aiohttp.ClientSession) -> None:
        nonlocal stopped
        while True:
            try:
                async with session.post("/v1/announcements", json={**NEWS, "route": "quick"}) as response:
                    body = await response.json(content_type=None)
            except aiohttp.ClientError:
                return
            accepted.append(body["id"]) if response.status == 202 else refused.append(response.status)
            if len(accepted) >= 20 and not stopped:
                stopped = True
                stop()

    headers = {"Authorization": f"Bearer {FULL[TIN]}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        await asyncio.gather(*(caller(session) for _ in range(8)))
    return accepted, refused
