"""The folder of the own site: items, and the files made from them, replaced so that a reader, or a machine after a
power cut, finds the old content or the new, never a part. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from adapters._pages import NEWEST, Item, Pages

Change = Callable[[Item | None], Item]
"""What becomes of an item; it is given what is stored, or None."""

_STAMP_LENGTH = len("20261122T030000Z-")


class HalfWritten(OSError):
    """Some of the files show their new content, others may not."""


class ItemFolder:
    """One file for each item, named by time and reference; pages, index and feeds follow from them."""

    def __init__(self, folder: Path, pages: Pages) -> None:
        self._folder = folder
        self._pages = pages

    def put(self, reference: str, change: Change) -> Item:
        """The item after `change`, with all files that follow from it. Raises as `replace_files` and `locked` do."""
        with locked(self._folder):
            names = {path.name for path in self._folder.glob("items/[0-9]*.json")}
            name = next((name for name in names if name[_STAMP_LENGTH:] == f"{reference}.json"), None)
            item = change(self._stored(name) if name else None)
            name = name or f"{item.published_at.replace('-', '').replace(':', '')}-{reference}.json"
            newest = sorted(names | {name})[: -NEWEST - 1 : -1]
            items = [item if other == name else self._stored(other) for other in newest]
            files = {f"{reference}/index.html": self._pages.page(item), f"items/{name}": item.to_json()}
            replace_files(self._folder, files | self._pages.overview([item for item in items if item]))
            return item

    def has_page(self, reference: str) -> bool:
        return (self._folder / reference / "index.html").exists()

    def check(self) -> None:
        """Raises if the folder cannot be written."""
        with locked(self._folder):
            replace_files(self._folder, {"items/.check": os.urandom(8)})

    def _stored(self, name: str) -> Item | None:
        """None if the file is not as we write them: somebody else's, and no reason to stop."""
        try:
            return Item(**json.loads((self._folder / "items" / name).read_bytes()))
        except (ValueError, TypeError):
            return None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other writers out, of other processes too. BlockingIOError when one is at work; it never waits."""
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def replace_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Makes `files` (path below `folder` -> content) what the folder holds, in their order. Needs the lock.

    OSError: nothing has changed, for instance because the disk is full. HalfWritten: some of it has.
    """
    changed = {folder / name: data for name, data in files.items() if not _holds(folder / name, data)}
    try:
        for path, data in changed.items():
            _stage(path, data)
    except OSError:
        for path in changed:
            _staged(path).unlink(missing_ok=True)
        raise
    try:
        for path in changed:
            _staged(path).replace(path)
        for parent in {path.parent for path in changed} | {folder}:
            _sync(parent)
    except OSError as error:
        raise HalfWritten(error.errno, error.strerror) from error


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except FileNotFoundError:
        return False


def _staged(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _stage(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    with _staged(path).open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Makes renames durable, which the file's own sync does not."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
