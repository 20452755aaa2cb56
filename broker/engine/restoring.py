"""What an agency decides about announcements that are older than the backup its store was restored from."""

from __future__ import annotations

from broker.model import Case, Delivery, Reason, State
from broker.outcome import Cause
from broker.values import replace

_UNSENT = frozenset({State.STANDBY, State.DUE})
_UNDER_WAY = frozenset({State.SENDING, State.PENDING, State.CHECKING})


def not_resent(case: Case) -> Case:
    """Ends what was unsent when the backup was taken; what was under way a person must look for. Pure."""
    return Case(case.announcement, {name: _given_up(d) for name, d in case.deliveries.items()})


def _given_up(delivery: Delivery) -> Delivery:
    reason = Reason("not_resent")
    if delivery.state in _UNSENT:
        return replace(delivery, state=State.SKIPPED, next_at=None, reason=reason)
    if delivery.state in _UNDER_WAY:
        return replace(delivery, state=State.UNCONFIRMED, next_at=None, cause=Cause.UNCLEAR, reason=reason)
    return delivery
