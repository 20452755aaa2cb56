"""One attempt from its durable intent, or one question, to its answer taken in: as a change, and as evidence.

When one is to be made is the dispatcher's to say, what an answer means `settle`'s; the call itself is the courier's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Protocol

import structlog

from broker.contract import GateClosed
from broker.engine.changes import Changes, kept
from broker.engine.channels import Station, Stations
from broker.engine.courier import Courier
from broker.engine.held import After, Alter, Held
from broker.engine.inbox import late_outcome
from broker.engine.monitor import Monitor
from broker.engine.switches import At, Point
from broker.errors import StoreError
from broker.model import Announcement, Case, Delivery, Verb
from broker.outcome import Fault, Finding, Live, Pending, Throttled, Unavailable, Unfinished, bounded
from broker.rules.deadlines import sent_until
from broker.rules.standing import is_taken_back
from broker.rules.timing import policy_for
from broker.store import InboxEntry

log = structlog.get_logger("loa.attempts")


class Tell(Protocol):
    def __call__(self, announcement_id: str, alter: Alter, *, after: After | None = None) -> bool:
        """Takes a change in; False if the case is not held here."""


class Attempts:
    """All that one run has in flight: at most one attempt or question per delivery (`Held.busy`)."""

    def __init__(
        self,
        stations: Stations,
        courier: Courier,
        monitor: Monitor,
        changes: Changes,
        at: At,
        *,
        tell: Tell,
        neighbour: Callable[[Announcement, Delivery], str | None],
        orphan: Callable[[InboxEntry], None],
    ) -> None:
        self._stations, self._courier, self._monitor, self._changes = stations, courier, monitor, changes
        self._at, self._tell, self._neighbour, self._orphan = at, tell, neighbour, orphan
        self.in_flight: set[asyncio.Task[None]] = set()

    def begin(self, held: Held, delivery: Delivery) -> None:
        """Sends what is durably `sending`; its permit is in hand."""
        is_first = not self.in_flight
        held.busy.add(delivery.channel)
        self._spawn(self._attempt(held, delivery, is_first))

    def ask(self, held: Held, delivery: Delivery, verb: Verb) -> None:
        held.busy.add(delivery.channel)
        self._spawn(self._ask(held, delivery, verb))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.in_flight.add(task)
        task.add_done_callback(self.in_flight.discard)

    async def _attempt(self, held: Held, delivery: Delivery, is_first: bool) -> None:
        announcement, name = held.case.announcement, delivery.channel
        station = self._stations.serving(announcement, name)
        until = sent_until(delivery, policy_for(announcement, delivery, station.channel))
        gate = held.gates[name] = self._courier.gate(station.channel.profile, until)
        if is_taken_back(announcement):
            gate.close()
        job = self._courier.job(announcement, delivery, gate, self._keeper(delivery))
        self._at(Point.INTENT_DURABLE)
        if not is_first:
            await first_away()
        await (pacer := held.permits[name].pacer).turn()
        outcome = None if gate.is_closed or pacer.stopped else await self._courier.publish(station, job)
        self._at(Point.OUTCOME_KNOWN)
        permit = held.permits.pop(name)
        del held.gates[name]
        held.busy.discard(name)
        self._take_in(delivery, Verb.PUBLISH, outcome)
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
        self._take_in(delivery, verb, outcome)
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

    def _take_in(self, sent: Delivery, verb: Verb, outcome: Finding | None) -> None:
        """An outcome becomes a change; of an attempt that is not ours any more it goes to the inbox."""
        settled = self._changes.settled
        known = self._tell(sent.announcement_id, lambda case, now: settled(case, sent, verb, outcome, now))
        if not known and outcome is not None and verb is Verb.PUBLISH:
            self._orphan(late_outcome(sent, outcome))

    def _keeper(self, sent: Delivery) -> Callable[[str], asyncio.Future[None]]:
        """`job.keep`: the handle is durable when the future is done. It raises `GateClosed` on a lost lease, and when
        the delivery does not wait for this attempt any more: nothing further is to leave."""

        def keep(handle: str) -> asyncio.Future[None]:
            durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            is_waited_for = False

            def take_in(case: Case, now: datetime) -> Case:
                nonlocal is_waited_for
                after = kept(case, sent, handle)
                is_waited_for = after is not case
                return after

            def written(well: bool) -> None:
                if durable.done():
                    return
                if well and is_waited_for:
                    self._at(Point.KEEP_DURABLE)
                    durable.set_result(None)
                else:
                    durable.set_exception(GateClosed("this attempt is not the announcement's any more"))

            self._at(Point.KEEP_ASKED)
            if not self._tell(sent.announcement_id, take_in, after=written):
                written(False)
            return durable

        return keep


async def _no_keep(handle: str) -> None:
    raise GateClosed("a question keeps no handle")


async def first_away() -> None:
    """Lets an attempt that begins in this turn of the loop leave: in one turn aiohttp makes its request, in the next it
    writes it, and what is written leaves at a turn's end."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
