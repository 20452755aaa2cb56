"""The agency's media folder, as adapters see it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from broker.contract import MediaFile, MediaNeeds
from broker.look import Look
from broker.media.fitting import fitted
from broker.media.kinds import Unfit
from broker.media.studio import NotMade, Studio
from broker.model import MediaKind, Medium
from broker.outcome import MEDIA_GONE, MEDIA_UNFIT, Fault, Outcome, Rejected, Unavailable

NO_ADDRESS = "pictures have no public address: give the agency a `site`, or set media.url"


class MediaShelf:
    """Files in a folder; where a site serves it, each has a public address."""

    def __init__(self, folder: Path, url: str | None, studio: Studio, look: Look = Look()) -> None:  # noqa: B008  # frozen
        self.folder, self.url = folder, url
        self._studio, self._look = studio, look
        self._making: dict[str, asyncio.Task[object]] = {}

    async def ready(self, medium: Medium, needs: MediaNeeds) -> MediaFile | Outcome:
        """See `broker.contract.Shelf`."""
        if needs.by_url and self.url is None:
            return Unavailable(Fault.MEDIA, NO_ADDRESS)
        try:
            if medium.card:
                await self._once(medium.name, lambda: self._made(medium))
            return await self._fitting(medium, needs)
        except FileNotFoundError:
            return Rejected(MEDIA_GONE, f"the file {medium.name} is no longer in the media folder")
        except Unfit as error:
            return Rejected(MEDIA_UNFIT, f"{medium.kind} {medium.name} {error}")
        except (NotMade, OSError) as error:
            why = error if isinstance(error, NotMade) else error.strerror
            return Unavailable(Fault.MEDIA, f"the media folder cannot be used ({why}): check disk space and rights")

    def address(self, medium: Medium) -> str | None:
        """Where anybody can see it."""
        return f"{self.url}/{medium.name}" if self.url else None

    async def _fitting(self, medium: Medium, needs: MediaNeeds) -> MediaFile:
        file = await asyncio.to_thread(self._file, medium)
        if medium.kind is MediaKind.VIDEO:
            if file.size_bytes > needs.video_bytes:
                raise Unfit(f"has {file.size_bytes} bytes, and this platform takes {needs.video_bytes}: shorten it")
            return file
        shown = fitted((file.width, file.height), needs.width, needs.ratio)[1]
        if shown == (file.width, file.height) and file.size_bytes <= needs.image_bytes and file.mime in needs.mimes:
            return file
        fit = replace(medium, name=_fitted_name(medium, needs), mime="image/jpeg", width=shown[0], height=shown[1])
        await self._once(fit.name, lambda: self._studio.fit(file.path, self.folder / fit.name, needs))
        return await asyncio.to_thread(self._file, fit)

    def _file(self, medium: Medium) -> MediaFile:
        path = self.folder / medium.name
        return MediaFile(
            path=path,
            url=self.address(medium),
            mime=medium.mime,
            size_bytes=path.stat().st_size,
            width=medium.width,
            height=medium.height,
            duration=medium.duration,
            alt=medium.alt,
        )

    async def _made(self, medium: Medium) -> None:
        """A card. The words are not to blame when it cannot be made: it is tried again."""
        try:
            await self._card(medium)
        except Unfit as error:
            raise NotMade(str(error)) from error

    async def _card(self, medium: Medium) -> None:
        assert medium.card
        path = self.folder / medium.name
        await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
        if medium.kind is MediaKind.IMAGE:
            await self._studio.card(medium.card, self._look, path)
            return
        picture = replace(medium, name=f"{path.stem}.jpg", kind=MediaKind.IMAGE)
        await self._once(picture.name, lambda: self._made(picture))
        await self._studio.card_film(self.folder / picture.name, path)

    async def _once(self, name: str, make: Callable[[], Awaitable[object]]) -> None:
        """Makes the file if it is not there; who asks meanwhile waits for the same, and whoever leaves stops nobody."""
        if name not in self._making:
            if await asyncio.to_thread((self.folder / name).exists):
                return
            if name not in self._making:
                self._making[name] = asyncio.ensure_future(_awaited(make))
                self._making[name].add_done_callback(lambda task: self._done(name, task))
        await asyncio.shield(self._making[name])

    def _done(self, name: str, task: asyncio.Task[object]) -> None:
        """Whoever waited has heard of it; perhaps nobody waits any more."""
        del self._making[name]
        if not task.cancelled():
            task.exception()


async def _awaited(make: Callable[[], Awaitable[object]]) -> object:
    return await make()


def _fitted_name(medium: Medium, needs: MediaNeeds) -> str:
    """The same for the same needs: it is made once."""
    wanted = repr((needs.width, needs.ratio, needs.image_bytes))
    return f"{Path(medium.name).stem}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}.jpg"
