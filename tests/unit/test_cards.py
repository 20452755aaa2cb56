"""Headline cards: what they say, in which colours, and where the words stand."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.look import LEGIBLE, Colour, Look
from broker.media.drawing import draw, glyph, measure
from broker.media.layout import BOTTOM, HEIGHT, MARGIN, TEXT_WIDTH, TOP, WIDTH, Font, Line, Part, Weight, laid_out
from broker.model import Card, Post
from broker.rules.cards import card_of, drawable, written
from broker.values import replace
from tests.examples import FEW

VIETNAMESE = "".join(
    unicodedata.normalize("NFC", letter + tone)
    for letter in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
    for tone in ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
)
CARD = Card(
    agency="Tin Ví Dụ", headline="Bão số 9 đổ bộ: sơ tán trước 18 giờ", body="Người dân ven biển vào nhà kiên cố.",
    reference="TVD-7QK2F9", written="10:04 · 22/11/2026", language="vi",
)  # fmt: skip
POST = Post(
    announcement_id="0195", reference="TVD-7QK2F9", headline=CARD.headline, body=CARD.body, agency=CARD.agency,
    language="vi", written_at=datetime(2026, 11, 22, 3, 4, tzinfo=UTC),
)  # fmt: skip
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
LONG = "Thủ tướng yêu cầu các địa phương khẩn trương rà soát, sơ tán người dân khỏi khu vực nguy hiểm. " * 8


def of(part: Part, lines: list[Line]) -> str:
    return " ".join(line.text for line in lines if line.part is part)


@pytest.mark.parametrize("weight", list(Weight))
def test_the_font_has_every_letter_of_vietnamese(weight):
    missing = glyph("\uffff", Font(40, weight))
    for letter in VIETNAMESE + "đĐ₫…–—“”‘’·":
        assert glyph(letter, Font(40, weight)) != missing, letter


def test_short_words_stand_whole_and_large():
    lines = laid_out(CARD, measure)
    assert of(Part.HEADLINE, lines) == CARD.headline
    assert of(Part.BODY, lines) == CARD.body
    assert min(line.font.size for line in lines if line.part is Part.HEADLINE) >= 98


def test_a_long_headline_shrinks_before_it_is_cut():
    headline = LONG[:190].rpartition(" ")[0]
    lines = laid_out(replace(CARD, headline=headline), measure)
    assert of(Part.HEADLINE, lines) == headline
    assert max(line.font.size for line in lines if line.part is Part.HEADLINE) <= 64


def test_what_has_no_room_is_cut_after_a_word():
    lines = laid_out(replace(CARD, headline=LONG, body=LONG), measure)
    for part in (Part.HEADLINE, Part.BODY):
        shown = of(part, lines)
        assert shown.endswith("…")
        assert LONG.startswith(shown[:-1])
        assert LONG[len(shown) - 1] in " ,."


WORDS = st.text("aăđệửNgH .,:\n\u0301🌊-", max_size=400)


@FEW
@given(WORDS, WORDS, WORDS, st.sampled_from((0, 300)))
def test_no_word_leaves_its_place(agency, headline, body, logo_width):
    lines = laid_out(replace(CARD, agency=agency, headline=headline, body=body), measure, logo_width=logo_width)
    for line in lines:
        assert line.x >= MARGIN
        assert line.x + measure(line.text, line.font) <= WIDTH - MARGIN + 1
        if line.part in (Part.HEADLINE, Part.BODY):
            assert line.y - line.font.size * 0.9 >= TOP
            assert line.y <= BOTTOM
    assert all(measure(line.text, line.font) <= TEXT_WIDTH - logo_width for line in lines if line.part is Part.AGENCY)


def test_the_picture_shows_the_agencys_colours():
    look = Look(background=Colour.read("#faf7f2"), text=Colour.read("#1d1d1f"), accent=Colour.read("#c8102e"))
    picture = draw(CARD, look)
    assert picture.size == (WIDTH, HEIGHT)
    assert {picture.getpixel((5, 5)), picture.getpixel((5, 700))} == {look.accent.rgb, look.background.rgb}
    assert look.text.rgb in {colour for _, colour in picture.getcolors(1 << 20) or ()}


def test_colours_nobody_can_read_are_told():
    pale = Look(background=Colour.read("#ffffff"), text=Colour.read("#cccccc"), accent=Colour.read("#ffff00"))
    assert pale.problems().keys() == {"text", "accent"}
    assert Look().problems() == {}


@given(st.tuples(*[st.integers(0, 255)] * 3), st.tuples(*[st.integers(0, 255)] * 3))
def test_softer_text_stays_legible(background, text):
    look = Look(background=Colour(background), text=Colour(text))
    assert "text" in look.problems() or look.soft.contrast(look.background) >= LEGIBLE


@pytest.mark.parametrize("text", ["red", "#fff", "#12345g", "0b2540", "#0b2540 "])
def test_a_colour_is_six_digits(text):
    with pytest.raises(ValueError, match="#0b2540"):
        Colour.read(text)


def test_a_card_says_what_the_post_says():
    card = card_of(replace(POST, body="Xem https://tin.example/bao-so-9 để biết."), HANOI)
    assert card == replace(CARD, body="Xem  để biết.")


@pytest.mark.parametrize("headline", ["台风登陆", "Тайфун", "พายุ"])
def test_letters_the_font_lacks_make_no_card(headline):
    assert card_of(replace(POST, headline=headline), HANOI) is None


def test_signs_the_font_lacks_are_left_out():
    assert drawable("Bão 🌊 đổ bộ ➜ 120 km/h") == "Bão  đổ bộ  120 km/h"


@pytest.mark.parametrize(("language", "shown"), [("vi", "10:04 · 22/11/2026"), ("en", "22 Nov 2026 · 10:04")])
def test_the_time_is_the_agencys(language, shown):
    assert written(POST.written_at, HANOI, language) == shown
