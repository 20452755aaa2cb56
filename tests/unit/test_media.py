"""Pictures and videos before anything is decoded: what they are, whether they are whole, where they may come from."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.contract import MediaNeeds, Unsuited
from broker.media.fetching import is_public
from broker.media.films import Film, told
from broker.media.fitting import fitted
from broker.media.kinds import Unfit, kind_of
from broker.model import MediaKind, Medium, Urgency
from broker.rules.catalogue import SENTENCES
from broker.rules.media import chosen
from broker.values import replace
from tests.contract.bench import POST

PHONE = """Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'raw':
  Duration: 00:01:02.50, start: 0.000000, bitrate: 9000 kb/s
  Stream #0:0[0x1](und): Video: hevc (Main) (hvc1 / 0x31637668), yuv420p(tv, bt709), 1920x1080, 8878 kb/s, 30 fps
    Side data:
      displaymatrix: rotation of -90.00 degrees
  Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp, 96 kb/s
"""


def boxes(*parts: tuple[bytes, int]) -> bytes:
    return b"".join(struct.pack(">I4s", 8 + size, name) + bytes(size) for name, size in parts)


MP4 = boxes((b"ftyp", 16), (b"moov", 200), (b"mdat", 3000))


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("data", [MP4, boxes((b"ftyp", 16), (b"mdat", 300), (b"moov", 20)), MP4 + boxes((b"free", 0))])
def test_a_whole_video_is_one(tmp_path, data):
    assert kind_of(written(tmp_path, data)) is MediaKind.VIDEO


@given(st.integers(1, len(MP4) - 1))
@example(end=24 + 208)  # between two boxes
def test_no_beginning_of_a_video_passes_for_the_whole(tmp_path_factory, end):
    with pytest.raises(Unfit):
        kind_of(written(tmp_path_factory.mktemp("cut"), MP4[:end]))


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: MP4[:24] + data))
def test_anything_at_all_is_judged(tmp_path_factory, data):
    """Known, or refused with what to do; never anything else."""
    with suppress(Unfit):
        assert kind_of(written(tmp_path_factory.mktemp("any"), data)) in MediaKind


def test_a_size_of_64_bits_is_read(tmp_path):
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 40) + bytes(40)
    assert kind_of(written(tmp_path, boxes((b"ftyp", 16), (b"moov", 8)) + large)) is MediaKind.VIDEO
    with pytest.raises(Unfit):
        kind_of(written(tmp_path, boxes((b"ftyp", 16), (b"moov", 8)) + large[:-1]))


def test_a_phone_held_upright_films_upright():
    film = told(PHONE)
    assert (film.width, film.height, film.duration.total_seconds()) == (1080, 1920, 62.5)
    assert isinstance(film, Film)


@pytest.mark.parametrize(
    ("said", "advice"),
    [("nothing", "MP4"), (PHONE.replace("hevc", "prores"), "prores"), (PHONE.replace("aac", "pcm_s16le"), "pcm_s16le")],
)
def test_a_film_that_platforms_refuse_is_told(said, advice):
    with pytest.raises(Unfit, match=advice):
        told(said)


@given(st.tuples(st.integers(1, 9000), st.integers(1, 9000)), st.sampled_from([(0.8, 1.91), (0.1, 10.0), (1.0, 1.0)]))
def test_what_is_made_to_fit_fits(size, ratio):
    ground, shown = fitted(size, (320, 1440), ratio)
    assert 320 <= shown[0] <= 1440
    assert ground[0] >= size[0]
    assert ground[1] >= size[1]
    assert ratio[0] - 0.02 <= ground[0] / ground[1] <= ratio[1] + 0.02 or min(ground) < 60


PUBLIC = ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:53aa:64c:0:0:80ff:fffe",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_everybody(address):
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_nobody_else(address):
    assert not is_public(address)


# which of them a platform shows

IMAGES = tuple(Medium(name=f"{n}.jpg", kind=MediaKind.IMAGE, mime="image/jpeg") for n in range(3))
VIDEO = Medium(name="v.mp4", kind=MediaKind.VIDEO, mime="video/mp4")
CARD, CARD_VIDEO = replace(IMAGES[0], name="k.jpg"), replace(VIDEO, name="k.mp4")


@pytest.mark.parametrize(
    ("media", "needs", "shown"),
    [
        ((), MediaNeeds(images=1), ()),
        (IMAGES, MediaNeeds(images=2), IMAGES[:2]),
        (IMAGES, MediaNeeds(), ()),
        ((VIDEO, *IMAGES), MediaNeeds(images=3, videos=1), (VIDEO,)),
        ((*IMAGES, VIDEO), MediaNeeds(images=2, videos=1), IMAGES[:2]),
        ((IMAGES[0], VIDEO), MediaNeeds(images=2, videos=1, mixed=True), (IMAGES[0], VIDEO)),
        ((VIDEO,), MediaNeeds(images=2, card=MediaKind.IMAGE), (CARD,)),
        ((), MediaNeeds(images=1, card=MediaKind.IMAGE), (CARD,)),
    ],
)
def test_the_agencys_own_come_first_in_its_order(media, needs, shown):
    assert chosen(replace(POST, media=media, card=CARD, card_video=CARD_VIDEO), needs) == shown


NEEDS_VIDEO = MediaNeeds(videos=1, card=MediaKind.VIDEO)


def test_urgent_news_becomes_a_video_only_where_the_channel_allows_it():
    urgent = replace(POST, urgency=Urgency.URGENT, card=CARD, card_video=CARD_VIDEO)
    assert chosen(urgent, NEEDS_VIDEO, card_video=True) == (CARD_VIDEO,)
    for post, allowed, key in (
        (urgent, False, "add_video"),
        (replace(urgent, urgency=Urgency.ROUTINE), True, "add_video_routine"),
        (replace(urgent, card_video=None), True, "add_video_folder"),
    ):
        with pytest.raises(Unsuited) as told_why:
            chosen(post, NEEDS_VIDEO, card_video=allowed)
        assert str(told_why.value) == key
        assert key in SENTENCES


def test_a_picture_that_cannot_be_made_is_asked_for():
    with pytest.raises(Unsuited, match="add_picture"):
        chosen(POST, MediaNeeds(images=1, card=MediaKind.IMAGE))
