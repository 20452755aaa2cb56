"""Disks that fail, fill up or end with the process (R1, R4, R5, R21 in their short forms)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.acceptance.disk import broken_disk, fill, inside, killed_at_call, mounted, refused
from tests.acceptance.rig import Rig

SEED = 20261122
SPACE_IS_USED_WITHIN_S = 5.0


@pytest.mark.timeout(90)
@pytest.mark.parametrize("nth", [3, 7, 9, 12, 16])
async def test_a_disk_that_fails_acknowledges_nothing_more(tmp_path: Path, nth: int) -> None:
    """R4: EIO at the n-th sync; the process ends, and the next one finds everything that was accepted."""
    found = await broken_disk(tmp_path, nth, SEED + nth)
    print(f"EIO at sync {nth}: exit {found.exit_code}, {found.unrecorded} unrecorded, {found.verdict.figures()}")
    assert found.exit_code not in (0, -9)
    assert found.acknowledged_after == []
    assert found.verdict.faults == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("calls", ["fdatasync", "pwrite64", "sendto"])
async def test_it_may_die_at_any_call(tmp_path: Path, calls: str) -> None:
    """R1 and R21: killed at the n-th sync, write or send, from the first start's migration on."""
    verdict = await killed_at_call(tmp_path, calls, [1, 3, 8, 21], SEED)
    print(f"{calls}: {verdict.figures()}")
    assert verdict.faults == []


@pytest.mark.timeout(90)
async def test_a_full_disk_refuses_and_resumes_alone(rig: Rig) -> None:
    """R5: 507 with Retry-After within a second, what is in flight is still recorded, and space is used at once."""
    await rig.start(wrapped=mounted(rig.disk, "40m"))
    rig.submit(2)
    await rig.accepted()
    await rig.control.fail("telegram", "slow_drip", step="publish", after=0.004)
    rig.submit(3)
    await rig.accepted()
    filler = inside(rig, rig.disk / "filler")
    fill(filler)
    status, retry_after, seconds = await refused(rig)
    assert status == 507
    assert retry_after is not None
    assert int(retry_after) >= 1
    assert seconds < 1
    rig.submit(3)
    await rig.settled()
    in_flight = [await rig.report(one) for one in rig.submissions[2:5]]
    assert all(d["state"] == "live" for report in in_flight if report for d in report["deliveries"])
    assert not any(one.answered for one in rig.submissions[5:])
    await rig.control.heal("telegram")
    filler.unlink()
    freed_at = time.monotonic()
    await rig.accepted(SPACE_IS_USED_WITHIN_S)
    assert time.monotonic() - freed_at <= SPACE_IS_USED_WITHIN_S
    verdict = await rig.verdict()
    assert verdict.faults == []
    assert verdict.unconfirmed == 0
