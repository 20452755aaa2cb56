"""What many runs come to: how much happened, what went wrong on purpose, and what must be zero."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.simulation.oracles import Finding, judge
from tests.simulation.platforms import Trouble
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.worlds import Blow, world

ZERO = ("lost", "silent duplicate", "false live", "sent after withdrawal", "stuck")
"""Findings that are figures of their own; all others are `other findings`."""
EXAMPLES = 5
OTHERS = ("clock_jump", "lease_lost", "own_network", "slow_disk", "two_runs", "withdrawal")
KINDS = frozenset({*(trouble.value for trouble in Trouble), *(blow.value for blow in Blow), *OTHERS})
"""Every kind of fault there is."""


@dataclass(slots=True)
class Figures:
    """Sums over runs."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """Runs in which each fault was met."""
    findings: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    """Some findings of each oracle, with their seeds."""

    def add(self, outcome: Outcome, findings: list[Finding]) -> None:
        copies = [copy for p in outcome.platforms.values() for copy in p.copies]
        self.counts.update(
            runs=1,
            announcements=sum(errand.accepted is not None for errand in outcome.errands),
            deliveries=sum(len(case.deliveries) for case in outcome.cases.values()),
            attempts=sum(len(p.begun) for p in outcome.platforms.values()),
            copies=len(copies),
            lives=len(outcome.lives),
        )
        self.counts["virtual_seconds"] += round(outcome.lasted_s)
        self.counts["duplicates_reported"] += _reported(outcome)
        self.faults.update(set(_met(outcome)))
        for finding in findings:
            self.findings[finding.oracle] += 1
            some = self.examples.setdefault(finding.oracle, [])
            if len(some) < EXAMPLES:
                some.append(f"seed {outcome.world.seed}: {finding.what}")

    def merge(self, other: Figures) -> None:
        self.counts += other.counts
        self.faults += other.faults
        self.findings += other.findings
        for oracle, some in other.examples.items():
            mine = self.examples.setdefault(oracle, [])
            mine += some[: EXAMPLES - len(mine)]

    def kept(self) -> dict[str, Any]:
        """All of it, to be merged later."""
        return {name: dict(getattr(self, name)) for name in ("counts", "faults", "findings", "examples")}

    def data(self) -> dict[str, Any]:
        """All of it, for people: what must be zero by name, and the pace."""
        zeros = {name: self.findings.get(name, 0) for name in ZERO}
        others = {name: n for name, n in self.findings.items() if name not in ZERO}
        core_s = self.counts["core_ms"] / 1000
        return {
            **{name: n for name, n in self.counts.items() if name != "core_ms"},
            "runs_a_minute_of_one_core": round(60 * self.counts["runs"] / core_s) if core_s else 0,
            "zero": zeros,
            "other_findings": others,
            "faults": dict(sorted(self.faults.items())),
            "examples": self.examples,
        }


def of_seeds(seeds: range) -> tuple[range, Figures]:
    """Runs them one after the other; `core_ms` counts the time that one core was at work."""
    figures, begun = Figures(), time.process_time()
    for seed in seeds:
        outcome = simulate(world(seed))
        figures.add(outcome, judge(outcome))
    figures.counts["core_ms"] = round(1000 * (time.process_time() - begun))
    return seeds, figures


def _met(outcome: Outcome) -> Iterator[str]:
    """The faults of one run."""
    yield from (trouble.value for p in outcome.platforms.values() for trouble in p.met)
    yield from (what for _, who, what, _ in outcome.trace.entries if who == "fate")
    if outcome.pauses:
        yield Trouble.PAUSED.value
    specs = {spec.name: spec.profile.operator for spec in outcome.world.channels}
    if len({specs[name] for name, p in outcome.platforms.items() if Trouble.REFUSED in p.met}) > 2:
        yield "own_network"


class Store:
    """Figures in a file, one line for each portion of seeds: long campaigns go on where they were stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, seeds: range, figures: Figures) -> None:
        """One write of one line, so that several processes may share the file."""
        line = {"from": seeds.start, "to": seeds.stop, "commit": commit(), **figures.kept()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")

    def read(self) -> tuple[set[int], Figures, set[str]]:
        """The seeds that are done, what they came to, and at which commits."""
        done, total, commits = set[int](), Figures(), set[str]()
        for line in self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else ():
            kept = json.loads(line)
            seeds = range(kept.pop("from"), kept.pop("to"))
            commits.add(kept.pop("commit"))
            if done.isdisjoint(seeds):
                done.update(seeds)
                counts, faults, findings = (Counter(kept[name]) for name in ("counts", "faults", "findings"))
                total.merge(Figures(counts, faults, findings, kept["examples"]))
        return done, total, commits


def _reported(outcome: Outcome) -> int:
    """Second copies that the status told of."""
    return sum(
        event.reason is not None and event.reason.key == "two_copies"
        for events in outcome.events.values()
        for event in events
    )


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(terse=True),
        "cores": str(os.cpu_count()),
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random" if sys.flags.hash_randomization else "0"),
    }


@cache
def commit() -> str:
    """Of the code at the start of this process."""
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
