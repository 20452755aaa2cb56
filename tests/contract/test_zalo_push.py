"""Zalo's broadcasts: the suite, and what is theirs alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import aiohttp
import pytest

from adapters.emulators.faults import Kind
from adapters.emulators.zalo_push import ZaloPushEmulator
from adapters.zalo import ZaloAdapter
from adapters.zalo_push import ZaloPushAdapter
from broker.errors import ConfigError
from broker.library import configured
from broker.model import StepClass, Verb
from broker.outcome import Absent, Live, Pending, Rejected, Throttled, Uncertain, Unfinished
from broker.settings import Configuration
from broker.values import replace
from broker.wiring import open_broker
from tests.contract.adapter_suite import AdapterSuite
from tests.contract.bench import OTHER, POST, Bench
from tests.contract.test_zalo import SETTINGS

SECRETS = ("app_secret", "access_token", "refresh_token")


class TestZaloPush(AdapterSuite):
    adapter = ZaloPushAdapter
    emulator = ZaloPushEmulator
    settings: ClassVar = SETTINGS
    steps: ClassVar = {"article": "create", "broadcast": "broadcast"}
    shortest_wait = 60
    """Zalo names no time; its limit counts by the minute."""
    options: ClassVar = {"ready_after": 0, "moderated_after": 0, "require_proof": True}
    secrets: ClassVar = SECRETS
    exempt: ClassVar = {Kind.SUSPENDED: "no page and no client tells what Zalo says then"}
    done = Pending
    has_address = False


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with (
        ZaloPushEmulator(lag=(0, 0), ready_after=0, moderated_after=3600) as emulator,
        aiohttp.ClientSession() as session,
    ):
        yield Bench(ZaloPushAdapter, SETTINGS, "broadcast", emulator, session, Pending)


async def articles_of(bench: Bench) -> Bench:
    """The channel of the same account's articles."""
    return Bench(ZaloAdapter, SETTINGS, "create", bench.emulator, bench._session)


async def test_what_was_lost_on_the_way_to_the_followers_is_never_sent_again(bench):
    profile = bench.adapter.profile
    assert profile.step_class(1) is StepClass.NOTHING
    assert profile.abilities == {Verb.PROBE}
    copy = await bench.lost()
    assert isinstance(await bench.adapter.find(copy.job()), Rejected)
    assert len(bench.log.asked("broadcast")) == 1


async def test_moderation_is_waited_for_and_nobody_is_told_of_its_verdict(bench):
    copy = bench.copy()
    pending = await copy.publish(bench.adapter)
    assert isinstance(pending, Pending)
    assert pending.check_after >= timedelta(minutes=30)
    assert not bench.copies()
    bench.emulator.approve(pending.handle)
    assert bench.copies() == 1
    assert bench.adapter.profile.pending_for > pending.check_after


async def test_the_article_readers_can_see_already_is_the_one_that_is_pushed(bench):
    shown = await (await articles_of(bench)).live()
    await (await articles_of(bench)).live(OTHER)
    pending = await bench.copy().publish(bench.adapter)
    assert isinstance(pending, Pending)
    assert len(bench.log.asked("create")) == 2
    [element] = [post for post in bench.log.taken if post.how == "broadcast"]
    assert element.text == shown.composed.text


async def test_without_one_a_hidden_article_is_made_that_nobody_finds_on_the_page(bench):
    await bench.copy().publish(bench.adapter)
    assert not bench.log.posts
    assert [post.extra["status"] for post in bench.log.taken if post.how == "api"] == ["hide"]


async def test_a_hidden_article_of_an_earlier_attempt_is_not_taken_for_the_public_one(bench):
    await bench.emulator.fail(Kind.RESET_BEFORE, step="broadcast", times=1)
    assert isinstance(await bench.copy().publish(bench.adapter), Uncertain)
    assert isinstance(await bench.copy().publish(bench.adapter), Pending)
    assert len(bench.log.asked("create")) == 2


async def test_an_article_zalo_still_works_on_is_waited_for_and_made_once(bench):
    bench.emulator.ready_after = timedelta(hours=1)
    copy = bench.copy()
    for _ in range(3):
        assert isinstance(await copy.publish(bench.new_adapter()), Unfinished)
    bench.emulator.work = {
        token: replace(work, ready_at=bench.emulator.now()) for token, work in bench.emulator.work.items()
    }
    assert isinstance(await copy.publish(bench.new_adapter()), Pending)
    assert len(bench.log.asked("create")) == 1


@pytest.mark.parametrize("kind", [Kind.HTML_503, Kind.LOGGED_OUT, Kind.THROTTLED])
async def test_a_question_that_fails_after_the_create_makes_no_second_article(bench, kind):
    await bench.emulator.fail(kind, step="verify")
    copy = bench.copy()
    assert isinstance(await copy.publish(bench.adapter), Unfinished)
    assert not isinstance(await copy.publish(bench.adapter), Unfinished | Pending)
    await bench.emulator.heal()
    assert isinstance(await copy.publish(bench.adapter), Pending)
    assert len(bench.log.asked("create")) == 1


async def test_a_token_that_zalo_forgot_starts_over(bench):
    bench.emulator.ready_after = timedelta(hours=1)
    copy = bench.copy()
    await copy.publish(bench.adapter)
    bench.emulator.work.clear()
    assert await copy.publish(bench.adapter) == Absent()


async def test_a_spent_quota_is_waited_for(bench):
    bench.emulator.broadcasts = 1
    assert isinstance(await bench.copy().publish(bench.adapter), Pending)
    assert isinstance(await bench.copy(OTHER).publish(bench.adapter), Throttled)


async def test_the_followers_are_those_of_the_configuration(bench):
    """An empty target would be everybody or nobody: Zalo does not say."""
    with pytest.raises(ValueError, match="target"):
        bench.new_adapter(target={})
    assert isinstance(await bench.copy().publish(bench.new_adapter(target={"cities": "4"})), Pending)


# two channels of one account


def configuration(folder: Path, token_of: str, **hosts: str) -> Configuration:
    """Two channels of one account, with the refresh token that is in both."""
    values = {name: value for name, value in {**SETTINGS, **hosts}.items() if name != "access_token"}
    account = "\n".join(f'{name} = "{value}"' for name, value in values.items())
    (folder / "loa.toml").write_text(
        f"""
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
[channels.zalo]
{account}
[channels.zalo_push]
token_of = "{token_of}"
{account}
""",
        encoding="utf-8",
    )
    return configured(folder / "loa.toml")


async def test_two_channels_of_one_account_share_its_token(tmp_path: Path):
    """A refresh token works once: the second channel would burn its own on the first one's."""
    async with ZaloPushEmulator(ready_after=0, moderated_after=0) as emulator:
        hosts = {"base_url": emulator.base_urls["api"], "oauth_url": emulator.base_urls["oauth"]}
        async with open_broker(configuration(tmp_path, "zalo", **hosts)) as broker:
            for channel in ("zalo_push", "zalo"):
                assert isinstance(await broker.probe("agency", channel), Live)
        assert [note.what for note in emulator.log.notes] == ["token renewed"]


def test_a_channel_that_is_not_there_has_no_token_to_share(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"token_of.*`zallo`.*zalo"):
        configuration(tmp_path, "zallo")


def test_the_title_is_that_of_the_article_so_that_it_is_found_again(bench):
    assert bench.adapter.compose(POST).parts["title"].endswith(f"({POST.reference})")
