"""Each fault is on the wire what it says: a plain HTTP client and plain sockets, no adapter."""

import asyncio
import json

import aiohttp
import pytest

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.faults import Fault, FaultError, Kind
from tests.contract.emulators.browser import TEXT, Browser, code_of, comes_true, texts

# -- faults of the connection


async def test_refused_closes_the_socket_and_the_same_port_opens_again(fb, page):
    await page.post("first")
    port = fb.port()
    await fb.fail("refused")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(aiohttp.ClientConnectorError):
        await page.post()
    await fb.heal()
    assert fb.port() == port
    assert (await page.post())[0] == 200


async def test_nobody_else_gets_the_port_of_an_emulator_that_refuses(fb):
    await fb.fail("refused")
    with pytest.raises(OSError, match="in use"):
        await asyncio.start_server(lambda *_: None, "127.0.0.1", fb.port())


async def test_two_emulators_never_share_a_given_port(fb):
    with pytest.raises(OSError, match="in use"):
        async with FacebookEmulator(ports=[fb.port()]):
            pass


async def test_black_hole_accepts_and_never_answers_or_processes(fb, page):
    await page.post("over a connection that stays open")
    await fb.fail("black_hole")
    for _ in range(2):  # the open connection is swallowed too
        with pytest.raises(TimeoutError):
            await page.hasty.post()
    await fb.heal()
    assert len(fb.log.taken) == 1


async def test_a_counted_black_hole_swallows_that_many_connections(fb, page):
    await fb.fail("black_hole", times=1)
    with pytest.raises(TimeoutError):
        await page.hasty.post()
    assert (await page.post())[0] == 200
    assert [request.verdict for request in fb.log.asked("connection")] == ["black_hole"]


async def test_tls_reset_breaks_the_handshake(fb, session):
    await fb.fail("tls_reset")
    with pytest.raises(aiohttp.ClientConnectorError):  # the connector's error: no request was sent
        await session.get(f"https://127.0.0.1:{fb.port()}/")


async def test_tls_reset_over_plain_http_processes_nothing(fb, page):
    await fb.fail("tls_reset", times=1)
    with pytest.raises(aiohttp.ClientOSError):
        await page.post()
    assert not fb.log.taken
    assert (await page.post())[0] == 200


async def test_a_flapping_socket_closes_and_opens_by_time(fb):
    async def is_open() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", fb.port())
        except ConnectionError:  # closed while the connection was being made
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def is_closed() -> bool:
        return not await is_open()

    await fb.fail("refused", up=0.05, down=0.05)
    for state in (is_open, is_closed, is_open, is_closed):
        assert await comes_true(state)


async def test_a_fault_that_lasts_is_over_by_itself(fb, page):
    async def is_well() -> bool:
        status, _ = await page.ask("GET", "/v25.0/me")
        return bool(status == 200)

    await fb.fail("html_503", lasting=0.05)
    assert not await is_well()
    assert await comes_true(is_well)
    assert not fb.faults.active()


async def test_a_host_can_fail_alone(threads, user):
    await threads.fail("refused", host="net")
    with pytest.raises(aiohttp.ClientConnectorError):
        await user.ask("GET", "/v1.0/me", host="net")
    assert (await user.ask("GET", "/v1.0/me", host="com"))[0] == 200


# -- faults of an exchange

LOST = {"reset_before": 0, "stall": 0, "stored_then_reset": 1, "stored_then_stall": 1, "run_later": 0, "slow_drip": 1}


@pytest.mark.parametrize("kind", LOST)
async def test_an_answer_is_lost_and_the_post_is_there_or_not(fb, page, kind):
    await fb.fail(kind, step="publish", times=1)
    with pytest.raises((aiohttp.ClientOSError, TimeoutError)) as caught:
        await page.hasty.post()
    assert isinstance(caught.value, aiohttp.ClientOSError) == kind.endswith(("reset", "reset_before"))
    assert len(fb.log.copies("TVD-7QK2F9")) == LOST[kind]
    assert [request.verdict for request in fb.log.asked("publish")] == [kind]
    assert (await page.post("next"))[0] == 200


async def test_run_later_publishes_after_the_client_gave_up(fb, page):
    await fb.fail("run_later", step="publish", times=1, after=0.7)
    with pytest.raises(TimeoutError):
        await page.hasty.post()
    assert not fb.log.taken
    await fb.until(lambda log: log.taken)
    assert texts(fb.log) == [TEXT]


ANSWERS = {
    "html_500": (500, b"<!DOC"),
    "html_503": (503, b"<!DOC"),
    "garbage_200": (200, b"\x00\xff"),
    "empty_200": (200, b""),
}


@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize("kind", ANSWERS)
async def test_a_useless_answer_says_nothing_of_the_post(fb, page, kind, is_stored):
    await fb.fail(kind, step="publish", stored=is_stored)
    status, body = await page.post()
    assert (status, body[:5] if status != 200 else body[:2]) == ANSWERS[kind]
    assert len(fb.log.posts) == is_stored


async def test_truncated_json_cannot_be_read_though_the_post_is_there(fb, page):
    await fb.fail("truncated_json", step="publish")
    status, body = await page.post()
    assert (status, body) == (200, f'{{"id": "{fb.log.posts[0].id}"}}'.encode()[: len(body)])


async def test_a_drip_arrives_in_the_end(fb, page):
    await fb.fail("slow_drip", after=0.001)
    assert await page.post() == (200, {"id": fb.log.posts[0].id})


async def test_reads_and_writes_fail_apart(fb, page):
    await fb.fail("pass_probes_refuse_posts")
    assert (await page.ask("GET", "/v25.0/1098"))[0] == 200
    assert code_of((await page.post())[1]) == (2, None)


async def test_every_third_call(fb, page):
    await fb.fail("html_500", every=3)
    assert [(await page.ask("GET", "/v25.0/me"))[0] for _ in range(6)] == [200, 200, 500, 200, 200, 500]


async def test_stop_is_at_once_whatever_hangs(session):
    async with FacebookEmulator() as fb:
        page = Browser(session, fb, "page-token")
        for kind in ("stall", "black_hole"):
            await fb.fail(kind)
            with pytest.raises(TimeoutError):
                await page.hasty.post()
        await asyncio.wait_for(fb.stop(), 1)


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        ({"kind": "rain"}, "choose one of refused"),
        ({}, "needs a"),
        (
            {"kind": "stall", "step": "pubish"},
            "debug_token, delete, edit, exchange, get, list, permissions, photo, probe, publish, video, videos, writes",
        ),
        ({"kind": "stall", "host": "de"}, "choose one of api"),
        ({"kind": "stall", "time": 3}, "choose from after, down"),
        ({"kind": "stall", "times": 0}, "1 or more"),
        ({"kind": "stall", "lasting": "long"}, "seconds"),
        ({"kind": "refused", "times": 3}, "counts no calls"),
        ({"kind": "refused", "step": "publish"}, "cannot be limited to a step"),
        ({"kind": "silent_drop", "host": "api"}, "behind all hosts"),
        ({"kind": "never_finish"}, "this emulator has no fault 'never_finish'"),
        ({"kind": "lose_refresh_answer"}, "unknown step 'token'"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused_with_what_can(fb, fault, hint):
    with pytest.raises(FaultError, match=hint):
        fb.faults.add(Fault.from_json(fault))
    assert not fb.faults.active()


def test_a_fault_survives_json():
    fault = Fault(Kind.RUN_LATER, step="publish", after=40.0, times=2)
    assert Fault.from_json(json.loads(json.dumps(fault.to_json()))) == fault
