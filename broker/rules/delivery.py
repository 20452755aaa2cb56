"""What holds of one delivery by itself: its moves, what an attempt at it may leave behind, what is to be asked next.

What an answer makes of it is said in settle.py, what becomes of a live copy in copies.py, what time alone does in
deadlines.py. Pure, like those; their common words stand at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from broker.contract import Profile
from broker.model import Delivery, OnUnconfirmed, Reason, State, StepClass, Verb
from broker.outcome import Cause
from broker.values import replace

S = State
MOVES: Mapping[State, frozenset[State]] = {
    S.STANDBY: frozenset({S.DUE, S.SKIPPED, S.LIVE}),
    S.DUE: frozenset({S.SENDING, S.CHECKING, S.FAILED, S.EXPIRED, S.SKIPPED, S.UNCONFIRMED, S.LIVE}),
    S.SENDING: frozenset({S.LIVE, S.PENDING, S.DUE, S.CHECKING, S.FAILED, S.UNCONFIRMED, S.REMOVED}),
    S.PENDING: frozenset({S.LIVE, S.FAILED, S.CHECKING, S.DUE, S.UNCONFIRMED, S.REMOVED}),
    S.CHECKING: frozenset({S.LIVE, S.PENDING, S.DUE, S.SENDING, S.FAILED, S.SKIPPED, S.UNCONFIRMED, S.REMOVED}),
    S.LIVE: frozenset({S.REMOVED, S.WITHDRAWN}),
    S.UNCONFIRMED: frozenset({S.LIVE, S.DUE, S.FAILED, S.WITHDRAWN}),
    S.REMOVED: frozenset({S.LIVE}),
    S.FAILED: frozenset({S.LIVE, S.DUE}),
    S.EXPIRED: frozenset({S.LIVE}),
    S.SKIPPED: frozenset({S.LIVE, S.DUE}),
    S.WITHDRAWN: frozenset(),
}
"""The allowed moves; the diagram in docs/states.md shows the same, which a test compares."""

GATE_CLOSED, GATE_ASKED_EVERY = timedelta(seconds=1), timedelta(seconds=15)
LONGEST_BACKOFF = timedelta(minutes=1)
LONGEST_ASK = timedelta(minutes=10)
BEFORE_SENT = timedelta(seconds=60)
"""A list must reach back this far beyond the attempt's start, for clocks that differ."""


class Policy(Struct, frozen=True):
    """What the channel and the route say about one delivery."""

    profile: Profile
    on_unconfirmed: OnUnconfirmed
    useful_until: datetime
    """After this nothing is sent any more and no question is asked."""
    withdrawn: bool = False


def verb_for(delivery: Delivery, policy: Policy, *, withdrawn: bool = False) -> Verb | None:
    """What is to be asked or done when `next_at` has come; None: nothing."""
    can = policy.profile.abilities
    match delivery.state:
        case S.DUE:
            return Verb.PUBLISH
        case S.CHECKING if step_class(delivery, policy.profile) is StepClass.KEYED:
            return Verb.PUBLISH
        case S.CHECKING if Verb.FIND in can:
            return Verb.FIND
        case S.PENDING if Verb.CONFIRM in can:
            return Verb.CONFIRM
        case S.LIVE if (withdrawn or delivery.extra) and Verb.DELETE in can:
            return Verb.DELETE
        case S.LIVE if Verb.FIND in can and not withdrawn:
            return Verb.FIND
        case _:
            return None


def begin(delivery: Delivery, policy: Policy, now: datetime) -> Delivery:
    """The durable intent: this attempt is about to leave. `next_at` is when its silence itself becomes an answer."""
    return replace(
        delivery,
        state=S.SENDING,
        attempt=delivery.attempt + 1,
        sent_at=now,
        next_at=now + lasts_at_most(policy.profile) + policy.profile.total_timeout,
        cause=None,
        reason=delivery.reason if delivery.reason and delivery.reason.key.startswith("start_") else None,
    )


def lasts_at_most(profile: Profile) -> timedelta:
    """After this an attempt is ended, whatever its adapter does: each step may be one slow call and its own renewal."""
    return 2 * profile.total_timeout * len(profile.steps)


def unsent(delivery: Delivery, policy: Policy, now: datetime) -> Delivery:
    """A `sending` whose bytes provably did not leave (closed gate): back where it was, not counted. Soon again, then
    ever later: a lease that is renewed late keeps the gate closed for a while."""
    wait = min(GATE_CLOSED * 2 ** min(delivery.asks, 12), GATE_ASKED_EVERY)
    return replace(delivery, state=returns_to(delivery, policy), next_at=now + wait, asks=delivery.asks + 1)


def returns_to(d: Delivery, policy: Policy) -> State:
    """Where an attempt that certainly failed leads: keyed copies stay uncertain if an earlier attempt was."""
    return S.CHECKING if d.first_sent_at and step_class(d, policy.profile) is StepClass.KEYED else S.DUE


def step_class(d: Delivery, profile: Profile) -> StepClass:
    """The class of the step that comes next; read-back that the platform does not offer is none."""
    return _class_of(d.step, profile)


def _class_of(step: int, profile: Profile) -> StepClass:
    said = profile.step_class(step)
    needs_find = said in (StepClass.HANDLE, StepClass.LIST)
    return StepClass.NOTHING if needs_find and Verb.FIND not in profile.abilities else said


def is_in_the_dark(policy: Policy) -> bool:
    """Nobody can be asked what became of the last step, the one that makes a post public."""
    return _class_of(len(policy.profile.steps), policy.profile) is StepClass.NOTHING


def may_be_out(d: Delivery, policy: Policy) -> bool:
    """An earlier attempt may be public and nobody can be asked, or two may be and a list showed neither: whatever ends
    this delivery must not deny them. The second repeat is decided when the first was not seen either."""
    return d.first_sent_at is not None and (is_in_the_dark(policy) or d.repeats > 1)


def counts_copies(d: Delivery) -> bool:
    """Whether its next question is to count copies: after a repeat, once somebody has read the known one back."""
    return d.repeats > 0 and (d.state is not S.LIVE or d.seen is not None)


def keeps_its_words(d: Delivery, profile: Profile) -> bool:
    """What its platform has of it: bytes that may have left, a container, or, whatever a person said since, its key."""
    taken = d.uncertain_at is not None and any(step.after_uncertain is StepClass.KEYED for step in profile.steps)
    return d.first_sent_at is not None or d.handle is not None or taken


def settled_at(d: Delivery, policy: Policy, otherwise: datetime) -> datetime:
    """From when on a list without our post says something: `settle_for` after the last byte that may have left."""
    return (d.uncertain_at or d.sent_at or otherwise) + policy.profile.settle_for


def ended(delivery: Delivery, state: State, reason: Reason, policy: Policy, now: datetime) -> Delivery:
    """A due delivery that is not sent any more: in this state, unless an earlier attempt of it may be public."""
    if may_be_out(delivery, policy):
        return left_open(delivery)
    if delivery.first_sent_at and step_class(delivery, policy.profile) is StepClass.HANDLE:
        wait = min(max(settled_at(delivery, policy, now) - now, policy.profile.first_look), LONGEST_BACKOFF)
        return moved(delivery, S.CHECKING, Reason("may_run_late"), Cause.UNCLEAR, next_at=now + wait)
    return moved(delivery, state, reason, delivery.cause)


def left_open(d: Delivery) -> Delivery:
    """Sent as often as it was not seen; or once, and nobody can tell."""
    reason = uncounted(d.repeats) if d.repeats > 1 else Reason("unconfirmed_nothing")
    return moved(d, S.UNCONFIRMED, reason, Cause.UNCLEAR)


# common words


def taken_away(d: Delivery) -> Delivery:
    """It was there, whoever heard of it: what a platform took away is not posted anew behind the desk's back."""
    return moved(d, S.REMOVED, Reason("removed"), Cause.ACCOUNT)


def ask_again(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    wait = min(policy.profile.first_look * 2 ** min(d.asks, 12), LONGEST_ASK)
    return replace(d, asks=d.asks + 1, next_at=now + wait)


def moved(d: Delivery, state: State, reason: Reason, cause: Cause | None = None, **changes: object) -> Delivery:
    """The delivery in its new state; timers and question counts start anew unless `changes` says otherwise."""
    fresh: dict[str, object] = {"next_at": None, "asks": 0, "state": state, "reason": reason, "cause": cause}
    return replace(d, **(fresh | changes))


def rested(d: Delivery, state: State, reason: Reason, cause: Cause | None = None) -> Delivery:
    """The delivery in this state, in which nothing more is to be done."""
    return replace(d, state=state, reason=reason, cause=cause, next_at=None)


def uncounted(times: int) -> Reason:
    return Reason("uncounted", {"times": times})


def iso(at: datetime) -> str:
    return at.isoformat()
