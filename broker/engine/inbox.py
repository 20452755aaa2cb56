"""What any process may tell the owner of an announcement, and how the owner takes it in.

Anyone may insert an entry; only the owner settles it, in the same transaction that removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from broker import outcome as outcomes
from broker.engine.restoring import not_resent
from broker.model import Case, Delivery, Reason, State, Verb
from broker.outcome import Cause, Finding, Live, Seen
from broker.rules.delivery import Policy
from broker.rules.settle import settle
from broker.store import InboxEntry
from broker.values import replace

Policies = Callable[[Case, Delivery], Policy | None]

OUTCOME, RESOLUTION, WITHDRAWAL, REPLACED, REOPEN = "outcome", "resolution", "withdrawal", "replaced", "reopen"
NOT_RESENT = "not_resent"
_BY_NAME: dict[str, Callable[..., Finding]] = {
    t.__name__: t for t in (Live, outcomes.Pending, outcomes.Unfinished, outcomes.Unavailable)
}
_BY_NAME |= {t.__name__: t for t in (outcomes.Throttled, outcomes.Denied, outcomes.Rejected, outcomes.Uncertain)}
_BY_NAME |= {t.__name__: t for t in (outcomes.Absent, outcomes.NotSeen, outcomes.Hidden)}


def late_outcome(delivery: Delivery, outcome: Finding) -> InboxEntry:
    """An outcome whose announcement is owned by somebody else by now."""
    return InboxEntry(
        announcement_id=delivery.announcement_id,
        channel=delivery.channel,
        attempt=delivery.attempt,
        kind=OUTCOME,
        payload=to_data(outcome),
    )


def alter_for(entry: InboxEntry, policies: Policies) -> Callable[[Case, datetime], Case]:
    """The change an entry asks for; pure."""

    def alter(case: Case, now: datetime) -> Case:
        if entry.kind == WITHDRAWAL:
            return withdrawn(case, entry.payload, now)
        if entry.kind == NOT_RESENT:
            return not_resent(case)
        if entry.kind == REPLACED:
            return Case(replace(case.announcement, replaced_by=entry.payload["by"]), case.deliveries)
        delivery = case.deliveries.get(entry.channel or "")
        if delivery is None:
            return case
        changed = _changed(entry, delivery, policies(case, delivery), now)
        return Case(case.announcement, {**case.deliveries, delivery.channel: changed})

    return alter


def withdrawn(case: Case, payload: Mapping[str, Any], now: datetime) -> Case:
    if case.announcement.withdrawn_at is not None:
        return case
    why, who = payload.get("because") or None, payload.get("by") or None
    taken_back = replace(case.announcement, withdrawn_at=now, withdrawn_because=why, withdrawn_by=who)
    return Case(taken_back, case.deliveries)


def _changed(entry: InboxEntry, delivery: Delivery, policy: Policy | None, now: datetime) -> Delivery:
    """A channel that is no longer configured has no policy; a person may know of it all the same."""
    match entry.kind:
        case "outcome" if policy is not None:
            outcome = from_data(entry.payload)
            current = entry.attempt == delivery.attempt or isinstance(outcome, Live)
            return settle(delivery, Verb.PUBLISH, outcome, policy, now) if current else delivery
        case "resolution":
            return resolved(delivery, entry.payload, now)
        case "reopen" if policy is not None and delivery.state is State.FAILED:
            return replace(delivery, state=State.DUE, cause=None, next_at=None, reason=Reason("reopened"))
        case _:
            return delivery


RESOLVABLE = frozenset(
    {State.UNCONFIRMED, State.CHECKING, State.PENDING, State.REMOVED, State.FAILED, State.EXPIRED, State.SKIPPED}
)
"""Of these a person may say that they are live; of the first three also that they are not."""

REMOVABLE = frozenset({State.LIVE, State.UNCONFIRMED})
"""Of a withdrawn announcement: what a person may have taken away."""


def resolved(delivery: Delivery, payload: Mapping[str, Any], now: datetime) -> Delivery:
    """A person's word: it is live, it is not (and may be sent again), or, after a withdrawal, it is gone."""
    by = str(payload.get("by") or "desk")
    if payload.get("gone"):
        return _gone(delivery, by)
    if delivery.state not in RESOLVABLE:
        return delivery
    if payload["live"]:
        url = payload.get("url")
        return replace(
            delivery,
            state=State.LIVE,
            url=url or delivery.url,
            platform_id=delivery.platform_id or url or "by hand",
            seen=Seen.PUBLIC,
            live_at=now,
            next_at=None,
            cause=None,
            reason=Reason("resolved_live", {"by": by}),
        )
    if delivery.state not in (State.UNCONFIRMED, State.CHECKING, State.PENDING):
        return delivery
    target = State.DUE if payload.get("send_again") else State.FAILED
    return replace(
        delivery,
        state=target,
        handle=None,
        step=0,
        next_at=None,
        first_sent_at=None,
        cause=None if target is State.DUE else Cause.UNCLEAR,
        reason=Reason("resolved_not_live", {"by": by}),
    )


def _gone(delivery: Delivery, by: str) -> Delivery:
    if delivery.state not in REMOVABLE:
        return delivery
    said = Reason("resolved_gone", {"by": by})
    return replace(delivery, state=State.WITHDRAWN, extra=(), next_at=None, cause=None, reason=said)


def to_data(outcome: Finding) -> dict[str, Any]:
    """An outcome as JSON-ready data; `from_data` gives it back."""
    return {"type": type(outcome).__name__} | {f.name: _plain(getattr(outcome, f.name)) for f in fields(outcome)}


def from_data(data: Mapping[str, Any]) -> Finding:
    kind = _BY_NAME[data["type"]]
    return kind(**{k: _rich(k, v) for k, v in data.items() if k != "type"})


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value


def _rich(name: str, value: Any) -> object:
    if value is None:
        return None
    match name:
        case "retry_after" | "resume_after" | "check_after":
            return timedelta(seconds=value)
        case "back_to":
            return datetime.fromisoformat(value)
        case "fault":
            return outcomes.Fault(value)
        case "seen":
            return Seen(value)
        case "extra":
            return tuple(value)
        case _:
            return value
