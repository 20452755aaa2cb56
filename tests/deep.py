"""`make deep`: the long programme. Figures go to docs/figures/reliability.json and into docs/promises.md.

python -m tests.deep                          all of it, some hours on two cores
python -m tests.deep r1 --count 100           one part, or some of it; `--add`: beside what was found before
python -m tests.deep --table                  nothing but the table in docs/promises.md, from the figures
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from broker.clock import SystemClock
from tests.acceptance.deep import PARTS as PROCESSES
from tests.figures import Part, bad, commit, keep, render
from tests.simulation.deep import PARTS as SIMULATED

PARTS: Mapping[str, Part] = {**PROCESSES, **SIMULATED}


def run_part(name: str, count: int | None, seed: int, *, add: bool) -> int:
    """Runs one part some at a time and keeps its figures; how much was found that must not be."""
    part, faults, done = PARTS[name], 0, 0
    wanted = count or part.count
    while done < wanted:
        some, begun, code = min(part.each, wanted - done), time.monotonic(), commit()
        with tempfile.TemporaryDirectory(prefix="loa-deep-") as folder:
            found = asyncio.run(part.run(Path(folder), some, seed + done))
        today = SystemClock().now().date().isoformat()
        took_s = round(time.monotonic() - begun)
        run = {"n": some, "seed": seed + done, "commit": code, "on": today, "took_s": took_s, "found": found}
        keep(name, run, add=add or done > 0)
        render({each: (said.says, said.count) for each, said in PARTS.items()})
        print(json.dumps({name: run}, ensure_ascii=False), flush=True)
        faults, done = faults + bad(found), done + some
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.deep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--count", type=int, help="how many (default: the programme's number)")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--add", action="store_true", help="add to the figures there are, instead of replacing them")
    parser.add_argument("--table", action="store_true", help="run nothing")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    if given.table:
        render({name: (part.says, part.count) for name, part in PARTS.items()})
        return
    sys.exit(bool(sum(run_part(name, given.count, given.seed, add=given.add) for name in given.parts or PARTS)))


if __name__ == "__main__":
    main()
