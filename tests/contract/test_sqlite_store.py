"""The conformance suite on SQLite, on a file and in memory, and what only SQLite's store promises."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.errors import StoreError, StoreFull, StoreInUse
from broker.model import State
from broker.store import Done, Store
from broker.store.database import LONG_LOG_BYTES
from broker.store.queries import Queries
from broker.store.rows import checksum
from broker.store.sqlite import SqliteStore
from broker.values import replace
from tests.contract.store_samples import AGENCY, NOON, HandClock, accept, case, identity, moved, save
from tests.contract.store_suite import LEASE, StoreSuite, ids, mine, stored

ROOT = Path(__file__).resolve().parents[2]


def opened(path: Path | str, clock: HandClock | None = None, **options: Any) -> SqliteStore:
    store = SqliteStore(path, clock or HandClock(), **{"ballast_bytes": 0, **options})
    store.open()
    return store


def memory_stores() -> Iterator[Callable[[], Store]]:
    """Makes stores that are closed with the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(opened(":memory:")))


class TestOnFile(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path, clock: HandClock) -> Iterator[Store]:
        with closing(opened(tmp_path / "loa.db", clock)) as store:
            yield store

    @pytest.fixture
    def empty_store(self) -> Iterator[Callable[[], Store]]:
        yield from memory_stores()


class TestInMemory(StoreSuite):
    @pytest.fixture
    def store(self, clock: HandClock) -> Iterator[Store]:
        with closing(opened(":memory:", clock)) as store:
            yield store

    @pytest.fixture
    def empty_store(self) -> Iterator[Callable[[], Store]]:
        yield from memory_stores()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "loa.db"


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs `script`; its caller ends it."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


OPEN = """
import os, sys
from broker.errors import StoreError
from broker.store import Done
from broker.store.sqlite import SqliteStore
from tests.contract.store_samples import HandClock, accept, case, timedelta
store = SqliteStore(sys.argv[1], HandClock(), ballast_bytes=0)
store.open()
"""

# restarts


def test_everything_is_there_after_a_restart(path: Path):
    with closing(opened(path)) as store:
        store.begin_run("r1", LEASE)
        store.commit([accept(mine(case())), accept(case(2))])
        store.commit([save(mine(case()), moved(mine(case()), "site", state=State.LIVE))])
    with closing(opened(path)) as store:
        assert stored(store, case()) == moved(mine(case()), "site", state=State.LIVE)
        store.begin_run("r2", LEASE)
        assert len(store.claim("r2", NOON, 10)) == 2, "opening ends every earlier run"


def test_a_store_can_be_closed_twice_and_says_so_afterwards(path: Path):
    store = opened(path)
    store.load([])
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.commit([accept(case())])
    with pytest.raises(StoreError, match="closed"):
        store.load([identity(1)])


KILLED = """
first = int(sys.argv[2])
for n in range(first, first + 100_000):
    assert store.commit([accept(case(n)), accept(case(n + 500_000))]) == [Done(), Done()]
    print(n, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_acknowledged(path: Path):
    acknowledged: list[int] = []
    for start in (1, 100_001, 200_001):
        with python(OPEN + KILLED, path, start) as writer:
            assert writer.stdout is not None
            acknowledged += [int(writer.stdout.readline()) for _ in range(25)]
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
        with closing(opened(path)) as store:
            promised = [identity(n + more) for n in acknowledged for more in (0, 500_000)]
            assert ids(store.load(promised)) == promised
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
            [found] = db.execute("SELECT count(*) FROM announcement").fetchone()
            assert len(promised) <= found <= len(promised) + 2 * 3


# one process


def test_a_second_process_is_told_who_has_the_store(path: Path):
    with closing(opened(path)), python(OPEN, path) as second:
        _, errors = second.communicate(timeout=120)
    assert second.returncode == 1
    last = errors.splitlines()[-1]
    assert "StoreInUse" in last
    assert str(path) in last
    assert f"pid {os.getpid()}" in last
    assert "store.url" in last
    with python(OPEN, path) as third:
        third.communicate(timeout=120)
    assert third.returncode == 0, "the store is free once it is closed"


def test_the_same_file_by_another_name_is_in_use_too(path: Path):
    link = path.with_name("link.db")
    link.symlink_to(path)
    with closing(opened(path)), pytest.raises(StoreInUse):
        opened(link)


def test_the_files_are_for_their_owner_only(path: Path):
    path.touch(mode=0o666)
    path.chmod(0o666)
    with closing(opened(path, ballast_bytes=4096)) as store:
        store.commit([accept(case())])
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {f"loa.db{end}": 0o600 for end in ("", "-wal", "-shm", ".lock", ".ballast")}


def test_what_cannot_be_opened_is_told_with_what_to_do(tmp_path: Path, path: Path):
    with pytest.raises(StoreError, match="Create the folder"):
        opened(tmp_path / "missing" / "loa.db")
    with pytest.raises(StoreError, match="cannot be opened"):
        opened(tmp_path)
    (tmp_path / "text.db").write_text("This is no database, and long enough to be seen as none.\n" * 40)
    with pytest.raises(StoreError, match="not a database"):
        opened(tmp_path / "text.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another program"):
        opened(path)


def test_a_newer_version_s_store_is_left_alone(path: Path):
    opened(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 1000")
    with pytest.raises(StoreError, match="newer version"):
        opened(path)


# a full and a broken disk


def test_a_full_disk_refuses_and_leaves_all_as_it_was():
    with closing(opened(":memory:")) as store:
        store.begin_run("r1", LEASE)
        store.commit([accept(mine(case()))])
        with store._database.writing() as db:
            [pages] = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreFull, match="free some space"):
            store.commit([accept(case(n, draft={"body": "x" * 2000})) for n in range(2, 50)])
        assert ids(store.announcements(AGENCY)) == [identity(1)]
        with store._database.writing() as db:
            db.execute("PRAGMA max_page_count = 100000")
        assert store.commit([accept(case(2))]) == [Done()]


BROKEN_DISK = """
import resource
assert store.commit([accept(case(1))]) == [Done()]
lift = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (os.stat(sys.argv[1] + "-wal").st_size, lift[1]))
for n in (2, 3):
    try:
        store.commit([accept(case(n))])
    except StoreError as error:
        print(type(error).__name__, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, lift)
try:
    store.begin_run("r1", timedelta(1))
except StoreError as error:
    print(type(error).__name__, error)
"""


def test_after_a_failed_write_nothing_more_is_written(path: Path):
    with python(OPEN + BROKEN_DISK, path) as process:
        output, errors = process.communicate(timeout=120)
    assert errors == ""
    assert len(output.splitlines()) == 3, "also the writes after the disk was well again"
    assert all(line.startswith("StoreError") and "disk I/O error" in line for line in output.splitlines())
    with closing(opened(path)) as store:
        assert ids(store.announcements(AGENCY)) == [identity(1)]


def test_the_ballast_is_held_released_and_held_again(path: Path):
    ballast = path.with_name("loa.db.ballast")
    with closing(opened(path, ballast_bytes=1_000_000)) as store:
        assert ballast.stat().st_size == 1_000_000
        assert ballast.stat().st_blocks * 512 >= 1_000_000, "a file of holes would hold nothing back"
        assert store.release_ballast()
        assert not ballast.exists()
        assert not store.release_ballast()
        assert store.renew_ballast()
        assert ballast.stat().st_size == 1_000_000
    with closing(opened(path, ballast_bytes=1 << 60)) as store:
        assert not store.renew_ballast(), "more than any disk has"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE delivery SET data = replace(data, '{', '{ ') WHERE announcement_id = ?",
        "UPDATE delivery SET attempt = attempt + 1 WHERE announcement_id = ? AND channel = 'site'",
        "UPDATE delivery SET state = 'live' WHERE announcement_id = ?",
        "DELETE FROM delivery WHERE announcement_id = ? AND channel = 'site'",
        "UPDATE announcement SET wake_at = 1 WHERE id = ?",
        "UPDATE content SET draft = replace(draft, 'Tin', 'Tín') WHERE announcement_id = ?",
        "UPDATE content SET composed = '{}' WHERE announcement_id = ?",
        "UPDATE recomposed SET composed = replace(composed, 'muộn', 'sớm') WHERE announcement_id = ?",
    ],
)
def test_a_damaged_record_is_found_and_keeps_no_other_back(path: Path, damage: str):
    with closing(opened(path)) as store:
        store.begin_run("r1", LEASE)
        two = mine(case(2))
        store.commit([accept(mine(case(1))), accept(two), accept(mine(case(3)))])
        late = replace(two.deliveries["site"].composed, text="muộn")
        store.commit([save(two, moved(two, "site", composed=late))])
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            assert db.execute(damage, (identity(2),)).rowcount >= 1
        with capture_logs() as logs:
            assert ids(store.load([identity(n) for n in (1, 2, 3)])) == [identity(1), identity(3)]
            assert len(store.announcements(AGENCY)) == 2
        assert [(log["event"], log["announcement_id"]) for log in logs] == [("store.damaged", identity(2))]
        assert store.owned("r1") == {identity(1), identity(3)}, "nobody is to wait for it"


def test_checksums_are_those_that_earlier_versions_wrote():
    hard = 'Bão số 9:\t"gió" \\ giật\x01\x7f\u2028 \N{GRINNING FACE}\n'
    assert checksum(hard, 1795917775837830, None, -1, "") == 3268328854


# threads


def test_a_reader_never_sees_half_a_commit(path: Path):
    with closing(opened(path)) as store, ThreadPoolExecutor(2) as threads:
        store.begin_run("r1", LEASE)
        cases = [mine(case(n)) for n in range(60)]
        store.commit([accept(one) for one in cases])
        done: list[bool] = []

        def read() -> set[int]:
            gaps = set()
            while not done:
                found = store.load([identity(n) for n in range(60)])
                gaps |= {one.announcement.events - one.deliveries["site"].asks for one in found}
            return gaps

        readers = [threads.submit(read) for _ in range(2)]
        for asks in range(1, 60):
            moves = [(one, moved(one, "site", asks=asks)) for one in cases]
            assert store.commit([save(*move) for move in moves]) == [Done()] * 60
            cases = [after for _, after in moves]
        done.append(True)
        assert [reader.result(timeout=120) for reader in readers] == [{1}] * 2


def test_a_log_that_grew_while_somebody_read_is_cut_off_when_nobody_does(path: Path):
    """A backup of a large store holds a snapshot for minutes."""
    log = path.with_name(f"{path.name}-wal")
    with closing(opened(path)) as store:
        database = store._database
        with database.reading() as reader:
            reader.execute("SELECT count(*) FROM announcement").fetchone()
            for n in range(7):
                with database.writing() as db:
                    db.execute("INSERT INTO breaker VALUES (?, ?)", (f"a/{n}", f'"{"x" * 10_000_000}"'))
            grown = log.stat().st_size
            begun = time.monotonic()
            database.checkpoint()
            assert time.monotonic() - begun < 8, "it waits for no reader"
            assert log.stat().st_size == grown > LONG_LOG_BYTES
        database.checkpoint()
        assert log.stat().st_size == 0
        store.commit([accept(case(1))])
        assert len(store.breakers()) == 7


# plans


WIDTHS = {"save_announcements": 8, "save_deliveries": 13, "save_recomposed": 4, "delete_inbox": 1, "delete_settings": 1}
MAY_BE_SCANNED = {"holder", "run", "breaker", "CONSTANT", "new", "wanted", "json_each"}
"""Small tables, and lists the query was given."""


@pytest.mark.parametrize("name", sorted(name for name in Queries() if not name.startswith("insert_")))
def test_no_query_goes_through_a_table_that_grows(name: str):
    steps = plan(name)
    scanned = {step.split()[1] for step in steps if step.startswith("SCAN ")}
    if name == "counts":
        assert "SCAN a USING COVERING INDEX announcement_open" in steps, "only what is open is counted"
        scanned.remove("a")
    assert scanned <= MAY_BE_SCANNED, steps


def plan(name: str) -> list[str]:
    """The steps of a query as SQLite plans them, for one row where it takes many."""
    width = WIDTHS.get(name, 2)
    text = Queries()[name].replace(":rows", f"({', '.join('?' * width)})")
    values = dict.fromkeys(re.findall(r":(\w+)", text)) or [None] * text.count("?")
    with closing(opened(":memory:")) as store, store._database.reading() as db:
        return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values)]


@pytest.mark.parametrize("name", ["due", "in_question", "owed", "owned", "live_neighbour", "newest"])
def test_the_frequent_questions_are_answered_from_an_index_alone(name: str):
    first, *others = plan(name)
    assert "COVERING INDEX" in first
    assert name == "owed" or not others, "in the order of the index, without sorting"


BACKLOG = """
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100000)
"""


@pytest.mark.skipif("LOA_DEEP" not in os.environ, reason="takes a minute: set LOA_DEEP=1")
@pytest.mark.timeout(300)
def test_due_and_claim_take_10_ms_among_a_million_deliveries(path: Path):
    with closing(opened(path)) as store:
        store.begin_run("r1", LEASE)
        store.commit([accept(case(0, *(f"channel{n}" for n in range(10))))])
        with store._database.writing() as db:
            db.execute(
                f"""INSERT INTO announcement {BACKLOG}
                SELECT printf('0195%012x', n), agency, printf('TVD-%06d', n), NULL, accepted_at + n, status, NULL,
                       NULL, NULL, 0, data, crc FROM number, announcement WHERE announcement.id = '{identity(0)}'"""
            )
            db.execute(
                f"""INSERT INTO delivery {BACKLOG}
                SELECT printf('0195%012x', n), channel, agency, n % 100 = 0, accepted_at + n, role, state, attempt,
                       next_at, live_at, platform_id, cause, data, crc FROM number, delivery
                WHERE announcement_id = '{identity(0)}'"""
            )
        assert _fastest(lambda: store.due(AGENCY, "channel7", NOON, 500)) < 0.010
        assert _fastest(lambda: store.woken("r1", NOON, 500)) < 0.010
        assert _fastest(lambda: store._read("claimable", owner=None, until=0, limit=500)) < 0.010


def _fastest(question: Callable[[], object]) -> float:
    def took() -> float:
        begun = time.perf_counter()
        question()
        return time.perf_counter() - begun

    return min(took() for _ in range(5))


def test_what_a_damaged_owner_holds_is_claimed_all_the_same(path: Path):
    one = mine(case(1))
    with closing(opened(path)) as store:
        store.begin_run("r1", LEASE)
        assert store.commit([accept(one)]) == [Done()]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE announcement SET owner = 'r1?'")
    with closing(opened(path)) as store:
        store.begin_run("r2", LEASE)
        assert [each.announcement.id for each in store.claim("r2", NOON, 10)] == [one.announcement.id]


def test_a_broken_structure_is_told_at_open(path: Path):
    with closing(opened(path)) as store:
        store.begin_run("r1", LEASE)
        store.commit([accept(mine(case(1)))])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'announcement_newest'")
    with capture_logs() as logs, closing(opened(path)):
        assert [log["event"] for log in logs] == ["store.damaged"]
