"""The log of one simulated run: who did what, when and why. The same seed writes the same log, line for line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, timedelta
from enum import Enum

from broker.model import Reason
from broker.rules.sentences import sentence


@dataclass(slots=True)
class Trace:
    """Entries are kept as they are and become text only when somebody reads them."""

    time: Callable[[], float]
    entries: list[tuple[float, str, str, tuple[object, ...]]] = field(default_factory=list)

    def add(self, who: str, what: str, *details: object) -> None:
        self.entries.append((self.time(), who, what, details))

    def lines(self) -> Iterator[str]:
        """For people: seconds since the start, who, what, and why."""
        for at, who, what, details in self.entries:
            yield f"{at:10.3f}  {who:<10} {what:<12} {'  '.join(map(told, details))}".rstrip()


def told(detail: object) -> str:
    """One detail as people read it: a reason in English, an answer by what it says."""
    match detail:
        case Reason():
            return sentence(detail, UTC)["en"]
        case None:
            return "says nothing"
        case float():
            return f"{detail:.3f}"
        case timedelta():
            return f"{detail.total_seconds():g} s"
        case Enum():
            return str(detail.value)
        case tuple():
            return ", ".join(map(told, detail))
        case _ if is_dataclass(detail) and not isinstance(detail, type):
            said = ((f.name, getattr(detail, f.name)) for f in fields(detail))
            return " ".join([type(detail).__name__, *(f"{n}={told(v)}" for n, v in said if v not in (None, "", ()))])
        case _:
            return str(detail)
