"""The long programme with real processes, part by part: `tests.deep` runs it, docs/promises.md has its figures."""

from __future__ import annotations

import asyncio
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.acceptance.ambiguous import ambiguous
from tests.acceptance.backlog import waits
from tests.acceptance.campaign import Death, at_random, killed, named, twice
from tests.acceptance.damage import flipped
from tests.acceptance.disk import broken_disk, full_disk, killed_at_call
from tests.acceptance.frozen import frozen
from tests.acceptance.power import cut_off
from tests.acceptance.processes import PATIENCE_S, platforms
from tests.acceptance.rig import EMULATED, OPTIONS, SLOWER, Rig
from tests.acceptance.verdict import Verdict
from tests.acceptance.wall_clock import set_wrong
from tests.figures import Figures, Part


async def r1(folder: Path, count: int, seed: int) -> Figures:
    """Half at named points, half at random moments."""
    rng = random.Random(seed)
    points = named(3, rng)[: count // 2]
    return await _deaths(folder, [*points, *at_random(count - len(points), rng)], seed)


async def r2(folder: Path, count: int, seed: int) -> Figures:
    return await _deaths(folder, twice(count, random.Random(seed)), seed)


async def _deaths(folder: Path, deaths: list[Death], seed: int) -> Figures:
    report = await killed(folder, deaths, seed)
    return _sum([report.verdict]) | {
        "kills": report.killed_at.total(),
        "most_points_reached": len(report.killed_at.keys() - {"a random moment"}),
        "back_in_service_s": _times(report.back_in_s),
        "processor_until_then_s": _times(report.worked_s),
    }


def _times(seconds: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(seconds), 2), "longest": round(max(seconds), 2)}


async def r1_calls(folder: Path, count: int, seed: int) -> Figures:
    """At the n-th sync, write or send, each from the first start's migration on."""
    rng, verdicts = random.Random(seed), []
    for number, calls in enumerate(("fdatasync", "pwrite64", "sendto")):
        here = _made(folder / calls)
        places = sorted(rng.sample(range(1, 120), count // 3))
        verdicts.append(await killed_at_call(here, calls, places, seed + number))
    return _sum(verdicts)


async def r3(folder: Path, count: int, seed: int) -> Figures:
    return _sum([(await cut_off(folder, count, seed)).verdict])


async def r4(folder: Path, count: int, seed: int) -> Figures:
    places = random.Random(seed).sample(range(1, 60), count)
    found = [await broken_disk(_made(folder / str(nth)), nth, seed + nth) for nth in places]
    return _sum(each.verdict for each in found) | {
        "acknowledged_after_eio": sum(len(each.acknowledged_after) for each in found),
        "exit_codes": dict(Counter(str(each.exit_code) for each in found)),
        "unrecorded_outcomes_on_stderr": sum(each.unrecorded for each in found),
    }


async def r5(folder: Path, count: int, seed: int) -> Figures:
    """`count` seconds."""
    full = await full_disk(folder, seed, seconds=count)
    return _sum([full.verdict]) | full.figures()


async def r8(folder: Path, count: int, seed: int) -> Figures:
    """All at once: they mostly stand still."""
    async with platforms(*EMULATED, options=OPTIONS) as (control, found):
        works = (frozen(_made(folder / str(n)), control, found, seed + n, ended=n % 2 == 0) for n in range(count))
        ends = await asyncio.gather(*works)
    owners = [end for end in ends if not end.ended]
    return _sum(end.verdict for end in ends) | {
        "posts_while_frozen": sum(end.posts for end in ends if end.ended),
        "ended_by_another": len(ends) - len(owners),
        "still_owners": len(owners),
    }


async def r9(folder: Path, count: int, seed: int) -> Figures:
    return _sum([await set_wrong(folder, count, seed)])


async def r12(folder: Path, count: int, seed: int) -> Figures:
    found = await ambiguous(folder, count, seed)
    return _sum([found.verdict]) | {"cases": dict(found.cases), "ways": dict(found.ways)}


async def r12_slower(folder: Path, count: int, seed: int) -> Figures:
    found = await ambiguous(folder, count, seed, only=SLOWER)
    return _sum([found.verdict]) | {"cases": dict(found.cases), "ways": dict(found.ways)}


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
        verdict = await rig.verdict(2 * PATIENCE_S)
    return _sum([verdict]) | {"longest_stop_s": round(max(took), 2)}


async def r23(folder: Path, count: int, seed: int) -> Figures:
    async with platforms(*EMULATED, options=OPTIONS) as (control, found), Rig(folder, control, found, seed=seed) as rig:
        await rig.start()
        rig.submit(30)
        await rig.verdict()
        await rig.end(signal.SIGTERM)
        damage = flipped(rig.store, _made(folder / "copies"), count, seed)
    return {"places": dict(damage.places), "silent": len(damage.silent)}


async def r25(folder: Path, count: int, seed: int) -> Figures:
    found = await waits(folder, count, for_s=60)
    return {
        "scans": len(found.scans),
        "most_rss_mb": found.peak_rss_mb,
        "ready_s": found.ready_s,
        "most_ms_a_query": found.queries_ms,
    }


PARTS: Mapping[str, Part] = {
    "r1": Part("SIGKILL at named points and at random moments", 1000, 50, r1),
    "r1-calls": Part("SIGKILL at the n-th fdatasync, pwrite64, sendto", 90, 30, r1_calls),
    "r2": Part("killed again while recovering", 100, 25, r2),
    "r3": Part("power cuts, every other one torn", 200, 25, r3),
    "r4": Part("fdatasync answers EIO from the n-th on", 50, 10, r4),
    "r5": Part("a full disk, 100 announcements a second; seconds", 60, 60, r5),
    "r8": Part("frozen past its lease, then thawed", 100, 10, r8),
    "r9": Part("a wall clock set wrong, by an hour to twelve years; announcements", 500, 100, r9),
    "r12": Part("answers lost after the post was made, on each channel", 500, 25, r12),
    "r12-slower": Part("the same on channels that work on a post, or let people look, first", 500, 50, r12_slower),
    "r20": Part("SIGTERM under load", 50, 25, r20),
    "r25": Part("announcements queued, ten deliveries each, and nobody answers", 100_000, 100_000, r25),
    "r23": Part("one flipped bit in the store", 500, 100, r23),
}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _sum(verdicts: Iterable[Verdict]) -> Figures:
    total: Counter[str] = Counter()
    for verdict in verdicts:
        for fault in verdict.faults[:20]:
            print(f"  {fault}", file=sys.stderr)
        total.update(verdict.figures())
    return dict(total)
