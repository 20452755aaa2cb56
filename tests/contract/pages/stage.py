"""A desk at work: an agency with channels on emulated platforms, a broker, its API and its pages."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.emulators.base import Emulator
from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.pointing import settings_for
from adapters.emulators.telegram import TelegramEmulator
from adapters.emulators.threads import ThreadsEmulator
from adapters.emulators.webhook import WebhookEmulator
from adapters.emulators.zalo import ZaloEmulator
from broker.api import Folder, Options, create_app
from broker.clock import SystemClock
from broker.core import Broker
from broker.pages.app import add_pages
from broker.settings import load, load_adapters
from broker.wiring import open_broker
from tests.contract.api.newsroom import served

SCOPES = ("read,send,operate", "read", "send", "read,operate")
KEYS = {scopes: f"loa_desk-{scopes.replace(',', '-')}-CANARY-{'k' * 20}" for scopes in SCOPES}
FULL = KEYS["read,send,operate"]
PUBLIC = "https://loa.tin.example"
PAGE_TOKEN = "page-token-CANARY"
NEWS = {"headline": "Bão số 9 đổi hướng, cấm biển từ 17 giờ", "body": "Tâm bão cách bờ 120 km, gió giật cấp 12."}

REST = {
    "zalo": {"cover_url": "https://tin.example/cover.jpg"},
    "partner": {"adapter": "webhook", "url": "https://partner.example/hooks", "operator": "partner", "country": "VN"},
}
AGENCY = """
[server]
public_url = "{public}"
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
alerts = ["duty"]
keys = [{keys}]
[channels]
{channels}
duty = {{ adapter = "webhook", form = "chat", url = "{duty}/duty", operator = "chat", allow_private = true }}
[routes.breaking]
post_to = ["site", "zalo", "facebook"]
stand_ins = {{ facebook = ["threads", "partner"] }}
reserve = ["telegram"]
goal = {{ operators = 2, domestic = 1, within = "60s" }}
[routes.telegram]
post_to = ["telegram"]
goal = {{ operators = 0 }}
[routes.facebook]
post_to = ["facebook"]
goal = {{ operators = 1 }}
"""


class Clock(SystemClock):
    """The machine's, which a test may put forward for the sessions of people."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything a test of the pages may touch."""

    url: str
    broker: Broker
    clock: Clock
    emulators: Mapping[str, Emulator]
    duty: WebhookEmulator
    agency: str = field(default="agency")

    async def announce(self, **fields: Any) -> str:
        """One announcement that nothing more happens to by itself; its reference."""
        receipt = await self.broker.announce(self.agency, {**NEWS, "route": "breaking", **fields}, by="newsroom")
        await self.until(receipt.report.reference, lambda report: not moving(report))
        return receipt.report.reference

    async def until(self, reference: str, holds: Any, within_s: float = 10) -> Any:
        """The report, as soon as `holds` of it."""
        async with asyncio.timeout(within_s):
            if holds(report := await self.broker.get(self.agency, reference)):
                return report
            async for _ in self.broker.follow(self.agency, reference):
                if holds(report := await self.broker.get(self.agency, reference)):
                    return report
        raise AssertionError(f"nothing more happens to {report}")


def moving(report: Any) -> bool:
    return any(d.state in ("due", "sending", "pending", "checking") for d in report.deliveries)


@asynccontextmanager
async def stage(
    folder: Path, *, language: str = "vi", public_url: str | None = PUBLIC, without: str | None = None
) -> AsyncIterator[Stage]:
    """`language`: the agency's. `without`: scopes of a key that is not configured."""
    async with AsyncExitStack() as stack:
        made = {
            "zalo": ZaloEmulator(lag=(0, 0), ready_after=0.1),
            "facebook": FacebookEmulator(token=PAGE_TOKEN, lag=(0, 0)),
            "threads": ThreadsEmulator(lag=(0, 0)),
            "telegram": TelegramEmulator(lag=(0, 0)),
            "partner": WebhookEmulator(lag=(0, 0)),
        }
        emulators = {name: await stack.enter_async_context(emulator) for name, emulator in made.items()}
        duty = await stack.enter_async_context(WebhookEmulator(lag=(0, 0)))
        config = folder / "loa.toml"
        config.write_text(_configuration(folder, emulators, duty, language, without), encoding="utf-8")
        clock = Clock()
        broker = await stack.enter_async_context(open_broker(load(config, {}, load_adapters())))
        broker.engine.alerter.hold = timedelta(seconds=0.2)
        app = create_app(broker, Options(folders=(Folder("/l", folder / "site"),)), clock=clock)
        add_pages(app, public_url)
        server = await stack.enter_async_context(served(app))
        yield Stage(url=server.url, broker=broker, clock=clock, emulators=emulators, duty=duty)


def _configuration(
    folder: Path, emulators: Mapping[str, Emulator], duty: WebhookEmulator, language: str, without: str | None
) -> str:
    keys = ", ".join(_key(scopes, key) for scopes, key in KEYS.items() if scopes != without)
    site = f'folder = "{folder}/site", url = "https://tin.example/l", verify = false'
    lines = [f"site = {{ {site} }}"]
    for name, emulator in emulators.items():
        settings = {**settings_for(emulator), **REST.get(name, {}), "probe_every": "1h", "rate_per_s": "1000"}
        lines.append(f"{name} = {{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in settings.items())} }}")
    text = AGENCY.format(public=PUBLIC, folder=folder, keys=keys, channels="\n".join(lines), duty=duty.base_url)
    return text.replace('alerts = ["duty"]', f'alerts = ["duty"]\nlanguage = "{language}"')


def _key(scopes: str, key: str) -> str:
    digest = hashlib.sha256(key.encode()).hexdigest()
    name = "newsroom" if scopes == "read,send,operate" else scopes
    return f'{{ name = "{name}", sha256 = "{digest}", scopes = {json.dumps(scopes.split(","))} }}'
