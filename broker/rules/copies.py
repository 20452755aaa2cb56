"""What answers make of a copy that is live: it is looked back at, copies beside it are deleted, and all when withdrawn.

A part of `settle` (settle.py): that a copy is live, any answer may say.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from broker.model import Delivery, Reason, State, Verb
from broker.outcome import Absent, Cause, Denied, Finding, Hidden, Live, NotSeen, Rejected
from broker.rules.delivery import Policy, ask_again, counts_copies, moved, taken_away, uncounted
from broker.values import replace

S = State
LOOKS = 5
"""Failed questions about a live copy before the look back is given up."""
COUNTS = (timedelta(minutes=1), timedelta(minutes=10))
"""After any repeat, copies are counted at these ages of the live copy."""


def went_live(d: Delivery, verb: Verb, outcome: Live, policy: Policy, now: datetime) -> Delivery:
    """`Live` evidence turns every state but `withdrawn` into `live`; `removed` only when seen again by read-back."""
    if d.state is S.WITHDRAWN or (d.state is S.REMOVED and verb is not Verb.FIND):
        return d
    if d.state is S.LIVE:
        both = _with_second_copy(outcome, d) if verb is Verb.PUBLISH else outcome
        return looked_back(d, both, policy, now)
    live = moved(
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
    if outcome.extra:
        return Reason("two_copies", {"count": 1 + len(outcome.extra)})
    if outcome.without:
        return Reason("live_without", {"why": outcome.without})
    return Reason("found" if verb is Verb.FIND else "live", {"url": outcome.url or ""})


def each_once(outcome: Live) -> Live:
    """Whatever an adapter counts twice: the copy that is kept is none of those to be deleted."""
    others = tuple(dict.fromkeys(each for each in outcome.extra if each != outcome.platform_id))
    return outcome if others == outcome.extra else replace(outcome, extra=others)


def _with_second_copy(late: Live, d: Delivery) -> Live:
    """A late answer that names another copy than the one we know: both are public."""
    known = (d.platform_id, *d.extra)
    extra = d.extra if late.platform_id in known else (*d.extra, late.platform_id)
    return replace(late, platform_id=d.platform_id or late.platform_id, url=d.url or late.url, extra=extra)


def looked_back(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    """A look that began before a withdrawal still shows what is there; when to delete it is no longer its affair."""
    match outcome:
        case Live() if _counts_another(d, outcome) and not policy.withdrawn:
            return _looked_in_vain(replace(d, asks=d.asks + 1), policy, now)
        case Live(platform_id, url, seen, extra):
            seen_now = replace(d, url=url or d.url, seen=seen or d.seen)
            if extra and extra != d.extra:
                seen_now = replace(seen_now, platform_id=platform_id, extra=extra, reason=_shown_as(Verb.FIND, outcome))
            if policy.withdrawn:
                return seen_now
            return replace(seen_now, asks=d.asks + 1, next_at=_next_look(seen_now, policy, now))
        case Absent() if d.extra:
            return _without_younger(d, policy, now)
        case Absent():
            return taken_away(d)
        case _ if policy.withdrawn:
            return d
        case Hidden(detail):
            return moved(d, S.REMOVED, Reason("hidden", {"detail": detail}), Cause.ACCOUNT)
        case NotSeen() if counts_copies(d) and not d.extra:
            told = replace(_looked_in_vain(d, policy, now), asks=d.asks + 1, seen=None)  # so the next look is by its id
            return replace(told, next_at=now + policy.profile.first_look)
        case NotSeen():
            return _looked_in_vain(replace(d, asks=d.asks + 1), policy, now)
        case _ if d.asks >= LOOKS:
            return _looked_in_vain(d, policy, now)
        case _:
            return ask_again(d, policy, now)


def _counts_another(d: Delivery, listed: Live) -> bool:
    """A list that shows a copy and not the one we know: a second one, or ours by another name."""
    return counts_copies(d) and not (d.extra or listed.extra) and listed.platform_id != d.platform_id


def _looked_in_vain(d: Delivery, policy: Policy, now: datetime) -> Delivery:
    """It stays live. After a repeat people hear in the end that the copies could not be counted."""
    next_at = _next_look(d, policy, now) if d.repeats else None
    if d.repeats and next_at is None and not d.extra:
        return replace(d, next_at=None, reason=uncounted(d.repeats + 1))
    return replace(d, next_at=next_at)


def _next_look(d: Delivery, policy: Policy, now: datetime) -> datetime | None:
    """One look back finds silent drops; after a repeat copies are counted twice; younger copies go at once."""
    can, live_at = policy.profile.abilities, d.live_at or now
    if d.extra and Verb.DELETE in can:
        return now
    if Verb.FIND not in can:
        return None
    ages = (policy.profile.look_back, *(COUNTS if d.repeats else ()))
    return next((live_at + age for age in ages if age is not None and live_at + age > now), None)


def deleted(d: Delivery, outcome: Finding, policy: Policy, now: datetime) -> Delivery:
    match outcome:
        case Absent() if d.extra:
            return _without_younger(d, policy, now)
        case Absent():
            return moved(d, S.WITHDRAWN, Reason("deleted_one" if d.repeats else "deleted"))
        case Rejected(_, detail):
            return _not_deleted(d, detail, policy, now)
        case Denied(detail) if now >= policy.useful_until and d.asks >= LOOKS:
            return _not_deleted(d, detail, policy, now)
        case _ if now >= policy.useful_until and d.asks >= LOOKS:
            said = "it is still to be seen" if isinstance(outcome, Live) else "the platform did not answer"
            return _not_deleted(d, said, policy, now)
        case _:
            return ask_again(d, policy, now)


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
