"""R12: the platform processed the request, and the answer never came; channel by channel, with the real broker.

Every ambiguous case is followed by a plain one, so that the channel's breaker stays closed: what is tested is what
becomes of a post nobody heard of, not of a channel that is down.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from adapters.emulators.control import ControlClient
from broker.model import RESTING, State
from tests.acceptance.processes import PATIENCE_S, Platforms, platforms
from tests.acceptance.rig import CHANNELS, OPTIONS, SLOWER, Rig
from tests.acceptance.verdict import Verdict
from tests.contract.media_host import picture, video
from tests.faults.proxy import Kind, Proxy

PUBLISHES: Mapping[str, tuple[str, bytes]] = {
    "facebook": ("api", rb"POST /v[\d.]+/\d+/feed"),
    "zalo": ("api", rb"POST /v2.0/article/create"),
    "threads": ("net", rb"POST /v[\d.]+/\d+/threads_publish"),
    "partner": ("api", rb"POST /hooks/loa"),
    "telegram": ("api", rb"POST /bot[^/]+/sendMessage"),
    "people": ("api", rb"\r\n\.\r\n$"),
    "instagram": ("graph", rb"POST /v[\d.]+/\d+/media_publish"),
    "tiktok": ("upload", rb"PUT /video/"),
    "pictures": ("api", rb"POST /v2/post/publish/content/init/"),
    "youtube": ("api", rb"(?i)PUT /upload/youtube/.*\r\ncontent-range: bytes \d"),
    "vneid": ("api", rb"POST /v1/notices "),
    "zalo_push": ("api", rb"POST /v2.0/oa/message"),
}
"""To which of the platform's hosts the request goes that makes a post public, and what it looks like."""
PICTURE, VIDEO = partial(picture, (1080, 1350), "image/jpeg"), partial(video, 540, 960)
SHOWS: Mapping[str, Callable[[], bytes]] = {
    "instagram": PICTURE,
    "pictures": PICTURE,
    "tiktok": VIDEO,
    "youtube": VIDEO,
}
"""What goes to platforms that take no text alone."""
ALL = {**CHANNELS, **SLOWER}
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
    """`count` ambiguous cases on each of these channels, all channels beside each other."""
    rng = random.Random(seed)
    named = {name: ALL[name] for name in only}
    shelf = folder / "media"
    async with AsyncExitStack() as stack:
        options = {**OPTIONS, "site": {"folder": str(shelf)}}
        control, found = await stack.enter_async_context(platforms(*{*named.values(), "site"}, options=options))
        proxies = {name: await stack.enter_async_context(_before(name, control, found)) for name in named}
        found = await control.platforms()
        media = {"folder": str(shelf), "url": found["site"]["settings"]["url"]}
        routes = {name: {"post_to": [name], "goal": {"operators": 0, "domestic": 0}} for name in named}
        rig = await stack.enter_async_context(
            Rig(folder, control, found, seed=seed, named=named, times=TIMES, routes=routes, media=media)
        )
        await rig.start(sabotage=sabotage)
        chosen = [rng.choice(sorted(ways)) for _ in range(count)]
        await asyncio.gather(*(_on_one(rig, name, proxies[name], chosen) for name in named))
        verdict = await rig.verdict(PATIENCE_S)
        cases = Counter({name: proxy.struck.total() for name, proxy in proxies.items()})
        return Ambiguous(seed, verdict, cases, Counter(chosen))


@asynccontextmanager
async def _before(name: str, control: ControlClient, found: Platforms) -> AsyncIterator[Proxy]:
    """Stands before the host that publishes, where the broker and the platform's own links look for it from now on."""
    host = PUBLISHES[name][0]
    address = urlsplit(found[ALL[name]]["base_urls"][host])
    assert address.hostname is not None
    assert address.port is not None
    async with Proxy(address.hostname, address.port) as proxy:
        await control.hook(ALL[name], "reach_at", host=host, url=f"{address.scheme}://127.0.0.1:{proxy.port}")
        yield proxy


async def _on_one(rig: Rig, channel: str, proxy: Proxy, ways: Collection[str]) -> None:
    media = [await rig.upload(SHOWS[channel]())] if channel in SHOWS else []
    for way in ways:
        kind, seconds = WAYS[way]
        proxy.fail(kind, match=PUBLISHES[channel][1], times=1, seconds=seconds)
        await _answered(rig, channel, media)
        proxy.heal()
        await _answered(rig, channel, media)


async def _answered(rig: Rig, channel: str, media: Sequence[str]) -> None:
    """One announcement on this channel alone, handed in, and at its end or awaiting the platform alone."""
    [one] = rig.submit(route=channel, media=media)
    await one.accepted.wait()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            report = await rig.report(one)
            assert report is not None
            if all(d["state"] in RESTING | {State.PENDING} for d in report["deliveries"]):
                return
            await asyncio.sleep(0.05)
