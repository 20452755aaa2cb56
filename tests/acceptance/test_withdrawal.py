"""Withdrawn while Meta is down: whatever is killed, no late copy follows when it returns, by the platforms' logs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from broker.engine.switches import Point
from tests.acceptance.processes import PATIENCE_S
from tests.acceptance.rig import Rig, Submission

META = ("facebook", "threads")


async def parked(rig: Rig, one: Submission) -> dict[str, Any]:
    """Waits until Meta's channels owe a copy and all others show it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            report = await rig.report(one)
            assert report is not None
            states = {d["channel"]: d["state"] for d in report["deliveries"]}
            if all(states[name] == ("due" if name in META else "live") for name in states):
                return report
            await asyncio.sleep(0.05)


async def up_there(rig: Rig, one: Submission) -> Mapping[str, list[bool]]:
    """By platform: for each copy it ever took, whether it is still there."""
    logs = {name: await rig.control.log(name) for name in ("facebook", "threads", "zalo", "telegram")}
    return {name: [post.is_up for post in log.posts if one.token in post.text] for name, log in logs.items()}


@pytest.mark.parametrize("dies_at", [None, Point.INBOX_DURABLE, Point.INBOX_TAKEN, Point.INBOX_SETTLED])
async def test_no_late_copy_follows_a_withdrawal(rig: Rig, dies_at: Point | None) -> None:
    """A second before Meta returns; the broker also dies between the withdrawal's commit and its answer."""
    for name in META:
        await rig.control.fail(name, "refused")
    await rig.start(crash_at=f"{dies_at}:1" if dies_at else "")
    [one] = rig.submit()
    await rig.accepted()
    await parked(rig, one)
    rig.take_back(one)
    if dies_at is not None:
        assert await rig.died(PATIENCE_S)
        await rig.start(wait=False)
    await asyncio.sleep(1)  # what is tested: the time from a withdrawal to the return
    for name in META:
        await rig.control.heal(name)
    await rig.ready()
    await rig.accepted()
    [report] = await rig.settled()
    assert report["status"] == "withdrawn"
    await back(rig)
    assert await up_there(rig, one) == {"facebook": [], "threads": [], "zalo": [False], "telegram": [False]}
    assert [entry["channel"] for entry in report["to_remove"]] == ["people"]


async def back(rig: Rig) -> None:
    """Meta works again by the broker's own knowledge: one more announcement goes everywhere."""
    [later] = rig.submit()
    await rig.accepted()
    for name in META:
        await rig.control.until(name, lambda log: any(later.token in post.text for post in log.posts), PATIENCE_S)
