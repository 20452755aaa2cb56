"""`plan`: what becomes of one announcement now. Implements the failover rules (docs/failover.md).

`plan` is called after every answer, whenever health changes, and when `wake_at` has come. It decides from the case and
the view of health alone, so calling it twice changes nothing, and a restart needs no memory of earlier calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from broker.model import (
    RESTING,
    Announcement,
    Case,
    Delivery,
    OnUnconfirmed,
    Reason,
    Role,
    State,
    StepClass,
    Verb,
)
from broker.outcome import Cause
from broker.rules.delivery import Policy, by_time, time_limit, verb_for
from broker.rules.health import Down, View
from broker.rules.standing import Channel, Channels, live, reach, status_of

S = State
UNDER_WAY = frozenset({S.SENDING, S.PENDING, S.CHECKING})
UNANSWERED = OnUnconfirmed.WAIT


@dataclass(frozen=True, slots=True)
class Plan:
    """The case as it is from now on, and when time alone will next change something."""

    case: Case
    wake_at: datetime | None
    notes: tuple[Reason, ...] = field(default=())


def policy_for(announcement: Announcement, delivery: Delivery, channel: Channel) -> Policy:
    """What the channel and the route together say about this delivery."""
    return Policy(channel.profile, announcement.plan.on_unconfirmed, useful_until(announcement, delivery))


def useful_until(announcement: Announcement, delivery: Delivery) -> datetime:
    """Until when sending this delivery makes sense: late copies are owed by `post_to` channels only."""
    plan = announcement.plan
    lasts = plan.start_by
    if delivery.role is Role.POST_TO and plan.late_copies is not None:
        lasts = max(plan.late_copies, plan.start_by)
    ends = announcement.base_at + lasts
    return min(ends, announcement.draft.expires_at) if announcement.draft.expires_at else ends


def plan(case: Case, channels: Channels, health: View, now: datetime) -> Plan:
    """The case after everything that is decided by now. Pure; the same call on its result changes nothing."""
    if now < case.announcement.base_at and case.announcement.withdrawn_at is None:
        return _finish(case, channels, now)
    case = _with(case, (_settled_by_time(case, d, channels, now) for d in case.deliveries.values()))
    if case.announcement.withdrawn_at or case.announcement.replaced_by:
        return _finish(_take_back(case, channels, now), channels, now)
    walk = _Walk(case, channels, health, now)
    for delivery in walk.post_to():
        walk.serve(delivery)
    walk.save_the_goal()
    return _finish(_skip_what_is_not_needed(walk.case, channels, health, now), channels, now)


def _settled_by_time(case: Case, delivery: Delivery, channels: Channels, now: datetime) -> Delivery:
    channel = channels.get(delivery.channel)
    if channel is None:
        gone = delivery.state in RESTING or delivery.state is S.SENDING
        return delivery if gone else _rest(delivery, S.SKIPPED, Reason("channel_gone"), Cause.ACCOUNT)
    return by_time(delivery, policy_for(case.announcement, delivery, channel), now)


# stand-ins


class _Walk:
    """One pass over the case; `case` is its result so far."""

    def __init__(self, case: Case, channels: Channels, health: View, now: datetime) -> None:
        self.case, self.channels, self.health, self.now = case, channels, health, now
        self.start_by = case.announcement.base_at + case.announcement.plan.start_by

    def post_to(self) -> list[Delivery]:
        return [d for d in self.case.deliveries.values() if d.role is Role.POST_TO]

    def serve(self, delivery: Delivery) -> None:
        """Starts the next stand-in of a `post_to` channel that is in trouble, unless one already serves it."""
        why = self.trouble(delivery)
        if why is None or self.now >= self.start_by:
            return
        passed_over: list[str] = []
        for name in self.in_order(delivery.channel):
            stand_in = self.case.deliveries.get(name)
            if stand_in is None or name not in self.channels:
                continue
            if stand_in.state is S.LIVE:
                return
            if stand_in.state is S.STANDBY:
                if self.down(name):
                    passed_over.append(name)
                    continue
                self.start(stand_in, self.because(delivery, why, passed_over))
            elif self.trouble(stand_in):
                passed_over.append(name)
                continue
            if not self.is_slow(name):
                return

    def in_order(self, channel: str) -> list[str]:
        """The route's order, channels of operators that failed for this announcement last."""
        names = self.case.announcement.plan.stand_ins.get(channel, ())
        failed = self.failed_operators()
        return sorted(names, key=lambda n: n in self.channels and self.channels[n].operator in failed)

    def failed_operators(self) -> set[str]:
        return {
            self.channels[d.channel].operator
            for d in self.case.deliveries.values()
            if d.channel in self.channels and d.state is not S.STANDBY and self.trouble(d)
        }

    def is_slow(self, name: str) -> bool:
        """A channel that takes longer than we would wait (moderation) is started without stopping the walk."""
        return self.channels[name].profile.usual > self.case.announcement.plan.stand_in_after

    def down(self, name: str) -> Down | None:
        return self.health.down.get(self.channels[name].key) if name in self.channels else None

    def trouble(self, d: Delivery) -> Reason | None:
        """Why this delivery cannot be waited for; None while there is hope or nothing to complain of."""
        match d.state:
            case S.LIVE | S.STANDBY | S.SKIPPED | S.WITHDRAWN:
                return None
            case S.CHECKING | S.UNCONFIRMED if self.case.announcement.plan.on_unconfirmed is UNANSWERED:
                return None
            case S.FAILED | S.EXPIRED | S.REMOVED | S.CHECKING | S.UNCONFIRMED:
                return d.reason or Reason("unavailable", {"detail": "", "tries": d.tries})
        if down := self.down(d.channel):
            return down_reason(down)
        if d.state is S.DUE and d.cause is Cause.ACCOUNT:
            return d.reason
        if d.state is S.DUE and d.tries >= 2:
            return d.reason
        patience = self.patience(d)
        if d.cause is Cause.LIMIT and d.next_at is not None and d.next_at > patience:
            return d.reason
        return self.slow_reason(d) if self.now >= patience else None

    def patience(self, d: Delivery) -> datetime:
        """Until when this delivery is waited for: `stand_in_after`, or the usual time if it is longer and it moves."""
        wait = self.case.announcement.plan.stand_in_after
        if d.state is S.PENDING and d.channel in self.channels:
            wait = max(wait, self.channels[d.channel].profile.usual)
        return (d.started_at or self.case.announcement.base_at) + wait

    def slow_reason(self, d: Delivery) -> Reason:
        return Reason("slow", {"channel": d.channel, "after_s": _seconds(self.case.announcement.plan.stand_in_after)})

    def because(self, served: Delivery, why: Reason, passed_over: Iterable[str]) -> Reason:
        args: dict[str, Any] = {"for_channel": served.channel, "passed_over": list(passed_over)}
        if down := self.down(served.channel):
            return Reason("start_stand_in_down", {**args, **down_reason(down).args})
        if why.key == "slow":
            return Reason("start_slow", {**args, **why.args})
        return Reason("start_stand_in", {**args, "why": why.key, "why_args": dict(why.args)})

    def start(self, delivery: Delivery, reason: Reason) -> None:
        due = replace(delivery, state=S.DUE, started_at=self.now, next_at=None, reason=reason, cause=None)
        self.case = _with(self.case, (due,))

    # the goal

    def save_the_goal(self) -> None:
        """At half of the time whatever is missing is started from stand-ins and reserve; from three quarters only live
        copies, and what was started since, count."""
        announcement = self.case.announcement
        goal, base = announcement.plan.goal, announcement.base_at
        if announcement.met_at or not base + goal.within / 2 <= self.now < self.start_by:
            return
        late_stage = base + goal.within * 0.75
        hopeful = [d for d in self.case.deliveries.values() if self.may_count(d, late_stage)]
        operators, domestic = reach(hopeful, self.channels)
        missing = goal.operators - len(operators)
        missing_domestic = goal.domestic - len(domestic)
        for delivery in self.candidates(missing_domestic > 0):
            if missing <= 0 and missing_domestic <= 0:
                return
            channel = self.channels[delivery.channel]
            helps = channel.operator not in operators and (missing > 0 or channel.domestic)
            if not helps:
                continue
            args = {"missing": max(missing, 0), "missing_domestic": max(missing_domestic, 0)}
            self.start(delivery, Reason("start_goal", args))
            operators.add(channel.operator)
            missing, missing_domestic = missing - 1, missing_domestic - channel.domestic

    def may_count(self, d: Delivery, late_stage: datetime) -> bool:
        """Live, or under way, without trouble and able to be live in time."""
        if d.state is S.LIVE:
            return True
        if d.state not in UNDER_WAY | {S.DUE} or d.channel not in self.channels or self.trouble(d):
            return False
        started = d.started_at or self.case.announcement.base_at
        if self.now >= late_stage and started < late_stage:
            return False
        return started + self.channels[d.channel].profile.usual <= max(self.case.announcement.goal_by, self.now)

    def candidates(self, domestic_first: bool) -> list[Delivery]:
        """Stand-bys that count, can be reached and are not down: stand-ins before reserve, then as written."""
        ready = [
            d
            for d in self.case.deliveries.values()
            if d.state is S.STANDBY and d.channel in self.channels and not self.down(d.channel)
        ]
        ready = [d for d in ready if self.channels[d.channel].counts]
        return sorted(
            ready,
            key=lambda d: (
                domestic_first and not self.channels[d.channel].domestic,
                d.role is Role.RESERVE,
                d.position,
            ),
        )


def down_reason(down: Down) -> Reason:
    """What is down, since when and who showed it, as a sentence."""
    names = [key.rpartition("/")[2] for key in down.channels]
    key = "refuses_everything" if down.cause is Cause.CONTENT else "down"
    what = down.what.rpartition("/")[2]
    args = {"what": what, "since": down.since.isoformat(), "channels": names, "detail": down.detail}
    return Reason(key, {**args, "scope": down.scope.value})


# what is no longer needed


def _skip_what_is_not_needed(case: Case, channels: Channels, health: View, now: datetime) -> Case:
    start_by = case.announcement.base_at + case.announcement.plan.start_by
    changed = []
    for d in case.deliveries.values():
        if d.state is S.STANDBY and (now >= start_by or _nobody_needs(d, case)):
            changed.append(_rest(d, S.SKIPPED, Reason("not_needed")))
        elif d.state is S.DUE and (server := _not_owed(d, case)):
            changed.append(_rest(d, S.SKIPPED, Reason("served_by", {"channel": server})))
        elif d.state is S.DUE:
            changed.append(_parked(d, case.announcement, channels, health))
    return _with(case, changed)


def _parked(d: Delivery, announcement: Announcement, channels: Channels, health: View) -> Delivery:
    """A delivery whose channel is down waits, and says for what and until when."""
    down = health.down.get(channels[d.channel].key) if d.channel in channels else None
    if down is None or (d.reason is not None and d.reason.key == "denied" and down.cause is Cause.ACCOUNT):
        return d
    if (
        d.reason is not None
        and d.reason.key == "parked_down"
        and d.reason.args["what"] == down_reason(down).args["what"]
    ):
        return d
    until = useful_until(announcement, d).isoformat()
    return replace(d, cause=down.cause, reason=Reason("parked_down", {**down_reason(down).args, "until": until}))


def _nobody_needs(d: Delivery, case: Case) -> bool:
    """A stand-by is released once the goal is met and everybody it could serve is live."""
    if not case.announcement.met_at:
        return False
    served = (case.deliveries[name] for name in d.serves if name in case.deliveries)
    return all(s.state is S.LIVE for s in served)


def _not_owed(d: Delivery, case: Case) -> str | None:
    """Who carries it instead, if this unsent delivery need not be made any more."""
    if d.role is not Role.POST_TO:
        others = [case.deliveries[n] for n in d.serves if n in case.deliveries]
        in_flight = d.handle is not None or d.attempt > 0
        needless = bool(others) and all(o.state is S.LIVE for o in others) and case.announcement.met_at
        return others[0].channel if needless and not in_flight else None
    if case.announcement.plan.late_copies is not None:
        return None
    names = case.announcement.plan.stand_ins.get(d.channel, ())
    return next((n for n in names if n in case.deliveries and case.deliveries[n].state is S.LIVE), None)


def _take_back(case: Case, channels: Channels, now: datetime) -> Case:
    """Withdrawn or replaced: nothing unsent is sent; what is live is deleted where the platform lets us."""
    announcement = case.announcement
    unsent = Reason("withdrawn", {"because": announcement.withdrawn_because or ""})
    if announcement.withdrawn_at is None:
        unsent = Reason("replaced", {"by": announcement.replaced_by})
    return _with(case, (_taken_back(d, case, channels, unsent, now) for d in case.deliveries.values()))


def _taken_back(d: Delivery, case: Case, channels: Channels, unsent: Reason, now: datetime) -> Delivery:
    if d.state in (S.STANDBY, S.DUE):
        return _rest(d, S.SKIPPED, unsent)
    channel = channels.get(d.channel)
    if d.state is S.CHECKING and channel and verb_for(d, policy_for(case.announcement, d, channel)) is Verb.PUBLISH:
        return _rest(d, S.UNCONFIRMED, Reason("unconfirmed_nothing"), Cause.UNCLEAR)
    if d.state is not S.LIVE or not case.announcement.withdrawn_at or _deletion_was_tried(d):
        return d
    if channel is None or Verb.DELETE not in channel.profile.abilities:
        return replace(d, next_at=None, reason=Reason("delete_unsupported", {"url": d.url or ""}))
    return replace(d, next_at=now, asks=0, reason=Reason("deleting"))


def _deletion_was_tried(d: Delivery) -> bool:
    return d.reason is not None and d.reason.key in ("deleting", "delete_failed", "delete_unsupported", "resolved_gone")


def newest(owed: Iterable[tuple[str, datetime]], keep: int) -> set[str]:
    """Which owed late copies are made after an outage: the newest `keep`, by time of writing."""
    return {i for i, _ in sorted(owed, key=lambda pair: pair[1], reverse=True)[:keep]}


def give_up_late_copy(case: Case, channel: str, keep: int) -> Case:
    """One owed copy given up because newer ones go first; only if readers have the announcement elsewhere."""
    d = case.deliveries[channel]
    elsewhere = any(o.state is S.LIVE for o in case.deliveries.values())
    held_back = d.cause in (Cause.OUTAGE, Cause.ACCOUNT, Cause.CONTENT, Cause.OWN_NETWORK)
    owed = d.state is S.DUE and d.role is Role.POST_TO and d.first_sent_at is None and d.handle is None and held_back
    return _with(case, (_rest(d, S.SKIPPED, Reason("newest_five", {"count": keep})),)) if owed and elsewhere else case


# status, events, wake


def _finish(case: Case, channels: Channels, now: datetime) -> Plan:
    announcement = case.announcement
    operators, domestic = reach(live(case), channels)
    goal = announcement.plan.goal
    holds = len(operators) >= goal.operators and len(domestic) >= goal.domestic
    met_at = announcement.met_at or (now if holds else None)
    late = announcement.late or (met_at or now) > announcement.goal_by
    post_to = [d for d in case.deliveries.values() if d.role is Role.POST_TO]
    announcement = replace(
        announcement,
        met_at=met_at,
        late=late and announcement.withdrawn_at is None,
        complete=all(d.state is S.LIVE for d in post_to),
    )
    wake_at = _wake_at(case, channels, now)
    resting = all(d.state in RESTING and d.next_at is None for d in case.deliveries.values())
    announcement = replace(
        announcement,
        status=status_of(Case(announcement, case.deliveries), holds, now),
        wake_at=None if resting else wake_at,
        closed_at=(announcement.closed_at or now) if resting else None,
    )
    return Plan(Case(announcement, case.deliveries), announcement.wake_at)


def _wake_at(case: Case, channels: Channels, now: datetime) -> datetime | None:
    """The next moment after now at which time changes something; what is to be done by now is done without waiting."""
    announcement = case.announcement
    if now < announcement.base_at and announcement.withdrawn_at is None:
        return announcement.base_at
    moments = [m for d in case.deliveries.values() for m in _moments(d, announcement, channels)]
    if any(d.state not in RESTING for d in case.deliveries.values()) and not announcement.withdrawn_at:
        moments += _milestones(announcement)
    return min((m for m in moments if m > now), default=None)


def _moments(d: Delivery, announcement: Announcement, channels: Channels) -> Iterable[datetime]:
    if d.channel not in channels:
        return
    if d.next_at is not None:
        yield d.next_at
    limit = time_limit(d, policy_for(announcement, d, channels[d.channel]))
    if limit is not None:
        yield limit
    if d.state not in RESTING and d.started_at is not None:
        wait = announcement.plan.stand_in_after
        yield d.started_at + wait
        yield d.started_at + max(wait, channels[d.channel].profile.usual)


def _milestones(announcement: Announcement) -> list[datetime]:
    base, within = announcement.base_at, announcement.plan.goal.within
    goal = [] if announcement.met_at else [base + within / 2, base + within * 0.75, base + within]
    return [*goal, base + announcement.plan.start_by]


def _with(case: Case, deliveries: Iterable[Delivery]) -> Case:
    changed = {d.channel: d for d in deliveries}
    return Case(case.announcement, {**case.deliveries, **changed}) if changed else case


def _rest(d: Delivery, state: State, reason: Reason, cause: Cause | None = None) -> Delivery:
    return replace(d, state=state, reason=reason, cause=cause, next_at=None)


def _seconds(time: timedelta) -> int:
    return int(time.total_seconds())


def is_class_c(delivery: Delivery, channel: Channel) -> bool:
    """The step that comes next can never be asked about."""
    return channel.profile.step_class(delivery.step) is StepClass.NOTHING
