"""R1 and R2: one broker killed again and again, on one store, in the middle of everything. Each life recovers what the
lives before left, and is killed in turn; only the last one may finish. Figures come from the platforms' logs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM

from broker.engine.switches import Point
from tests.acceptance.processes import PATIENCE_S, platforms, send
from tests.acceptance.rig import EMULATED, OPTIONS, Rig
from tests.acceptance.verdict import Verdict

IN_RECOVERY = (Point.RUN_BEGUN, Point.CLAIM_DURABLE, Point.CLAIM_ADOPTED, Point.DECISION_DURABLE, Point.OUTCOME_KNOWN)
"""Where a life that has something to recover is likely to come by before anything new happens."""
DIES_WITHIN = 8.0
AFTER_A_STOP = frozenset({Point.DRAIN_BEGUN, Point.DRAIN_DONE})
AFTER_A_WORD = frozenset({Point.INBOX_DURABLE, Point.INBOX_TAKEN, Point.INBOX_SETTLED})
PASSES = dict.fromkeys((*AFTER_A_STOP, *AFTER_A_WORD, Point.RUN_BEGUN, Point.CLAIM_DURABLE, Point.CLAIM_ADOPTED), 1)
PASSES |= dict.fromkeys((Point.ACCEPT_PLANNED, Point.ACCEPT_DURABLE, Point.ACCEPT_ACTED), 2)
"""How often one life comes by at most; the others are passed at least four times."""


@dataclass(frozen=True, slots=True)
class Death:
    """How one life is to end: at a point for the n-th time, or (no point) so long after it began."""

    point: Point | None = None
    n: int = 1
    after_s: float = 0.0


@dataclass(slots=True)
class Report:
    """What a campaign found."""

    seed: int
    verdict: Verdict
    lives: int
    killed_at: Counter[str] = field(default_factory=Counter)
    back_in_s: list[float] = field(default_factory=list)
    worked_s: list[float] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [f"seed {self.seed}: {fault}" for fault in self.verdict.faults]


def named(times: int, rng: random.Random) -> list[Death]:
    """Every named point so many times, at a different pass each time, in any order."""
    deaths = [Death(point, rng.randint(1, PASSES.get(point, 4))) for point in Point for _ in range(times)]
    rng.shuffle(deaths)
    return deaths


def at_random(count: int, rng: random.Random) -> list[Death]:
    return [Death(after_s=rng.uniform(0.0, 0.7)) for _ in range(count)]


def twice(count: int, rng: random.Random) -> list[Death]:
    """R2: killed, and killed again while recovering from it."""
    firsts = [Point.INTENT_DURABLE, Point.OUTCOME_KNOWN, Point.KEEP_DURABLE, Point.ACCEPT_DURABLE, Point.BATCH_DURABLE]
    pairs = [(Death(rng.choice(firsts), rng.randint(1, 4)), Death(rng.choice(IN_RECOVERY))) for _ in range(count)]
    return [death for pair in pairs for death in pair]


async def killed(
    folder: Path,
    deaths: Sequence[Death],
    seed: int,
    *,
    each: int = 2,
    sabotage: str = "",
    within: float = 2 * PATIENCE_S,
) -> Report:
    """Lets each life die as planned while clients hand in `each` announcements, then lets the last one finish."""
    async with (
        platforms(*EMULATED, options=OPTIONS) as (control, found),
        Rig(folder, control, found, seed=seed) as rig,
    ):
        killed_at: Counter[str] = Counter()
        for death in deaths:
            killed_at[await _one_life(rig, death, each, sabotage)] += 1
        await rig.start(sabotage=sabotage)
        verdict = await rig.verdict(within)
        await rig.end(SIGTERM)
        return Report(seed, verdict, rig.lives, killed_at, rig.back_in_s, rig.worked_s)


async def _one_life(rig: Rig, death: Death, each: int, sabotage: str) -> str:
    """What ended it."""
    plan = f"{death.point}:{death.n}" if death.point else ""
    await rig.start(crash_at=plan, sabotage=sabotage)
    made = rig.submit(each)
    if death.point in AFTER_A_WORD:
        rig.take_back(made[0])
    if death.point in AFTER_A_STOP:
        await asyncio.sleep(0.05)
        assert rig.life is not None
        send(rig.life, SIGTERM)
    if await rig.died(DIES_WITHIN if death.point else death.after_s):
        return str(death.point)
    await rig.end(SIGKILL)
    return "a random moment"
