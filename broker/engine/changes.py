"""The changes that a permit, an outcome, a channel's return and a crash make: each a pure function from case to case.

What they make of a delivery is for `settle` and its neighbours to say; this finds the delivery and its policy, and says
when a change has come too late. The inbox's changes are in `broker/engine/inbox.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from broker.engine.channels import Stations
from broker.engine.monitor import Monitor
from broker.engine.switches import Switches
from broker.model import Announcement, Case, Delivery, State, Verb
from broker.outcome import Cause, Fault, Finding, Uncertain
from broker.rules.deadlines import as_found
from broker.rules.delivery import Policy, begin, unsent, verb_for
from broker.rules.settle import asked_anew, concerns, settle
from broker.rules.timing import policy_for
from broker.values import replace

Recompose = Callable[[Announcement, Delivery], Delivery]


class Changes:
    """Those of one run."""

    def __init__(
        self,
        stations: Stations,
        monitor: Monitor,
        recompose: Recompose,
        switches: Switches,
        *,
        began_at: datetime,
        clock_set_back: bool,
    ) -> None:
        self._stations, self._monitor, self._recompose, self._switches = stations, monitor, recompose, switches
        self._began_at, self.clock_set_back = began_at, clock_set_back

    def begun(self, case: Case, channel: str, now: datetime) -> Case:
        """The durable intent, for a delivery that still wants to be sent."""
        delivery = case.deliveries[channel]
        policy = self._policy(case, delivery)
        ready = delivery.next_at is None or delivery.next_at <= now
        wanted = policy is not None and ready and not self.is_cut_off(case, delivery)
        if policy is None or not wanted or verb_for(delivery, policy) is not Verb.PUBLISH:
            return case
        return case.having([begin(self._recompose(case.announcement, delivery), policy, now)])

    def settled(self, case: Case, sent: Delivery, verb: Verb, outcome: Finding | None, now: datetime) -> Case:
        """An answer is in; None: nothing left."""
        delivery = case.deliveries[sent.channel]
        policy = self._policy(case, delivery)
        if policy is None or not concerns(outcome, verb, sent, delivery):
            return case
        if outcome is None:
            return case.having([unsent(delivery, policy, now)]) if delivery.state is State.SENDING else case
        return case.having([settle(delivery, verb, outcome, policy, now)])

    def asked_anew(self, channels: Iterable[str], case: Case, now: datetime) -> Case:
        """These channels answer again."""
        for name in channels:
            if (policy := self._policy(case, case.deliveries[name])) is not None:
                case = case.having([asked_anew(case.deliveries[name], policy, now)])
        return case

    def after_crash(self, case: Case, now: datetime) -> Case:
        for delivery in case.deliveries.values():
            case = case.having([self._as_found(case, delivery, now)])
        return case

    def _as_found(self, case: Case, delivery: Delivery, now: datetime) -> Delivery:
        """What an ended run left in flight may have got through, and no clock tells how long ago that was."""
        policy = self._policy(case, delivery)
        if policy is None:
            return delivery
        if delivery.state is State.SENDING:
            crashed = Uncertain(Fault.CRASH, "the broker was stopped")
            checked = settle(delivery, Verb.PUBLISH, crashed, policy, now)
            delivery = checked if self._switches.crash_is_checking else unsent(delivery, policy, now)
        return as_found(delivery, policy, self._began_at, now, clock_set_back=self.clock_set_back)

    def is_cut_off(self, case: Case, delivery: Delivery) -> bool:
        """It failed for what seems to be our own network: it waits for anybody outside to answer, which probes find."""
        if self._monitor.view.own_network_since is None or delivery.cause not in (Cause.OUTAGE, Cause.OWN_NETWORK):
            return False
        channel = self._stations.of(case.announcement.agency).get(delivery.channel)
        return channel is None or not channel.profile.own

    def _policy(self, case: Case, delivery: Delivery) -> Policy | None:
        """None for a channel that is no longer configured: nothing changes it."""
        channel = self._stations.of(case.announcement.agency).get(delivery.channel)
        return policy_for(case.announcement, delivery, channel) if channel else None


def unchanged(case: Case, now: datetime) -> Case:
    """The change that changes nothing but asks for a new plan."""
    return case


def kept(case: Case, sent: Delivery, handle: str) -> Case:
    """A step of the attempt `sent` is done, and left this handle."""
    delivery = case.deliveries[sent.channel]
    if delivery.attempt != sent.attempt or delivery.state is not State.SENDING:
        return case
    return case.having([replace(delivery, handle=handle, step=delivery.step + 1)])
