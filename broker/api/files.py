"""Serves an own site's folder to readers: pages by their short links, and feeds. Everything else is not there."""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import Path

from aiohttp import web

from broker.api.face import Folder

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_HEADERS = {"Cache-Control": "public, max-age=5", "Access-Control-Allow-Origin": "*"}


def route(folder: Folder) -> web.RouteDef:
    async def serve(request: web.Request) -> web.StreamResponse:
        found = await asyncio.to_thread(_file, folder.path, request.match_info["tail"])
        if found is None:
            return web.Response(status=404, text="There is no such page.", headers=_HEADERS)
        kind = _TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return web.FileResponse(found, headers={**_HEADERS, "Content-Type": kind})

    return web.get(f"{folder.prefix.rstrip('/')}/{{tail:.*}}", serve)


def _file(root: Path, tail: str) -> Path | None:
    """The file that `tail` names, a folder's `index.html` for a folder; None for what is outside or hidden."""
    if "\0" in tail or any(part.startswith(".") for part in tail.split("/")):
        return None
    try:
        found = (root / tail.strip("/")).resolve()
        found = found / "index.html" if found.is_dir() else found
        return found if found.is_relative_to(root.resolve()) and found.is_file() else None
    except (OSError, ValueError):
        return None
