"""What a file is by its bytes, never by its name, and whether its end is there; nothing is decoded here."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from broker.model import MediaKind

HEAD = 16
KNOWN = "use JPEG, PNG or WebP for pictures and MP4 or MOV for videos"

_CUT_OFF = "is cut off: its end is missing; send the whole file"
_JPEG = b"\xff\xd8\xff"
"""Its end is nowhere fixed, because phones add to it: its decoder finds what is missing."""
_PNG = b"\x89PNG\r\n\x1a\n"
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_PNG_END = b"IEND\xaeB`\x82"
_BOXES_AT_MOST = 10_000


class Unfit(Exception):
    """A file that cannot be used; the text completes "the picture …" and says what to do."""


def kind_of_head(head: bytes) -> MediaKind:
    """By the first bytes. Raises `Unfit` for other formats."""
    if head.startswith((_JPEG, _PNG)) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return MediaKind.IMAGE
    if head[4:8] in _BOXES:
        return MediaKind.VIDEO
    raise Unfit(f"is of a kind that Loa does not know: {KNOWN}" if head else "is empty: send a file")


def kind_of(path: Path) -> MediaKind:
    """Raises `Unfit` for other formats, and for files whose end is missing."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        kind = kind_of_head(head)
        if kind is MediaKind.VIDEO:
            _check_boxes(file, size)
            return kind
        png_ends = not head.startswith(_PNG) or _ends_with(file, size, _PNG_END)
        webp_ends = not head.startswith(b"RIFF") or int.from_bytes(head[4:8], "little") + 8 <= size
        if not (png_ends and webp_ends):
            raise Unfit(_CUT_OFF)
    return kind


def _ends_with(file: BinaryIO, size: int, end: bytes) -> bool:
    """Whether `end` is among the last bytes; some programs add a few."""
    file.seek(max(0, size - 4096))
    return end in file.read()


def _check_boxes(file: BinaryIO, size: int) -> None:
    """Walks the outer boxes of ISO 14496-12: they fill the file; one is the index, one what it lists."""
    at, names = 0, set()
    for _ in range(_BOXES_AT_MOST):
        if at >= size:
            break
        file.seek(at)
        head = file.read(HEAD)
        if len(head) < 8:
            raise Unfit(_CUT_OFF)
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == HEAD:
            length = struct.unpack(">Q", head[8:])[0]
        names.add(name)
        if length < 8 and length != 0:
            raise Unfit("is damaged: export it anew as MP4")
        at = at + length if length else size
    if at > size or not {b"moov", b"mdat"} <= names:
        raise Unfit(_CUT_OFF)
