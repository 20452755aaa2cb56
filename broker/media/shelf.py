"""The agency's media folder, as adapters see it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from broker.contract import MediaFile, MediaNeeds
from broker.model import MediaKind, Medium
from broker.outcome import Fault, Outcome, Rejected, Unavailable


class MediaShelf:
    """Files in a folder; where a site serves it, each has a public address."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder, self.url = folder, url

    async def ready(self, medium: Medium, needs: MediaNeeds) -> MediaFile | Outcome:
        """See `broker.contract.Shelf`."""
        if needs.by_url and self.url is None:
            return Unavailable(Fault.MEDIA, "pictures have no public address: give the agency a `site`")
        path = self.folder / medium.name
        try:
            size_bytes = (await asyncio.to_thread(path.stat)).st_size
        except FileNotFoundError:
            return Rejected("media_gone", f"the file {medium.name} is no longer in the media folder")
        except OSError as error:
            return Unavailable(Fault.MEDIA, f"the media folder cannot be read ({error.strerror})")
        if size_bytes > (allowed := needs.video_bytes if medium.kind is MediaKind.VIDEO else needs.image_bytes):
            return Rejected("media_too_large", f"the file has {size_bytes} bytes, and {allowed} are allowed there")
        return MediaFile(
            path=path,
            url=f"{self.url}/{medium.name}" if self.url else None,
            mime=medium.mime,
            size_bytes=size_bytes,
            width=medium.width,
            height=medium.height,
            duration=medium.duration,
            alt=medium.alt,
        )
