"""R23 in its short form: flipped bits in the store of a real broker."""

from __future__ import annotations

from pathlib import Path
from signal import SIGTERM

from tests.acceptance.damage import flipped
from tests.acceptance.rig import Rig

SEED = 20261122
PLACES = 60


async def test_a_flipped_bit_is_found_or_harms_nothing(rig: Rig, tmp_path: Path) -> None:
    await rig.start()
    rig.submit(12)
    await rig.verdict()
    await rig.end(SIGTERM)
    folder = tmp_path / "copies"
    folder.mkdir()
    found = flipped(rig.store, folder, PLACES, SEED)
    print(f"seed {SEED}: {dict(found.places)}")
    assert found.silent == []
    assert found.places["one record is quarantined"] > 0
