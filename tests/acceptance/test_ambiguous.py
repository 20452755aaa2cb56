"""R12 in its short form: answers lost after the post was made (docs/promises.md has the long form's figures)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.ambiguous import ambiguous
from tests.acceptance.rig import CHANNELS, SLOWER

SEED = 20261122


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("channels", "cases", "open_each"),
    [
        pytest.param(CHANNELS, 25, 2, id="at_once"),  # Telegram and mail cannot be asked
        pytest.param(SLOWER, 6, 2, id="slower"),  # nor can Zalo, which tells of no broadcast what became of it
    ],
)
async def test_a_post_nobody_heard_of_is_there_once(
    tmp_path: Path, channels: Mapping[str, str], cases: int, open_each: int
) -> None:
    """One copy where that can be known; where nobody can, one at most, and the status says so each time."""
    found = await ambiguous(tmp_path, cases, SEED, only=channels)
    print(f"seed {SEED}: {dict(found.cases)}, {dict(found.ways)}, {found.verdict.figures()}")
    assert found.verdict.faults == []
    assert found.verdict.left_open == []
    assert found.cases == dict.fromkeys(channels, cases)
    assert found.verdict.unconfirmed == cases * open_each


@pytest.mark.parametrize(
    ("sabotage", "only", "way"),
    [
        ("hasty", ("telegram", "people", "zalo", "zalo_push"), "lost, then reset"),
        ("rash", ("zalo",), "run later"),
        ("blind", ("zalo",), "lost, then reset"),
        (
            "forgetful",
            ("threads", "partner", "instagram", "tiktok", "pictures", "youtube", "vneid"),
            "lost, then reset",
        ),
    ],
)
async def test_a_broker_that_guesses_posts_twice(
    tmp_path: Path, sabotage: str, only: tuple[str, ...], way: str
) -> None:
    """Sabotage: repeat on a timeout, take a list without the post for a proof, read nothing back, forget handles."""
    found = await ambiguous(tmp_path, 2, SEED, sabotage=sabotage, only=only, ways=[way])
    twice = {where.split()[2].rstrip(":") for where in found.verdict.duplicates}
    assert twice == set(only)
