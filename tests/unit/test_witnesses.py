"""Witnesses: servers outside that tell an outage of our own network from everybody else's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from broker.clock import SystemClock
from broker.contract import Profile, Step
from broker.engine.witnesses import Witnesses, dial
from broker.model import StepClass, Verb
from broker.outcome import Fault, Unavailable
from broker.rules.breaker import ChannelHealth, observe
from broker.rules.domains import Member
from broker.rules.evidence import evidence
from broker.rules.health import view
from broker.values import replace

NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)


def silent_member(operator: str) -> Member:
    """A channel whose last two probes found nobody."""
    profile = Profile(adapter=operator, operator=operator, country="US", steps=(Step("post", StepClass.NOTHING),))
    seen = evidence(Verb.PROBE, Unavailable(Fault.CONNECT))
    assert seen is not None
    health = ChannelHealth()
    for second in range(2):
        health = observe(health, seen, profile, NOW + timedelta(seconds=second))
    return Member(f"tvd/{operator}", "tvd", profile, health)


def members(*operators: str) -> dict[str, Member]:
    return {f"tvd/{operator}": silent_member(operator) for operator in operators}


def test_silent_witnesses_blame_our_own_network_for_one_silent_operator() -> None:
    seen = view(members("meta"), NOW + timedelta(seconds=2), witnesses_silent=True)
    assert seen.own_network_since is not None
    assert not seen.down


def test_an_answering_witness_clears_our_own_network_though_three_operators_are_silent() -> None:
    three = members("meta", "vng", "x")
    assert view(three, NOW + timedelta(seconds=2)).own_network_since is not None
    seen = view(three, NOW + timedelta(seconds=2), witnesses_silent=False)
    assert seen.own_network_since is None
    assert set(seen.down) == set(three)


def test_without_witnesses_two_silent_operators_are_not_our_own_network() -> None:
    assert view(members("meta", "vng"), NOW + timedelta(seconds=2)).own_network_since is None


def test_an_answer_of_any_outside_channel_outweighs_silent_witnesses() -> None:
    both = members("meta")
    answering = silent_member("vng")
    both["tvd/vng"] = replace(answering, health=ChannelHealth(answered_at=NOW + timedelta(seconds=3)))
    seen = view(both, NOW + timedelta(seconds=4), witnesses_silent=True)
    assert seen.own_network_since is None


async def asked(addresses: list[str]) -> bool | None:
    heard = asyncio.Event()
    witnesses = Witnesses(addresses, SystemClock(), heard.set, dial)
    witnesses.ask()
    if addresses:
        await asyncio.wait_for(heard.wait(), 5)
    await witnesses.stop()
    return witnesses.silent


async def test_they_are_asked_over_real_sockets() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await asked([f"127.0.0.1:{port}", "127.0.0.1:1"]) is False
    server.close()
    await server.wait_closed()
    assert await asked([f"127.0.0.1:{port}", "127.0.0.1:1"]) is True
    assert await asked([]) is None
