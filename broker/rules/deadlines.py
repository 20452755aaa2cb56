"""What time alone does to a delivery that was sent or is to be sent: until when it may leave, and be asked about.

Stand-bys are `plan`'s; until when sending makes sense to a route is said in timing.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from broker.model import Delivery, Reason, State, StepClass, Verb
from broker.outcome import Cause, Fault, Uncertain
from broker.rules.delivery import (
    BEFORE_SENT,
    Policy,
    ended,
    is_in_the_dark,
    iso,
    moved,
    settled_at,
    step_class,
    uncounted,
)
from broker.rules.settle import settle
from broker.values import replace

S = State


def by_time(delivery: Delivery, policy: Policy, now: datetime) -> Delivery:
    """What time alone does to a delivery that was sent or is to be sent; stand-bys are `plan`'s."""
    match delivery.state:
        case S.DUE if now >= policy.useful_until:
            return ended(delivery, S.EXPIRED, Reason("expired", {"until": iso(policy.useful_until)}), policy, now)
        case S.SENDING if delivery.next_at is not None and now >= delivery.next_at:
            return settle(delivery, Verb.PUBLISH, Uncertain(Fault.HANG, "no answer at all"), policy, now)
        case S.PENDING if now >= (end := (delivery.sent_at or policy.useful_until) + policy.profile.pending_for):
            return _given_up(delivery, policy, end)
        case S.CHECKING if now >= (end := asked_until(delivery, policy)) or _key_age_is_unknown(delivery, policy, now):
            return _given_up(delivery, policy, end)
        case _:
            return delivery


def _given_up(d: Delivery, policy: Policy, end: datetime) -> Delivery:
    """Nobody could tell in time; after a repeat, neither how many copies there are. What was there and hidden from
    readers goes on saying so, with what to do."""
    if d.repeats and not is_in_the_dark(policy):
        return moved(d, S.UNCONFIRMED, uncounted(d.repeats + 1), Cause.UNCLEAR)
    if d.reason is not None and d.reason.key == "hidden":
        return moved(d, S.UNCONFIRMED, d.reason, d.cause)
    return moved(d, S.UNCONFIRMED, Reason("unconfirmed_time", {"until": iso(end)}), Cause.UNCLEAR)


def time_limit(delivery: Delivery, policy: Policy) -> datetime | None:
    """When `by_time` will next change this delivery."""
    match delivery.state:
        case S.DUE:
            return policy.useful_until
        case S.SENDING:
            return delivery.next_at
        case S.PENDING:
            return (delivery.sent_at or policy.useful_until) + policy.profile.pending_for
        case S.CHECKING:
            return asked_until(delivery, policy)
        case _:
            return None


def asked_until(delivery: Delivery, policy: Policy) -> datetime:
    """Until when an uncertain delivery is asked about: its useful time and `settle_for`; keyed: as long as its key will
    outlive a repeat that the platform runs late."""
    sent = delivery.first_sent_at or delivery.sent_at or policy.useful_until
    if step_class(delivery, policy.profile) is StepClass.KEYED:
        late = max(policy.profile.settle_for, policy.profile.total_timeout)
        known_until = sent + max(policy.profile.key_lifetime - late, timedelta(0))
        return min(max(policy.useful_until, sent), known_until)
    return max(policy.useful_until, settled_at(delivery, policy, sent) + 2 * policy.profile.first_look)


def sent_until(delivery: Delivery, policy: Policy) -> datetime:
    """Until when an attempt may begin to leave: its intent may be long on its way to the disk, or wait for its turn."""
    is_repeat = delivery.first_sent_at is not None
    return min(policy.useful_until, asked_until(delivery, policy)) if is_repeat else policy.useful_until


def _key_age_is_unknown(d: Delivery, policy: Policy, now: datetime) -> bool:
    """The clock was set back since the key was sent, first or last: the platform may have forgotten it by now."""
    known = (at for at in (d.first_sent_at, d.sent_at, d.uncertain_at) if at is not None)
    ahead = d.first_sent_at is not None and max(known) > now + BEFORE_SENT
    return ahead and step_class(d, policy.profile) is StepClass.KEYED


def as_found(d: Delivery, policy: Policy, began_at: datetime, now: datetime, *, clock_set_back: bool) -> Delivery:
    """As a run that began at `began_at` finds what an earlier one left in doubt. The wall clock that both went by may
    have been set between them: `settle_for` counts anew from then on, and a key is of unknown age if the clock was set
    back."""
    if clock_set_back and d.state is S.CHECKING and step_class(d, policy.profile) is StepClass.KEYED:
        return _given_up(d, policy, now)
    is_open = d.state in (S.DUE, S.CHECKING, S.PENDING)
    return replace(d, uncertain_at=max(d.uncertain_at, began_at)) if is_open and d.uncertain_at else d
