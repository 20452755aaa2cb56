"""The composition root: from a checked configuration to a running `Broker`. Everything is built here."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

import aiohttp
import structlog

from broker.clock import Clock, SystemClock
from broker.contract import Tools
from broker.core import Broker
from broker.engine.calls import in_thread
from broker.engine.channels import Station, Stations
from broker.engine.engine import Engine
from broker.engine.switches import Switches
from broker.engine.vault import TokenVault
from broker.engine.writer import Writer
from broker.errors import ConfigError, LoaError
from broker.ids import new_id
from broker.media.collection import Collection
from broker.media.studio import Studio
from broker.model import Reason
from broker.rules.agency import Agency
from broker.rules.health import shared_outage
from broker.settings import Configuration
from broker.store import Operation, Store
from broker.store.sqlite import SqliteStore

log = structlog.get_logger("loa.wiring")

SWEEP_EVERY = timedelta(hours=1)
SQLITE = "sqlite:///"


@asynccontextmanager
async def open_broker(
    configuration: Configuration,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    switches: Switches | None = None,
    on_failed: Callable[[], None] = lambda: None,
) -> AsyncIterator[Broker]:
    """A running broker; at the end it drains, records what was in flight and closes everything.

    Raises `ConfigError`, `StoreInUse` and `StoreError`. `on_failed` is called when the store or the lease is lost:
    the process must then end, because nothing more can be acknowledged.
    """
    clock, rng, switches = clock or SystemClock(), rng or random.Random(), switches or Switches()
    async with AsyncExitStack() as stack:
        store = store_for(configuration, clock, synchronous=switches.synchronous)
        store.open()
        stack.callback(store.close)
        session = await stack.enter_async_context(new_session())
        writer = Writer(
            store, clock, on_unrecorded=to_stderr, acknowledge_first=switches.acknowledge_first, at=switches.at
        )
        await writer.start()
        stack.push_async_callback(writer.stop)
        running: list[Engine] = []
        vaults = partial(_vault, store, clock, running)
        collections = dict(_collections(configuration, clock))
        stations = Stations(_stations(configuration.agencies.values(), vaults, session, clock, stack, collections))
        broker = _broker(configuration, store, writer, stations, clock, rng, switches, on_failed, collections)
        stack.push_async_callback(broker.engine.stop)
        running.append(broker.engine)
        watch = asyncio.create_task(_watch(writer, on_failed), name="watch")
        stack.callback(watch.cancel)
        await broker.engine.start()
        sweeping = asyncio.create_task(_sweep(broker), name="sweep")
        stack.callback(sweeping.cancel)
        yield broker


async def _sweep(broker: Broker) -> None:
    """Now and every hour."""
    while True:
        try:
            await broker.sweep_media()
        except (LoaError, OSError) as error:
            log.warning("media_not_swept", error=type(error).__name__)
        await asyncio.sleep(SWEEP_EVERY.total_seconds())


async def _watch(writer: Writer, on_failed: Callable[[], None]) -> None:
    await writer.failed.wait()
    on_failed()


def store_for(configuration: Configuration, clock: Clock, *, synchronous: str = "FULL") -> Store:
    url = configuration.store.url
    if not url.startswith(SQLITE):
        raise ConfigError([f"store.url: {url.partition(':')[0]!r} is not supported: use sqlite:///path/to/loa.db"])
    return SqliteStore(url.removeprefix(SQLITE), clock, synchronous=synchronous)


def new_session() -> aiohttp.ClientSession:
    """One session for all adapters: no cookies, no proxies from the environment, no limit but the pacers'."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "Loa"},
    )


def _stations(
    agencies: Iterable[Agency],
    vault_of: Callable[[str], TokenVault],
    session: aiohttp.ClientSession,
    clock: Clock,
    stack: AsyncExitStack,
    collections: Mapping[str, Collection],
) -> Iterator[Station]:
    """Every configured channel with its adapter; vault and adapter are closed by `stack`."""
    for agency in agencies:
        vaults = {name: vault_of(one.channel.key) for name, one in agency.channels.items()}
        shelf = collections[agency.key].shelf if agency.key in collections else None
        for one in agency.channels.values():
            vault = vaults[one.settings.token_of or one.name]
            tools = Tools(channel=one.name, session=session, clock=clock, vault=vault, agency=agency.name, media=shelf)
            adapter = one.adapter(one.settings, tools)
            stack.push_async_callback(vault.close)
            stack.push_async_callback(adapter.close)
            posting = one.name not in agency.alerts
            yield Station(agency.key, one.name, adapter, one.channel, posting=posting, vault=vault)


def _vault(store: Store, clock: Clock, running: Sequence[Engine], key: str) -> TokenVault:
    """The channel's vault; it renews nothing because of a logged-out answer while the operator fails."""

    def operator_failing() -> bool:
        """Nor from a restored store: the broker it was copied from may be running, and a refresh token works once."""
        agency = key.partition("/")[0]
        return any(
            shared_outage(engine.monitor.view.down.get(key)) or engine.pauses.restored_from(agency)
            for engine in running
        )

    on_trouble = partial(_token_trouble, running, key)
    return TokenVault(store, key, clock, in_thread, operator_failing=operator_failing, on_trouble=on_trouble)


def _broker(
    configuration: Configuration,
    store: Store,
    writer: Writer,
    stations: Stations,
    clock: Clock,
    rng: random.Random,
    switches: Switches,
    on_failed: Callable[[], None],
    collections: Mapping[str, Collection],
) -> Broker:
    broker: Broker
    engine = Engine(
        store=store,
        writer=writer,
        stations=stations,
        clock=clock,
        run_id=new_id(clock.now(), rng),
        post_of=lambda announcement, channel, late: broker.post_of(announcement, channel, late),
        listener=lambda case, notes: broker.on_events(case, notes),
        agencies=configuration.agencies,
        public_url=configuration.server.public_url,
        on_lost=on_failed,
        switches=switches,
    )
    links = short_links(configuration.agencies.values())
    broker = Broker(engine, store, configuration.agencies, clock, rng, links, collections)
    return broker


def _collections(configuration: Configuration, clock: Clock) -> Iterator[tuple[str, Collection]]:
    """Of every agency that has a media folder; what is not public lies beside the store."""
    studio, beside = Studio(), configuration.store.path
    for agency in configuration.agencies.values():
        rules = agency.media
        if rules.folder is not None:
            private = beside.with_name(f"{beside.name}.media") / agency.key
            cards = any(one.channel.profile.media.card for one in agency.channels.values())
            yield agency.key, Collection(rules.folder, private, rules, studio, agency.look, clock, cards=cards)


def short_links(agencies: Iterable[Agency]) -> dict[str, str]:
    """Where each agency's own pages stand: the address of its first own channel that has one."""
    found: dict[str, str] = {}
    for agency in agencies:
        for one in agency.channels.values():
            url = getattr(one.settings, "url", None)
            if one.channel.profile.own and url and one.name not in agency.alerts:
                found.setdefault(agency.key, str(url))
    return found


def to_stderr(operations: Sequence[Operation]) -> None:
    """What happened but could not be recorded, one JSON line each: for the person who repairs the store."""
    for operation in operations:
        sys.stderr.write(json.dumps({"unrecorded": repr(operation)}, ensure_ascii=False) + "\n")


def _token_trouble(running: Sequence[Engine], key: str, reason: Reason) -> None:
    log.warning("token_trouble", channel=key, reason=reason.key)
    for engine in running:
        engine.alerter.look()
