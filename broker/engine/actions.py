"""What a case asks for once it is durable: permits for what is due, questions, a timer, and attempts that start.

Whether anything is due is `plan`'s and `settle`'s to say, when there is a permit the pacer's; one attempt or question
from here on is in `broker/engine/attempts.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from broker.clock import Clock
from broker.engine.attempts import Attempts, Tell
from broker.engine.changes import Changes, unchanged
from broker.engine.channels import Stations, key_of
from broker.engine.held import Held, Memory, is_urgent
from broker.engine.pacer import Pacer, Permit
from broker.engine.switches import At, Point
from broker.model import Case, Delivery, State, Verb
from broker.rules.delivery import begin, verb_for
from broker.rules.failover import is_class_c
from broker.rules.timing import policy_for
from broker.store import DueRef

FRESH_FOR = timedelta(seconds=60)


class Actions:
    """Those of one run, with one pacer per channel."""

    def __init__(
        self,
        stations: Stations,
        memory: Memory,
        changes: Changes,
        attempts: Attempts,
        clock: Clock,
        at: At,
        *,
        tell: Tell,
        fetch: Callable[[Pacer], None],
    ) -> None:
        self._stations, self._held, self._changes, self.attempts = stations, memory, changes, attempts
        self._clock, self._at, self._tell = clock, at, tell
        self.pacers = {
            key: Pacer(station.channel.profile, clock, self._sender(station.name), fetch)
            for key, station in stations.items()
        }
        self.is_stopped = False
        """Nothing more is asked or queued; what has its permit goes."""

    def act(self, held: Held, now: datetime) -> None:
        """Starts everything the case asks for now."""
        for name, delivery in held.case.deliveries.items():
            if name in held.permits and delivery.state is State.SENDING and name not in held.busy:
                self.attempts.begin(held, delivery)
            elif self._wants_action(held, delivery, now):
                self._start(held, delivery)
        self._return_unused_permits(held)

    def _wants_action(self, held: Held, delivery: Delivery, now: datetime) -> bool:
        ready = delivery.next_at is None or delivery.next_at <= now
        if delivery.channel in held.busy or delivery.channel in held.permits or not ready or self.is_stopped:
            return False
        if self._changes.is_cut_off(held.case, delivery):
            return False
        if held.case.is_ahead(now) and not held.case.announcement.withdrawn_at:
            return False
        return delivery.state is State.DUE or (delivery.next_at is not None and delivery.state is not State.SENDING)

    def _start(self, held: Held, delivery: Delivery) -> None:
        announcement = held.case.announcement
        channel = self._stations.of(announcement.agency).get(delivery.channel)
        if channel is None:
            return
        policy = policy_for(announcement, delivery, channel)
        verb = verb_for(delivery, policy, withdrawn=announcement.withdrawn_at is not None)
        if verb is Verb.PUBLISH:
            self._offer(held, delivery, channel.key)
        elif verb is not None:
            self.attempts.ask(held, delivery, verb)

    def _offer(self, held: Held, delivery: Delivery, key: str) -> None:
        announcement = held.case.announcement
        fresh = self._clock.now() - announcement.accepted_at < FRESH_FOR
        held.offered.add(delivery.channel)
        ref = DueRef(announcement.id, delivery.channel, is_urgent(announcement), announcement.accepted_at)
        self.pacers[key].offer(ref, fresh=fresh)

    def _sender(self, channel: str) -> Callable[[DueRef, Permit], bool]:
        """What a pacer calls when a reference got its permit; False when there is nothing to send after all."""

        def send(ref: DueRef, permit: Permit) -> bool:
            held = self._held.get(ref.announcement_id)
            if held is None or channel in held.permits or channel in held.busy:
                return False
            held.offered.discard(channel)
            held.permits[channel] = permit
            self._at(Point.PERMIT_GIVEN)
            self._tell(ref.announcement_id, lambda case, now: self._changes.begun(case, channel, now))
            return True

        return send

    def begin_at_once(self, case: Case, now: datetime) -> tuple[Case, dict[str, Permit]]:
        """Intents of class C are never in the accept commit: they are committed with slot and permit in hand."""
        permits: dict[str, Permit] = {}
        channels = self._stations.of(case.announcement.agency)
        if case.is_ahead(now):
            return case, permits
        begun: dict[str, Delivery] = {}
        for name, delivery in case.deliveries.items():
            if delivery.state is not State.DUE or is_class_c(delivery, channels[name]):
                continue
            if permit := self.pacers[channels[name].key].try_permit():
                permits[name] = permit
                begun[name] = begin(delivery, policy_for(case.announcement, delivery, channels[name]), now)
        return Case(case.announcement, {**case.deliveries, **begun}), permits

    def _return_unused_permits(self, held: Held) -> None:
        if held.writing or held.inputs:
            return
        unused = [n for n in held.permits if n not in held.busy]
        for name in [n for n in unused if held.case.deliveries[n].state is not State.SENDING]:
            held.permits.pop(name).give_back()

    def set_timer(self, held: Held, now: datetime) -> None:
        """When the case asks for something next."""
        held.stop_timer()
        wake_at = held.case.announcement.wake_at
        if wake_at is None or self.is_stopped:
            return
        delay = max(0.0, (wake_at - now).total_seconds())
        announcement_id = held.case.announcement.id
        held.timer = asyncio.get_running_loop().call_later(delay, self._tell, announcement_id, unchanged)

    def forget(self, held: Held) -> None:
        """It is not this run's any more, or not in memory: takes back what is queued and not begun."""
        announcement = held.case.announcement
        for name in held.offered:
            pacer = self.pacers.get(key_of(announcement.agency, name))
            if pacer:
                pacer.forget(announcement.id)
                pacer.backlog = True
        for name in [n for n in held.permits if n not in held.busy]:
            held.permits.pop(name).give_back()
