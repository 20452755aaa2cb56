"""R3 in its short form: power cuts on a file system that drops what was not synced."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.acceptance.power import cut_off

SEED = 20261122
HAS_FUSE = find_spec("mfusepy") is not None and shutil.which("fusermount3") is not None and Path("/dev/fuse").exists()

pytestmark = pytest.mark.skipif(not HAS_FUSE, reason="needs Debian's fuse3 and PyPI's mfusepy")


async def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    found = await cut_off(tmp_path, 10, SEED)
    print(f"seed {SEED}: {found.verdict.figures()}")
    assert found.verdict.faults == []


async def test_without_syncs_a_power_cut_loses_what_was_acknowledged(tmp_path: Path) -> None:
    """Sabotage: synchronous=OFF."""
    found = await cut_off(tmp_path, 4, SEED, sabotage="synchronous_off")
    assert found.verdict.lost
