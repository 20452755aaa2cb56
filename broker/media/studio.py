"""Makes and checks pictures and videos: in bounded child processes, a few at a time, each file whole or not at all.

Nothing here runs on the event loop for long, and a picture that takes its time holds up no channel but its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from imageio_ffmpeg import get_ffmpeg_exe

from broker.contract import MediaNeeds
from broker.look import Look
from broker.media import films
from broker.media.bounded import Ended, Limits, run
from broker.media.films import Film
from broker.media.fitting import Size
from broker.media.kinds import Unfit
from broker.model import Card

PICTURE = Limits(within=timedelta(seconds=20), memory_bytes=1 << 30, file_bytes=1 << 26)
FILM = Limits(within=timedelta(seconds=60), memory_bytes=2 << 30, file_bytes=2 << 30)
_TOO_MUCH_WORK = "cannot be read within our limits of time and memory: make it smaller, or save it anew"
PICTURES_AT_ONCE, FILMS_AT_ONCE = 2, 1


class NotMade(Exception):
    """It could not be made, and not because of what was sent: no room on the disk, no time."""


class TooLong(NotMade):
    """Its time was over."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(f"it took longer than {limits.within.total_seconds():g} s")


class Studio:
    """Two pictures and one video are worked on at a time; the others wait."""

    def __init__(self) -> None:
        self._pictures = asyncio.Semaphore(PICTURES_AT_ONCE)
        self._films = asyncio.Semaphore(FILMS_AT_ONCE)

    async def keep_picture(self, source: Path, target: Path, pixels: int) -> Size:
        """A stranger's picture as we keep it; its size. Raises `Unfit` and `NotMade`."""
        try:
            return await self._picture(target, do="keep", source=str(source), pixels=pixels)
        except TooLong:
            raise Unfit(_TOO_MUCH_WORK) from None

    async def fit(self, source: Path, target: Path, needs: MediaNeeds) -> Size:
        """One of ours as a platform takes it. Raises `Unfit` and `NotMade`."""
        wanted = {"width": needs.width, "ratio": needs.ratio, "size": needs.image_bytes}
        return await self._picture(target, do="fit", source=str(source), **wanted)

    async def card(self, card: Card, look: Look, target: Path) -> Size:
        """A headline as a picture. Raises `NotMade`."""
        return await self._picture(target, do="card", words=asdict(card), look=look.written())

    async def keep_film(self, source: Path, target: Path) -> Film:
        """A stranger's video as we keep it. Raises `Unfit` and `NotMade`."""
        try:
            async with self._films:
                said = await self._ffmpeg(films.looks(source))
                film = films.told(said.err.decode(errors="replace"))
                await _whole(target, lambda part: self._made(films.remux(source, part)))
        except TooLong:
            raise Unfit(_TOO_MUCH_WORK) from None
        return film

    async def card_film(self, picture: Path, target: Path) -> None:
        """A headline as a short video. Raises `NotMade`."""
        async with self._films:
            await _whole(target, lambda part: self._made(films.of_picture(picture, part)))

    async def _picture(self, target: Path, **task: Any) -> Size:
        async with self._pictures:
            size: Size = await _whole(target, lambda part: self._in_darkroom({**task, "target": str(part)}))
        return size

    async def _in_darkroom(self, task: dict[str, Any]) -> Size:
        program = (sys.executable, "-I", "-m", "broker.media.darkroom")
        ended = await run(PICTURE, *program, given=json.dumps(task).encode())
        if ended.code is None:
            raise TooLong(PICTURE)
        answer = json.loads(ended.out) if ended.code == 0 else {}
        match answer:
            case {"width": int(width), "height": int(height)}:
                return width, height
            case {"unfit": str(problem)}:
                raise Unfit(problem)
            case {"disk": str(problem)}:
                raise NotMade(problem)
            case _:
                raise Unfit(_TOO_MUCH_WORK)

    async def _made(self, arguments: list[str]) -> None:
        ended = await self._ffmpeg(arguments)
        if b"No space left" in ended.err:
            raise NotMade("no space left on the disk")
        if ended.code:
            raise Unfit("is damaged: export it anew as MP4 (H.264 and AAC)")

    async def _ffmpeg(self, arguments: list[str]) -> Ended:
        ended = await run(FILM, get_ffmpeg_exe(), *arguments)
        if ended.code is None:
            raise TooLong(FILM)
        return ended


async def _whole(target: Path, make: Callable[[Path], Awaitable[Any]]) -> Any:
    """Makes the file beside `target` and puts it there when it is whole and on the disk."""
    part = target.with_name(f".{target.name}.part")
    try:
        made = await make(part)
        await asyncio.to_thread(settle, part, target)
    except OSError as error:
        raise NotMade(str(error.strerror)) from error
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return made


def settle(part: Path, target: Path) -> None:
    """Puts a file that is whole in its place, for good: on the disk before it is seen."""
    part.chmod(0o644)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    sync(target.parent)


def sync(folder: Path) -> None:
    """What was made in the folder is there after a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
