"""`python -m benchmarks.cost`: processor time of `loa serve` for each delivery and each accept, thread by thread.

Processor time, and beside it, round by round, that of one post of the bare loop: so versions can be compared on a
machine that does other work. `--profile` names a file for cProfile's statistics of the event loop's thread; the
figures are then no times.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.lab import CHANNELS, WINDOW
from benchmarks.processes import Broker, World, broker, configuration, output_of, world

POSTS, ANNOUNCEMENTS, ACCEPTS = 3000, 600, 1500


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--only", choices=("deliveries", "accepts"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="loa-cost-") as folder:
        async with AsyncExitStack() as stack:
            process, ports = await stack.enter_async_context(world(CHANNELS))
            if given.only != "accepts":
                config = configuration(Path(folder) / "five.toml", ports)
                loa = await stack.enter_async_context(broker(config, profile=given.profile))
                await _report("delivery, 5 channels", process, ports, loa, ANNOUNCEMENTS, CHANNELS, given.rounds)
            if given.only != "deliveries":
                config = configuration(Path(folder) / "one.toml", ports[:1])
                loa = await stack.enter_async_context(broker(config, profile=given.profile))
                later = {"send_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
                await _report(
                    "accept, 1 channel", process, ports, loa, ACCEPTS, 0, given.rounds, more=later, settle=False
                )


async def _report(
    what: str, process: World, ports: Sequence[int], loa: Broker, count: int, per: int, rounds: int, **options: Any
) -> None:
    found, ratios = [], []
    for number in range(rounds + 1):
        bare = await _bare_us(ports)
        before = loa.cpu_s_by_thread
        await process.do("announce", **loa.address, count=count, per=per, window=WINDOW, seed=number, **options)
        if number:
            found.append(_per(before, loa.cpu_s_by_thread, count * max(per, 1)))
            ratios.append(sum(found[-1].values()) / bare)
    totals = [sum(each.values()) for each in found]
    parts = ", ".join(f"{name} {statistics.median(e.get(name, 0) for e in found):.0f}" for name in found[0])
    spread = f"{min(totals):.0f} … {max(totals):.0f}"
    beside = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} … {max(ratios):.2f}) posts of the bare loop"
    print(f"{what}: {statistics.median(totals):.0f} µs ({spread}) of processor time: {parts}; {beside}", flush=True)


async def _bare_us(ports: Sequence[int]) -> float:
    said = await output_of("-m", "benchmarks.bare", "--ports", *map(str, ports), "--count", str(POSTS))
    return float(said["cpu_s"]) / POSTS * 1e6


def _per(before: Mapping[str, float], after: Mapping[str, float], count: int) -> dict[str, float]:
    used = {name: (after[name] - before.get(name, 0.0)) / count * 1e6 for name in after}
    return {name: micros for name, micros in used.items() if micros >= 1}


if __name__ == "__main__":
    asyncio.run(main())
