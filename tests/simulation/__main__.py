"""`python -m tests.simulation`: runs many seeds and prints the figures, or replays one seed step by step.

python -m tests.simulation --seeds 2000                           seeds 0 to 1,999
python -m tests.simulation --seeds 0:50000 --into figures.jsonl   goes on where it was stopped; others may add theirs
python -m tests.simulation --seed 4711 --replay                   what happened, line by line
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.simulation import quiet
from tests.simulation.figures import Figures, Store, machine, of_seeds
from tests.simulation.oracles import judge
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.trace import told
from tests.simulation.worlds import World, world

PORTION = 25
"""Seeds a worker runs between two reports."""


def main() -> int:
    """0 if nothing was found; 1 if an oracle turned red."""
    arguments = _arguments()
    quiet()
    if arguments.seed is not None:
        return _one(arguments.seed, replay=arguments.replay)
    store = Store(arguments.into) if arguments.into else None
    done, total, commits = store.read() if store else (set[int](), Figures(), set[str]())
    begun, runs = time.monotonic(), total.counts["runs"]
    for seeds, figures in portions(arguments.seeds, arguments.jobs, done):
        total.merge(figures)
        if store:
            store.add(seeds, figures)
        if not arguments.json:
            _progress(total, total.counts["runs"] - runs, time.monotonic() - begun)
    data = total.data() | {"commits": ", ".join(sorted(commits)), "machine": machine()}
    print(json.dumps(data, ensure_ascii=False, indent=1) if arguments.json else "\n".join(_lines(data)))
    return 1 if total.findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=_seeds, default=range(1000), help="how many, or FROM:TO (default: 1000)")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in (default: 1)")
    parser.add_argument("--into", type=Path, help="keep figures in this file, and leave out the seeds it has")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--replay", action="store_true", help="with --seed: print what happened, step by step")
    return parser.parse_args()


def _seeds(text: str) -> range:
    first, colon, last = text.partition(":")
    return range(int(first), int(last)) if colon else range(int(first))


# many seeds


def portions(seeds: range, jobs: int, done: set[int] | None = None) -> Iterator[tuple[range, Figures]]:
    """The figures of all seeds that are not done, some at a time, in any order."""
    some = [seeds[at : at + PORTION] for at in range(0, len(seeds), PORTION)]
    left = [portion for portion in some if not done or done.isdisjoint(portion)]
    if jobs == 1:
        yield from map(of_seeds, left)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=quiet) as pool:
        yield from pool.imap_unordered(of_seeds, left)


def _progress(total: Figures, runs: int, took_s: float) -> None:
    pace = f"{60 * runs / took_s:,.0f} a minute, {sum(total.findings.values())} findings"
    print(f"\r{total.counts['runs']:,} runs, {pace} ", end="", file=sys.stderr, flush=True)


def _lines(data: dict[str, Any]) -> Iterator[str]:
    yield ""
    for name, value in data.items():
        if not isinstance(value, dict):
            yield f"{name.replace('_', ' '):<26} {_number(value)}"
            continue
        yield f"{name.replace('_', ' ')}:"
        for key, each in value.items():
            yield from (f"  {key:<24} {_number(one)}" for one in (each if isinstance(each, list) else [each]))


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


# one seed


def _one(seed: int, *, replay: bool) -> int:
    one = world(seed)
    outcome = simulate(one)
    findings = judge(outcome)
    if replay:
        print("\n".join([*_described(one), "", *outcome.trace.lines(), "", *_ended(outcome), ""]))
    print("\n".join(map(str, findings)) or f"seed {seed}: nothing found")
    return 1 if findings else 0


def _described(one: World) -> Iterator[str]:
    yield f"seed {one.seed}: commits take about {one.disk_s * 1000:g} ms, the slowest {one.disk_spikes_s:g} s"
    for spec in one.channels:
        yield f"  {spec.name:<10} {spec.kind.value:<14} {spec.profile.operator:<9} {told(spec.spells)}"
    for route in one.routes.values():
        stand_ins = "; ".join(f"{served}: {', '.join(names)}" for served, names in route.stand_ins.items())
        post_to, reserve = ", ".join(route.post_to), ", ".join(route.reserve)
        yield f"  route {route.name}: {post_to} | {stand_ins or '-'} | {reserve or '-'}"
    for strike in one.strikes:
        yield f"  {strike.at:8.3f} {strike.blow.value} for {strike.lasts:.1f} s"


def _ended(outcome: Outcome) -> Iterator[str]:
    for case in outcome.cases.values():
        states = ", ".join(f"{name} {d.state.value}" for name, d in case.deliveries.items())
        yield f"{case.announcement.reference} {case.announcement.status.value}: {states}"


if __name__ == "__main__":
    sys.exit(main())
