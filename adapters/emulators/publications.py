"""What TikTok keeps of a post that is being made: its pieces, its status, and what it has against its pictures.

Source: TikTok's pages on media transfer, photos and status, read 2026-11-22.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.emulators.fetched import fetch
from adapters.emulators.log import Post

_LEAST_PIECE, _MOST_PIECE, _MOST_LAST, _MOST_PIECES = 5 * 1024 * 1024, 64_000_000, 128_000_000, 1000
_LARGEST_PHOTO = 20_000_000


@dataclass(slots=True)
class Publication:
    """What a `publish_id` stands for."""

    text: str
    title: str
    is_direct: bool
    privacy: str
    created_at: datetime
    size: int = 0
    piece: int = 0
    pieces: int = 0
    arrived: int = 0
    ready_at: datetime | None = None  # None: not all is there, or it never gets ready
    fail_reason: str | None = None
    post: Post | None = None

    @property
    def has_sound_pieces(self) -> bool:
        """Whether the file may come as announced: whole, or in pieces of which the last takes what is left over."""
        is_whole = self.pieces == 1 and self.piece == self.size <= _MOST_PIECE
        is_cut = _LEAST_PIECE <= self.piece <= _MOST_PIECE and self.pieces == self.size // max(self.piece, 1)
        last = self.size - (self.pieces - 1) * self.piece
        return self.size > 0 and 1 <= self.pieces <= _MOST_PIECES and (is_whole or is_cut) and last <= _MOST_LAST

    @property
    def next_end(self) -> int:
        """Where the next piece ends."""
        is_last = self.arrived // self.piece == self.pieces - 1
        return self.size if is_last else self.arrived + self.piece

    def status(self, now: datetime) -> str:
        if self.ready_at is None or now < self.ready_at:
            return "PROCESSING_UPLOAD" if self.size else "PROCESSING_DOWNLOAD"
        if self.fail_reason:
            return "FAILED"
        return "PUBLISH_COMPLETE" if self.post else "SEND_TO_USER_INBOX"


@dataclass(slots=True)
class Used:
    """Calls of one kind, for limits."""

    times: deque[datetime] = field(default_factory=deque)

    def count(self, now: datetime, within: timedelta) -> int:
        while self.times and self.times[0] <= now - within:
            self.times.popleft()
        return len(self.times)


async def fault_of(urls: Sequence[str]) -> str | None:
    """What TikTok has against the pictures at these addresses, as a `fail_reason`."""
    for url in urls:
        got = await fetch(url)
        if got is None:
            return "photo_pull_failed"
        if got.kind not in ("JPEG", "WEBP") or got.size_bytes > _LARGEST_PHOTO:
            return "file_format_check_failed"
    return None
