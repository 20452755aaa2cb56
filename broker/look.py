"""How an agency's headline cards look: its colours, checked for contrast, and its logo. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CARD_WIDTH, CARD_HEIGHT = 1080, 1350
"""Pixels of a headline card: the tallest that Instagram shows whole."""
CARD_SECONDS = 6
"""Of its video."""
LEGIBLE, VISIBLE = 4.5, 3.0
"""Least contrast of text and of ornaments with what is behind them (WCAG 2.2, criteria 1.4.3 and 1.4.11)."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Colour:
    """Of the screen, such as `#0b2540`."""

    rgb: tuple[int, int, int]

    @classmethod
    def read(cls, text: str) -> Colour:
        if not _COLOUR.fullmatch(text):
            raise ValueError("is no colour: write six hexadecimal digits, such as #0b2540")
        red, green, blue = bytes.fromhex(text[1:])
        return cls((red, green, blue))

    def __str__(self) -> str:
        return f"#{bytes(self.rgb).hex()}"

    def contrast(self, other: Colour) -> float:
        """From 1 to 21."""
        darker, lighter = sorted((self._luminance, other._luminance))
        return (lighter + 0.05) / (darker + 0.05)

    def mixed(self, other: Colour, share: float) -> Colour:
        """With this share of the other colour."""
        red, green, blue = (round(a + (b - a) * share) for a, b in zip(self.rgb, other.rgb, strict=True))
        return Colour((red, green, blue))

    @property
    def _luminance(self) -> float:
        red, green, blue = (_linear(part / 255) for part in self.rgb)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An agency's cards."""

    background: Colour = Colour((11, 37, 64))
    text: Colour = Colour((255, 255, 255))
    accent: Colour = Colour((255, 184, 28))
    logo: Path | None = None

    @property
    def soft(self) -> Colour:
        """Of what is less than the headline: nearer to the background, as far as it stays legible."""
        shares = (0.2, 0.15, 0.1, 0.05)
        mixed = (self.text.mixed(self.background, share) for share in shares)
        return next((colour for colour in mixed if colour.contrast(self.background) >= LEGIBLE), self.text)

    @property
    def faint(self) -> Colour:
        """Of a line that only parts."""
        return self.background.mixed(self.text, 0.28)

    def written(self) -> dict[str, str]:
        """As `Colour.read` takes it."""
        colours = {"background": self.background, "text": self.text, "accent": self.accent}
        logo = {"logo": str(self.logo)} if self.logo else {}
        return {name: str(colour) for name, colour in colours.items()} | logo

    def problems(self) -> dict[str, str]:
        """What readers could not read, by field."""
        found = {}
        if (contrast := self.text.contrast(self.background)) < LEGIBLE:
            found["text"] = _pale(contrast, LEGIBLE)
        if (contrast := self.accent.contrast(self.background)) < VISIBLE:
            found["accent"] = _pale(contrast, VISIBLE)
        return found


def _pale(contrast: float, least: float) -> str:
    seen = f"cannot be seen well on the background (contrast {contrast:.1f}, needed {least:g})"
    return f"{seen}: choose a lighter or darker one"
