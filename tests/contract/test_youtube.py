"""The YouTube adapter: the suite, and what is YouTube's alone; tokens are in `test_tokens`, connecting in its own."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._http import Answer
from adapters._youtube import ACCOUNT, classify, until_midnight
from adapters._youtube_uploads import PIECE
from adapters._youtube_videos import compose, standing
from adapters.emulators.faults import Kind
from adapters.emulators.youtube import YouTubeEmulator
from adapters.youtube import YouTubeAdapter
from broker.contract import Adapter, Unsuited
from broker.model import MediaKind, Medium, Post, Urgency
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Hidden,
    Live,
    NotSeen,
    Outcome,
    Pending,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
)
from broker.values import replace
from tests.contract.adapter_suite import Confirms, Deletes, Edits, Handles, Rehearses
from tests.contract.bench import OTHER, PATIENCE, POST, Bench, Copy
from tests.contract.media_host import MediaHost

SETTINGS = {
    "client_id": "7005.apps.example",
    "client_secret": "client-secret",
    "access_token": "youtube-access",
    "refresh_token": "youtube-refresh",
}
VIDEO = Medium(name="v.mp4", kind=MediaKind.VIDEO, mime="video/mp4")
STORM = replace(POST, media=(VIDEO,))


class TestYouTube(Handles, Confirms, Deletes, Edits, Rehearses):
    adapter = YouTubeAdapter
    emulator = YouTubeEmulator
    options: ClassVar = {"processed_after": 0}
    settings: ClassVar = SETTINGS
    steps: ClassVar = {"session": "session", "upload": "upload"}
    secrets: ClassVar = ("client_secret", "access_token", "refresh_token")
    exempt: ClassVar = {Kind.POLICY: "YouTube judges a video only once it has it: refuse_later"}


class VideoBench(Bench):
    emulator: YouTubeEmulator

    def new_adapter(self, patience: timedelta = PATIENCE, **settings: object) -> Adapter:
        return super().new_adapter(patience, **{"oauth_url": self.emulator.base_urls["oauth"], **settings})

    def long(self, pieces: float) -> Copy:
        """A copy with a video of that many pieces. Its content is noise, which nobody need understand here."""
        assert self.host
        (self.host.shelf.folder / VIDEO.name).write_bytes(random.Random(7).randbytes(int(PIECE * pieces)))
        return self.copy(STORM)


@pytest.fixture
async def bench(host: MediaHost) -> AsyncIterator[VideoBench]:
    async with YouTubeEmulator(lag=(0, 0), processed_after=0) as emulator, aiohttp.ClientSession() as session:
        yield VideoBench(YouTubeAdapter, SETTINGS, "upload", emulator, session, host=host)


# -- uploading


@pytest.mark.parametrize(("pieces", "calls"), [(0.1, 1), (1, 1), (2.5, 3)])
async def test_a_video_arrives_whole_in_pieces(bench, pieces, calls):
    copy = bench.long(pieces)
    assert isinstance(await copy.publish(bench.adapter), Live)
    [video] = bench.log.posts
    content = (bench.host.shelf.folder / VIDEO.name).read_bytes()
    assert video.extra["sha256"] == hashlib.sha256(content).hexdigest()
    assert len(bench.log.asked("upload")) == calls


@pytest.mark.parametrize("kind", ["html_503", "reset_before", "stored_then_reset", "garbage_200", "logged_out"])
async def test_what_has_arrived_is_not_sent_again(bench, kind):
    copy = bench.long(2.5)
    await bench.emulator.fail(kind, step="upload", every=2, times=1)
    assert isinstance(await copy.publish(bench.adapter), Unavailable | Denied)
    assert isinstance(await copy.publish(bench.new_adapter()), Live)
    assert len(bench.log.asked("upload")) == (3 if kind == "stored_then_reset" else 4)
    assert len(bench.log.asked("session")) == len(bench.log.posts) == 1


async def test_a_crash_between_two_pieces_is_taken_up_by_another_process(bench):
    copy = bench.long(2.5)
    await bench.emulator.fail("html_503", step="upload", times=1)
    await copy.publish(bench.adapter)
    found = await bench.settle(copy)
    assert isinstance(found, Unfinished)
    assert isinstance(await copy.publish(bench.new_adapter()), Live)


async def test_two_videos_are_never_mixed(bench):
    copy = bench.long(2.5)
    await bench.emulator.fail("html_503", step="upload", every=2, times=1)
    await copy.publish(bench.adapter)
    bench.long(1.5)
    outcome = await copy.publish(bench.new_adapter())
    assert isinstance(outcome, Rejected)
    assert outcome.code == "media_changed"
    assert not bench.log.taken


async def test_a_long_upload_is_a_row_of_attempts(bench):
    """None lasts much longer than one call may, for the lease must outlast it."""
    copy, adapter = bench.long(2.5), bench.new_adapter()
    adapter.profile = replace(adapter.profile, total_timeout=timedelta(0))
    outcomes = [await copy.publish(adapter) for _ in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Unfinished, Unfinished, Live]
    assert len(bench.log.asked("session")) == len(bench.log.posts) == 1


async def test_a_session_that_is_gone_proves_nothing_and_the_list_decides(bench):
    copy = await bench.lost()
    bench.emulator.end_sessions()
    assert isinstance(await bench.settle(copy), Live)
    other = bench.copy(OTHER)
    other.handle, other.step = copy.handle, 1
    assert isinstance(await bench.settle(other), NotSeen)
    assert isinstance(await other.publish(bench.adapter), Uncertain)
    assert len(bench.log.posts) == 1


async def test_a_session_that_ends_in_the_middle_is_asked_about(bench):
    copy = bench.long(1)
    await bench.emulator.fail("html_503", step="upload", times=1)
    await copy.publish(bench.adapter)
    bench.emulator.end_sessions()
    assert isinstance(await copy.publish(bench.adapter), Uncertain)
    assert isinstance(await bench.settle(copy), NotSeen)


async def test_a_list_that_lags_behind_a_lost_session_proves_no_absence(bench):
    copy = await bench.lost()
    bench.emulator.end_sessions()
    await bench.emulator.fail("list_lag", after=60)
    assert isinstance(await bench.settle(copy), NotSeen)


async def test_copies_are_counted(bench):
    first = await bench.lost()
    second = await bench.live()
    second.first_sent_at = first.first_sent_at
    found = await bench.adapter.find(second.job(count=True))
    assert isinstance(found, Live)
    assert len(found.extra) == 1


async def test_a_video_missing_on_disk_is_told(bench):
    copy = bench.copy(replace(POST, media=(replace(VIDEO, name="gone.mp4"),)))
    assert isinstance(await copy.publish(bench.adapter), Rejected)
    assert not bench.log.asked("session")


# -- what readers see


async def test_a_video_is_live_only_once_it_can_be_played(bench):
    bench.emulator.processed_after = timedelta(seconds=0.05)
    copy = bench.copy()
    assert isinstance(await copy.publish(bench.adapter), Pending)
    assert not bench.log.posts
    await bench.emulator.until(lambda log: log.posts)
    assert isinstance(await copy.confirm(bench.new_adapter()), Live)


async def test_an_unaudited_project_is_told_what_to_do_and_uploads_no_second_video(bench):
    bench.emulator.audited = False
    copy = bench.copy()
    outcome = await copy.publish(bench.adapter)
    assert isinstance(outcome, Denied)
    assert "audit" in outcome.detail
    assert isinstance(await copy.publish(bench.new_adapter()), Denied)
    [video] = bench.log.taken
    bench.emulator.set_privacy(video.id, "public")
    assert isinstance(await copy.publish(bench.new_adapter()), Live)
    assert len(bench.log.taken) == 1


@pytest.mark.parametrize("privacy", ["private", "unlisted"])
async def test_a_live_video_that_is_hidden_later_is_found(bench, privacy):
    copy = await bench.live()
    bench.emulator.set_privacy(copy.platform_id, privacy)
    found = await bench.settle(copy)
    assert isinstance(found, Hidden)
    assert privacy in found.detail


@pytest.mark.parametrize("reason", ["copyright", "inappropriate", "duplicate", "legal"])
async def test_a_live_video_that_is_rejected_later_is_removed(bench, reason):
    copy = await bench.live()
    bench.emulator.judge(copy.platform_id, "rejected", reason)
    found = await bench.settle(copy)
    assert isinstance(found, Hidden)
    assert reason in found.detail


async def test_an_empty_answer_about_a_video_that_the_list_shows_proves_nothing(bench):
    copy = await bench.live()
    await bench.emulator.fail("empty_list", step="get")
    assert isinstance(await bench.settle(copy), Pending)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"uploadStatus": "uploaded", "privacyStatus": "public"}, Pending),
        ({"uploadStatus": "processed", "privacyStatus": "public"}, Live),
        ({"uploadStatus": "processed", "privacyStatus": "unlisted"}, Hidden),
        ({"uploadStatus": "uploaded", "privacyStatus": "private"}, Hidden),
        ({"uploadStatus": "failed", "failureReason": "codec", "privacyStatus": "public"}, Rejected),
        ({"uploadStatus": "rejected", "rejectionReason": "claim", "privacyStatus": "private"}, Rejected),
        ({"uploadStatus": "rejected", "rejectionReason": "uploaderAccountSuspended"}, Denied),
        ({"uploadStatus": "deleted"}, Rejected),
        ({"uploadStatus": "processed"}, Unavailable),
        ({"uploadStatus": "something new", "privacyStatus": "public"}, Unavailable),
        ({}, Unavailable),
    ],
)
def test_a_video_stands_as_its_status_says(status: dict[str, str], expected: type[Outcome]):
    assert isinstance(standing({"id": "a1", "status": status}, timedelta(0)), expected)


async def test_a_video_that_cannot_be_read_by_its_id_is_not_uploaded_twice(bench):
    await bench.emulator.fail("silent_drop", step="upload")
    copy = bench.copy()
    assert isinstance(await copy.publish(bench.adapter), Pending)
    assert isinstance(await copy.publish(bench.new_adapter()), Pending)
    assert len(bench.log.asked("upload")) == 1


# -- words


def words(**changes: Any) -> dict[str, str]:
    return dict(compose(replace(STORM, **changes), card_video=False).parts)


def test_a_title_that_is_cut_loses_nothing():
    assert words()["title"] == POST.headline
    assert words()["description"].startswith(POST.body)
    long = words(headline="Nước dâng 🌀 " * 20)
    assert len(long["title"].encode("utf-16-le")) // 2 <= 100
    assert long["description"].startswith("Nước dâng 🌀 Nước dâng")
    assert words(headline="")["title"] == POST.reference
    assert words(override="Tin riêng\nĐoạn hai.")["title"] == "Tin riêng"


async def test_angle_brackets_are_replaced(bench):
    odd = replace(POST, headline="Gió <cấp 12>", body="<b>Mưa</b> > 100 mm")
    assert isinstance(await bench.copy(odd).publish(bench.adapter), Live)
    [video] = bench.log.posts
    assert video.text.startswith("Gió ‹cấp 12›\n\n‹b›Mưa‹/b› › 100 mm")


@given(st.text(alphabet="ẵa 🌀🇻🇳<>\n①", max_size=300), st.text(alphabet="ẵa 🌀🇻🇳<>\n①", max_size=3000))
def test_the_platform_takes_every_title_and_description(headline: str, body: str):
    made = compose(replace(STORM, headline=headline, body=body), card_video=False)
    assert 0 < len(made.parts["title"]) <= 100
    assert len(made.parts["description"].encode()) <= 5000
    assert not {"<", ">"} & set(made.text)
    assert POST.reference in made.parts["description"]


def test_text_alone_is_for_urgent_news_and_channels_that_allow_it():
    card = replace(VIDEO, name="card.mp4")
    urgent: Post = replace(POST, urgency=Urgency.URGENT, card_video=card)
    assert compose(urgent, card_video=True).media == (card,)
    for post, allowed in ((urgent, False), (replace(urgent, urgency=Urgency.ROUTINE), True)):
        with pytest.raises(Unsuited, match="add_video"):
            compose(post, card_video=allowed)


async def test_an_edit_keeps_what_the_desk_has_added(bench):
    copy = await bench.live()
    [video] = bench.log.posts
    video.extra["snippet"]["tags"] = ["bão"]
    copy.composed = bench.copy(replace(POST, body="Đã sửa.")).composed
    assert isinstance(await bench.adapter.edit(copy.job()), Live)
    assert video.extra["snippet"]["tags"] == ["bão"]
    bench.emulator.remove_post(video.id)
    assert isinstance(await bench.adapter.edit(copy.job()), Rejected)


# -- limits and the account


async def test_a_used_up_quota_waits_for_midnight_in_california(bench):
    bench.emulator.limits["inserts"] = 1
    await bench.live(OTHER)
    outcome = await bench.copy().publish(bench.adapter)
    assert isinstance(outcome, Throttled)
    assert abs(outcome.retry_after - until_midnight(datetime.now(UTC))) < timedelta(minutes=1)
    assert isinstance(await bench.adapter.probe(), Live)  # another bucket


async def test_used_up_units_change_nothing_about_a_video(bench):
    await bench.emulator.fail("never_finish", step="upload")
    copy = bench.copy()
    await copy.publish(bench.adapter)
    bench.emulator.limits["units"] = 0
    assert isinstance(await copy.confirm(bench.adapter), Throttled)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 11, 28, 7, 59, tzinfo=UTC), 1 / 60),  # winter: midnight is 08:00 UTC
        (datetime(2026, 11, 28, 8, 0, tzinfo=UTC), 24),
        (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), 1),  # summer: 07:00 UTC
        (datetime(2026, 11, 1, 7, 30, tzinfo=UTC), 24),  # a day of 25 hours: no wait is longer than 24
    ],
)
def test_quotas_return_at_midnight_in_california(now: datetime, hours: float):
    assert until_midnight(now) == timedelta(hours=hours)


def said(status: int, reason: str) -> Answer:
    body = f'{{"error": {{"code": {status}, "message": "Why", "errors": [{{"reason": "{reason}"}}]}}}}'
    return Answer(status, {}, body.encode())


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        *((401 if name in ("authError", "unauthorized") else 403, name, Denied) for name in ACCOUNT),
        (403, "somethingNew", Denied),
        (403, "quotaExceeded", Throttled),
        (403, "dailyLimitExceeded", Throttled),
        (403, "rateLimitExceeded", Throttled),
        (429, "userRateLimitExceeded", Throttled),
        (400, "uploadLimitExceeded", Throttled),
        (400, "invalidTitle", Rejected),
        (400, "invalidDescription", Rejected),
        (400, "somethingNew", Rejected),
        (404, "videoNotFound", Rejected),
        (500, "internalError", Uncertain),
        (503, "backendError", Uncertain),
        (200, "backendError", Uncertain),
    ],
)
def test_errors_mean_what_the_table_says(status: int, reason: str, expected: type[Outcome]):
    refusal = classify(said(status, reason), datetime.now(UTC))
    assert refusal is not None
    assert isinstance(refusal.outcome, expected)
    assert not isinstance(refusal.harmless.outcome, Uncertain)


async def test_the_channel_must_be_ours_and_open(bench):
    wrong = await bench.new_adapter(channel_id="UCanother").probe()
    assert isinstance(wrong, Denied)
    assert "UCanother" in wrong.detail
    bench.emulator.channel_privacy = "private"
    shut = await bench.adapter.probe()
    assert isinstance(shut, Denied)
    assert "public" in shut.detail


async def test_a_deletion_is_proved_by_reading(bench):
    copy = await bench.live()
    await bench.emulator.fail("html_503", step="get")
    assert isinstance(await bench.adapter.delete(copy.job()), Unavailable)
    await bench.emulator.heal()
    assert await bench.adapter.delete(copy.job()) == Absent()


async def test_the_media_folder_that_cannot_be_read_is_no_fault_of_youtube(bench):
    copy = bench.long(1)
    path = bench.host.shelf.folder / VIDEO.name
    path.unlink()
    path.mkdir()
    outcome = await copy.publish(bench.adapter)
    assert isinstance(outcome, Unavailable)
    assert outcome.fault is Fault.MEDIA
