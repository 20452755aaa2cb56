"""The broker's side of one run: its store, which outlives every crash, and its lives one after the other."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from broker.contract import ChannelSettings
from broker.core import Broker
from broker.engine.calls import inline
from broker.engine.channels import Station, Stations
from broker.engine.engine import Engine
from broker.engine.switches import Point, Switches
from broker.engine.writer import Writer
from broker.errors import StoreError, StoreFull
from broker.ids import new_id
from broker.model import Case, Event
from broker.rules.agency import Agency, ConfiguredChannel
from broker.rules.routes import Route
from broker.store import Accept, Done, Operation, Result, Run
from broker.store.sqlite import SqliteStore
from broker.values import replace
from tests.simulation.platforms import Platform, ScriptedAdapter
from tests.simulation.trace import Trace
from tests.simulation.virtual import PROCESS, Process, VirtualClock, VirtualLoop, outside
from tests.simulation.worlds import AGENCY, ChannelSpec, World

POLL, POLL_WITH_LITTLE_ROOM = timedelta(seconds=20), timedelta(seconds=3)


class Disk(SqliteStore):
    """The real store in memory, on a disk that can be full, slow, or die around a commit."""

    def __init__(self, clock: StoreClock, trace: Trace) -> None:
        super().__init__(":memory:", clock)
        self._trace = trace
        self.dies: str | None = None
        """Kill whoever commits next, `before` or `after` it is durable; `unknown`: only the answer is an error."""
        self.is_full = False
        self.forgets_claims = 0

    def commit(self, operations: Sequence[Operation]) -> list[Result]:
        self._need_space()
        process, dies, self.dies = PROCESS.get(), self.dies, None
        if dies == "before":
            self._killed(process, "before a commit")
            raise StoreError("killed")
        results = super().commit(operations)
        for operation, result in zip(operations, results, strict=True):
            if isinstance(operation, Accept) and isinstance(result, Done) and process is not None:
                self._trace.add(process.name, "has durable", operation.case.announcement.reference)
        if dies == "after":
            self._killed(process, "after a commit, before anybody knew")
        if dies == "unknown":
            self._trace.add("disk", "error", "the commit is durable, and says that it failed")
            raise StoreError("an error from COMMIT")
        return results

    def begin_run(self, run_id: str, lease: timedelta) -> Run:
        self._need_space()
        return super().begin_run(run_id, lease)

    def renew_run(self, run_id: str, lease: timedelta) -> Run | None:
        self._need_space()
        return super().renew_run(run_id, lease)

    def forget_clocks(self, run_id: str) -> bool:
        self._need_space()
        return super().forget_clocks(run_id)

    def end_run(self, run_id: str) -> None:
        self._need_space()
        super().end_run(run_id)

    def claim(self, run_id: str, now: datetime, limit: int) -> list[Case]:
        self._need_space()
        claimed = super().claim(run_id, now, limit)
        if claimed and self.forgets_claims:
            self.forgets_claims -= 1
            self._trace.add("disk", "error", "what was claimed is durable, and its answer is lost")
            raise StoreError("the answer was lost")
        return claimed

    def adopt(self, run_id: str, announcement_ids: Sequence[str]) -> list[Case]:
        self._need_space()
        return super().adopt(run_id, announcement_ids)

    def all_closed(self) -> bool:
        """Whether nothing more is to become of any announcement."""
        with self._database.reading() as db:
            return db.execute("SELECT 1 FROM announcement WHERE closed_at IS NULL LIMIT 1").fetchone() is None

    def _need_space(self) -> None:
        if self.is_full:
            raise StoreFull("the disk is full")

    def _killed(self, process: Process | None, when: str) -> None:
        if process is not None:
            self._trace.add(process.name, "killed", when)
            process.die()


class StoreClock:
    """The store's clock is the clock of the process that asks."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._true = VirtualClock(loop)
        self.clocks: dict[str, VirtualClock] = {}

    def now(self) -> datetime:
        process = PROCESS.get()
        return self.clocks[process.name].now() if process else self._true.now()

    def monotonic(self) -> float:
        return self._true.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._true.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """What is broken on purpose; nothing, unless a test wants to see red."""

    switches: Switches = field(default_factory=Switches)
    writer: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the writer."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the engine."""
    engine: type[Engine] = Engine
    adapter: type[ScriptedAdapter] = ScriptedAdapter
    disk: type[Disk] = Disk
    channel: Callable[[ChannelSpec], ChannelSpec] = lambda spec: spec
    route: Callable[[Route], Route] = lambda route: route
    started: Callable[[Life], None] = lambda life: None
    """Called when a life serves."""


@dataclass(slots=True)
class Life:
    """One life of the broker: a process, and what runs in it."""

    process: Process
    writer: Writer
    engine: Engine
    broker: Broker
    clock: VirtualClock
    trace: Trace
    started: Callable[[Life], None]
    is_serving: bool = False

    async def up(self) -> None:
        await self.writer.start()
        await self.engine.start()
        self.started(self)
        self.is_serving = True
        self.trace.add(self.process.name, "serves")

    async def down(self) -> None:
        """In order: drains, records, gives back."""
        self.is_serving = False
        await self.engine.stop()
        await self.writer.stop()


class Machine:
    """Builds the lives of the broker on one store and one set of platforms."""

    def __init__(
        self, world: World, loop: VirtualLoop, platforms: dict[str, Platform], trace: Trace, sabotage: Sabotage
    ) -> None:
        self._world, self._loop, self._platforms = world, loop, platforms
        self._trace, self._sabotage = trace, sabotage
        self._rng = random.Random(f"machine {world.seed}")
        self._clock = StoreClock(loop)
        self.store = sabotage.disk(self._clock, trace)
        self.store.open()
        self.lives: list[Life] = []
        self.dies_at_point: Point | None = None

    def new_life(self) -> Life:
        """The next life, not started; its clock is as wrong as the wall clock is by now."""
        number = len(self.lives) + 1
        name = f"run{number}"
        jumps = self._world.clock_jumps
        clock = VirtualClock(self._loop, timedelta(seconds=jumps[(number - 1) % len(jumps)] if number > 1 else 0))
        self._clock.clocks[name] = clock
        process = Process(name, self._loop)
        writer = Writer(self.store, clock, inline=True, commit_delay=self._commit_takes, **self._sabotage.writer)
        life = self._wired(process, writer, clock)
        self.lives.append(life)
        return life

    def _wired(self, process: Process, writer: Writer, clock: VirtualClock) -> Life:
        stations = Stations(self._stations())
        rng = random.Random(f"{process.name} {self._world.seed}")
        broker: Broker
        engine = self._sabotage.engine(
            store=self.store,
            writer=writer,
            stations=stations,
            clock=clock,
            run_id=new_id(clock.now(), rng),
            post_of=lambda announcement, channel, late: broker.post_of(announcement, channel, late),
            listener=lambda case, notes: self._heard(process.name, case, notes),
            on_lost=lambda: self._lost(process),
            call=inline,
            poll=POLL if self._world.held_at_most > 12 else POLL_WITH_LITTLE_ROOM,
            switches=replace(self._sabotage.switches, at=lambda point: self._passed(process, point)),
            held_at_most=self._world.held_at_most,
            **self._sabotage.extra,
        )
        broker = Broker(engine, self.store, {AGENCY: self._agency(stations)}, clock, rng, {})
        return Life(process, writer, engine, broker, clock, self._trace, self._sabotage.started)

    def _stations(self) -> list[Station]:
        found = []
        for spec in map(self._sabotage.channel, self._world.channels):
            adapter = self._sabotage.adapter(self._platforms[spec.name], spec.profile)
            found.append(Station(AGENCY, spec.name, adapter, spec.channel))
        return found

    def _agency(self, stations: Stations) -> Agency:
        channels = {
            s.name: ConfiguredChannel(
                name=s.name, adapter=ScriptedAdapter, settings=ChannelSettings(), channel=s.channel
            )
            for s in stations.values()
        }
        return Agency(
            key=AGENCY, name="Tin Ví Dụ", prefix="TVD", country="VN", zone=ZoneInfo("Asia/Ho_Chi_Minh"), language="vi",
            keys=(), channels=channels, alerts=(), witnesses=(),
            routes={name: self._sabotage.route(route) for name, route in self._world.routes.items()},
        )  # fmt: skip

    def _commit_takes(self) -> float:
        usual, spikes = self._world.disk_s, self._world.disk_spikes_s
        if spikes and self._rng.random() < 0.03:
            takes_s = self._rng.uniform(usual, spikes)
            self._trace.add("fate", "slow_disk", f"a commit takes {takes_s:.1f} s")
            return takes_s
        return usual * self._rng.uniform(0.5, 2)

    def _heard(self, who: str, case: Case, notes: tuple[Event, ...]) -> None:
        for note in notes:
            why = note.reason or ""
            self._trace.add(who, note.kind, case.announcement.reference, note.channel or "-", why)

    def _passed(self, process: Process, point: Point) -> None:
        if self.dies_at_point == point and not process.is_dead:
            self.dies_at_point = None
            self._trace.add(process.name, "killed", f"at {point.value}")
            process.die()

    def _lost(self, process: Process) -> None:
        self._trace.add("fate", "lease_lost", process.name)
        with outside():
            process.on_lost()
