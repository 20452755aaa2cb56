"""What many runs come to: how much happened, what went wrong on purpose, and what must be zero."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.oracles import Finding, judge
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.worlds import world

ZERO = ("lost", "silent duplicate", "false live", "sent after withdrawal", "stuck")
"""Findings that are figures of their own; all others are `other findings`."""
EXAMPLES = 5


@dataclass(slots=True)
class Figures:
    """Sums over runs; `+=` of another's."""

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
        self.faults.update({t.value for p in outcome.platforms.values() for t in p.met})
        self.faults.update({details for _, who, details, _ in outcome.trace.entries if who == "fate"})
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

    def data(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        zeros = {name: self.findings.get(name, 0) for name in ZERO}
        others = {name: n for name, n in self.findings.items() if name not in ZERO}
        return {
            **self.counts,
            "zero": zeros,
            "other_findings": others,
            "faults": dict(sorted(self.faults.items())),
            "examples": self.examples,
        }


def of_seeds(seeds: range) -> Figures:
    figures = Figures()
    for seed in seeds:
        outcome = simulate(world(seed))
        figures.add(outcome, judge(outcome))
    return figures


def _reported(outcome: Outcome) -> int:
    """Second copies that the status told of."""
    return sum(
        event.reason is not None and event.reason.key == "two_copies"
        for events in outcome.events.values()
        for event in events
    )


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(terse=True),
        "cores": str(os.cpu_count()),
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random" if sys.flags.hash_randomization else "0"),
    }
