"""`loa send --local`: no server; a broker in this process, for as long as the announcement needs one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker import logs
from broker.cli.attaching import Attached, pieces, with_media
from broker.cli.exits import Exit
from broker.cli.following import finished_well, follow, settled
from broker.cli.processes import until_told
from broker.cli.show import announcement, console, print_json, whisper
from broker.core import Broker
from broker.errors import ConfigError
from broker.settings import Configuration, load, load_adapters
from broker.wiring import open_broker


@dataclass(frozen=True, slots=True)
class Here:
    """One agency of a broker in this process, as `follow` asks for it."""

    broker: Broker
    agency: str

    async def follow(self, any_id: str) -> AsyncIterator[dict[str, Any]]:
        async for event in self.broker.follow(self.agency, any_id):
            yield event.model_dump(mode="json")

    async def upload(self, path: Path, alt: str) -> str:
        return (await self.broker.take_media(self.agency, pieces(path), alt)).name

    async def announcement(self, any_id: str) -> dict[str, Any]:
        return (await self.broker.get(self.agency, any_id)).model_dump(mode="json")


def send_here(
    body: dict[str, Any], shown: Attached, config: Path | None, agency: str | None, key: str | None, as_json: bool
) -> int:
    """Accepts the announcement into the configured store and carries it out; ends when it is settled, or on Ctrl-C."""
    logs.configure(as_json=not sys.stderr.isatty(), level="warning")
    configuration = load(config, os.environ, load_adapters())
    chosen = _agency(configuration, agency)
    return asyncio.run(_send(configuration, chosen, body, shown, key, as_json))


def _agency(configuration: Configuration, named: str | None) -> str:
    known = list(configuration.agencies)
    if named is None and len(known) == 1:
        return known[0]
    if named in known:
        return str(named)
    raise ConfigError([f"--agency: name one of {', '.join(known)}"])


async def _send(
    configuration: Configuration, agency: str, body: dict[str, Any], shown: Attached, key: str | None, as_json: bool
) -> int:
    async with open_broker(configuration) as broker:
        here = Here(broker, agency)
        said = await with_media(body, shown, here.upload)
        receipt = await broker.announce(agency, said, idempotency_key=key)
        whisper(f"{receipt.report.reference} is accepted: from now on nothing loses it.")
        watching = follow(here, receipt.report.id, settled, on=sys.stderr, quiet=as_json)
        if await until_told(watching) is None:
            whisper(
                "Stopped before everything was settled: the next `loa serve` or `loa send --local` goes on with it."
            )
        report = await here.announcement(receipt.report.id)
    if as_json:
        print_json(report)
    else:
        console().print(announcement(report))
    return Exit.OK if finished_well(report) else Exit.NOT_REACHED
