"""A disk that really fills up: a small file system, mounted where nobody else sees it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from broker.clock import SystemClock
from broker.engine.writer import Lane, Writer
from broker.errors import StoreFull
from broker.model import Case, State
from broker.store import Done
from broker.store.sqlite import SqliteStore
from tests.contract.store_samples import accept, case, moved, save
from tests.contract.store_suite import LEASE, mine

ROOT = Path(__file__).resolve().parents[2]
MOUNTED = "mount -t tmpfs -o size=24m none {folder} && exec {python} -m tests.contract.test_full_disk {folder}"
BALLAST = 8_000_000


def test_in_flight_results_are_recorded_on_a_full_disk_and_nothing_accepted_is_lost(tmp_path: Path):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine permits no mount namespaces")
    command = MOUNTED.format(folder=tmp_path, python=sys.executable)
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def opened(folder: Path) -> SqliteStore:
    store = SqliteStore(folder / "loa.db", SystemClock(), ballast_bytes=BALLAST)
    store.open()
    return store


async def fill_and_clear(folder: Path) -> None:
    filler = folder / "filler"
    with closing(opened(folder)) as store:
        store.begin_run("r1", LEASE)
        filler.write_bytes(bytes(10_000_000))
        writer = Writer(store, SystemClock())
        await writer.start()
        accepted = await accept_until_full(writer)
        outcomes = [(one, moved(one, "site", state=State.LIVE, handle="h" * 500)) for one in accepted]
        written = [await writer.write(save(*outcome), Lane.OUTCOMES) for outcome in outcomes]
        assert written == [Done()] * len(outcomes), "what was in flight has room of its own"
        assert not (folder / "loa.db.ballast").exists()
        last = await rewritten(writer, outcomes[-1][1], 1000)
        with pytest.raises(StoreFull):
            await writer.write(accept(case(90_000)), Lane.ACCEPTS)
        filler.unlink()
        again = await accept_again(writer)
        assert (folder / "loa.db.ballast").stat().st_size == BALLAST
        await writer.stop()
        assert not writer.failed.is_set()
    expected = [*(after for _, after in outcomes[:-1]), last, again]
    with closing(opened(folder)) as store:
        assert store.load([one.announcement.id for one in expected]) == expected


async def accept_until_full(writer: Writer) -> list[Case]:
    accepted: list[Case] = []
    try:
        for number in range(10_000):
            one = mine(case(number, draft={"body": "x" * 3000}))
            assert await writer.write(accept(one), Lane.ACCEPTS) == Done()
            accepted.append(one)
    except StoreFull:
        return accepted
    raise AssertionError("the disk did not fill up")


async def rewritten(writer: Writer, one: Case, times: int) -> Case:
    """The case after so many changes, one after the other, each of which found room."""
    for number in range(times):
        after = moved(one, "site", handle=f"{number:0500}")
        assert await writer.write(save(one, after), Lane.OUTCOMES) == Done(), f"no room after {number} changes"
        one = after
    return one


async def accept_again(writer: Writer) -> Case:
    """By itself, soon after there is space again."""
    async with asyncio.timeout(60):
        while True:
            one = mine(case(99_999))
            try:
                assert await writer.write(accept(one), Lane.ACCEPTS) == Done()
            except StoreFull:
                await asyncio.sleep(0.1)
            else:
                return one


if __name__ == "__main__":
    asyncio.run(fill_and_clear(Path(sys.argv[1])))
