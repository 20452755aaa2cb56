"""`settle`: what becomes of one delivery after one answer. Implements table I and the publish table (docs/states.md).

A failed question never changes a delivery's state; only its own publish, a proof, or time does. What answers make of a
copy that is live is in copies.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zlib import crc32

from broker.model import Delivery, OnUnconfirmed, Reason, State, StepClass, Verb
from broker.outcome import (
    Absent,
    Cause,
    Denied,
    Fault,
    Finding,
    Hidden,
    Live,
    NotSeen,
    Pending,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
    bounded,
)
from broker.rules.copies import deleted, each_once, looked_back, went_live
from broker.rules.delivery import (
    BEFORE_SENT,
    LONGEST_BACKOFF,
    Policy,
    ask_again,
    ended,
    iso,
    left_open,
    may_be_out,
    moved,
    returns_to,
    settled_at,
    step_class,
    taken_away,
    uncounted,
)
from broker.values import replace

S = State
TRIES = 3
"""Tries per delivery and episode, one quick and two spread; then it waits for evidence (AWS, SRE retry budgets)."""
REPEATS = 2
"""Repeats after `NotSeen` before a person is asked instead."""
SHOWS_A_COPY = frozenset({Verb.PUBLISH, Verb.CONFIRM, Verb.FIND})
"""Verbs whose `Live` means that this post is public; a probe's speaks of the account only."""


def settle(delivery: Delivery, verb: Verb, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    """The delivery after this answer; itself, unchanged, when the answer says nothing about it. Pure."""
    if isinstance(outcome, Live) and verb in SHOWS_A_COPY:
        return went_live(delivery, verb, each_once(outcome), policy, now)
    match verb:
        case Verb.PUBLISH if delivery.state in (S.SENDING, S.CHECKING):
            return _published(delivery, outcome, policy, now)
        case Verb.CONFIRM if delivery.state is S.PENDING:
            return _confirmed(delivery, outcome, policy, now)
        case Verb.FIND if delivery.state is S.CHECKING:
            return _found(delivery, outcome, policy, now)
        case Verb.FIND if delivery.state is S.LIVE:
            return looked_back(delivery, outcome, policy, now)
        case Verb.DELETE if delivery.state is S.LIVE:
            return deleted(delivery, outcome, policy, now)
        case _:
            return delivery


def concerns(outcome: Finding | None, verb: Verb, asked: Delivery, delivery: Delivery) -> bool:
    """Whether the answer to what was asked of `asked` says anything about the delivery as it is by now. A copy always
    does; that there is none denies no word that came in meanwhile, a person's or a late answer's."""
    if isinstance(outcome, Live):
        return True
    return asked.attempt == delivery.attempt and (verb is Verb.PUBLISH or asked.state is delivery.state)


# publish


def _published(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    match outcome:
        case Pending():
            return _pending(d, outcome, policy, now)
        case Unfinished(handle, resume_after):
            return moved(d, S.DUE, Reason("unfinished"), handle=handle, next_at=now + resume_after)
        case Absent(removed):
            return taken_away(d) if removed else _proved_absent(d, policy, now)
        case Unavailable(_, detail, retry_after):
            return _retry(d, Reason("unavailable", {"detail": detail, "tries": d.tries + 1}), retry_after, policy, now)
        case Throttled(retry_after):
            at = now + bounded(retry_after)
            return moved(d, returns_to(d, policy), Reason("throttled", {"until": iso(at)}), Cause.LIMIT, next_at=at)
        case Denied(detail):
            back = returns_to(d, policy)
            again_at = now + LONGEST_BACKOFF if back is S.CHECKING else None
            return moved(d, back, Reason("denied", {"detail": detail}), Cause.ACCOUNT, next_at=again_at)
        case Rejected(_, detail) if returns_to(d, policy) is S.CHECKING:
            return moved(d, S.UNCONFIRMED, Reason("uncertain", {"detail": detail}), Cause.UNCLEAR)
        case Rejected():
            return ended(replace(d, cause=Cause.CONTENT), S.FAILED, _judged(outcome), policy, now)
        case Uncertain():
            return _uncertain(d, outcome, policy, now)
        case _:
            return d


def _judged(no: Rejected) -> Reason:
    return Reason("rejected", {"code": no.code, "detail": no.detail})


def _pending(d: Delivery, taken: Pending, policy: Policy, now: datetime) -> Delivery:
    """Taken, and shown later. Where nobody can be asked when, a person's word is waited for."""
    d = replace(d, uncertain_at=now)
    if Verb.CONFIRM in policy.profile.abilities:
        return moved(d, S.PENDING, _taken(taken), handle=taken.handle, next_at=now + bounded(taken.check_after))
    until = (d.sent_at or now) + policy.profile.pending_for
    return moved(d, S.PENDING, Reason("pending_person", {"until": iso(until)}), handle=taken.handle)


def _taken(pending: Pending) -> Reason:
    return Reason("pending", {"why": pending.why} if pending.why else {})


def _retry(d: Delivery, reason: Reason, asked: timedelta | None, policy: Policy, now: datetime) -> Delivery:
    """Certainly not public: one quick retry, then spread ones; a channel that is down holds it longer by itself."""
    tries = d.tries + 1
    wait = policy.profile.quick_retry if tries == 1 else _spread(d) * _backoff(policy, tries)
    if asked is not None:
        wait = max(wait, bounded(asked))
    return moved(d, returns_to(d, policy), reason, Cause.OUTAGE, tries=tries, next_at=now + wait)


def _backoff(policy: Policy, tries: int) -> timedelta:
    return policy.profile.backoff * 2 ** (tries - 1) if tries <= TRIES else LONGEST_BACKOFF


def _spread(d: Delivery) -> float:
    """Full jitter without randomness: from a quarter to one, different for each delivery and attempt."""
    return 0.25 + 0.75 * crc32(f"{d.key}-{d.attempt}".encode()) / 2**32


def _uncertain(d: Delivery, outcome: Uncertain, policy: Policy, now: datetime) -> Delivery:
    crashed = outcome.fault is Fault.CRASH
    step = step_class(d, policy.profile)
    if step is StepClass.INVISIBLE and crashed:
        return moved(d, S.DUE, Reason("interrupted"), next_at=now)  # the platform did not fail, and nothing is public
    if step is StepClass.INVISIBLE:
        lost = Reason("unavailable", {"detail": outcome.detail, "tries": d.tries + 1})
        return _retry(d, lost, None, policy, now)
    reason = Reason("crash") if crashed else Reason("uncertain", {"detail": outcome.detail})
    d = replace(d, first_sent_at=d.first_sent_at or d.sent_at or now, uncertain_at=now, tries=d.tries + 1)
    match step:
        case StepClass.KEYED:
            wait = policy.profile.quick_retry if d.tries == 1 else _spread(d) * _backoff(policy, d.tries)
            return moved(d, S.CHECKING, reason, Cause.UNCLEAR, next_at=now + wait)
        case StepClass.HANDLE | StepClass.LIST:
            return moved(d, S.CHECKING, reason, Cause.UNCLEAR, next_at=now + policy.profile.first_look)
        case _:
            return _nobody_to_ask(d, policy, now)


def _nobody_to_ask(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """Class C: never repeated on our own; a route may ask for one repeat."""
    if policy.on_unconfirmed is OnUnconfirmed.REPEAT and d.repeats == 0:
        return moved(
            d, S.DUE, Reason("repeat_wanted"), Cause.UNCLEAR, repeats=1, next_at=now + policy.profile.quick_retry
        )
    return moved(d, S.UNCONFIRMED, Reason("unconfirmed_nothing"), Cause.UNCLEAR)


# questions


def _confirmed(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    match outcome:
        case Pending(handle, check_after):
            said = replace(d, reason=_taken(outcome)) if outcome.why else d
            return replace(said, handle=handle, next_at=now + bounded(check_after), asks=0)
        case Unfinished(handle, resume_after):
            return moved(d, S.DUE, Reason("unfinished"), handle=handle, next_at=now + resume_after)
        case Absent(removed):
            return taken_away(d) if removed else _proved_absent(d, policy, now)
        case Rejected():
            return left_open(d) if may_be_out(d, policy) else moved(d, S.FAILED, _judged(outcome), Cause.CONTENT)
        case Hidden(detail):
            return _hidden(d, detail, policy, now)
        case _:
            return ask_again(d, policy, now)


def _found(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    match outcome:
        case Pending():
            return _pending(d, outcome, policy, now)
        case Unfinished(handle, resume_after):
            may_run_late = now < settled_at(d, policy, now)
            first_sent_at = d.first_sent_at if may_run_late else None
            at = now + resume_after
            return moved(d, S.DUE, Reason("unfinished"), handle=handle, next_at=at, first_sent_at=first_sent_at)
        case Absent(removed):
            return taken_away(d) if removed else _proved_absent(d, policy, now)
        case NotSeen():
            return _not_seen(d, outcome, policy, now)
        case Rejected():
            return left_open(d) if may_be_out(d, policy) else moved(d, S.FAILED, _judged(outcome), Cause.CONTENT)
        case Hidden(detail):
            return _hidden(d, detail, policy, now)
        case _:
            return ask_again(d, policy, now)


def _proved_absent(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """A copy the platform lost is a failed try. What a list did not show may still be there and is not forgotten."""
    first_sent_at = d.first_sent_at if d.repeats else None
    over = replace(d, handle=None, step=0, first_sent_at=first_sent_at)
    return _retry(over, Reason("absent"), None, policy, now)


def _not_seen(d: Delivery, outcome: NotSeen, policy: Policy, now: datetime) -> Delivery:
    """A list proves nothing before `settle_for` is over, nor when it is too short or misses our neighbouring post."""
    proves_from = settled_at(d, policy, now)
    reaches = outcome.back_to <= (d.first_sent_at or now) - BEFORE_SENT
    if now < proves_from or not reaches or outcome.neighbour is False:
        again = ask_again(d, policy, now)
        return replace(again, next_at=min(again.next_at or now, proves_from)) if now < proves_from else again
    over = now >= policy.useful_until
    if d.repeats >= REPEATS or (d.repeats and over):
        return moved(d, S.UNCONFIRMED, uncounted(d.repeats + 1), Cause.UNCLEAR)
    until = {"until": iso(now)}
    if over:
        return moved(d, S.SKIPPED, Reason("not_seen_skip", until), Cause.OUTAGE)
    return moved(d, S.DUE, Reason("not_seen", until), Cause.OUTAGE, repeats=d.repeats + 1, handle=None, step=0)


def _hidden(d: Delivery, detail: str, policy: Policy, now: datetime) -> Delivery:
    """Never live, and never sent again: the copy becomes public by itself once a person has mended the account."""
    return replace(ask_again(d, policy, now), cause=Cause.ACCOUNT, reason=Reason("hidden", {"detail": detail}))


def asked_anew(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """Its channel answers again: what is open is asked soon, not when a wait that grew in the outage is over."""
    if d.state not in (S.PENDING, S.CHECKING) or d.asks < 2 or d.next_at is None:
        return d
    return replace(d, asks=0, next_at=min(d.next_at, now + _spread(d) * policy.profile.first_look))
