"""What a restart must not do to announcements that were under way."""

from __future__ import annotations

from tests.acceptance.rig import Rig


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
