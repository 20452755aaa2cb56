"""Tells people of episodes: once when one begins, once when it is over, by two ways, never in a storm.

What was told is a stored setting, so a restart in the middle of an outage tells nobody twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import structlog

from broker.clock import Clock
from broker.contract import Job
from broker.engine.channels import Station, Stations
from broker.engine.courier import Courier
from broker.engine.doors import Doors
from broker.engine.monitor import Monitor
from broker.engine.rehearsals import Proof
from broker.engine.writer import Lane, Writer
from broker.model import Case, Event, Post, Reason, Urgency
from broker.outcome import Live, Pending
from broker.rules.agency import Agency
from broker.rules.breaker import LAST_PROBE
from broker.rules.domains import Member, Scope
from broker.rules.episodes import (
    AGAIN_AFTER,
    FADES_AFTER,
    FADING,
    HOLD,
    MORE_AFTER,
    REMINDED,
    Episode,
    Kind,
    key_of,
    of_case,
    of_health,
    ways,
)
from broker.rules.sentences import sentence
from broker.store import SaveSetting
from broker.values import replace

log = structlog.get_logger("loa.alerts")

PREFIX = "alert:"
RETRY = timedelta(seconds=30)
LOOK_EVERY = timedelta(hours=1)
"""For what nothing tells of: a token that comes to its end, something to be let go."""


@dataclass(slots=True)
class Open:
    """One episode as far as people know of it."""

    episode: Episode
    seen_at: datetime
    told_at: datetime | None = None
    gone_at: datetime | None = None
    told_of: tuple[str, ...] = ()
    """References the last message named."""
    retry_at: datetime | None = None


@dataclass(slots=True)
class Alerter:
    """Runs beside the engine of one process; `monitor` and the cases' events tell it when to look."""

    stations: Stations
    agencies: Mapping[str, Agency]
    writer: Writer
    courier: Courier
    monitor: Monitor
    clock: Clock
    doors: Doors
    unproved: Callable[[str], Proof | None] = lambda key: None
    """The rehearsal that a channel failed last; None: it did not."""
    hold: timedelta = HOLD
    _open: dict[str, Open] = field(default_factory=dict)
    _troubled: dict[tuple[str, Kind, str], dict[str, datetime]] = field(default_factory=lambda: defaultdict(dict))
    """Announcements in trouble, by agency, kind and channel: reference and since when."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _blind: bool = False
    """Our own network was down when we last looked."""
    _believes_at: datetime | None = None
    """By then every channel was probed again: what fails still is not our own network's trouble."""

    def start(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        """`stored`: the settings under `PREFIX` of the run before."""
        for data in stored.values():
            self._take_up(data)
        self._task = asyncio.create_task(self._run(), name="alerts")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def on_events(self, case: Case, notes: tuple[Event, ...]) -> None:
        """Takes in what one announcement has come to."""
        agency, reference = case.announcement.agency, case.announcement.reference
        troubles = of_case(case)
        if not (troubles or self._troubled):
            return
        now = self.clock.now()
        known = {key for key, references in self._troubled.items() if key[0] == agency and reference in references}
        new = {(agency, *trouble) for trouble in troubles}
        for key in new - known:
            self._troubled[key][reference] = now
        for key in known - new:
            del self._troubled[key][reference]
        if new != known:
            self._wake.set()

    async def tell(self, episode: Episode, reason: Reason, nth: int = 0, *, page: str | None = None) -> bool:
        """Sends one message by up to two ways; True if at least one took it, or the agency has none but the log.

        `page`: what the desk should look at.
        """
        agency = self.agencies[episode.agency]
        stations = [s for s in self.stations.values() if s.agency == agency.key and s.name in agency.alerts]
        chosen = ways(episode, [(s.key, s.channel.profile) for s in stations], self.monitor.view)
        said = sentence(reason, agency.zone)
        text = said.get(agency.language, said["en"])
        log.warning("alert", agency=agency.key, episode=episode.key, text=said["en"], ways=chosen)
        tag = f"{episode.key}-{episode.since.isoformat()}-{reason.key}-{nth}"
        sent = await asyncio.gather(*(self._send(self.stations[key], agency, text, tag, page) for key in chosen))
        return any(sent) or not stations

    # what is open

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._catch_up(self.clock.now())
            except Exception as error:
                log.error("alerting_failed", error=type(error).__name__)
            await self._wait()

    async def _catch_up(self, now: datetime) -> None:
        if self.monitor.view.own_network_since is not None:
            self._blind = True
            return
        if self._blind:
            self._blind, self._believes_at = False, now + LAST_PROBE
        self._let_go(now)
        members = self.monitor.members_for_posts
        current = {e.key: e for agency in self.agencies for e in self._episodes(agency, members)}
        for key, episode in current.items():
            known = self._open.setdefault(key, Open(episode, now))
            known.seen_at = max(known.seen_at, self._believes_at or known.seen_at)
            is_news = known.episode is episode or known.episode.references != episode.references
            known.episode, known.gone_at = replace(episode, since=min(episode.since, known.episode.since)), None
            if is_news:
                self._remember(key, known)
        for key, known in list(self._open.items()):
            if key not in current:
                known.gone_at = known.gone_at or now
            await self._say_what_is_due(key, known, now)

    def _let_go(self, now: datetime) -> None:
        """What is old, and can no longer be mended, keeps no episode open."""
        for (agency, kind, subject), references in self._troubled.items():
            old = [r for r, since in references.items() if kind in FADING and now - since >= FADES_AFTER]
            for reference in old:
                del references[reference]
            key = key_of(agency, kind, subject)
            if old and not references and key in self._open:
                del self._open[key]
                _ = self.writer.submit(SaveSetting(PREFIX + key, None), Lane.OUTCOMES)

    def _episodes(self, agency: str, members: Mapping[str, Member]) -> Iterable[Episode]:
        yield from of_health(agency, members, self.monitor.view).values()
        for station in self.stations.values():
            trouble = station.vault.trouble() if station.vault and station.agency == agency else None
            if trouble is not None:
                since = self.clock.now()
                yield Episode(agency=agency, kind=Kind.TOKEN, subject=station.name, since=since, detail=trouble)
            failed = self.unproved(station.key) if station.agency == agency else None
            if failed is not None and station.key not in self.monitor.view.down:
                yield _of_rehearsal(station, failed)
        for (of, kind, channel), references in self._troubled.items():
            if of == agency and references:
                yield Episode(
                    agency=agency,
                    kind=kind,
                    subject=channel,
                    since=min(references.values()),
                    references=tuple(sorted(references)),
                )

    async def _say_what_is_due(self, key: str, known: Open, now: datetime) -> None:
        at = _due_at(known, self.hold)
        if at is None or at > now:
            return
        if known.gone_at is not None:
            await self._end(key, known, now)
        elif await self.tell(known.episode, known.episode.begins(), len(known.told_of), page=known.episode.page()):
            known.told_at, known.retry_at, known.told_of = now, None, known.episode.references
            self._remember(key, known)
        else:
            known.retry_at = now + RETRY

    async def _end(self, key: str, known: Open, now: datetime) -> None:
        if known.told_at is not None and not await self.tell(known.episode, known.episode.ends()):
            known.retry_at = now + RETRY
            return
        del self._open[key]
        _ = self.writer.submit(SaveSetting(PREFIX + key, None), Lane.OUTCOMES)

    async def _wait(self) -> None:
        moments = [at for known in self._open.values() if (at := _due_at(known, self.hold)) is not None]
        now = self.clock.now()
        wait = min([*moments, now + LOOK_EVERY]) - now
        try:
            async with asyncio.timeout(max(wait.total_seconds(), 0.01)):
                await self._wake.wait()
        except TimeoutError:
            return

    # keeping and sending

    def _remember(self, key: str, known: Open) -> None:
        e = known.episode
        data = {
            "agency": e.agency,
            "kind": e.kind.value,
            "subject": e.subject,
            "since": e.since.isoformat(),
            "references": list(e.references),
            "told_of": list(known.told_of),
            "told_at": known.told_at.isoformat() if known.told_at else None,
        }
        _ = self.writer.submit(SaveSetting(PREFIX + key, data), Lane.OUTCOMES)

    def _take_up(self, data: Mapping[str, Any]) -> None:
        if data["agency"] not in self.agencies:
            return
        since, kind, references = datetime.fromisoformat(data["since"]), Kind(data["kind"]), tuple(data["references"])
        episode = Episode(agency=data["agency"], kind=kind, subject=data["subject"], since=since, references=references)
        for reference in references:
            self._troubled[episode.agency, kind, episode.subject][reference] = since
        told_at = datetime.fromisoformat(data["told_at"]) if data["told_at"] else None
        told_of = tuple(data.get("told_of", references))
        self._open[episode.key] = Open(episode, self.clock.now(), told_at=told_at, told_of=told_of)

    async def _send(self, station: Station, agency: Agency, text: str, tag: str, page: str | None) -> bool:
        now = self.clock.now()
        link = None if page is None else await self.doors.link(agency.key, page)
        reference = f"{agency.prefix}-{crc32(tag.encode()):08X}"
        post = Post(
            announcement_id=reference,
            reference=reference,
            headline=text,
            body=agency.name,
            agency=agency.name,
            language=agency.language,
            written_at=now,
            urgency=Urgency.URGENT,
            link=link,
        )
        job = Job(
            announcement_id=reference,
            reference=reference,
            composed=station.adapter.compose(post),
            key=f"{reference}-{station.name}",
            attempt=1,
            started_at=now,
            gate=self.courier.gate(station.channel.profile),
            store_handle=_keeps_nothing,
        )
        outcome = await self.courier.publish(station, job)
        if not isinstance(outcome, Live | Pending):
            log.warning("alert_not_sent", channel=station.key, outcome=type(outcome).__name__)
        return isinstance(outcome, Live | Pending)


def _of_rehearsal(station: Station, failed: Proof) -> Episode:
    subject, operator = station.name, station.channel.profile.operator
    shared = frozenset({(Scope.OPERATOR, operator), (Scope.CHANNEL, station.key)})
    return Episode(
        agency=station.agency,
        kind=Kind.REHEARSAL,
        subject=subject,
        since=failed.at,
        detail=failed.detail,
        domains=shared,
    )


async def _keeps_nothing(handle: str) -> None:
    """An alert that is cut off between two steps is told anew."""


def _due_at(known: Open, hold: timedelta) -> datetime | None:
    """When something is to be said of this episode next; None: nothing by itself."""
    if known.retry_at is not None:
        return known.retry_at
    if known.gone_at is not None:
        return known.gone_at + (hold if known.told_at else timedelta(0))
    if known.told_at is None:
        return known.seen_at + hold
    if set(known.episode.references) - set(known.told_of):
        return known.told_at + MORE_AFTER
    return known.told_at + AGAIN_AFTER if known.episode.kind in REMINDED else None
