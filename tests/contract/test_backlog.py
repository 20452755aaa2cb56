"""A start with much that is open: the broker serves before it has claimed it all, and then all of it goes out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import loa
from adapters.emulators.webhook import WebhookEmulator
from broker.core import Broker as Core
from tests.contract.test_withdrawal import STORY, settings, states

OPEN = 24


@pytest.fixture
def one_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims one announcement at a time, so that the newest is claimed last."""
    monkeypatch.setattr("broker.engine.owner.CLAIM", 1)


def core_of(broker: loa.Broker) -> Core:
    return broker._core


async def queue(path: Path) -> None:
    """Announcements that wait for paused channels, and a run that ended with them."""
    async with loa.Broker.open(path) as broker:
        for channel in ("partner", "chat"):
            await core_of(broker).pause("agency", channel)
        for number in range(OPEN):
            await broker.announce(**STORY, external_id=f"cms-{number}", idempotency_key=f"key-{number}")


@pytest.mark.usefixtures("one_a_page")
async def test_what_is_not_claimed_yet_is_answered_for_and_can_be_withdrawn(tmp_path: Path) -> None:
    async with WebhookEmulator(lag=(0, 0)) as hooks:
        await queue(path := settings(tmp_path, hooks.base_url))
        async with loa.Broker.open(path) as broker:
            newest = f"cms-{OPEN - 1}"
            report = await broker.get(newest)
            assert not core_of(broker).engine.dispatcher.holds(report.id), "it was to be claimed last"
            again = await broker.announce(**STORY, external_id=newest, idempotency_key=f"key-{OPEN - 1}")
            assert (again.repeated, again.report.id) == (True, report.id)
            withdrawn = await broker.withdraw(newest)
            assert set(states(withdrawn).values()) == {"skipped"}
            for channel in ("partner", "chat"):
                await core_of(broker).resume("agency", channel)
            for number in range(OPEN - 1):
                await broker.settled(f"cms-{number}")
        assert len(hooks.log.posts) == 2 * (OPEN - 1), "each once, and none of what was withdrawn"


async def test_more_than_memory_holds_goes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.engine.held.DELIVERIES_A_CASE", 0.002)  # ten deliveries of 5,000 cases
    async with WebhookEmulator(lag=(0, 0)) as hooks:
        await queue(path := settings(tmp_path, hooks.base_url))
        async with loa.Broker.open(path) as broker:
            for channel in ("partner", "chat"):
                await core_of(broker).resume("agency", channel)
            for number in range(OPEN):
                assert (await broker.settled(f"cms-{number}")).complete
        assert len(hooks.log.posts) == 2 * OPEN


async def test_a_broker_closes_though_nobody_told_a_case_anything(tmp_path: Path) -> None:
    async with WebhookEmulator(lag=(0, 0)) as hooks:
        await queue(path := settings(tmp_path, hooks.base_url))
        async with asyncio.timeout(60), loa.Broker.open(path) as broker:
            core = core_of(broker)
            report = await broker.get("cms-0")
            while not core.engine.dispatcher.holds(report.id) or core.engine.dispatcher._held[report.id].inputs:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            core.engine.dispatcher.drop(report.id)
            [case] = core.store.load([report.id])
            core.engine.dispatcher.hold(case)  # as a request does that is cancelled right after
    assert hooks.log.posts == []
