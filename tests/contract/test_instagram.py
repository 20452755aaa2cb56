"""The Instagram adapter: the suite, and what is Instagram's alone."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from adapters.emulators.faults import Kind
from adapters.emulators.instagram import InstagramEmulator
from adapters.instagram import InstagramAdapter, InstagramSettings
from broker.contract import Unsuited
from broker.model import Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Live,
    Rejected,
    Unavailable,
)
from broker.values import replace
from tests.contract.adapter_suite import Deletes
from tests.contract.bench import POST
from tests.contract.container_suite import Containers, old

ACCOUNT = {"user_id": "17840", "token": "instagram-token"}


def failed(code: int) -> str:
    return f"Error: Media upload has failed with error code {code}"


class TestInstagram(Containers, Deletes):
    """By Facebook's login, which differs from Instagram's own in the host, and in that it can delete."""

    adapter = InstagramAdapter
    emulator = InstagramEmulator
    options: ClassVar = {"ready_after": 0, "reels_after": 0, "facebook_login": True}
    settings: ClassVar = {**ACCOUNT, "flavour": "facebook"}
    steps: ClassVar = {"create": "create", "publish": "publish"}
    exempt: ClassVar = {Kind.INVISIBLE: "professional accounts are public, and no field tells who may see a post"}

    # -- containers

    @pytest.mark.parametrize("why", ["", "Error: something new", failed(2207053), failed(2207999)])
    async def test_a_container_broken_by_the_platform_is_replaced(self, bench, why):
        copy, container = await self.half_done(bench)
        container.error = why
        assert await bench.settle(copy) == Absent()
        assert await copy.publish(bench.adapter) == Absent()
        assert isinstance(await copy.publish(bench.adapter), Live)
        assert bench.copies() == 1

    @pytest.mark.parametrize("code", [2207026, 2207051])
    async def test_a_container_broken_by_its_content_is_rejected(self, bench, code):
        copy, container = await self.half_done(bench)
        container.error = failed(code)
        outcome = await copy.publish(bench.adapter)
        assert isinstance(outcome, Rejected)
        assert outcome.code == str(code)

    async def test_a_refusal_that_comes_after_the_answer_is_told(self, bench):
        await bench.emulator.fail(Kind.REFUSE_LATER, times=1)
        refused = await bench.copy().publish_to_the_end(bench.adapter)
        assert isinstance(refused, Rejected)
        assert refused.code == "2207051"
        assert bench.copies() == 0

    # -- pictures and reels

    async def test_a_picture_goes_with_what_it_shows_in_words(self, bench):
        await bench.live(replace(POST, media=(bench.host.picture(alt="Bao cát ở bờ kè"),)))
        [container] = self.containers(bench).values()
        assert (container.kind, container.alt) == ("IMAGE", "Bao cát ở bờ kè")
        assert [status for _, status in bench.host.fetched] == [200]

    async def test_several_pictures_are_one_post_in_their_order(self, bench):
        pictures = tuple(bench.host.picture() for _ in range(3))
        await bench.live(replace(POST, media=pictures))
        assert [name for name, _ in bench.host.fetched] == [picture.name for picture in pictures]
        assert [one.kind for one in self.containers(bench).values()] == ["ITEM", "ITEM", "ITEM", "CAROUSEL"]
        assert bench.copies() == 1

    async def test_a_carousel_that_breaks_off_shows_nothing_and_is_made_anew(self, bench):
        await bench.emulator.fail("stored_then_reset", step="create", every=2, times=1)
        copy = bench.copy(replace(POST, media=tuple(bench.host.picture() for _ in range(3))))
        assert isinstance(await copy.publish(bench.adapter), Unavailable)
        assert (copy.handle, bench.copies()) == (None, 0)
        assert isinstance(await copy.publish(bench.adapter), Live)

    async def test_a_video_is_a_reel(self, bench):
        await bench.live(replace(POST, media=(bench.host.video(),)))
        assert [one.kind for one in self.containers(bench).values()] == ["REELS"]

    async def test_nothing_to_show_is_nothing_to_post(self, bench):
        with pytest.raises(Unsuited, match="add_picture"):
            bench.adapter.compose(POST)

    # -- our media host

    @pytest.mark.parametrize("several", [1, 2])
    async def test_a_media_host_that_is_down_is_no_outage_of_instagram(self, bench, several):
        bench.host.down = True
        copy = bench.copy(replace(POST, media=tuple(bench.host.picture() for _ in range(several))))
        outcome = await copy.publish(bench.adapter)
        assert isinstance(outcome, Unavailable)
        assert (outcome.fault, "media host" in outcome.detail) == (Fault.MEDIA, True)
        bench.host.down = False
        assert isinstance(await copy.publish(bench.adapter), Live)

    async def test_a_video_that_was_not_fetched_is_offered_anew(self, bench):
        """Told by the container, after the answer."""
        bench.host.down = True
        copy = bench.copy(replace(POST, media=(bench.host.video(),)))
        for _ in range(2):
            outcome = await copy.publish(bench.new_adapter())
            assert isinstance(outcome, Unavailable)
            assert outcome.fault is Fault.MEDIA
            assert await bench.settle(copy) == Absent()
        bench.host.down = False
        assert isinstance(await copy.publish(bench.new_adapter()), Live)
        assert (len(self.containers(bench)), bench.copies()) == (3, 1)

    async def test_a_doubt_about_a_container_that_lacks_its_video_is_settled(self, bench):
        copy, container = await self.half_done(bench, bench.host.video())
        container.error = failed(2207052)
        assert await bench.settle(copy) == Absent()

    async def test_without_a_media_folder_nothing_leaves(self, bench):
        copy = bench.copy()
        adapter: Any = bench.adapter
        adapter._tools = replace(adapter._tools, media=None)
        outcome = await copy.publish(adapter)
        assert isinstance(outcome, Unavailable)
        assert not bench.log.requests

    # -- limits

    @pytest.mark.parametrize(("name", "mark", "most"), [("hashtags", "#", 30), ("mentions", "@", 20)])
    async def test_what_instagram_counts_beside_characters_is_refused_with_what_to_do(self, bench, name, mark, most):
        marked = " ".join(f"{mark}tin{number}" for number in range(most + 1))
        await bench.live(replace(POST, body=marked.rpartition(" ")[0]))
        with pytest.raises(ValueError, match=f"{most + 1} {name}"):
            bench.copy(replace(POST, body=marked))

    # -- the account

    async def test_the_probe_wants_the_right_to_publish(self, bench):
        bench.emulator.remove_scope("instagram_business_content_publish")
        assert isinstance(await bench.adapter.probe(), Denied)
        assert [request.step for request in bench.log.requests] == ["quota"]

    async def test_a_wrong_account_is_named(self, bench):
        outcome = await bench.new_adapter(user_id="1357").probe()
        assert isinstance(outcome, Denied)
        assert "1357" in outcome.detail

    async def test_instagrams_own_login_renews_its_token_and_deletes_nothing(self, bench):
        token = bench.emulator.issue_token(hours_old=24 * 40)
        adapter = bench.new_adapter(flavour="instagram", token=token, token_at=old(days=40))
        assert Verb.DELETE not in adapter.profile.abilities
        assert isinstance(await adapter.probe(), Live)
        bench.emulator.set_token_state("revoked", token)
        assert isinstance(await bench.copy().publish(adapter), Live)
        assert [note.what for note in bench.log.notes] == ["token issued"]

    @pytest.mark.parametrize("kind", ["lose_refresh_answer", "html_503", "garbage_200"])
    async def test_a_renewal_that_fails_burns_nothing(self, bench, kind):
        token = bench.emulator.issue_token(hours_old=24 * 40)
        await bench.emulator.fail(kind, step="token")
        adapter = bench.new_adapter(flavour="instagram", token=token, token_at=old(days=40))
        assert isinstance(await bench.copy().publish(adapter), Live)

    @pytest.mark.parametrize(
        "settings",
        [{"flavour": "instagram"}, {"flavour": "instagram", "token_at": old(days=2)}, {"token_at": old(days=59)}],
    )
    async def test_a_token_that_is_young_or_of_unknown_age_or_facebooks_is_left_alone(self, bench, settings):
        await bench.new_adapter(**settings).probe()
        assert not bench.log.asked("token")


# -- settings


def test_each_login_has_its_host():
    own, by_facebook = InstagramSettings(), InstagramSettings(flavour="facebook", user_id="17840")
    assert (own.host, by_facebook.host) == ("graph.instagram.com", "graph.facebook.com")
    assert InstagramSettings(base_url="http://127.0.0.1:9").host == "127.0.0.1:9"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"flavour": "facebook"}, "user_id"),
        ({"flavour": "threads"}, "flavour"),
        ({"user_id": "@tinvidu"}, "user_id"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(settings, problem):
    with pytest.raises(ValidationError, match=problem):
        InstagramSettings.model_validate(settings)
