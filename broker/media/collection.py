"""One agency's pictures and videos: taken in, kept while an announcement uses them, and let go.

    <folder>/<name>                      public: what readers and platforms may see, under a name nobody guesses
    <private>/<name>.json                what it is; written last, so what has none was never taken in
    <private>/<name>.uses/<announcement> who uses it

A use is written before the announcement is accepted. What nobody uses is removed after a day.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from broker.clock import Clock
from broker.contract import MediaFile, MediaNeeds
from broker.errors import FieldProblem, InvalidInput, StoreError, StoreFull
from broker.look import Look
from broker.media.fetching import NotFetched, fetched
from broker.media.kinds import HEAD, Unfit, kind_of, kind_of_head
from broker.media.shelf import MediaShelf
from broker.media.studio import NotMade, Studio, settle, sync
from broker.model import Announcement, MediaKind, Medium
from broker.rules.agency import MediaRules
from broker.values import replace

UNUSED_FOR = timedelta(days=1)
LOOKED_AT = timedelta(days=2)
"""How far back uses are compared with what was accepted: a crash can have come between."""

_NAME = re.compile(r"[0-9a-f]{32}\.(jpg|mp4)")
_ENDS = {MediaKind.IMAGE: (".jpg", "image/jpeg"), MediaKind.VIDEO: (".mp4", "video/mp4")}

Known = Callable[[str], Awaitable[bool]]
"""Whether there is such an announcement, and it is not withdrawn."""


class Collection:
    """Everything of one agency; `folder` is public, `private` is not."""

    def __init__(
        self, folder: Path, private: Path, rules: MediaRules, studio: Studio, look: Look, clock: Clock, *, cards: bool
    ) -> None:
        self.shelf = MediaShelf(folder, rules.url, studio, look)
        self._folder, self._private, self._rules, self._cards = folder, private, rules, cards
        self._studio, self._clock = studio, clock

    def new_key(self) -> str:
        """What the names of an announcement's cards are made of; "" where no channel needs cards."""
        return secrets.token_hex(16) if self._cards else ""

    # in

    async def take(self, chunks: AsyncIterable[bytes], alt: str = "") -> Medium:
        """Keeps what comes in, checked and without anything but pictures and sound. Raises `InvalidInput`."""
        try:
            return await self._taken(chunks, alt)
        except Unfit as error:
            raise InvalidInput("It was not taken in.", FieldProblem("", f"the file {error}")) from None

    async def gather(self, sources: Sequence[str], alts: Mapping[str, str]) -> tuple[Medium, ...]:
        """What an announcement names, by uploads' names and by addresses. Raises `InvalidInput` with every problem."""
        found = await asyncio.gather(*(self._gathered(source) for source in sources), return_exceptions=True)
        problems = []
        for n, one in enumerate(found):
            if isinstance(one, Unfit | NotFetched):
                problems.append(FieldProblem(f"media.{n}", str(one)))
            elif isinstance(one, BaseException):
                raise one
        if problems:
            raise InvalidInput("The announcement was not accepted.", *problems)
        media = [one for one in found if isinstance(one, Medium)]
        return tuple(replace(m, alt=alts.get(source) or m.alt) for source, m in zip(sources, media, strict=True))

    async def _gathered(self, source: str) -> Medium:
        if source.startswith(("http://", "https://")):
            rules = self._rules
            async with fetched(source, rules.fetch_within, allow_private=rules.allow_private) as chunks:
                return await self._taken(chunks)
        medium = await asyncio.to_thread(self._read, source) if _NAME.fullmatch(source) else None
        if medium is None:
            raise Unfit("is no upload of this agency, or was unused for a day and removed: send it to /v1/media again")
        return medium

    async def _taken(self, chunks: AsyncIterable[bytes], alt: str = "") -> Medium:
        try:
            await asyncio.to_thread(self._prepare)
            with tempfile.TemporaryDirectory(dir=self._private, prefix="raw-") as raw:
                return await self._kept(await self._received(chunks, Path(raw) / "file"), alt)
        except (NotMade, OSError) as error:
            raise _unusable(error) from None

    async def _received(self, chunks: AsyncIterable[bytes], path: Path) -> Path:
        """The file as it came: never more in memory than one piece, never more on the disk than is allowed."""
        size, limit, head = 0, 0, b""
        with path.open("wb") as file:
            async for chunk in chunks:
                head = head if len(head) >= HEAD else head + chunk[:HEAD]
                limit = limit or (self._limit(kind_of_head(head)) if len(head) >= HEAD else 0)
                size += len(chunk)
                self._leave_room()
                if limit and size > limit:
                    raise Unfit(f"is larger than {limit:,} bytes: make it smaller")
                await asyncio.to_thread(file.write, chunk)
        return path

    def _leave_room(self) -> None:
        if shutil.disk_usage(self._private).free < self._rules.keep_free_bytes:
            raise StoreFull("The disk is nearly full: free some space. Announcements without pictures are taken in.")

    def _limit(self, kind: MediaKind) -> int:
        return self._rules.video_bytes if kind is MediaKind.VIDEO else self._rules.image_bytes

    async def _kept(self, raw: Path, alt: str) -> Medium:
        kind = await asyncio.to_thread(kind_of, raw)
        end, mime = _ENDS[kind]
        target = self._folder / f"{secrets.token_hex(16)}{end}"
        duration = None
        if kind is MediaKind.IMAGE:
            width, height = await self._studio.keep_picture(raw, target, self._rules.image_pixels)
        else:
            film = await self._studio.keep_film(raw, target)
            width, height, duration = film.width, film.height, film.duration
        medium = Medium(
            name=target.name, kind=kind, mime=mime, size_bytes=target.stat().st_size, width=width, height=height,
            duration=duration, alt=alt,
        )  # fmt: skip
        await asyncio.to_thread(self._write, medium)
        return medium

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._private.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _write(self, medium: Medium) -> None:
        path = self._private / f"{medium.name}.json"
        part = path.with_suffix(f".{secrets.token_hex(4)}.part")  # two may be at it: previews of one card
        part.write_text(json.dumps(to_data(medium)), encoding="utf-8")
        settle(part, path)

    def _read(self, name: str) -> Medium | None:
        try:
            medium = from_data(json.loads((self._private / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None
        return medium if (self._folder / name).exists() else None

    async def show(self, card: Medium) -> None:
        """Makes a card that somebody wants to see before it is used, if it can; like an upload it goes after a day."""
        with suppress(OSError):
            await asyncio.to_thread(self._prepare)
            if isinstance(await self.shelf.ready(card, MediaNeeds()), MediaFile):
                await asyncio.to_thread(self._write, replace(card, card=None))

    # in use

    async def use(self, announcement_id: str, media: Iterable[Medium]) -> None:
        """From now on these are kept for this announcement; durable before it is accepted. Raises `StoreError`."""
        try:
            await asyncio.to_thread(self._use, announcement_id, [medium.name for medium in media])
        except OSError as error:
            raise _unusable(error) from None

    def _use(self, announcement_id: str, names: Iterable[str]) -> None:
        for name in names:
            uses = self._uses(name)
            uses.mkdir(exist_ok=True)
            (uses / announcement_id).touch()
            sync(uses)
        sync(self._private)

    def _uses(self, name: str) -> Path:
        return self._private / f"{name}.uses"

    def _is_used(self, name: str) -> bool:
        uses = self._uses(name)
        return uses.is_dir() and any(uses.iterdir())

    async def unuse(self, announcement: Announcement) -> None:
        """It was not accepted after all: another may use them, for a day."""
        await asyncio.to_thread(self._unuse, announcement)

    def _unuse(self, announcement: Announcement) -> None:
        for medium in announcement.media:
            (self._uses(medium.name) / announcement.id).unlink(missing_ok=True)

    async def let_go(self, announcement: Announcement) -> None:
        """Removes what only this announcement used, and its cards, from the public folder."""
        await asyncio.to_thread(self._let_go, announcement)

    def _let_go(self, announcement: Announcement) -> None:
        self._unuse(announcement)
        if announcement.media_key:
            self._remove_public(announcement.media_key)
        for medium in announcement.media:
            if not self._is_used(medium.name):
                self._remove(medium.name)

    # out

    async def sweep(self, known: Known) -> None:
        """Removes what nobody used for a day, and uses of announcements that were never accepted, or are withdrawn."""
        if not await asyncio.to_thread(self._private.is_dir):
            return
        now = self._clock.now()
        for use in await asyncio.to_thread(lambda: list(self._recent_uses(now))):
            if not await known(use.name):
                await asyncio.to_thread(use.unlink, missing_ok=True)
        await asyncio.to_thread(self._sweep, now)

    def _recent_uses(self, now: datetime) -> Iterator[Path]:
        """Not the newest: their announcements may be about to be accepted."""
        for use in self._private.glob("*.uses/*"):
            if timedelta(minutes=5) < _age(use, now) < LOOKED_AT:
                yield use

    def _sweep(self, now: datetime) -> None:
        for part in self._folder.glob(".*.part"):  # of a process that was killed
            if _age(part, now) > UNUSED_FOR:
                part.unlink(missing_ok=True)
        for path in self._private.iterdir():
            if _age(path, now) < UNUSED_FOR:
                continue
            if path.suffix == ".part":
                path.unlink(missing_ok=True)
            elif path.name.startswith("raw-"):
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == ".json" and not self._is_used(path.stem):
                self._remove(path.stem)

    def _remove(self, name: str) -> None:
        self._remove_public(Path(name).stem)
        (self._private / f"{name}.json").unlink(missing_ok=True)
        shutil.rmtree(self._uses(name), ignore_errors=True)

    def _remove_public(self, stem: str) -> None:
        """The file and what was made of it for platforms."""
        for path in self._folder.glob(f"*{stem}*"):
            path.unlink(missing_ok=True)


def _unusable(error: NotMade | OSError) -> StoreError:
    why = error if isinstance(error, NotMade) else error.strerror
    return StoreError(f"The media folder cannot be used ({why}): check its disk and rights.")


def _age(path: Path, now: datetime) -> timedelta:
    try:
        return timedelta(seconds=now.timestamp() - path.stat().st_mtime)
    except FileNotFoundError:
        return timedelta(0)


def to_data(medium: Medium) -> dict[str, Any]:
    data = {name: getattr(medium, name) for name in ("name", "kind", "mime", "size_bytes", "width", "height", "alt")}
    return data | {"duration_s": medium.duration.total_seconds() if medium.duration else None}


def from_data(data: dict[str, Any]) -> Medium:
    seconds = data.pop("duration_s")
    duration = None if seconds is None else timedelta(seconds=seconds)
    return Medium(**{**data, "kind": MediaKind(data["kind"]), "duration": duration})
