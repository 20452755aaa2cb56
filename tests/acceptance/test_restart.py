"""What a restart must not do to announcements that were under way."""

from __future__ import annotations

from signal import SIGKILL

import pytest

from tests.acceptance.processes import PATIENCE_S
from tests.acceptance.rig import Rig
from tests.acceptance.runner import HUNG_AFTER_S


async def test_a_backlog_that_no_outage_made_is_sent_whole(rig: Rig) -> None:
    """Eight posts of one channel are in flight when the broker dies: they are no late copies of which five are kept."""
    await rig.control.fail("threads", "stall", step="create")
    await rig.start()
    rig.submit(8)
    await rig.control.until("threads", lambda log: len(log.asked("create")) == 8)
    await rig.end()
    await rig.control.heal("threads")
    await rig.start()
    verdict = await rig.verdict()
    assert [*verdict.faults, *verdict.given_up] == []
    assert verdict.deliveries == 8 * 6


@pytest.mark.parametrize("sabotage", ["", "unwatched"])
async def test_a_broker_that_hangs_ends_itself_and_goes_on_after_a_new_start(rig: Rig, sabotage: str) -> None:
    """Its loop stands still between an intent and its first byte. Sabotage: nobody watches."""
    rig.environment["LOA_HANG_AT"] = "intent.durable:2"
    await rig.start(sabotage=sabotage)
    rig.submit(2)
    assert await rig.died(within=HUNG_AFTER_S * 3 if sabotage else PATIENCE_S) == (not sabotage)
    assert await rig.end() == (-SIGKILL if sabotage else 1)
    assert ("most recent call first" in rig.words()) == (not sabotage)
    rig.environment.clear()
    await rig.start()
    assert (await rig.verdict()).faults == []
