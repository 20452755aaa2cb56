"""One SQLite database: its connections and transactions, its schema, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import RLock

from broker.errors import StoreError, StoreFull
from broker.store.files import OwnerLock, make_private
from broker.store.queries import without_comments

MEMORY = ":memory:"
OLDEST_SQLITE = (3, 37, 0)
APPLICATION_ID = 0x4C6F6121
"""Marks the file as ours: "Loa!"."""

DATA_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    ValueError,
)
"""What one operation's own data may raise."""

_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_BUSY_TIMEOUT_S = 10.0
LONG_LOG_BYTES = 64 * 1024 * 1024
"""Four times what calls for a checkpoint (sqlite.py): only a reader that stays for long lets it grow so far."""
CHECKED_AT_MOST_BYTES = 128 * 1024 * 1024
"""A check reads the whole file: so much takes well under a second."""


class Database:
    """A file in write-ahead mode that one process owns, with one writing connection and as many reading ones as are
    in use at once; or a database in memory with one connection for everything. Any thread may call."""

    def __init__(self, path: str | Path, *, synchronous: str = "FULL") -> None:
        self.in_memory = str(path) == MEMORY
        self.path = Path(path) if self.in_memory else Path(path).absolute()
        self._synchronous = synchronous
        self._owner_lock = OwnerLock(self.path.resolve())
        self._lock = RLock()
        self._writer: sqlite3.Connection | None = None
        self._readers: deque[sqlite3.Connection] = deque()
        self._failure: str | None = None

    def open(self) -> None:
        """Raises `StoreInUse` if another process has the file, `StoreError` if it is not ours to use."""
        if not self.in_memory:
            make_private(self.path)
            self._owner_lock.acquire()
        try:
            self._writer = self._connect(writes=True)
            if self.in_memory:
                _empty().backup(self._writer)
            _migrate(self._writer, self.path)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise explained(error, self.path) from error
            raise

    def close(self) -> None:
        """Idempotent. Reads under way end undisturbed."""
        with self._lock:
            writer, self._writer = self._writer, None
            while self._readers:
                self._readers.pop().close()
            if writer:
                writer.close()
            self._owner_lock.release()

    def flaw(self) -> str | None:
        """What is wrong with the file's structure, where it is small enough to look: checksums of rows do not tell of
        a row that is no longer found."""
        if self.in_memory or self.path.stat().st_size > CHECKED_AT_MOST_BYTES:
            return None
        with self.reading() as db:
            [found] = db.execute("PRAGMA integrity_check(1)").fetchone()
        return None if found == "ok" else str(found)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction. Raises `StoreFull`, after which all is as before, or `StoreError`, for good."""
        with self._lock:
            db = self._sound_writer()
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except BaseException as error:
                _roll_back(db)
                self._judge(error)
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A snapshot: what several queries find fits together."""
        if self.in_memory:
            with self._lock:
                yield self._open_writer()
            return
        db = self._take_reader()
        try:
            db.execute("BEGIN")
            yield db
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        finally:
            _roll_back(db)
            self._give_back(db)

    def checkpoint(self) -> None:
        """Moves the log into the file as far as readers permit. Ours to call, since SQLite's own hides its errors."""
        with self._lock:
            db = self._sound_writer()
            try:
                if self._log_bytes() > LONG_LOG_BYTES:
                    _cut_off_log(db)
                else:
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except sqlite3.Error as error:
                if not _is_full(error):
                    self._judge(error)

    def _log_bytes(self) -> int:
        log = Path(f"{self.path}-wal")
        return log.stat().st_size if not self.in_memory and log.exists() else 0

    def _sound_writer(self) -> sqlite3.Connection:
        if self._failure:
            raise StoreError(self._failure)
        return self._open_writer()

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            raise StoreError(f"The store {self.path} is closed.")
        return self._writer

    def _judge(self, error: BaseException) -> None:
        """Raises what an error of SQLite's means. But for lack of space, nothing is written from then on: what a
        failed write or sync left on the disk is unknown until the file is opened anew."""
        if not isinstance(error, sqlite3.Error) or isinstance(error, DATA_ERRORS):
            return
        meaning = explained(error, self.path)
        if not _is_full(error):
            self._failure = str(meaning)
        raise meaning from error

    def _take_reader(self) -> sqlite3.Connection:
        try:
            return self._readers.pop()
        except IndexError:
            self._open_writer()
            return self._connect(writes=False)

    def _give_back(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if self._writer is None:
                db.close()
            else:
                self._readers.append(db)

    def _connect(self, *, writes: bool) -> sqlite3.Connection:
        """Without implicit transactions, and usable by any thread, one at a time."""
        db = sqlite3.connect(
            str(self.path),
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        db.execute("PRAGMA temp_store = MEMORY")
        if writes:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA cache_size = -16000")
        else:
            db.execute("PRAGMA query_only = ON")
        return db


def _cut_off_log(db: sqlite3.Connection) -> None:
    """Moves it into the file, and gives its space back if nobody reads in it; waits for nobody."""
    db.execute("PRAGMA busy_timeout = 0")
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000:.0f}")


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Brings the schema forward, each migration in one transaction."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: Loa needs 3.37 or newer.")
    [version] = db.execute("PRAGMA user_version").fetchone()
    [application_id] = db.execute("PRAGMA application_id").fetchone()
    [tables] = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise StoreError(f"{path} is a database of another program: set store.url to a file of Loa's own.")
    migrations = _migrations()
    if version > len(migrations):
        raise StoreError(f"{path} was written by a newer version of Loa: run that one, or restore a backup.")
    for number, script in enumerate(migrations[version:], start=version + 1):
        _run_script(db, script, number)


@cache
def _migrations() -> list[str]:
    found = sorted((files("broker.store") / "migrations").iterdir(), key=lambda file: file.name)
    return [file.read_text(encoding="utf-8") for file in found]


@cache
def _empty() -> sqlite3.Connection:
    """What every database in memory begins as: simulations and tests open thousands."""
    db = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
    _migrate(db, Path(MEMORY))
    return db


def _run_script(db: sqlite3.Connection, script: str, number: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in without_comments(script).split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    except BaseException:
        _roll_back(db)
        raise


def _roll_back(db: sqlite3.Connection) -> None:
    """SQLite may have rolled back by itself, and a broken disk may keep it from doing so: both are the same here."""
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    except sqlite3.Error:
        return


def explained(error: sqlite3.Error, path: Path) -> StoreError:
    """SQLite's error in our words; `StoreFull` when space is all that is missing."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in _FULL:
        return StoreFull(f"The disk under {path} is full: free some space. Nothing that was accepted is lost.")
    if code is not None and code & 0xFF in _BUSY:
        return StoreError(f"Another program keeps {path} locked: close it. Only Loa may write to its store.")
    return StoreError(f"The store {path} does not work: {error}. Check the disk, then start Loa again.")


def _is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", None) in _FULL
