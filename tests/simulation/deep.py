"""The long programme on virtual time, part by part: `tests.deep` runs it, docs/promises.md has its figures."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from broker.values import replace
from tests.figures import Figures, Part
from tests.simulation import quiet
from tests.simulation.__main__ import portions
from tests.simulation.figures import ZERO
from tests.simulation.figures import Figures as Counts
from tests.simulation.programme import DEATHS, Found, all_fail, cut_off, flaps, operator_dies, returns

NAMES: Mapping[str, str] = {
    "lost": "lost",
    "silent duplicate": "duplicates",
    "false live": "untrue",
    "sent after withdrawal": "after_withdrawal",
    "stuck": "stuck",
}


async def simulated(folder: Path, count: int, seed: int) -> Figures:
    total = Counts()
    for _, figures in portions(range(seed, seed + count), os.cpu_count() or 1):
        total.merge(figures)
    return of_counts(total)


def of_counts(total: Counts) -> Figures:
    """The campaign's figures in the words of the programme."""
    for examples in total.examples.values():
        print("\n".join(examples), file=sys.stderr)
    counts = {name: total.counts[name] for name in ("announcements", "copies", "lives")}
    zeros = {NAMES[name]: total.findings[name] for name in ZERO}
    broken = sum(n for name, n in total.findings.items() if name not in ZERO)
    faults = dict(sorted(total.faults.items()))
    return {**zeros, "broken": broken, **counts, "core_ms": total.counts["core_ms"], "faults": faults}


async def r13(folder: Path, count: int, seed: int) -> Figures:
    return await _figures(*(partial(operator_dies, range(seed, seed + count), trouble) for trouble in DEATHS))


async def r14(folder: Path, count: int, seed: int) -> Figures:
    return await _figures(partial(returns, seed, count))


async def r15(folder: Path, count: int, seed: int) -> Figures:
    return await _figures(partial(all_fail, range(seed, seed + count)))


async def r16(folder: Path, count: int, seed: int) -> Figures:
    return await _figures(partial(flaps, range(seed, seed + count)))


async def r17(folder: Path, count: int, seed: int) -> Figures:
    return await _figures(partial(cut_off, range(seed, seed + count)))


async def _figures(*parts: Callable[[], Found]) -> Figures:
    """Each in a thread: virtual time has a loop of its own."""
    quiet()
    total = Found()
    for part in parts:
        found = await asyncio.to_thread(part)
        counts = {name: getattr(total, name) + getattr(found, name) for name in ("runs", "announcements", "copies")}
        both = Found(
            **counts, broken=total.broken + found.broken, times=total.times | found.times, most=dict(total.most)
        )
        for name, number in found.most.items():
            both.saw(name, number)
        total = replace(both)
    print("\n".join(total.broken), file=sys.stderr)
    most = {f"most_{name}": number for name, number in total.most.items()}
    return {
        "broken": len(total.broken),
        "announcements": total.announcements,
        "copies": total.copies,
        "longest_s": total.times,
        **most,
    }


PARTS: Mapping[str, Part] = {
    "simulation": Part("everything at once, on virtual time: seeded runs", 100_000, 1000, simulated),
    "r13": Part("one operator dies, in six ways: runs of each", 20, 20, r13),
    "r14": Part("it returns after an hour: announcements that wait", 10_000, 10_000, r14),
    "r15": Part("all platforms fail for ten minutes: runs", 20, 20, r15),
    "r16": Part("a platform flaps, 5 s up and 5 s down, for ten minutes: runs", 20, 20, r16),
    "r17": Part("our own network is cut off: runs", 20, 20, r17),
}
