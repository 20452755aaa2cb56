"""The web host of an agency's own site: serves a folder as any static host does, like a CDN that may lag behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.http import WIRE, Call, HttpEmulator, Route

_TYPES = {
    ".atom": "application/atom+xml",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".json": "application/feed+json",
    ".mp4": "video/mp4",
}


class SiteEmulator(HttpEmulator):
    """Serves `folder`: a folder's address leads to its `index.html`, files that begin with a dot are not served."""

    name = "site"
    kinds = WIRE

    def __init__(self, *, folder: str | Path = "public", **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.folder = Path(folder)
        self._cached: dict[str, tuple[bytes, int, str]] | None = None

    @override
    def routes(self) -> Iterator[Route]:
        yield Route("GET", "/{path:.*}", "read", self._read)

    @hook
    def freeze(self) -> None:
        """The CDN goes on showing each page as it was at its next reading."""
        self._cached = {}

    @hook
    def thaw(self) -> None:
        self._cached = None

    async def _read(self, call: Call) -> web.Response:
        path = call.match["path"]
        body, status, kind = self._remembered(path)
        if status == 301:
            return web.Response(status=301, headers={"Location": f"/{path}/"})
        return web.Response(body=body, status=status, content_type=kind, charset="utf-8")

    def _remembered(self, path: str) -> tuple[bytes, int, str]:
        if self._cached is None:
            return self._found(path)
        return self._cached.setdefault(path, self._found(path))

    def _found(self, path: str) -> tuple[bytes, int, str]:
        root = self.folder.resolve()
        file = (root / path).resolve()
        if not file.is_relative_to(root) or any(part.startswith(".") for part in path.split("/") if part):
            return b"Not Found", 404, "text/plain"
        if file.is_dir():
            if path and not path.endswith("/"):
                return b"", 301, "text/plain"
            file /= "index.html"
        if not file.is_file():
            return b"Not Found", 404, "text/plain"
        return file.read_bytes(), 200, _TYPES.get(file.suffix, "application/octet-stream")
