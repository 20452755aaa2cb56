"""Proves by itself that channels can post: the fullest write that readers cannot see, once a week where there is one.

Probes pass while posts are refused: an agency that posts rarely would learn of lost rights from its next urgent post.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import structlog

from broker.clock import Clock
from broker.engine.channels import Station, Stations
from broker.engine.monitor import Monitor
from broker.engine.writer import Lane, Writer
from broker.model import Verb
from broker.outcome import Finding, Live
from broker.store import SaveSetting

REHEARSED = "rehearsed:"
FIRST = timedelta(hours=1)
"""From the start to the first rehearsal of a channel that never had one: people may want to do it themselves."""
AGAIN_FAILED = timedelta(days=1)
BLOCKED = timedelta(minutes=10)
LONGEST_WAIT = timedelta(hours=1)
SHORTEST_WAIT_S = 0.1

log = structlog.get_logger("loa.rehearsals")


@dataclass(frozen=True, slots=True)
class Proof:
    """The last rehearsal of a channel."""

    at: datetime
    works: bool
    detail: str = ""


@dataclass(slots=True)
class Rehearser:
    """Runs beside the engine. `paused`: whether nothing may be sent to the channel with this key."""

    stations: Stations
    monitor: Monitor
    writer: Writer
    clock: Clock
    paused: Callable[[str], bool]
    changed: Callable[[], None] = lambda: None
    """Told of every proof."""
    _proofs: dict[str, Proof] = field(default_factory=dict)
    _not_before: dict[str, datetime] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def load(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        """`stored`: the settings under `REHEARSED`."""
        for key, data in stored.items():
            at = datetime.fromisoformat(data["at"])
            self._proofs[key.removeprefix(REHEARSED)] = Proof(at, data["works"], data["detail"])

    def start(self) -> None:
        now = self.clock.now()
        for key in self._keys():
            if key not in self._proofs:
                self._not_before[key] = now + FIRST + FIRST * _jitter(key)
        if self._keys():
            self._task = asyncio.create_task(self._run(), name="rehearsals")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def proof(self, key: str) -> Proof | None:
        return self._proofs.get(key)

    def failure(self, key: str) -> Proof | None:
        """The last rehearsal, if it failed."""
        proof = self._proofs.get(key)
        return None if proof is None or proof.works else proof

    async def rehearse(self, key: str) -> Finding:
        """Now; what comes of it is kept."""
        finding = await self.monitor.rehearse(key)
        works = isinstance(finding, Live)
        proof = Proof(self.clock.now(), works, "" if works else _detail(finding))
        self._proofs[key] = proof
        self._not_before.pop(key, None)
        self._wake.set()
        self.changed()
        data = {"at": proof.at.isoformat(), "works": works, "detail": proof.detail}
        await self.writer.write(SaveSetting(REHEARSED + key, data), Lane.OUTCOMES)
        (log.info if works else log.warning)("rehearsed", channel=key, works=works, detail=proof.detail)
        return finding

    async def _run(self) -> None:
        while True:
            now = self.clock.now()
            due = {key: at for key in self._keys() if (at := self.due_at(key)) is not None}
            for key in (key for key, at in due.items() if at <= now):
                await self._rehearse_if_it_works(key)
            moments = [at for key in due if (at := self.due_at(key)) is not None]
            wait = min([*moments, now + LONGEST_WAIT]) - self.clock.now()
            await self._wake_or(max(wait.total_seconds(), SHORTEST_WAIT_S))

    async def _wake_or(self, seconds: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _rehearse_if_it_works(self, key: str) -> None:
        """A channel that is known to be down proves nothing; it gets its turn when it is back."""
        if key in self.monitor.view.down or self.paused(key):
            self._not_before[key] = self.clock.now() + BLOCKED
            return
        try:
            await self.rehearse(key)
        except Exception as error:
            log.error("rehearsing_failed", channel=key, error=type(error).__name__)
            self._not_before[key] = self.clock.now() + BLOCKED

    def _keys(self) -> list[str]:
        return [key for key, station in self.stations.items() if _rehearses(station)]

    def due_at(self, key: str) -> datetime | None:
        """When this channel is rehearsed next by itself; None: never."""
        every = self.stations[key].channel.profile.rehearse_every
        if not every:
            return None
        if (proof := self._proofs.get(key)) is None:
            return self._not_before.get(key)
        wait = every * (0.9 + 0.2 * _jitter(key)) if proof.works else min(every, AGAIN_FAILED)
        return max(proof.at + wait, self._not_before.get(key, proof.at))


def _rehearses(station: Station) -> bool:
    return station.posting and Verb.REHEARSE in station.channel.profile.abilities


def _detail(finding: Finding) -> str:
    return str(getattr(finding, "detail", "") or type(finding).__name__.lower())


def _jitter(key: str) -> float:
    """From 0 to 1, always the same for a channel: not all of a newsroom's channels rehearse at once."""
    return crc32(key.encode()) / 2**32
