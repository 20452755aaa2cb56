"""R12 in its short form: answers lost after the post was made (docs/promises.md has the long form's figures)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.ambiguous import ambiguous
from tests.acceptance.rig import CHANNELS
from tests.acceptance.verdict import BLIND

SEED = 20261122
CASES = 25


@pytest.mark.timeout(600)
async def test_a_post_nobody_heard_of_is_there_once(tmp_path: Path) -> None:
    """One copy where that can be known; where nobody can, one at most, and the status says so each time."""
    found = await ambiguous(tmp_path, CASES, SEED)
    print(f"seed {SEED}: {dict(found.cases)}, {dict(found.ways)}, {found.verdict.figures()}")
    assert found.verdict.faults == []
    assert found.verdict.left_open == []
    assert found.cases == dict.fromkeys(CHANNELS, CASES)
    assert found.verdict.unconfirmed == CASES * len(BLIND)


@pytest.mark.parametrize(
    ("sabotage", "only", "way"),
    [
        ("hasty", ("telegram", "people", "zalo"), "lost, then reset"),
        ("rash", ("zalo",), "run later"),
        ("blind", ("zalo",), "lost, then reset"),
    ],
)
async def test_a_broker_that_guesses_posts_twice(
    tmp_path: Path, sabotage: str, only: tuple[str, ...], way: str
) -> None:
    """Sabotage: repeat on a timeout, take a list without the post for a proof, read nothing back."""
    found = await ambiguous(tmp_path, 2, SEED, sabotage=sabotage, only=only, ways=[way])
    assert len(found.verdict.duplicates) >= len(only)
