"""`python -m benchmarks`: runs the scenarios, prints table and raw numbers, writes docs/performance.md if asked."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks import machine, report
from benchmarks.lab import CHANNELS, Figure, Lab
from benchmarks.processes import ROOT, broker, configuration, slow_disk, world
from benchmarks.scenarios import SCENARIOS

DOCUMENT = ROOT / "docs" / "performance.md"
PLATFORMS = 20


def main() -> int:
    given = _arguments()
    about = machine.described(given.seed)
    print("\n".join(f"{name:10} {value}" for name, value in about.items()), flush=True)
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder:
        lab = asyncio.run(run(given, Path(folder), about))
    print("\n" + report.table(lab.figures))
    return 0


async def run(given: argparse.Namespace, folder: Path, about: Mapping[str, str]) -> Lab:
    library, quick = await slow_disk(folder), given.quick
    if library is None:
        print("No C compiler here: the figures with 2 ms per fsync are left out.", file=sys.stderr)
    async with AsyncExitStack() as stack:
        process, ports = await stack.enter_async_context(world(PLATFORMS))
        fast, slow = (configuration(folder / f"{name}.toml", ports[:CHANNELS]) for name in ("fast", "slow"))
        lab = Lab(
            folder, process, ports, library, rounds=1 if quick else given.rounds, seed=given.seed,
            size=0.02 if quick else given.size, deep=given.deep, warm_up=not quick,
            fast=await stack.enter_async_context(broker(fast)),
            slow=await stack.enter_async_context(broker(slow, library)) if library else None,
        )  # fmt: skip
        for name in given.only or SCENARIOS:
            began = time.monotonic()
            await SCENARIOS[name](lab)
            print(f"# {name}: {time.monotonic() - began:.0f} s", flush=True)
            keep(lab.figures, given, about)
        return lab


def keep(figures: Sequence[Figure], given: argparse.Namespace, about: Mapping[str, str]) -> None:
    """After every scenario, so that a run that is broken off leaves what it found."""
    if given.json:
        Path(given.json).write_text(json.dumps([asdict(figure) for figure in figures], indent=1), encoding="utf-8")
    if given.write:
        report.write(DOCUMENT, figures, about)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="briefly, to see that everything works (under 30 s)")
    parser.add_argument(
        "--deep", action="store_true", help="with 100,000 announcements queued and 1,000,000 of history"
    )
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count, after one that does not")
    parser.add_argument("--size", type=float, default=1.0, help="times as many announcements in every round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"put table and chart into {DOCUMENT.relative_to(ROOT)}")
    parser.add_argument("--json", help="also write the raw numbers to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
