"""What the owner of announcements does: claims them, takes its inbox in, and keeps memory and store in step.

Any process may tell it something (inbox.py); what becomes of that is decided in dispatcher.py.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from broker.clock import Clock
from broker.engine.calls import Call
from broker.engine.changes import unchanged
from broker.engine.channels import Stations, key_of
from broker.engine.dispatcher import Dispatcher
from broker.engine.inbox import alter_for
from broker.engine.switches import Point, Switches
from broker.engine.writer import Lane, Writer
from broker.errors import StoreError
from broker.model import Case, Delivery
from broker.rules.delivery import Policy
from broker.rules.timing import policy_for
from broker.store import InboxEntry, Store

CLAIM = 200
INBOX, ALL = 500, 1_000_000
"""Entries of the inbox read at a time; a claim must know all of its own."""
SETTLED_WITHIN = timedelta(seconds=10)
ROOM_AFTER = timedelta(seconds=1)
"""When memory is full of what is under way, there may be room again after this."""


class Owner:
    """One run, as the owner of what it has claimed and accepted."""

    def __init__(
        self,
        run_id: str,
        store: Store,
        writer: Writer,
        dispatcher: Dispatcher,
        stations: Stations,
        clock: Clock,
        call: Call,
        switches: Switches,
    ) -> None:
        self._run_id, self._store, self._writer, self._dispatcher = run_id, store, writer, dispatcher
        self._stations, self._clock, self._call, self._switches = stations, clock, call, switches
        self._taking: dict[int, tuple[asyncio.Future[bool], str]] = {}
        self._taking_over = asyncio.Lock()
        """Held from the claim until what was claimed is in memory."""
        self._left_behind = True
        """Earlier runs may have left what nobody has claimed yet."""

    # what others tell

    async def put_in(self, entry: InboxEntry) -> None:
        """Makes an entry durable, then waits until it is settled, as `taken_in` does."""
        await self._writer.write(entry, Lane.OUTCOMES)
        self._switches.at(Point.INBOX_DURABLE)
        await self.taken_in(entry.announcement_id)

    async def taken_in(self, announcement_id: str) -> None:
        """Waits until everything the inbox holds about this announcement is settled.

        Raises `StoreError` if that takes too long, or is another run's to do: nobody may be told yet that it holds.
        """
        if not self._dispatcher.holds(announcement_id):
            await self._load_or_adopt(announcement_id)
        settled = [f for f, about in await self._take_inbox() if about == announcement_id]
        if settled:
            await asyncio.wait(settled, timeout=SETTLED_WITHIN.total_seconds())
            self._switches.at(Point.INBOX_SETTLED)
            if not all(each.done() and each.result() for each in settled):
                raise StoreError("It is stored, and not yet carried out: ask again in a second.")
        else:
            self._dispatcher.tell(announcement_id, unchanged)

    async def _take_inbox(self) -> list[tuple[asyncio.Future[bool], str]]:
        """Hands what is in the inbox to the dispatcher; each future is done when its entry is settled and removed."""
        for entry in await self._call(self._store.inbox, self._run_id, INBOX):
            if not self._dispatcher.holds(entry.announcement_id):
                await self._load_or_adopt(entry.announcement_id)
            self._take(entry)
        return list(self._taking.values())

    def _take(self, entry: InboxEntry) -> None:
        if entry.id in self._taking:
            return
        settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._taking[entry.id] = (settled, entry.announcement_id)
        settled.add_done_callback(partial(self._taken, entry.id))
        alter = alter_for(entry, self._policy)
        self._switches.at(Point.INBOX_TAKEN)
        if not self._dispatcher.tell(entry.announcement_id, alter, inbox_id=entry.id, after=settled.set_result):
            settled.set_result(False)

    def _taken(self, entry_id: int, _: object) -> None:
        self._taking.pop(entry_id, None)

    # claiming

    async def tend(self) -> None:
        """Takes the inbox in, claims what others gave back, wakes cases that wait in the store."""
        await self._take_inbox()
        await self._claim()
        if self._switches.sweep:
            await self._wake_stored()

    async def _claim(self) -> None:
        """Page by page. What an ended run had in flight does not wait for room: quiet cases make it."""
        while limit := min(CLAIM, self._room_to_claim()):
            async with self._taking_over:
                cases = await self._call(self._store.claim, self._run_id, self._clock.now(), limit)
                self._switches.at(Point.CLAIM_DURABLE)
                await self._adopt(cases)
            self._switches.at(Point.CLAIM_ADOPTED)
            if len(cases) < limit:
                self._left_behind = False
                return
            await self._clock.sleep(0)

    def _room_to_claim(self) -> int:
        if self._left_behind and self._dispatcher.room < CLAIM:
            self._dispatcher.evict(CLAIM)
        return self._dispatcher.room

    async def _adopt(self, cases: list[Case]) -> None:
        """A withdrawal that was durable before a crash counts before anything is sent."""
        entries = await self._call(self._store.inbox, self._run_id, ALL) if cases else []
        self._dispatcher.adopt(cases)
        for entry in entries:
            if self._dispatcher.holds(entry.announcement_id):
                self._take(entry)
        self._dispatcher.go(cases)

    async def _load_or_adopt(self, announcement_id: str) -> None:
        for case in await self._call(self._store.load, [announcement_id]):
            if case.announcement.owner == self._run_id and case.announcement.closed_at is None:
                self._dispatcher.hold(case)
                return
        await self._take_over([announcement_id])

    async def _take_over(self, ids: list[str]) -> None:
        """What an ended run left of these."""
        async with self._taking_over:
            await self._adopt(await self._call(self._store.adopt, self._run_id, ids))

    async def _wake_stored(self) -> None:
        """Cases that are not in memory but have something to do by now."""
        ids = await self._call(self._store.woken, self._run_id, self._clock.now(), 2 * CLAIM)
        await self._bring_back(ids)

    async def ask_anew(self, agency: str, channel: str) -> None:
        """This channel answers again: questions that wait in the store are asked soon, too."""
        after = ""
        while page := await self._call(self._store.in_question, agency, channel, after, CLAIM):
            after, some = page[-1], [i for i in page if not self._dispatcher.holds(i)]
            while some:
                left_out = await self._bring_back(some)
                for announcement_id in some:
                    self._dispatcher.ask_anew(announcement_id, channel)
                if some := left_out:
                    await self._clock.sleep(ROOM_AFTER.total_seconds())

    async def _bring_back(self, ids: list[str]) -> list[str]:
        """Into memory, where quiet cases make room; those that found none."""
        unheld = [i for i in ids if not self._dispatcher.holds(i)]
        if self._dispatcher.room < len(unheld):
            self._dispatcher.evict(len(unheld))
        room = self._dispatcher.room
        await self.hold(unheld[:room])
        return unheld[room:]

    async def hold(self, ids: list[str]) -> None:
        """Takes these into memory, where they are decided anew: its own, and those that an ended run left, which no
        claim takes as long as nothing wakes them."""
        if not ids:
            return
        left: list[str] = []
        for case in await self._call(self._store.load, ids):
            if case.announcement.owner != self._run_id:
                left.append(case.announcement.id)
            elif not self._dispatcher.holds(case.announcement.id):
                self._dispatcher.hold(case)
                self._dispatcher.tell(case.announcement.id, unchanged)
        if left:
            await self._take_over(left)

    async def sweep(self) -> None:
        """What this run owns must be what it holds or knows to wait in the store."""
        stored = self._dispatcher.stored_ids
        owned = await self._call(self._store.owned, self._run_id)
        for lost in stored - owned:
            case = self._dispatcher.case(lost)
            if case is not None and case.announcement.closed_at is None:
                self._dispatcher.drop(lost)
        unheld = sorted(owned - self._dispatcher.held_ids)
        await self.hold(unheld[: self._dispatcher.room])
        if self._dispatcher.trusts_no_key:
            await self._forget_clocks()

    async def _forget_clocks(self) -> None:
        """The clock was set back since an earlier run. Once all it left is decided, the age of keys is known again."""
        async with self._taking_over:
            unheld = await self._call(self._store.owned, self._run_id) - self._dispatcher.held_ids
            if unheld or self._dispatcher.has_undecided:
                return
            if await self._call(self._store.forget_clocks, self._run_id):
                self._dispatcher.trust_keys()

    def _policy(self, case: Case, delivery: Delivery) -> Policy | None:
        station = self._stations.get(key_of(case.announcement.agency, delivery.channel))
        return policy_for(case.announcement, delivery, station.channel) if station else None
