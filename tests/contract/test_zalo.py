"""The Zalo adapter: the suite, and what is Zalo's alone; its tokens are in `test_vault`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import aiohttp
import pytest
from pydantic import ValidationError

from adapters._zalo_articles import compose, listed
from adapters.emulators.faults import Kind
from adapters.emulators.log import Post
from adapters.emulators.zalo import ZaloEmulator
from adapters.zalo import ZaloAdapter, ZaloSettings
from broker.contract import Adapter, Path, Tools
from broker.outcome import (
    Absent,
    Denied,
    Hidden,
    Live,
    NotSeen,
    Pending,
    Rejected,
    Seen,
    Throttled,
    Unavailable,
    Uncertain,
)
from broker.values import replace
from tests.contract.adapter_suite import Confirms, Deletes, Edits, Lists, Rehearses
from tests.contract.bench import OTHER, PATIENCE, POST, Bench, Copy, MemoryVault
from tests.contract.emulators.browser import HandClock

SETTINGS = {
    "oa_id": "4402",
    "app_id": "7002",
    "app_secret": "app-secret",
    "access_token": "zalo-access",
    "refresh_token": "zalo-refresh",
    "cover_url": "https://tin.example/cover.jpg",
}


class TestZalo(Lists, Deletes, Edits, Rehearses, Confirms):
    adapter = ZaloAdapter
    emulator = ZaloEmulator
    settings: ClassVar = {**SETTINGS, "article_url": "https://zalo.example/{id}"}
    steps: ClassVar = {"create": "create"}
    shortest_wait = 60
    """Zalo names no time; its limit counts by the minute."""
    options: ClassVar = {"ready_after": 0, "require_proof": True}
    secrets: ClassVar = ("app_secret", "access_token", "refresh_token")
    exempt: ClassVar = {Kind.SUSPENDED: "no page and no client tells what Zalo says then"}


class ZaloBench(Bench):
    """Adapter and emulator by one clock, which the test moves."""

    def __init__(self, clock: HandClock, emulator: ZaloEmulator, session: aiohttp.ClientSession) -> None:
        self.clock: Any = clock
        super().__init__(ZaloAdapter, SETTINGS, "create", emulator, session)

    def new_adapter(self, patience: timedelta = PATIENCE, **settings: object) -> Adapter:
        hosts = {"base_url": self.emulator.base_urls["api"], "oauth_url": self.emulator.base_urls["oauth"]}
        values = {**SETTINGS, **hosts, "total_timeout": patience, "connect_timeout": patience, **settings}
        tools = Tools(channel="zalo", session=self._session, clock=self.clock, vault=MemoryVault(), agency="Tin Ví Dụ")
        return ZaloAdapter(ZaloSettings.model_validate(values), tools)


@pytest.fixture
async def bench() -> AsyncIterator[ZaloBench]:
    clock = HandClock()
    async with (
        ZaloEmulator(now=clock.now, lag=(0, 0), ready_after=10) as emulator,
        aiohttp.ClientSession() as session,
    ):
        yield ZaloBench(clock, emulator, session)


def job(bench: ZaloBench, copy: Copy, **rest: Any) -> Any:
    return replace(copy.job(**rest), started_at=copy.first_sent_at or bench.clock.now())


async def taken(bench: ZaloBench, **settings: Any) -> tuple[Copy, Any]:
    """A copy that Zalo has taken and is working on, and its job."""
    copy = bench.copy()
    assert isinstance(await copy.publish(bench.new_adapter(**settings)), Pending)
    copy.first_sent_at = bench.clock.now()
    return copy, job(bench, copy)


# -- composing


def words(**changes: Any) -> dict[str, str]:
    return dict(compose(replace(POST, **changes)).parts)


def test_the_title_ends_in_the_reference_however_long_the_headline_is():
    assert words()["title"] == "Bão số 9 đổ bộ: sơ tán trước 18 giờ (TVD-7QK2F9)"
    long = words(headline="Nước dâng 🌀 " * 40)
    assert long["title"].endswith("… (TVD-7QK2F9)")
    assert len(long["title"].encode("utf-16-le")) // 2 <= 140
    assert words(headline="")["title"] == "TVD-7QK2F9"


def test_an_article_says_who_wrote_it_and_when_if_it_is_late():
    late = words(late_mark="Viết lúc 22:58", author="Nguyễn Văn A", body="Một.\n\nHai.")
    assert late["author"] == "Nguyễn Văn A"
    assert late["description"] == "Một. Hai."
    assert late["body"].splitlines() == ["Viết lúc 22:58", "Một.", "Hai.", POST.link, POST.short_link]
    assert words(author=None)["author"] == "Tin Ví Dụ"
    assert words(override="Tin riêng cho Zalo\nĐoạn hai.")["title"] == "Tin riêng cho Zalo (TVD-7QK2F9)"


async def test_no_text_becomes_markup(bench):
    odd = replace(POST, body="<b>Gió</b> cấp 12 & mưa > 100 mm")
    assert isinstance(await bench.copy(odd).publish(bench.adapter), Pending)
    [article] = bench.log.posts
    assert "<b>Gió</b> cấp 12 & mưa > 100 mm" in article.text


# -- from token to article


async def test_an_article_is_followed_by_its_token_until_our_account_reads_it(bench):
    copy, ask = await taken(bench)
    assert (copy.handle, copy.step) == (ask.handle, 1)
    bench.clock.advance(seconds=8)
    assert await bench.new_adapter().confirm(ask) == Pending(ask.handle, timedelta(seconds=2))
    bench.clock.advance(seconds=2)
    found = await bench.new_adapter().confirm(ask)
    [article] = bench.log.copies(POST.reference)
    assert found == Live(article.id, None, Seen.ACCOUNT)
    assert article.text == copy.composed.text
    assert len(bench.log.asked("create")) == 1


async def test_a_publish_taken_up_again_makes_no_second_article(bench):
    copy, _ = await taken(bench)
    bench.clock.advance(seconds=10)
    assert isinstance(await copy.publish(bench.new_adapter()), Live)
    assert bench.copies() == 1
    assert len(bench.log.asked("create")) == 1


@pytest.mark.parametrize(
    "kind", [Kind.HTML_503, Kind.EMPTY_200, Kind.LOGGED_OUT, Kind.THROTTLED, Kind.STORED_THEN_RESET]
)
@pytest.mark.parametrize("step", ["verify", "get"])
async def test_a_question_that_fails_after_the_create_starts_nothing_anew(bench, step, kind):
    await bench.emulator.fail(kind, step=step)
    copy = bench.copy()
    assert isinstance(await copy.publish(bench.adapter), Pending)
    bench.clock.advance(seconds=10)
    await bench.emulator.heal()
    assert isinstance(await bench.new_adapter().confirm(job(bench, copy)), Live)
    assert bench.copies() == 1


async def test_an_article_that_never_gets_ready_is_asked_for_less_and_less_often(bench):
    await bench.emulator.fail(Kind.NEVER_FINISH)
    _, ask = await taken(bench)
    waits = []
    for _ in range(3):
        bench.clock.advance(minutes=2)
        waits.append((await bench.adapter.confirm(ask)).check_after.total_seconds())
    assert waits == [30, 60, 60]
    assert not bench.log.taken


async def test_a_cover_zalo_cannot_fetch_is_told_as_such(bench):
    _, ask = await taken(bench, cover_url="https://down.invalid/cover.jpg")
    bench.clock.advance(seconds=10)
    refused = await bench.adapter.confirm(ask)
    assert isinstance(refused, Rejected)
    assert "cover_url" in refused.detail
    assert not bench.log.posts


async def test_a_token_that_says_nothing_leaves_it_to_the_list(bench):
    _, ask = await taken(bench)
    bench.emulator.work.clear()
    assert isinstance(await bench.adapter.confirm(ask), NotSeen)  # not listed before it is ready
    bench.clock.advance(seconds=10)
    found = await bench.adapter.confirm(ask)
    assert isinstance(found, Live)
    assert found.url == f"https://rd.zapps.example/detail/4402?id={found.platform_id}"


# -- visible or not


async def test_a_hidden_article_is_never_live(bench):
    bench.emulator.hides = True
    copy, ask = await taken(bench)
    bench.clock.advance(seconds=10)
    for answer in (
        await bench.adapter.confirm(ask),
        await bench.adapter.find(ask),
        await bench.adapter.find(replace(ask, handle=None)),
    ):
        assert isinstance(answer, Hidden)
        assert "set it to show" in answer.detail
    assert await copy.publish(bench.new_adapter()) == Denied(answer.detail)
    assert not bench.log.visible
    assert len(bench.log.asked("create")) == 1


async def test_a_live_article_that_is_hidden_later_is_told_as_such(bench):
    _, ask = await taken(bench)
    bench.clock.advance(seconds=10)
    live = await bench.adapter.confirm(ask)
    bench.emulator.hide_article(live.platform_id)
    assert isinstance(await bench.adapter.find(replace(ask, platform_id=live.platform_id)), Hidden)


async def test_a_missing_article_is_gone_only_if_the_list_misses_it_too(bench):
    _, ask = await taken(bench)
    bench.clock.advance(seconds=10)
    live = await bench.adapter.confirm(ask)
    found = await bench.adapter.find(replace(ask, platform_id="unknown-to-getdetail"))
    assert isinstance(found, Live)
    assert found.platform_id == live.platform_id
    bench.emulator.remove_post(live.platform_id)
    gone = replace(ask, platform_id=live.platform_id)
    assert isinstance(await bench.adapter.find(replace(gone, neighbour="not-listed")), NotSeen)
    assert await bench.adapter.find(gone) == Absent()


async def test_the_look_back_brings_zalos_own_link(bench):
    _, ask = await taken(bench)
    bench.clock.advance(seconds=10)
    live = await bench.adapter.confirm(ask)
    found = await bench.adapter.find(replace(ask, platform_id=live.platform_id))
    assert found == Live(live.platform_id, f"https://rd.zapps.example/detail/4402?id={live.platform_id}", Seen.ACCOUNT)


# -- the list


async def test_only_a_title_that_begins_as_ours_is_ours(bench):
    copy = await bench.lost(kind=Kind.RESET_BEFORE)
    copy.first_sent_at = bench.clock.now()
    title = copy.composed.parts["title"]
    bench.clock.advance(seconds=30)
    for number, quote in enumerate((f"Về tin “{title}”", f"Đính chính {POST.reference}", POST.headline)):
        bench.emulator.plant_post(f"q{number}", quote, author="4402")
    assert isinstance(await bench.adapter.find(job(bench, copy)), NotSeen)
    bench.emulator.plant_post("ours", title.replace(" ", "  ").replace("&", "&amp;"), author="4402")
    found = await bench.adapter.find(job(bench, copy))
    assert isinstance(found, Live)
    assert found.platform_id == "ours"


async def test_every_page_back_to_a_minute_before_is_read_and_no_further(bench):
    for minutes in range(300):
        bench.emulator.plant_post(f"p{minutes}", f"Tin {minutes}", author="4402", seconds_ago=60.0 * minutes)
    copy = await bench.lost(kind=Kind.RESET_BEFORE)
    copy.first_sent_at = bench.clock.now() - timedelta(minutes=25)
    found = await bench.adapter.find(job(bench, copy))
    assert isinstance(found, NotSeen)
    assert found.back_to <= copy.first_sent_at - timedelta(seconds=60)
    assert len(bench.log.asked("list")) == 3


class OddZalo(ZaloEmulator):
    """Lists articles without a time."""

    def _line(self, post: Post) -> dict[str, object]:
        return {**super()._line(post), "create_date": None}


async def test_a_list_nobody_can_read_proves_nothing():
    clock = HandClock()
    async with OddZalo(now=clock.now, lag=(0, 0), ready_after=0) as emulator, aiohttp.ClientSession() as session:
        bench = ZaloBench(clock, emulator, session)
        await bench.live(OTHER)
        copy = await bench.lost(kind=Kind.RESET_BEFORE)
        assert isinstance(await bench.adapter.find(copy.job()), Unavailable)


def test_times_are_seconds_or_milliseconds():
    line = {"id": "a1", "title": "Gi\u00f3 &amp; m\u01b0a", "status": "show"}
    assert [
        listed({**line, **date}, "").at for date in ({"create_date": 1763780000123}, {"created_date": "1763780000"})
    ] == [
        datetime(2025, 11, 22, 2, 53, 20, 123000, UTC),
        datetime(2025, 11, 22, 2, 53, 20, tzinfo=UTC),
    ]
    assert listed({**line, "create_date": 1763780000}, "").text == "Gió & mưa"
    with pytest.raises(ValueError):
        listed({**line, "create_date": "hôm qua"}, "")


@pytest.mark.parametrize("newer", range(7, 12))
async def test_an_article_is_counted_once_wherever_it_stands(bench, newer):
    """Pages hold ten and overlap by one: the tenth stands on two of them."""
    copy, _ = await taken(bench)
    for number in range(30):
        seconds = number - newer - 9.5  # `newer` of them are younger than ours, which Zalo shows in ten seconds
        bench.emulator.plant_post(f"p{number}", f"Tin {number}", author="4402", seconds_ago=seconds)
    bench.clock.advance(seconds=60)
    found = await bench.adapter.find(job(bench, copy, count=True))
    assert isinstance(found, Live)
    assert (found.platform_id, found.extra) == (bench.log.posts[0].id, ())


# -- account and codes


@pytest.mark.parametrize(
    ("code", "message", "answer"),
    [
        (-32, "", Throttled),
        (-211, "", Throttled),
        (-224, "", Denied),
        (-209, "", Denied),
        (-248, "", Rejected),
        (-201, "title is invalid", Rejected),
        (-201, "Access token is invalid", Denied),
        (-155, "token expired", Denied),
        (-100, "", Uncertain),
        (-200, "", Uncertain),
        (-98765, "something new", Rejected),
    ],
)
async def test_what_a_code_means_for_a_create(bench, code, message, answer):
    bench.emulator.say_instead(code, message)
    await bench.emulator.fail(Kind.POLICY, step="create")
    outcome = await bench.copy().publish(bench.adapter)
    assert isinstance(outcome, answer)
    if isinstance(outcome, Rejected):
        assert outcome.code == str(code)
        assert message in outcome.detail


async def test_an_article_without_a_cover_is_refused_by_zalo(bench):
    """Why `cover_url` is asked for at start."""
    adapter: Any = bench.adapter
    adapter._settings = adapter._settings.model_copy(update={"cover_url": ""})
    assert isinstance(await bench.copy().publish(adapter), Rejected)
    without = {name: value for name, value in SETTINGS.items() if name != "cover_url"}
    with pytest.raises(ValidationError, match="cover_url"):
        ZaloSettings.model_validate(without)


async def test_a_token_of_another_account_is_found_by_the_probe(bench):
    refused = await bench.new_adapter(oa_id="9999").probe()
    assert isinstance(refused, Denied)
    assert "4402" in refused.detail


async def test_bearer_tokens_are_not_what_zalo_wants(bench):
    """The emulator is as strict as Zalo: only the header `access_token` counts."""
    headers = {"Authorization": "Bearer zalo-access"}
    async with bench._session.get(f"{bench.emulator.base_url}/v2.0/oa/getoa", headers=headers) as response:
        assert (await response.json())["error"] == -216


def test_the_profile_is_domestic():
    nothing: Any = None
    tools = Tools(channel="zalo", session=nothing, clock=nothing, vault=nothing)
    adapter = ZaloAdapter(ZaloSettings.model_validate(SETTINGS), tools)
    assert (adapter.profile.country, adapter.profile.path) == ("VN", Path.DOMESTIC)
    assert adapter.profile.hosts == ("openapi.zalo.me", "oauth.zaloapp.com")
