"""One run of the broker: wires dispatcher, pacers, monitor, lease and inbox to one store, and keeps them going."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from broker.clock import Clock
from broker.contract import Unsuited
from broker.engine.alerts import PREFIX as ALERTS
from broker.engine.alerts import Alerter
from broker.engine.calls import Call, in_thread
from broker.engine.changes import unchanged
from broker.engine.channels import Stations
from broker.engine.connections import ACCOUNT, Connections
from broker.engine.courier import Courier
from broker.engine.dispatcher import Dispatcher
from broker.engine.doors import Doors
from broker.engine.held import HELD_AT_MOST
from broker.engine.inbox import NOT_RESENT, REOPEN
from broker.engine.lease import LEASE, Lease, LeaseKeeper
from broker.engine.monitor import Monitor
from broker.engine.owner import CLAIM, Owner
from broker.engine.pacer import REFILL, Pacer
from broker.engine.pauses import PAUSED, Pause, Pauses
from broker.engine.rehearsals import REHEARSED, Rehearser
from broker.engine.switches import Point, Switches
from broker.engine.writer import Writer
from broker.errors import StoreError, StoreFull
from broker.model import Announcement, Case, Delivery, Event, Post, Role, StepClass
from broker.rules.agency import Agency
from broker.rules.delivery import keeps_its_words
from broker.rules.failover import give_up_late_copy
from broker.store import RESTORED, InboxEntry, Store
from broker.values import replace

log = structlog.get_logger("loa.engine")

POLL, SWEEP = timedelta(seconds=1), timedelta(minutes=1)
NEWEST_LATE_COPIES = 5
LATE_MARK_AFTER = timedelta(minutes=15)

Listener = Callable[[Case, tuple[Event, ...]], None]
PostOf = Callable[[Announcement, str, bool], Post]
"""The post one channel composes from; the flag asks for the mark of a late copy."""


@dataclass(slots=True, kw_only=True)
class Engine:
    """Start it, tell it, stop it. `store` is open and `writer` started before; both are the caller's to close."""

    store: Store
    writer: Writer
    stations: Stations
    clock: Clock
    run_id: str
    post_of: PostOf
    listener: Listener
    agencies: Mapping[str, Agency] = field(default_factory=dict)
    """Whose people are alerted."""
    public_url: str | None = None
    """Where people reach the desk's pages."""
    on_lost: Callable[[], None] = lambda: None
    call: Call = in_thread
    lease_for: timedelta = LEASE
    poll: timedelta = POLL
    """How often the inbox, woken cases and returned announcements are looked for."""
    switches: Switches = field(default_factory=Switches)
    held_at_most: int = HELD_AT_MOST
    dispatcher: Dispatcher = field(init=False)
    owner: Owner = field(init=False)
    monitor: Monitor = field(init=False)
    alerter: Alerter = field(init=False)
    doors: Doors = field(init=False)
    pauses: Pauses = field(init=False)
    rehearser: Rehearser = field(init=False)
    connections: Connections = field(init=False)
    lease: Lease = field(init=False)
    _keeper: LeaseKeeper = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(init=False, default_factory=list)
    _side: set[asyncio.Task[None]] = field(init=False, default_factory=set)

    async def start(self) -> None:
        """Ends earlier runs and takes up their breakers. What is open is claimed from then on, page by page, beside
        what comes in: a long backlog keeps nobody waiting."""
        run = await self.call(self.store.begin_run, self.run_id, self.lease_for)
        self.switches.at(Point.RUN_BEGUN)
        self.lease = Lease(self.run_id, run.lease_until, self.clock)
        courier = Courier(self.lease, gate_switch=self.switches.gate)
        self.monitor = Monitor(
            self.stations,
            self.writer,
            courier,
            self.clock,
            self._health_changed,
            self._refuses_everything,
            sorted({w for agency in self.agencies.values() for w in agency.witnesses}),
        )
        self.dispatcher = Dispatcher(
            self.stations,
            self.writer,
            courier,
            self.monitor,
            self.clock,
            fetch=self._refill,
            recompose=self._recompose,
            neighbour=self._neighbour,
            listener=self._events,
            orphan=self._hand_over,
            switches=self.switches,
            held_at_most=self.held_at_most,
            clock_set_back=run.set_back,
        )
        self.owner = Owner(
            self.run_id, self.store, self.writer, self.dispatcher, self.stations, self.clock, self.call, self.switches
        )
        self.doors = Doors(self.store, self.writer, self.clock, self.call, self.public_url)
        self.alerter = Alerter(self.stations, self.agencies, self.writer, courier, self.monitor, self.clock, self.doors)
        self._keeper = LeaseKeeper(self.store, self.lease, self.call, self._lease_lost)
        self._keeper.start()
        self.monitor.load(await self.call(self.store.breakers))
        await self._take_up_what_people_said()
        self.alerter.start(await self.call(self.store.settings, ALERTS))
        self.monitor.start()
        self.rehearser.start()
        self._tasks = [asyncio.create_task(self._every(self.poll, self._tend), name="tend")]
        if self.switches.sweep:
            self._tasks.append(asyncio.create_task(self._every(SWEEP, self.owner.sweep), name="sweep"))

    async def _take_up_what_people_said(self) -> None:
        """Pauses, accounts, and what a restore holds back."""
        self.pauses = Pauses(self.writer, self.clock, self._pause_changed)
        self.rehearser = Rehearser(
            self.stations, self.monitor, self.writer, self.clock, self.pauses.holds, self.alerter.look
        )
        self.connections = Connections(self.stations, self.writer, self.clock)
        settings = self.store.settings
        self.pauses.load(await self.call(settings, PAUSED), await self.call(settings, RESTORED))
        self.connections.load(await self.call(settings, ACCOUNT))
        self.rehearser.load(await self.call(settings, REHEARSED))
        self.alerter.unproved = self.rehearser.failure
        for key in self.dispatcher.pacers:
            self._pause_changed(key)

    async def stop(self) -> None:
        """Drains what is in flight, records it, and gives everything back. Idempotent."""
        for task in [*self._tasks, *self._side]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._side, return_exceptions=True)
        self._tasks = []
        await self.rehearser.stop()
        await self.monitor.stop()
        await self.alerter.stop()
        await self.dispatcher.drain()
        await self._keeper.stop()
        await self._end_run()

    async def _end_run(self) -> None:
        """A store that takes nothing more keeps the run until its lease is over; the next one ends it at its start."""
        try:
            await self.call(self.store.end_run, self.run_id)
        except StoreError as error:
            log.warning("run_not_ended", run=self.run_id, detail=str(error))

    # what others tell

    async def pause(self, key: str, reason: str, until: datetime | None = None) -> None:
        await self._as_owner(lambda: self.pauses.pause(key, Pause(reason, until)))

    async def resume(self, key: str) -> None:
        await self._as_owner(lambda: self.pauses.resume(key))

    async def _as_owner(self, change: Callable[[], Awaitable[None]]) -> None:
        """A run that was frozen past its lease must neither undo nor confirm what the next one has not heard of."""
        self.need_lease()
        await change()
        self.need_lease()

    def need_lease(self) -> None:
        """Raises `StoreError` once this run may be over."""
        if not self.lease.covers(timedelta(0)):
            raise StoreError("This broker's run is over, another one is taking its place: ask again in a second.")

    async def decide_on_older(self, agency: str, *, send: bool) -> None:
        """What becomes of announcements older than the backup this store was restored from; then all goes on."""
        backup_at = self.pauses.restored_from(agency)
        if backup_at is None:
            return
        if not send:
            await self._give_up_older(agency, backup_at)
        channels = [key for key, s in self.stations.items() if s.agency == agency]
        await self._as_owner(lambda: self.pauses.release(agency, channels))

    async def _give_up_older(self, agency: str, backup_at: datetime) -> None:
        """Those too that nobody has claimed yet: they would be sent when they are."""
        for each in await self.call(self.store.unfinished, agency, backup_at):
            await self.owner.put_in(InboxEntry(announcement_id=each, channel=None, attempt=None, kind=NOT_RESENT))

    def _pause_changed(self, key: str) -> None:
        if pacer := self.dispatcher.pacers.get(key):
            pacer.paused = self.pauses.holds(key)
            if pacer.paused:
                self.dispatcher.hold_back(key)
            pacer.backlog = True
            pacer.pump()

    async def _tend(self) -> None:
        await self.pauses.end_what_is_over()
        await self.owner.tend()

    async def _every(self, period: timedelta, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                log.error("tending_failed", error=type(error).__name__, detail=str(error))
            await self.clock.sleep(period.total_seconds())

    # what parts ask for

    def _refill(self, pacer: Pacer) -> None:
        key = next(k for k, p in self.dispatcher.pacers.items() if p is pacer)
        self.aside(self._with_space(partial(self._refill_now, key, pacer)))

    async def _refill_now(self, key: str, pacer: Pacer) -> None:
        """Finds deliveries that wait for this channel, by index; after an outage only the newest five late copies."""
        station = self.stations[key]
        try:
            if pacer.recovers:
                await self._give_up_old_copies(station.agency, station.name)
        finally:
            pacer.sifted()
        refs = await self.call(self.store.due, station.agency, station.name, self.clock.now(), REFILL)
        await self.owner.hold([r.announcement_id for r in refs if not self.dispatcher.holds(r.announcement_id)])
        for ref in refs:
            if self.dispatcher.holds(ref.announcement_id):
                self.dispatcher.tell(ref.announcement_id, unchanged)
        pacer.refilled(refs)

    async def _give_up_old_copies(self, agency: str, channel: str) -> None:
        newest_first = await self.call(self.store.owed, agency, channel)
        old = newest_first[NEWEST_LATE_COPIES:]
        for start in range(0, len(old), CLAIM):
            some = old[start : start + CLAIM]
            if self.dispatcher.room < CLAIM:
                self.dispatcher.evict(CLAIM)
            await self.owner.hold([i for i in some if not self.dispatcher.holds(i)])
            for announcement_id in some:
                self.dispatcher.tell(announcement_id, lambda c, now: give_up_late_copy(c, channel, NEWEST_LATE_COPIES))
            await self.clock.sleep(0)

    def _health_changed(self, keys: set[str]) -> None:
        down, cut_off = self.monitor.view.down, self.monitor.view.own_network_since is not None
        for key in keys:
            pacer = self.dispatcher.pacers[key]
            pacer.held = cut_off and StepClass.NOTHING in (
                s.after_uncertain for s in self.stations[key].channel.profile.steps
            )
            pacer.health_changed(down.get(key))
        answering = {key for key in keys if key not in down or down[key].half_open}
        self.dispatcher.replan(keys, back=answering)
        for station in map(self.stations.__getitem__, sorted(answering)):
            self.aside(self._with_space(partial(self.owner.ask_anew, station.agency, station.name)))
        self.alerter.look()

    def _events(self, case: Case, notes: tuple[Event, ...]) -> None:
        self.alerter.on_events(case, notes)
        self.listener(case, notes)

    def _refuses_everything(self, key: str, announcements: tuple[str, ...]) -> None:
        """A channel that refuses everything judged no content: what it refused is due again."""
        name = self.stations[key].name
        for announcement_id in announcements:
            entry = InboxEntry(announcement_id=announcement_id, channel=name, attempt=None, kind=REOPEN)
            self.aside(self.owner.put_in(entry))

    def _recompose(self, announcement: Announcement, delivery: Delivery) -> Delivery:
        """A late copy says when it was written; the store gets the text as it is sent. What a platform has of it by now
        keeps its text: by that it is found again, or taken for the same."""
        late = self.clock.now() - announcement.base_at > LATE_MARK_AFTER and delivery.role is Role.POST_TO
        if not late:
            return delivery
        station = self.stations.serving(announcement, delivery.channel)
        if keeps_its_words(delivery, station.channel.profile):
            return delivery
        try:
            composed = station.adapter.compose(self.post_of(announcement, delivery.channel, True))
        except (ValueError, Unsuited):  # the mark leaves no room, or the channel was configured otherwise since
            return delivery
        return replace(delivery, composed=composed)

    def _neighbour(self, announcement: Announcement, delivery: Delivery) -> str | None:
        since = delivery.first_sent_at or announcement.base_at
        return self.store.live_neighbour(announcement.agency, delivery.channel, since, announcement.id)

    def _hand_over(self, entry: InboxEntry) -> None:
        self.aside(self.owner.put_in(entry))

    def _lease_lost(self) -> None:
        log.error("lease_lost", run=self.run_id)
        for announcement_id in self.dispatcher.held_ids:
            self.dispatcher.drop(announcement_id)
        self.on_lost()

    async def _with_space(self, work: Callable[[], Awaitable[None]]) -> None:
        """What takes something over writes: while the disk is full it is tried again and again."""
        while True:
            try:
                await work()
                return
            except StoreFull:
                await self.clock.sleep(self.poll.total_seconds())

    def aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs it beside everything else."""
        task = asyncio.create_task(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)
