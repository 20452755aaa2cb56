"""Where the words of a headline card stand. Pure: how wide letters are is asked of whoever draws them.

agency ─────────────────────── logo
headline, as large as it fits
beginning of the body
reference ─────────────────── written
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import regex

from broker.look import CARD_HEIGHT, CARD_WIDTH
from broker.model import Card

WIDTH, HEIGHT = CARD_WIDTH, CARD_HEIGHT
MARGIN = 92
TEXT_WIDTH = WIDTH - 2 * MARGIN
TOP, BOTTOM = 262, 1186
"""What headline and body share, from and to."""
AGENCY_BOTTOM = 164
BASELINE = 1264
"""Of the lowest line."""

HEADLINE_SIZES = {124: 4, 110: 4, 98: 5, 90: 6, 82: 6, 76: 7, 70: 7, 64: 8, 58: 8, 52: 9}
"""Largest first, each with the most lines it may take."""
BODY_SIZES = (48, 42, 38, 34)
SHORT_BODY_LINES = 4
AGENCY_LEADING, HEADLINE_LEADING, BODY_LEADING = 1.3, 1.24, 1.5
"""Room for Vietnamese marks above and below."""
ASCENT = 0.98
"""From the top of a line with marks on its capitals to its baseline, in sizes."""
GAP = 54
"""Between headline and body."""
LINES_AT_MOST = 100
"""More fit on no card."""
LIFT = 0.36
"""How much of the room that short texts leave stands above them: the eye's middle is above the measured one."""

ELLIPSIS = "…"

_CLUSTER = regex.compile(r"\X")
_LOOSE = " .,;:-–—("


class Weight(StrEnum):
    REGULAR = "Regular"
    SEMIBOLD = "SemiBold"
    BOLD = "Bold"


class Part(StrEnum):
    AGENCY = "agency"
    HEADLINE = "headline"
    BODY = "body"
    REFERENCE = "reference"
    WRITTEN = "written"


@dataclass(frozen=True, slots=True)
class Font:
    size: int
    weight: Weight


Measure = Callable[[str, Font], float]
"""How wide a text is, in pixels."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; `y` is its baseline."""

    part: Part
    text: str
    x: float
    y: float
    font: Font


AGENCY, SMALL_AGENCY = Font(40, Weight.SEMIBOLD), Font(32, Weight.SEMIBOLD)
REFERENCE, SMALL = Font(32, Weight.SEMIBOLD), Font(32, Weight.REGULAR)


def laid_out(card: Card, measure: Measure, *, logo_width: int = 0) -> list[Line]:
    """Every line of the card; what has no room is cut at a word, with an ellipsis."""
    return [
        *_agency(card.agency, TEXT_WIDTH - (logo_width + 40 if logo_width else 0), measure),
        *_story(card, measure),
        Line(Part.REFERENCE, card.reference, MARGIN, BASELINE, REFERENCE),
        Line(Part.WRITTEN, card.written, WIDTH - MARGIN - measure(card.written, SMALL), BASELINE, SMALL),
    ]


def _agency(name: str, width: float, measure: Measure) -> Iterator[Line]:
    """On one line, or on two smaller ones."""
    block = _wrapped(name, AGENCY, measure, width)
    if len(block.lines) > 1:
        block = _cut(_wrapped(name, SMALL_AGENCY, measure, width), 2, measure, width)
    height = block.height(AGENCY_LEADING)
    yield from _set(Part.AGENCY, block, AGENCY_BOTTOM - height, AGENCY_LEADING)


def _story(card: Card, measure: Measure) -> Iterator[Line]:
    """The headline as large as leaves room for a beginning of the body, then as much of the body as fits."""
    headline = _headline(card, measure)
    height = headline.height(HEADLINE_LEADING)
    body = _body(card.body, BOTTOM - TOP - height - GAP, measure)
    free = BOTTOM - TOP - height - (GAP + body.height(BODY_LEADING) if body else 0)
    top = TOP + free * LIFT
    yield from _set(Part.HEADLINE, headline, top, HEADLINE_LEADING)
    if body:
        yield from _set(Part.BODY, body, top + height + GAP, BODY_LEADING)


@dataclass(frozen=True, slots=True)
class _Block:
    lines: Sequence[str]
    font: Font

    def height(self, leading: float) -> float:
        return len(self.lines) * self.font.size * leading


def _headline(card: Card, measure: Measure) -> _Block:
    """The largest size at which it fits with some of the body; else the smallest, cut."""
    body_room = GAP + SHORT_BODY_LINES * BODY_SIZES[-1] * BODY_LEADING if card.body else 0
    for size, lines in HEADLINE_SIZES.items():
        block = _wrapped(card.headline, Font(size, Weight.BOLD), measure, most=lines)
        whole = not any(word not in card.headline for line in block.lines for word in line.split())
        if whole and len(block.lines) <= lines and block.height(HEADLINE_LEADING) <= BOTTOM - TOP - body_room:
            return _balanced(card.headline, block, measure)
    size, lines = [*HEADLINE_SIZES.items()][-1]
    return _cut(_wrapped(card.headline, Font(size, Weight.BOLD), measure, most=lines), lines, measure)


def _body(text: str, room: float, measure: Measure) -> _Block | None:
    """The largest size at which all of it fits; else as many lines of the smallest as fit, cut."""
    *larger, smallest = ((size, max(0, int(room / (size * BODY_LEADING)))) for size in BODY_SIZES)
    for size, fitting in larger:
        block = _wrapped(text, Font(size, Weight.REGULAR), measure, most=fitting)
        if len(block.lines) <= fitting:
            return block if block.lines else None
    size, fitting = smallest
    block = _wrapped(text, Font(size, Weight.REGULAR), measure, most=fitting)
    return _cut(block, fitting, measure) if fitting > 0 and block.lines else None


def _set(part: Part, block: _Block, y: float, leading: float) -> Iterator[Line]:
    """The lines of a block whose top is at `y`."""
    for number, text in enumerate(block.lines):
        yield Line(part, text, MARGIN, y + block.font.size * (ASCENT + number * leading), block.font)


def _wrapped(text: str, font: Font, measure: Measure, width: float = TEXT_WIDTH, most: int = LINES_AT_MOST) -> _Block:
    """Its lines, and no more of them than one beyond `most`: measuring is slow."""
    lines: list[str] = []
    for paragraph in filter(None, map(str.strip, text.splitlines())):
        line = ""
        for word in _breakable(paragraph, font, width, measure):
            longer = f"{line} {word}" if line else word
            if line and measure(longer, font) > width:
                lines.append(line)
                longer = word
                if len(lines) > most:
                    return _Block(lines, font)
            line = longer
        lines.append(line)
    return _Block(lines[: most + 1], font)


def _breakable(paragraph: str, font: Font, width: float, measure: Measure) -> Iterator[str]:
    """Its words; what is wider than a line (an address, say) in pieces between graphemes."""
    for word in paragraph.split():
        if measure(word, font) <= width:
            yield word
            continue
        piece = ""
        for cluster in _CLUSTER.findall(word):
            if piece and measure(piece + cluster, font) > width:
                yield piece
                piece = ""
            piece += cluster
        yield piece


def _balanced(text: str, block: _Block, measure: Measure) -> _Block:
    """As many lines, as equal as they can be: no word alone on the last one."""
    narrow, wide = TEXT_WIDTH / 2, float(TEXT_WIDTH)
    while wide - narrow > 8:
        width = (narrow + wide) / 2
        if len(_wrapped(text, block.font, measure, width, most=len(block.lines)).lines) > len(block.lines):
            narrow = width
        else:
            wide = width
    return _wrapped(text, block.font, measure, wide)


def _cut(block: _Block, lines: int, measure: Measure, width: float = TEXT_WIDTH) -> _Block:
    if len(block.lines) <= lines:
        return block
    *kept, last = block.lines[:lines]
    return _Block([*kept, _with_ellipsis(last, block.font, width, measure)], block.font)


def _with_ellipsis(text: str, font: Font, width: float, measure: Measure) -> str:
    """Cut after a word; a word that alone is too wide, between graphemes."""
    words = text.split()
    while len(words) > 1 and measure(" ".join(words).rstrip(_LOOSE) + ELLIPSIS, font) > width:
        words.pop()
    clusters = _CLUSTER.findall(" ".join(words).rstrip(_LOOSE))
    while clusters and measure("".join(clusters) + ELLIPSIS, font) > width:
        clusters.pop()
    return "".join(clusters) + ELLIPSIS
