"""The webhook adapter on real sockets: every answer a consumer can give, its signatures, and whom it never calls."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import ClassVar

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
from pydantic import ValidationError
from standardwebhooks import Webhook

from adapters._guard import AddressRefused, PublicResolver, is_public
from adapters._signing import signed, signing_keys
from adapters.emulators.faults import CONNECTION, Kind
from adapters.emulators.webhook import WebhookEmulator
from adapters.webhook import WebhookAdapter, WebhookSettings
from broker.contract import GateClosed, Shelf
from broker.model import StepClass, Verb
from broker.outcome import Absent, Denied, Fault, Live, Rejected, Throttled, Unavailable, Uncertain
from broker.values import replace
from tests.contract.adapter_suite import Deletes, Expected, Keyed, Rehearses
from tests.contract.bench import POST as STORM
from tests.contract.certificates import make_certificate
from tests.contract.desk import POST, REFERENCE, DeskClock, DeskGate, job_for, tools

OFFICIAL = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW, OLD, WRONG = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
EVENT_ID = f"{POST.announcement_id}-partner"

Make = Callable[..., WebhookAdapter]


TAKEN_AT_ITS_WORD = (Kind.GARBAGE_200, Kind.EMPTY_200)


class TestWebhook(Keyed, Deletes, Rehearses):
    adapter = WebhookAdapter
    emulator = WebhookEmulator
    options: ClassVar = {"secrets": [NEW]}
    settings: ClassVar = {"url": "https://partner.example/hooks/loa", "secret": NEW, "allow_private": True}
    steps: ClassVar = {"post": "publish"}
    has_address = False
    no_limit = "a consumer that takes no long text says so by its status"
    exempt: ClassVar = {
        Kind.ERROR_IN_200: "a consumer's answer is its status",
        Kind.EXPIRED: "a secret has no end",
        Kind.REVOKED: "a secret that was taken back is a wrong one: logged_out",
    }
    otherwise: ClassVar = {
        # A 2xx is taken at its word, as the specification has it.
        **dict.fromkeys(TAKEN_AT_ITS_WORD, Expected(Live)),
        Kind.TRUNCATED_JSON: Expected(Live, copies=1),
    }

    async def test_a_post_is_published_once_and_word_for_word(self, bench):
        copy = await bench.live()
        [event] = bench.log.copies(STORM.reference)
        assert event.id == copy.platform_id
        assert (
            json.dumps(event.extra["event"], ensure_ascii=False, separators=(",", ":")) == copy.composed.parts["body"]
        )

    async def test_a_probe_tells_what_is_wrong(self, bench, connection_fault):
        """It carries no signature, so it tells no more than that something answers there."""
        await bench.emulator.fail(connection_fault)
        assert isinstance(await bench.against(connection_fault).probe(), Unavailable)

    async def test_a_delete_that_fails_proves_nothing(self, bench, any_fault):
        if self.expected(any_fault).answer is Live:  # taken at its word
            return
        copy = await bench.live()
        await bench.emulator.fail(any_fault, **({} if any_fault in CONNECTION else {"step": "delete"}))
        assert not isinstance(await bench.against(any_fault).delete(copy.job()), Absent)

    async def test_a_delete_that_changed_nothing_is_seen(self, bench):
        """It cannot be: what a consumer shows is its own affair. So its word is asked for, under the event's key."""
        copy = await bench.live()
        assert await bench.adapter.delete(copy.job()) == Absent()
        assert [post.removed_by for post in bench.log.posts] == ["owner"]

    async def test_a_rehearsal_finds_what_would_stop_a_post(self, bench, plain_fault):
        await bench.emulator.fail(plain_fault, step="publish")
        outcome = await bench.against(plain_fault).rehearse()
        assert isinstance(outcome, Live) == (self.expected(plain_fault).answer is Live)
        assert not bench.log.posts


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def consumer() -> AsyncIterator[WebhookEmulator]:
    async with WebhookEmulator(secrets=[NEW]) as emulator:
        yield emulator


@pytest.fixture
async def make(session) -> AsyncIterator[Make]:
    made: list[WebhookAdapter] = []

    def make(url: str, *, clock: DeskClock | None = None, media: Shelf | None = None, **rest: object) -> WebhookAdapter:
        given = {"url": url, "secret": NEW, "allow_private": True, "total_timeout": timedelta(seconds=2), **rest}
        adapter = WebhookAdapter(settings(**given), replace(tools(session, clock), media=media))
        made.append(adapter)
        return adapter

    yield make
    for adapter in made:
        await adapter.close()


@pytest.fixture
def adapter(make: Make, consumer: WebhookEmulator) -> WebhookAdapter:
    return make(f"{consumer.base_url}/hooks/loa")


def hook(handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_post("/hook", handler)
    return app


# -- signatures


@pytest.mark.parametrize(
    ("event_id", "seconds", "body", "signature"),
    [
        (
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            '{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "msg_a17",
            1763780000,
            '{"type":"announcement.published","data":{"headline":"Bão số 9"}}',
            "v1,N1NLGiKysUq98ssX9NPy7ako/b5wJWY34EWbXNAYB7Q=",
        ),
    ],
    ids=["official", "vietnamese"],
)
def test_signatures_equal_known_ones(event_id, seconds, body, signature):
    headers = signed(signing_keys(OFFICIAL), event_id, datetime.fromtimestamp(seconds, UTC), body.encode())
    assert headers == {"webhook-id": event_id, "webhook-timestamp": str(seconds), "webhook-signature": signature}


@pytest.mark.parametrize("secrets", [NEW, f"{NEW} {OLD}", f"{OLD} {NEW}", f" {NEW.rstrip('=')} "])
async def test_the_reference_library_accepts_what_is_on_the_wire(make, secrets):
    taken: list[tuple[bytes, dict[str, str]]] = []

    async def take(request: web.Request) -> web.Response:
        taken.append((await request.read(), dict(request.headers)))
        return web.Response(status=204)

    async with TestServer(hook(take)) as server:
        adapter = make(str(server.make_url("/hook")), secret=secrets)
        assert await adapter.publish(job_for(adapter)) == Live(EVENT_ID)
    [(body, headers)] = taken
    assert headers["Content-Type"] == "application/json"
    assert Webhook(NEW).verify(body, headers)["data"]["headline"] == POST.headline


async def test_an_event_says_what_was_announced(adapter, consumer):
    job = job_for(adapter, replace(POST, link="https://tin.example/bao-so-9", late_mark="Viết lúc 10:00"))
    assert await adapter.publish(job) == Live(EVENT_ID)
    [post] = consumer.log.posts
    assert (post.id, post.author) == (EVENT_ID, "hooks/loa")
    assert post.extra["event"] == {
        "type": "announcement.published",
        "timestamp": "2026-11-22T03:00:00.000000Z",
        "data": {
            "id": POST.announcement_id,
            "reference": REFERENCE,
            "revision": 1,
            "lang": "vi",
            "urgency": "routine",
            "agency": "Tin Ví Dụ",
            "author": "Nguyễn Văn A",
            "headline": POST.headline,
            "text": POST.body,
            "late_mark": "Viết lúc 10:00",
            "url": "https://tin.example/bao-so-9",
        },
    }


async def test_an_event_names_pictures_by_their_address(make, consumer, host):
    adapter = make(f"{consumer.base_url}/hooks/loa", media=host.shelf)
    picture, video = host.picture("Cầu gãy"), host.video()
    assert isinstance(await adapter.publish(job_for(adapter, replace(POST, media=(picture, video)))), Live)
    [first, second] = consumer.log.posts[-1].extra["event"]["data"]["media"]
    assert first == {
        "url": f"{host.shelf.url}/{picture.name}", "mime": "image/jpeg", "size_bytes": picture.size_bytes,
        "width": 1080, "height": 1350, "alt": "Cầu gãy",
    }  # fmt: skip
    assert (second["mime"], second["duration_s"]) == ("video/mp4", 4.0)


async def test_the_desks_own_text_replaces_headline_and_body(adapter):
    composed = adapter.compose(replace(POST, override="Tiêu đề riêng\nThân bài riêng."))
    data = json.loads(composed.parts["body"])["data"]
    assert (data["headline"], data["text"]) == ("Tiêu đề riêng", "Thân bài riêng.")
    assert POST.headline not in composed.parts["body"] + composed.text


async def test_attempts_differ_in_time_and_signature_only(consumer, make):
    clock = DeskClock()
    consumer.now, consumer.keeps_ids = clock.now, False
    adapter = make(f"{consumer.base_url}/hook", clock=clock)
    job = job_for(adapter)
    assert await adapter.publish(job) == Live(EVENT_ID)
    clock.advance(hours=3)  # out of the consumer's tolerance, if the first signature were sent again
    assert await adapter.publish(replace(job, attempt=2, started_at=clock.now())) == Live(EVENT_ID)
    first, second = consumer.log.posts
    assert first.extra == second.extra
    assert first.id == second.id


async def test_a_rotation_leaves_no_gap(consumer, make):
    adapter = make(f"{consumer.base_url}/hook", secret=f"{NEW} {OLD}")
    for accepted in ([OLD], [OLD, NEW], [NEW]):
        consumer.set_secrets(accepted)
        assert isinstance(await adapter.publish(job_for(adapter)), Live)


# -- answers


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        (301, Denied, "redirects"),
        (302, Denied, "redirects"),
        (308, Denied, "redirects"),
        (400, Rejected, "400"),
        (401, Denied, "secret"),
        (403, Denied, "secret"),
        (404, Denied, "url"),
        (405, Denied, "url"),
        (408, Uncertain, "408"),
        (409, Rejected, "409"),
        (410, Denied, "gone"),
        (413, Rejected, "413"),
        (418, Denied, "418"),
        (422, Rejected, "422"),
        (425, Uncertain, "425"),
        (500, Uncertain, "500"),
        (502, Uncertain, "502"),
        (503, Uncertain, "503"),
        (504, Uncertain, "504"),
        (599, Uncertain, "599"),
    ],
)
async def test_each_status_has_its_outcome(adapter, consumer, status, kind, word):
    consumer.answer_with(status)
    outcome = await adapter.publish(job_for(adapter))
    assert type(outcome) is kind
    assert word in outcome.detail
    assert len(consumer.log.requests) == 1  # no redirect was followed, nothing repeated


async def test_a_wrong_secret_is_the_accounts_fault(consumer, make):
    adapter = make(f"{consumer.base_url}/hook", secret=WRONG)
    outcome = await adapter.publish(job_for(adapter))
    assert isinstance(outcome, Denied)
    assert WRONG not in repr(outcome)
    assert consumer.log.taken == []


async def test_a_clock_that_is_wrong_is_told(consumer, make):
    adapter = make(f"{consumer.base_url}/hook", clock=DeskClock(datetime(2020, 1, 1, tzinfo=UTC)))
    outcome = await adapter.publish(job_for(adapter))
    assert isinstance(outcome, Denied)
    assert "clock" in outcome.detail


NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 1),
        ("9" * 400, 86400),
        ("-5", 30),
        ("soon", 30),
        ("٣", 30),
        ("", 30),
    ],
)
async def test_retry_after_is_read_in_every_form(make, value, seconds):
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": value} if value else None)

    async with TestServer(hook(refuse)) as server:
        adapter = make(str(server.make_url("/hook")), clock=DeskClock(NOW))
        assert await adapter.publish(job_for(adapter)) == Throttled(timedelta(seconds=seconds))


# -- the wire


async def test_a_refused_connection_is_unavailable(adapter, consumer):
    await consumer.fail("refused")
    outcome = await adapter.publish(job_for(adapter))
    assert outcome == Unavailable(Fault.CONNECT, "connection refused")


async def test_a_name_nobody_knows_is_unavailable(make):
    adapter = make("https://nobody.invalid/hook")
    assert await adapter.publish(job_for(adapter)) == Unavailable(Fault.DNS, "name not found")


async def test_an_unknown_certificate_is_unavailable(make, tmp_path: Path):
    context = make_certificate(tmp_path).for_server()
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        adapter = make(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook")
        assert await adapter.publish(job_for(adapter)) == Unavailable(Fault.TLS, "TLS failed")


@pytest.mark.parametrize("fault", ["reset_before", "stall", "black_hole", "stored_then_reset", "stored_then_stall"])
async def test_what_may_have_got_through_is_uncertain_and_safe_to_repeat(consumer, make, fault):
    adapter = make(f"{consumer.base_url}/hook", total_timeout=timedelta(milliseconds=300))
    job = job_for(adapter)
    await consumer.fail(fault)
    assert isinstance(await adapter.publish(job), Uncertain)
    await consumer.heal()
    assert await adapter.publish(replace(job, attempt=2)) == Live(EVENT_ID)
    assert len(consumer.log.copies(REFERENCE)) == 1


async def test_a_closed_gate_lets_nothing_out(adapter, consumer):
    with pytest.raises(GateClosed):
        await adapter.publish(job_for(adapter, gate=DeskGate(is_open=False)))
    assert consumer.log.taken == []


# -- the other verbs


async def test_a_retraction_takes_back_what_was_published(adapter, consumer):
    await adapter.publish(job_for(adapter))
    job = job_for(adapter, platform_id=EVENT_ID)
    assert await adapter.delete(job) == Absent()
    assert consumer.log.visible == []
    assert await adapter.delete(job) == Absent()  # repeated: the consumer knows the id
    consumer.answer_with(500)
    assert isinstance(await adapter.delete(job), Uncertain)


async def test_a_probe_tells_reachable_from_not(consumer, make):
    adapter = make(f"{consumer.base_url}/hook")
    assert await adapter.probe() == Live("127.0.0.1")  # 405 is an answer
    await consumer.fail("server_error")
    assert await adapter.probe() == Unavailable(Fault.SERVER, "HTTP 503")
    await consumer.heal()
    await consumer.fail("suspended")
    assert isinstance(await adapter.probe(), Denied)
    await consumer.heal()
    await consumer.fail("refused")
    assert await adapter.probe() == Unavailable(Fault.CONNECT, "connection refused")
    assert consumer.log.taken == []


async def test_a_rehearsal_proves_the_secret_and_shows_nothing(consumer, make):
    assert isinstance(await make(f"{consumer.base_url}/hook").rehearse(), Live)
    assert isinstance(await make(f"{consumer.base_url}/hook", secret=WRONG).rehearse(), Denied)
    assert consumer.log.taken == []


async def test_a_chat_hook_gets_the_text_and_is_never_repeated(session):
    async with WebhookEmulator() as chat:
        given = {"url": f"{chat.base_url}/hooks/duty", "form": "chat", "allow_private": True}
        adapter = WebhookAdapter(settings(**given), tools(session))
        assert isinstance(await adapter.publish(job_for(adapter)), Live)
        [post] = chat.log.posts
        assert post.text == adapter.compose(POST).text
        assert adapter.profile.steps[0].after_uncertain is StepClass.NOTHING
        assert adapter.profile.abilities == {Verb.PROBE}


# -- settings


def settings(**given: object) -> WebhookSettings:
    return WebhookSettings.model_validate(given)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"url": "partner.example/hook"}, "whole address"),
        ({"url": "ftp://partner.example/hook"}, "whole address"),
        ({"url": "http://partner.example/t0ken"}, "allow_http"),
        ({"url": "https://partner.example/t0ken", "secret": "t0ken"}, "whsec_"),
        ({"url": "https://partner.example/t0ken", "secret": "whsec_t0ken"}, "whsec_"),
        ({"url": "https://partner.example/t0ken", "secret": "whsec_t0ken!"}, "whsec_"),
        ({"url": "https://partner.example/t0ken", "secret": f"{NEW} t0ken"}, "whsec_"),
        ({"url": "https://partner.example/t0ken", "tokn": "t0ken"}, "tokn"),
    ],
)
def test_wrong_settings_are_told_without_secrets(given, word):
    with pytest.raises(ValidationError) as told:
        settings(**given)
    assert word in str(told.value)
    assert "t0ken" not in str(told.value)


def test_each_consumer_is_its_own_operator():
    profile = WebhookAdapter(settings(url="https://partner.example/x"), tools(None)).profile  # type: ignore[arg-type]
    assert (profile.operator, profile.hosts, profile.country) == ("partner.example", ("partner.example",), "")
    assert (profile.steps[0].after_uncertain, profile.key_lifetime) == (StepClass.KEYED, timedelta(days=4))
    other = settings(url="https://partner.example/x", operator="vnp", country="VN", key_lifetime=timedelta(0))
    profile = WebhookAdapter(other, tools(None)).profile  # type: ignore[arg-type]
    assert (profile.operator, profile.country) == ("vnp", "VN")
    assert profile.steps[0].after_uncertain is StepClass.NOTHING  # a consumer that keeps no ids


def test_base_url_moves_the_endpoint_and_keeps_its_path():
    moved = settings(url="https://partner.example/h/1?t=2", base_url="http://127.0.0.1:8", allow_private=True)
    assert str(moved.target) == "http://127.0.0.1:8/h/1?t=2"
    profile = WebhookAdapter(moved, tools(None)).profile  # type: ignore[arg-type]
    assert (profile.operator, profile.hosts) == ("partner.example", ("127.0.0.1",))


# -- whom it never calls

LOOPBACK = ["127.0.0.1", "127.1", "127.0.0.1.", "0x7f000001", "0x7f.1", "2130706433", "017700000001", "0177.0.0.1", "0"]
LITERALS = [
    *LOOPBACK,
    "①②⑦.⓪.⓪.①",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.19.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
    "0x08080808",  # public, but nobody writes it so in good faith
    "[::]",
    "[::1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2001::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:db8::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[ff02::1]",
]


@pytest.mark.parametrize("host", LITERALS)
def test_an_address_that_is_not_public_is_refused_at_start(host):
    with pytest.raises(ValidationError, match="not public"):
        settings(url=f"https://{host}:8443/hook")
    settings(url=f"https://{host}:8443/hook", allow_private=True)


@pytest.mark.parametrize("host", LITERALS)
def test_a_proxy_may_not_lead_there_either(host):
    with pytest.raises(ValidationError, match="not public"):
        settings(url="https://partner.example/hook", base_url=f"https://{host}")


@pytest.mark.parametrize("host", [*LOOPBACK, "localhost"])
async def test_a_name_that_resolves_there_is_refused(host):
    resolver = PublicResolver()
    with pytest.raises((AddressRefused, socket.gaierror)):
        await resolver.resolve(host, 80, socket.AF_UNSPEC)
    await resolver.close()


async def test_nothing_connects_to_a_private_address_behind_a_name(make):
    arrived = asyncio.Event()

    def arrive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        writer.close()

    async with await asyncio.start_server(arrive, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        adapter = make(f"http://localhost:{port}/hook", allow_private=False)
        for outcome in (await adapter.publish(job_for(adapter)), await adapter.probe(), await adapter.rehearse()):
            assert isinstance(outcome, Denied)
            assert "allow_private" in outcome.detail
        assert not arrived.is_set()
        with closing(socket.create_connection(("127.0.0.1", port))):  # the listener does listen
            await asyncio.wait_for(arrived.wait(), 2)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111"])
def test_public_addresses_are_public(address):
    assert is_public(address)
