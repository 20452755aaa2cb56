"""R12: the platform processed the request, and the answer never came; channel by channel, with the real broker.

Every ambiguous case is followed by a plain one, so that the channel's breaker stays closed: what is tested is what
becomes of a post nobody heard of, not of a channel that is down.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker.model import RESTING
from tests.acceptance.processes import PATIENCE_S, platforms
from tests.acceptance.rig import CHANNELS, EMULATED, OPTIONS, Rig, Submission
from tests.acceptance.verdict import Verdict
from tests.faults.proxy import Kind, Proxy

PUBLISHES: Mapping[str, bytes] = {
    "facebook": rb"POST /v[\d.]+/\d+/feed",
    "zalo": rb"POST /v2.0/article/create",
    "threads": rb"POST /v[\d.]+/\d+/threads_publish",
    "partner": rb"POST /hooks/loa",
    "telegram": rb"POST /bot[^/]+/sendMessage",
    "people": rb"\r\n\.\r\n$",
}
"""What the request looks like that makes a post public."""
WAYS: Mapping[str, tuple[Kind, float]] = {
    "lost, and silence": (Kind.LOSE_ANSWER, 0.0),
    "lost, then reset": (Kind.LOSE_ANSWER, 0.05),
    "run later": (Kind.RUN_LATER, 2.0),
}
"""With a total timeout of 1.5 s the last one is processed after we gave up, and before `settle_for` is over."""
TIMES = {"total_timeout": "1500ms", "first_look": "150ms", "settle_for": "5s", "look_back": "1h"}


@dataclass(slots=True)
class Ambiguous:
    """What became of the ambiguous cases."""

    seed: int
    verdict: Verdict
    cases: Counter[str] = field(default_factory=Counter)
    """By channel: how many publishes the proxy really hit."""
    ways: Counter[str] = field(default_factory=Counter)


async def ambiguous(
    folder: Path,
    count: int,
    seed: int,
    *,
    sabotage: str = "",
    only: Collection[str] = tuple(CHANNELS),
    ways: Collection[str] = tuple(WAYS),
) -> Ambiguous:
    """`count` ambiguous cases on every channel (or `only` some), all channels beside each other."""
    rng = random.Random(seed)
    async with AsyncExitStack() as stack:
        control, found = await stack.enter_async_context(platforms(*EMULATED, options=OPTIONS))
        proxies = {
            name: await stack.enter_async_context(_before(found[CHANNELS[name]]["settings"]["base_url"]))
            for name in CHANNELS
        }
        through = {name: {"base_url": _through(found, name, proxy)} for name, proxy in proxies.items()}
        routes = {name: {"post_to": [name], "goal": {"operators": 0, "domestic": 0}} for name in CHANNELS}
        rig = await stack.enter_async_context(
            Rig(folder, control, found, seed=seed, times=TIMES, channels=through, routes=routes)
        )
        await rig.start(sabotage=sabotage)
        chosen = [rng.choice(sorted(ways)) for _ in range(count)]
        await asyncio.gather(*(_on_one(rig, name, proxies[name], chosen) for name in only))
        verdict = await rig.verdict(PATIENCE_S)
        return Ambiguous(seed, verdict, Counter({name: proxies[name].struck.total() for name in only}), Counter(chosen))


def _before(url: str) -> Proxy:
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    return Proxy(address.hostname, address.port)


def _through(found: Mapping[str, Any], name: str, proxy: Proxy) -> str:
    scheme = urlsplit(found[CHANNELS[name]]["settings"]["base_url"]).scheme
    return f"{scheme}://127.0.0.1:{proxy.port}"


async def _on_one(rig: Rig, channel: str, proxy: Proxy, ways: Collection[str]) -> None:
    for way in ways:
        kind, seconds = WAYS[way]
        proxy.fail(kind, match=PUBLISHES[channel], times=1, seconds=seconds)
        await _settled(rig, channel)
        proxy.heal()
        await _settled(rig, channel)


async def _settled(rig: Rig, channel: str) -> Submission:
    """One announcement on this channel alone, handed in and come to its end."""
    [one] = rig.submit(route=channel)
    await one.accepted.wait()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            report = await rig.report(one)
            assert report is not None
            if all(d["state"] in RESTING for d in report["deliveries"]):
                return one
            await asyncio.sleep(0.05)
