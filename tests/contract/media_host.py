"""A media folder with a public address: a real server, from which emulators fetch as platforms do."""

from __future__ import annotations

import io
import itertools
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from broker.contract import MediaNeeds
from broker.media.shelf import MediaShelf
from broker.media.studio import Studio
from broker.model import MediaKind, Medium, Post
from broker.values import replace

SECONDS = 4


class MediaHost:
    """Puts real pictures and videos on a shelf; `fetched` is what was asked for, by name, with the answer's status."""

    def __init__(self, folder: Path, url: str) -> None:
        self.shelf = MediaShelf(folder, url, Studio())
        self.fetched: list[tuple[str, int]] = []
        self.down = False
        """It answers 503 to everybody."""
        self._numbers = itertools.count(1)

    def picture(
        self, alt: str = "Người dân xếp bao cát ở bờ kè", size: tuple[int, int] = (1080, 1350), mime: str = "image/jpeg"
    ) -> Medium:
        name = f"picture-{next(self._numbers)}.{mime.partition('/')[2]}"
        path = self.shelf.folder / name
        path.write_bytes(picture(size, mime))
        width, height = size
        return Medium(
            name=name, kind=MediaKind.IMAGE, mime=mime, size_bytes=path.stat().st_size, width=width, height=height,
            alt=alt,
        )  # fmt: skip

    def video(self, alt: str = "Sóng lớn ở Quy Nhơn", size: tuple[int, int] = (540, 960)) -> Medium:
        width, height = size
        name = f"video-{next(self._numbers)}.mp4"
        path = self.shelf.folder / name
        path.write_bytes(video(width, height))
        return Medium(
            name=name, kind=MediaKind.VIDEO, mime="video/mp4", size_bytes=path.stat().st_size, width=width,
            height=height, duration=timedelta(seconds=SECONDS), alt=alt,
        )  # fmt: skip

    def carded(self, post: Post, needs: MediaNeeds) -> Post:
        """`post` with the picture or video that a platform with these needs must have, if it has none yet."""
        match needs.card:
            case MediaKind.IMAGE:
                return replace(post, card=post.card or self.picture("Bão số 9 đổ bộ"))
            case MediaKind.VIDEO:
                return replace(post, media=post.media or (self.video(),))
            case None:
                return post

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = self.shelf.folder / request.match_info["name"]
        status = 503 if self.down else 200 if path.is_file() else 404
        self.fetched.append((path.name, status))
        return web.FileResponse(path) if status == 200 else web.Response(status=status)


@cache
def picture(size: tuple[int, int], mime: str) -> bytes:
    """One that is none too large for any platform."""
    drawn = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(drawn, mime.partition("/")[2])
    return drawn.getvalue()


@cache
def video(width: int, height: int) -> bytes:
    """H.264 and AAC, as all platforms take it."""
    sources = [f"color=c=navy:s={width}x{height}:r=30:d={SECONDS}", f"anullsrc=r=44100:d={SECONDS}"]
    inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        command = [get_ffmpeg_exe(), "-v", "error", *inputs, *coding, "-movflags", "+faststart", str(path)]
        subprocess.run(command, check=True)
        return path.read_bytes()


@asynccontextmanager
async def media_host(folder: Path) -> AsyncIterator[MediaHost]:
    """Serves `folder` on a free loopback port."""
    folder.mkdir(parents=True, exist_ok=True)
    host = MediaHost(folder, "")
    app = web.Application()
    app.router.add_get("/media/{name}", host.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        host.shelf.url = f"http://127.0.0.1:{port}/media"
        yield host
    finally:
        await runner.cleanup()
