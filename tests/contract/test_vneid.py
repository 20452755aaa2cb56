"""The gateway to VNeID and VssID: the suite, and what the contract has of its own."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from adapters.emulators.faults import Kind
from adapters.emulators.vneid import KEY_ID, SIGNING_KEY, VneidEmulator
from adapters.vneid import VneidAdapter, VneidSettings
from broker.contract import Path
from broker.model import Urgency
from broker.outcome import Absent, Denied, Fault, Live, Pending, Rejected, Unavailable, Uncertain
from broker.values import replace
from tests.contract.adapter_suite import Confirms, Keyed
from tests.contract.bench import POST, Bench
from tests.contract.certificates import make_certificate

SETTINGS = {"base_url": "https://gateway.example", "key_id": KEY_ID, "signing_key": SIGNING_KEY}
OTHER_KEY = base64.b64encode(bytes(range(32))).decode()


class TestVneid(Keyed, Confirms):
    adapter = VneidAdapter
    emulator = VneidEmulator
    settings: ClassVar = SETTINGS
    steps: ClassVar = {"notice": "publish"}
    options: ClassVar = {"decides_after": 0, "delivers_after": 0}
    secrets: ClassVar = ("signing_key",)
    exempt: ClassVar = {Kind.EXPIRED: "signatures have no end"}
    has_address = False


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    options: dict[str, Any] = {"desk": "manual", "link_hosts": ("gov.example",)}
    async with VneidEmulator(lag=(0, 0), **options) as emulator, aiohttp.ClientSession() as session:
        yield Bench(VneidAdapter, SETTINGS, "publish", emulator, session)


def notice(bench: Bench, **settings: Any) -> dict[str, Any]:
    composed = bench.new_adapter(**settings).compose(replace(POST, urgency=Urgency.URGENT))
    read: dict[str, Any] = json.loads(composed.parts["body"])
    return read


# -- what is sent


async def test_a_notice_says_whom_it_is_for_and_how_urgent_it_is(bench):
    made = notice(bench, service="vssid", audience=["01", "48"])
    assert (made["service"], made["severity"], made["external_id"]) == ("vssid", "urgent", POST.reference)
    assert made["audience"] == {"kind": "province", "codes": ["01", "48"]}
    assert made["title"] == POST.headline
    assert notice(bench)["audience"] == {"kind": "all"}


async def test_links_outside_the_allowed_domains_are_left_out(bench):
    without = notice(bench)
    assert "https://" not in without["body"]
    assert without["body"].endswith(POST.reference)
    assert "link" not in without
    with_link = notice(bench, link_hosts=["example"])
    assert (POST.link, POST.short_link) == (with_link["link"], with_link["body"].splitlines()[-1])
    refused = await bench.copy().publish(bench.new_adapter(link_hosts=["tin.example"]))
    assert isinstance(refused, Pending), "it was composed without the link"


async def test_a_link_the_gateway_does_not_allow_is_refused(bench):
    adapter = bench.new_adapter(link_hosts=["tin.example"])
    copy = bench.copy()
    copy.composed = adapter.compose(POST)
    assert await copy.publish(adapter) == Rejected(
        "link_not_allowed", "the gateway does not take this notice: link_not_allowed"
    )


async def test_a_long_headline_is_cut_and_said_so(bench):
    composed = bench.adapter.compose(replace(POST, headline="Nước dâng nhanh " * 20))
    assert len(json.loads(composed.parts["body"])["title"]) <= 120
    assert "120" in (composed.cut or "")


# -- the approving desk


async def test_a_notice_waits_for_the_desk_and_is_live_only_when_delivered(bench):
    copy = bench.copy()
    assert isinstance(await copy.publish(bench.adapter), Pending)
    assert isinstance(await copy.confirm(bench.new_adapter()), Pending)
    bench.emulator.approve(copy.handle)
    assert isinstance(await copy.confirm(bench.new_adapter()), Live)
    assert bench.copies() == 1


async def test_the_desk_says_no_with_its_reason(bench):
    copy = bench.copy()
    await copy.publish(bench.adapter)
    bench.emulator.reject(copy.handle, "sai địa bàn")
    assert await copy.confirm(bench.adapter) == Rejected("rejected", "the approving desk: sai địa bàn")
    assert not bench.log.posts


async def test_a_notice_the_gateway_has_lost_is_proved_absent(bench):
    copy = bench.copy()
    await copy.publish(bench.adapter)
    bench.emulator.notices.clear()
    assert await copy.confirm(bench.adapter) == Absent()


async def test_one_key_is_for_one_text(bench):
    copy = await bench.lost()
    copy.composed = bench.adapter.compose(replace(POST, body="Tin khác."))
    refused = await copy.publish(bench.adapter)
    assert isinstance(refused, Rejected)
    assert refused.code == "duplicate_key_other_body"


# -- signatures


async def test_every_request_is_signed_anew(bench):
    copy = bench.copy()
    for _ in range(3):
        assert isinstance(await copy.publish(bench.adapter), Pending)
    assert len(bench.emulator.notices) == 1
    assert len(bench.emulator._nonces) == 3


@pytest.mark.parametrize(
    ("settings", "advice"),
    [({"signing_key": OTHER_KEY}, "compare signing_key"), ({"key_id": "loa-0"}, "correct key_id")],
)
async def test_a_key_the_gateway_does_not_know_is_for_the_desk(bench, settings, advice):
    stranger = bench.new_adapter(**settings)
    for outcome in (await stranger.probe(), await bench.copy().publish(stranger)):
        assert isinstance(outcome, Denied)
        assert advice in outcome.detail
    assert not bench.emulator.notices


async def test_keys_overlap_during_a_rotation(bench):
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    bench.emulator.add_key("loa-2", public)
    rotated = bench.new_adapter(key_id="loa-2", signing_key=OTHER_KEY)
    assert isinstance(await rotated.probe(), Live)
    assert isinstance(await bench.adapter.probe(), Live)


async def test_a_reserved_channel_is_told_as_such(bench):
    async def reserved(request: web.Request) -> web.Response:
        return web.json_response({"code": "channel_reserved", "message": ""}, status=423)

    async with Served(reserved) as url:
        adapter = bench.new_adapter(base_url=url)
        assert isinstance(await bench.copy().publish(adapter), Denied)


# -- TLS with a certificate of our own


class Served:
    """One handler on a port of its own."""

    def __init__(self, handler: Any, context: ssl.SSLContext | None = None) -> None:
        self._handler, self._context = handler, context

    async def __aenter__(self) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handler)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        port = self._runner.addresses[0][1]
        return f"{'https' if self._context else 'http'}://127.0.0.1:{port}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def test_our_certificate_is_shown_where_the_gateway_asks_for_it(bench, tmp_path):
    made = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    context.load_verify_locations(made.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    seen = []

    async def health(request: web.Request) -> web.Response:
        assert request.transport is not None
        seen.append(request.transport.get_extra_info("peercert"))
        return web.json_response({"status": "ok"})

    files = {"ca_file": made.certificate, "client_certificate": made.certificate, "client_key": made.key}
    async with Served(health, context) as url:
        with_ours, without = (
            bench.new_adapter(base_url=url, **files),
            bench.new_adapter(base_url=url, ca_file=made.certificate),
        )
        assert isinstance(await with_ours.probe(), Live)
        assert isinstance(await without.probe(), Unavailable)
        outcome = await bench.copy().publish(without)
        assert isinstance(outcome, Unavailable | Uncertain)
        assert outcome.fault in (Fault.TLS, Fault.NO_BYTE)
        await with_ours.close()
        await without.close()
    assert len(seen) == 1
    assert seen[0]


# -- settings


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"base_url": "http://gateway.example"}, "https"),
        ({"signing_key": "c2hvcnQ="}, "32 bytes"),
        ({"service": "zalo"}, "vneid"),
        ({"client_certificate": "/nowhere.pem", "client_key": "/nowhere.key"}, "client_certificate"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(changes, problem):
    with pytest.raises(ValidationError, match=problem) as refused:
        VneidSettings.model_validate({**SETTINGS, **changes})
    assert SIGNING_KEY not in str(refused.value)


def test_the_two_apps_share_their_login_and_nothing_else():
    nothing: Any = None
    tools: Any = nothing
    made = [
        VneidAdapter(VneidSettings.model_validate({**SETTINGS, "service": one}), tools) for one in ("vneid", "vssid")
    ]
    one, other = (adapter.profile for adapter in made)
    assert (one.login, one.path, one.push) == (other.login, Path.DOMESTIC, True)
    assert one.operator != other.operator
