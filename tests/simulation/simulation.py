"""One simulated run: a world, the broker's lives in it, its clients, and the blows it takes."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from broker.core import Broker
from broker.engine.switches import Point
from broker.errors import LoaError, NotFound, Overloaded, RequestError, StoreError, StoreFull
from broker.model import Case, Event, Urgency
from broker.report import AnnouncementReport
from tests.simulation.machine import Life, Machine, Sabotage
from tests.simulation.platforms import Platform, Spell, Trouble
from tests.simulation.trace import Trace
from tests.simulation.virtual import Gone, Process, Stuck, VirtualClock, VirtualLoop, run_virtual
from tests.simulation.worlds import AGENCY, Blow, ChannelSpec, Strike, Submission, World

T = TypeVar("T")
LONGEST_S = 3 * 3600.0
"""Whatever a world does, every case is closed long before this."""
GRACE_S = 25.0
"""How long a life that was told to stop may take, before it is killed."""
LEASE_S = 30.0
PATIENCE_S = 30.0
"""How long a client waits for an answer."""
LOOKS_EVERY_S = 10.0


@dataclass(slots=True)
class Errand:
    """What one client knows of its announcement: only what it was answered."""

    submission: Submission
    body: dict[str, Any] = field(default_factory=dict)
    accepted: AnnouncementReport | None = None
    accepted_at: datetime | None = None
    """True time of the answer."""
    may_be_accepted: bool = False
    """An answer was lost on the way."""
    withdrawn_at: datetime | None = None
    """True time of the answer to a withdrawal."""


@dataclass(frozen=True, slots=True)
class Pause:
    """From the answer to the desk's pause to its wish to go on, in seconds."""

    channel: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run left behind: the platforms' logs, what clients were told, and what the store says in the end."""

    world: World
    platforms: dict[str, Platform]
    errands: list[Errand]
    pauses: list[Pause]
    cases: dict[str, Case]
    reports: dict[str, AnnouncementReport]
    events: dict[str, list[Event]]
    lives: list[Life]
    ended: dict[str, datetime]
    """When each run but the last was over, by its name: it died, or another took over."""
    trace: Trace
    bugs: list[str]
    stuck: str | None
    lasted_s: float


def simulate(world: World, sabotage: Sabotage | None = None) -> Outcome:
    """Runs one world to its end; everything follows from its seed."""
    loop = VirtualLoop()
    simulation = Simulation(world, loop, sabotage or Sabotage())
    loop.set_exception_handler(lambda _, context: simulation.bug(context))
    try:
        run_virtual(simulation.run(), loop)
    except Stuck as stuck:
        simulation.stuck = str(stuck)
    return simulation.outcome()


class Simulation:
    """The director: starts lives, sends clients, deals blows, and ends the run when everything rests."""

    def __init__(self, world: World, loop: VirtualLoop, sabotage: Sabotage) -> None:
        self._world, self._loop = world, loop
        self._true = VirtualClock(loop)
        self._trace = Trace(loop.time)
        self._rng = random.Random(f"clients {world.seed}")
        self._platforms = {spec.name: self._platform(spec) for spec in world.channels}
        self._machine = Machine(world, loop, self._platforms, self._trace, sabotage)
        self._errands = [Errand(submission) for submission in world.submissions]
        self._life: Life | None = None
        self._next_down_s = 5.0
        self._ahead = timedelta(0)
        """How wrong the wall clock was in the latest life."""
        self._crash_again: list[int] = []
        self._ended: dict[str, datetime] = {}
        self._kill_on_arrival = False
        self._actors: list[asyncio.Task[None]] = []
        self._bugs: list[str] = []
        self._pauses: list[Pause] = []
        self._desks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._cases: dict[str, Case] = {}
        self._reports: dict[str, AnnouncementReport] = {}
        self.stuck: str | None = None

    def _platform(self, spec: ChannelSpec) -> Platform:
        rng = random.Random(f"{spec.name} {self._world.seed}")
        return Platform(
            spec.name, spec.nature, self._loop, self._true, rng, self._trace, list(spec.spells),
            on_arrival=self._arrived,
        )  # fmt: skip

    async def run(self) -> None:
        """Until all clients are done, every case rests, and the platforms have done what they were asked to."""
        self._start_life()
        for strike in self._world.strikes:
            self._act(self._struck(strike))
        for spec in self._world.channels:
            for spell in spec.spells:
                if spell.trouble is Trouble.PAUSED:
                    self._act(self._paused(spec.name, spell))
        await asyncio.gather(*(self._client(errand) for errand in self._errands))
        while not await self._all_rest():
            if self._loop.time() > LONGEST_S:
                self.stuck = f"cases are open after {LONGEST_S / 3600:g} hours"
                break
            await asyncio.sleep(LOOKS_EVERY_S)
        for actor in self._actors:
            actor.cancel()
        while (busy_until := max(each.busy_until for each in self._platforms.values())) > self._loop.time():
            await self._until(busy_until)
        await self._read_all()

    def outcome(self) -> Outcome:
        return Outcome(
            world=self._world,
            platforms=self._platforms,
            errands=self._errands,
            pauses=self._pauses,
            cases=self._cases,
            reports=self._reports,
            events={i: self._machine.store.events(i) for i in self._cases},
            lives=self._machine.lives,
            ended=self._ended,
            trace=self._trace,
            bugs=self._bugs,
            stuck=self.stuck,
            lasted_s=self._loop.time(),
        )

    def bug(self, context: dict[str, Any]) -> None:
        """Nothing in the broker may end with an exception that nobody takes."""
        error = context.get("exception")
        if not isinstance(error, Gone):
            self._bugs.append(f"{context.get('message')}: {error!r}")
            self._trace.add("bug", str(context.get("message")), repr(error))

    def _act(self, work: Coroutine[Any, Any, None]) -> None:
        self._actors.append(self._loop.create_task(work))

    # the end

    async def _all_rest(self) -> bool:
        life = self._life
        if life is None or not life.is_serving or not life.process.is_up or life.engine.dispatcher.held_ids:
            return False
        return self._machine.store.all_closed()

    async def _read_all(self) -> None:
        for case in self._machine.store.announcements(AGENCY, limit=200):
            self._cases[case.announcement.id] = case
        if self._life is not None and self._life.process.is_up:
            self._life.process.dies_at_step = None
            for announcement_id in self._cases:
                asked = self._life.broker.get(AGENCY, announcement_id)
                self._reports[announcement_id] = await self._life.process.ask(asked)

    # lives

    def _start_life(self) -> None:
        life = self._life = self._machine.new_life()
        process = life.process
        process.on_death = lambda: self._died(life)
        process.on_lost = lambda: self._end_in_order(life)
        if self._crash_again:
            process.dies_at_step = self._crash_again.pop()
            self._trace.add("fate", Blow.CRASH_AGAIN.value, f"after {process.dies_at_step} steps")
        ahead = life.clock.now() - self._true.now()
        self._trace.add(process.name, "starts", f"clock {ahead}")
        if ahead != self._ahead:
            self._trace.add("fate", "clock_jump", f"by {ahead - self._ahead}")
        self._ahead = ahead
        self._act(self._brought_up(life))

    async def _brought_up(self, life: Life) -> None:
        try:
            await life.process.ask(life.up())
        except Gone:
            return
        except LoaError as error:
            self._trace.add(life.process.name, "fails", repr(error))
            life.process.die()
            return
        failed = life.process.run(_until_failed(life))
        failed.add_done_callback(lambda _: self._end_in_order(life))

    def _end_in_order(self, life: Life) -> None:
        """Told to stop; killed if that takes too long."""
        if life.is_serving and not life.process.is_dead:
            self._act(self._stopped(life))

    async def _stopped(self, life: Life) -> None:
        self._trace.add(life.process.name, "stops")
        life.is_serving = False
        try:
            async with asyncio.timeout(GRACE_S):
                await life.process.ask(life.down())
        except (Gone, TimeoutError):
            pass
        except LoaError as error:
            self.bug({"message": f"{life.process.name} stops", "exception": error})
        life.process.die()

    def _died(self, life: Life) -> None:
        self._trace.add(life.process.name, "is gone", f"after {life.process.steps} steps")
        self._ended.setdefault(life.process.name, self._true.now())
        if life is self._life:
            self._life = None
            self._act(self._revived(self._next_down_s))
            self._next_down_s = 5.0

    async def _revived(self, after_s: float) -> None:
        await asyncio.sleep(max(after_s, 1.5))
        if self._life is None:
            self._start_life()

    # blows

    async def _struck(self, strike: Strike) -> None:
        await self._until(strike.at)
        life = self._life
        if strike.blow is Blow.CRASH_AGAIN:
            self._crash_again.append(strike.steps)
            return
        if life is None or not life.process.is_up:
            return
        self._trace.add("fate", strike.blow.value, f"for {strike.lasts:.1f} s")
        self._next_down_s = strike.lasts
        match strike.blow:
            case Blow.CRASH:
                life.process.dies_at_step = life.process.steps + strike.steps
            case Blow.CRASH_SENT:
                self._kill_on_arrival = True
            case Blow.CRASH_BEFORE_COMMIT:
                self._machine.store.dies = "before"
            case Blow.CRASH_AFTER_COMMIT:
                self._machine.store.dies = "after"
            case Blow.COMMIT_UNKNOWN:
                self._machine.store.dies = "unknown"
            case Blow.CLAIM_UNKNOWN:
                self._machine.store.forgets_claims = 1
            case Blow.CRASH_AT_POINT:
                self._machine.dies_at_point = list(Point)[strike.steps % len(Point)]
            case Blow.RESTART:
                self._end_in_order(life)
            case Blow.DISK_FULL:
                await self._disk_full(strike.lasts)
            case Blow.FREEZE:
                await self._frozen(life, strike.lasts)

    async def _disk_full(self, lasts_s: float) -> None:
        self._machine.store.is_full = True
        self._trace.add("disk", "full", lasts_s)
        await asyncio.sleep(lasts_s)
        self._machine.store.is_full = False

    async def _frozen(self, life: Life, lasts_s: float) -> None:
        """A run that stands still past its lease is replaced; then it thaws and believes that nothing has happened."""
        self._trace.add(life.process.name, "freezes")
        life.process.freeze()
        thaws_at = self._loop.time() + lasts_s
        over_s = (life.engine.lease.until - life.clock.now()).total_seconds() if life.is_serving else LEASE_S
        if over_s + 1 < lasts_s:
            await asyncio.sleep(over_s + 1)
            if life is self._life:
                self._trace.add("fate", "two_runs", "one stands still, the next takes over")
                self._ended[life.process.name] = self._true.now()
                self._start_life()
        await self._until(thaws_at)
        self._trace.add(life.process.name, "thaws")
        life.process.thaw()

    def _arrived(self, run: str) -> None:
        if self._kill_on_arrival and self._life is not None and self._life.process.name == run:
            self._kill_on_arrival = False
            self._trace.add(run, "killed", "sent, not recorded")
            self._life.process.die()

    # clients

    async def _client(self, errand: Errand) -> None:
        submission = errand.submission
        await self._until(submission.at)
        errand.body = self._body(submission)
        await self._announced(errand)
        if errand.accepted is not None and submission.withdrawn_after is not None:
            await asyncio.sleep(submission.withdrawn_after)
            await self._withdrawn(errand, errand.accepted.id)

    def _body(self, submission: Submission) -> dict[str, Any]:
        now = self._true.now()
        body: dict[str, Any] = {
            "headline": f"Tin số {submission.number}",
            "body": "Cầu Long Biên tạm đóng từ 23 giờ đêm nay để sửa chữa.",
            "route": submission.route,
            "urgency": submission.urgency.value,
        }
        for name, after in (("send_at", submission.send_after), ("expires_at", submission.expires_after)):
            if after is not None:
                body[name] = now + timedelta(seconds=after)
        if submission.replaces is not None and (replaced := self._errands[submission.replaces].accepted):
            body["replaces"] = replaced.reference
        return body

    async def _announced(self, errand: Errand) -> None:
        """Tries until it is accepted; without a key it gives up when nobody can say whether it was."""
        submission = errand.submission
        for patience_s in (submission.hangs_up_after or PATIENCE_S, *[PATIENCE_S] * 5):
            try:
                answer = await self._asked(submission.key, errand.body, patience_s)
            except (StoreFull, Overloaded, ConnectionRefusedError):
                self._trace.add("client", "retries", f"#{submission.number}")
            except RequestError as error:
                self._trace.add("client", "refused", f"#{submission.number}", error)
                return
            except (Gone, TimeoutError, LoaError) as error:
                errand.may_be_accepted = True
                self._trace.add("client", "unsure", f"#{submission.number}", type(error).__name__)
                if submission.key is None:
                    return
            else:
                errand.accepted, errand.accepted_at = answer, self._true.now()
                self._trace.add("client", "is told", f"#{submission.number} accepted", answer.reference)
                return
            await asyncio.sleep(self._rng.uniform(1, 8))

    async def _asked(self, key: str | None, body: dict[str, Any], patience_s: float) -> AnnouncementReport:
        life = self._serving()
        async with asyncio.timeout(patience_s):
            asked = life.process.ask(life.broker.announce(AGENCY, body, idempotency_key=key), hangs_up=True)
            return (await asked).report

    async def _withdrawn(self, errand: Errand, announcement_id: str) -> None:
        while errand.withdrawn_at is None:
            try:
                report = await self._insists(lambda broker: broker.withdraw(AGENCY, announcement_id, because="sai"))
            except NotFound:
                return  # it is lost, which an oracle finds
            if report.withdrawn_at is not None:
                errand.withdrawn_at = self._true.now()
                self._trace.add("fate", "withdrawal", report.reference)
                self._trace.add("client", "is told", f"#{errand.submission.number} withdrawn", report.reference)
            else:
                await asyncio.sleep(self._rng.uniform(1, 5))

    def _serving(self) -> Life:
        if self._life is None or not self._life.is_serving:
            raise ConnectionRefusedError
        return self._life

    # the desk

    async def _paused(self, channel: str, spell: Spell) -> None:
        """One after the other: a late word to go on would end the next pause."""
        await self._until(spell.since)
        async with self._desks[channel]:
            await self._insists(lambda broker: broker.pause(AGENCY, channel, reason="sửa trang"))
            paused_at = self._loop.time()
            self._trace.add("desk", "is told", f"{channel} paused")
            await self._until(max(spell.until, paused_at))
            self._pauses.append(Pause(channel, paused_at, self._loop.time()))
            self._trace.add("desk", "asks", f"{channel} to go on")
            await self._insists(lambda broker: broker.resume(AGENCY, channel))

    async def _insists(self, work: Callable[[Broker], Coroutine[Any, Any, T]]) -> T:
        """Asks again until there is an answer."""
        while True:
            try:
                life = self._serving()
                async with asyncio.timeout(PATIENCE_S):
                    return await life.process.ask(work(life.broker))
            except (Gone, TimeoutError, StoreError, ConnectionRefusedError):
                await asyncio.sleep(self._rng.uniform(1, 5))

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self._loop.time()))


async def _until_failed(life: Life) -> None:
    await life.writer.failed.wait()


__all__ = ["Errand", "Outcome", "Process", "Urgency", "simulate"]
