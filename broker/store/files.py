"""The files around a SQLite store: who owns it, who may read it, and a reserve for the day the disk is full."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from broker.errors import StoreError, StoreInUse

_PRIVATE = 0o600


class OwnerLock:
    """An operating system's lock on `<file>.lock`: it ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._store = path
        self._fd: int | None = None

    def acquire(self) -> None:
        fd = _open_private(self._path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            raise StoreInUse(
                f"The store {self._store} is in use by another process{owner and f' (pid {owner})'}. "
                "Stop that one, or give this one a store of its own (store.url)."
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """The file stays: removing it would let two processes lock two files of the same name."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Ballast:
    """Disk space held back, so that results can still be recorded when the disk is full; 0 bytes: none."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path.with_name(f"{path.name}.ballast")
        self._size = size_bytes

    def release(self) -> bool:
        """Gives the space to whoever writes next; False if there was none."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def renew(self) -> bool:
        """Holds the space again; False while the disk has not at least twice of it to give."""
        if not self._size or (self._path.exists() and self._path.stat().st_size == self._size):
            return True
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < 2 * self._size:
            return False
        try:
            self._fill()
        except (OSError, StoreError):
            self.release()
            return False
        return True

    def _fill(self) -> None:
        with os.fdopen(_open_private(self._path), "wb") as file:
            if sys.platform == "darwin":
                file.write(bytes(self._size))
            else:
                os.posix_fallocate(file.fileno(), 0, self._size)


def make_private(path: Path) -> None:
    """Creates the file if need be, readable by its owner only; SQLite gives its other files the same mode."""
    os.close(_open_private(path))
    if path.stat().st_mode & 0o077:
        path.chmod(_PRIVATE)


def _open_private(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE)
    except OSError as error:
        if path.parent.is_dir():
            advice = "Give the account that runs Loa the right to read and write it, and its folder."
        else:
            advice = f"Create the folder {path.parent}, or set store.url to one that exists."
        raise StoreError(f"{path} cannot be opened: {error.strerror}. {advice}") from error
