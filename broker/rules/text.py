"""Text as platforms take it: lengths in five units, cuts between words, and the one layout of every post. Pure.

    late mark · headline · body · link · reference

The body is cut first, then the headline; late mark, link and reference stay whole, because read-back looks for them.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import regex

from broker.contract import TextLimit, Unit
from broker.model import Composed, Post

ELLIPSIS = "…"
GAP = "\n\n"

_CLUSTER = regex.compile(r"\X")
_EMOJI = regex.compile(r"[\p{Extended_Pictographic}\p{Regional_Indicator}\uFE0F\u20E3]")
# Letters, digits and punctuation of which each is a grapheme of its own and none an emoji: Latin with Vietnamese, Greek
_PLAIN = re.compile(r"[\n\x20-\xa8\xaa-\xad\xaf-\u02ff\u1e00-\u1fff\u2010-\u2027\u2030-\u203b]*")
_LOOSE = frozenset(".,;:-–—(")
_BESIDE_WORDS = ".,;:!?()[]<>«»“”‘’\"'"
_UNIT_NAMES = {
    Unit.CODE_POINTS: "characters",
    Unit.UTF16: "UTF-16 units",
    Unit.GRAPHEMES: "characters",
    Unit.BYTES: "bytes",
    Unit.EMOJI_BYTES: "characters (an emoji counts as its bytes)",
}


def count(text: str, unit: Unit) -> int:
    """Length of `text` as a platform with this unit counts it."""
    match unit:
        case Unit.CODE_POINTS:
            return len(text)
        case Unit.BYTES:
            return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
        case Unit.UTF16:
            return len(text) if text.isascii() else len(text.encode("utf-16-le", errors="surrogatepass")) // 2
        case Unit.GRAPHEMES | Unit.EMOJI_BYTES:
            if _PLAIN.fullmatch(text):
                return len(text)
            return sum(_weight(cluster, unit) for cluster in _clusters(text))


@lru_cache(maxsize=64)
def normal(text: str) -> str:
    """`text` in NFC with plain line ends, without blanks at line ends and around it."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def legal(text: str) -> str | None:
    """What is wrong with `text` and how to mend it; None if it can be stored and sent."""
    if "\0" in text:
        return f"contains U+0000 at position {text.index(chr(0))}: remove it"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"contains a lone surrogate at position {error.start}: send valid UTF-8 text"
    return None


def cut(text: str, limit: int, unit: Unit = Unit.CODE_POINTS) -> str:
    """`text` if it fits, else its beginning up to a word's end, with an ellipsis; "" if not even that has room.

    Words longer than half of the room, and scripts without blanks, are cut between graphemes.
    """
    if count(text, unit) <= limit:
        return text
    kept = _beginning(text, limit - count(ELLIPSIS, unit), unit)
    while kept and (kept[-1].isspace() or kept[-1] in _LOOSE):
        kept.pop()
    return "".join([*kept, ELLIPSIS]) if kept else ""


def compose_text(post: Post, limit: TextLimit | None = None) -> Composed:
    """The post as readers of a text channel will see it, at most `limit` long.

    Raises `ValueError` with what to change if nothing of headline or body would be left.
    """
    headline, body = normal(post.headline), normal(post.body)
    if override := normal(post.override or ""):
        headline, body = "", override
    text = _laid_out(post, _joined(headline, body))
    if limit is None:
        return Composed(text=text, length=len(text))
    if (length := count(text, limit.unit)) > limit.limit:
        return _shortened(post, headline, body, limit)
    return Composed(text=text, length=length, limit=limit.limit, unit=limit.unit)


def _shortened(post: Post, headline: str, body: str, limit: TextLimit) -> Composed:
    """The post with as much of the body as fits; only if the body is gone, as much of the headline."""
    unit, fixed = limit.unit, count(_laid_out(post, ""), limit.unit) + len(GAP)
    room = limit.limit - fixed
    room_beside_headline = room - count(headline + GAP, unit) if headline else room
    kept_headline, kept_body = headline, cut(body, room_beside_headline, unit)
    if not kept_body:
        kept_headline = cut(headline, room, unit)
    if not (kept := _joined(kept_headline, kept_body)):
        raise ValueError(
            f"what must stay whole (link, reference, late mark) takes {fixed} of this channel's {limit.limit} "
            f"{_UNIT_NAMES[unit]} and leaves no room for the headline: use a shorter link, or none"
        )
    told = filter(None, (_told("headline", headline, kept_headline, unit), _told("body", body, kept_body, unit)))
    why = f"this channel takes {limit.limit:,} {_UNIT_NAMES[unit]}"
    text = _laid_out(post, kept)
    return Composed(
        text=text, length=count(text, unit), limit=limit.limit, unit=unit, cut=f"{' and '.join(told)}: {why}"
    )


def _clusters(text: str) -> Iterator[str]:
    return iter(text) if _PLAIN.fullmatch(text) else (found.group() for found in _CLUSTER.finditer(text))


def _weight(cluster: str, unit: Unit) -> int:
    return len(cluster.encode(errors="surrogatepass")) if unit is Unit.EMOJI_BYTES and _EMOJI.search(cluster) else 1


def _beginning(text: str, room: int, unit: Unit) -> list[str]:
    """Graphemes of `text` that fit into `room`, without the last word if that is cut and not overlong."""
    room = max(room, 0)
    first = list(islice(_clusters(text), room + 1))
    fitting = bisect_right(range(len(first) + 1), room, key=lambda n: count("".join(first[:n]), unit)) - 1
    if fitting < len(first) and first[fitting].isspace():
        return first[:fitting]
    blanks = (at for at in range(fitting - 1, fitting // 2 - 1, -1) if first[at].isspace())
    return first[: next(blanks, fitting)]


def _joined(*parts: str) -> str:
    return GAP.join(filter(None, parts))


def _laid_out(post: Post, words: str) -> str:
    """`words` between late mark and, unless they show them already, link and reference."""
    lines = dict.fromkeys((normal(post.link or ""), normal(post.reference_line)))
    tail = "\n".join(line for line in lines if line and not _shows(words, line))
    return _joined(normal(post.late_mark or ""), words, tail)


def _shows(words: str, line: str) -> bool:
    return line in words and any(word.strip(_BESIDE_WORDS) == line for word in words.split())


def _told(part: str, whole: str, short: str, unit: Unit) -> str:
    if whole == short:
        return ""
    before = f"{count(whole, unit):,}"
    return (
        f"the {part} is cut from {before} to {count(short, unit):,}" if short else f"the {part} ({before}) is left out"
    )
