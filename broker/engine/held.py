"""The cases a run has in memory, and what is under way for each. What is decided about them is the dispatcher's.

Memory is bounded: what waits for later is let go, and the store brings it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from broker.engine.lease import AttemptGate
from broker.engine.pacer import Permit
from broker.model import Announcement, Case, Urgency

HELD_AT_MOST = 5000
"""Cases in memory; the rest wait in the store with `wake_at`."""
DELIVERIES_A_CASE = 2
"""As many for each of them, taken together: their texts are what takes memory."""

Alter = Callable[[Case, datetime], Case]
"""A change: what came in, as a pure function from case to case."""
After = Callable[[bool], None]


@dataclass(slots=True)
class Held:
    """One case in memory with what is under way for it."""

    case: Case
    inputs: list[Alter] = field(default_factory=list)
    inbox_done: list[int] = field(default_factory=list)
    after: list[After] = field(default_factory=list)
    """Called once the decision that takes in `inputs` is durable (True) or lost (False)."""
    writing: bool = False
    undecided: bool = False
    """Taken from the store, and nothing is decided yet about what was found."""
    ripe: bool = False
    """To be decided with the next batch."""
    permits: dict[str, Permit] = field(default_factory=dict)
    offered: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    """Channels with an attempt or a question in flight."""
    gates: dict[str, AttemptGate] = field(default_factory=dict)
    """Of the attempts in flight."""
    timer: asyncio.TimerHandle | None = None

    @property
    def is_quiet(self) -> bool:
        return not (self.inputs or self.writing or self.permits or self.busy)

    def close_gates(self) -> None:
        """What has not left by now stays here."""
        for gate in self.gates.values():
            gate.close()

    def stop_timer(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None


class Memory(dict[str, Held]):
    """What is held, by announcement; `keep` and `let_go` are the only ways in and out."""

    def __init__(self, at_most: int) -> None:
        super().__init__()
        self._at_most = at_most
        self._deliveries = 0

    def keep(self, held: Held) -> Held:
        self[held.case.announcement.id] = held
        self._deliveries += len(held.case.deliveries)
        return held

    def let_go(self, announcement_id: str) -> Held | None:
        if held := self.pop(announcement_id, None):
            self._deliveries -= len(held.case.deliveries)
        return held

    @property
    def room(self) -> int:
        """How many more cases may be held."""
        most = self._at_most * DELIVERIES_A_CASE
        return max(0, self._at_most - len(self)) if self._deliveries < most else 0

    def quiet(self, most: int) -> list[str]:
        """Up to `most` cases with nothing under way, urgent ones last."""
        found = [i for i, held in self.items() if held.is_quiet]
        found.sort(key=lambda i: is_urgent(self[i].case.announcement))
        return found[:most]


def is_urgent(announcement: Announcement) -> bool:
    return announcement.draft.urgency is Urgency.URGENT
