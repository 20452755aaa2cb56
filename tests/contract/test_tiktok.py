"""The TikTok adapter: the suite in both modes, and what is TikTok's alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import pytest
from pydantic import ValidationError

from adapters._tiktok import CODES
from adapters._tiktok_posts import Handle
from adapters._tiktok_texts import for_everybody
from adapters._tiktok_uploads import PIECE, source_of
from adapters.emulators.faults import Kind
from adapters.emulators.publications import Publication
from adapters.emulators.tiktok import TiktokEmulator
from adapters.tiktok import MEDIA, TAP, UNSEEN, TiktokAdapter, TiktokSettings
from broker.clock import SystemClock
from broker.contract import Tools, Unit, Unsuited
from broker.engine.calls import inline
from broker.engine.vault import TokenVault
from broker.model import MediaKind, Medium, Post, Urgency, Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Live,
    NotSeen,
    Pending,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
)
from broker.rules.delivery import BEFORE_SENT
from broker.rules.text import count
from broker.store.sqlite import SqliteStore
from broker.values import replace
from tests.contract.adapter_suite import Confirms, Handles
from tests.contract.bench import OTHER, POST, Bench, Copy
from tests.contract.emulators.browser import HandClock

ACCOUNT = {
    "client_key": "tiktok-app",
    "client_secret": "tiktok-secret",
    "access_token": "tiktok-access",
    "refresh_token": "tiktok-refresh",
}


def known(bench: Bench) -> TiktokEmulator:
    assert isinstance(bench.emulator, TiktokEmulator)
    return bench.emulator


def only(bench: Bench) -> tuple[str, Publication]:
    """The one publication there is."""
    [(publish_id, made)] = known(bench).publications.items()
    return publish_id, made


def large(bench: Bench, size_bytes: int) -> Medium:
    """A video of this size; nobody plays it."""
    assert bench.host
    medium = replace(bench.host.video(), name="large.mp4", size_bytes=size_bytes)
    with (bench.host.shelf.folder / medium.name).open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        file.truncate(size_bytes)
    return medium


def with_pictures(bench: Bench, number: int = 1, post: Post = POST) -> Post:
    assert bench.host
    return replace(post, media=tuple(bench.host.picture() for _ in range(number)))


def uploads(bench: Bench) -> list[str]:
    return [request.verdict for request in bench.log.asked("upload")]


class Hasty(SystemClock):
    """A clock for which every look at it is ten seconds later."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0

    def now(self) -> datetime:
        self._looks += 1
        return super().now() + timedelta(seconds=10 * self._looks)


class TestDirect(Handles, Confirms):
    """By an audited app: public at once."""

    adapter = TiktokAdapter
    emulator = TiktokEmulator
    settings: ClassVar = {**ACCOUNT, "mode": "direct"}
    steps: ClassVar = {"init": "init", "upload": "upload"}
    shortest_wait = 60
    """TikTok names no time; its limit counts by the minute."""
    options: ClassVar = {"ready_after": 0}
    secrets: ClassVar = ("client_secret", "access_token", "refresh_token")

    # -- uploads

    async def test_a_large_video_goes_in_pieces(self, bench):
        await bench.live(replace(POST, media=(large(bench, 3 * PIECE - 1),)))
        assert uploads(bench) == ["206", "201"]
        assert bench.copies() == 1

    @pytest.mark.parametrize(
        ("kind", "answer"), [(Kind.REFUSED, Unavailable), (Kind.BLACK_HOLE, Uncertain), (Kind.TLS_RESET, Uncertain)]
    )
    async def test_an_upload_host_that_is_down_costs_no_second_publication(self, bench, kind, answer):
        await bench.emulator.fail(kind, host="upload")
        copy = bench.copy()
        assert isinstance(await copy.publish(bench.against(kind)), answer)
        await bench.emulator.heal()
        assert isinstance(await bench.settle(copy), Unfinished)
        assert isinstance(await copy.publish(bench.new_adapter()), Live)
        assert (len(known(bench).publications), bench.copies()) == (1, 1)

    async def test_an_upload_that_breaks_off_goes_on_where_it_was(self, bench):
        await bench.emulator.fail(Kind.HTML_503, step="upload", every=2, times=1)
        copy = bench.copy(replace(POST, media=(large(bench, 3 * PIECE),)))
        assert isinstance(await copy.publish(bench.adapter), Uncertain)
        assert isinstance(await bench.settle(copy), Unfinished)
        assert isinstance(await copy.publish(bench.new_adapter()), Live)
        assert uploads(bench) == ["206", "html_503", "206", "201"]
        assert (len(bench.log.asked("init")), bench.copies()) == (1, 1)

    async def test_a_long_upload_goes_on_in_the_next_attempt(self, bench):
        adapter: Any = bench.adapter
        adapter._tools = replace(adapter._tools, clock=Hasty())
        copy = bench.copy(replace(POST, media=(large(bench, 4 * PIECE),)))
        assert isinstance(await copy.publish(adapter), Unfinished)
        assert bench.copies() == 0
        assert isinstance(await copy.publish(bench.new_adapter()), Live)
        assert uploads(bench) == ["206", "206", "206", "201"]

    async def test_an_upload_whose_hour_is_over_is_begun_anew(self, bench):
        await bench.emulator.fail(Kind.RESET_BEFORE, step="upload", times=1)
        copy = bench.copy()
        await copy.publish(bench.adapter)
        only(bench)[1].created_at -= timedelta(hours=1)
        assert isinstance(await copy.publish(bench.adapter), Uncertain)  # its address is over, which proves nothing
        copy.handle = f"{replace(Handle.of(copy.handle), since=0)}"
        assert await bench.settle(copy) == Absent()
        assert await copy.publish(bench.adapter) == Absent()
        assert isinstance(await copy.publish(bench.adapter), Live)
        assert bench.copies() == 1

    async def test_an_upload_that_is_complete_and_not_counted_yet_is_not_begun_anew(self, bench):
        """Its answer was lost, its status lags, and its address is no good any more."""
        known(bench).counts_late, known(bench).ready_after = True, timedelta(hours=1)
        copy = await bench.lost()
        assert isinstance(await bench.settle(copy), Unfinished)
        assert isinstance(await copy.publish(bench.adapter), Uncertain)
        assert isinstance(await bench.settle(copy), Unfinished)
        _, made = only(bench)
        assert made.post
        made.ready_at, made.post.posted_at = made.created_at, made.created_at
        assert isinstance(await bench.settle(copy), Live)
        assert (uploads(bench), bench.copies()) == (["stored_then_reset", "404"], 1)

    async def test_the_gate_is_asked_for_every_piece(self, bench):
        copy = bench.copy(replace(POST, media=(large(bench, 3 * PIECE),)))
        gates: list[bool] = []

        class Counting:
            passed = False

            def enter(self) -> None:
                gates.append(True)
                self.passed = True

        await copy.publish(bench.adapter, gate=Counting())
        assert len(gates) == 1 + 3  # init, and the pieces

    async def test_a_file_that_is_gone_is_told_before_anything_is_sent(self, bench):
        copy = bench.copy()
        (bench.host.shelf.folder / copy.composed.media[0].name).unlink()
        assert isinstance(await copy.publish(bench.adapter), Rejected)
        assert not bench.log.asked("init")

    # -- visible or not

    async def test_an_app_that_is_not_audited_is_denied_with_what_to_do(self, bench):
        known(bench).audited = False
        denied = await bench.copy().publish(bench.adapter)
        assert isinstance(denied, Denied)
        assert "audited" in denied.detail
        assert 'mode = "inbox"' in denied.detail
        assert not bench.log.taken

    async def test_a_private_account_is_denied_before_anything_is_sent(self, bench):
        known(bench).private = True
        for outcome in (await bench.copy().publish(bench.adapter), await bench.adapter.probe()):
            assert isinstance(outcome, Denied)
            assert "private account" in outcome.detail
        assert not bench.log.asked("init")

    async def test_a_post_without_a_public_id_is_not_live_yet(self, bench):
        known(bench).public_after = timedelta(hours=1)
        copy = bench.copy()
        assert isinstance(await copy.publish(bench.adapter), Pending)
        assert isinstance(await copy.confirm(bench.new_adapter()), Pending)
        known(bench).public_after = timedelta(0)
        found = await copy.confirm(bench.new_adapter())
        assert isinstance(found, Live)
        assert found.platform_id == bench.log.posts[0].id

    async def test_what_the_account_has_switched_off_stays_off(self, bench):
        composed = bench.copy().composed
        info = for_everybody(composed, {"comment_disabled": True, "duet_disabled": False})
        assert info == {
            "title": composed.text,
            "privacy_level": "PUBLIC_TO_EVERYONE",
            "disable_comment": True,
            "disable_duet": False,
            "disable_stitch": False,
        }

    async def test_a_video_longer_than_the_account_may_post_is_refused_before_it_leaves(self, bench):
        known(bench).longest_s = 3
        refused = await bench.copy().publish(bench.adapter)
        assert isinstance(refused, Rejected)
        assert "3 s" in refused.detail
        assert not bench.log.asked("init")

    # -- pictures

    async def test_pictures_are_fetched_and_public_in_their_order(self, bench):
        post = with_pictures(bench, 3)
        copy = await bench.live(post)
        assert [name for name, _ in bench.host.fetched] == [picture.name for picture in post.media]
        [shown] = bench.log.copies(POST.reference)
        assert (shown.text, shown.extra["title"]) == (copy.composed.text, copy.composed.parts["title"])

    async def test_titles_and_texts_of_pictures_have_limits_of_their_own(self, bench):
        post = with_pictures(bench, post=replace(POST, headline="Nước dâng 🌀 " * 40, body="Sơ tán. 🌀 " * 900))
        composed = bench.adapter.compose(post)
        assert composed.parts["title"].endswith(f"… ({POST.reference})")
        assert count(composed.parts["title"], Unit.UTF16) <= 90
        assert (composed.length, composed.limit) == (count(composed.parts["description"], Unit.UTF16), 4000)
        assert 3900 < composed.length <= 4000
        await bench.live(post)
        assert bench.copies() == 1

    async def test_pictures_whose_answer_was_lost_are_found_in_the_list(self, bench):
        copy = await self.lost_pictures(bench, Kind.STORED_THEN_RESET)
        found = await bench.settle(copy)
        assert isinstance(found, Live)
        assert (found.platform_id, bool(found.url)) == (bench.log.posts[0].id, True)

    async def lost_pictures(self, bench: Bench, kind: Kind) -> Copy:
        await bench.emulator.fail(kind, step="photo", times=1)
        copy = bench.copy(with_pictures(bench))
        assert isinstance(await copy.publish(bench.adapter), Uncertain)
        assert copy.handle == ""
        await bench.emulator.heal()
        return copy

    @pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.HTML_503, Kind.GARBAGE_200])
    async def test_pictures_that_no_list_shows_are_never_sent_again_by_guess(self, bench, kind):
        copy = await self.lost_pictures(bench, kind)
        found = await bench.settle(copy)
        assert isinstance(found, NotSeen)
        assert copy.first_sent_at
        assert found.back_to > copy.first_sent_at - BEFORE_SENT  # so that no `settle` takes it for a proof

    async def test_a_crash_between_the_steps_of_pictures_is_a_doubt(self, bench):
        """Killed when its next step was durable and the call had, or had not, left."""
        copy = bench.copy(with_pictures(bench))
        copy.handle, copy.step, copy.first_sent_at = "", 1, bench.adapter._tools.clock.now()
        assert isinstance(await bench.settle(copy), NotSeen)

    async def test_a_list_that_nobody_can_read_proves_nothing(self, bench):
        copy = await self.lost_pictures(bench, Kind.STORED_THEN_RESET)
        await bench.emulator.fail(Kind.TRUNCATED_JSON, step="list")
        assert isinstance(await bench.settle(copy), Unavailable)

    async def test_pictures_behind_many_posts_are_found(self, bench):
        copy = await self.lost_pictures(bench, Kind.STORED_THEN_RESET)
        bench.log.posts[0].posted_at -= timedelta(minutes=1)
        copy.first_sent_at = bench.log.posts[0].posted_at
        for number in range(45):
            bench.emulator.plant_post(f"75{number:05}", f"Tin {number}", "open-4402", seconds_ago=number)
        assert isinstance(await bench.settle(copy), Live)
        assert len(bench.log.asked("list")) == 3

    async def test_a_media_host_that_is_down_is_no_outage_of_tiktok(self, bench):
        bench.host.down = True
        copy = bench.copy(with_pictures(bench))
        outcome = await copy.publish(bench.adapter)
        assert isinstance(outcome, Unavailable)
        assert outcome.fault is Fault.MEDIA
        bench.host.down = False
        assert isinstance(await copy.publish(bench.new_adapter()), Live)
        assert bench.copies() == 1

    async def test_pictures_from_an_address_that_is_not_verified_are_refused_with_what_to_do(self, bench):
        known(bench).verified = ("https://tin.example/",)
        refused = await bench.copy(with_pictures(bench)).publish(bench.adapter)
        assert isinstance(refused, Rejected)
        assert "verify" in refused.detail

    async def test_pictures_need_a_public_address_and_videos_do_not(self, bench):
        bench.host.shelf.url = None
        outcome = await bench.copy(with_pictures(bench)).publish(bench.adapter)
        assert isinstance(outcome, Unavailable)
        assert outcome.fault is Fault.MEDIA
        await bench.live(OTHER)

    # -- what TikTok makes of it

    @pytest.mark.parametrize("reason", ["internal", "auth_removed", "photo_pull_failed", "spam_risk_too_many_posts"])
    async def test_a_publication_that_failed_without_a_judgement_is_begun_anew(self, bench, reason):
        copy = await self.held(bench)
        _, made = only(bench)
        made.ready_at, made.fail_reason = made.created_at, reason
        assert await copy.confirm(bench.adapter) == Absent()
        assert await copy.publish(bench.adapter) == CODES[reason]
        assert isinstance(await copy.publish(bench.new_adapter()), Live)
        assert bench.copies() == 1

    @pytest.mark.parametrize(
        "reason", ["file_format_check_failed", "spam_risk", "publish_cancelled", "brand_new_reason"]
    )
    async def test_a_publication_that_was_judged_is_rejected(self, bench, reason):
        copy = await self.held(bench)
        _, made = only(bench)
        made.ready_at, made.fail_reason = made.created_at, reason
        found = await copy.confirm(bench.adapter)
        assert isinstance(found, Rejected)
        assert (found.code, bool(found.detail)) == (reason, True)

    async def test_a_publication_that_tiktok_does_not_know_proves_nothing(self, bench):
        copy = await bench.lost()
        known(bench).publications.clear()
        assert isinstance(await bench.settle(copy), Unavailable)

    async def test_a_post_is_gone_only_if_tiktok_still_knows_our_others(self, bench):
        neighbour, copy = await bench.live(OTHER), await bench.live()
        bench.emulator.remove_post(copy.platform_id)
        job = copy.job(neighbour=neighbour.platform_id)
        assert await bench.adapter.find(job) == Absent()
        bench.emulator.remove_post(neighbour.platform_id)
        found = await bench.adapter.find(job)
        assert isinstance(found, NotSeen)
        assert found.neighbour is False

    async def test_the_posts_of_a_day_are_few(self, bench):
        known(bench).posts_a_day = 0
        assert await bench.copy().publish(bench.adapter) == Throttled(timedelta(hours=24))

    async def test_calls_a_minute_are_few(self, bench):
        outcomes = [await bench.copy().publish(bench.adapter) for _ in range(7)]
        assert [type(outcome) for outcome in outcomes] == [Live] * 6 + [Throttled]


class TestInbox(Confirms):
    """A draft that a person posts."""

    adapter = TiktokAdapter
    emulator = TiktokEmulator
    settings: ClassVar = ACCOUNT
    steps: ClassVar = {"init": "init", "upload": "upload"}
    shortest_wait = 60
    """TikTok names no time; its limit counts by the minute."""
    options: ClassVar = {"ready_after": 0, "drafts": 100, "calls_a_minute": {}}  # the suite asks in no time
    secrets: ClassVar = TestDirect.secrets
    done = Pending
    is_public = False
    has_address = False

    async def test_a_post_is_published_once_and_word_for_word(self, bench):
        """By a person, who pastes the text; until then it says what they have to do, however often it is asked."""
        copy = bench.copy()
        for outcome in (await copy.publish(bench.adapter), await copy.confirm(bench.new_adapter())):
            assert isinstance(outcome, Pending)
            assert outcome.why == TAP
        publish_id, _ = only(bench)
        known(bench).tap(publish_id, copy.composed.text)
        found = await copy.confirm(bench.new_adapter())
        [post] = bench.log.copies(POST.reference)
        assert (found, post.text) == (Live(post.id), copy.composed.text)

    async def test_a_text_that_is_too_long_after_all_is_the_contents_fault(self, bench):
        """Of pictures; a draft of a video brings no text."""
        copy = bench.copy(with_pictures(bench))
        copy.composed = replace(copy.composed, parts={"title": "Tin", "description": "a" * 4001})
        assert isinstance(await copy.publish(bench.adapter), Rejected)

    async def test_a_post_for_followers_only_is_never_live(self, bench):
        copy = await bench.live()
        known(bench).tap(only(bench)[0], copy.composed.text, privacy="SELF_ONLY")
        found = await copy.confirm(bench.adapter)
        assert isinstance(found, Pending)
        assert found.why == UNSEEN
        assert bench.copies() == 0

    async def test_a_draft_of_pictures_brings_its_text(self, bench):
        copy = bench.copy(with_pictures(bench))
        assert isinstance(await copy.publish_to_the_end(bench.adapter), Pending)
        known(bench).tap(only(bench)[0])
        assert isinstance(await copy.confirm(bench.adapter), Live)
        assert [post.text for post in bench.log.posts] == [copy.composed.text]

    async def test_a_draft_whose_answer_was_lost_is_made_again(self, bench):
        """Nothing public comes of it by itself; the person finds two and posts one."""
        await bench.emulator.fail(Kind.STORED_THEN_RESET, step="photo", times=1)
        copy = bench.copy(with_pictures(bench))
        assert isinstance(await copy.publish(bench.adapter), Unavailable)
        assert isinstance(await copy.publish(bench.adapter), Pending)
        assert (len(known(bench).publications), bench.copies()) == (2, 0)

    async def test_no_more_than_five_drafts_wait(self, bench):
        known(bench).drafts = 1
        await bench.live()
        assert await bench.copy().publish(bench.adapter) == Throttled(timedelta(hours=24))
        known(bench).tap(only(bench)[0], "Tin")
        assert isinstance(await bench.copy().publish(bench.adapter), Pending)

    async def test_a_draft_asks_for_no_audit_and_for_no_public_account(self, bench):
        known(bench).audited, known(bench).private = False, True
        assert isinstance(await bench.adapter.probe(), Live)
        await bench.live()
        assert not bench.log.asked("creator")


# -- what it takes


@pytest.mark.parametrize("late_mark", [None, "Viết lúc 22:58 ngày 22/11"])
@pytest.mark.parametrize("headline", ["Bão số 9", "Bão số 9 " * 14, "Bão số 9 " * 60])
def test_a_list_shows_the_reference_however_long_the_headline_is(headline, late_mark):
    video = Medium(name="a.mp4", kind=MediaKind.VIDEO, mime="video/mp4")
    composed = adapter().compose(replace(POST, headline=headline, late_mark=late_mark, media=(video,)))
    assert POST.reference in composed.text[:150]
    assert "Bão số 9" in composed.text[:60]


def test_text_alone_becomes_a_video_only_for_urgent_news_and_if_the_channel_allows_it():
    card_video = Medium(name="card.mp4", kind=MediaKind.VIDEO, mime="video/mp4")
    urgent = replace(POST, urgency=Urgency.URGENT, card_video=card_video)
    assert adapter(card_video=True).compose(urgent).media == (card_video,)
    for refused, say in (
        (adapter(card_video=True).compose, "add_video_routine"),
        (adapter().compose, "add_video"),
    ):
        with pytest.raises(Unsuited, match=f"^{say}$"):
            refused(replace(urgent, urgency=Urgency.ROUTINE) if say == "add_video_routine" else urgent)


def adapter(**settings: Any) -> TiktokAdapter:
    nothing: Any = None
    tools = Tools(channel="tiktok", session=nothing, clock=nothing, vault=nothing)
    return TiktokAdapter(TiktokSettings.model_validate({**ACCOUNT, **settings}), tools)


def test_a_draft_waits_longer_and_is_not_looked_for():
    draft, direct = adapter().profile, adapter(mode="direct").profile
    assert Verb.FIND in direct.abilities - draft.abilities
    assert draft.pending_for > direct.pending_for
    assert MEDIA.card is MediaKind.VIDEO


def test_a_mode_that_does_not_exist_is_refused_at_start():
    with pytest.raises(ValidationError, match="mode"):
        adapter(mode="private")


@pytest.mark.parametrize(
    ("size", "piece", "pieces"),
    [(1, 1, 1), (PIECE - 1, PIECE - 1, 1), (PIECE, PIECE, 1), (2 * PIECE - 1, PIECE, 1), (2 * PIECE, PIECE, 2)],
)
def test_pieces_are_as_large_as_tiktok_wants_them(size, piece, pieces):
    assert source_of(size) == {
        "source": "FILE_UPLOAD",
        "video_size": size,
        "chunk_size": piece,
        "total_chunk_count": pieces,
    }


def test_every_denial_says_what_to_do():
    denied = [outcome.detail for outcome in CODES.values() if isinstance(outcome, Denied)]
    assert denied
    assert all(":" in detail for detail in denied)


def test_every_code_is_documented():
    page = Path(__file__).resolve().parents[2] / "docs" / "adapters" / "tiktok.md"
    text = page.read_text(encoding="utf-8")
    assert [code for code in CODES if f"`{code}`" not in text] == []


# -- tokens: what is TikTok's alone; the vault's rules are in `test_tokens`


@dataclass
class House:
    """One store and one TikTok, whose clock the test moves."""

    tiktok: TiktokEmulator
    clock: Any
    session: aiohttp.ClientSession
    store: SqliteStore
    told: list[str]

    def adapter(self, **settings: Any) -> TiktokAdapter:
        """As after a restart: only the store remembers."""
        vault = TokenVault(
            self.store, "tvd/tiktok", self.clock, inline,
            operator_failing=lambda: False, on_trouble=lambda reason: self.told.append(reason.key),
        )  # fmt: skip
        tools = Tools(channel="tiktok", session=self.session, clock=self.clock, vault=vault, agency="Tin")
        values = {**ACCOUNT, "base_url": self.tiktok.base_url, "total_timeout": 2, **settings}
        return TiktokAdapter(TiktokSettings.model_validate(values), tools)


class Clock(HandClock):
    def monotonic(self) -> float:
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds=seconds)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock: Any = Clock()
    async with TiktokEmulator(now=clock.now, lag=(0, 0)) as tiktok, aiohttp.ClientSession() as session:
        store = SqliteStore(tmp_path / "loa.db", clock, ballast_bytes=0)
        store.open()
        yield House(tiktok, clock, session, store, [])
        store.close()


async def test_a_refresh_token_that_tiktok_does_not_take_wants_a_person(house):
    house.tiktok.revoke()
    denied = await house.adapter().probe()
    assert isinstance(denied, Denied)
    assert "invalid_grant" in denied.detail
    assert "loa connect" in denied.detail
    assert house.told == ["token_refused"]


@pytest.mark.parametrize("kind", [Kind.HTML_503, Kind.GARBAGE_200, Kind.SERVER_ERROR])
async def test_an_answer_to_a_renewal_that_nobody_can_read_may_have_burned_it(house, kind):
    house.tiktok.end_access_tokens()
    await house.tiktok.fail(kind, step="token", times=1)
    assert isinstance(await house.adapter().probe(), Denied)
    assert house.told == ["token_lost"]


async def test_a_wrong_secret_is_named(house):
    house.tiktok.end_access_tokens()
    denied = await house.adapter(client_secret="another").probe()
    assert isinstance(denied, Denied)
    assert "client_secret" in denied.detail


async def test_without_a_token_it_says_how_to_connect(house):
    denied = await house.adapter(access_token=None, refresh_token=None).probe()
    assert isinstance(denied, Denied)
    assert "loa connect tiktok" in denied.detail
