"""What platforms do with media they fetch themselves: a real GET from our media host, and a look at what came."""

import asyncio
import io
from dataclasses import dataclass

import aiohttp
from PIL import Image, UnidentifiedImageError

_MOST_BYTES = 64 * 1024 * 1024
_PATIENCE = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True)
class Fetched:
    """`kind`: JPEG, PNG, WEBP … or MP4; "" for what is none of these. Width and height are 0 for videos."""

    kind: str
    size_bytes: int
    width: int = 0
    height: int = 0


async def fetch(url: str) -> Fetched | None:
    """What lies at `url`; None if it does not come: no such host, no answer in time, a redirect, another status."""
    try:
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session, session.get(url, allow_redirects=False) as got:
            if got.status != 200:
                return None
            body = await got.content.read(_MOST_BYTES)
            while more := await got.content.read(_MOST_BYTES - len(body)):
                body += more
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        return None
    return await asyncio.to_thread(seen, body)


def seen(body: bytes) -> Fetched:
    """By its content, never by its name."""
    if body[4:8] == b"ftyp":
        return Fetched("MP4", len(body))
    try:
        with Image.open(io.BytesIO(body)) as image:
            return Fetched(image.format or "", len(body), image.width, image.height)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return Fetched("", len(body))
