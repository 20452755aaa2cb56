"""Sending a video to TikTok in pieces. Source: TikTok's media transfer guide, read 2026-11-22.

Only the last piece can make a post, and one publication makes at most one, so its id decides what a lost answer left
open; how much has arrived TikTok tells itself.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters._http import Answer
from adapters._tiktok import TiktokApi, meaning, reply_of, unreadable
from broker.contract import Gate, MediaFile
from broker.outcome import Fault, Outcome, Unavailable

PIECE = 5 * 1024 * 1024
"""The least TikTok takes; the last piece has what is left over, too. So a call of 15 s does at 6 Mbit/s."""
_SENT, _MORE = 201, 206


def source_of(size_bytes: int) -> dict[str, object]:
    """How a file of this size will come."""
    piece = min(PIECE, size_bytes)
    return {
        "source": "FILE_UPLOAD",
        "video_size": size_bytes,
        "chunk_size": piece,
        "total_chunk_count": size_bytes // piece,
    }


async def send(api: TiktokApi, url: str, file: MediaFile, start: int, gate: Gate) -> int | Outcome:
    """How much has arrived after the next piece.

    An address that is not good any more proves nothing: the upload may be complete. The publication's status tells.
    """
    last = max(file.size_bytes // PIECE - 1, 0) * PIECE  # where the last piece begins
    end = file.size_bytes if start >= last else start + PIECE
    try:
        piece = await asyncio.to_thread(_piece, file.path, start, end)
    except OSError:
        return Unavailable(Fault.MEDIA, "the video in the media folder cannot be read")
    said = f"bytes {start}-{end - 1}/{file.size_bytes}"
    answer = await api.upload(url, gate, piece, file.mime, said)
    if not isinstance(answer, Answer):
        return answer
    if answer.status in (_SENT, _MORE):
        return end
    if reply := reply_of(answer):
        return meaning(reply.code, reply.message, reply.status)
    return unreadable(answer)


def _piece(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)
