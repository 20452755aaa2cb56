"""The Threads adapter: the suite, and what is Threads' alone."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.emulators.containers import Container
from adapters.emulators.faults import Kind
from adapters.emulators.threads import ThreadsEmulator, text_length
from adapters.threads import LIMIT, ThreadsAdapter
from broker.outcome import (
    Absent,
    Denied,
    Live,
    Rejected,
)
from broker.rules.text import compose_text
from broker.values import replace
from tests.contract.adapter_suite import Deletes, Rehearses
from tests.contract.bench import POST, Bench
from tests.contract.container_suite import Containers, old


class TestThreads(Containers, Deletes, Rehearses):
    adapter = ThreadsAdapter
    emulator = ThreadsEmulator
    options: ClassVar = {"ready_after": 0, "media_ready_after": 0}
    settings: ClassVar = {"user_id": "2468", "token": "threads-token"}
    steps: ClassVar = {"create": "create", "publish": "publish"}
    exempt: ClassVar = {Kind.INVISIBLE: "Threads tells of no post who may see it"}

    # -- pictures and videos

    def shown(self, bench: Bench) -> list[Container]:
        """Containers that became posts."""
        return [container for container in self.containers(bench).values() if container.is_published]

    @pytest.mark.parametrize(("pictures", "videos", "kind"), [(1, 0, "IMAGE"), (0, 1, "VIDEO"), (2, 1, "CAROUSEL")])
    async def test_pictures_and_videos_are_fetched_and_shown(self, bench, host, pictures, videos, kind):
        media = (*(host.picture(f"Ảnh {n}") for n in range(pictures)), *(host.video() for _ in range(videos)))
        copy = bench.copy(replace(POST, media=media))
        live = await copy.publish_to_the_end(bench.adapter)
        assert isinstance(live, Live)
        assert live.without == ""
        assert [container.kind for container in self.shown(bench)] == [kind]
        assert host.fetched == [(medium.name, 200) for medium in media]
        assert bench.copies() == 1

    async def test_alt_text_goes_along(self, bench, host):
        copy = bench.copy(replace(POST, media=(host.picture("Cầu Long Biên lúc 5 giờ"),)))
        assert isinstance(await copy.publish_to_the_end(bench.adapter), Live)
        assert self.shown(bench)[0].alt == "Cầu Long Biên lúc 5 giờ"

    async def test_news_does_not_wait_for_our_media_host(self, bench, host):
        host.down = True
        for media in ((host.picture(),), (host.video(),), (host.picture(), host.picture())):
            copy = bench.copy(replace(POST, media=media))
            live = await copy.publish(bench.adapter)
            for _ in range(2):  # a lost video is only known from its container
                live = await copy.publish(bench.adapter) if not isinstance(live, Live) else live
            assert isinstance(live, Live)
            assert live.without == "media_not_fetched"
            assert self.shown(bench)[-1].kind == "TEXT"

    async def test_a_picture_that_is_gone_does_not_hold_the_text_back(self, bench, host):
        picture = host.picture()
        (host.shelf.folder / picture.name).unlink()
        copy = bench.copy(replace(POST, media=(picture,)))
        live = await copy.publish_to_the_end(bench.adapter)
        assert isinstance(live, Live)
        assert live.without == "media_not_fetched"

    # -- containers

    async def test_a_broken_container_is_replaced(self, bench):
        copy, container = await self.half_done(bench)
        container.error = "UNKNOWN"
        assert await bench.settle(copy) == Absent()
        assert await copy.publish(bench.adapter) == Absent()
        assert isinstance(await copy.publish(bench.adapter), Live)
        assert bench.copies() == 1

    async def test_a_container_broken_by_its_content_is_rejected(self, bench):
        copy, container = await self.half_done(bench)
        container.error = "INVALID_DURATION"
        outcome = await copy.publish(bench.adapter)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "INVALID_DURATION"

    # -- limits

    async def test_more_than_five_links_are_refused_with_what_to_do(self, bench):
        links = " ".join(f"https://tin.example/{number}" for number in range(4))
        assert isinstance(await bench.copy(replace(POST, body=links[:-22])).publish(bench.adapter), Live)
        with pytest.raises(ValueError, match="6 links"):
            bench.adapter.compose(replace(POST, body=links))

    # -- the account

    async def test_a_token_is_renewed_by_age_and_then_used(self, bench):
        token = bench.emulator.issue_token(hours_old=24 * 40)
        adapter = bench.new_adapter(token=token, token_at=old(days=40))
        assert isinstance(await adapter.probe(), Live)
        bench.emulator.set_token_state("revoked", token)
        assert isinstance(await bench.copy().publish(adapter), Live)
        assert [note.what for note in bench.log.notes] == ["token issued"]

    @pytest.mark.parametrize("kind", ["lose_refresh_answer", "html_503", "garbage_200"])
    async def test_a_renewal_that_fails_burns_nothing(self, bench, kind):
        token = bench.emulator.issue_token(hours_old=24 * 40)
        await bench.emulator.fail(kind, step="token")
        adapter = bench.new_adapter(token=token, token_at=old(days=40))
        assert isinstance(await bench.copy().publish(adapter), Live)

    @pytest.mark.parametrize("settings", [{}, {"token_at": old(days=2)}])
    async def test_a_young_token_and_one_of_unknown_age_are_left_alone(self, bench, settings):
        await bench.new_adapter(**settings).probe()
        assert not bench.log.asked("token")

    async def test_a_wrong_account_is_named(self, bench):
        outcome = await bench.new_adapter(user_id="1357").probe()
        assert isinstance(outcome, Denied)
        assert "1357" in outcome.detail


@given(st.text(alphabet="ẵa 🌀🇻🇳👩‍👩‍👧①©™ㅎ\u0301", max_size=900))
def test_the_platform_counts_no_more_than_we_do(body):
    composed = compose_text(replace(POST, body=body), LIMIT)
    assert text_length(composed.text) <= 500
