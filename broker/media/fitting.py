"""How large a picture is shown on a platform. Pure."""

from __future__ import annotations

from math import ceil

Size = tuple[int, int]
"""Width and height in pixels."""


def fitted(size: Size, width: tuple[int, int], ratio: tuple[float, float]) -> tuple[Size, Size]:
    """The size with the border that its ratio needs, and the size at which the whole is then shown."""
    ground = _bordered(size, *ratio)
    shown_width = min(max(ground[0], width[0]), width[1])
    return ground, ground if shown_width == ground[0] else (shown_width, max(1, shown_width * ground[1] // ground[0]))


def _bordered(size: Size, least: float, most: float) -> Size:
    width, height = size
    if width / height > most:
        return width, ceil(width / most)
    if width / height < least:
        return ceil(height * least), height
    return size
