"""The vault with Zalo's single-use refresh tokens: real store, real sockets, and the platform's own count of trades."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiohttp
import pytest
from structlog.testing import capture_logs

from adapters.emulators.faults import Kind
from adapters.emulators.zalo import ZaloEmulator
from adapters.zalo import ZaloAdapter, ZaloSettings
from broker.contract import TokenPair, Tools
from broker.engine.calls import Call, in_thread, inline
from broker.engine.vault import AGAIN, AGAIN_REFUSED, PATIENCE, TokenVault
from broker.errors import StoreFull
from broker.model import Reason
from broker.outcome import Denied, Fault, Live, Outcome, Pending, Unavailable, Uncertain
from broker.store import Token, fingerprint
from broker.store.sqlite import SqliteStore
from broker.values import replace
from tests.contract.bench import POST, Copy
from tests.contract.emulators.browser import HandClock

P = ParamSpec("P")
T = TypeVar("T")

SLOT = "tvd/zalo"
SEED = TokenPair("zalo-access", "zalo-refresh")


class Clock(HandClock):
    """Moved by hand; whoever sleeps only lets others run."""

    def monotonic(self) -> float:
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.002)


class NarrowStore(SqliteStore):
    """A store whose disk can be full, and which can be made to put any pair over any other."""

    is_full = False
    is_guarded = True

    def put_token(self, slot: str, token: Token, *, parent: str | None) -> bool:
        if self.is_full:
            raise StoreFull("the disk is full")
        held = None if self.is_guarded else self.token(slot)
        return super().put_token(slot, token, parent=fingerprint(held.pair) if held else parent)


class House:
    """One store and one Zalo, with as many processes as a test starts."""

    def __init__(self, zalo: ZaloEmulator, clock: Clock, session: aiohttp.ClientSession, path: Path) -> None:
        self.zalo, self.clock, self.session = zalo, clock, session
        self.store = NarrowStore(path, clock, ballast_bytes=0)
        self.is_zalo_failing = False
        self.troubles: list[Reason] = []

    def vault(self, call: Call = inline) -> TokenVault:
        return TokenVault(
            self.store,
            SLOT,
            self.clock,
            call,
            operator_failing=lambda: self.is_zalo_failing,
            on_trouble=self.troubles.append,
        )

    def adapter(self, vault: TokenVault | None = None, **settings: object) -> ZaloAdapter:
        """As after a restart: only the store remembers."""
        values = {
            "oa_id": "4402",
            "app_id": "7002",
            "app_secret": "app-secret",
            "access_token": "zalo-access",
            "refresh_token": "zalo-refresh",
            "cover_url": "https://tin.example/cover.jpg",
            "base_url": self.zalo.base_urls["api"],
            "oauth_url": self.zalo.base_urls["oauth"],
            "total_timeout": 2,
            **settings,
        }
        tools = Tools(
            channel="zalo", session=self.session, clock=self.clock, vault=vault or self.vault(), agency="Tin Ví Dụ"
        )
        return ZaloAdapter(ZaloSettings.model_validate(values), tools)

    async def renewed(self, vault: TokenVault | None = None) -> ZaloAdapter:
        """An adapter whose token was renewed just now, so that its life is known."""
        adapter = self.adapter(vault)
        self.zalo.end_access_tokens()
        assert await adapter.probe() == Live("4402")
        return adapter

    @property
    def trades(self) -> int:
        return len(self.zalo.log.asked("token"))

    @property
    def token(self) -> Token:
        token = self.store.token(SLOT)
        assert token is not None
        return token

    def told(self) -> list[str]:
        return [trouble.key for trouble in self.troubles]

    async def pass_life(self, part: float) -> None:
        self.clock.advance(seconds=self.zalo.token_life.total_seconds() * part)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = Clock()
    async with (
        ZaloEmulator(now=clock.now, lag=(0, 0), ready_after=0) as zalo,
        aiohttp.ClientSession() as session,
    ):
        house = House(zalo, clock, session, tmp_path / "loa.db")
        house.store.open()
        yield house
        house.store.close()


async def published(adapter: ZaloAdapter, number: int = 0) -> Outcome:
    reference = f"TVD-AAAA{number:02}"
    post = replace(POST, reference=reference, short_link=None, headline=f"Tin {number}")
    return await adapter.publish(Copy(post, adapter.compose(post)).job())


# -- accounts that people connect


async def test_a_connected_pair_outlives_the_configured_one(house):
    """Also where the configuration's token was never used before, and after a restart."""
    granted = house.zalo.grant()
    pair = TokenPair(granted["access_token"], granted["refresh_token"])
    await house.vault().replace(pair, SEED)
    house.zalo.access_tokens.pop("zalo-access")
    for _ in range(2):
        assert await house.adapter().probe() == Live("4402")
    assert (house.token.pair.access, house.trades) == (pair.access, 0)


async def test_a_renewal_under_way_does_not_undo_a_new_consent(house):
    """Its answer comes after the person's pair, and belongs to a line that is no more."""
    vault = house.vault()
    adapter = await house.renewed(vault)
    await house.zalo.fail(Kind.SLOW_DRIP, step="token", times=1, after=0.01)
    await house.pass_life(0.6)
    probe = asyncio.create_task(adapter.probe())
    await house.zalo.until(lambda log: len(log.asked("token")) == 2)
    granted = house.zalo.grant()
    await vault.replace(TokenPair(granted["access_token"], granted["refresh_token"]), SEED)
    await probe
    assert house.token.pair.access == granted["access_token"]
    assert await adapter.probe() == Live("4402")


async def test_without_any_token_nothing_is_asked_of_the_platform(house):
    adapter = house.adapter(access_token=None, refresh_token=None)
    for _ in range(3):
        outcome = await adapter.probe()
        assert isinstance(outcome, Denied)
        assert "loa connect zalo" in outcome.detail
    assert (house.zalo.log.requests, house.troubles, house.store.token(SLOT)) == ([], [], None)
    granted = house.zalo.grant()
    pair = TokenPair(granted["access_token"], granted["refresh_token"])
    await house.vault().replace(pair, TokenPair(""))
    assert await house.adapter(access_token=None, refresh_token=None).probe() == Live("4402")


# -- where the token comes from


async def test_a_configured_access_token_is_used_as_long_as_it_lasts(house):
    assert await house.adapter().probe() == Live("4402")
    assert house.trades == 0
    assert house.token.pair == SEED


async def test_a_refresh_token_alone_is_enough_and_works_across_restarts(house):
    assert await house.adapter(access_token=None).probe() == Live("4402")
    assert house.token.pair.refresh != "zalo-refresh"
    for _ in range(3):
        assert await house.adapter(access_token=None).probe() == Live("4402")
    assert house.trades == 1


async def test_an_old_configuration_does_not_replace_a_newer_token(house):
    adapter = await house.renewed()
    for _ in range(3):
        await house.pass_life(0.6)
        await adapter.probe()
    assert house.trades == 4
    assert await house.adapter().probe() == Live("4402")
    assert house.trades == 4
    assert "refresh token refused" not in [note.what for note in house.zalo.log.notes]


async def test_a_new_consent_in_the_configuration_replaces_what_was_stored(house):
    await house.renewed()
    house.zalo.revoke()
    granted = house.zalo.grant()
    settings = {"access_token": None, "refresh_token": granted["refresh_token"]}
    assert await house.adapter(**settings).probe() == Live("4402")
    await house.pass_life(0.6)
    assert await house.adapter(**settings).probe() == Live("4402")
    assert house.told() == []


# -- when it is renewed


async def test_it_is_renewed_at_half_of_its_life(house):
    adapter = await house.renewed()
    before = house.trades
    await house.pass_life(0.49)
    assert await adapter.probe() == Live("4402")
    assert house.trades == before
    await house.pass_life(0.02)
    assert await adapter.probe() == Live("4402")
    assert house.trades == before + 1


@pytest.mark.parametrize("call", [inline, in_thread])
async def test_twenty_who_meet_an_expired_token_renew_it_once(house, call):
    adapter = house.adapter(house.vault(call))
    await adapter.probe()
    house.zalo.end_access_tokens()
    outcomes = await asyncio.gather(*(published(adapter, number) for number in range(20)))
    assert all(isinstance(outcome, Live) for outcome in outcomes)
    assert len(house.zalo.log.visible) == 20
    assert house.trades == 1
    assert house.zalo.log.duplicates() == {}


async def test_two_processes_renew_it_once(house):
    first, second = house.adapter(), house.adapter()
    await first.probe()
    await second.probe()
    house.zalo.end_access_tokens()
    outcomes = await asyncio.gather(*(published(one, number) for number, one in enumerate([first, second] * 5)))
    assert all(isinstance(outcome, Live) for outcome in outcomes)
    assert house.trades == 1


async def test_of_two_processes_that_begin_at_once_one_waits_for_the_other(house):
    both, asked = asyncio.Barrier(2), 0

    async def together(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if function.__name__ == "mark_refresh":
            await both.wait()
        return function(*args, **kwargs)

    async def refresh(pair: TokenPair) -> TokenPair:
        nonlocal asked
        asked += 1
        await house.clock.sleep(1)
        return TokenPair("access-2", "refresh-2")

    vaults = [house.vault(together), house.vault(together)]
    for vault in vaults:
        await vault.pair(SEED, refresh)
    newer = await asyncio.gather(*(vault.refused("zalo-access", refresh) for vault in vaults))
    assert newer == [TokenPair("access-2", "refresh-2")] * 2
    assert asked == 1


async def test_a_storm_of_logged_out_answers_in_an_outage_renews_nothing(house):
    adapter = house.adapter()
    house.is_zalo_failing = True
    await house.zalo.fail(Kind.LOGGED_OUT, host="api")
    for number in range(5):
        assert isinstance(await published(adapter, number), Denied)
    await house.pass_life(0.7)
    assert isinstance(await adapter.probe(), Denied)
    assert house.trades == 0
    await house.zalo.heal()
    house.is_zalo_failing = False
    assert house.token.pair == SEED
    assert isinstance(await published(adapter), Live)


async def test_an_outage_of_the_token_host_alone_burns_nothing(house):
    adapter = house.adapter()
    await adapter.probe()
    house.zalo.end_access_tokens()
    await house.zalo.fail(Kind.REFUSED, host="oauth")
    for _ in range(3):
        assert await published(adapter) == Unavailable(Fault.CONNECT, "connection refused")
    assert house.token.intent_at is None
    await house.zalo.heal()
    house.clock.advance(seconds=AGAIN.total_seconds())
    assert isinstance(await published(adapter), Live)
    assert house.told() == []


async def test_a_revoked_right_calls_the_desk_once_and_says_what_to_do(house):
    adapter = house.adapter()
    house.zalo.revoke()
    for number in range(5):
        outcome = await published(adapter, number)
        assert isinstance(outcome, Denied)
        assert "grant the app access again" in outcome.detail
    assert house.trades == 1
    assert house.told() == ["token_refused"]
    house.clock.advance(seconds=AGAIN_REFUSED.total_seconds())
    assert isinstance(await adapter.probe(), Denied)
    assert house.trades == 2
    assert house.told() == ["token_refused"]


async def test_people_hear_of_a_token_that_comes_to_its_end_and_of_no_other(house):
    vault = house.vault()
    adapter = await house.renewed(vault)
    assert vault.ends_at == house.token.pair.expires_at
    await house.zalo.fail(Kind.REFUSED, host="oauth")
    for part, key in ((0, None), (0.6, None), (0.2, "token_ends")):
        await house.pass_life(part)
        await adapter.probe()
        assert (vault.trouble() or Reason("")).key == (key or "")
    await house.zalo.heal()
    house.clock.advance(seconds=AGAIN.total_seconds())
    await adapter.probe()
    assert vault.trouble() is None


# -- answers that are lost


@pytest.mark.parametrize("kind", [Kind.LOSE_REFRESH_ANSWER, Kind.RESET_BEFORE, Kind.HTML_503, Kind.GARBAGE_200])
async def test_after_a_lost_answer_the_access_token_is_used_to_its_end(house, kind):
    adapter = await house.renewed()
    before = house.trades
    await house.zalo.fail(kind, step="token", times=1)
    await house.pass_life(0.55)
    for part in (0, 0.1, 0.2):
        await house.pass_life(part)
        assert isinstance(await published(adapter), Live | Pending)
        assert await house.adapter().probe() == Live("4402")  # a restart knows it, too
    assert house.trades == before + 1
    assert house.told()[0] == "token_lost"
    assert house.troubles[0].args["channel"] == "zalo"
    assert house.told().count("token_lost") <= 1 + 3  # once for each process


async def test_a_burned_refresh_token_is_tried_when_little_is_left_and_then_the_desk_is_told(house):
    adapter = await house.renewed()
    before = house.trades
    await house.zalo.fail(Kind.LOSE_REFRESH_ANSWER, times=1)
    await house.pass_life(0.55)
    await adapter.probe()
    await house.pass_life(0.41)
    assert await adapter.probe() == Live("4402")
    assert house.trades == before + 2
    assert house.told() == ["token_lost", "token_refused"]
    await house.pass_life(0.05)
    outcome = await published(adapter)
    assert isinstance(outcome, Denied)
    assert "grant the app access again" in outcome.detail


async def test_a_refresh_token_that_was_not_burned_saves_us_in_the_end(house):
    adapter = await house.renewed()
    before = house.trades
    await house.zalo.fail(Kind.RESET_BEFORE, step="token", times=1)
    await house.pass_life(0.55)
    await adapter.probe()
    await house.pass_life(0.41)
    assert await adapter.probe() == Live("4402")
    assert house.trades == before + 2
    assert house.token.intent_at is None
    await house.pass_life(0.1)
    assert isinstance(await published(adapter), Live)
    assert house.told() == ["token_lost"]


async def test_a_crash_with_an_intent_is_told_and_trades_nothing(house):
    await house.renewed()
    before, token = house.trades, house.token
    assert house.store.mark_refresh(SLOT, parent=fingerprint(token.pair), at=house.clock.now())
    adapter = house.adapter()
    assert await adapter.probe() == Live("4402")
    assert house.told() == []  # another process may be at it
    house.clock.advance(seconds=PATIENCE.total_seconds())
    await house.pass_life(0.6)
    assert await adapter.probe() == Live("4402")
    assert house.told() == ["token_lost"]
    assert house.trades == before


async def test_what_another_process_lost_is_not_traded_at_half_of_its_life(house):
    adapter = await house.renewed()
    before, token = house.trades, house.token
    await house.pass_life(0.3)
    house.store.mark_refresh(SLOT, parent=fingerprint(token.pair), at=house.clock.now())
    await house.pass_life(0.3)
    assert await adapter.probe() == Live("4402")
    assert house.trades == before
    assert house.told() == ["token_lost"]


async def test_a_refused_access_token_leaves_nothing_to_lose(house):
    await house.renewed()
    before, token = house.trades, house.token
    house.store.mark_refresh(SLOT, parent=fingerprint(token.pair), at=house.clock.now())
    house.clock.advance(seconds=PATIENCE.total_seconds())
    house.zalo.end_access_tokens()
    assert isinstance(await published(house.adapter()), Live)
    assert house.trades == before + 1


async def test_a_cancelled_job_does_not_lose_the_answer(house):
    vault, asked, answer = house.vault(), asyncio.Event(), asyncio.Event()

    async def refresh(pair: TokenPair) -> TokenPair:
        asked.set()
        await answer.wait()
        return TokenPair("access-2", "refresh-2")

    await vault.pair(SEED, refresh)
    job = asyncio.create_task(vault.refused("zalo-access", refresh))
    await asked.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert house.token.intent_at == house.clock.now()
    answer.set()
    await vault.close()
    assert (house.token.pair.access, house.token.intent_at) == ("access-2", None)


# -- the store


async def test_a_new_pair_is_used_only_once_it_is_durable(house):
    vault = house.vault()
    adapter = await house.renewed(vault)
    before, old = house.trades, house.token.pair
    house.store.is_full = True
    await house.pass_life(0.55)
    for _ in range(3):
        assert await adapter.probe() == Live("4402")
        assert await vault.pair(SEED, never) == old
        house.clock.advance(seconds=60)
    assert house.trades == before + 1
    assert house.told() == ["token_unsaved"]
    house.store.is_full = False
    house.clock.advance(seconds=60)
    assert await adapter.probe() == Live("4402")
    assert house.trades == before + 1
    assert house.token.pair.refresh not in (None, old.refresh)


async def test_what_could_not_be_stored_is_stored_at_the_end(house):
    vault = house.vault()
    await (await house.renewed(vault)).probe()
    old = house.token.pair
    house.store.is_full = True
    await house.pass_life(0.55)
    await house.adapter(vault).probe()
    house.store.is_full = False
    await vault.close()
    assert house.token.pair.refresh != old.refresh
    await house.pass_life(0.6)
    assert await house.adapter().probe() == Live("4402")


@pytest.mark.parametrize(("guarded", "kept"), [(True, "access-9"), (False, "access-2")])
async def test_a_pair_that_comes_too_late_replaces_nobody_elses(house, guarded: bool, kept: str):
    """But with the store's guard taken away (sabotage)."""
    house.store.is_guarded, vault = guarded, house.vault()
    await vault.pair(SEED, never)

    async def slow(pair: TokenPair) -> TokenPair:
        consent = Token(TokenPair("access-9", "refresh-9"), None, None)
        assert house.store.put_token(SLOT, consent, parent=fingerprint(pair))
        return TokenPair("access-2", "refresh-2")

    used = await vault.refused("zalo-access", slow)
    assert (used and used.access, house.token.pair.access) == (kept, kept)


async def never(pair: TokenPair) -> TokenPair:
    raise AssertionError("nothing was to be renewed")


@pytest.mark.parametrize("answer", [Uncertain(Fault.SERVER, "lost"), Denied("no"), Unavailable(Fault.DNS)])
async def test_after_any_failure_nobody_asks_again_at_once(house, answer: Outcome):
    asked = 0

    async def refresh(pair: TokenPair) -> Outcome:
        nonlocal asked
        asked += 1
        return answer

    vault = house.vault()
    await vault.pair(SEED, refresh)
    results = await asyncio.gather(*(vault.refused("zalo-access", refresh) for _ in range(20)))
    assert results == [None] * 20
    assert await vault.refused("zalo-access", refresh) is None
    assert asked == 1


async def test_no_log_and_no_trouble_shows_a_token(house):
    with capture_logs() as logs:
        adapter = await house.renewed()
        await house.zalo.fail(Kind.LOSE_REFRESH_ANSWER, times=1)
        await house.pass_life(0.55)
        await adapter.probe()
        await house.pass_life(0.41)
        outcome = await adapter.probe()
    secrets = {*house.zalo.access_tokens, *house.zalo.refresh_tokens, "app-secret"}
    shown = repr((logs, house.troubles, outcome, house.token, vars(adapter)))
    assert logs
    assert not [secret for secret in secrets if secret in shown]
