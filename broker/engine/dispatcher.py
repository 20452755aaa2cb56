"""Carries out what `settle` and `plan` decide: one decision at a time per announcement, each durable before its effect.

    what came in ──► change(case) ──► plan(case) ──► Save ──► durable ──► act: permits, questions, timers

Everything that comes in (an outcome, a permit, a health change, a person's word, a timer) is a *change*: a pure
function from case to case. Changes that arrive while a decision is on its way to the disk are applied in the next one.
What is then done is in `broker/engine/actions.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import islice

import structlog
from msgspec import Struct

from broker.clock import Clock
from broker.engine.actions import Actions
from broker.engine.attempts import Attempts, first_away
from broker.engine.changes import Changes, Recompose, unchanged
from broker.engine.channels import Stations, key_of
from broker.engine.courier import Courier
from broker.engine.held import After, Alter, Held, Memory
from broker.engine.monitor import Monitor
from broker.engine.pacer import Pacer, Permit
from broker.engine.switches import Point, Switches
from broker.engine.writer import Lane, Writer
from broker.model import Announcement, Case, Delivery, Event
from broker.rules.failover import plan
from broker.rules.standing import Channels, events, is_taken_back
from broker.store import Accept, Change, Done, IdempotencyRecord, InboxEntry, Result, Save
from broker.values import replace

log = structlog.get_logger("loa.dispatcher")

EVICTED_AT_ONCE = 100
REPLANNED_AT_ONCE = 50

Listener = Callable[[Case, tuple[Event, ...]], None]
"""Hears of every change of course, and of a closing, which need not be an event."""


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
        recompose: Recompose,
        neighbour: Callable[[Announcement, Delivery], str | None],
        listener: Listener,
        orphan: Callable[[InboxEntry], None],
        switches: Switches,
        held_at_most: int,
        clock_set_back: bool,
    ) -> None:
        self._stations, self._writer, self._monitor, self._clock = stations, writer, monitor, clock
        self._listener = listener
        self._at = switches.at
        self._changes = Changes(
            stations, monitor, recompose, switches, began_at=clock.now(), clock_set_back=clock_set_back
        )
        self._held = Memory(held_at_most)
        self._accepting: set[str] = set()
        """Stored at this moment: `_accepted` takes them into memory, whoever reads them from the store meanwhile."""
        attempts = Attempts(
            stations, courier, monitor, self._changes, self._at, tell=self.tell, neighbour=neighbour, orphan=orphan
        )
        self._actions = Actions(
            stations, self._held, self._changes, attempts, clock, self._at, tell=self.tell, fetch=fetch
        )
        self.pacers = self._actions.pacers
        self._ripe: deque[Held] = deque()
        writer.before_batch(self._decide_ripe)
        self._to_replan: dict[str, set[str]] = {}
        self._replanning = False

    # what comes in

    async def accept(
        self, case: Case, idempotency: IdempotencyRecord | None, tells: InboxEntry | None = None
    ) -> tuple[Result, Case]:
        """Stores a new case, and what it `tells` another, and starts it; deliveries with slot and permit are born
        `sending` in the same commit."""
        now = self._clock.now()
        planned = plan(case, self._channels(case), self._monitor.view, now).case
        begun, permits = self._actions.begin_at_once(planned, now)
        notes = events(Case(case.announcement, {}), begun, now)
        begun = _numbered(begun, notes)
        self._at(Point.ACCEPT_PLANNED)
        self._accepting.add(case.announcement.id)
        writing = self._writer.submit(Accept(begun, notes, idempotency, tells), Lane.ACCEPTS)
        writing.add_done_callback(lambda future: self._accepted(begun, notes, permits, future))
        result = await asyncio.shield(writing)
        if permits:
            await first_away()
        self._at(Point.ACCEPT_ACTED)
        return result, begun

    def _accepted(
        self, begun: Case, notes: tuple[Event, ...], permits: dict[str, Permit], future: asyncio.Future[Result]
    ) -> None:
        """Starts what is stored, also when nobody waits for the answer any more."""
        self._accepting.discard(begun.announcement.id)
        if future.cancelled() or future.exception() is not None or not isinstance(future.result(), Done):
            for permit in permits.values():
                permit.give_back()
            return
        self._at(Point.ACCEPT_DURABLE)
        if permits or self._make_room():
            held = self._held.keep(Held(begun, permits=permits))
            self._listener(begun, notes)
            self._act(held)
        else:
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
        if not self.holds(case.announcement.id):
            self._held.keep(Held(case, inputs=[self._changes.after_crash], undecided=True))

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

    def ask_anew(self, announcement_id: str, channel: str) -> None:
        """What is open there is asked soon: the channel answers again."""
        self.tell(announcement_id, partial(self._changes.asked_anew, [channel]))

    def _replan_some(self) -> None:
        """Some at a time: an outage concerns thousands of cases at once, and what is well must not wait for them."""
        some = [(i, self._to_replan.pop(i)) for i in list(islice(self._to_replan, REPLANNED_AT_ONCE))]
        self._replanning = bool(self._to_replan)
        if self._replanning:
            asyncio.get_running_loop().call_soon(self._replan_some)
        for announcement_id, answering in some:
            alter = partial(self._changes.asked_anew, sorted(answering)) if answering else unchanged
            self.tell(announcement_id, alter)

    def hold_back(self, key: str) -> None:
        """Of the attempts on this channel, those of which nothing has left by now leave nothing."""
        for held in self._held.values():
            for name, gate in held.gates.items():
                if key_of(held.case.announcement.agency, name) == key and not gate.passed:
                    gate.close()

    def holds(self, announcement_id: str) -> bool:
        return announcement_id in self._held or announcement_id in self._accepting

    def case(self, announcement_id: str) -> Case | None:
        held = self._held.get(announcement_id)
        return held.case if held else None

    @property
    def stored_ids(self) -> set[str]:
        """Of those held, the ones that are in the store by now: what is being accepted may not be."""
        return set(self._held)

    @property
    def held_ids(self) -> set[str]:
        return self._held.keys() | self._accepting

    @property
    def has_undecided(self) -> bool:
        """Something found in the store is not durably decided yet."""
        return any(held.undecided for held in self._held.values())

    @property
    def trusts_no_key(self) -> bool:
        """The clock was set back since an earlier run, of which something may be left."""
        return self._changes.clock_set_back

    def trust_keys(self) -> None:
        self._changes.clock_set_back = False

    @property
    def room(self) -> int:
        """How many more cases may be held."""
        return self._held.room

    def drop(self, announcement_id: str) -> None:
        """Forgets a case that this run does not own any more; attempts under way find their gate closed."""
        held = self._held.let_go(announcement_id)
        if held is None:
            return
        held.close_gates()
        held.stop_timer()
        self._actions.forget(held)

    async def drain(self) -> None:
        """Starts nothing more and waits until all attempts and questions under way are recorded."""
        self._actions.is_stopped = True
        self._at(Point.DRAIN_BEGUN)
        for pacer in self.pacers.values():
            pacer.stop()
        for held in self._held.values():
            if held.inputs:
                self._ripen(held)  # also what somebody took into memory who was cancelled before telling it anything
        in_flight = self._actions.attempts.in_flight
        while in_flight or any(h.writing or h.inputs for h in self._held.values()):
            if in_flight:
                await asyncio.wait(in_flight, timeout=0.05)
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
        changes = _difference(before, case)
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
        held.case, held.undecided = made.case, False
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

    def _act(self, held: Held) -> None:
        """Called only when memory equals the store."""
        announcement, now = held.case.announcement, self._clock.now()
        if announcement.id not in self._held:
            return
        self._actions.act(held, now)
        if announcement.closed_at is not None and held.is_quiet:
            self.drop(announcement.id)
        else:
            self._actions.set_timer(held, now)

    # memory

    def _make_room(self) -> bool:
        """Whether there is room for a new case, which others leave unless all are busy."""
        if not self._held.room:
            self.evict(EVICTED_AT_ONCE)
        return self._held.room > 0

    def evict(self, most: int) -> None:
        """Lets go of up to `most` quiet cases, urgent ones last; `wake_at` or their channel brings them back."""
        for announcement_id in self._held.quiet(most):
            self.drop(announcement_id)

    def _channels(self, case: Case) -> Channels:
        return self._stations.of(case.announcement.agency)


def _numbered(case: Case, notes: tuple[Event, ...]) -> Case:
    if not notes:
        return case
    return Case(replace(case.announcement, events=notes[-1].n), case.deliveries)


def _difference(before: Case, after: Case) -> tuple[Change, ...]:
    """The deliveries that differ, each guarded by the state and attempt it had."""
    return tuple(
        Change.of(was, delivery)
        for name, delivery in after.deliveries.items()
        if delivery is not (was := before.deliveries[name]) and delivery != was
    )
