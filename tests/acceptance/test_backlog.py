"""P8 in its short form: much is waiting, nobody answers."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.backlog import waits

RSS_MB = 256


async def test_what_waits_is_not_held_in_memory_nor_searched_for(tmp_path: Path) -> None:
    found = await waits(tmp_path, 6_000, for_s=5)
    print(found)
    assert found.peak_rss_mb <= RSS_MB
    assert found.scans == []
