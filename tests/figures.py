"""The figures of the long programme: kept run by run in docs/figures/reliability.json, added up in docs/promises.md."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures" / "reliability.json"
PAGE = ROOT / "docs" / "promises.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
BAD = (
    "lost", "duplicates", "untrue", "after_withdrawal", "stuck", "refused", "silent", "acknowledged_after_eio",
    "sent_without_intent", "posts_while_frozen", "scans", "broken",
)  # fmt: skip
"""What must be zero, wherever it is counted."""

HIDDEN = ("faults", "deliveries")
"""Too long for the table."""

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the programme."""

    says: str
    count: int
    """The programme's number."""
    each: int
    """So many at a time: what is done is kept, whatever becomes of the rest."""
    run: Callable[[Path, int, int], Coroutine[Any, Any, Figures]]
    """Takes an empty folder, how many, and a seed."""


def added(one: Any, other: Any, name: str = "") -> Any:
    """Two figures of the same name as one: counts add up, of times (`…_s`) and of `most_…` the greater one stays."""
    if isinstance(one, dict):
        keys = [*one, *(key for key in other if key not in one)]
        timed = name if name.endswith("_s") or name.startswith("most_") else ""
        return {
            k: added(one[k], other[k], timed or k) if k in one and k in other else one.get(k, other.get(k))
            for k in keys
        }
    return max(one, other) if name.endswith("_s") or name.startswith("most_") else one + other


def total(runs: Sequence[Figures]) -> Figures:
    """What several runs of one part found together."""
    sum_, *others = (run["found"] for run in runs)
    for each in others:
        sum_ = added(sum_, each)
    return dict(sum_)


def bad(found: Figures) -> int:
    """How much of it must not be."""
    return sum(found.get(name, 0) for name in BAD)


def read() -> dict[str, list[Figures]]:
    return json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}


def keep(part: str, run: Figures, *, add: bool) -> None:
    """Writes one run down: beside the part's earlier ones, or in their place."""
    known = read()
    known[part] = [*(known.get(part, []) if add else []), run]
    FIGURES.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def render(says: Mapping[str, tuple[str, int]]) -> None:
    """Puts the table into the page; `says`: for each part what is done, and how often the programme wants it."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table = "\n".join(_lines(says, read()))
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _lines(says: Mapping[str, tuple[str, int]], known: Mapping[str, list[Figures]]) -> list[str]:
    lines = ["| | fault | N (of) | must be 0 | found besides | seeds | commit, day |", "|---|---|---|---|---|---|---|"]
    for part, (what, wanted) in says.items():
        if runs := known.get(part):
            found, n = total(runs), sum(run["n"] for run in runs)
            zeros = ", ".join(f"{_plain(name)} {found.pop(name)}" for name in BAD if name in found)
            seeds = sorted({run["seed"] for run in runs})
            commits = ", ".join(dict.fromkeys(run["commit"] for run in runs))
            row = (
                part,
                what,
                f"{n:,} ({wanted:,})",
                zeros,
                _words(found),
                _shortened(seeds),
                f"{commits}, {runs[-1]['on']}",
            )
            lines.append(f"| {' | '.join(row)} |")
    return lines


def _words(found: Mapping[str, Any]) -> str:
    said = [
        f"{_plain(key)} {_value(value)}" for key, value in found.items() if key not in HIDDEN and value not in (0, {})
    ]
    if faults := found.get("faults"):
        said.append(f"each of {len(faults)} kinds of fault in at least {min(faults.values()):,}")
    return "; ".join(said)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(str(key))} {_value(item)}" for key, item in value.items())
    return f"{value:,}"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _shortened(seeds: list[int]) -> str:
    return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 4 else ", ".join(map(str, seeds))


def commit() -> str:
    """Of the code in this folder."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
