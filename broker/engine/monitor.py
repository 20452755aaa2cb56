"""Knows which channels work: takes evidence in, probes, and tells the rest when the view of health changes.

Health must be known before the news breaks, so every channel is probed by its profile; a failure asks for more evidence
at once, from the channel itself and from one sibling of each domain it shares.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

import msgspec
import structlog

from broker.clock import Clock
from broker.engine.channels import Stations
from broker.engine.courier import Courier
from broker.engine.witnesses import Witnesses, dial
from broker.engine.writer import Lane, Writer
from broker.model import Verb
from broker.outcome import Finding, Pending, Rejected
from broker.rules.breaker import (
    ChannelHealth,
    changes_at,
    in_our_time,
    is_known,
    is_open,
    is_well,
    observe,
    refuses_everything,
)
from broker.rules.domains import Member, comrades, siblings
from broker.rules.evidence import Verdict, evidence
from broker.rules.health import Down, View, shared_outage, view
from broker.rules.probing import is_returning, probe_at
from broker.store import SaveBreaker
from broker.values import replace

log = structlog.get_logger("loa.monitor")

LONGEST_WAIT = timedelta(minutes=1)
REHEARSAL_ASKS = 10
"""How often a platform that takes its time over a rehearsal is asked again."""
JUST_AFTER = timedelta(milliseconds=1)


class Monitor:
    """Health of all channels of one run. `changed` gets the keys whose `Down` appeared, disappeared or half-opened."""

    def __init__(
        self,
        stations: Stations,
        writer: Writer,
        courier: Courier,
        clock: Clock,
        changed: Callable[[set[str]], None],
        refused: Callable[[str, tuple[str, ...]], None],
        witnesses: Sequence[str] = (),
    ) -> None:
        self._witnesses = Witnesses(witnesses, clock, self.look, dial)
        self._stations, self._writer, self._courier, self._clock = stations, writer, courier, clock
        self._changed, self._refused = changed, refused
        self._members = {key: Member(key, s.agency, s.channel.profile, ChannelHealth()) for key, s in stations.items()}
        self._order = {key: number for number, key in enumerate(self._members)}
        self._ailing: set[str] = set()
        """Those that are not well, or may not be: the others change nothing with time."""
        self._agenda = Agenda()
        self._unsure = set(self._members)
        """When these are to be probed next must be found out anew."""
        self._asked: set[str] = set()
        self._probing: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self.view = View()

    def load(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes up the breakers of the run before: a restart in the middle of an outage burns nothing."""
        for key, data in stored.items():
            if key in self._members:
                self._put(key, in_our_time(msgspec.convert(data, ChannelHealth), self._clock.now()))
        self.look()

    def health(self, key: str) -> ChannelHealth:
        return self._members[key].health

    @property
    def members_for_posts(self) -> Mapping[str, Member]:
        """Every channel that announcements go to."""
        return {key: m for key, m in self._members.items() if self._stations[key].posting}

    # evidence

    def saw(self, key: str, verb: Verb, outcome: Finding, announcement_id: str | None = None) -> None:
        """Takes one answer in, whoever asked."""
        seen = evidence(verb, outcome, announcement_id)
        if seen is None:
            return
        if verb is Verb.PROBE and isinstance(outcome, Rejected):
            log.error("probe_rejected", channel=key, detail=outcome.detail)
        before, now = self._members[key].health, self._clock.now()
        if is_known(before, seen, now):
            return
        after = observe(before, seen, self._stations[key].channel.profile, now)
        self._put(key, after)
        if _worth_storing(before, after):
            _ = self._writer.submit(SaveBreaker(key, msgspec.to_builtins(after)), Lane.OUTCOMES)
        if seen.fault is not None and seen.fault.is_transport:
            self._witnesses.ask()
        if seen.verdict in (Verdict.OUTAGE, Verdict.DENIED) and after.failures <= 1:
            self._ask_around(key)
        if is_open(before) and not is_open(after):
            self._ask(m.key for m in comrades(key, self._members) if is_open(m.health))
        if refuses_everything(after) and not refuses_everything(before):
            self._refused(key, after.refused)
        if after != before and (_matters(before) or _matters(after) or after.breaker is not before.breaker):
            self.look()

    def look(self) -> None:
        """Derives the view anew and reports what changed."""
        members = self._members if self._ailing else {}
        before, self.view = self.view, view(members, self._clock.now(), self._witnesses.silent)
        keys = {k for k in before.down.keys() | self.view.down.keys() if _shape(before, k) != _shape(self.view, k)}
        if before.own_network_since != self.view.own_network_since:
            keys |= self._members.keys()
        for key in sorted(keys):
            _tell(key, before.down.get(key), self.view.down.get(key))
        if keys:
            self._wake.set()
            self._changed(keys)

    def _put(self, key: str, health: ChannelHealth) -> None:
        self._members[key] = replace(self._members[key], health=health)
        self._unsure.add(key)
        (self._ailing.discard if is_well(health) else self._ailing.add)(key)

    def _ask_around(self, key: str) -> None:
        self._ask({key} | siblings(key, self._members))

    def _ask(self, keys: Iterable[str]) -> None:
        self._asked.update(keys)
        self._wake.set()

    # probing

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="monitor")

    async def stop(self) -> None:
        tasks = [*self._probing.values(), *([self._loop] if self._loop else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._witnesses.stop(), return_exceptions=True)

    async def probe(self, key: str) -> Finding:
        """Asks the platform now and takes the answer in; for people and programs that want to know."""
        outcome = await self._courier.probe(self._stations[key])
        self.saw(key, Verb.PROBE, outcome)
        return outcome

    async def rehearse(self, key: str) -> Finding:
        """The fullest write that readers cannot see. Says nothing about health: a rehearsal has rules of its own."""
        outcome = await self._courier.rehearse(self._stations[key])
        for _ in range(REHEARSAL_ASKS):
            if not isinstance(outcome, Pending):
                break
            await self._clock.sleep(outcome.check_after.total_seconds())
            outcome = await self._courier.rehearse(self._stations[key])
        return outcome

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = self._clock.now()
            next_at = min([now + LONGEST_WAIT, *(self._probe_if_due(key, now) for key in self._to_look_at(now))])
            self.look()
            changes = (changes_at(self._members[key].health, now) for key in self._ailing)
            next_at = min([next_at, *self._agenda.next(), *(at for at in changes if at)])
            await self._wake_or((next_at - now + JUST_AFTER).total_seconds())

    async def _wake_or(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    def _to_look_at(self, now: datetime) -> list[str]:
        """Whose time has come or is not known, in order. That of a refused login depends on others."""
        unsure = self._unsure | {key for key in self._ailing if self._members[key].health.denied}
        keys = (unsure | self._asked | self._agenda.due(now)) - self._probing.keys()
        self._unsure.clear()
        return sorted(keys, key=self._order.__getitem__)

    def _probe_if_due(self, key: str, now: datetime) -> datetime:
        """Starts a probe if it is time; when the channel is to be looked at next."""
        member = self._members[key]
        in_outage = member.health.denied and self._is_in_outage(key, now)
        next_at = probe_at(member.health, member.profile, now, shared_outage=in_outage)
        if next_at <= now or key in self._asked:
            self._asked.discard(key)
            self._agenda.drop(key)
            self._probing[key] = asyncio.create_task(self._probe_one(key), name=f"probe {key}")
            return now + member.profile.probe_every
        self._agenda.put(key, next_at)
        return next_at

    def _is_in_outage(self, key: str, now: datetime) -> bool:
        return shared_outage(self.view.down.get(key)) or is_returning(key, self._members, now)

    async def _probe_one(self, key: str) -> None:
        try:
            await self.probe(key)
        finally:
            self._probing.pop(key, None)
            self._unsure.add(key)
            self._wake.set()


class Agenda:
    """By when each key is to be looked at. What is not due costs nothing: with a thousand agencies something is probed
    all the time."""

    def __init__(self) -> None:
        self._at: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def put(self, key: str, at: datetime) -> None:
        """From now on this time counts for the key, and no other."""
        self._at[key] = at
        heappush(self._heap, (at, key))

    def drop(self, key: str) -> None:
        self._at.pop(key, None)

    def due(self, now: datetime) -> set[str]:
        """Takes out what is due."""
        keys: set[str] = set()
        while self._heap and self._heap[0][0] <= now:
            at, key = heappop(self._heap)
            if self._at.get(key) == at:
                del self._at[key]
                keys.add(key)
        return keys

    def next(self) -> list[datetime]:
        """When the next one is due, if there is one."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return [self._heap[0][0]] if self._heap else []


def _matters(health: ChannelHealth) -> bool:
    return bool(health.failures or health.media_failures)


def _worth_storing(before: ChannelHealth, after: ChannelHealth) -> bool:
    """What a later run must know to try nothing in vain; passing probes alone are not worth a write."""
    return _lasting(before) != _lasting(after)


def _lasting(health: ChannelHealth) -> tuple[object, ...]:
    return health.breaker, health.post_failures, health.probe_failing, health.trial_at


def _shape(seen: View, key: str) -> tuple[object, ...] | None:
    down = seen.down.get(key)
    return (down.scope, down.what, down.cause, down.half_open) if down else None


def _tell(key: str, before: Down | None, after: Down | None) -> None:
    if before is None and after is not None:
        log.warning("channel_down", channel=key, scope=after.scope.value, what=after.what, cause=after.cause.value)
    elif before is not None and after is None:
        log.info("channel_up", channel=key, since=before.since.isoformat())
