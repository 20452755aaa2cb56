"""`plan`: what becomes of one announcement now. Implements the failover rules (docs/failover.md).

`plan` is called after every answer, whenever health changes, and when `wake_at` has come. It decides from the case and
the view of health alone, so calling it twice changes nothing, and a restart needs no memory of earlier calls. What is
started and let go for what fails is in walk.py, what a withdrawal does in withdrawal.py.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from broker.model import RESTING, Case, Delivery, Reason, Role, State, StepClass
from broker.outcome import Cause
from broker.rules.deadlines import by_time
from broker.rules.delivery import Policy, rested, step_class, verb_for
from broker.rules.health import View
from broker.rules.standing import (
    Channel,
    Channels,
    goal_holds,
    is_taken_back,
    is_unsuited,
    missed_goal,
    rests,
    status_of,
)
from broker.rules.timing import policy_for, wakes_at
from broker.rules.walk import Walk
from broker.rules.withdrawal import take_back
from broker.values import replace

S = State
STILL = RESTING | {S.STANDBY}


class Plan(Struct, frozen=True):
    """The case as it is from now on, and when time alone will next change something."""

    case: Case
    wake_at: datetime | None


def plan(case: Case, channels: Channels, health: View, now: datetime) -> Plan:
    """The case after everything that is decided by now. Pure; the same call on its result changes nothing."""
    taken_back = is_taken_back(case.announcement)
    if case.is_ahead(now) and not taken_back:
        return _finish(case, channels, now)
    case = case.having(_settled_by_time(case, d, channels, now) for d in case.deliveries.values())
    if taken_back:
        return _finish(take_back(case, channels, now), channels, now)
    walk = Walk(case, channels, health, now)
    for delivery in case.deliveries.values():
        if delivery.role is Role.POST_TO:
            walk.serve(delivery)
    walk.save_the_goal()
    walk.release()
    return _finish(walk.case, channels, now)


def _settled_by_time(case: Case, delivery: Delivery, channels: Channels, now: datetime) -> Delivery:
    channel = channels.get(delivery.channel)
    if channel is None:
        return _without_channel(delivery)
    if delivery.state in STILL and delivery.next_at is None:
        return delivery
    policy = policy_for(case.announcement, delivery, channel)
    if delivery.state in STILL:
        return _unasked(delivery, policy)
    while (moved := by_time(delivery, policy, now)) is not delivery:
        delivery = moved
    return delivery


def _unasked(d: Delivery, policy: Policy) -> Delivery:
    """What its platform lets nobody ask (any more) keeps no time for it: the case would never close."""
    asks = verb_for(d, policy, withdrawn=policy.withdrawn) is not None
    return d if asks else replace(d, next_at=None)


def _without_channel(d: Delivery) -> Delivery:
    """Its channel is no longer configured: nobody can send it any more, or ask what became of it."""
    if d.state in RESTING:
        return replace(d, next_at=None)
    unsent = d.state in (S.STANDBY, S.DUE) and d.first_sent_at is None
    return rested(d, S.SKIPPED if unsent else S.UNCONFIRMED, Reason("channel_gone"), Cause.ACCOUNT)


def _finish(case: Case, channels: Channels, now: datetime) -> Plan:
    announcement, holds = case.announcement, goal_holds(case, channels)
    met_now = now if holds and announcement.withdrawn_at is None else None
    met_at = announcement.met_at or met_now
    post_to = [d for d in case.deliveries.values() if d.role is Role.POST_TO and not is_unsuited(d)]
    wake_at = wakes_at(case, channels, now)
    closes = rests(case) and wake_at is None
    announcement = replace(
        announcement,
        met_at=met_at,
        late=missed_goal(case, met_at, now),
        complete=bool(post_to) and all(d.state is S.LIVE for d in post_to),
        status=status_of(case, holds, now),
        wake_at=wake_at,
        closed_at=(announcement.closed_at or now) if closes else None,
    )
    return Plan(Case(announcement, case.deliveries), wake_at)


def is_class_c(delivery: Delivery, channel: Channel) -> bool:
    """The step that comes next can never be asked about."""
    return step_class(delivery, channel.profile) is StepClass.NOTHING


# late copies


def give_up_late_copy(case: Case, channel: str, keep: int) -> Case:
    """One owed copy given up because newer ones go first; only if readers have the announcement elsewhere."""
    d = case.deliveries[channel]
    elsewhere = any(o.state is S.LIVE for o in case.deliveries.values())
    held_back = d.cause in (Cause.OUTAGE, Cause.ACCOUNT, Cause.CONTENT, Cause.OWN_NETWORK)
    owed = d.state is S.DUE and d.role is Role.POST_TO and d.first_sent_at is None and d.handle is None and held_back
    return case.having((rested(d, S.SKIPPED, Reason("newest_five", {"count": keep})),)) if owed and elsewhere else case
