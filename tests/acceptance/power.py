"""R3: a power cut. What was not synced is gone, or (torn) some of its 512-byte sectors are there and others are not.

The broker's disk is a file system of our own, on FUSE: what is written is kept in memory, and reaches the folder behind
it with `fsync` only. Names and sizes are durable at once, as on a journaling file system; their data is not. It needs
Debian's fuse3 and PyPI's mfusepy.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.processes import PATIENCE_S, ROOT, StartedLife, platforms, started
from tests.acceptance.rig import EMULATED, OPTIONS, Rig
from tests.acceptance.verdict import Verdict

SECTOR = 512
CUT = "power-cut"
"""Whoever looks for this file ends the power."""


@dataclass(slots=True)
class Content:
    """One file as programs see it, and which parts of it no sync has made durable."""

    now: bytearray
    dirty: list[tuple[int, int]] = field(default_factory=list)


class Disk:
    """The operations mfusepy asks for; `folder` is what survives a cut."""

    def __init__(self, folder: Path, torn: random.Random | None) -> None:
        self._folder, self._torn = folder, torn
        self._contents: dict[str, Content] = {}

    def cut(self) -> None:
        """The end: nothing more reaches the folder, but for the sectors that chance lets through."""
        if self._torn is not None:
            for path, content in self._contents.items():
                sectors = {at // SECTOR for start, size in content.dirty for at in range(start, start + size, SECTOR)}
                for sector in (s for s in sorted(sectors) if self._torn.random() < 0.5):
                    self._store(path, content, sector * SECTOR, SECTOR)
        os._exit(0)

    def _real(self, path: str) -> Path:
        return self._folder / path.lstrip("/")

    def _content(self, path: str) -> Content:
        if path not in self._contents:
            self._contents[path] = Content(bytearray(self._real(path).read_bytes()))
        return self._contents[path]

    def _store(self, path: str, content: Content, start: int, size: int) -> None:
        with suppress(FileNotFoundError), self._real(path).open("r+b") as file:
            file.seek(start)
            file.write(content.now[start : start + size])

    # what a file system is asked

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == f"/{CUT}":
            self.cut()
        found = self._real(path).lstat()
        names = ("st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink", "st_size", "st_uid")
        return {name: getattr(found, name) for name in names}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *(each.name for each in self._real(path).iterdir())]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        os.close(os.open(self._real(path), os.O_CREAT | os.O_RDWR | os.O_TRUNC, mode))
        self._contents[path] = Content(bytearray())
        return 1

    def open(self, path: str, flags: int) -> int:
        self._content(path)
        return 1

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._content(path).now[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        content, end = self._content(path), offset + len(data)
        if end > len(content.now):
            content.now.extend(bytes(end - len(content.now)))
            os.truncate(self._real(path), end)
        content.now[offset:end] = data
        content.dirty.append((offset, len(data)))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        now = self._content(path).now
        del now[length:]
        now.extend(bytes(length - len(now)))
        os.truncate(self._real(path), length)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        content = self._content(path)
        for start, size in content.dirty:
            self._store(path, content, start, size)
        content.dirty.clear()
        return 0

    def unlink(self, path: str) -> None:
        self._real(path).unlink()
        self._contents.pop(path, None)

    def rename(self, old: str, new: str) -> None:
        self._real(old).rename(self._real(new))
        if old in self._contents:
            self._contents[new] = self._contents.pop(old)

    def chmod(self, path: str, mode: int) -> int:
        self._real(path).chmod(mode)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._folder)
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_files", "f_ffree", "f_frsize", "f_namemax")
        return {name: getattr(found, name) for name in names}


def serve(folder: Path, mount: Path, seed: int, torn: bool) -> None:
    """Serves `folder` at `mount` until the power is cut."""
    import mfusepy

    disk = Disk(folder, random.Random(seed) if torn else None)

    class Operations(mfusepy.Operations):  # type: ignore[misc]  # it has no types
        def __getattribute__(self, name: str) -> Any:
            return getattr(disk, name) if hasattr(Disk, name) else super().__getattribute__(name)

    try:
        mfusepy.FUSE(Operations(), str(mount), foreground=True, nothreads=True, fsname="powerless")
    except RuntimeError as error:
        sys.exit(f"cannot mount {mount}: {error} ({errno.errorcode.get(error.args[0], error.args[0])})")


class Power:
    """The disk's process; a cut ends it, and the next one finds what was durable."""

    def __init__(self, folder: Path, mount: Path) -> None:
        self._folder, self._mount = folder, mount
        self._life: StartedLife | None = None

    async def on(self, seed: int, *, torn: bool) -> None:
        arguments = [str(self._folder), str(self._mount), str(seed), str(int(torn))]
        command = [sys.executable, "-m", "tests.acceptance.power", *arguments]
        self._life = await started(command, {}, self._folder.with_suffix(".log"))
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(self._mount.is_mount):
                assert not self._life.is_over, self._folder.with_suffix(".log").read_text()
                await asyncio.sleep(0.02)

    async def cut(self) -> None:
        """Everything that was not synced is gone."""
        with suppress(OSError):
            await asyncio.to_thread((self._mount / CUT).exists)
        if self._life is not None:
            await self._life.ended()
        await asyncio.to_thread(
            subprocess.run, ["fusermount3", "-u", "-z", str(self._mount)], check=False, capture_output=True
        )


@dataclass(slots=True)
class Cuts:
    """What so many power cuts did."""

    seed: int
    cuts: int
    verdict: Verdict


async def cut_off(folder: Path, count: int, seed: int, *, sabotage: str = "", each: int = 3) -> Cuts:
    """`count` power cuts at random moments on one store, every other one torn; then what is left is asked."""
    rng = random.Random(seed)
    async with (
        platforms(*EMULATED, options=OPTIONS) as (control, found),
        Rig(folder, control, found, seed=seed) as rig,
    ):
        behind = folder / "behind"
        behind.mkdir()
        power = Power(behind, rig.disk)
        try:
            for number in range(count):
                await power.on(rng.getrandbits(32), torn=number % 2 == 1)
                await rig.start(sabotage=sabotage)
                rig.submit(each)
                await asyncio.sleep(rng.uniform(0.02, 0.6))
                await rig.end()
                await power.cut()
            await power.on(0, torn=False)
            await rig.start(sabotage=sabotage)
            verdict = await rig.verdict(2 * PATIENCE_S)
            await rig.end()
        finally:
            await power.cut()
        return Cuts(seed, count, verdict)


if __name__ == "__main__":
    assert Path.cwd() == ROOT
    serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1")
