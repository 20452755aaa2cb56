"""`python -m tests.simulation`: runs many seeds and prints the figures, or replays one seed step by step."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator

from tests.simulation import quiet
from tests.simulation.figures import Figures, machine, of_seeds
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
    started = time.monotonic()
    figures = _many(range(arguments.first, arguments.first + arguments.seeds), arguments.jobs, arguments.json)
    _print(figures, time.monotonic() - started, arguments)
    return 1 if figures.findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run (default: 1000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--replay", action="store_true", help="with --seed: print what happened, step by step")
    return parser.parse_args()


# many seeds


def _many(seeds: range, jobs: int, silent: bool) -> Figures:
    total, started = Figures(), time.monotonic()
    for figures in _portions(seeds, jobs):
        total.merge(figures)
        if not silent:
            done, took = total.counts["runs"], time.monotonic() - started
            pace = f"{60 * done / took:,.0f} runs a minute, {sum(total.findings.values())} findings"
            print(f"\r{done:,} of {len(seeds):,} runs, {pace}", end="", file=sys.stderr, flush=True)
    if not silent:
        print(file=sys.stderr)
    return total


def _portions(seeds: range, jobs: int) -> Iterator[Figures]:
    portions = [seeds[at : at + PORTION] for at in range(0, len(seeds), PORTION)]
    if jobs == 1:
        yield from map(of_seeds, portions)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=quiet) as pool:
        yield from pool.imap_unordered(of_seeds, portions)


def _print(figures: Figures, took_s: float, arguments: argparse.Namespace) -> None:
    counts = figures.counts
    pace = {"seconds": round(took_s, 1), "jobs": arguments.jobs, "runs_a_minute": round(60 * counts["runs"] / took_s)}
    data = {"from": arguments.first, **figures.data(), **pace, "machine": machine()}
    if arguments.json:
        print(json.dumps(data, ensure_ascii=False, indent=1))
        return
    for name, value in data.items():
        if isinstance(value, dict):
            print(f"{name.replace('_', ' ')}:")
            for key, each in value.items():
                listed = each if isinstance(each, list) else [each]
                print(
                    "\n".join(
                        f"  {key:<24} {one:,}" if isinstance(one, int) else f"  {key:<24} {one}" for one in listed
                    )
                )
        else:
            print(f"{name.replace('_', ' '):<26} {value:,}")


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
