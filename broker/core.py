"""`Broker`: the facade. API, command line and library parse, call it, and render what it gives.

It composes and stores announcements, answers questions about them, and hands people's decisions to the engine. It
decides nothing itself: that is `broker.rules`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import asdict

from broker.cases import Cases, roles
from broker.clock import Clock
from broker.engine.channels import Station, key_of
from broker.engine.connections import Connections
from broker.engine.doors import Door
from broker.engine.engine import Engine, Listener
from broker.engine.inbox import REMOVABLE, REPLACED, RESOLUTION, RESOLVABLE, WITHDRAWAL
from broker.errors import Conflict, FieldProblem, InvalidInput, NotFound
from broker.intake import Submission, checked
from broker.media.collection import Collection
from broker.model import (
    Announcement,
    Case,
    Draft,
    Event,
    Post,
    Status,
    Verb,
)
from broker.outcome import Finding
from broker.preview import previewed
from broker.record import RecordReport, record_report
from broker.report import (
    AnnouncementReport,
    ChannelReport,
    EventReport,
    MediaReport,
    PreviewReport,
    Ways,
    announcement_report,
    channel_report,
    event_report,
    media_report,
)
from broker.rules.agency import Agency
from broker.rules.standing import Channels
from broker.store import Broken, Done, Exists, IdempotencyRecord, InboxEntry, Store

Body = Mapping[str, Any] | Submission
DISK_ANSWERS_WITHIN_S = 10.0
LOOKED_AT_AGAIN = 50
"""Withdrawn announcements whose files are looked for again."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an accepted announcement; `repeated` when it had been accepted before."""

    report: AnnouncementReport
    repeated: bool = False


class Broker:
    """One running broker. Build it with `broker.wiring.open_broker`; close it to drain."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        agencies: Mapping[str, Agency],
        clock: Clock,
        rng: random.Random,
        short_links: Mapping[str, str],
        collections: Mapping[str, Collection] | None = None,
    ) -> None:
        self.engine, self.store, self.agencies = engine, store, agencies
        self._collections = collections or {}
        self._clock = clock
        self._cases = Cases(engine, agencies, self._collections, short_links, clock, rng)
        self._followers: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._watchers: list[Listener] = []

    @property
    def trouble(self) -> str | None:
        """Why no announcement can be taken in now; None while all is well."""
        if self.engine.writer.failure is not None:
            return "The store failed: restart the broker when its disk is well."
        if self.engine.writer.silent_s > DISK_ANSWERS_WITHIN_S:
            return "The disk does not answer: what is sent now is answered when it does."
        if not self.engine.lease.covers(timedelta(0)):
            return "This run has lost its lease on the store."
        return None

    # announcements

    async def announce(
        self, agency: str, body: Body, *, idempotency_key: str | None = None, by: str | None = None
    ) -> Receipt:
        """Accepts one announcement: when this returns it is durable and will be carried out.

        `by`: name of the key it came with, for the record.
        Raises `InvalidInput` with field paths, `Conflict` for a used key or external id with another body,
        `Overloaded` or `StoreFull` when nothing more can be taken in; `StoreError` when nobody knows
        whether it was.
        """
        draft = checked(body, self._clock.now(), self._agency(agency).zone)
        replaced = await self._replaced(agency, draft)
        receipt = await self._accepted(agency, draft, replaced, idempotency_key, by)
        if replaced is not None:
            await self.engine.owner.taken_in(replaced)
            self.engine.need_lease()  # else the next run may not have heard of it
        return receipt

    async def _accepted(
        self, agency: str, draft: Draft, replaced: str | None, key: str | None, by: str | None
    ) -> Receipt:
        record = IdempotencyRecord(key, _digest(draft)) if key is not None else None
        if record is not None and (known := await self._known(agency, record.key)) is not None:
            return await self._repeated(agency, *known, digest=record.digest)
        case = await self._cases.new(agency, draft, by)
        async with self._kept_for(case.announcement) as keep:
            result, accepted = await self.engine.dispatcher.accept(case, record, _replaces(replaced, case))
            keep(isinstance(result, Done))
        match result:
            case Done():
                return Receipt(self._report(accepted))
            case Exists(by="reference"):
                return await self._accepted(agency, draft, replaced, key, by)
            case Exists(announcement_id, same_body, what):
                return await self._existing(agency, announcement_id, same_body, what)
            case Broken(error):
                raise InvalidInput(f"The announcement cannot be stored: {error}.")
            case _:
                raise RuntimeError(f"accept answered {result!r}")

    @asynccontextmanager
    async def _kept_for(self, announcement: Announcement) -> AsyncIterator[Callable[[bool], None]]:
        """Its pictures and videos are in use from before it is accepted; no longer if it turns out not to be.

        After an exception nobody knows here whether it was: the next sweep asks the store.
        """
        if not announcement.media:
            yield lambda accepted: None
            return
        collection, answers = self._collections[announcement.agency], [True]
        await collection.use(announcement.id, announcement.media)
        yield answers.append
        if not answers[-1]:
            await collection.unuse(announcement)

    async def take_media(self, agency: str, chunks: AsyncIterable[bytes], alt: str = "") -> MediaReport:
        """Keeps a picture or video for announcements to come; what none names within a day is removed.

        Raises `InvalidInput` with what to do, and `StoreError`.
        """
        collection = self._cases.collection(agency)
        medium = await collection.take(chunks, alt)
        return media_report(medium, collection.shelf.address(medium))

    async def preview(self, agency: str, body: Body) -> list[PreviewReport]:
        """What each channel of the route would show; nothing is stored or sent."""
        draft = checked(body, self._clock.now(), self._agency(agency).zone)
        announcement = await self._cases.announcement(agency, draft)
        zone, collection = self._agency(agency).zone, self._collections.get(agency)
        stations = [
            (self.engine.stations.serving(announcement, name), role) for name, role, _ in roles(announcement.plan)
        ]
        return await asyncio.gather(
            *(
                previewed(station, self.post_of(announcement, station.name, False), role, zone, collection)
                for station, role in stations
            )
        )

    async def get(self, agency: str, any_id: str) -> AnnouncementReport:
        """By our id, the reference or the external id. Raises `NotFound`, also for other agencies' announcements."""
        return self._report(await self._load(agency, any_id))

    async def announcements(
        self, agency: str, *, status: Any = None, before: str | None = None, limit: int = 50
    ) -> list[AnnouncementReport]:
        """Newest first; `before` is the id of the last one of the page before."""
        cases = await self.engine.call(
            self.store.announcements, agency, status=status, before=before, limit=min(max(limit, 1), 200)
        )
        return [self._report(c) for c in cases]

    async def events(self, agency: str, any_id: str, after: int = 0) -> list[EventReport]:
        """Changes of course after number `after`, oldest first, at most 1,000."""
        announcement_id = await self._id(agency, any_id)
        found = await self.engine.call(self.store.events, announcement_id, after)
        return [self._event(agency, e) for e in found]

    async def record(self, agency: str, any_id: str) -> RecordReport:
        """Everything that is kept of one announcement, with its fingerprint: for whoever must prove it later."""
        case = await self._load(agency, any_id)
        events: list[Event] = []
        while more := await self.engine.call(self.store.events, case.announcement.id, len(events)):
            events += more
        return record_report(case, events, self._agency(agency), self._clock.now())

    async def follow(self, agency: str, any_id: str, after: int = 0) -> AsyncGenerator[EventReport, None]:
        """Events as they happen, from number `after` on; never misses one, ends when the announcement is closed."""
        announcement_id = await self._id(agency, any_id)
        news = asyncio.Event()
        self._followers[announcement_id].add(news)
        try:
            while True:
                news.clear()
                for event in await self.events(agency, announcement_id, after):
                    after = event.n
                    yield event
                case = await self._load(agency, announcement_id)
                if case.announcement.closed_at is not None and case.announcement.events <= after:
                    return
                await news.wait()
        finally:
            self._followers[announcement_id].discard(news)
            if not self._followers[announcement_id]:
                del self._followers[announcement_id]

    async def withdraw(
        self, agency: str, any_id: str, *, because: str | None = None, by: str | None = None
    ) -> AnnouncementReport:
        """Ends every unsent copy in one commit; what is live is deleted where the platform lets us."""
        announcement_id = await self._id(agency, any_id)
        said = {"because": because, "by": by}
        entry = InboxEntry(announcement_id=announcement_id, channel=None, attempt=None, kind=WITHDRAWAL, payload=said)
        await self._settle_entry(entry)
        return await self.get(agency, announcement_id)

    async def resolve(
        self, agency: str, any_id: str, channel: str, *, live: bool = False, url: str | None = None, by: str = "desk",
        send_again: bool = False, gone: bool = False,
    ) -> AnnouncementReport:  # fmt: skip
        """A person's word on a delivery nobody else can settle; `gone`: a withdrawn copy is no longer there.

        Raises `Conflict` when it is settled already.
        """
        case = await self._load(agency, any_id)
        delivery = case.deliveries.get(channel)
        if delivery is None:
            raise NotFound(f"This announcement has no delivery on {channel!r}.")
        if gone and case.announcement.withdrawn_at is None:
            raise Conflict("The announcement is not withdrawn: withdraw it, then say what is gone.")
        if delivery.state not in (REMOVABLE if gone else RESOLVABLE):
            raise Conflict(f"The delivery is {delivery.state.value}: there is nothing to resolve.")
        entry = InboxEntry(
            announcement_id=case.announcement.id,
            channel=channel,
            attempt=delivery.attempt,
            kind=RESOLUTION,
            payload={"live": live, "url": url, "by": by, "send_again": send_again, "gone": gone},
        )
        await self._settle_entry(entry)
        return await self.get(agency, case.announcement.id)

    # channels

    async def channels(self, agency: str) -> list[ChannelReport]:
        """Every channel of the agency, in order of the configuration: whether it works, since when and why not."""
        return [self._channel(s, self._agency(agency)) for s in self.engine.stations.values() if s.agency == agency]

    async def probe(self, agency: str, name: str) -> Finding:
        """Asks the platform now, read-only."""
        return await self.engine.monitor.probe(self._station_key(agency, name))

    async def pause(self, agency: str, name: str, *, reason: str = "", until: datetime | None = None) -> None:
        """Nothing more is sent there until `until` or `resume`, also after a restart."""
        if until is not None and until <= self._clock.now():
            raise InvalidInput(
                "The channel was not paused.", FieldProblem("until", "is over already: name a later time")
            )
        await self.engine.pause(self._station_key(agency, name), reason, until)

    async def resume(self, agency: str, name: str) -> None:
        await self.engine.resume(self._station_key(agency, name))

    async def rehearse(self, agency: str, name: str) -> Finding:
        """The fullest write that readers cannot see, removed afterwards. Raises `Conflict` where none is offered."""
        station = self.engine.stations[key := self._station_key(agency, name)]
        if Verb.REHEARSE not in station.channel.profile.abilities:
            raise Conflict(f"{station.channel.profile.adapter} offers no rehearsal.", code="not_offered")
        return await self.engine.rehearser.rehearse(key)

    def connections(self, agency: str, name: str) -> tuple[Connections, str]:
        """Where the channel's account is connected, and by which key. Raises `Conflict` where there is none."""
        key = self._station_key(agency, name)
        if not self.engine.connections.offers(key):
            adapter = self.engine.stations[key].channel.profile.adapter
            raise Conflict(f"{adapter} has no account to connect: its settings are all it needs.", code="not_offered")
        return self.engine.connections, key

    # after a restore

    def restored_from(self, agency: str) -> datetime | None:
        """When the backup was taken whose announcements nobody has decided about yet; None: nothing is to decide."""
        return self.engine.pauses.restored_from(agency)

    async def decide_on_older(self, agency: str, *, send: bool) -> None:
        """What becomes of announcements older than the backup: they go on as if nothing had been, or are left."""
        await self.engine.decide_on_older(agency, send=send)

    # the desk's pages

    async def known_link(self, token: str) -> Door | None:
        """Where a one-time link leads; it stays unused."""
        return await self.engine.doors.known(token)

    async def use_link(self, token: str) -> Door | None:
        """Uses a one-time link up; None when it is none, too old, or was used."""
        return await self.engine.doors.enter(token)

    async def desk_secret(self) -> bytes:
        """What the sessions of the desk's pages are signed with."""
        return await self.engine.doors.secret()

    def watch(self, listener: Listener) -> None:
        """From now on `listener` hears of every change of course of every announcement, on the event loop."""
        self._watchers.append(listener)

    def on_events(self, case: Case, notes: tuple[Event, ...]) -> None:
        """The engine's listener: wakes who follows this announcement."""
        if any(note.kind == "withdrawn" for note in notes) and case.announcement.agency in self._collections:
            self.engine.aside(self._collections[case.announcement.agency].let_go(case.announcement))
        for news in self._followers.get(case.announcement.id, ()):
            news.set()
        for watcher in self._watchers:
            watcher(case, notes)

    def post_of(self, announcement: Announcement, channel: str, late: bool) -> Post:
        return self._cases.post_of(announcement, channel, late)

    async def sweep_media(self) -> None:
        """Removes pictures and videos that nobody uses."""

        async def known(announcement_id: str) -> bool:
            cases = await self.engine.call(self.store.load, [announcement_id])
            return bool(cases) and cases[0].announcement.withdrawn_at is None

        for agency, collection in self._collections.items():
            await collection.sweep(known)
            for case in await self._withdrawn(agency):  # a crash may have come before their files were removed
                await collection.let_go(case.announcement)

    async def _withdrawn(self, agency: str) -> list[Case]:
        """The newest of them."""
        return await self.engine.call(
            self.store.announcements, agency, status=Status.WITHDRAWN, before=None, limit=LOOKED_AT_AGAIN
        )

    # answers to repeated submissions

    async def _known(self, agency: str, key: str) -> tuple[str, str] | None:
        return await self.engine.call(self.store.idempotent, agency, key)

    async def _repeated(self, agency: str, announcement_id: str, stored: str, *, digest: str) -> Receipt:
        return await self._existing(agency, announcement_id, stored == digest, "idempotency_key")

    async def _existing(self, agency: str, announcement_id: str, same_body: bool, by: str) -> Receipt:
        if same_body:
            return Receipt(await self.get(agency, announcement_id), repeated=True)
        if by == "idempotency_key":
            raise Conflict(
                "This Idempotency-Key came with another body before: use a new key for a new announcement.",
                code="idempotency_key_reused",
                status=422,
            )
        raise Conflict(
            "An announcement with this external_id exists already: withdraw it, or name it in `replaces`.",
            FieldProblem("external_id", "is used by another announcement of this agency"),
            code="external_id_exists",
        )

    async def _replaced(self, agency: str, draft: Draft) -> str | None:
        """Our id of the announcement this one is to replace; known before anything is stored."""
        if draft.replaces is None:
            return None
        if found := await self.engine.call(self.store.find, agency, draft.replaces):
            return found
        problem = FieldProblem("replaces", "names no announcement of this agency: correct it or leave it out")
        raise InvalidInput("The announcement was not accepted.", problem)

    # small helpers

    async def _settle_entry(self, entry: InboxEntry) -> None:
        """Durable first; then waits until its owner, here or elsewhere, has taken it in."""
        await self.engine.owner.put_in(entry)

    async def _id(self, agency: str, any_id: str) -> str:
        found = await self.engine.call(self.store.find, agency, any_id)
        if found is None:
            raise NotFound(f"There is no announcement {any_id[:80]!r}.")
        return found

    async def _load(self, agency: str, any_id: str) -> Case:
        announcement_id = await self._id(agency, any_id)
        cases = await self.engine.call(self.store.load, [announcement_id])
        return cases[0]

    def _agency(self, agency: str) -> Agency:
        return self.agencies[agency]

    def _station_key(self, agency: str, name: str) -> str:
        key = key_of(agency, name)
        if key not in self.engine.stations:
            raise NotFound(f"There is no channel {name[:80]!r}.")
        return key

    def _channels(self, agency: str) -> Channels:
        return self.engine.stations.of(agency)

    def _channel(self, station: Station, agency: Agency) -> ChannelReport:
        pacer, monitor = self.engine.dispatcher.pacers[station.key], self.engine.monitor
        return channel_report(
            station.name,
            station.channel,
            monitor.health(station.key),
            monitor.view,
            agency.zone,
            ways=self._ways(station),
            waiting=pacer.waiting,
            in_flight=pacer.in_flight,
            token_ends_at=station.vault.ends_at if station.vault else None,
        )

    def _ways(self, station: Station) -> Ways:
        key, engine = station.key, self.engine
        pause, proof, account = engine.pauses.of(key), engine.rehearser.proof(key), engine.connections.account(key)
        return Ways(
            account=f"{account.name} ({account.id})" if account else None,
            paused=pause is not None,
            paused_until=pause.until if pause else None,
            paused_because=pause.reason if pause else "",
            restored_from=engine.pauses.restored_from(station.agency),
            proved_at=proof.at if proof else None,
            proved=proof.works if proof else None,
            proof_detail=proof.detail if proof else "",
        )

    def _report(self, case: Case) -> AnnouncementReport:
        agency, view = case.announcement.agency, self.engine.monitor.view
        zone, collection = self._agency(agency).zone, self._collections.get(agency)
        address = collection.shelf.address if collection else lambda medium: None
        return announcement_report(case, self._channels(agency), view, zone, address)

    def _event(self, agency: str, event: Event) -> EventReport:
        return event_report(event, self._channels(agency), self._agency(agency).zone)


def _replaces(old: str | None, new: Case) -> InboxEntry | None:
    """The new announcement ends the old one's unsent copies."""
    if old is None:
        return None
    by = {"by": new.announcement.reference}
    return InboxEntry(announcement_id=old, channel=None, attempt=None, kind=REPLACED, payload=by)


def _digest(draft: Draft) -> str:
    """SHA-256 of the content, so that a repeated key with another body is noticed."""
    plain = json.dumps(asdict(draft), ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(plain.encode()).hexdigest()
