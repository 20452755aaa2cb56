"""The long programme of reliability tests with real processes: `make deep` runs it, docs/promises.md has its figures.

    python -m tests.acceptance.deep r1 --count 1000         one part
    python -m tests.acceptance.deep                         all of it, more than an hour on two cores

Every part prints one JSON line and adds it to docs/figures/acceptance.json, and to the table in docs/promises.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.clock import SystemClock
from tests.acceptance.ambiguous import ambiguous
from tests.acceptance.campaign import Death, Report, at_random, killed, named, twice
from tests.acceptance.damage import flipped
from tests.acceptance.disk import broken_disk, killed_at_call
from tests.acceptance.power import cut_off
from tests.acceptance.processes import ROOT, platforms
from tests.acceptance.rig import EMULATED, OPTIONS, Rig
from tests.acceptance.verdict import Verdict

FIGURES = ROOT / "docs" / "figures" / "acceptance.json"
PAGE = ROOT / "docs" / "promises.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
LIVES_A_STORE = 50
"""So many deaths on one store, then a new one: its platforms' logs are read as a whole."""

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the programme."""

    says: str
    count: int
    run: Callable[[Path, int, int], Coroutine[Any, Any, Figures]]


async def _deaths(folder: Path, count: int, seed: int, make: Callable[[int, random.Random], list[Death]]) -> Figures:
    reports: list[Report] = []
    for first in range(0, count, LIVES_A_STORE):
        here = folder / str(first)
        here.mkdir()
        deaths = make(min(LIVES_A_STORE, count - first), random.Random(seed + first))
        reports.append(await killed(here, deaths, seed + first, within=120))
    back = sorted(each for report in reports for each in report.back_in_s)
    at: Counter[str] = sum((report.killed_at for report in reports), Counter())
    total = _sum(report.verdict for report in reports)
    return total | {
        "kills": at.total(),
        "points_reached": len([point for point in at if point != "a random moment"]),
        "back_in_service_s": {
            "median": round(statistics.median(back), 2),
            "p99": round(back[int(len(back) * 0.99)], 2),
        },
    }


def _mixed(count: int, rng: random.Random) -> list[Death]:
    """Half at named points, half at random moments."""
    points = named(3, rng)[: count // 2]
    return [*points, *at_random(count - len(points), rng)]


async def r1(folder: Path, count: int, seed: int) -> Figures:
    return await _deaths(folder, count, seed, _mixed)


async def r2(folder: Path, count: int, seed: int) -> Figures:
    return await _deaths(folder, 2 * count, seed, lambda lives, rng: twice(lives // 2, rng))


async def r1_calls(folder: Path, count: int, seed: int) -> Figures:
    """At the n-th sync, write or send, each from the first start's migration on."""
    rng, verdicts = random.Random(seed), []
    for number, calls in enumerate(("fdatasync", "pwrite64", "sendto")):
        here = folder / calls
        here.mkdir()
        places = sorted(rng.sample(range(1, 120), count // 3))
        verdicts.append(await killed_at_call(here, calls, places, seed + number))
    return _sum(verdicts)


async def r3(folder: Path, count: int, seed: int) -> Figures:
    verdicts = []
    for first in range(0, count, LIVES_A_STORE):
        here = folder / str(first)
        here.mkdir()
        verdicts.append((await cut_off(here, min(LIVES_A_STORE, count - first), seed + first)).verdict)
    return _sum(verdicts)


async def r4(folder: Path, count: int, seed: int) -> Figures:
    found = []
    for number in range(count):
        here = folder / str(number)
        here.mkdir()
        found.append(await broken_disk(here, 1 + number, seed + number))
    return _sum(each.verdict for each in found) | {
        "acknowledged_after_eio": sum(len(each.acknowledged_after) for each in found),
        "exit_codes": dict(Counter(each.exit_code for each in found)),
        "unrecorded_outcomes_on_stderr": sum(each.unrecorded for each in found),
    }


async def r12(folder: Path, count: int, seed: int) -> Figures:
    found = await ambiguous(folder, count, seed)
    return found.verdict.figures() | {"cases": dict(found.cases), "ways": dict(found.ways)}


async def r20(folder: Path, count: int, seed: int) -> Figures:
    """SIGTERM under load, at random moments."""
    rng, took = random.Random(seed), []
    async with platforms(*EMULATED, options=OPTIONS) as (control, found), Rig(folder, control, found, seed=seed) as rig:
        for _ in range(count):
            await rig.start()
            rig.submit(8)
            await asyncio.sleep(rng.uniform(0, 0.4))
            begun = time.monotonic()
            assert await rig.end(signal.SIGTERM) == 0
            took.append(time.monotonic() - begun)
        await rig.start()
        verdict = await rig.verdict(120)
    return verdict.figures() | {"stops": count, "longest_stop_s": round(max(took), 2)}


async def r23(folder: Path, count: int, seed: int) -> Figures:
    async with platforms(*EMULATED, options=OPTIONS) as (control, found), Rig(folder, control, found, seed=seed) as rig:
        await rig.start()
        rig.submit(30)
        await rig.verdict()
        await rig.end(signal.SIGTERM)
        copies = folder / "copies"
        copies.mkdir()
        damage = flipped(rig.store, copies, count, seed)
    return {"places": dict(damage.places), "silent": len(damage.silent)}


PARTS: Mapping[str, Part] = {
    "r1": Part("SIGKILL at named points and at random moments", 1000, r1),
    "r1-calls": Part("SIGKILL at the n-th fdatasync, pwrite64, sendto", 90, r1_calls),
    "r2": Part("killed again while recovering", 100, r2),
    "r3": Part("power cuts, every other one torn", 200, r3),
    "r4": Part("fdatasync answers EIO from the n-th on", 50, r4),
    "r12": Part("answers lost after the post was made, on each channel", 500, r12),
    "r20": Part("SIGTERM under load", 50, r20),
    "r23": Part("one flipped bit in the store", 500, r23),
}


def _sum(verdicts: Any) -> Figures:
    total: Counter[str] = Counter()
    for verdict in verdicts:
        assert isinstance(verdict, Verdict)
        for fault in verdict.faults[:20]:
            print(f"  {fault}", file=sys.stderr)
        total.update(verdict.figures())
    return dict(total)


def _keep(name: str, result: Figures) -> None:
    FIGURES.parent.mkdir(exist_ok=True)
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    known |= {name: result}
    FIGURES.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{_table(known)}\n{END}{rest.partition(END)[2]}")


def _table(figures: Mapping[str, Figures]) -> str:
    """What docs/promises.md shows."""
    rows = ["| | fault | N (of) | announcements | found | seed | commit, day |", "|---|---|---|---|---|---|---|"]
    for name, part in PARTS.items():
        if not (one := figures.get(name)):
            continue
        found = dict(one["found"])
        count = found.pop("announcements", "")
        found.pop("deliveries", None)
        said = "; ".join(f"{key.replace('_', ' ')} {_words(value)}" for key, value in found.items())
        row = (
            name,
            one["what"],
            f"{one['n']} ({part.count})",
            count,
            said,
            one["seed"],
            f"{one['commit']}, {one['on']}",
        )
        rows.append(f"| {' | '.join(map(str, row))} |")
    return "\n".join(rows)


def _words(value: Any) -> str:
    return ", ".join(f"{key}: {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def run_part(name: str, count: int | None, seed: int) -> Figures:
    """Runs one part and keeps its figures."""
    part = PARTS[name]
    count = count or part.count
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="loa-deep-") as folder:
        found = asyncio.run(part.run(Path(folder), count, seed))
    result = {
        "what": part.says,
        "n": count,
        "seed": seed,
        "store": "SQLite, WAL, synchronous=FULL",
        "command": f"python -m tests.acceptance.deep {name} --count {count} --seed {seed}",
        "commit": _commit(),
        "on": SystemClock().now().date().isoformat(),
        "took_s": round(time.monotonic() - begun),
        "found": found,
    }
    _keep(name, result)
    print(json.dumps({name: result}), flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.deep", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--count", type=int, help="how many (default: the programme's number)")
    parser.add_argument("--seed", type=int, default=20261122)
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    bad = 0
    for name in given.parts or PARTS:
        found = run_part(name, given.count, given.seed)["found"]
        bad += sum(
            found.get(key, 0) for key in ("lost", "duplicates", "untrue", "after_withdrawal", "refused", "silent")
        )
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
