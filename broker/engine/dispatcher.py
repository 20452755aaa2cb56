"""Carries out what `settle` and `plan` decide: one decision at a time per announcement, each durable before its effect.

    what came in ──► change(case) ──► plan(case) ──► Save ──► durable ──► act: permits, questions, timers

Everything that comes in (an outcome, a permit, a health change, a person's word, a timer) is a *change*: a pure
function from case to case. Changes that arrive while a decision is on its way to the disk are applied in the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

import structlog
from msgspec import Struct

from broker.clock import Clock
from broker.contract import GateClosed
from broker.engine.channels import Station, Stations, key_of
from broker.engine.courier import Courier
from broker.engine.inbox import late_outcome
from broker.engine.lease import AttemptGate
from broker.engine.monitor import Monitor
from broker.engine.pacer import Pacer, Permit
from broker.engine.switches import Point, Switches
from broker.engine.writer import Lane, Writer
from broker.errors import StoreError
from broker.model import Announcement, Case, Delivery, Event, State, Urgency, Verb
from broker.outcome import Cause, Fault, Finding, Live, Pending, Throttled, Unavailable, Uncertain, Unfinished, bounded
from broker.rules.delivery import (
    Policy,
    asked_anew,
    begin,
    concerns,
    of_unknown_age,
    sent_until,
    settle,
    unsent,
    verb_for,
)
from broker.rules.failover import is_class_c, plan, policy_for
from broker.rules.standing import Channels, events, is_taken_back
from broker.store import Accept, Change, Done, DueRef, IdempotencyRecord, InboxEntry, Result, Save
from broker.values import replace

log = structlog.get_logger("loa.dispatcher")

HELD_AT_MOST = 5000
"""Cases in memory; the rest wait in the store with `wake_at`."""
DELIVERIES_A_CASE = 2
"""As many for each of them, taken together: their texts are what takes memory."""
EVICTED_AT_ONCE = 100
REPLANNED_AT_ONCE = 50
FRESH_FOR = timedelta(seconds=60)

Alter = Callable[[Case, datetime], Case]
After = Callable[[bool], None]
Listener = Callable[[Case, tuple[Event, ...]], None]
"""Hears of every change of course, and of a closing, which need not be an event."""


@dataclass(slots=True)
class Held:
    """One case in memory with what is under way for it."""

    case: Case
    inputs: list[Alter] = field(default_factory=list)
    inbox_done: list[int] = field(default_factory=list)
    after: list[After] = field(default_factory=list)
    """Called once the decision that takes in `inputs` is durable (True) or lost (False)."""
    writing: bool = False
    ripe: bool = False
    """To be decided with the next batch."""
    permits: dict[str, Permit] = field(default_factory=dict)
    offered: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    """Channels with an attempt or a question in flight."""
    gates: dict[str, AttemptGate] = field(default_factory=dict)
    """Of the attempts in flight."""
    timer: asyncio.TimerHandle | None = None

    @property
    def is_quiet(self) -> bool:
        return not (self.inputs or self.writing or self.permits or self.busy)

    def close_gates(self) -> None:
        """What has not left by now stays here."""
        for gate in self.gates.values():
            gate.close()


class Decision(Struct, frozen=True):
    """What was decided, and who waits to hear that it is durable."""

    case: Case
    notes: tuple[Event, ...]
    after: list[After]


class Dispatcher:
    """Owns the cases of one run. Single-threaded; every method is called on the event loop."""

    def __init__(
        self,
        stations: Stations,
        writer: Writer,
        courier: Courier,
        monitor: Monitor,
        clock: Clock,
        *,
        fetch: Callable[[Pacer], None],
        recompose: Callable[[Announcement, Delivery], Delivery],
        neighbour: Callable[[Announcement, Delivery], str | None],
        listener: Listener,
        orphan: Callable[[InboxEntry], None],
        switches: Switches | None = None,
        held_at_most: int = HELD_AT_MOST,
    ) -> None:
        self._stations, self._writer, self._courier, self._monitor = stations, writer, courier, monitor
        self._clock = clock
        self._recompose, self._neighbour, self._listener, self._orphan = recompose, neighbour, listener, orphan
        self._switches = switches or Switches()
        self._at = self._switches.at
        self._held_at_most = held_at_most
        self._held: dict[str, Held] = {}
        self._deliveries = 0
        """Of the cases in memory."""
        self._ripe: deque[Held] = deque()
        writer.before_batch(self._decide_ripe)
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._to_replan: dict[str, set[str]] = {}
        self._replanning = False
        self.pacers = {
            key: Pacer(station.channel.profile, clock, self._sender(station.name), fetch)
            for key, station in stations.items()
        }
        self.clock_set_back = False
        """Since an earlier run: what that one left in doubt is of unknown age."""
        self.has_unheld = False
        """Open announcements wait in the store that are not in memory."""

    # what comes in

    async def accept(
        self, case: Case, idempotency: IdempotencyRecord | None, tells: InboxEntry | None = None
    ) -> tuple[Result, Case]:
        """Stores a new case, and what it `tells` another, and starts it; deliveries with slot and permit are born
        `sending` in the same commit."""
        now = self._clock.now()
        planned = plan(case, self._channels(case), self._monitor.view, now).case
        begun, permits = self._begin_at_once(planned, now)
        notes = events(Case(case.announcement, {}), begun, now)
        begun = _numbered(begun, notes)
        self._at(Point.ACCEPT_PLANNED)
        writing = self._writer.submit(Accept(begun, notes, idempotency, tells), Lane.ACCEPTS)
        writing.add_done_callback(lambda future: self._accepted(begun, notes, permits, future))
        result = await asyncio.shield(writing)
        self._at(Point.ACCEPT_ACTED)
        return result, begun

    def _accepted(
        self, begun: Case, notes: tuple[Event, ...], permits: dict[str, Permit], future: asyncio.Future[Result]
    ) -> None:
        """Starts what is stored, also when nobody waits for the answer any more."""
        if future.cancelled() or future.exception() is not None or not isinstance(future.result(), Done):
            for permit in permits.values():
                permit.give_back()
            return
        self._at(Point.ACCEPT_DURABLE)
        if permits or self._make_room():
            held = self._keep(Held(begun, permits=permits))
            self._listener(begun, notes)
            self._act(held)
        else:
            self.has_unheld = True
            self._listener(begun, notes)

    def adopt(self, cases: Iterable[Case]) -> None:
        """Takes cases of an ended run: what was in flight may have got through; stand-ins go before any read-back.

        Decides nothing before `go`, so that what waits in the inbox is part of the first decision.
        """
        for case in cases:
            self.hold(case)

    def go(self, cases: Iterable[Case]) -> None:
        """Decides what nothing has decided since `adopt`."""
        for case in cases:
            held = self._held.get(case.announcement.id)
            if held is not None and held.inputs:
                self._ripen(held)

    def hold(self, case: Case) -> None:
        """Takes a case of this run from the store into memory; what is in flight there was begun by an ended run."""
        if case.announcement.id not in self._held:
            self._keep(Held(case, inputs=[self._after_crash]))

    def _keep(self, held: Held) -> Held:
        self._held[held.case.announcement.id] = held
        self._deliveries += len(held.case.deliveries)
        return held

    def tell(self, announcement_id: str, alter: Alter, *, inbox_id: int = 0, after: After | None = None) -> bool:
        """Takes one change in; False if the case is not held here."""
        held = self._held.get(announcement_id)
        if held is None:
            return False
        held.inputs.append(alter)
        if inbox_id:
            held.inbox_done.append(inbox_id)
        if after:
            held.after.append(after)
        self._ripen(held)
        return True

    def replan(self, keys: Collection[str], back: Collection[str] = ()) -> None:
        """Looks again at all cases that these channels concern; what is `back`, if only on trial, is asked at once."""
        for announcement_id, held in self._held.items():
            agency = held.case.announcement.agency
            concerned = [name for name in held.case.deliveries if key_of(agency, name) in keys]
            if concerned:
                answering = self._to_replan.setdefault(announcement_id, set())
                answering.update(name for name in concerned if key_of(agency, name) in back)
        if not self._replanning:
            self._replan_some()

    def _replan_some(self) -> None:
        """Some at a time: an outage concerns thousands of cases at once, and what is well must not wait for them."""
        some = [(i, self._to_replan.pop(i)) for i in list(islice(self._to_replan, REPLANNED_AT_ONCE))]
        self._replanning = bool(self._to_replan)
        if self._replanning:
            asyncio.get_running_loop().call_soon(self._replan_some)
        for announcement_id, answering in some:
            self.tell(announcement_id, partial(self._asked_anew, sorted(answering)) if answering else _unchanged)

    def _asked_anew(self, channels: Iterable[str], case: Case, now: datetime) -> Case:
        for name in channels:
            if (policy := self._policy(case, case.deliveries[name])) is not None:
                case = _put(case, asked_anew(case.deliveries[name], policy, now))
        return case

    def hold_back(self, key: str) -> None:
        """Of the attempts on this channel, those of which nothing has left by now leave nothing."""
        for held in self._held.values():
            for name, gate in held.gates.items():
                if key_of(held.case.announcement.agency, name) == key and not gate.passed:
                    gate.close()

    def holds(self, announcement_id: str) -> bool:
        return announcement_id in self._held

    def case(self, announcement_id: str) -> Case | None:
        held = self._held.get(announcement_id)
        return held.case if held else None

    @property
    def held_ids(self) -> set[str]:
        return set(self._held)

    @property
    def room(self) -> int:
        """How many more cases may be held."""
        held, most = len(self._held), self._held_at_most * DELIVERIES_A_CASE
        return max(0, self._held_at_most - held) if self._deliveries < most else 0

    def drop(self, announcement_id: str) -> None:
        """Forgets a case that this run does not own any more; attempts under way find their gate closed."""
        if held := self._held.pop(announcement_id, None):
            self._deliveries -= len(held.case.deliveries)
            self._forget(announcement_id, held)

    async def drain(self) -> None:
        """Starts nothing more and waits until all attempts and questions under way are recorded."""
        self._draining = True
        self._at(Point.DRAIN_BEGUN)
        for pacer in self.pacers.values():
            pacer.stop()
        for held in self._held.values():
            if held.inputs:
                self._ripen(held)  # also what somebody took into memory who was cancelled before telling it anything
        while self._tasks or any(h.writing or h.inputs for h in self._held.values()):
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=0.05)
            await self._clock.sleep(0.001)
        self._at(Point.DRAIN_DONE)
        for announcement_id in list(self._held):
            self.drop(announcement_id)

    # deciding

    def _ripen(self, held: Held) -> None:
        """It is decided when the writer can take the decision: what comes in until then is part of it."""
        if not (held.writing or held.ripe):
            held.ripe = True
            self._ripe.append(held)
            self._writer.ask_to_gather()

    def _decide_ripe(self) -> None:
        while self._ripe:
            held = self._ripe.popleft()
            held.ripe = False
            self._decide(held)

    def _decide(self, held: Held) -> None:
        """Applies what came in, plans, and writes the difference; acts at once when there is none."""
        now = self._clock.now()
        before = case = held.case
        for alter in held.inputs:
            case = alter(case, now)
        case = plan(case, self._channels(case), self._monitor.view, now).case
        notes = events(before, case, now)
        case = _numbered(case, notes)
        changes = _changes(before, case)
        made = Decision(case, notes, held.after)
        settles, held.inputs, held.inbox_done, held.after = tuple(held.inbox_done), [], [], []
        if not (changes or notes or settles or case.announcement != before.announcement):
            self._decided(held, made)
            return
        held.writing = True
        writing = self._writer.submit(Save(case.announcement, changes, notes, settles), Lane.OUTCOMES)
        writing.add_done_callback(lambda future: self._written(held, made, future))

    def _written(self, held: Held, made: Decision, future: asyncio.Future[Result]) -> None:
        held.writing = False
        if future.cancelled() or future.exception() is not None:
            self._lost(held, made)
        elif isinstance(result := future.result(), Done):
            self._at(Point.DECISION_DURABLE)
            self._decided(held, made)
        else:
            log.error("write_lost", announcement_id=made.case.announcement.id, why=str(result))
            self._lost(held, made)

    def _decided(self, held: Held, made: Decision) -> None:
        closes = made.case.announcement.closed_at != held.case.announcement.closed_at
        held.case = made.case
        if is_taken_back(made.case.announcement):
            held.close_gates()
        for call in made.after:
            call(True)
        if made.notes or closes:
            self._listener(made.case, made.notes)
        if held.inputs:
            self._ripen(held)
        else:
            self._act(held)

    def _lost(self, held: Held, made: Decision) -> None:
        """Another run owns it, or the store is gone: nothing more is decided here."""
        for call in (*made.after, *held.after):
            call(False)
        held.after = []
        self.drop(held.case.announcement.id)

    # acting

    def _act(self, held: Held) -> None:
        """Starts everything the case asks for now and sets its timer; called only when memory equals the store."""
        case, now = held.case, self._clock.now()
        announcement_id = case.announcement.id
        if announcement_id not in self._held:
            return
        for name, delivery in case.deliveries.items():
            if name in held.permits and delivery.state is State.SENDING and name not in held.busy:
                self._launch(held, delivery)
            elif self._wants_action(held, delivery, now):
                self._start(held, delivery)
        self._return_unused_permits(held)
        if case.announcement.closed_at is not None and held.is_quiet:
            self.drop(announcement_id)
            return
        self._set_timer(held, now)

    def _wants_action(self, held: Held, delivery: Delivery, now: datetime) -> bool:
        ready = delivery.next_at is None or delivery.next_at <= now
        if delivery.channel in held.busy or delivery.channel in held.permits or not ready or self._draining:
            return False
        if self._is_cut_off(delivery):
            return False
        if held.case.is_ahead(now) and not held.case.announcement.withdrawn_at:
            return False
        return delivery.state is State.DUE or (delivery.next_at is not None and delivery.state is not State.SENDING)

    def _start(self, held: Held, delivery: Delivery) -> None:
        announcement = held.case.announcement
        channel = self._channels(held.case).get(delivery.channel)
        if channel is None:
            return
        policy = policy_for(announcement, delivery, channel)
        verb = verb_for(delivery, policy, withdrawn=announcement.withdrawn_at is not None)
        if verb is Verb.PUBLISH:
            self._offer(held, delivery, channel.key)
        elif verb is not None:
            held.busy.add(delivery.channel)
            self._spawn(self._ask(held, delivery, verb))

    def _offer(self, held: Held, delivery: Delivery, key: str) -> None:
        announcement = held.case.announcement
        fresh = self._clock.now() - announcement.accepted_at < FRESH_FOR
        held.offered.add(delivery.channel)
        self.pacers[key].offer(ref_of(announcement, delivery.channel), fresh=fresh)

    def _sender(self, channel: str) -> Callable[[DueRef, Permit], bool]:
        """What a pacer calls when a reference got its permit; False when there is nothing to send after all."""

        def send(ref: DueRef, permit: Permit) -> bool:
            held = self._held.get(ref.announcement_id)
            if held is None or channel in held.permits or channel in held.busy:
                return False
            held.offered.discard(channel)
            held.permits[channel] = permit
            self._at(Point.PERMIT_GIVEN)
            self.tell(ref.announcement_id, lambda case, now: self._begun(case, channel, now))
            return True

        return send

    def _begun(self, case: Case, channel: str, now: datetime) -> Case:
        """The durable intent, for a delivery that still wants to be sent."""
        delivery = case.deliveries[channel]
        policy = self._policy(case, delivery)
        ready = delivery.next_at is None or delivery.next_at <= now
        wanted = policy is not None and ready and not self._is_cut_off(delivery)
        if policy is None or not wanted or verb_for(delivery, policy) is not Verb.PUBLISH:
            return case
        return _put(case, begin(self._recompose(case.announcement, delivery), policy, now))

    def _begin_at_once(self, case: Case, now: datetime) -> tuple[Case, dict[str, Permit]]:
        """Intents of class C are never in the accept commit: they are committed with slot and permit in hand."""
        permits: dict[str, Permit] = {}
        channels = self._channels(case)
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

    def _launch(self, held: Held, delivery: Delivery) -> None:
        held.busy.add(delivery.channel)
        self._spawn(self._attempt(held, delivery))

    async def _attempt(self, held: Held, delivery: Delivery) -> None:
        """One attempt, from its durable intent to its outcome taken in."""
        announcement, name = held.case.announcement, delivery.channel
        station = self._stations.serving(announcement, name)
        until = sent_until(delivery, policy_for(announcement, delivery, station.channel))
        gate = held.gates[name] = self._courier.gate(station.channel.profile, until)
        if is_taken_back(announcement):
            gate.close()
        job = self._courier.job(announcement, delivery, gate, self._keeper(held, delivery))
        self._at(Point.INTENT_DURABLE)
        await (pacer := held.permits[name].pacer).turn()
        outcome = None if gate.is_closed or pacer.stopped else await self._courier.publish(station, job)
        self._at(Point.OUTCOME_KNOWN)
        permit = held.permits.pop(name)
        del held.gates[name]
        held.busy.discard(name)
        self._take_in(held, delivery, Verb.PUBLISH, outcome)
        self._at(Point.OUTCOME_QUEUED)
        if outcome is not None:
            self._monitor.saw(station.key, Verb.PUBLISH, outcome, announcement.id)
        if isinstance(outcome, Throttled):
            permit.pacer.slow_down(bounded(outcome.retry_after).total_seconds())
        permit.give_back(clean=None if outcome is None else isinstance(outcome, Live | Pending | Unfinished))

    async def _ask(self, held: Held, delivery: Delivery, verb: Verb) -> None:
        announcement, name = held.case.announcement, delivery.channel
        station = self._stations.serving(announcement, name)
        self._at(Point.QUESTION_BEGUN)
        outcome = await self._answer(station, announcement, delivery, verb)
        self._at(Point.QUESTION_ANSWERED)
        held.busy.discard(name)
        self._take_in(held, delivery, verb, outcome)
        self._monitor.saw(station.key, verb, outcome, announcement.id)

    async def _answer(self, station: Station, announcement: Announcement, delivery: Delivery, verb: Verb) -> Finding:
        """A list is not asked without the neighbour it is held against."""
        try:
            neighbour = self._neighbour(announcement, delivery) if verb is Verb.FIND else None
        except StoreError as error:
            log.error("neighbour_unread", announcement_id=announcement.id, channel=station.name, detail=str(error))
            return Unavailable(Fault.CRASH, "our store could not be read")
        gate = self._courier.gate(station.channel.profile)
        job = self._courier.job(announcement, delivery, gate, _no_keep, neighbour)
        return await self._courier.ask(station, verb, job)

    def _take_in(self, held: Held, delivery: Delivery, verb: Verb, outcome: Finding | None) -> None:
        """An outcome becomes a change; of an attempt that is not ours any more it goes to the inbox."""
        announcement_id = delivery.announcement_id
        known = self.tell(announcement_id, lambda case, now: self._settled(case, delivery, verb, outcome, now))
        if not known and outcome is not None and verb is Verb.PUBLISH:
            self._orphan(late_outcome(delivery, outcome))

    def _settled(self, case: Case, sent: Delivery, verb: Verb, outcome: Finding | None, now: datetime) -> Case:
        delivery = case.deliveries[sent.channel]
        policy = self._policy(case, delivery)
        if policy is None or not concerns(outcome, verb, sent, delivery):
            return case
        if outcome is None:
            return _put(case, unsent(delivery, policy, now)) if delivery.state is State.SENDING else case
        return _put(case, settle(delivery, verb, outcome, policy, now))

    def _keeper(self, held: Held, sent: Delivery) -> Callable[[str], asyncio.Future[None]]:
        """`job.keep`: the handle is durable when the future is done; on a lost lease it raises `GateClosed`."""

        def keep(handle: str) -> asyncio.Future[None]:
            durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused: list[State] = []

            def step(case: Case, now: datetime) -> Case:
                delivery = case.deliveries[sent.channel]
                if delivery.attempt != sent.attempt or delivery.state is not State.SENDING:
                    refused.append(delivery.state)
                    return case
                return _put(case, replace(delivery, handle=handle, step=delivery.step + 1))

            def written(well: bool) -> None:
                if durable.done():
                    return
                if well:
                    self._at(Point.KEEP_DURABLE)
                    durable.set_result(None)
                else:
                    durable.set_exception(GateClosed("this attempt is not the announcement's any more"))

            self._at(Point.KEEP_ASKED)
            if not self.tell(sent.announcement_id, step, after=written):
                written(False)
            return durable

        return keep

    # timers and memory

    def _set_timer(self, held: Held, now: datetime) -> None:
        if held.timer:
            held.timer.cancel()
            held.timer = None
        wake_at = held.case.announcement.wake_at
        if wake_at is None or self._draining:
            return
        delay = max(0.0, (wake_at - now).total_seconds())
        announcement_id = held.case.announcement.id
        held.timer = asyncio.get_running_loop().call_later(delay, self.tell, announcement_id, _unchanged)

    def _make_room(self) -> bool:
        """Whether there is room for a new case, which others leave unless all are busy."""
        if not self.room:
            self.evict(EVICTED_AT_ONCE)
        return self.room > 0

    def evict(self, most: int) -> None:
        """Lets go of up to `most` quiet cases, urgent ones last; `wake_at` or their channel brings them back."""
        quiet = [i for i, h in self._held.items() if h.is_quiet]
        quiet.sort(key=lambda i: is_urgent(self._held[i].case.announcement))
        for announcement_id in quiet[:most]:
            self.drop(announcement_id)
            self.has_unheld = True

    def _forget(self, announcement_id: str, held: Held) -> None:
        held.close_gates()
        if held.timer:
            held.timer.cancel()
        agency = held.case.announcement.agency
        for name in held.offered:
            pacer = self.pacers.get(key_of(agency, name))
            if pacer:
                pacer.forget(announcement_id)
                pacer.backlog = True
        for name in [n for n in held.permits if n not in held.busy]:
            held.permits.pop(name).give_back()

    def _after_crash(self, case: Case, now: datetime) -> Case:
        for delivery in case.deliveries.values():
            policy = self._policy(case, delivery)
            if delivery.state is State.SENDING and policy is not None:
                crashed = Uncertain(Fault.CRASH, "the broker was stopped")
                checked = settle(delivery, Verb.PUBLISH, crashed, policy, now)
                case = _put(case, checked if self._switches.crash_is_checking else unsent(delivery, policy, now))
            if self.clock_set_back and policy is not None:
                case = _put(case, of_unknown_age(case.deliveries[delivery.channel], policy, now))
        return case

    # small helpers

    def _is_cut_off(self, delivery: Delivery) -> bool:
        """It failed for what seems to be our own network: it waits for anybody outside to answer, which probes find."""
        suspected = self._monitor.view.own_network_since is not None
        return suspected and delivery.cause in (Cause.OUTAGE, Cause.OWN_NETWORK)

    def _channels(self, case: Case) -> Channels:
        return self._stations.of(case.announcement.agency)

    def _policy(self, case: Case, delivery: Delivery) -> Policy | None:
        channel = self._channels(case).get(delivery.channel)
        return policy_for(case.announcement, delivery, channel) if channel else None

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def ref_of(announcement: Announcement, channel: str) -> DueRef:
    return DueRef(announcement.id, channel, is_urgent(announcement), announcement.accepted_at)


def is_urgent(announcement: Announcement) -> bool:
    return announcement.draft.urgency is Urgency.URGENT


def _unchanged(case: Case, now: datetime) -> Case:
    """The change that changes nothing but asks for a new plan."""
    return case


async def _no_keep(handle: str) -> None:
    raise GateClosed("a question keeps no handle")


def _put(case: Case, delivery: Delivery) -> Case:
    return Case(case.announcement, {**case.deliveries, delivery.channel: delivery})


def _numbered(case: Case, notes: tuple[Event, ...]) -> Case:
    if not notes:
        return case
    return Case(replace(case.announcement, events=notes[-1].n), case.deliveries)


def _changes(before: Case, after: Case) -> tuple[Change, ...]:
    """The deliveries that differ, each guarded by the state and attempt it had."""
    return tuple(
        Change.of(was, delivery)
        for name, delivery in after.deliveries.items()
        if delivery is not (was := before.deliveries[name]) and delivery != was
    )
