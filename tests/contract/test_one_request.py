"""One request of an adapter: whether its own bytes may have left, whatever an earlier request of the same job did, and
when they leave."""

from __future__ import annotations

import asyncio
import select
import socket

import aiohttp
import pytest
import uvloop

from adapters._http import Answer, ask
from adapters.emulators.facebook import FacebookEmulator
from broker.contract import GateClosed, Profile
from broker.engine.attempts import first_away
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


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_what_begins_beside_a_request_may_wait_until_it_has_left(run):
    """`first_away` counts turns of the loop: the kernel has the bytes, though nothing was waited for."""

    async def has_left() -> bool:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            url = f"http://127.0.0.1:{server.getsockname()[1]}/"
            async with aiohttp.ClientSession() as session:
                first = asyncio.create_task(ask(session, PROFILE, "POST", url, gate=LeaseGate(), json_body={}))
                connection, _ = await asyncio.get_running_loop().sock_accept(server)
                with connection:
                    await _answer(connection)
                    assert isinstance(await first, Answer)
                    second = asyncio.create_task(ask(session, PROFILE, "POST", url, gate=LeaseGate(), json_body={}))
                    await first_away()
                    left = bool(select.select([connection], [], [], 0)[0])
                    await _answer(connection)
                    assert isinstance(await second, Answer)
                    return left

    assert run(has_left())


async def _answer(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    assert (await loop.sock_recv(connection, 1 << 16)).startswith(b"POST / ")
    await loop.sock_sendall(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
