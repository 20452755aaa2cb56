"""Disks that fail, fill up or end with the process (R1, R4, R5, R21 in their short forms)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.disk import broken_disk, full_disk, killed_at_call

SEED = 20261122
ANSWERS_WITHIN_S, SPACE_IS_USED_WITHIN_S = 5.0, 15.0
"""Promised are 1 s and 5 s, on a machine that has nothing else to do: docs/promises.md has what was measured."""


@pytest.mark.parametrize("nth", [3, 7, 9, 12, 16])
async def test_a_disk_that_fails_acknowledges_nothing_more(tmp_path: Path, nth: int) -> None:
    """R4: EIO at the n-th sync; the process ends, and the next one finds everything that was accepted."""
    found = await broken_disk(tmp_path, nth, SEED + nth)
    print(f"EIO at sync {nth}: exit {found.exit_code}, {found.unrecorded} unrecorded, {found.verdict.figures()}")
    assert found.exit_code not in (0, -9)
    assert found.acknowledged_after == []
    assert found.verdict.faults == []


@pytest.mark.parametrize("calls", ["fdatasync", "pwrite64", "sendto"])
async def test_it_may_die_at_any_call(tmp_path: Path, calls: str) -> None:
    """R1 and R21: killed at the n-th sync, write or send, from the first start's migration on."""
    verdict = await killed_at_call(tmp_path, calls, [1, 3, 8, 21], SEED)
    print(f"{calls}: {verdict.figures()}")
    assert verdict.faults == []


async def test_a_full_disk_refuses_and_resumes_alone(tmp_path: Path) -> None:
    """R5: 507 with Retry-After within a second, what is in flight is still recorded, and space is used at once."""
    found = await full_disk(tmp_path, SEED, seconds=3)
    print(found.figures(), found.verdict.figures())
    assert found.answers.keys() == {"507"}
    assert (found.without_retry_after, found.unrecorded, found.sent_without_intent) == (0, 0, 0)
    assert found.slowest_answer_s < ANSWERS_WITHIN_S
    assert found.resumed_s < SPACE_IS_USED_WITHIN_S
    assert found.verdict.faults == []
    assert found.verdict.unconfirmed == 0
