"""A copy of a SQLite store that is consistent while the broker writes, and the way back.

What is sent after a backup was taken, the backup does not know. So every copy says of itself that it is one: a broker
that opens it holds everything back until people have decided about the announcements in it (`broker.engine.pauses`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from broker.errors import StoreError
from broker.store import RESTORED
from broker.store.codec import dumps
from broker.store.database import APPLICATION_ID, explained
from broker.store.files import OwnerLock, make_private

_BESIDE = ("", "-wal", "-shm")
"""Endings of the files that make up one store."""


def back_up(store: Path, to: Path, agencies: Iterable[str], at: datetime) -> int:
    """Copies the store, also while a broker uses it; bytes of the copy. Raises `StoreError`; overwrites nothing."""
    _must_be_new(to)
    with _told(store), closing(_reader(store)) as source:
        _check_ours(source, store)
        with _made(to) as part, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            _mark(copy, agencies, at)
    return to.stat().st_size


def restore(backup: Path, store: Path, agencies: Iterable[str], at: datetime, *, replace: bool) -> Path | None:
    """Puts the backup in the store's place; where the store that was there is now, if there was one.

    Raises `StoreInUse` while a broker uses that, `StoreError` if it is there and `replace` was not said, or if the
    backup is damaged or none.
    """
    with _told(backup), closing(_reader(backup)) as source:
        _check_ours(source, backup)
        _check_sound(source, backup)
        lock = OwnerLock(store.absolute().resolve())
        lock.acquire()
        try:
            aside = _put_aside(store, at, replace)
            with _made(store) as part, closing(sqlite3.connect(part)) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
                if not _is_marked(copy):  # a plain copy of the file: nobody knows how old it is
                    _mark(copy, agencies, at)
        finally:
            lock.release()
    return aside


@contextmanager
def _made(target: Path) -> Iterator[Path]:
    """A file that nobody else may read, in `target`'s place once it is whole and on the disk."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    make_private(part)
    try:
        yield part
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise explained(error, path) from error
    except OSError as error:
        raise StoreError(f"{error.filename or path} cannot be used: {error.strerror}.") from None


def _reader(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreError(f"There is no store {path}.")
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def _check_ours(db: sqlite3.Connection, path: Path) -> None:
    try:
        [application_id] = db.execute("PRAGMA application_id").fetchone()
    except sqlite3.DatabaseError:
        application_id = None
    if application_id != APPLICATION_ID:
        raise StoreError(f"{path} is no store of Loa's.")


def _check_sound(db: sqlite3.Connection, path: Path) -> None:
    found = [text for [text] in db.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise StoreError(f"{path} is damaged ({found[0][:100]}): use another backup.")


def _mark(db: sqlite3.Connection, agencies: Iterable[str], at: datetime) -> None:
    data = dumps({"backup_at": at.isoformat()}).decode()
    rows = [(RESTORED + agency, data) for agency in agencies]
    with db:
        db.executemany("INSERT OR REPLACE INTO setting (key, data) VALUES (?, ?)", rows)


def _is_marked(db: sqlite3.Connection) -> bool:
    query = "SELECT count(*) FROM setting WHERE key >= ? AND key < ?"
    [count] = db.execute(query, (RESTORED, RESTORED + chr(0x10FFFF))).fetchone()
    return bool(count)


def _must_be_new(path: Path) -> None:
    if path.exists():
        raise StoreError(f"{path} is there already, and nothing is overwritten: name another file.")


def _put_aside(store: Path, at: datetime, replace: bool) -> Path | None:
    if not store.exists():
        return None
    if not replace:
        raise StoreError(f"There is a store {store} already: --replace puts it aside.")
    aside = store.with_name(f"{store.name}.before-restore-{at:%Y%m%dT%H%M%S}")
    for ending in _BESIDE:
        part = store.with_name(store.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside
