"""Resumable uploads to YouTube: a session that nobody sees, the video in pieces, and the question how far it has come.

Source: as in `adapters._youtube`. Only the last byte makes a video, and a session makes at most one: its address, kept
before the first byte, decides what a lost answer left open. A video is sent in pieces because no request may outlast
the lease; so it is never in memory as a whole, and what has arrived is not sent again.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from adapters._http import Answer
from adapters._youtube import GONE, Refusal, YouTubeApi
from broker.contract import Gate, MediaFile
from broker.outcome import Fault, Rejected, Unavailable, Uncertain

PIECE = 4 * 256 * 1024
"""YouTube wants multiples of 256 KiB. So many bytes leave within one call of 15 s even at 0.6 Mbit/s."""

_UNREADABLE = Refusal(Uncertain(Fault.SERVER, "an answer to an upload that nobody can read"))
_CHANGED = Refusal(
    Rejected("media_changed", "the video in the media folder is no longer the one of which a part was uploaded")
)
_RANGE = re.compile(r"bytes=0-(\d+)")

Progress = int | dict[str, Any] | Refusal
"""Bytes that have arrived, or the finished video, or why neither is known."""


class Uploads:
    """The upload sessions of one channel. A handle is the size of the file and the session's address."""

    def __init__(self, api: YouTubeApi) -> None:
        self._api = api

    async def begin(
        self, video: dict[str, Any], size_bytes: int, gate: Gate | None, *, notify: bool = False
    ) -> str | Refusal:
        """The handle of a new session for a file of this size; whatever happens here, nobody sees it."""
        answer = await self._api.call(
            "POST",
            "/upload/youtube/v3/videos",
            gate=gate,
            params={"uploadType": "resumable", "part": "snippet,status", "notifySubscribers": str(notify).lower()},
            headers={"X-Upload-Content-Type": "video/mp4", "X-Upload-Content-Length": str(size_bytes)},
            json_body=video,
        )
        if isinstance(answer, Refusal):
            return answer.harmless
        address = answer.headers.get("Location", "")
        return f"{size_bytes} {address}" if address.startswith("http") else _UNREADABLE.harmless

    async def progress(self, handle: str) -> Progress:
        """How far a session has come; a question that changes nothing."""
        size, _, address = handle.partition(" ")
        answer = await self._api.call("PUT", address, headers={"Content-Range": f"bytes */{size}"})
        progress = _read(answer)
        return progress.harmless if isinstance(progress, Refusal) else progress

    async def send(self, handle: str, file: MediaFile, start: int, gate: Gate) -> Progress:
        """The next piece; only the last one can make a video."""
        size, _, address = handle.partition(" ")
        if file.size_bytes != int(size):
            return _CHANGED
        try:
            piece = await asyncio.to_thread(_piece, file.path, start)
        except OSError:
            return Refusal(Unavailable(Fault.MEDIA, "the video in the media folder cannot be read"))
        end = start + len(piece)
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
        answer = await self._api.call("PUT", address, gate=gate, headers=headers, body=piece, content_type="video/mp4")
        progress = _read(answer)
        return progress.harmless if isinstance(progress, Refusal) and end < int(size) else progress


def is_gone(progress: Progress) -> bool:
    """YouTube knows no such session any more: it may have made its video long ago."""
    return isinstance(progress, Refusal) and progress.status in GONE


def _piece(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(PIECE)


def _read(answer: Answer | Refusal) -> Progress:
    if isinstance(answer, Refusal):
        return answer
    if answer.status == 308:
        found = _RANGE.fullmatch(answer.headers.get("Range", ""))
        return int(found[1]) + 1 if found else 0
    match answer.json():
        case {"id": str(video_id)} as video if video_id and answer.status in (200, 201):
            return dict(video)
        case _:
            return _UNREADABLE
