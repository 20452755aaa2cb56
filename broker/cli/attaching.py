"""Pictures and videos on the command line: `--media FILE --alt TEXT`, in pairs as they are given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.errors import InvalidInput, RequestError

CHUNK = 1 << 16

Media = Annotated[
    list[str] | None,
    typer.Option("--media", metavar="FILE", help="A picture or video, or its address; may be repeated."),
]
Alt = Annotated[
    list[str] | None,
    typer.Option("--alt", metavar="TEXT", help="What the picture shows, in words: one for each --media, in order."),
]
Attached = Sequence[tuple[str, str]]
"""File or address, and what it shows."""
Upload = Callable[[Path, str], Awaitable[str]]
"""Hands one file in; answers its name."""


def attached(media: list[str] | None, alts: list[str] | None) -> Attached:
    """Raises `InvalidInput` for a file that cannot be read and for more texts than pictures."""
    given, said = media or [], alts or []
    if any("\ud800" <= letter <= "\udfff" for text in said for letter in text):
        raise InvalidInput("--alt holds bytes that are no UTF-8: write it again.")
    if len(said) > len(given):
        raise InvalidInput("There are more --alt than --media: give one --alt for each picture, in order.")
    for name in given:
        if "://" not in name and not Path(name).is_file():
            raise InvalidInput(f"--media {name} is no file: correct its name.")
    return list(zip(given, [*said, *[""] * (len(given) - len(said))], strict=True))


async def uploaded(attached: Attached, upload: Upload) -> list[dict[str, str]]:
    """What the announcement says in `media`, once the files are handed in."""
    return [
        {"url": name, "alt": alt} if "://" in name else {"upload": await _one(Path(name), alt, upload), "alt": alt}
        for name, alt in attached
    ]


async def _one(path: Path, alt: str, upload: Upload) -> str:
    """Raises with the file's name: there may be several."""
    try:
        return await upload(path, alt)
    except RequestError as error:
        why = "" if error.fields else f" {error.detail}"
        said = f"--media {path} was not taken in.{why}"
        raise RequestError(said, *error.fields, code=error.code, status=error.status) from None


async def with_media(said: dict[str, Any], attached: Attached, upload: Upload) -> dict[str, Any]:
    """The announcement with these after the pictures it names already."""
    return {**said, "media": [*said.get("media", []), *await uploaded(attached, upload)]} if attached else said


async def pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece
