"""A backup taken under load, restored elsewhere while the first broker runs on: nothing goes out twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import ROOT, platforms
from tests.acceptance.rig import CHANNELS, EMULATED, KEY, OPTIONS, Rig


async def loa(*arguments: str, rig: Rig) -> tuple[int, str]:
    """One command, as a person types it; its exit code and all it says."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "broker", *arguments),
        cwd=ROOT,
        env={**environment, "LOA_CONFIG": str(rig.config), "LOA_URL": rig.url, "LOA_KEY": KEY},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def copies(rig: Rig) -> Counter[tuple[str, str]]:
    """How often each platform took each announcement in, by the token in its headline."""
    found: Counter[tuple[str, str]] = Counter()
    for channel, name in CHANNELS.items():
        log = await rig.control.log(name)
        for one in rig.submissions:
            taken = sum(one.token in post.text for post in log.taken)
            found[channel, one.token] += taken
    return found


@pytest.fixture
async def rigs(tmp_path: Path):
    """Two brokers that use the same accounts."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    async with (
        platforms(*EMULATED, options=OPTIONS) as (control, found),
        Rig(tmp_path / "first", control, found) as first,
        Rig(tmp_path / "second", control, found, seed=1) as second,
    ):
        yield first, second


async def test_a_restored_broker_repeats_nothing_while_the_first_one_runs_on(rigs, tmp_path: Path) -> None:
    first, second = rigs
    backup = tmp_path / "backup.db"
    await first.start()
    assert (await loa("pause", "threads", rig=first))[0] == 0
    first.submit(12)
    await first.control.until("webhook", lambda log: len(log.taken) >= 4)
    (code, said), _ = await asyncio.gather(loa("backup", str(backup), rig=first), under_load(first))
    assert (code, "bytes" in said) == (0, True), said
    assert (await loa("resume", "threads", rig=first))[0] == 0
    verdict = await first.verdict()
    assert verdict.faults == []

    code, said = await loa("restore", str(backup), rig=second)
    assert (code, "confirm-restore" in said) == (0, True), said
    before = await copies(first)
    await second.start()
    assert (await loa("resume", "threads", rig=second))[0] == 0
    [new] = second.submit()
    await second.accepted()
    assert await opened(second), "a backup under load holds announcements that were under way"
    assert await copies(first) == before
    assert sum((await copies(second)).values()) == 0

    code, said = await loa("confirm-restore", "skip", rig=second)
    assert (code, "nothing older" in said) == (0, True), said
    done = (await second.settled())[-1]
    assert {d["state"] for d in done["deliveries"]} == {"live"}, done
    assert new.answered is not None
    assert await copies(first) == before
    assert set((await copies(second)).values()) == {1}
    assert max(before.values()) == 1
    assert not await opened(second)


async def under_load(rig: Rig) -> None:
    for _ in range(10):
        rig.submit(2)
        await asyncio.sleep(0.02)


async def opened(rig: Rig) -> list[str]:
    """Announcements of the backup in which something was unsent or under way."""
    _, said = await loa("status", "--json", "--limit", "200", rig=rig)
    mine = {one.answered["id"] for one in rig.submissions if one.answered}
    moving = {"due", "sending", "standby", "checking", "pending"}
    reports: list[dict[str, Any]] = json.loads(said)
    return [r["id"] for r in reports if r["id"] not in mine and moving & {d["state"] for d in r["deliveries"]}]


async def test_a_restore_is_refused_where_it_would_do_harm(rigs, tmp_path: Path) -> None:
    first, _ = rigs
    backup = tmp_path / "backup.db"
    await first.start()
    first.submit(3)
    await first.settled()
    assert (await loa("backup", str(backup), rig=first))[0] == 0
    assert backup.stat().st_mode & 0o077 == 0
    assert "nothing is overwritten" in (await loa("backup", str(backup), rig=first))[1]
    code, said = await loa("restore", str(backup), "--replace", rig=first)
    assert (code, "in use by another process" in said) == (2, True), said
    await first.end(signal.SIGTERM)
    code, said = await loa("restore", str(backup), rig=first)
    assert (code, "--replace" in said) == (2, True), said
    (tmp_path / "text.db").write_bytes(b"no database")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE t (a)")
    for wrong in (tmp_path / "text.db", tmp_path / "other.db"):
        code, said = await loa("restore", str(wrong), "--replace", rig=first)
        assert (code, "no store of Loa's" in said) == (2, True), said
    code, said = await loa("restore", str(damaged(backup, tmp_path)), "--replace", rig=first)
    assert (code, "damaged" in said) == (2, True), said
    assert first.store.exists()
    code, said = await loa("restore", str(backup), "--replace", rig=first)
    assert (code, "before-restore" in said) == (0, True), said
    assert [path.name for path in first.disk.iterdir() if "before-restore" in path.name]


def damaged(backup: Path, folder: Path) -> Path:
    """The same with a page of zeros in the middle."""
    data = bytearray(backup.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = bytes(4096)
    path = folder / "damaged.db"
    path.write_bytes(data)
    return path
