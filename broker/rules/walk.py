"""The walk over one announcement: what is in trouble, which stand-ins and reserve start for it, what is let go again.

A part of `plan` (failover.py), with the same rules (docs/failover.md); pure, without a memory of earlier walks.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from broker.model import RESTING, Case, Delivery, OnUnconfirmed, Reason, Role, State, Verb
from broker.outcome import Cause
from broker.rules.delivery import ended, rested
from broker.rules.domains import Scope
from broker.rules.health import Down, View
from broker.rules.standing import Channels, is_unsuited, meets, reach, was_let_go
from broker.rules.timing import begun_at, policy_for, start_until, useful_until
from broker.values import replace

S = State
UNDER_WAY = frozenset({S.DUE, S.SENDING, S.PENDING, S.CHECKING, S.UNCONFIRMED})
"""States of a delivery that is being waited for, as long as it is in no trouble."""
BREADTH = (Scope.CHANNEL, Scope.MEDIA, Scope.HOST, Scope.LOGIN, Scope.PATH, Scope.OPERATOR)


class Walk:
    """One pass over the case; `case` is its result so far."""

    def __init__(self, case: Case, channels: Channels, health: View, now: datetime) -> None:
        self.case, self.channels, self.health, self.now = case, channels, health, now
        self.announcement, self.route = case.announcement, case.announcement.plan
        self.start_until = start_until(case.announcement)
        self.holds = meets(self.route.goal, filter(self.is_counted_on, case.deliveries.values()), channels)

    # stand-ins

    def serve(self, delivery: Delivery) -> None:
        """Starts the next stand-in of a `post_to` channel that is in trouble, unless one already serves it."""
        why = self.trouble(delivery)
        if why is None or self.now >= self.start_until:
            return
        failed = self.failed_operators()
        names = sorted(self.stand_ins(delivery.channel), key=lambda name: self.channels[name].operator in failed)
        if any(self.carries(name, failed) for name in names):
            return
        for name in names:
            if self.can_start(name):
                self.start(name, self.because(delivery, name, why))
            if self.helps(name) and not self.is_slow(name):
                return

    def stand_ins(self, channel: str) -> list[str]:
        names = self.route.stand_ins.get(channel, ())
        return [name for name in names if name in self.case.deliveries and name in self.channels]

    def failed_operators(self) -> set[str]:
        deliveries = self.case.deliveries.values()
        return {self.channels[d.channel].operator for d in deliveries if d.channel in self.channels and self.trouble(d)}

    def carries(self, name: str, failed: set[str]) -> bool:
        """Nobody else is needed: it is live there, or will be soon on an operator that has not failed."""
        if self.is_live(name):
            return True
        return self.helps(name) and not self.is_slow(name) and self.channels[name].operator not in failed

    def is_live(self, name: str) -> bool:
        """Readers can see it there: a live copy on a channel that is down helps nobody."""
        return self.case.deliveries[name].state is S.LIVE and not self.down(name)

    def helps(self, name: str) -> bool:
        delivery = self.case.deliveries[name]
        return delivery.state in UNDER_WAY and not self.trouble(delivery)

    def is_slow(self, name: str) -> bool:
        """A channel that takes longer than we would wait (moderation) is started without stopping the walk."""
        return self.channels[name].profile.usual > self.route.stand_in_after

    def can_start(self, name: str) -> bool:
        """Not used yet, or let go as long as others carried it; a channel on trial runs beside the next stand-in."""
        delivery, down = self.case.deliveries[name], self.down(name)
        is_left = delivery.state is S.STANDBY or was_let_go(delivery)
        return is_left and (down is None or down.half_open)

    def start(self, name: str, reason: Reason) -> None:
        standby = self.case.deliveries[name]
        due = replace(standby, state=S.DUE, started_at=self.now, next_at=None, tries=0, reason=reason, cause=None)
        self.case = self.case.having((due,))

    def down(self, name: str) -> Down | None:
        return self.health.down.get(self.channels[name].key) if name in self.channels else None

    # trouble

    def trouble(self, d: Delivery) -> Reason | None:
        """Why this delivery cannot be waited for; None while there is hope or nothing to complain of."""
        waits = self.route.on_unconfirmed is OnUnconfirmed.WAIT
        match d.state:
            case S.LIVE | S.STANDBY | S.WITHDRAWN:
                return None
            case S.SKIPPED if d.cause is None:
                return None
            case S.CHECKING | S.UNCONFIRMED if waits:
                return None
            case S.SKIPPED | S.FAILED | S.EXPIRED | S.REMOVED | S.CHECKING | S.UNCONFIRMED:
                return d.reason or Reason("unavailable", {"detail": "", "tries": d.tries})
        if down := self.down(d.channel):
            return down_reason(down)
        if d.state is not S.PENDING and (d.cause is Cause.ACCOUNT or d.tries >= 2 or (d.first_sent_at and not waits)):
            return d.reason or Reason("unavailable", {"detail": "", "tries": d.tries})
        patience = self.patience(d)
        if d.state is S.DUE and d.cause is not None and d.next_at is not None and d.next_at > patience:
            return d.reason
        return self.slow_reason(d) if self.now >= patience else None

    def patience(self, d: Delivery) -> datetime:
        """Until when this delivery is waited for: `stand_in_after`, or the usual time if it is longer and it moves."""
        wait = self.route.stand_in_after
        if d.state is S.PENDING or (d.handle is not None and d.cause is None):
            wait = max(wait, self.channels[d.channel].profile.usual)
        return begun_at(self.announcement, d) + wait

    def slow_reason(self, d: Delivery) -> Reason:
        after_s = int(self.route.stand_in_after.total_seconds())
        return Reason("slow", {"channel": d.channel, "after_s": after_s})

    def because(self, served: Delivery, name: str, why: Reason) -> Reason:
        names = self.stand_ins(served.channel)
        passed_over = [n for n in names[: names.index(name)] if not self.helps(n)]
        args: dict[str, Any] = {"for_channel": served.channel, "passed_over": passed_over}
        if down := self.down(served.channel):
            return Reason("start_stand_in_down", {**args, **down_reason(down).args})
        if why.key == "slow":
            return Reason("start_slow", {**args, **why.args})
        return Reason("start_stand_in", {**args, "why": why.key, "why_args": dict(why.args)})

    # the goal

    def save_the_goal(self) -> None:
        """At half of the time, or as soon as everything rests, whatever is missing is started from stand-ins and
        reserve; from three quarters only live copies, and what was started since, count."""
        goal, base = self.route.goal, self.announcement.base_at
        begins = base if self.all_rests() else base + goal.within / 2
        if self.holds or not begins <= self.now < self.start_until:
            return
        operators, domestic = reach(filter(self.may_count, self.case.deliveries.values()), self.channels)
        for name in self.candidates(len(domestic) < goal.domestic):
            missing, missing_domestic = goal.operators - len(operators), goal.domestic - len(domestic)
            if missing <= 0 and missing_domestic <= 0:
                return
            channel = self.channels[name]
            is_new = missing > 0 and channel.operator not in operators
            is_home = missing_domestic > 0 and channel.domestic and channel.operator not in domestic
            if not (is_new or is_home):
                continue
            args = {"missing": max(missing, 0), "missing_domestic": max(missing_domestic, 0)}
            self.start(name, Reason("start_goal", args))
            if self.may_count(self.case.deliveries[name]):
                operators.add(channel.operator)
                domestic |= {channel.operator} if channel.domestic else set()

    def all_rests(self) -> bool:
        """Nothing will change by itself, and nobody would look again at half of the time."""
        return all(d.state in RESTING for d in self.case.deliveries.values())

    def is_counted_on(self, d: Delivery) -> bool:
        """Live; on a channel that is down only if it was read back, where that is to be done: a platform that fails
        right after its answer may have shown nothing."""
        if d.state is not S.LIVE:
            return False
        if d.seen is not None or self.down(d.channel) is None:
            return True
        profile = self.channels[d.channel].profile
        return profile.look_back is None or Verb.FIND not in profile.abilities

    def may_count(self, d: Delivery) -> bool:
        """Live, or under way, without trouble and able to be live in time."""
        if d.state is S.LIVE:
            return self.is_counted_on(d)
        if d.channel not in self.channels or not self.helps(d.channel):
            return False
        late_stage = self.announcement.base_at + self.route.goal.within * 0.75
        begun = begun_at(self.announcement, d)
        return (self.now < late_stage or begun >= late_stage) and self.is_in_time(d.channel, begun)

    def is_in_time(self, name: str, begun: datetime) -> bool:
        """Before the goal's time or, when that is over, as soon as any stand-in is expected to be."""
        return self.channels[name].profile.usual <= max(self.announcement.goal_by - begun, self.route.stand_in_after)

    def candidates(self, domestic_first: bool) -> list[str]:
        """What counts and can be started: what can be in time first, stand-ins before reserve, then as written."""

        def order(d: Delivery) -> tuple[bool, bool, bool, int]:
            foreign = domestic_first and not self.channels[d.channel].domestic
            late = self.down(d.channel) is not None or not self.is_in_time(d.channel, self.now)
            return foreign, late, d.role is Role.RESERVE, d.position

        known = [d for d in self.case.deliveries.values() if d.channel in self.channels]
        return [
            d.channel for d in sorted(known, key=order) if self.channels[d.channel].counts and self.can_start(d.channel)
        ]

    # what is not needed

    def release(self) -> None:
        """Lets go of what need not be sent any more; what waits for its channel says so."""
        changed = []
        for d in self.case.deliveries.values():
            if d.state is S.STANDBY and (why := self.why_not_started(d)):
                changed.append(rested(d, S.SKIPPED, why))
            elif d.state is S.DUE and (why := self.why_not_sent(d)):
                policy = policy_for(self.announcement, d, self.channels[d.channel])
                changed.append(ended(d, S.SKIPPED, why, policy, self.now))
            elif d.state is S.DUE:
                changed.append(self.parked(d))
        self.case = self.case.having(changed)

    def why_not_started(self, d: Delivery) -> Reason | None:
        served = [self.case.deliveries[name] for name in self.served(d)]
        if self.holds and all(o.state is S.LIVE for o in served):
            return Reason("not_needed")
        late = self.now >= self.start_until
        return Reason("start_by_over", {"until": self.start_until.isoformat()}) if late else None

    def why_not_sent(self, d: Delivery) -> Reason | None:
        """Stand-ins and reserve go only while they are needed; a `post_to` channel that failed may owe no late copy."""
        if d.role is Role.POST_TO:
            if self.route.late_copies is not None or not self.holds or not self.trouble(d):
                return None
            carriers = [self.carrier(d.channel, beside=d.channel)]
        elif not self.holds:
            return None
        else:
            carriers = [self.carrier(name, beside=d.channel) for name in self.served(d)]
        if not all(carriers):
            return None
        return Reason("served_by", {"channel": carriers[0]}) if carriers else Reason("not_needed")

    def served(self, d: Delivery) -> list[str]:
        """What it stands in for, without what has nothing to show there."""
        return [name for name in d.serves if (o := self.case.deliveries.get(name)) and not is_unsuited(o)]

    def carrier(self, served: str, beside: str) -> str | None:
        """A channel that shows what `served` should, other than `beside`."""
        return next((name for name in (served, *self.stand_ins(served)) if name != beside and self.is_live(name)), None)

    def parked(self, d: Delivery) -> Delivery:
        """A delivery whose channel is down waits, and says for what and until when."""
        down = self.down(d.channel)
        if down is None:
            return replace(d, cause=Cause.OWN_NETWORK, reason=Reason("own_network")) if self._is_cut_off(d) else d
        if not _says_more(down, d):
            return d
        owed = d.role is Role.POST_TO and self.route.late_copies is not None
        until = {"until": useful_until(self.announcement, d).isoformat()} if owed else {}
        return replace(d, cause=down.cause, reason=Reason("parked_down", {**down_reason(down).args, **until}))

    def _is_cut_off(self, d: Delivery) -> bool:
        """It failed outside while our own network is suspected; our own site is not behind that."""
        outside = d.channel not in self.channels or not self.channels[d.channel].profile.own
        return outside and self.health.own_network_since is not None and d.cause is Cause.OUTAGE


@lru_cache(maxsize=1024)
def down_reason(down: Down) -> Reason:
    """What is down, since when and who showed it, as a sentence."""
    names = [key.rpartition("/")[2] for key in down.channels]
    key = "refuses_everything" if down.cause is Cause.CONTENT else "down"
    what = down.what.rpartition("/")[2]
    args = {"what": what, "since": down.since.isoformat(), "channels": names, "detail": down.detail}
    return Reason(key, {**args, "scope": down.scope.value})


def _says_more(down: Down, d: Delivery) -> bool:
    """Whether the delivery has something better to say than before. Never back to less: views that alternate would
    fill the events."""
    if d.reason is None or d.reason.key not in ("parked_down", "denied"):
        return True
    if d.reason.key == "denied":
        return down.cause is not Cause.ACCOUNT
    said = BREADTH.index(Scope(d.reason.args["scope"])), d.cause is not Cause.OUTAGE
    return (BREADTH.index(down.scope), down.cause is not Cause.OUTAGE) > said
