"""The own site: real files in a real folder, read back over HTTP from a host that can lag, fail and hang."""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import aiohttp
import feedparser
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters._pages import Item, Pages, clean
from adapters.emulators.site import SiteEmulator
from adapters.site import SiteAdapter, SiteSettings
from broker.contract import GateClosed
from broker.contract import Path as NetworkPath
from broker.model import Post, Verb
from broker.outcome import Absent, Fault, Live, Pending, Rejected, Seen, Unavailable, Uncertain
from broker.values import replace
from tests.contract.desk import POST, REFERENCE, DeskClock, DeskGate, job_for, tools
from tests.contract.media_host import MediaHost
from tests.examples import FEW

Make = Callable[..., SiteAdapter]

JSON_FEED = {
    "type": "object",
    "required": ["version", "title", "items"],
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"},
        "title": {"type": "string", "minLength": 1},
        "home_page_url": {"type": "string", "format": "uri"},
        "feed_url": {"type": "string", "format": "uri"},
        "language": {"type": "string"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "content_text"],
                "properties": {
                    "id": {"type": "string", "minLength": 1},
                    "url": {"type": "string", "format": "uri"},
                    "external_url": {"type": "string"},
                    "title": {"type": "string"},
                    "content_text": {"type": "string"},
                    "date_published": {"type": "string", "format": "date-time"},
                    "date_modified": {"type": "string", "format": "date-time"},
                    "authors": {"type": "array", "items": {"type": "object", "required": ["name"]}},
                    "language": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


class StrictPage(HTMLParser):
    """Fails on a tag that is not closed where it must be, and on anything that could run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert text.startswith("<!doctype html>")
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "iframe", "object", "embed", "form", "svg")
        assert not any(name.startswith("on") for name, _ in attrs)
        assert not any((value or "").lower().startswith(("javascript:", "data:")) for _, value in attrs)
        if tag == "img":
            assert "alt" in dict(attrs)
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "public"


@pytest.fixture
async def host(folder: Path) -> AsyncIterator[SiteEmulator]:
    async with SiteEmulator(folder=folder) as emulator:
        yield emulator


@pytest.fixture
def clock() -> DeskClock:
    return DeskClock()


@pytest.fixture
def make(session, folder: Path, host: SiteEmulator, clock: DeskClock) -> Make:
    def make(**rest: object) -> SiteAdapter:
        given = {"folder": folder, "url": host.base_url, "total_timeout": timedelta(milliseconds=500), **rest}
        return SiteAdapter(SiteSettings.model_validate(given), tools(session, clock, "site"))

    return make


@pytest.fixture
def site(make: Make) -> SiteAdapter:
    return make()


def post(number: int) -> Post:
    return replace(POST, announcement_id=f"a-{number}", reference=f"TVD-{number:06}", headline=f"Tin {number}")


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_ino) for path in folder.rglob("*") if path.is_file()}


async def read(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as response:
        assert response.status == 200
        return await response.text()


# -- what readers see


async def test_an_announcement_is_live_once_its_page_was_read_back(site, host, session):
    outcome = await site.publish(job_for(site))
    assert outcome == Live(REFERENCE, f"{host.base_url}/{REFERENCE}", Seen.PUBLIC)
    page = StrictPage(await read(session, outcome.url))  # the short link, which a static host redirects to the folder
    for words in (POST.headline, "Tâm bão cách bờ 120 km.", "<script>alert('x')</script> & mưa", "Nguyễn Văn A"):
        assert words in page.text
    assert f"Mã tin: {REFERENCE}" in page.text
    assert "10:00 ngày 22/11/2026" in page.text
    assert 'lang="vi"' in await read(session, outcome.url)


async def test_a_page_speaks_its_own_language_and_links_only_to_the_web(make, session):
    site = make(utc_offset="-03:30")
    english = replace(POST, language="en-GB", link="javascript:alert(1)", late_mark="Written at 10:00")
    outcome = await site.publish(job_for(site, english))
    page = StrictPage(await read(session, outcome.url))
    assert "23:30 on 21 November 2026" in page.text
    assert "javascript:alert(1)" in page.text  # as words, not as a link: StrictPage would have failed
    assert "Written at 10:00" in page.text
    outcome = await site.publish(
        job_for(site, replace(english, reference="TVD-000002", link="https://tin.example/b?x=1&y=2"))
    )
    assert '<a href="https://tin.example/b?x=1&amp;y=2"' in await read(session, outcome.url)


async def test_the_feeds_are_valid(site, host, session):
    await site.publish(job_for(site, replace(POST, link="https://tin.example/b?x=1&y=2")))
    feed = feedparser.parse((await read(session, f"{host.base_url}/feed.atom")).encode())
    assert (feed.bozo, feed.version, feed.feed.title) == (False, "atom10", "Tin Ví Dụ")
    [entry] = feed.entries
    assert entry.id == f"tag:127.0.0.1,2026:{REFERENCE}"
    assert (entry.title, entry.link) == (POST.headline, f"{host.base_url}/{REFERENCE}")
    assert entry.published == entry.updated == "2026-11-22T03:00:00Z"
    assert "<p>Tâm bão cách bờ 120 km.</p>" in entry.content[0].value
    document = json.loads(await read(session, f"{host.base_url}/feed.json"))
    jsonschema.validate(document, JSON_FEED, format_checker=jsonschema.FormatChecker())
    assert document["items"][0]["content_text"] == POST.body
    assert StrictPage(await read(session, f"{host.base_url}/")).text.count(POST.headline) == 1


@FEW
@given(st.text(), st.text(), st.text() | st.text().map("https://[".__add__))
def test_no_text_breaks_page_or_feeds(headline: str, body: str, link: str):
    pages = Pages("https://tin.example/l", "Tin & <Ví Dụ>", timedelta(hours=7))
    at = "2026-11-22T03:00:00Z"
    written = Item(
        reference=REFERENCE,
        headline=clean(headline),
        body=clean(body),
        language="vi",
        agency="A",
        link=clean(link),
        published_at=at,
        updated_at=at,
    )
    StrictPage(pages.page(written).decode())
    files = pages.overview([written, written.withdrawn(at)])
    StrictPage(files["index.html"].decode())
    ElementTree.fromstring(files["feed.atom"])
    assert feedparser.parse(files["feed.atom"]).bozo is False
    jsonschema.validate(json.loads(files["feed.json"]), JSON_FEED)


async def test_the_feeds_hold_the_newest_hundred_and_the_folder_everything(make, clock, folder):
    site = make(verify=False)
    for number in range(103):
        assert await site.publish(job_for(site, post(number))) == Live(
            post(number).reference, f"{site._url}/{post(number).reference}"
        )
        clock.advance(seconds=1)
    titles = [entry.title for entry in feedparser.parse((folder / "feed.atom").read_bytes()).entries]
    assert titles == [f"Tin {number}" for number in range(102, 2, -1)]
    assert len(list(folder.glob("TVD-*/index.html"))) == len(list(folder.glob("items/2*.json"))) == 103


# -- the folder


async def test_writing_again_changes_no_file(site, folder, clock):
    job = job_for(site)
    await site.publish(job)
    before = snapshot(folder)
    clock.advance(hours=1)
    assert isinstance(await site.publish(replace(job, attempt=2)), Live)
    assert isinstance(await site.find(job), Live)
    assert snapshot(folder) == before


async def test_announcements_at_the_same_time_are_all_in_the_feeds(site, make, folder):
    again = make()  # as after a change of configuration, when the old adapter still works
    outcomes = await asyncio.gather(*(site.publish(job_for(site, post(number))) for number in range(12)))
    assert all(isinstance(outcome, Live) for outcome in outcomes)
    assert isinstance(await again.publish(job_for(again, post(12))), Live)
    assert len(feedparser.parse((folder / "feed.atom").read_bytes()).entries) == 13


async def test_another_writer_is_waited_for_by_the_engine(site, folder):
    folder.mkdir()
    with (folder / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = await site.publish(job_for(site))
        assert outcome == Unavailable(Fault.SERVER, "another process is writing the site's folder")
    assert isinstance(await site.publish(job_for(site)), Live)


@pytest.mark.parametrize("name", [f"{REFERENCE}/.index.html.new", ".feed.json.new"])
async def test_a_full_disk_leaves_the_old_site(site, folder, name):
    await site.publish(job_for(site, post(1)))
    before = snapshot(folder)
    (folder / REFERENCE).mkdir()
    (folder / name).symlink_to("/dev/full")
    outcome = await site.publish(job_for(site))
    assert isinstance(outcome, Unavailable)
    assert "No space left" in outcome.detail
    assert snapshot(folder) == before
    assert await site.find(job_for(site)) == Absent()
    assert isinstance(await site.publish(job_for(site)), Live)


async def test_what_a_crash_left_undone_is_completed_by_the_next_look(site, folder):
    job = job_for(site)
    await site.publish(job)
    whole = {path: data for path, (data, _) in snapshot(folder).items()}
    for path in ("feed.atom", "index.html"):
        (folder / path).unlink()
    (folder / "items" / f"20261122T030000Z-{REFERENCE}.json").unlink()
    assert isinstance(await site.find(job), Live)
    assert {path: data for path, (data, _) in snapshot(folder).items()} == whole


async def test_a_strangers_file_among_the_items_stops_nothing(site, folder):
    (folder / "items").mkdir(parents=True)
    (folder / "items" / "20260101T000000Z-X.json").write_text('{"not": "ours"}')
    (folder / "items" / f"20260101T000000Z-{REFERENCE}.json").write_text("{")
    assert isinstance(await site.publish(job_for(site)), Live)


@contextmanager
def unchangeable(path: Path) -> Iterator[None]:
    """A file that can be read but not replaced, not even by root."""
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", path], capture_output=True).returncode:
        pytest.skip("needs root, chattr and a file system that knows immutable files")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


async def test_a_site_that_is_half_written_is_uncertain_and_mended_by_the_next_look(site, folder):
    await site.publish(job_for(site, post(1)))
    job = job_for(site)
    with unchangeable(folder / "feed.atom"):
        outcome = await site.publish(job)
        assert isinstance(outcome, Uncertain)
        assert "not permitted" in outcome.detail
        assert (folder / REFERENCE / "index.html").exists()
    assert isinstance(await site.find(job), Live)
    assert len(feedparser.parse((folder / "feed.atom").read_bytes()).entries) == 2


async def test_a_closed_gate_writes_nothing(site, folder):
    with pytest.raises(GateClosed):
        await site.publish(job_for(site, gate=DeskGate(is_open=False)))
    assert not folder.exists()


# -- the public address


@pytest.mark.parametrize("fault", ["refused", "html_503", "stall", "black_hole", "empty_200", "reset_before"])
async def test_a_page_nobody_can_read_yet_is_pending(site, host, folder, fault):
    await host.fail(fault)
    job = job_for(site)
    outcome = await site.publish(job)
    assert isinstance(outcome, Pending)
    assert (folder / REFERENCE / "index.html").exists()  # written all the same
    assert isinstance(await site.confirm(replace(job, handle=outcome.handle)), Pending)
    await host.heal()
    assert isinstance(await site.confirm(replace(job, handle=outcome.handle)), Live)


async def test_without_its_page_an_announcement_is_not_public(site):
    assert await site.find(job_for(site)) == Absent()
    assert await site.confirm(job_for(site)) == Absent()


async def test_check_url_and_verify(make, host, session):
    site = make(url="https://tin.example/l/", check_url=host.base_url + "/")
    assert await site.publish(job_for(site)) == Live(REFERENCE, f"https://tin.example/l/{REFERENCE}", Seen.PUBLIC)
    site = make(url="https://tin.example/l", verify=False)
    assert await site.publish(job_for(site)) == Live(REFERENCE, f"https://tin.example/l/{REFERENCE}")


async def test_an_edit_counts_once_the_new_page_is_shown(site, host, session, clock):
    job = job_for(site)
    first = await site.publish(job)
    host.freeze()
    await read(session, f"{first.url}/")
    clock.advance(minutes=5)
    corrected = site.compose(replace(POST, headline="Bão số 9 suy yếu"))
    assert isinstance(await site.edit(replace(job, composed=corrected)), Pending)
    host.thaw()
    assert isinstance(await site.edit(replace(job, composed=corrected)), Live)
    page = StrictPage(await read(session, first.url)).text
    assert "Bão số 9 suy yếu" in page
    assert "Cập nhật lúc 10:05" in page
    [entry] = feedparser.parse((await read(session, f"{host.base_url}/feed.atom")).encode()).entries
    assert (entry.published, entry.updated) == ("2026-11-22T03:00:00Z", "2026-11-22T03:05:00Z")


async def test_a_withdrawal_leaves_nothing_but_its_own_mark(site, host, session, folder, clock):
    job = job_for(site)
    first = await site.publish(job)
    [before] = feedparser.parse((folder / "feed.atom").read_bytes()).entries
    clock.advance(minutes=7)
    host.freeze()
    await read(session, f"{first.url}/")
    assert isinstance(await site.delete(job), Unavailable)  # the CDN still shows it
    host.thaw()
    assert await site.delete(job) == Absent()
    clock.advance(minutes=7)
    assert await site.delete(job) == Absent()
    assert "đã rút tin này lúc 10:07 ngày 22/11/2026" in StrictPage(await read(session, first.url)).text
    [after] = feedparser.parse((folder / "feed.atom").read_bytes()).entries
    assert after.id == before.id
    everything = b"".join(data for data, _ in snapshot(folder).values()).decode()
    for words in (POST.headline, "Tâm bão", "Nguyễn Văn A"):
        assert words not in everything
    assert isinstance(await site.publish(job), Rejected)  # a late attempt does not bring it back
    assert isinstance(await site.find(job), Rejected)


# -- pictures and videos


async def test_the_page_shows_pictures_and_videos_and_the_feeds_carry_them(session, folder, host, clock):
    public = MediaHost(folder / "media", f"{host.base_url}/media")
    public.shelf.folder.mkdir(parents=True)
    picture, video = public.picture('Cầu "gãy" & lũ'), public.video("")
    given = SiteSettings(folder=folder, url=host.base_url)
    site = SiteAdapter(given, replace(tools(session, clock, "site"), media=public.shelf))
    shown = replace(POST, media=(picture, video))
    live = await site.publish(job_for(site, shown))
    assert isinstance(live, Live)
    assert live.without == ""
    text = await read(session, f"{host.base_url}/{POST.reference}/")
    StrictPage(text)
    assert f'src="{host.base_url}/media/{picture.name}"' in text
    assert 'alt="Cầu &#34;gãy&#34; &amp; lũ"' in text
    assert f'<video src="{host.base_url}/media/{video.name}"' in text
    assert f"img-src {host.base_url}; media-src {host.base_url}" in text
    feed = feedparser.parse(await read(session, f"{host.base_url}/feed.atom"))
    assert [(one["href"], one["type"], int(one["length"])) for one in feed.entries[0].enclosures] == [
        (f"{host.base_url}/media/{medium.name}", medium.mime, medium.size_bytes) for medium in shown.media
    ]
    [item] = json.loads(await read(session, f"{host.base_url}/feed.json"))["items"]
    assert item["image"] == f"{host.base_url}/media/{picture.name}"
    assert [one["mime_type"] for one in item["attachments"]] == ["image/jpeg", "video/mp4"]
    assert await site.delete(job_for(site, shown)) == Absent()
    assert picture.name not in await read(session, f"{host.base_url}/{POST.reference}/")
    assert picture.name not in await read(session, f"{host.base_url}/feed.json")


async def test_a_page_is_shown_without_a_picture_that_is_gone(session, folder, host, clock):
    public = MediaHost(folder / "media", f"{host.base_url}/media")
    public.shelf.folder.mkdir(parents=True)
    picture = public.picture()
    (public.shelf.folder / picture.name).unlink()
    site = SiteAdapter(
        SiteSettings(folder=folder, url=host.base_url), replace(tools(session, clock, "site"), media=public.shelf)
    )
    live = await site.publish(job_for(site, replace(POST, media=(picture,))))
    assert isinstance(live, Live)
    assert live.without == "media_not_kept"


# -- settings and profile


async def test_a_probe_tells_whether_the_folder_can_be_written(make, host, tmp_path):
    await host.fail("refused")
    assert await make().probe() == Live("own")
    outcome = await make(folder=tmp_path / "no" / "where").probe()
    assert isinstance(outcome, Unavailable)
    assert "No such file" in outcome.detail
    (tmp_path / "file").write_text("")
    assert isinstance(await make(folder=tmp_path / "file").probe(), Unavailable)


def test_the_own_site_counts_as_no_operator(site):
    profile = site.profile
    assert (profile.own, profile.path, profile.operator) == (True, NetworkPath.OWN, "own")
    assert profile.abilities >= {Verb.CONFIRM, Verb.FIND, Verb.EDIT, Verb.DELETE}


def test_a_reference_that_is_no_folders_name_cannot_be_composed(site):
    for reference in ("../x", "a/b", "", ".hidden", "a b"):
        with pytest.raises(ValueError, match="folder's name"):
            site.compose(replace(POST, reference=reference))


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"url": "tin.example/l"}, "whole address"),
        ({"url": "https://tin.example/l", "check_url": "file:///tmp"}, "whole address"),
        ({"url": "https://tin.example/l", "utc_offset": "7"}, "utc_offset"),
        ({"url": "https://tin.example/l", "utc_offset": "+25:00"}, "utc_offset"),
        ({"url": "https://tin.example/l", "listn": "x"}, "listn"),
        ({}, "url"),
    ],
)
def test_wrong_settings_are_told(given, word):
    with pytest.raises(ValidationError, match=word):
        SiteSettings.model_validate({"folder": "public", **given})
