"""The demo's processes on this machine: emulated platforms, and a broker with the configuration that users copy."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from broker.cli.client import Client
from broker.cli.demo.story import (
    ALERTS,
    CONSUMERS,
    EMULATORS,
    OWN,
    ROUTE,
    SABOTAGE_OPTIONS,
    SHORTER,
    STAND_IN_AFTER,
    STRICKEN,
    STRICKEN_NAME,
)
from broker.cli.demo.verdict import Alert, Copy, Shown, alerts_in, copies_in, copies_on_site
from broker.cli.emulators import Emulators, emulated
from broker.cli.keys import new_key
from broker.cli.processes import Child, running
from broker.cli.sandboxed import adapter_of, adapters_of, pointed_at, variable, with_key
from broker.model import Goal, Role, StepClass, Urgency
from broker.rules.agency import Agency
from broker.settings import Configuration, load, load_adapters

CONFIG = "config.example.toml"
BROKER = ("-m", "broker", "serve", "--json", "--until-eof")


class Stage:
    """Everything that runs. `broker` is another process after `restart`."""

    def __init__(self, folder: Path, configuration: Configuration, emulators: Emulators, key: str) -> None:
        self.folder, self.configuration, self.emulators, self.key = folder, configuration, emulators, key
        self.agency = next(iter(configuration.agencies.values()))
        self.url = ""
        self.variables: dict[str, str] = {}
        self._life = AsyncExitStack()
        self._broker: Child | None = None

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"

    @property
    def goal(self) -> Goal:
        return self.agency.route_plan(ROUTE, Urgency.URGENT).goal

    def client(self) -> Client:
        return Client(self.url, self.key)

    async def start_broker(self) -> None:
        """Starts `loa serve`, on the port it had before if there was one."""
        listen = urlsplit(self.url).netloc or "127.0.0.1:0"
        environment = {**clean_environment(), **self.variables, variable("server", "listen"): listen}
        arguments = [*BROKER, "--config", str(self.configuration.path)]
        child = await self._life.enter_async_context(running("the broker", arguments, environment, self.log))
        self._broker = child
        self.url = json.loads(await child.first_line())["url"]

    async def kill_broker(self) -> None:
        """SIGKILL, and until the process is gone."""
        assert self._broker is not None
        self._broker.kill()
        await self._broker.process.wait()

    async def stop(self) -> None:
        await self._life.aclose()

    # what the platforms say

    async def logs(self) -> dict[str, dict[str, Any]]:
        return {name: await self.emulators.log(name) for name in self.emulators.platforms}

    async def shown(self, logs: Mapping[str, Mapping[str, Any]]) -> list[Shown]:
        """Every channel of the route with what its platform took in, and the site with what it serves."""
        return [self._shown(name, role, await self._copies(name, logs)) for name, role in roles(self.agency)]

    def told(self, logs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Alert]]:
        """What people were told about the operator that fails, by way."""
        platforms = {way: adapter_of(self.agency.channels[way]) for way in self.agency.alerts}
        return {way: alerts_in(logs[name], way, ALERTS[way], STRICKEN_NAME) for way, name in platforms.items()}

    def _shown(self, name: str, role: Role, copies: tuple[Copy, ...]) -> Shown:
        one = self.agency.channels[name]
        return Shown(
            name=name,
            role=role,
            operator=one.channel.operator,
            counts=one.channel.counts,
            domestic=one.channel.domestic,
            can_be_asked=one.channel.profile.step_class(0) is not StepClass.NOTHING,
            stricken=adapter_of(one) in STRICKEN,
            copies=copies,
        )

    async def _copies(self, name: str, logs: Mapping[str, Mapping[str, Any]]) -> tuple[Copy, ...]:
        one = self.agency.channels[name]
        if one.channel.profile.own:
            return copies_on_site(await self._feed(adapter_of(one)))
        return copies_in(logs[adapter_of(one)], CONSUMERS.get(name))

    async def _feed(self, platform: str) -> dict[str, Any]:
        base = next(iter(self.emulators.platforms[platform]["base_urls"].values()))
        async with aiohttp.ClientSession() as session, session.get(f"{base}/feed.json") as response:
            return dict(await response.json(content_type=None)) if response.status == 200 else {"items": []}


def roles(agency: Agency) -> list[tuple[str, Role]]:
    """The route's channels, each once, with their part in it."""
    plan = agency.route_plan(ROUTE, Urgency.URGENT)
    stand_ins = {name for names in plan.stand_ins.values() for name in names}
    route = agency.routes[ROUTE]
    parts = {name: Role.STAND_IN if name in stand_ins else Role.RESERVE for name in route.channels}
    return [(name, Role.POST_TO if name in plan.post_to else parts[name]) for name in route.channels]


def clean_environment() -> dict[str, str]:
    """Ours without settings of another broker: the demo must not touch what they name."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("LOA_")}


def example() -> Path:
    """The configuration that users copy: it comes with the package."""
    return Path(str(files("broker") / CONFIG))


@asynccontextmanager
async def staged(folder: Path, sabotage: str | None) -> AsyncIterator[Stage]:
    """Emulated platforms and a broker that uses them; everything ends with the block."""
    configuration = load(example(), clean_environment(), load_adapters())
    (folder / "site").mkdir()
    options = {**EMULATORS, **SABOTAGE_OPTIONS.get(sabotage or "", {}), "site": {"folder": str(folder / "site")}}
    names = adapters_of(configuration)
    async with emulated(names, clean_environment(), folder / "emulators.log", options) as emulators:
        key, digest = new_key()
        stage = Stage(folder, configuration, emulators, key)
        pointed = pointed_at(configuration, emulators.platforms, folder / "loa.db")
        stage.variables = {**pointed, **with_key(configuration, digest), **shortened(stage.agency)}
        try:
            await stage.start_broker()
            yield stage
        finally:
            await stage.stop()


def shortened(agency: Agency) -> dict[str, str]:
    """The times of the story, as environment variables over the file."""
    given = {name: {**SHORTER, **OWN.get(name, {})} for name in agency.channels}
    times = {variable("channels", name, key): value for name, some in given.items() for key, value in some.items()}
    return {**times, variable("routes", ROUTE, "stand_in_after"): STAND_IN_AFTER}
