"""Every rotating token by the vault's rules: real store, real sockets, and the platform's own count of renewals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.emulators.faults import Kind
from adapters.emulators.instagram import InstagramEmulator
from adapters.emulators.pointing import settings_for
from adapters.emulators.threads import ThreadsEmulator
from adapters.emulators.tiktok import TiktokEmulator
from adapters.emulators.webhook import WebhookEmulator
from adapters.emulators.youtube import YouTubeEmulator
from adapters.emulators.zalo import ZaloEmulator
from adapters.instagram import InstagramAdapter
from adapters.threads import ThreadsAdapter
from adapters.tiktok import TiktokAdapter
from adapters.youtube import YouTubeAdapter
from adapters.zalo import ZaloAdapter
from broker.api.accounts import AccountReport
from broker.cli.findings import account_in_words
from broker.cli.show import long_time
from broker.contract import Adapter, TokenPair, Tools
from broker.engine.calls import inline
from broker.engine.vault import AGAIN, TokenVault
from broker.library import configured
from broker.model import Reason
from broker.outcome import Denied, Finding, Live
from broker.rules.sentences import sentence
from broker.store.sqlite import SqliteStore
from broker.values import replace
from broker.wiring import open_broker
from tests.contract.bench import POST, Copy
from tests.contract.media_host import MediaHost
from tests.contract.test_vault import Clock

MANY, AGENCY = 20, "agency"


@dataclass(frozen=True)
class Rotating:
    """One platform whose token changes."""

    adapter: Any
    emulator: Any
    options: Mapping[str, Any]
    life: timedelta
    is_replaced: bool
    """By a refresh token, also when it is over; else it renews itself while it lasts, and burns nothing."""
    burns: bool = False
    """A refresh token works once: a lost answer may leave nothing but the access token."""
    more: Mapping[str, Any] = field(default_factory=dict)


ROTATING = {
    "zalo": Rotating(
        ZaloAdapter,
        ZaloEmulator,
        {"ready_after": 0},
        timedelta(hours=25),
        is_replaced=True,
        burns=True,
        more={"cover_url": "https://tin.example/cover.jpg"},
    ),
    "tiktok": Rotating(
        TiktokAdapter,
        TiktokEmulator,
        {"ready_after": 0, "posts_a_day": 99, "calls_a_minute": {}},
        timedelta(hours=24),
        is_replaced=True,
        burns=True,
        more={"mode": "direct"},
    ),
    "youtube": Rotating(YouTubeAdapter, YouTubeEmulator, {"processed_after": 0}, timedelta(hours=1), is_replaced=True),
    "threads": Rotating(ThreadsAdapter, ThreadsEmulator, {"ready_after": 0}, timedelta(days=60), is_replaced=False),
    "instagram": Rotating(
        InstagramAdapter, InstagramEmulator, {"ready_after": 0}, timedelta(days=60), is_replaced=False
    ),
}


class Account:
    """One account with its store; whatever happens to its token is counted by the platform."""

    def __init__(
        self, kind: Rotating, emulator: Any, clock: Clock, session: aiohttp.ClientSession, host: MediaHost, path: Path
    ) -> None:
        self.kind, self.emulator, self.clock, self.session, self.host = kind, emulator, clock, session, host
        self.store = SqliteStore(path, clock, ballast_bytes=0)
        self.issued_at = clock.now()
        self.is_operator_failing = False
        self.troubles: list[Reason] = []
        self.vault = self.new_vault()
        self.media = host.carded(POST, self.adapter().profile.media)

    def new_vault(self) -> TokenVault:
        return TokenVault(
            self.store,
            f"tvd/{self.emulator.name}",
            self.clock,
            inline,
            operator_failing=lambda: self.is_operator_failing,
            on_trouble=self.troubles.append,
        )

    def adapter(self) -> Adapter:
        settings: dict[str, Any] = {**settings_for(self.emulator), **self.kind.more, "total_timeout": 5}
        if not self.kind.is_replaced:
            settings["token_at"] = self.issued_at
        tools = Tools(
            channel=self.emulator.name,
            session=self.session,
            clock=self.clock,
            vault=self.vault,
            agency="Tin Ví Dụ",
            media=self.host.shelf,
        )
        adapter: Adapter = self.kind.adapter(self.kind.adapter.Settings.model_validate(settings), tools)
        return adapter

    async def ready(self) -> Adapter:
        """An adapter whose token is known and young."""
        adapter = self.adapter()
        assert isinstance(await adapter.probe(), Live)
        return adapter

    async def publish(self, adapter: Adapter, number: int = 0) -> Finding:
        post = replace(self.media, reference=f"TVD-AAAA{number:02}", short_link=None, headline=f"Tin {number}")
        return await Copy(post, adapter.compose(post)).publish_to_the_end(adapter)

    async def publish_many(self, adapter: Adapter) -> list[Finding]:
        return await asyncio.gather(*(self.publish(adapter, number) for number in range(MANY)))

    @property
    def renewals(self) -> int:
        return len(self.emulator.log.asked("token"))

    @property
    def held(self) -> TokenPair:
        token = self.store.token(f"tvd/{self.emulator.name}")
        assert token is not None
        return token.pair

    def pass_life(self, part: float) -> None:
        self.clock.advance(seconds=self.kind.life.total_seconds() * part)

    def told(self) -> str:
        """What people hear of the token, in words."""
        return "; ".join(sentence(reason, UTC)["en"] for reason in filter(None, [*self.troubles, self.vault.trouble()]))


@pytest.fixture(params=ROTATING)
async def account(request: pytest.FixtureRequest, tmp_path: Path, host: MediaHost) -> AsyncIterator[Account]:
    kind, clock = ROTATING[request.param], Clock()
    emulator = kind.emulator(now=clock.now, lag=(0, 0), **kind.options)
    async with emulator, aiohttp.ClientSession() as session:
        account = Account(kind, emulator, clock, session, host, tmp_path / "loa.db")
        account.store.open()
        yield account
        account.store.close()


# -- one refresh


async def test_twenty_announcements_at_half_of_its_life_renew_it_once(account):
    adapter = await account.ready()
    before = account.renewals
    account.pass_life(0.55)
    assert all(isinstance(outcome, Live) for outcome in await account.publish_many(adapter))
    assert account.renewals == before + 1
    assert len(account.emulator.log.visible) == MANY
    assert not account.told()


async def test_twenty_announcements_that_meet_an_expired_token_renew_it_once(account):
    """Where the token renews itself nothing can be renewed any more: one try, and a sentence that says what to do."""
    adapter = await account.ready()
    before = account.renewals
    account.pass_life(1.01)
    outcomes = await account.publish_many(adapter)
    assert account.renewals == before + 1
    if account.kind.is_replaced:
        assert all(isinstance(outcome, Live) for outcome in outcomes)
        assert len(account.emulator.log.visible) == MANY
        return
    assert all(isinstance(outcome, Denied) and "connect" in outcome.detail for outcome in outcomes)
    assert not account.emulator.log.taken


# -- none in an outage


async def test_a_storm_of_logged_out_answers_in_an_outage_renews_nothing(account):
    adapter = await account.ready()
    before, held = account.renewals, account.held
    account.is_operator_failing = True
    await account.emulator.fail(Kind.LOGGED_OUT)
    assert all(isinstance(outcome, Denied) for outcome in await account.publish_many(adapter))
    account.pass_life(0.6)
    assert isinstance(await adapter.probe(), Denied)
    assert account.renewals == before
    assert account.held == held
    await account.emulator.heal()
    account.is_operator_failing = False
    assert isinstance(await account.publish(adapter), Live)
    assert account.renewals == before + 1


# -- a lost answer


async def test_a_lost_answer_is_told_where_it_may_have_burned_the_token_and_mended_where_not(account):
    adapter = await account.ready()
    before, held = account.renewals, account.held
    await account.emulator.fail(Kind.LOSE_REFRESH_ANSWER, step="token")
    account.pass_life(0.55)
    assert isinstance(await account.publish(adapter), Live)
    await account.emulator.heal()
    account.clock.advance(seconds=AGAIN.total_seconds())
    assert isinstance(await account.publish(adapter, 1), Live)
    if account.kind.burns:
        assert f"loa connect {account.emulator.name}" in account.told()
        assert (account.renewals, account.held.access) == (before + 1, held.access)
    else:
        assert not account.told()
        assert account.held.access != held.access


async def test_if_no_answer_ever_comes_people_hear_what_to_do_before_the_token_ends(account):
    adapter = await account.ready()
    await account.emulator.fail(Kind.LOSE_REFRESH_ANSWER)
    for part in (0.55, 0.25, 0.12):
        account.pass_life(part)
        assert isinstance(await adapter.probe(), Live)
    assert f"loa connect {account.emulator.name}" in account.told()


# -- an end that comes near


@pytest.mark.parametrize("name", [name for name, kind in ROTATING.items() if kind.life > timedelta(days=7)])
async def test_people_hear_of_the_end_days_ahead_wherever_they_look(tmp_path: Path, name: str):
    """By an alert, by `GET /v1/channels`, and by `loa check --online`, which shows these words."""
    kind = ROTATING[name]
    async with kind.emulator(**kind.options) as emulator, WebhookEmulator() as duty, WebhookEmulator() as second:
        await emulator.fail(Kind.HTML_503, step="token")
        ends_at = datetime.now(UTC) + timedelta(days=5, hours=1)
        path = _settings(tmp_path, emulator, ends_at - kind.life, duty, second)
        async with open_broker(configured(path)) as broker:
            await emulator.until(lambda log: log.asked("token"))
            broker.engine.alerter.look()  # as once an hour
            await duty.until(lambda log: log.posts, timeout=60)
            assert f"5 days: grant access again (loa connect {name})" in duty.log.posts[0].text
            [shown] = [one for one in await broker.channels(AGENCY) if one.name == name]
            assert shown.token_ends_at == ends_at
            told = AccountReport.of(name, await broker.engine.connections.particulars(f"{AGENCY}/{name}"))
    words = account_in_words(
        {"account_now": {**told.model_dump(), "token_ends_in": long_time(ends_at - datetime.now(UTC))}}
    )
    assert any(word.startswith("token ends in 5 days") for word in words)


def _settings(folder: Path, emulator: Any, issued_at: datetime, *hooks: WebhookEmulator) -> Path:
    rows = {**settings_for(emulator), "probe_every": "0.2s"}
    lines = [f'{name} = "{value}"' for name, value in rows.items()]
    duties = [
        f'[channels.{name}]\nadapter = "webhook"\nform = "chat"\nurl = "{hook.base_url}/hooks/{name}"\n'
        f'operator = "{name}"\nallow_private = true\n'
        for name, hook in zip(("duty", "second"), hooks, strict=True)
    ]
    path = folder / "loa.toml"
    path.write_text(
        f'[store]\nurl = "sqlite:///{folder}/loa.db"\n[agency]\nname = "Tin Ví Dụ"\nprefix = "TVD"\nlanguage = "en"\n'
        f'alerts = ["duty", "second"]\n'
        f"[channels.{emulator.name}]\n" + "\n".join([*lines, f"token_at = {issued_at.isoformat()}", *duties]),
        encoding="utf-8",
    )
    return path
