"""Pictures and videos that announcements carry: what is taken in, how it is kept, and when it is let go."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import subprocess
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from broker.cli.attaching import attached, with_media
from broker.cli.client import Client
from broker.errors import InvalidInput, RequestError
from tests.contract.api.newsroom import BAO, FULL, NEWS, TIN, Newsroom, newsroom

GPS = 34853


def picture(size: tuple[int, int] = (640, 480), form: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    made = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(made, form, **options)
    return made.getvalue()


def phone_picture() -> bytes:
    """As a phone takes it: on its side, with its place and its maker."""
    exif = Image.Exif()
    exif[271], exif[274] = "SecretMaker", 6
    exif.get_ifd(GPS).update({1: "N", 2: (15.0, 7.0, 24.0), 3: "E", 4: (108.0, 39.0, 15.0)})
    return picture((640, 480), exif=exif.tobytes())


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few kilobytes that says it has 900 million pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(side + 1) * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def video(folder: Path, *options: str, name: str = "raw.mov") -> bytes:
    """As a phone takes it: its index at the end, its place in the metadata."""
    path = folder / name
    source = ["-f", "lavfi", "-i", "color=c=navy:s=320x240:r=30:d=1"]
    said = ["-metadata", "location=+15.1234+108.6543/", "-metadata", "make=SecretMaker"]
    place = [*said, "-movflags", "use_metadata_tags"]
    coding = options or ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    subprocess.run([get_ffmpeg_exe(), "-v", "error", *source, *place, *coding, str(path)], check=True)
    return path.read_bytes()


class Elsewhere:
    """Another web server, with what announcements name by its address."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[str] = []
        self.base = ""

    def url(self, path: str) -> str:
        return f"{self.base}{path}"

    def put(self, path: str, data: bytes) -> str:
        self.files[path] = data
        return self.url(path)

    def redirect(self, path: str, to: str) -> str:
        self.redirects[path] = to
        return self.url(path)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/drip":
            return await self.drip(request)
        if to := self.redirects.get(request.path):
            return web.Response(status=302, headers={"Location": to})
        data = self.files.get(request.path)
        return web.Response(status=404) if data is None else web.Response(body=data)

    async def drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"\xff\xd8\xff")
        while True:
            await response.write(b"\0")
            await asyncio.sleep(0.1)


@pytest.fixture
async def elsewhere():
    server = Elsewhere()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


@pytest.fixture
async def open_room(tmp_path):
    """Which may fetch from its own network."""
    async with newsroom(tmp_path, allow_private=True) as room:
        yield room


async def gone(path: Path) -> None:
    """Waits until the file is removed."""
    for _ in range(1000):
        if not path.exists():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{path.name} is still there")


async def upload(room, data: bytes | AsyncIterator[bytes], **rest):
    return await room.call("POST", "/v1/media", data=data, **rest)


def kept(room: Newsroom, name: str) -> Path:
    return room.media / name


async def test_a_picture_is_kept_without_anything_but_its_pixels(room):
    raw = phone_picture()
    assert b"SecretMaker" in raw
    answer = await upload(room, raw)
    assert answer.status == 201
    said = answer.json
    data = kept(room, said["name"]).read_bytes()
    assert (said["kind"], said["mime"], said["width"], said["height"]) == ("image", "image/jpeg", 480, 640)
    assert said["size_bytes"] == len(data)
    assert said["url"].endswith(f"/media/{said['name']}")
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (480, 640)
        assert not image.getexif()
    assert b"SecretMaker" not in data


async def test_a_video_is_kept_without_its_place_and_can_be_shown_while_it_loads(room, tmp_path):
    raw = video(tmp_path)
    assert b"+15.1234" in raw
    answer = await upload(room, raw)
    assert answer.status == 201, answer.body
    said = answer.json
    data = kept(room, said["name"]).read_bytes()
    assert (said["kind"], said["mime"], said["width"], said["height"]) == ("video", "video/mp4", 320, 240)
    assert said["duration_s"] == pytest.approx(1, abs=0.1)
    assert b"+15.1234" not in data
    assert b"SecretMaker" not in data
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
async def test_other_pictures_become_jpeg_on_white(room, form):
    clear = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(clear, form)
    said = (await upload(room, clear.getvalue())).json
    with Image.open(kept(room, said["name"])) as image:
        assert image.format == "JPEG"
        assert image.getpixel((32, 32)) == (255, 255, 255)


REFUSED = {
    "nothing": (b"", "is empty"),
    "a text": (b"hello, this is no picture", "JPEG, PNG or WebP"),
    "a GIF": (picture(form="GIF", mode="L"), "JPEG, PNG or WebP"),
    "a page": (b"<!doctype html><script>alert(1)</script>", "JPEG, PNG or WebP"),
    "a JPEG cut off": (picture()[:-900], "cut off"),
    "a PNG cut off": (picture(form="PNG")[:-30], "cut off"),
    "a WebP cut off": (picture(form="WEBP")[:-30], "cut off"),
    "a bomb": (bomb(), "million pixels"),
    "a dot": (picture((4, 4)), "larger one"),
    "damage": (picture()[:200] + bytes(4000) + b"\xff\xd9", "cut off or damaged"),
    "a head alone": (b"\xff\xd8\xff\xe0" + bytes(100), "save it anew"),
    "boxes without an end": (b"\x00\x00\x00\x18ftypmp42" + bytes(12) + b"\x00\xff\xff\xffmdat", "cut off"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_cannot_be_used_is_refused_with_what_to_do(room, what):
    data, advice = REFUSED[what]
    answer = await upload(room, data)
    assert (answer.status, answer.code) == (422, "invalid_input")
    assert advice in answer.json["errors"][0]["problem"]
    assert not list(room.media.glob("*")) or not room.media.exists()
    assert not list(room.private.glob("*"))


async def test_a_coding_that_platforms_refuse_is_told(room, tmp_path):
    answer = await upload(room, video(tmp_path, "-c:v", "mpeg4"))
    assert answer.status == 422
    assert "H.264" in answer.json["errors"][0]["problem"]


async def test_a_file_that_is_too_large_is_not_even_read_to_its_end(room):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"\xff\xd8\xff\xe0"
        while True:
            sent += 1 << 16
            yield bytes(1 << 16)

    answer = await upload(room, endless())
    assert answer.status == 422
    assert "larger than 200,000 bytes" in answer.json["errors"][0]["problem"]
    assert sent < 20_000_000
    assert not list(room.private.glob("*"))


async def test_announcements_keep_room_on_the_disk(tmp_path):
    async with newsroom(tmp_path, keep_free=1 << 60) as room:
        answer = await upload(room, picture())
        assert (answer.status, answer.code) == (507, "store_full")
        assert not list(room.private.glob("*"))
        await room.announce()


async def test_a_form_is_refused_with_what_to_do(room):
    answer = await upload(room, picture(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status == 422
    assert "--data-binary" in answer.json["errors"][0]["problem"]


async def test_an_upload_is_shown_by_the_announcement_that_names_it(room):
    name = (await upload(room, picture(), params={"alt": "Bờ kè"})).json["name"]
    other = (await upload(room, picture(), params={"alt": "Cầu"})).json["name"]
    announced = await room.announce(media=[name, {"upload": other, "alt": "Cầu Long Biên"}])
    [first, second] = announced["media"]
    assert (first["name"], first["alt"]) == (name, "Bờ kè")
    assert (second["name"], second["alt"]) == (other, "Cầu Long Biên")


async def test_another_agencys_upload_is_nobodys(room):
    name = (await upload(room, picture())).json["name"]
    answer = await room.post("/v1/announcements", {**NEWS, "media": [name]}, key=FULL[BAO])
    assert answer.status == 422


@pytest.mark.parametrize(
    ("media", "path"),
    [
        (["../../etc/passwd"], "media.0"),
        (["0" * 32 + ".jpg"], "media.0"),
        (["x" * 32 + ".jpg"], "media.0"),
        ([{"alt": "nothing"}], "media.0"),
        ([{"url": "https://tin.example/a.jpg", "upload": "a.jpg"}], "media.0"),
        (["ftp://tin.example/a.jpg"], "media.0.url"),
        ([{"url": "https://tin.example/a.jpg", "size": 1}], "media.0.size"),
        ([7], "media.0"),
        (["0" * 32 + ".jpg"] * 2, "media.1"),
    ],
)
async def test_what_names_nothing_is_refused_at_its_path(room, media, path):
    answer = await room.post("/v1/announcements", {**NEWS, "route": "quick", "media": media})
    assert answer.status == 422
    assert [one["path"] for one in answer.json["errors"]] == [path]


# by address


async def test_a_picture_is_fetched_once_from_its_address(open_room, elsewhere):
    url = elsewhere.put("/a.jpg", picture())
    announced = await open_room.announce(media=[{"url": url, "alt": "Lũ"}], external_id="cms-1")
    again = await open_room.announce(media=[{"url": url, "alt": "Lũ"}], external_id="cms-1")
    [medium] = announced["media"]
    assert kept(open_room, medium["name"]).exists()
    assert medium["alt"] == "Lũ"
    assert again["id"] == announced["id"]
    assert [use.parent.stem for use in open_room.private.glob("*.uses/*")] == [medium["name"]]


async def test_our_own_network_is_not_looked_into(room, elsewhere):
    url = elsewhere.put("/a.jpg", picture())
    for address in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::ffff:127.0.0.1]")):
        answer = await room.post("/v1/announcements", {**NEWS, "route": "quick", "media": [address]})
        assert answer.status == 422
        assert answer.json["errors"] == [
            {"path": "media.0", "problem": "lies in a private network, which is not looked into: send it to /v1/media"}
        ]
    assert elsewhere.asked == []


async def test_a_redirect_to_another_host_is_not_followed(open_room, elsewhere):
    elsewhere.put("/a.jpg", picture())
    inside = elsewhere.redirect("/inside", "/a.jpg")
    outside = elsewhere.redirect("/outside", elsewhere.url("/a.jpg").replace("127.0.0.1", "localhost"))
    round_and_round = elsewhere.redirect("/round", "/round")
    assert (await open_room.post("/v1/announcements", {**NEWS, "route": "quick", "media": [inside]})).status == 202
    for url, advice in ((outside, "another host"), (round_and_round, "from address to address")):
        answer = await open_room.post("/v1/announcements", {**NEWS, "route": "quick", "media": [url]})
        assert advice in answer.json["errors"][0]["problem"]


async def test_what_cannot_be_had_is_told_for_each(open_room, elsewhere):
    media = [elsewhere.url("/none.jpg"), elsewhere.put("/a.txt", b"text and nothing else"), "http://127.0.0.1:9/a.jpg"]
    answer = await open_room.post("/v1/announcements", {**NEWS, "route": "quick", "media": media})
    assert answer.status == 422
    told = {one["path"]: one["problem"] for one in answer.json["errors"]}
    assert "answers 404" in told["media.0"]
    assert "JPEG" in told["media.1"]
    assert "does not answer" in told["media.2"]


async def test_a_host_that_drips_is_not_waited_for(open_room, elsewhere):
    answer = await open_room.post("/v1/announcements", {**NEWS, "route": "quick", "media": [elsewhere.url("/drip")]})
    assert "did not arrive in time" in answer.json["errors"][0]["problem"]


# letting go


async def test_a_withdrawal_removes_what_nothing_else_uses(room):
    mine = (await upload(room, picture())).json["name"]
    shared = (await upload(room, picture())).json["name"]
    first = await room.announce(media=[mine, shared])
    await room.announce(media=[shared])
    await room.post(f"/v1/announcements/{first['id']}/withdrawal", {})
    await gone(kept(room, mine))
    assert kept(room, shared).exists()


async def test_what_is_unused_for_a_day_is_removed(room):
    used, unused, new = [(await upload(room, picture())).json["name"] for _ in range(3)]
    await room.announce(media=[used])
    left_over = room.media / f".{used}.part"
    left_over.touch()
    day = time.time() - 25 * 3600
    for path in (room.private / f"{used}.json", room.private / f"{unused}.json", left_over):
        os.utime(path, (day, day))
    await room.broker.sweep_media()
    assert not left_over.exists()
    assert [kept(room, name).exists() for name in (used, unused, new)] == [True, False, True]


async def test_a_use_whose_announcement_never_was_is_undone(room):
    name = (await upload(room, picture())).json["name"]
    use = room.private / f"{name}.uses" / "0195f3a0-7c1e-7b1a-9d5e-2f6a1c3b4d5e"
    use.parent.mkdir()
    use.touch()
    hour = time.time() - 3600
    os.utime(use, (hour, hour))
    await room.broker.sweep_media()
    assert not use.exists()
    assert kept(room, name).exists()
    day = time.time() - 25 * 3600
    os.utime(room.private / f"{name}.json", (day, day))
    await room.broker.sweep_media()
    assert not kept(room, name).exists()


async def test_a_refused_announcement_uses_nothing(room):
    name = (await upload(room, picture())).json["name"]
    await room.announce(media=[name], external_id="cms-7")
    other = (await upload(room, picture())).json["name"]
    answer = await room.post("/v1/announcements", {**NEWS, "route": "quick", "media": [other], "external_id": "cms-7"})
    assert answer.status == 409
    assert list(room.private.glob(f"{other}.uses/*")) == []
    assert await room.announce(media=[other])


# the command line


async def test_the_command_line_hands_files_in(room, tmp_path):
    file = tmp_path / "kè.jpg"
    file.write_bytes(phone_picture())
    async with Client(room.server.url, FULL[TIN]) as client:
        said = await with_media({**NEWS, "route": "quick"}, attached([str(file)], ["Bờ kè"]), client.upload)
        report = await client.announce(said, "key-1")
        previews = await client.preview(said)
    [medium] = report["media"]
    assert (medium["alt"], medium["width"], medium["height"]) == ("Bờ kè", 480, 640)
    assert [p["channel"] for p in previews] == ["partner", "portal"]


async def test_the_command_line_names_the_file_that_is_refused(room, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("no picture", encoding="utf-8")
    async with Client(room.server.url, FULL[TIN]) as client:
        with pytest.raises(RequestError, match=r"notes\.txt was not taken in"):
            await with_media(dict(NEWS), attached([str(file)], []), client.upload)


@pytest.mark.parametrize(
    ("media", "alts", "advice"), [(["none.jpg"], [], "is no file"), ([], ["words"], "one --alt for each")]
)
def test_what_cannot_be_handed_in_is_told_at_once(media, alts, advice):
    with pytest.raises(InvalidInput, match=advice):
        attached(media, alts)
