"""The agency's own pages and feeds: static files in a folder that any web server or bucket serves, also with Loa dead.

Source: RFC 4287 (Atom) and JSON Feed 1.1, read 2026-11-22; the layout is our own:

    <folder>/<reference>/index.html        the page; `<url>/<reference>` is the short link that all copies carry
    <folder>/index.html feed.atom feed.json    the newest 100
    <folder>/items/<time>-<reference>.json     one for each announcement, what all of the above is made from

Writing is idempotent: the items are a set by reference. The page is replaced first, so it proves that an announcement
went out; whatever a crash left undone after it, the next look or the next announcement completes.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field
from yarl import URL

from adapters._http import Answer, ask
from adapters._items import Change, HalfWritten, ItemFolder
from adapters._pages import Item, Pages, clean
from adapters._titled import titled
from broker.contract import AdapterBase, ChannelSettings, Gate, Job, MediaFile, MediaNeeds, Profile, Step, Tools
from broker.contract import Path as NetworkPath
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import Absent, Fault, Finding, Live, Outcome, Pending, Rejected, Seen, Unavailable, Uncertain
from broker.rules.media import chosen
from broker.rules.text import compose_text

MEDIA = MediaNeeds(images=20, videos=20, mixed=True, by_url=True)

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_OFFSET = re.compile(r"([+-])(0\d|1[0-4]):([0-5]\d)")


def _web(value: str) -> str:
    url = URL(value)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("write the whole address, such as https://tin.example/l")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web)]


class SiteSettings(ChannelSettings):
    """`[channels.site]`."""

    folder: Path
    """Where the files are written; made if its parent exists."""
    url: WebAddress
    """Public address of the folder, such as https://tin.example/l."""
    check_url: WebAddress | None = None
    """Where Loa itself reads the pages back, if it cannot reach `url` as readers do."""
    verify: bool = True
    """Whether an announcement counts as live only once its page was read back."""
    title: str | None = None
    """Of the feeds; the agency's name unless said."""
    utc_offset: str = Field(default="+07:00", pattern=_OFFSET.pattern)
    """Of the times that readers see."""

    @property
    def offset(self) -> timedelta:
        sign, hours, minutes = _OFFSET.fullmatch(self.utc_offset).groups()  # type: ignore[union-attr]  # pattern above
        return timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)


class SiteAdapter(AdapterBase):
    """Writes pages and feeds, and reads them back at their public address."""

    Settings: ClassVar[type[ChannelSettings]] = SiteSettings

    def __init__(self, settings: SiteSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._url = settings.url
        host = str(URL(self._url).host)
        self._items = ItemFolder(
            settings.folder, Pages(self._url, settings.title or tools.agency or host, settings.offset)
        )
        self._writing = asyncio.Lock()
        self.profile = Profile(
            adapter="site",
            operator="own",
            country="",
            hosts=(host,),
            own=True,
            path=NetworkPath.OWN,
            steps=(Step("write", StepClass.HANDLE),),
            media=MEDIA,
            abilities=frozenset({Verb.PROBE, Verb.CONFIRM, Verb.FIND, Verb.EDIT, Verb.DELETE}),
            usual=timedelta(seconds=1),
            look_back=None,
            rate_per_s=20.0,
        ).adjusted(settings)

    def compose(self, post: Post) -> Composed:
        if not _REFERENCE.fullmatch(post.reference):
            raise ValueError(f"{post.reference!r} cannot be a folder's name: use letters, digits and hyphens")
        headline, body = titled(post)
        item = Item(
            reference=post.reference,
            headline=clean(headline),
            body=clean(body),
            language=post.language,
            agency=clean(post.agency),
            author=clean(post.author or ""),
            link=clean(post.link or ""),
            late_mark=clean(post.late_mark or ""),
        )
        text = replace(compose_text(post), media=chosen(post, MEDIA))
        return replace(text, parts={name: value for name, value in asdict(item).items() if value})

    async def publish(self, job: Job) -> Outcome:
        return await self._show(job, job.gate)

    async def edit(self, job: Job) -> Outcome:
        return await self._show(job, job.gate)

    async def confirm(self, job: Job) -> Finding:
        return await self.find(job)

    async def find(self, job: Job) -> Finding:
        """By the page in the folder: without it nothing is public; with it, what a crash left undone is done first."""
        if not await asyncio.to_thread(self._items.has_page, job.reference):
            return Absent()
        return await self._show(job)

    async def delete(self, job: Job) -> Finding:
        """The page says from now on that the announcement was withdrawn, and when; the feeds keep it as such."""
        item = await self._put(job.reference, self._withdrawn(job), job.gate)
        if not isinstance(item, Item):
            return item
        if isinstance(await self._seen(item), Live):
            return Absent()
        return Unavailable(Fault.SERVER, "the public address still shows the old page")

    async def probe(self) -> Outcome:
        """Whether the folder can be written. Not whether it is read: files are written even while nobody can."""
        try:
            async with self._writing:
                await asyncio.to_thread(self._items.check)
        except OSError as error:
            return Unavailable(Fault.SERVER, _told(error))
        return Live("own")

    async def _show(self, job: Job, gate: Gate | None = None) -> Outcome:
        media = await self._media(job)
        item = await self._put(job.reference, self._published(job, media), gate)
        if not isinstance(item, Item):
            return item
        if item.withdrawn_at:
            return Rejected("withdrawn", "the page says already that this announcement was withdrawn")
        missing = "media_not_kept" if len(media) < len(job.composed.media) else ""
        seen = await self._seen(item)
        return replace(seen, without=missing) if isinstance(seen, Live) else seen

    async def _media(self, job: Job) -> list[dict[str, Any]]:
        """What can be shown of the pictures and videos: a file that is gone does not hold the page back."""
        shown = []
        for medium in job.composed.media:
            file = await self._tools.media.ready(medium, MEDIA) if self._tools.media else None
            if isinstance(file, MediaFile):
                said = {name: getattr(file, name) for name in ("url", "mime", "size_bytes", "width", "height")}
                shown.append({**said, "alt": clean(file.alt)})
        return shown

    async def _put(self, reference: str, change: Change, gate: Gate | None) -> Item | Unavailable | Uncertain:
        try:
            async with self._writing:
                if gate is not None:
                    gate.enter()
                return await asyncio.to_thread(self._items.put, reference, change)
        except HalfWritten as error:
            return Uncertain(Fault.SERVER, _told(error))
        except OSError as error:
            return Unavailable(Fault.SERVER, _told(error))

    async def _seen(self, item: Item) -> Live | Pending:
        """`Live` once the public address shows exactly this; until then whatever serves the folder has work to do."""
        url = f"{self._url}/{item.reference}"
        if not self._settings.verify:
            return Live(item.reference, url)
        page = f"{self._settings.check_url or self._url}/{item.reference}/"
        answer = await ask(self._tools.session, self.profile, "GET", page)
        if isinstance(answer, Answer) and answer.status == 200 and item.mark.encode() in answer.body:
            return Live(item.reference, url, Seen.PUBLIC)
        return Pending(item.mark, self.profile.first_look)

    def _published(self, job: Job, media: list[dict[str, Any]]) -> Change:
        """The item with what the job says; nothing changes if it says so already, or that it was withdrawn."""

        def change(stored: Item | None) -> Item:
            new = Item(**job.composed.parts, media=media)
            if stored is not None and (stored.withdrawn_at or stored.says_the_same(new)):
                return stored
            now = self._now()
            return replace(new, published_at=stored.published_at if stored else now, updated_at=now)

        return change

    def _withdrawn(self, job: Job) -> Change:
        def change(stored: Item | None) -> Item:
            item = stored or Item(**job.composed.parts, media=[])
            return item if item.withdrawn_at else item.withdrawn(self._now())

        return change

    def _now(self) -> str:
        return f"{self._tools.clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _told(error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return "another process is writing the site's folder"
    return f"the site's folder cannot be written ({error.strerror}): check disk space and rights"
