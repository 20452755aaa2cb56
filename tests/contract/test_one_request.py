"""One request of an adapter: whether its own bytes may have left, whatever an earlier request of the same job did."""

from __future__ import annotations

import aiohttp
import pytest

from adapters._http import Answer, ask
from adapters.emulators.facebook import FacebookEmulator
from broker.contract import GateClosed, Profile
from broker.outcome import Fault, Unavailable, Uncertain
from tests.contract.bench import LeaseGate

PROFILE = Profile(adapter="test", operator="test", country="VN", steps=())


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_second_request_that_never_left_is_not_uncertain(session):
    gate = LeaseGate()
    async with FacebookEmulator(lag=(0, 0)) as emulator:
        url = f"{emulator.base_url}/v25.0/1098/feed"
        assert isinstance(await ask(session, PROFILE, "POST", url, gate=gate, form={"message": "a"}), Answer)
        await emulator.fail("refused")
        second = await ask(session, PROFILE, "POST", url, gate=gate, form={"message": "b"})
    assert gate.passed
    assert second == Unavailable(Fault.CONNECT, "connection refused")


async def test_a_request_that_left_is_uncertain(session):
    async with FacebookEmulator(lag=(0, 0)) as emulator:
        await emulator.fail("reset_before")
        url = f"{emulator.base_url}/v25.0/1098/feed"
        lost = await ask(session, PROFILE, "POST", url, gate=LeaseGate(), form={"message": "a"})
    assert lost == Uncertain(Fault.NO_BYTE, "connection closed without an answer")


async def test_a_closed_gate_stops_the_second_request_too(session):
    gate = LeaseGate()
    async with FacebookEmulator(lag=(0, 0)) as emulator:
        url = f"{emulator.base_url}/v25.0/1098/feed"
        await ask(session, PROFILE, "POST", url, gate=gate, form={"message": "a"})
        gate.is_open = False
        with pytest.raises(GateClosed):
            await ask(session, PROFILE, "POST", url, gate=gate, form={"message": "b"})
        assert len(emulator.log.asked("publish")) == 1
