"""R9: somebody sets the wall clock wrong in the middle of the work, and a later start finds it years ahead."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGTERM

from tests.acceptance.processes import PATIENCE_S, platforms
from tests.acceptance.rig import EMULATED, OPTIONS, Rig
from tests.acceptance.verdict import Verdict

JUMPS_S = (3600, -3600, 0, 300, -300, 0)
WAIT = 12
"""So many posts are told to come again in two seconds: something waits whenever the clock jumps."""
DAYS = (datetime(2028, 2, 29, 23, 59, 58, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 4, tzinfo=UTC))
"""A leap day that ends, and the end of 32-bit time: each a few seconds after a start."""


async def set_wrong(folder: Path, count: int, seed: int, *, sabotage: str = "", within: float = PATIENCE_S) -> Verdict:
    """`count` announcements while the clock jumps within one life, then over starts, always forward."""
    async with platforms(*EMULATED, options=OPTIONS) as (control, found), Rig(folder, control, found, seed=seed) as rig:
        rng, shift = random.Random(seed), folder / "shift"
        _set(shift, 0)
        rig.environment["LOA_CLOCK_SHIFT"] = str(shift)
        await rig.start(sabotage=sabotage)
        await rig.control.fail("telegram", "throttled", step="publish", times=WAIT, after=2)
        each = count // (len(JUMPS_S) + len(DAYS))
        for jump_s in JUMPS_S:
            rig.submit(each)
            await asyncio.sleep(rng.uniform(0.05, 0.4))
            _set(shift, jump_s)
        verdict = await rig.verdict(within)
        for day in DAYS:
            await rig.end(SIGTERM)
            _set(shift, (day - datetime.now(UTC)).total_seconds())
            await rig.start()
            rig.submit((count - len(rig.submissions)) // (len(DAYS) - DAYS.index(day)))
            verdict = await rig.verdict(within)
        return verdict


def _set(shift: Path, seconds: float) -> None:
    """All at once: the broker reads it whenever it asks for the time."""
    shift.with_suffix(".new").write_text(str(seconds))
    shift.with_suffix(".new").replace(shift)
