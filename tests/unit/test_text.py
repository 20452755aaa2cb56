"""Texts are counted as platforms count them and cut so that readers and read-back find what they need."""

import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.contract import TextLimit, Unit
from broker.model import Post
from broker.rules.text import compose_text, count, cut, legal, normal
from broker.values import replace

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
FLAG = "🇻🇳"
KEYCAP = "1\ufe0f\u20e3"
JAMO = "\u1112\u1161\u11ab"
PIECES = [
    "Bão số 9",
    "ế",
    "e\u0302\u0301",
    "o\u031b\u0323",
    FAMILY,
    FLAG,
    "🇻",
    KEYCAP,
    "👍🏽",
    JAMO,
    "한",
    "क्षि",
    "\u0301",
]
PIECES += [
    "\u0600",
    "©",
    "một",
    "hai",
    "a",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    ".",
    ", ",
    "-",
    "…",
    "\u200d",
    "ไทย",
    "漢字",
    "\t",
]

units = st.sampled_from(Unit)
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join).filter(lambda t: not legal(t))
links = st.none() | st.sampled_from(
    ["https://tin.example/bao-so-9", "https://tin.example/l/TVD-7QK2F9", "https://a.vn/é"]
)


@st.composite
def posts(draw: st.DrawFn) -> Post:
    return Post(
        announcement_id="0195",
        reference="TVD-7QK2F9",
        headline=draw(texts.filter(normal)),
        body=draw(texts),
        agency="Tin Ví Dụ",
        language="vi",
        written_at=datetime(2026, 11, 22, 3, 4, tzinfo=UTC),
        link=draw(links),
        short_link=draw(st.sampled_from([None, "https://tin.example/l/TVD-7QK2F9"])),
        override=draw(st.none() | texts),
        late_mark=draw(st.sampled_from([None, "Viết lúc 10:04"])),
    )


def a_post(**changes: Any) -> Post:
    post = Post(
        announcement_id="0195",
        reference="TVD-7QK2F9",
        headline="Bão số 9 đổ bộ",
        body="Người dân ven biển sơ tán trước 18 giờ.",
        agency="Tin Ví Dụ",
        language="vi",
        written_at=datetime(2026, 11, 22, 3, 4, tzinfo=UTC),
    )
    return replace(post, **changes)


def graphemes(text: str) -> list[str]:
    return regex.findall(r"\X", text)


@pytest.mark.parametrize(
    ("text", "code_points", "utf16", "clusters", "utf8", "emoji_bytes"),
    [
        ("", 0, 0, 0, 0, 0),
        ("Storm", 5, 5, 5, 5, 5),
        ("Bão số 9", 8, 8, 8, 11, 8),
        ("e\u0302\u0301", 3, 3, 1, 5, 1),
        (JAMO, 3, 3, 1, 9, 1),
        ("한", 1, 1, 1, 3, 1),
        (FLAG, 2, 4, 1, 8, 8),
        (FAMILY, 7, 11, 1, 25, 25),
        ("👍🏽", 2, 4, 1, 8, 8),
        (KEYCAP, 3, 3, 1, 7, 7),
        ("©", 1, 1, 1, 2, 2),
        ("漢字", 2, 2, 2, 6, 2),
        ("a\r\nb", 4, 4, 3, 4, 3),
    ],
)
def test_lengths(text: str, code_points: int, utf16: int, clusters: int, utf8: int, emoji_bytes: int):
    expected = [code_points, utf16, clusters, utf8, emoji_bytes]
    assert [count(text, unit) for unit in Unit] == expected


@given(st.text() | texts)
def test_the_short_way_of_counting_agrees_with_the_long_one(text: str):
    assert count(text, Unit.GRAPHEMES) == len(graphemes(text))


def test_every_character_of_the_short_way_is_a_grapheme_of_its_own():
    every = [chr(point) for point in range(0x20, 0x2100) if not unicodedata.combining(chr(point))]
    for character in every:
        assert count(f"a{character}b{character}", Unit.GRAPHEMES) == len(graphemes(f"a{character}b{character}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Ba\u0303o so\u0302\u0301 9 \n", "Bão số 9"),
        ("một  \r\nhai\t\rba", "một\nhai\nba"),
        ("một\n\n  hai", "một\n\n  hai"),
        (" \n ", ""),
    ],
)
def test_normal_form(text: str, expected: str):
    assert normal(text) == expected


@given(texts | st.text().filter(lambda t: not legal(t)))
def test_normal_form_is_stable_and_nfc(text: str):
    once = normal(text)
    assert normal(once) == once
    assert unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Bão số 9 🌀", None),
        ("", None),
        ("Bão\0", "contains U+0000 at position 3: remove it"),
        ("B\udc00o", "contains a lone surrogate at position 1: send valid UTF-8 text"),
        ("\ud83d\ude00", "contains a lone surrogate at position 0: send valid UTF-8 text"),
    ],
)
def test_what_cannot_be_stored_is_named(text: str, problem: str | None):
    assert legal(text) == problem


@pytest.mark.parametrize(
    ("text", "limit", "unit", "expected"),
    [
        ("một hai ba", 10, Unit.CODE_POINTS, "một hai ba"),
        ("một hai ba", 9, Unit.CODE_POINTS, "một hai…"),
        ("một hai ba", 8, Unit.CODE_POINTS, "một hai…"),
        ("một hai ba", 7, Unit.CODE_POINTS, "một…"),
        ("một, hai", 6, Unit.CODE_POINTS, "một…"),
        ("một hai ba", 11, Unit.BYTES, "một…"),
        ("Donaudampfschifffahrt", 6, Unit.CODE_POINTS, "Donau…"),
        ("漢字漢字漢字", 4, Unit.CODE_POINTS, "漢字漢…"),
        (FAMILY * 2, 10, Unit.UTF16, ""),
        (FAMILY * 2, 12, Unit.UTF16, f"{FAMILY}…"),
        (FLAG * 3, 4, Unit.CODE_POINTS, f"{FLAG}…"),
        (f"a {FLAG} b", 10, Unit.EMOJI_BYTES, f"a {FLAG} b"[:1] + "…"),
        ("một", 1, Unit.CODE_POINTS, ""),
        ("một", 0, Unit.CODE_POINTS, ""),
        ("một", -3, Unit.CODE_POINTS, ""),
        ("", 0, Unit.CODE_POINTS, ""),
    ],
)
def test_cuts(text: str, limit: int, unit: Unit, expected: str):
    assert cut(text, limit, unit) == expected


@given(texts, st.integers(0, 60), units)
def test_a_cut_fits_and_splits_no_grapheme(text: str, limit: int, unit: Unit):
    short = cut(text, limit, unit)
    assert count(short, unit) <= limit
    assert cut(short, limit, unit) == short
    if short != text and short:
        kept = graphemes(short.removesuffix("…"))
        assert graphemes(text)[: len(kept)] == kept


@given(
    st.lists(st.sampled_from(["bão", "số", "chín", "sơ", "tán"]), min_size=1, max_size=30), st.integers(16, 60), units
)
def test_words_stay_whole(words: list[str], limit: int, unit: Unit):
    short = cut(" ".join(words), limit, unit)
    assert short.removesuffix("…").split() == words[: len(short.split())]


def test_layout():
    post = a_post(
        link="https://tin.example/bao", short_link="https://tin.example/l/TVD-7QK2F9", late_mark="Viết lúc 10:04"
    )
    assert compose_text(post).text == (
        "Viết lúc 10:04\n\nBão số 9 đổ bộ\n\nNgười dân ven biển sơ tán trước 18 giờ.\n\n"
        "https://tin.example/bao\nhttps://tin.example/l/TVD-7QK2F9"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"body": ""}, "Bão số 9 đổ bộ\n\nTVD-7QK2F9"),
        ({"override": "Sơ tán ngay!"}, "Sơ tán ngay!\n\nTVD-7QK2F9"),
        ({"override": "Sơ tán ngay (TVD-7QK2F9)."}, "Sơ tán ngay (TVD-7QK2F9)."),
        ({"override": "Mã TVD-7QK2F9X"}, "Mã TVD-7QK2F9X\n\nTVD-7QK2F9"),
        ({"override": "  "}, "Bão số 9 đổ bộ\n\nNgười dân ven biển sơ tán trước 18 giờ.\n\nTVD-7QK2F9"),
        (
            {"body": "Xem https://a.vn/b.", "link": "https://a.vn/b"},
            "Bão số 9 đổ bộ\n\nXem https://a.vn/b.\n\nTVD-7QK2F9",
        ),
        ({"body": "", "link": "https://a.vn", "short_link": "https://a.vn"}, "Bão số 9 đổ bộ\n\nhttps://a.vn"),
    ],
)
def test_links_are_shown_once(changes: dict[str, str | None], expected: str):
    assert compose_text(a_post(**changes)).text == expected


def test_the_body_is_cut_first_then_the_headline():
    post = a_post(link="https://a.vn/b")
    tail = "\n\nhttps://a.vn/b\nTVD-7QK2F9"
    shorter = compose_text(post, TextLimit(70))
    shortest = compose_text(post, TextLimit(40))
    assert shorter.text == f"Bão số 9 đổ bộ\n\nNgười dân ven biển sơ tán…{tail}"
    assert shorter.cut == "the body is cut from 39 to 26: this channel takes 70 characters"
    assert shortest.text == f"Bão số 9 đổ…{tail}"
    assert shortest.cut == (
        "the headline is cut from 14 to 12 and the body (39) is left out: this channel takes 40 characters"
    )


def test_a_link_that_is_cut_away_in_the_body_still_stands_below_it():
    post = a_post(body=f"{'Sơ tán ngay. ' * 20}https://a.vn/b", link="https://a.vn/b")
    assert compose_text(post, TextLimit(100)).text.endswith("\n\nhttps://a.vn/b\nTVD-7QK2F9")


def test_what_cannot_be_composed_says_what_to_change():
    with pytest.raises(ValueError, match=r"takes 72 of this channel's 70 characters .* use a shorter link, or none"):
        compose_text(a_post(link=f"https://a.vn/{'b' * 46}"), TextLimit(70))


@given(posts(), st.integers(1, 200), units)
def test_every_composed_text_fits_and_keeps_link_and_reference(post: Post, limit: int, unit: Unit):
    try:
        composed = compose_text(post, TextLimit(limit, unit))
    except ValueError:
        assume(False)
        raise
    text = composed.text
    assert composed.length == count(text, unit) <= limit
    assert post.reference_line in text
    assert normal(post.link or "") in text
    assert text.startswith(post.late_mark or "")
    assert normal(text) == text
    assert (composed.cut is None) == (text == compose_text(post).text)
    assert compose_text(post, TextLimit(limit, unit)) == composed
    again = compose_text(replace(post, override=text, late_mark=None), TextLimit(limit, unit))
    assert again.text == text


@given(posts(), units)
def test_what_fits_is_not_touched(post: Post, unit: Unit):
    whole = compose_text(post)
    composed = compose_text(post, TextLimit(count(whole.text, unit), unit))
    assert (composed.text, composed.cut) == (whole.text, None)
