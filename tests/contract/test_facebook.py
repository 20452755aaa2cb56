"""The Facebook adapter: the suite, and what is Facebook's alone."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import ValidationError

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.faults import Kind
from adapters.emulators.graph import GraphError
from adapters.facebook import FacebookAdapter, FacebookSettings
from broker.outcome import Absent, Denied, Hidden, Live, NotSeen, Pending, Rejected, Throttled, Unavailable, Uncertain
from broker.values import replace
from tests.contract.adapter_suite import Deletes, Edits, Lists, Rehearses
from tests.contract.bench import OTHER, POST


class TestFacebook(Lists, Deletes, Edits, Rehearses):
    adapter = FacebookAdapter
    emulator = FacebookEmulator
    settings: ClassVar = {"page_id": "1098", "token": "page-token"}
    steps: ClassVar = {"feed": "publish"}
    options: ClassVar = {"video_ready_after": 0.2}

    # -- pictures and videos

    @pytest.mark.parametrize("many", [1, 3])
    async def test_pictures_are_uploaded_and_need_no_media_host(self, bench, host, many):
        host.down = True
        media = tuple(host.picture(f"Ảnh {n}") for n in range(many))
        live = await bench.copy(replace(POST, media=media)).publish(bench.adapter)
        assert isinstance(live, Live)
        assert live.without == ""
        [post] = bench.log.copies(POST.reference)
        assert post.extra["photos"] == [medium.alt for medium in media]
        assert host.fetched == []

    async def test_a_large_picture_is_made_to_fit(self, bench, host):
        live = await bench.copy(replace(POST, media=(host.picture(size=(4000, 3000)),))).publish(bench.adapter)
        assert isinstance(live, Live)
        assert len(bench.log.copies(POST.reference)[0].extra["photos"]) == 1

    async def test_a_picture_that_is_gone_does_not_hold_the_text_back(self, bench, host):
        picture = host.picture()
        (host.shelf.folder / picture.name).unlink()
        live = await bench.copy(replace(POST, media=(picture,))).publish(bench.adapter)
        assert isinstance(live, Live)
        assert live.without == "media_not_fetched"
        assert bench.log.copies(POST.reference)[0].extra["photos"] == []

    @pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.STORED_THEN_RESET, Kind.HTML_503])
    async def test_a_lost_upload_is_no_doubt_about_the_post(self, bench, host, kind):
        copy = bench.copy(replace(POST, media=(host.picture(),)))
        await bench.emulator.fail(kind, step="photo", times=1)
        assert isinstance(await copy.publish(bench.adapter), Unavailable)
        assert isinstance(await copy.publish(bench.adapter), Live)
        assert bench.copies() == 1

    async def test_a_video_is_public_when_it_is_processed(self, bench, host):
        video = host.video()
        copy = bench.copy(replace(POST, media=(video,)))
        assert isinstance(await copy.publish(bench.adapter), Pending)
        assert isinstance(await copy.confirm(bench.adapter), Pending)
        live = await copy.confirmed(bench.adapter)
        assert isinstance(live, Live)
        assert live.url == f"https://www.facebook.com/1098/videos/{live.platform_id}/"
        assert host.fetched == [(video.name, 200)]
        assert await bench.adapter.delete(copy.job()) == Absent()

    async def test_a_video_whose_answer_was_lost_is_found(self, bench, host):
        copy = bench.copy(replace(POST, media=(host.video(),)))
        await bench.emulator.fail(Kind.STORED_THEN_RESET, step="video", times=1)
        assert isinstance(await copy.publish(bench.adapter), Uncertain)
        found = await bench.settle(copy)
        assert isinstance(found, Pending | Live)
        assert bench.copies() == 1

    async def test_a_video_that_is_taken_away_before_anybody_saw_it_is_not_posted_again(self, bench, host):
        """Found by simulation: what platforms take away within seconds (a copyright match) was taken for lost."""
        copy = bench.copy(replace(POST, media=(host.video(),)))
        pending = await copy.publish(bench.adapter)
        assert isinstance(pending, Pending)
        bench.emulator.remove_post(pending.handle)
        assert await bench.adapter.confirm(copy.job()) == Absent(removed=True)

    async def test_a_video_the_platform_cannot_fetch_does_not_hold_the_text_back(self, bench, host):
        host.down = True
        live = await bench.copy(replace(POST, media=(host.video(),))).publish(bench.adapter)
        assert isinstance(live, Live)
        assert live.without == "media_not_fetched"

    # -- links

    @pytest.mark.parametrize(("link", "sent"), [(POST.link, POST.link), (None, POST.short_link)])
    async def test_the_link_gets_its_preview_card(self, bench, link, sent):
        await bench.live(replace(POST, link=link))
        assert [post.extra["link"] for post in bench.log.posts] == [sent]

    async def test_a_link_that_cannot_be_read_costs_the_card_and_not_the_post(self, bench):
        copy = await bench.live(replace(POST, link="https://cms.invalid/bao-so-9"))
        assert [(post.text, post.extra["link"]) for post in bench.log.posts] == [(copy.composed.text, None)]
        assert [request.verdict for request in bench.log.asked("publish")] == ["400 100/1609005", "200"]

    async def test_another_fault_is_not_blamed_on_the_link(self, bench, plain_fault):
        await bench.emulator.fail(plain_fault, step="publish")
        await bench.copy().publish(bench.against(plain_fault))
        assert len(bench.log.asked("publish")) == 1

    async def test_a_link_fault_that_is_the_platforms_own_is_not_tried_again(self, bench):
        """Transient means that it may have been posted all the same."""
        bench.emulator.errors = {Kind.POLICY: GraphError(100, "Scrape failed", subcode=1609005, transient=True)}
        await bench.emulator.fail("policy", step="publish", stored=True)
        assert isinstance(await bench.copy().publish(bench.adapter), Uncertain)
        assert bench.copies() == 1

    # -- what an answer hides

    async def test_a_duplicate_is_read_back_and_found(self, bench):
        """Meta refuses identical text in a row: the first one may be the copy whose answer was lost."""
        first = await bench.live()
        again = bench.copy()
        assert isinstance(await again.publish(bench.adapter), Uncertain)
        found = await bench.settle(again)
        assert isinstance(found, Live)
        assert (found.platform_id, bench.copies()) == (first.platform_id, 1)

    @pytest.mark.parametrize("is_lost", [False, True])
    async def test_a_post_that_only_testers_see_is_told_with_what_to_do(self, bench, is_lost):
        bench.emulator.set_live(False)
        copy = await (bench.lost() if is_lost else bench.live())
        found = await bench.settle(copy)
        assert isinstance(found, Hidden)
        assert "live mode" in found.detail

    async def test_what_a_token_cannot_see_is_not_absent(self, bench):
        """100/33 says that a post is gone, or that this token may see nothing at all."""
        copy = await bench.live()
        bench.emulator.remove_post(copy.platform_id)
        found = await bench.new_adapter(page_id="2000").find(copy.job())
        assert isinstance(found, Denied)

    # -- limits, accounts, versions

    async def test_a_wait_in_minutes_becomes_seconds(self, bench):
        await bench.emulator.fail("throttled", step="publish", after=300)
        assert await bench.copy().publish(bench.adapter) == Throttled(timedelta(minutes=5))

    async def test_calls_are_signed_where_the_app_wants_it(self, bench):
        bench.emulator.require_proof = True
        unsigned, wrong = bench.adapter, bench.new_adapter(app_secret="other")
        for adapter in (unsigned, wrong):
            outcome = await bench.copy().publish(adapter)
            assert isinstance(outcome, Denied)
            assert "app_secret" in outcome.detail
        signed = bench.new_adapter(app_secret="app-secret")
        assert isinstance(await bench.copy().publish(signed), Live)

    @pytest.mark.parametrize(
        ("settings", "hint"),
        [({"page_id": "2000"}, "correct the id"), ({"version": "v19.0"}, "version"), ({"token": "x"}, "connect")],
    )
    async def test_a_wrong_setting_is_named(self, bench, settings, hint):
        adapter = bench.new_adapter(**settings)
        for outcome in (await bench.copy().publish(adapter), await adapter.probe(), await adapter.rehearse()):
            assert isinstance(outcome, Denied)
            assert hint in outcome.detail

    async def test_a_post_of_others_is_not_edited(self, bench):
        bench.emulator.plant_post("1098_17100", "Của người khác")
        copy = bench.copy()
        copy.platform_id = "1098_17100"
        assert isinstance(await bench.adapter.edit(copy.job()), Denied)

    # -- lists, rehearsal

    async def test_only_the_window_is_read(self, bench):
        copy = await bench.lost(kind="reset_before")
        for number in range(250):
            bench.emulator.plant_post(f"1098_{number:05}", f"Tin {number}", author="1098", seconds_ago=3600)
        assert isinstance(await bench.settle(copy), NotSeen)
        assert len(bench.log.asked("list")) == 1

    async def test_a_copy_made_before_us_is_not_ours(self, bench):
        """The desk may have posted the same words by hand an hour ago."""
        copy = await bench.lost(kind="reset_before")
        bench.emulator.plant_post("1098_17100", copy.composed.text, author="1098", seconds_ago=300)
        assert isinstance(await bench.settle(copy), NotSeen)

    async def test_the_rehearsal_makes_an_unpublished_post(self, bench):
        await bench.adapter.rehearse()
        [post] = bench.log.taken
        assert (post.extra["published"], post.removed_by) == (False, "owner")

    async def test_a_delete_without_an_id_says_what_to_do(self, bench):
        assert isinstance(await bench.adapter.delete(bench.copy(OTHER).job()), Rejected)


@pytest.mark.parametrize(
    "wrong", [{"page_id": "tin-vi-du"}, {"token": ""}, {"version": "25"}, {"base_url": "graph"}, {"pageid": "1098"}]
)
def test_a_setting_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValidationError) as refusal:
        FacebookSettings(**{"page_id": "1098", "token": "page-token", **wrong})
    assert next(iter(wrong)) in str(refusal.value)
    assert "page-token" not in str(refusal.value)


def test_a_page_id_may_be_written_as_a_number():
    assert FacebookSettings.model_validate({"page_id": 1098, "token": "t"}).page_id == "1098"
