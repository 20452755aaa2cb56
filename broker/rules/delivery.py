"""`settle`: what becomes of one delivery after one answer. Implements table I and the publish table (docs/states.md).

A failed question never changes a delivery's state; only its own publish, a proof, or time does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zlib import crc32

from msgspec import Struct

from broker.contract import Profile
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

TRIES = 3
"""Tries per delivery and episode, one quick and two spread; then it waits for evidence (AWS, SRE retry budgets)."""
REPEATS = 2
"""Repeats after `NotSeen` before a person is asked instead."""
LOOKS = 5
"""Failed questions about a live copy before the look back is given up."""
GATE_CLOSED, GATE_ASKED_EVERY = timedelta(seconds=1), timedelta(seconds=15)
LONGEST_BACKOFF = timedelta(minutes=1)
LONGEST_ASK = timedelta(minutes=10)
BEFORE_SENT = timedelta(seconds=60)
"""A list must reach back this far beyond the attempt's start, for clocks that differ."""
COUNTS = (timedelta(minutes=1), timedelta(minutes=10))
"""After any repeat, copies are counted at these ages of the live copy."""


SHOWS_A_COPY = frozenset({Verb.PUBLISH, Verb.CONFIRM, Verb.FIND})
"""Verbs whose `Live` means that this post is public; a probe's speaks of the account only."""


class Policy(Struct, frozen=True):
    """What the channel and the route say about one delivery."""

    profile: Profile
    on_unconfirmed: OnUnconfirmed
    useful_until: datetime
    """After this nothing is sent any more and no question is asked."""
    withdrawn: bool = False


def settle(delivery: Delivery, verb: Verb, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    """The delivery after this answer; itself, unchanged, when the answer says nothing about it. Pure."""
    if isinstance(outcome, Live) and verb in SHOWS_A_COPY:
        return _live(delivery, verb, _each_once(outcome), policy, now)
    match verb:
        case Verb.PUBLISH if delivery.state in (S.SENDING, S.CHECKING):
            return _published(delivery, outcome, policy, now)
        case Verb.CONFIRM if delivery.state is S.PENDING:
            return _confirmed(delivery, outcome, policy, now)
        case Verb.FIND if delivery.state is S.CHECKING:
            return _found(delivery, outcome, policy, now)
        case Verb.FIND if delivery.state is S.LIVE:
            return _looked_back(delivery, outcome, policy, now)
        case Verb.DELETE if delivery.state is S.LIVE:
            return _deleted(delivery, outcome, policy, now)
        case _:
            return delivery


def concerns(outcome: Finding | None, verb: Verb, asked: Delivery, delivery: Delivery) -> bool:
    """Whether the answer to what was asked of `asked` says anything about the delivery as it is by now. A copy always
    does; that there is none denies no word that came in meanwhile, a person's or a late answer's."""
    if isinstance(outcome, Live):
        return True
    return asked.attempt == delivery.attempt and (verb is Verb.PUBLISH or asked.state is delivery.state)


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


def keeps_its_words(d: Delivery, profile: Profile) -> bool:
    """What its platform has of it: bytes that may have left, a container, or, whatever a person said since, its key."""
    taken = d.uncertain_at is not None and any(step.after_uncertain is StepClass.KEYED for step in profile.steps)
    return d.first_sent_at is not None or d.handle is not None or taken


def unsent(delivery: Delivery, policy: Policy, now: datetime) -> Delivery:
    """A `sending` whose bytes provably did not leave (closed gate): back where it was, not counted. Soon again, then
    ever later: a lease that is renewed late keeps the gate closed for a while."""
    wait = min(GATE_CLOSED * 2 ** min(delivery.asks, 12), GATE_ASKED_EVERY)
    return replace(delivery, state=_back(delivery, policy), next_at=now + wait, asks=delivery.asks + 1)


def _back(d: Delivery, policy: Policy) -> State:
    """Where an attempt that certainly failed leads: keyed copies stay uncertain if an earlier attempt was."""
    return S.CHECKING if d.first_sent_at and step_class(d, policy.profile) is StepClass.KEYED else S.DUE


def step_class(d: Delivery, profile: Profile) -> StepClass:
    """The class of the step that comes next; read-back that the platform does not offer is none."""
    return _class_of(d.step, profile)


def _is_in_the_dark(policy: Policy) -> bool:
    """Nobody can be asked what became of the last step, the one that makes a post public."""
    return _class_of(len(policy.profile.steps), policy.profile) is StepClass.NOTHING


def _class_of(step: int, profile: Profile) -> StepClass:
    said = profile.step_class(step)
    needs_find = said in (StepClass.HANDLE, StepClass.LIST)
    return StepClass.NOTHING if needs_find and Verb.FIND not in profile.abilities else said


def counts_copies(d: Delivery) -> bool:
    """Whether its next question is to count copies: after a repeat, once somebody has read the known one back."""
    return d.repeats > 0 and (d.state is not S.LIVE or d.seen is not None)


def may_be_out(d: Delivery, policy: Policy) -> bool:
    """An earlier attempt may be public and nobody can be asked, or two may be and a list showed neither: whatever ends
    this delivery must not deny them. The second repeat is decided when the first was not seen either."""
    return d.first_sent_at is not None and (_is_in_the_dark(policy) or d.repeats > 1)


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


def by_time(delivery: Delivery, policy: Policy, now: datetime) -> Delivery:
    """What time alone does to a delivery that was sent or is to be sent; stand-bys are `plan`'s."""
    match delivery.state:
        case S.DUE if now >= policy.useful_until:
            return ended(delivery, S.EXPIRED, Reason("expired", {"until": _iso(policy.useful_until)}), policy, now)
        case S.SENDING if delivery.next_at is not None and now >= delivery.next_at:
            return _published(delivery, Uncertain(Fault.HANG, "no answer at all"), policy, now)
        case S.PENDING if now >= (end := (delivery.sent_at or policy.useful_until) + policy.profile.pending_for):
            return _given_up(delivery, policy, end)
        case S.CHECKING if now >= (end := asked_until(delivery, policy)) or _key_age_is_unknown(delivery, policy, now):
            return _given_up(delivery, policy, end)
        case _:
            return delivery


def _given_up(d: Delivery, policy: Policy, end: datetime) -> Delivery:
    """Nobody could tell in time; after a repeat, neither how many copies there are."""
    in_vain = d.repeats and not _is_in_the_dark(policy)
    reason = _uncounted(d.repeats + 1) if in_vain else Reason("unconfirmed_time", {"until": _iso(end)})
    return _to(d, S.UNCONFIRMED, reason, Cause.UNCLEAR)


def ended(delivery: Delivery, state: State, reason: Reason, policy: Policy, now: datetime) -> Delivery:
    """A due delivery that is not sent any more: in this state, unless an earlier attempt of it may be public."""
    if may_be_out(delivery, policy):
        return _left_open(delivery)
    if delivery.first_sent_at and step_class(delivery, policy.profile) is StepClass.HANDLE:
        wait = min(max(_settled_at(delivery, policy, now) - now, policy.profile.first_look), LONGEST_BACKOFF)
        return _to(delivery, S.CHECKING, Reason("may_run_late"), Cause.UNCLEAR, next_at=now + wait)
    return _to(delivery, state, reason, delivery.cause)


def _left_open(d: Delivery) -> Delivery:
    """Sent as often as it was not seen; or once, and nobody can tell."""
    reason = _uncounted(d.repeats) if d.repeats > 1 else Reason("unconfirmed_nothing")
    return _to(d, S.UNCONFIRMED, reason, Cause.UNCLEAR)


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
    return max(policy.useful_until, _settled_at(delivery, policy, sent) + 2 * policy.profile.first_look)


def sent_until(delivery: Delivery, policy: Policy) -> datetime:
    """Until when an attempt may begin to leave: its intent may be long on its way to the disk, or wait for its turn."""
    is_repeat = delivery.first_sent_at is not None
    return min(policy.useful_until, asked_until(delivery, policy)) if is_repeat else policy.useful_until


def _key_age_is_unknown(d: Delivery, policy: Policy, now: datetime) -> bool:
    """The clock was set back since the key was sent, first or last: the platform may have forgotten it by now."""
    known = (at for at in (d.first_sent_at, d.sent_at, d.uncertain_at) if at is not None)
    ahead = d.first_sent_at is not None and max(known) > now + BEFORE_SENT
    return ahead and step_class(d, policy.profile) is StepClass.KEYED


def of_unknown_age(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """As a run finds it whose clock was set back: what is to be sent again by a key is not, for the same reason."""
    by_key = d.state is S.CHECKING and step_class(d, policy.profile) is StepClass.KEYED
    return _given_up(d, policy, now) if by_key else d


def as_found(d: Delivery, began_at: datetime) -> Delivery:
    """As a run finds what an earlier one left in doubt: `settle_for` counts anew from when this run began, for the wall
    clock that both went by may have been set between them."""
    is_open = d.state in (S.DUE, S.CHECKING, S.PENDING)
    return replace(d, uncertain_at=max(d.uncertain_at, began_at)) if is_open and d.uncertain_at else d


def _settled_at(d: Delivery, policy: Policy, otherwise: datetime) -> datetime:
    """From when on a list without our post says something: `settle_for` after the last byte that may have left."""
    return (d.uncertain_at or d.sent_at or otherwise) + policy.profile.settle_for


# publish


def _published(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    match outcome:
        case Pending():
            return _pending(d, outcome, policy, now)
        case Unfinished(handle, resume_after):
            return _to(d, S.DUE, Reason("unfinished"), handle=handle, next_at=now + resume_after)
        case Absent(removed):
            return _taken_away(d) if removed else _proved_absent(d, policy, now)
        case Unavailable(_, detail, retry_after):
            return _retry(d, Reason("unavailable", {"detail": detail, "tries": d.tries + 1}), retry_after, policy, now)
        case Throttled(retry_after):
            at = now + bounded(retry_after)
            return _to(d, _back(d, policy), Reason("throttled", {"until": _iso(at)}), Cause.LIMIT, next_at=at)
        case Denied(detail):
            back = _back(d, policy)
            again_at = now + LONGEST_BACKOFF if back is S.CHECKING else None
            return _to(d, back, Reason("denied", {"detail": detail}), Cause.ACCOUNT, next_at=again_at)
        case Rejected(_, detail) if _back(d, policy) is S.CHECKING:
            return _to(d, S.UNCONFIRMED, Reason("uncertain", {"detail": detail}), Cause.UNCLEAR)
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
        return _to(d, S.PENDING, _taken(taken), handle=taken.handle, next_at=now + bounded(taken.check_after))
    until = (d.sent_at or now) + policy.profile.pending_for
    return _to(d, S.PENDING, Reason("pending_person", {"until": _iso(until)}), handle=taken.handle)


def _taken(pending: Pending) -> Reason:
    return Reason("pending", {"why": pending.why} if pending.why else {})


def _retry(d: Delivery, reason: Reason, asked: timedelta | None, policy: Policy, now: datetime) -> Delivery:
    """Certainly not public: one quick retry, then spread ones; a channel that is down holds it longer by itself."""
    tries = d.tries + 1
    wait = policy.profile.quick_retry if tries == 1 else _spread(d) * _backoff(policy, tries)
    if asked is not None:
        wait = max(wait, bounded(asked))
    return _to(d, _back(d, policy), reason, Cause.OUTAGE, tries=tries, next_at=now + wait)


def _backoff(policy: Policy, tries: int) -> timedelta:
    return policy.profile.backoff * 2 ** (tries - 1) if tries <= TRIES else LONGEST_BACKOFF


def _spread(d: Delivery) -> float:
    """Full jitter without randomness: from a quarter to one, different for each delivery and attempt."""
    return 0.25 + 0.75 * crc32(f"{d.key}-{d.attempt}".encode()) / 2**32


def _uncertain(d: Delivery, outcome: Uncertain, policy: Policy, now: datetime) -> Delivery:
    crashed = outcome.fault is Fault.CRASH
    step = step_class(d, policy.profile)
    if step is StepClass.INVISIBLE and crashed:
        return _to(d, S.DUE, Reason("interrupted"), next_at=now)  # the platform did not fail, and nothing is public
    if step is StepClass.INVISIBLE:
        lost = Reason("unavailable", {"detail": outcome.detail, "tries": d.tries + 1})
        return _retry(d, lost, None, policy, now)
    reason = Reason("crash") if crashed else Reason("uncertain", {"detail": outcome.detail})
    d = replace(d, first_sent_at=d.first_sent_at or d.sent_at or now, uncertain_at=now, tries=d.tries + 1)
    match step:
        case StepClass.KEYED:
            wait = policy.profile.quick_retry if d.tries == 1 else _spread(d) * _backoff(policy, d.tries)
            return _to(d, S.CHECKING, reason, Cause.UNCLEAR, next_at=now + wait)
        case StepClass.HANDLE | StepClass.LIST:
            return _to(d, S.CHECKING, reason, Cause.UNCLEAR, next_at=now + policy.profile.first_look)
        case _:
            return _nobody_to_ask(d, policy, now)


def _nobody_to_ask(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """Class C: never repeated on our own; a route may ask for one repeat."""
    if policy.on_unconfirmed is OnUnconfirmed.REPEAT and d.repeats == 0:
        return _to(
            d, S.DUE, Reason("repeat_wanted"), Cause.UNCLEAR, repeats=1, next_at=now + policy.profile.quick_retry
        )
    return _to(d, S.UNCONFIRMED, Reason("unconfirmed_nothing"), Cause.UNCLEAR)


# questions


def _confirmed(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    match outcome:
        case Pending(handle, check_after):
            said = replace(d, reason=_taken(outcome)) if outcome.why else d
            return replace(said, handle=handle, next_at=now + bounded(check_after), asks=d.asks + 1)
        case Unfinished(handle, resume_after):
            return _to(d, S.DUE, Reason("unfinished"), handle=handle, next_at=now + resume_after)
        case Absent(removed):
            return _taken_away(d) if removed else _proved_absent(d, policy, now)
        case Rejected():
            return _left_open(d) if may_be_out(d, policy) else _to(d, S.FAILED, _judged(outcome), Cause.CONTENT)
        case Hidden(detail):
            return _hidden(d, detail, policy, now)
        case _:
            return _ask_again(d, policy, now)


def _found(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    match outcome:
        case Pending():
            return _pending(d, outcome, policy, now)
        case Unfinished(handle, resume_after):
            may_run_late = now < _settled_at(d, policy, now)
            first_sent_at = d.first_sent_at if may_run_late else None
            at = now + resume_after
            return _to(d, S.DUE, Reason("unfinished"), handle=handle, next_at=at, first_sent_at=first_sent_at)
        case Absent(removed):
            return _taken_away(d) if removed else _proved_absent(d, policy, now)
        case NotSeen():
            return _not_seen(d, outcome, policy, now)
        case Rejected():
            return _left_open(d) if may_be_out(d, policy) else _to(d, S.FAILED, _judged(outcome), Cause.CONTENT)
        case Hidden(detail):
            return _hidden(d, detail, policy, now)
        case _:
            return _ask_again(d, policy, now)


def _proved_absent(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """A copy the platform lost is a failed try. What a list did not show may still be there and is not forgotten."""
    first_sent_at = d.first_sent_at if d.repeats else None
    over = replace(d, handle=None, step=0, first_sent_at=first_sent_at)
    return _retry(over, Reason("absent"), None, policy, now)


def _taken_away(d: Delivery) -> Delivery:
    """It was there, whoever heard of it: what a platform took away is not posted anew behind the desk's back."""
    return _to(d, S.REMOVED, Reason("removed"), Cause.ACCOUNT)


def _not_seen(d: Delivery, outcome: NotSeen, policy: Policy, now: datetime) -> Delivery:
    """A list proves nothing before `settle_for` is over, nor when it is too short or misses our neighbouring post."""
    settled_at = _settled_at(d, policy, now)
    reaches = outcome.back_to <= (d.first_sent_at or now) - BEFORE_SENT
    if now < settled_at or not reaches or outcome.neighbour is False:
        again = _ask_again(d, policy, now)
        return replace(again, next_at=min(again.next_at or now, settled_at)) if now < settled_at else again
    over = now >= policy.useful_until
    if d.repeats >= REPEATS or (d.repeats and over):
        return _to(d, S.UNCONFIRMED, _uncounted(d.repeats + 1), Cause.UNCLEAR)
    until = {"until": _iso(now)}
    if over:
        return _to(d, S.SKIPPED, Reason("not_seen_skip", until), Cause.OUTAGE)
    return _to(d, S.DUE, Reason("not_seen", until), Cause.OUTAGE, repeats=d.repeats + 1, handle=None, step=0)


def _hidden(d: Delivery, detail: str, policy: Policy, now: datetime) -> Delivery:
    """Never live, and never sent again: the copy becomes public by itself once a person has mended the account."""
    return replace(_ask_again(d, policy, now), cause=Cause.ACCOUNT, reason=Reason("hidden", {"detail": detail}))


def asked_anew(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """Its channel answers again: what is open is asked soon, not when a wait that grew in the outage is over."""
    if d.state not in (S.PENDING, S.CHECKING) or d.asks < 2 or d.next_at is None:
        return d
    return replace(d, asks=0, next_at=min(d.next_at, now + _spread(d) * policy.profile.first_look))


def _ask_again(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    wait = min(policy.profile.first_look * 2 ** min(d.asks, 12), LONGEST_ASK)
    return replace(d, asks=d.asks + 1, next_at=now + wait)


# live copies


def _live(d: Delivery, verb: Verb, outcome: Live, policy: Policy, now: datetime) -> Delivery:
    """`Live` evidence turns every state but `withdrawn` into `live`; `removed` only when seen again by read-back."""
    if d.state is S.WITHDRAWN or (d.state is S.REMOVED and verb is not Verb.FIND):
        return d
    if d.state is S.LIVE:
        both = _with_second_copy(outcome, d) if verb is Verb.PUBLISH else outcome
        return _looked_back(d, both, policy, now)
    live = _to(
        d,
        S.LIVE,
        _shown_as(verb, outcome),
        platform_id=outcome.platform_id,
        url=outcome.url,
        seen=outcome.seen,
        extra=outcome.extra,
        live_at=now,
    )
    return replace(live, next_at=_next_look(live, policy, now))


def _shown_as(verb: Verb, outcome: Live) -> Reason:
    if outcome.without:
        return Reason("live_without", {"why": outcome.without})
    return Reason("found" if verb is Verb.FIND else "live", {"url": outcome.url or ""})


def _each_once(outcome: Live) -> Live:
    """Whatever an adapter counts twice: the copy that is kept is none of those to be deleted."""
    others = tuple(dict.fromkeys(each for each in outcome.extra if each != outcome.platform_id))
    return outcome if others == outcome.extra else replace(outcome, extra=others)


def _with_second_copy(late: Live, d: Delivery) -> Live:
    """A late answer that names another copy than the one we know: both are public."""
    known = (d.platform_id, *d.extra)
    extra = d.extra if late.platform_id in known else (*d.extra, late.platform_id)
    return replace(late, platform_id=d.platform_id or late.platform_id, url=d.url or late.url, extra=extra)


def _looked_back(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    """A look that began before a withdrawal still shows what is there; when to delete it is no longer its affair."""
    match outcome:
        case Live(platform_id, url, seen, extra):
            seen_now = replace(d, url=url or d.url, seen=seen or d.seen)
            if extra and extra != d.extra:
                said = Reason("two_copies", {"count": 1 + len(extra)})
                seen_now = replace(seen_now, platform_id=platform_id, extra=extra, reason=said)
            if policy.withdrawn:
                return seen_now
            return replace(seen_now, asks=d.asks + 1, next_at=_next_look(seen_now, policy, now))
        case Absent() if d.extra:
            return _without_younger(d, policy, now)
        case Absent():
            return _taken_away(d)
        case _ if policy.withdrawn:
            return d
        case Hidden(detail):
            return _to(d, S.REMOVED, Reason("hidden", {"detail": detail}), Cause.ACCOUNT)
        case NotSeen() if counts_copies(d) and not d.extra:
            told = replace(_looked_in_vain(d, policy, now), asks=d.asks + 1, seen=None)  # so the next look is by its id
            return replace(told, next_at=now + policy.profile.first_look)
        case NotSeen():
            return _looked_in_vain(replace(d, asks=d.asks + 1), policy, now)
        case _ if d.asks >= LOOKS:
            return _looked_in_vain(d, policy, now)
        case _:
            return _ask_again(d, policy, now)


def _looked_in_vain(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """It stays live. After a repeat people hear in the end that the copies could not be counted."""
    next_at = _next_look(d, policy, now) if d.repeats else None
    if d.repeats and next_at is None and not d.extra:
        return replace(d, next_at=None, reason=_uncounted(d.repeats + 1))
    return replace(d, next_at=next_at)


def _uncounted(times: int) -> Reason:
    return Reason("uncounted", {"times": times})


def _next_look(d: Delivery, policy: Policy, now: datetime) -> datetime | None:
    """One look back finds silent drops; after a repeat copies are counted twice; younger copies go at once."""
    can, live_at = policy.profile.abilities, d.live_at or now
    if d.extra and Verb.DELETE in can:
        return now
    if Verb.FIND not in can:
        return None
    ages = (policy.profile.look_back, *(COUNTS if d.repeats else ()))
    return next((live_at + age for age in ages if age is not None and live_at + age > now), None)


def _deleted(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    match outcome:
        case Absent() if d.extra:
            return _without_younger(d, policy, now)
        case Absent():
            return _to(d, S.WITHDRAWN, Reason("deleted_one" if d.repeats else "deleted"))
        case Rejected(_, detail):
            return _not_deleted(d, detail, policy, now)
        case Denied(detail) if now >= policy.useful_until and d.asks >= LOOKS:
            return _not_deleted(d, detail, policy, now)
        case _ if now >= policy.useful_until and d.asks >= LOOKS:
            said = "it is still to be seen" if isinstance(outcome, Live) else "the platform did not answer"
            return _not_deleted(d, said, policy, now)
        case _:
            return _ask_again(d, policy, now)


def _without_younger(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """The youngest copy is gone, which is asked about first; the one that is kept is there as before."""
    rest = replace(d, extra=d.extra[:-1], reason=Reason("copy_deleted"))
    return replace(rest, next_at=_next_look(rest, policy, now))


def _not_deleted(d: Delivery, detail: str, policy: Policy, now: datetime) -> Delivery:
    """A person's task now. Of several copies the others are tried once more, if all of them are to go."""
    failed = undeleted(d, "delete_failed", detail=detail)
    if not d.extra or (policy.withdrawn and d.reason and d.reason.key == failed.key):
        return replace(d, next_at=None, reason=failed)
    if policy.withdrawn:
        others = (*((d.platform_id,) if d.platform_id else ()), *d.extra[:-1])
        return replace(d, platform_id=d.extra[-1], url=None, extra=others, asks=0, next_at=now, reason=failed)
    kept = replace(d, extra=(), asks=0, reason=Reason("copy_delete_failed", {"detail": detail}))
    return replace(kept, next_at=_next_look(kept, policy, now))


def undeleted(d: Delivery, key: str, **args: str) -> Reason:
    """Why a withdrawn copy is a person's task; copies are not counted any more, so people hear if there may be two."""
    return Reason(key, args | ({"times": d.repeats + 1} if d.repeats else {}))


def _to(d: Delivery, state: State, reason: Reason, cause: Cause | None = None, **changes: object) -> Delivery:
    """The delivery in its new state; timers and question counts start anew unless `changes` says otherwise."""
    fresh: dict[str, object] = {"next_at": None, "asks": 0, "state": state, "reason": reason, "cause": cause}
    return replace(d, **(fresh | changes))


def _iso(at: datetime) -> str:
    return at.isoformat()
