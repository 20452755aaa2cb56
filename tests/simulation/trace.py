"""The log of one simulated run: who did what, when and why. The same seed writes the same log, line for line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


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
            yield f"{at:10.3f}  {who:<12} {what:<12} {'  '.join(map(_told, details))}".rstrip()


def _told(detail: object) -> str:
    return f"{detail:.3f}" if isinstance(detail, float) else str(detail)
