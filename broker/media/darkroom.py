"""Decodes, encodes and draws pictures: a program that runs in a bounded child process, one task each.

It reads one JSON object and answers with one: what the picture is now, or why it cannot be used.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from broker.look import Colour, Look
from broker.media.drawing import draw
from broker.media.fitting import fitted
from broker.media.kinds import Unfit
from broker.model import Card

FORMATS = ("JPEG", "PNG", "WEBP")
LONGEST_SIDE = 4096
SMALLEST_SIDE = 16
QUALITIES = (90, 82, 74, 64, 50)
"""Of JPEG, best first: the next one when the file is too large."""


def keep(source: Path, target: Path, pixels: int) -> Image.Image:
    """A stranger's picture as we keep it: upright, sRGB, without anything but its pixels."""
    with _opened(source, pixels) as file:
        if file.format == "JPEG":
            file.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        profile = file.info.get("icc_profile")
        picture = _flat(_in_srgb(ImageOps.exif_transpose(file), profile))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    _save(picture, target, None)
    return picture


def fit(source: Path, target: Path, width: tuple[int, int], ratio: tuple[float, float], size: int) -> Image.Image:
    """One of ours as a platform takes it: bordered to its ratios, scaled to its widths, compressed to its size."""
    with Image.open(source, formats=FORMATS) as file:
        picture = _flat(file)
    ground, shown = fitted(picture.size, width, ratio)
    if ground != picture.size:
        mean = picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        picture = ImageOps.pad(picture, ground, color=mean)  # type: ignore[arg-type]  # RGB: three numbers
    if shown != ground:
        picture = picture.resize(shown, Image.Resampling.LANCZOS)
    _save(picture, target, size)
    return picture


def card(target: Path, words: Mapping[str, str], look: Mapping[str, str]) -> Image.Image:
    colours = {name: Colour.read(look[name]) for name in ("background", "text", "accent")}
    logo = Path(look["logo"]) if look.get("logo") else None
    picture = draw(Card(**words), Look(**colours, logo=logo))
    _save(picture, target, None)
    return picture


def _opened(source: Path, pixels: int) -> Image.Image:
    """Checked by what its head says; nothing is decoded yet."""
    Image.MAX_IMAGE_PIXELS = pixels
    try:
        file = Image.open(source, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(_too_many(pixels)) from None
    width, height = file.size
    if width * height > pixels:
        raise Unfit(_too_many(pixels))
    if min(width, height) < SMALLEST_SIDE:
        raise Unfit(f"has {width} by {height} pixels: use a larger one")
    return file


def _too_many(pixels: int) -> str:
    return f"has more than {pixels // 1_000_000} million pixels: make it smaller"


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Its colours as all screens show them; a profile that cannot be read is left aside."""
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return picture
    try:
        source, screen = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(picture, source, screen, outputMode=mode) or picture
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture


def _flat(picture: Image.Image) -> Image.Image:
    """On white where it is transparent."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        picture = Image.alpha_composite(white, seen)
    return picture.convert("RGB")


def _save(picture: Image.Image, target: Path, size: int | None) -> None:
    """JPEG without metadata, as good as `size` allows."""
    for quality in QUALITIES:
        kept = io.BytesIO()
        picture.save(kept, "JPEG", quality=quality, optimize=True, progressive=True, exif=b"", icc_profile=None)
        if size is None or kept.tell() <= size:
            target.write_bytes(kept.getbuffer())
            return
    raise Unfit(f"stays larger than {size} bytes: use a smaller one")


TASKS: Mapping[str, Callable[..., Image.Image]] = {"keep": keep, "fit": fit, "card": card}


def main() -> None:
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    task: dict[str, Any] = json.load(sys.stdin)
    paths = {name: Path(task.pop(name)) for name in ("source", "target") if name in task}
    try:
        picture = TASKS[task.pop("do")](**paths, **task)
        answer: dict[str, Any] = {"width": picture.width, "height": picture.height}
    except Unfit as error:
        answer = {"unfit": str(error)}
    except MemoryError:
        answer = {"unfit": "needs too much memory: make it smaller"}
    except UnidentifiedImageError:
        answer = {"unfit": "cannot be read: save it anew as JPEG"}
    except OSError as error:
        answer = (
            {"unfit": "is cut off or damaged: send the whole file"} if error.errno is None else {"disk": error.strerror}
        )
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
