"""Draws a headline card with Pillow."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import fontpkg_be_vietnam_pro
from PIL import Image, ImageDraw, ImageFont

from broker.look import Colour, Look
from broker.media.layout import HEIGHT, MARGIN, WIDTH, Font, Line, Part, laid_out
from broker.model import Card

LOGO = (300, 96)
"""The largest a logo is shown."""
RULE, LOWER_RULE = 196, 1212
"""Where the lines below the agency and above the reference run."""
FONTS = Path(fontpkg_be_vietnam_pro.ROOT) / "files"


def draw(card: Card, look: Look) -> Image.Image:
    """The card, 1080 by 1350 pixels."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), look.background.rgb)
    pen = ImageDraw.Draw(picture)
    logo = _logo(look.logo) if look.logo else None
    if logo:
        picture.paste(logo, (WIDTH - MARGIN - logo.width, 136 - logo.height // 2), logo)
    pen.rectangle((0, 0, WIDTH, 15), fill=look.accent.rgb)
    pen.rectangle((MARGIN, RULE, MARGIN + 120, RULE + 7), fill=look.accent.rgb)
    pen.line((MARGIN, LOWER_RULE, WIDTH - MARGIN, LOWER_RULE), fill=look.faint.rgb, width=2)
    for line in laid_out(card, measure, logo_width=logo.width if logo else 0):
        pen.text((line.x, line.y), line.text, _colour(line, look).rgb, _font(line.font), anchor="ls")
    return picture


def measure(text: str, font: Font) -> float:
    return _font(font).getlength(text)


def glyph(char: str, font: Font) -> bytes:
    """What a character looks like: that of one which the font lacks is always the same."""
    return bytes(_font(font).getmask(char))


def _colour(line: Line, look: Look) -> Colour:
    match line.part:
        case Part.HEADLINE | Part.AGENCY:
            return look.text
        case Part.BODY | Part.WRITTEN | Part.REFERENCE:
            return look.soft


@cache
def _font(font: Font) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        FONTS / f"BeVietnamPro-{font.weight}.ttf", font.size, layout_engine=ImageFont.Layout.BASIC
    )


def _logo(path: Path) -> Image.Image:
    with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as file:
        logo = file.convert("RGBA")
    logo.thumbnail(LOGO, Image.Resampling.LANCZOS)
    return logo
