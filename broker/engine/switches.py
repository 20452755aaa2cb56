"""What tests may change about a running broker; production runs with all of it untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Point(StrEnum):
    """Named places between two effects, where a test may end the process: what is durable there, and what is not."""

    RUN_BEGUN = "run.begun"
    """Earlier runs are ended, nothing is claimed."""
    CLAIM_DURABLE = "claim.durable"
    CLAIM_ADOPTED = "claim.adopted"
    ACCEPT_PLANNED = "accept.planned"
    ACCEPT_DURABLE = "accept.durable"
    """Stored; nothing sent, nobody answered."""
    ACCEPT_ACTED = "accept.acted"
    """Sends are under way; the caller has no answer."""
    PERMIT_GIVEN = "permit.given"
    INTENT_DURABLE = "intent.durable"
    """The adapter is called next."""
    KEEP_ASKED = "keep.asked"
    """The platform gave a handle that only memory knows."""
    KEEP_DURABLE = "keep.durable"
    OUTCOME_KNOWN = "outcome.known"
    """Sent, not recorded."""
    OUTCOME_QUEUED = "outcome.queued"
    DECISION_DURABLE = "decision.durable"
    """Recorded, not acted upon."""
    QUESTION_BEGUN = "question.begun"
    QUESTION_ANSWERED = "question.answered"
    INBOX_DURABLE = "inbox.durable"
    INBOX_TAKEN = "inbox.taken"
    INBOX_SETTLED = "inbox.settled"
    BATCH_TAKEN = "batch.taken"
    """In the writer's thread, before the transaction."""
    BATCH_DURABLE = "batch.durable"
    """In the writer's thread: committed, and nobody knows."""
    DRAIN_BEGUN = "drain.begun"
    DRAIN_DONE = "drain.done"
    """Everything is recorded, the run is not ended."""


At = Callable[[Point], None]


def pass_by(point: Point) -> None:
    """Nothing happens at any point."""


@dataclass(frozen=True, slots=True)
class Switches:
    """Sabotage for safety tests: each one turned must turn a test red."""

    gate: bool = True
    sweep: bool = True
    """What this run owns and does not hold is looked for in the store: what has something to do now, and all of it."""
    crash_is_checking: bool = True
    acknowledge_first: bool = False
    synchronous: str = "FULL"
    hung_after_s: float | None = 60.0
    """How long the event loop may stand still before the process ends; None: nobody watches."""
    at: At = pass_by
    """Called at every point, from any thread."""
