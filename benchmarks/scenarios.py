"""The scenarios, each bounded in time; every one adds its figures to the lab."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.fill import claim_ms, fill
from benchmarks.lab import CHANNELS, WINDOW, Figure, Lab, Measure, percentile
from benchmarks.processes import KEY, Broker, accepting, broker, configuration, key_of, output_of, world

Scenario = Callable[[Lab], Awaitable[None]]
ALONE = list(range(CHANNELS, 2 * CHANNELS))
"""Platforms that fail in a scenario are none of the brokers' that stand all the time: those would notice."""


async def sink(lab: Lab) -> None:
    """The sink alone takes several times what the bare loop sends, so it is not what is measured."""
    posts = lab.count(10_000)

    async def sink_alone() -> float:
        async with world(0) as (other, _):
            address = {"host": "127.0.0.1", "port": lab.ports[0], "key": "", "path": "/hooks"}
            said = await other.do("announce", **address, count=posts, per=0, window=64, seed=lab.seed, settle=False)
            return posts / float(said["seconds"])

    found = await lab.interleaved({"bare": lambda: lab.bare(posts), "sink": sink_alone})
    lab.add(Figure("bare loop", "aiohttp client, 64 in flight, stores nothing", "posts/s", found["bare"]))
    lab.add(Figure("sink", "raw client beside it", "posts/s", found["sink"], found["bare"], "bare loop").at_least(1.5))


async def throughput(lab: Lab) -> None:
    """API in, webhooks out, platforms that answer at once; beside it the bare loop and Apprise."""
    posts, announcements, few = lab.count(6000), lab.count(1200), lab.count(40, 10)

    async def apprise() -> float:
        ports = map(str, lab.ports[:CHANNELS])
        said = await output_of("-m", "benchmarks.with_apprise", "--ports", *ports, "--count", str(few))
        return few * CHANNELS / float(said["seconds"])

    others = {"bare": lambda: lab.bare(posts), "apprise": apprise}
    found = await lab.interleaved(others | _both(lab, lambda loa: _delivering(lab, loa, announcements)))
    _beside(lab, "throughput", "instant platforms, 5 channels", found, 0.70, 0.45)
    lab.add(Figure("Apprise", "its library, 5 channels", "posts/s", found["apprise"], found["bare"], "bare loop"))
    lab.add(Figure("throughput", "against Apprise", "posts/s", found["fast"], found["apprise"], "Apprise").at_least(10))


async def slow_platforms(lab: Lab) -> None:
    """Platforms that take 50 ms, 512 posts in flight."""
    posts, announcements, window = lab.count(6000, 1100), lab.count(1200, 220), 512 // CHANNELS
    await _all_platforms(lab, delay_s=0.05)
    try:
        bare = {"bare": lambda: lab.bare(posts, in_flight=512)}
        found = await lab.interleaved(
            bare | _both(lab, lambda loa: _delivering(lab, loa, announcements, window=window))
        )
    finally:
        await _all_platforms(lab, delay_s=0.0)
    _beside(lab, "50 ms platforms", "512 in flight, 5 channels", found, 0.95, None)


async def first_byte(lab: Lab) -> None:
    """From a POST to the first byte at a platform, one announcement at a time."""
    times, gap_s = lab.count(300, 30), 0.01
    found: dict[str, list[float]] = {"bare": [], "fast": [], "slow": []}
    for number in range(lab.rounds + lab.warm_up):
        measured = {
            "bare": await _bare_first_bytes(lab, times, gap_s),
            "fast": await _first_bytes(lab, lab.fast, times),
        }
        if lab.slow:
            measured["slow"] = await _first_bytes(lab, lab.slow, times)
        if number or not lab.warm_up:
            for name, values in measured.items():
                found[name] += values
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        bare_ms = percentile(found["bare"], share)
        lab.add(Figure("POST to first byte", f"bare loop, {name}", "ms", [bare_ms]))
        for which in (which for which in ("fast", "slow") if found[which]):
            slow = which == "slow"
            figure = Figure("POST to first byte", name, "ms", [percentile(found[which], share)], slow_disk=slow)
            lab.add(figure.at_most(round(bare_ms + 10, 2)) if name == "p99" and not slow else figure)


async def accept_rate(lab: Lab) -> None:
    """How many announcements a second are accepted, durable, beside aiohttp that only checks them."""
    count = lab.count(2500)
    later = {"send_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    for channels in (1, CHANNELS):
        async with AsyncExitStack() as stack:
            measures = {
                "bare": _accepting(lab, "127.0.0.1", await stack.enter_async_context(accepting()), count, later)
            }
            for name, library in (("fast", None), ("slow", lab.slow_disk)):
                if library or name == "fast":
                    config = configuration(lab.folder / f"accept{channels}{name}.toml", lab.ports[:channels])
                    loa = await stack.enter_async_context(broker(config, library))
                    measures[name] = _accepting(lab, loa.host, loa.port, count, later)
            found = await lab.interleaved(measures)
        if channels == 1:
            lab.add(Figure("bare accepting", "aiohttp and pydantic, stores nothing", "requests/s", found["bare"]))
        name = f"{channels} channel{'s' if channels > 1 else ''} each"
        least = 0.45 if channels == 1 else None
        _beside(lab, "accept rate", name, found, least, None, unit="announcements/s", beside="bare accepting")


async def hung_channel(lab: Lab) -> None:
    """One channel of five takes requests and never answers: what the other four lose."""
    announcements, others = lab.count(1000), ALONE[1:]
    healthy, hung = [], []
    for number in range(lab.rounds + lab.warm_up):
        async with broker(
            configuration(lab.folder / f"hung{number}.toml", [lab.ports[index] for index in ALONE])
        ) as loa:

            async def four(loa: Broker = loa) -> float:
                done = await lab.deliver(loa, announcements, per=4, awaited=others, settle=False)
                return done.deliveries / float(done.said["delivered_s"])

            await four()
            found = [await four()]
            await lab.world.do("set", index=ALONE[0], delay_s=None)
            found.append(await four())
            loa.kill()
        await lab.world.do("set", index=ALONE[0], delay_s=0.0)
        if number or not lab.warm_up:
            healthy.append(found[0])
            hung.append(found[1])
    figure = Figure("one of five hangs", "the other four", "deliveries/s", hung, healthy, "all healthy")
    lab.add(figure.at_least(0.95))


async def operator_down(lab: Lab) -> None:
    """An operator refuses connections and its stand-in serves: what an announcement costs. Four posts reach a platform
    either way, and processor time is counted until all of it is recorded."""
    announcements, few = lab.count(600), 64
    route = '[routes.default]\npost_to = ["p0", "p1", "p2", "p3"]\nstand_ins = { p0 = ["p4"] }\n'
    cpu: dict[str, list[float]] = {"healthy": [], "closed": [], "open": []}
    rate: dict[str, list[float]] = {"healthy": [], "closed": [], "open": []}
    for number in range(lab.rounds + lab.warm_up):
        config = configuration(lab.folder / f"down{number}.toml", [lab.ports[index] for index in ALONE], routes=route)
        async with broker(config) as loa:
            await lab.deliver(loa, few, per=4)
            found = {"healthy": await lab.deliver(loa, announcements, per=4, settle=False)}
            await lab.world.do("set", index=ALONE[0], refuses=True)
            try:
                found["closed"] = await lab.deliver(loa, few, per=4, settle=False)
                await _state_of(lab, loa, "p0", "down")
                found["open"] = await lab.deliver(loa, announcements, per=4, settle=False)
            finally:
                await lab.world.do("set", index=ALONE[0])
        if number or not lab.warm_up:
            for name, done in found.items():
                cpu[name].append(done.cpu_us_per_announcement)
                rate[name].append(done.announcements / float(done.said["delivered_s"]))
    lab.add(Figure("one operator down", "all healthy", "µs/announcement", cpu["healthy"]))
    lab.add(Figure("one operator down", "breaker closed", "µs/announcement", cpu["closed"], cpu["healthy"], "healthy"))
    opened = Figure("one operator down", "breaker open", "µs/announcement", cpu["open"], cpu["healthy"], "healthy")
    lab.add(opened.within(0.05))
    lab.add(Figure("one operator down", "breaker open", "announcements/s", rate["open"], rate["healthy"], "healthy"))


async def backlog(lab: Lab) -> None:
    """A process that starts with many announcements of ten deliveries each queued: memory, claim time, drain rate."""
    queued, sample = lab.count(100_000 if lab.deep else 20_000, 500), lab.count(10_000, 500)
    config = await _with_template(lab, "backlog", 10, paused=True)
    rows = fill(config.with_suffix(".db"), queued, lab.seed)
    query_ms = claim_ms(config.with_suffix(".db"))
    began = time.monotonic()
    async with broker(config) as loa:
        ready_s = time.monotonic() - began
        await lab.world.do("watch", counts=[1, sample])
        await _resume_all(lab, loa, 10)
        first, last = (await lab.world.do("watched"))["at"]
        peak = loa.peak_rss_mb
        loa.kill()
    what = f"{queued:,} × 10 queued"
    lab.add(Figure("backlog", f"{what} ({rows:,} rows): query of a claim", "ms", [query_ms]).at_most(10))
    lab.add(Figure("backlog", f"{what}: listening after", "s", [ready_s]))
    lab.add(Figure("backlog", f"{what}: first byte after", "s", [first - began]))
    lab.add(Figure("backlog", f"{what}: drain", "deliveries/s", [sample / (last - first)]))
    lab.add(Figure("backlog", f"{what}: peak memory", "MB", [peak]).at_most(256))


async def recovery(lab: Lab) -> None:
    """SIGKILL while 10,000 announcements are open and being sent: time until the next process serves."""
    found: dict[str, list[float]] = {"listening": [], "accepted": [], "first": []}
    config = await _with_template(lab, "recovery", CHANNELS, paused=True)
    fill(config.with_suffix(".db"), lab.count(10_000, 500), lab.seed)
    for _ in range(lab.rounds):
        async with broker(config) as loa:
            await lab.world.do("watch", counts=[50])
            await _resume_all(lab, loa, CHANNELS)
            await lab.world.do("watched")
            loa.kill()
        began = time.monotonic()
        await lab.world.do("watch", counts=[1])
        async with broker(config) as loa:
            found["listening"].append(time.monotonic() - began)
            said = await lab.world.do("announce", **loa.address, count=1, per=0, window=1, seed=lab.seed, settle=False)
            assert said["statuses"] == {"202": 1}
            found["accepted"].append(time.monotonic() - began)
            [first] = (await lab.world.do("watched"))["at"]
            found["first"].append(first - began)
            loa.kill()
    what = f"{lab.count(10_000, 500):,} open, SIGKILL"
    lab.add(Figure("recovery", f"{what}: listening again", "s", found["listening"]))
    lab.add(Figure("recovery", f"{what}: the next one accepted", "s", found["accepted"]).at_most(2))
    lab.add(Figure("recovery", f"{what}: the next byte at a platform", "s", found["first"]))


async def growth_channels(lab: Lab) -> None:
    """The cost of a delivery with 1, 5 and 20 channels an announcement."""
    sizes = (1, 5, 20)
    names = {size: ", ".join(f'"p{n}"' for n in range(size)) for size in sizes}
    routes = "".join(f"[routes.r{size}]\npost_to = [{names[size]}]\n" for size in sizes)
    async with broker(configuration(lab.folder / "channels.toml", lab.ports, routes=routes)) as loa:
        measures = {
            str(size): _costing(lab, loa, lab.count(2000, 40) // size, size, more={"route": f"r{size}"})
            for size in sizes
        }
        found = await lab.interleaved(measures)
    for name, values in found.items():
        lab.add(Figure("growth", f"{name} channels an announcement", "µs/delivery", values, found["5"], "5 channels"))


async def growth_agencies(lab: Lab) -> None:
    """The cost of a delivery with 1, 100 and 1,000 agencies of two channels, all of them busy."""
    sizes = {1, lab.count(100, 10), lab.count(1000, 20)}
    async with AsyncExitStack() as stack:
        measures = {}
        for size in sorted(sizes):
            config = lab.folder / f"agencies{size}.toml"
            configuration(config, lab.ports[:2], agencies=size, probe_every="1h")
            loa = await stack.enter_async_context(broker(config))
            keys = [key_of(number) for number in range(size)]
            measures[f"{size:,}"] = _costing(lab, loa, lab.count(1000), 2, keys=keys, settle=False)
        found = await lab.interleaved(measures)
    for name, values in found.items():
        figure = Figure("growth", f"{name} agencies", "µs/delivery", values, found["1"], "1 agency")
        lab.add(figure if name == "1" else figure.within(0.10))


async def growth_history(lab: Lab) -> None:
    """The cost of a delivery with a short and a long history in the store."""
    short, long = lab.count(10_000, 100), lab.count(1_000_000 if lab.deep else 200_000, 1000)
    async with AsyncExitStack() as stack:
        measures = {}
        for rows in (short, long):
            config = await _with_template(lab, f"history{rows}", CHANNELS, paused=False)
            fill(config.with_suffix(".db"), rows // CHANNELS, lab.seed)
            loa = await stack.enter_async_context(broker(config))
            measures[f"{rows:,}"] = _costing(lab, loa, lab.count(600), CHANNELS)
        found = await lab.interleaved(measures)
    base = found[f"{short:,}"]
    lab.add(Figure("growth", f"{short:,} deliveries of history", "µs/delivery", base))
    figure = Figure("growth", f"{long:,} deliveries of history", "µs/delivery", found[f"{long:,}"], base, f"{short:,}")
    lab.add(figure.within(0.10))


# parts


def _both(lab: Lab, measure: Callable[[Broker], Measure]) -> dict[str, Measure]:
    """The same measure on this machine's disk and, if a compiler is there, on a slow one."""
    return {"fast": measure(lab.fast)} | ({"slow": measure(lab.slow)} if lab.slow else {})


def _delivering(lab: Lab, loa: Broker, announcements: int, window: int = WINDOW) -> Measure:
    async def measure() -> float:
        return (await lab.deliver(loa, announcements, window=window)).per_s

    return measure


def _costing(lab: Lab, loa: Broker, announcements: int, per: int, **options: Any) -> Measure:
    async def measure() -> float:
        return (await lab.deliver(loa, announcements, per=per, **options)).cpu_us

    return measure


def _accepting(lab: Lab, host: str, port: int, count: int, more: dict[str, str]) -> Measure:
    async def measure() -> float:
        address = {"host": host, "port": port, "key": KEY, "window": WINDOW}
        said = await lab.world.do("announce", **address, count=count, per=0, seed=lab.seed, more=more, settle=False)
        assert said["statuses"] == {"202": count}, said["statuses"]
        return count / float(said["seconds"])

    return measure


def _beside(
    lab: Lab, scenario: str, variant: str, found: dict[str, list[float]], least: float | None, least_slow: float | None,
    unit: str = "deliveries/s", beside: str = "bare loop",
) -> None:  # fmt: skip
    for name, wanted in (("fast", least), ("slow", least_slow)):
        if name in found:
            figure = Figure(scenario, variant, unit, found[name], found["bare"], beside, slow_disk=name == "slow")
            lab.add(figure.at_least(wanted) if wanted else figure)


async def _all_platforms(lab: Lab, delay_s: float) -> None:
    for index in range(CHANNELS):
        await lab.world.do("set", index=index, delay_s=delay_s)


async def _bare_first_bytes(lab: Lab, times: int, gap_s: float) -> list[float]:
    arriving = asyncio.create_task(lab.world.do("first_bytes", count=times))
    await asyncio.sleep(0)
    asked = ("--ports", str(lab.ports[0]), "--count", str(times), "--gap", str(gap_s))
    said = await output_of("-m", "benchmarks.bare", *asked)
    came = (await arriving)["at"]
    return [(at - began) * 1000 for began, at in zip(said["began"], came, strict=True)]


async def _first_bytes(lab: Lab, loa: Broker, times: int) -> list[float]:
    await lab.quiet(loa)
    said = await lab.world.do("one_by_one", **loa.address, count=times, per=CHANNELS, seed=lab.seed)
    found: list[float] = said["first_byte_ms"]
    return found


async def _with_template(lab: Lab, name: str, channels: int, *, paused: bool) -> Path:
    """A configuration whose store holds one announcement: `paused`, all of it waits; else all of it is delivered."""
    config = configuration(lab.folder / f"{name}.toml", lab.ports[:channels], in_flight=64)
    async with broker(config) as loa:
        if paused:
            for index in range(channels):
                await lab.world.do("ask", **loa.address, path=f"/v1/channels/p{index}/pause")
        await lab.deliver(loa, 1, per=0 if paused else channels, settle=not paused)
    return config


async def _resume_all(lab: Lab, loa: Broker, channels: int) -> None:
    for index in range(channels):
        await lab.world.do("ask", **loa.address, path=f"/v1/channels/p{index}/resume")


async def _state_of(lab: Lab, loa: Broker, channel: str, wanted: str, within_s: float = 30.0) -> None:
    """Until the channel is in this state; a channel that is down is probed meanwhile."""
    async with asyncio.timeout(within_s):
        while True:
            said = await lab.world.do("ask", **loa.address, path="/v1/channels", method="GET")
            if any(one["name"] == channel and one["state"] == wanted for one in said["body"]["channels"]):
                return
            await asyncio.sleep(0.05)


SCENARIOS: dict[str, Scenario] = {
    each.__name__: each
    for each in (
        sink,
        throughput,
        slow_platforms,
        first_byte,
        accept_rate,
        hung_channel,
        operator_down,
        backlog,
        recovery,
        growth_channels,
        growth_agencies,
        growth_history,
    )
}
