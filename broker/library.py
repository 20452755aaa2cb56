"""The library: `Broker` for asyncio programs, `BlockingBroker` for tools without it. Both speak for one agency.

    async with loa.Broker.open("loa.toml") as broker:
        receipt = await broker.announce(headline="Bão số 9", body="…", urgency="urgent")

    with loa.BlockingBroker("loa.toml") as broker:
        receipt = broker.announce(headline="Bão số 9", body="…")

The store belongs to one process at a time: beside a running `loa serve`, send by HTTP instead.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

import structlog

from broker.core import Broker as Core
from broker.core import Receipt
from broker.errors import ConfigError
from broker.logs import scrubbed
from broker.report import AnnouncementReport, ChannelReport, EventReport, MediaReport, PreviewReport
from broker.settings import Configuration, load, load_adapters
from broker.wiring import open_broker

P = ParamSpec("P")
T = TypeVar("T")
Settings = Configuration | Path | str | None
"""A checked configuration, the path of its TOML file, or None: LOA_CONFIG, else loa.toml."""


class Broker:
    """One agency's view of a broker running in this process. Use `Broker.open`."""

    def __init__(self, core: Core, agency: str) -> None:
        self._core, self._agency = core, agency

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings = None, *, agency: str | None = None) -> AsyncIterator[Self]:
        """A running broker; leaving the block drains it, and what is still open goes on at the next start.

        Raises `ConfigError` with every problem, `StoreInUse` if another process has the store.
        """
        configuration = configured(settings)
        name = _agency(configuration, agency)
        _log_aside()
        async with open_broker(configuration) as core:
            yield cls(core, name)

    async def announce(self, *, idempotency_key: str | None = None, **announcement: Any) -> Receipt:
        """Accepts one announcement durably; fields as in `POST /v1/announcements`.

        Raises `InvalidInput` with field paths, `Conflict`, `Overloaded` or `StoreFull`.
        """
        return await self._core.announce(self._agency, announcement, idempotency_key=idempotency_key)

    async def upload(self, path: Path | str, *, alt: str = "") -> MediaReport:
        """Keeps a picture or video; announcements show it by its `name`. What none shows within a day is removed.

        Raises `InvalidInput` with what to do.
        """
        return await self._core.take_media(self._agency, _pieces(Path(path)), alt)

    async def preview(self, **announcement: Any) -> list[PreviewReport]:
        """What each channel's readers would see; nothing is stored or sent."""
        return await self._core.preview(self._agency, announcement)

    async def get(self, any_id: str) -> AnnouncementReport:
        """By id, reference or external id. Raises `NotFound`."""
        return await self._core.get(self._agency, any_id)

    async def announcements(self, *, before: str | None = None, limit: int = 50) -> list[AnnouncementReport]:
        """Newest first; `before` is the id of the last one of the page before."""
        return await self._core.announcements(self._agency, before=before, limit=limit)

    def follow(self, any_id: str, after: int = 0) -> AsyncGenerator[EventReport, None]:
        """Changes of course as they happen, until nothing more will."""
        return self._core.follow(self._agency, any_id, after)

    async def settled(self, any_id: str) -> AnnouncementReport:
        """Waits until nothing more will happen by itself; hours, if a late copy is owed in an outage."""
        async for _ in self.follow(any_id):
            pass
        return await self.get(any_id)

    async def withdraw(self, any_id: str, *, because: str | None = None) -> AnnouncementReport:
        """Ends every unsent copy at once; deletes what is live where the platform lets us."""
        return await self._core.withdraw(self._agency, any_id, because=because)

    async def resolve(
        self, any_id: str, channel: str, *, live: bool = False, url: str | None = None, gone: bool = False
    ) -> AnnouncementReport:
        """A person's word on an `unconfirmed` delivery, or that a withdrawn copy is `gone`."""
        return await self._core.resolve(self._agency, any_id, channel, live=live, url=url, gone=gone)

    async def channels(self) -> list[ChannelReport]:
        """Every channel: whether it works, since when and why not."""
        return await self._core.channels(self._agency)


class BlockingBroker:
    """The same for programs without asyncio: runs the broker in a thread of its own until `close`."""

    def __init__(self, settings: Settings = None, *, agency: str | None = None) -> None:
        """Raises what `Broker.open` raises."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loa", daemon=True)
        self._thread.start()
        self._context = Broker.open(settings, agency=agency)
        try:
            self._broker = self._call(self._context.__aenter__)
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> list[AnnouncementReport]:
        """Drains and stops; what is still open, newest first, at most 50. It goes on at the next start. Idempotent."""
        if not self._thread.is_alive():
            return []
        still_open = [report for report in self.announcements() if any(d.next for d in report.deliveries)]
        try:
            self._call(self._context.__aexit__, None, None, None)
        finally:
            self._stop()
        return still_open

    def announce(self, *, idempotency_key: str | None = None, **announcement: Any) -> Receipt:
        return self._call(self._broker.announce, idempotency_key=idempotency_key, **announcement)

    def upload(self, path: Path | str, *, alt: str = "") -> MediaReport:
        return self._call(self._broker.upload, path, alt=alt)

    def preview(self, **announcement: Any) -> list[PreviewReport]:
        return self._call(self._broker.preview, **announcement)

    def get(self, any_id: str) -> AnnouncementReport:
        return self._call(self._broker.get, any_id)

    def announcements(self, *, before: str | None = None, limit: int = 50) -> list[AnnouncementReport]:
        return self._call(self._broker.announcements, before=before, limit=limit)

    def follow(self, any_id: str, after: int = 0) -> Iterator[EventReport]:
        events = self._broker.follow(any_id, after)
        try:
            while True:
                try:
                    yield self._call(events.__anext__)
                except StopAsyncIteration:
                    return
        finally:
            self._call(events.aclose)

    def settled(self, any_id: str) -> AnnouncementReport:
        return self._call(self._broker.settled, any_id)

    def withdraw(self, any_id: str, *, because: str | None = None) -> AnnouncementReport:
        return self._call(self._broker.withdraw, any_id, because=because)

    def resolve(
        self, any_id: str, channel: str, *, live: bool = False, url: str | None = None, gone: bool = False
    ) -> AnnouncementReport:
        return self._call(self._broker.resolve, any_id, channel, live=live, url=url, gone=gone)

    def channels(self) -> list[ChannelReport]:
        return self._call(self._broker.channels)

    def _call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        async def run() -> T:
            return await function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, 1 << 16):
            yield piece


def _log_aside() -> None:
    """Warnings go to stderr, scrubbed, unless the program said before where its events go: stdout is the program's."""
    if not structlog.is_configured():
        structlog.configure(
            processors=[structlog.processors.add_log_level, scrubbed, structlog.processors.KeyValueRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger("warning"),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )


def configured(settings: Settings) -> Configuration:
    if isinstance(settings, Configuration):
        return settings
    return load(Path(settings) if settings else None, os.environ, load_adapters())


def _agency(configuration: Configuration, name: str | None) -> str:
    known = sorted(configuration.agencies)
    if name is None and len(known) == 1:
        return known[0]
    if name in known:
        return str(name)
    raise ConfigError([f"agency: say which one, agency={name!r} is none of {', '.join(known)}"])
