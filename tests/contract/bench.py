"""One adapter before its emulator, with what an engine would hand it and remember for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from adapters.emulators.base import Emulator
from adapters.emulators.faults import Kind
from broker.clock import SystemClock
from broker.contract import Adapter, GateClosed, Job, Refresh, TokenPair, Tools
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import Absent, Finding, Live, NotSeen, Outcome, Pending, Uncertain, Unfinished
from broker.values import replace
from tests.contract.media_host import MediaHost

SLOW = frozenset({Kind.BLACK_HOLE, Kind.STALL, Kind.STORED_THEN_STALL, Kind.RUN_LATER, Kind.SLOW_DRIP})
"""Faults that only our own time limit ends: they are met with little patience, so that the suite stays quick."""
PATIENCE, IMPATIENCE = timedelta(seconds=5), timedelta(seconds=0.3)
LATER = 0.6

POST = Post(
    announcement_id="0195f3a0-7c1e-7b1a-9d5e-2f6a1c3b4d5e",
    reference="TVD-7QK2F9",
    headline="Bão số 9 đổ bộ: sơ tán trước 18 giờ",
    body="Người dân ven biển vào nhà kiên cố. Đường dây nóng: 1900 0000.",
    agency="Tin Ví Dụ",
    language="vi",
    written_at=datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC),
    link="https://tin.example/bao-so-9",
    short_link="https://tin.example/l/TVD-7QK2F9",
)
OTHER = replace(
    POST, announcement_id="0195f3a0-0000-7b1a-9d5e-2f6a1c3b4d5e", reference="TVD-AB3CD4", headline="Lũ rút", link=None,
    short_link="https://tin.example/l/TVD-AB3CD4",
)  # fmt: skip


class LeaseGate:
    """The gate of one attempt, as a run with its lease (or without) has it."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.passed = False

    def enter(self) -> None:
        if not self.is_open:
            raise GateClosed("the lease is over")
        self.passed = True


class Crashed(Exception):
    """The process ends here; nothing that the adapter does afterwards happened."""


class MemoryVault:
    """One channel's token in memory, renewed when half of its life is over."""

    def __init__(self) -> None:
        self._kept: TokenPair | None = None

    async def pair(self, seed: TokenPair, refresh: Refresh) -> TokenPair:
        held = self._kept or seed
        if (
            held.issued_at
            and held.expires_at
            and datetime.now(UTC) - held.issued_at > held.expires_at - datetime.now(UTC)
        ):
            renewed = await refresh(held)
            held = self._kept = renewed if isinstance(renewed, TokenPair) else held
        return held

    async def refused(self, access: str, refresh: Refresh) -> TokenPair | None:
        if self._kept is None or self._kept.access == access:
            return None
        return self._kept

    async def replace(self, pair: TokenPair, seed: TokenPair) -> None:
        self._kept = pair


@dataclass(slots=True)
class Copy:
    """What the engine remembers of one delivery between its calls."""

    post: Post
    composed: Composed
    handle: str | None = None
    step: int = 0
    attempt: int = 0
    first_sent_at: datetime | None = None
    platform_id: str | None = None
    url: str | None = None
    crash: tuple[int, bool] | None = None
    """The process ends at this call of `keep`, counted from 1: True: once the handle is durable, False: before."""
    kept: int = 0

    def job(self, *, gate: LeaseGate | None = None, **rest: Any) -> Job:
        async def keep(handle: str) -> None:
            self.kept += 1
            if self.crash == (self.kept, False):
                raise Crashed
            self.handle, self.step = handle, self.step + 1
            if self.crash == (self.kept, True):
                raise Crashed

        return Job(
            announcement_id=self.post.announcement_id,
            reference=self.post.reference,
            composed=self.composed,
            key=f"{self.post.announcement_id}-test",
            attempt=self.attempt,
            started_at=datetime.now(UTC),
            gate=gate or LeaseGate(),
            store_handle=keep,
            step=self.step,
            handle=self.handle,
            first_sent_at=self.first_sent_at,
            platform_id=self.platform_id,
            url=self.url,
            **rest,
        )

    async def publish(self, adapter: Adapter, **rest: Any) -> Outcome | Absent:
        """One attempt, remembered as the engine does."""
        self.attempt += 1
        job = self.job(**rest)
        outcome = await adapter.publish(job)
        match outcome:
            case Live(platform_id, url):
                self.platform_id, self.url = platform_id, url
            case Uncertain():
                self.first_sent_at = self.first_sent_at or job.started_at
            case Pending(handle) | Unfinished(handle):
                self.handle = handle
            case Absent():
                self.handle, self.step = None, 0
            case _:
                pass
        return outcome

    async def crash_at(self, kept: int, *, durable: bool, adapter: Adapter) -> bool:
        """One attempt in a process that ends there; whether it came that far. Its outcome, if any, is lost with it."""
        self.crash, started_at = (kept, durable), datetime.now(UTC)
        try:
            await adapter.publish(self.job())
        except Crashed:
            return True
        finally:
            self.crash, self.first_sent_at = None, started_at
            self.attempt += 1
        return False

    async def take_up(self, adapter: Adapter) -> Finding | None:
        """What another process makes of it, as the engine does; None: nobody can be asked, and nothing is repeated."""
        kind = adapter.profile.step_class(self.step)
        if kind is StepClass.NOTHING:
            return None
        if kind in (StepClass.HANDLE, StepClass.LIST):
            found = await adapter.find(self.job())
            if isinstance(found, Live):
                return found
            if isinstance(found, Absent | NotSeen):  # the latter once `settle_for` is over
                self.handle, self.step = None, 0
        return await self.publish_to_the_end(adapter)

    async def publish_to_the_end(self, adapter: Adapter) -> Finding:
        """Attempts until nothing is left to do; a platform that takes its time is asked again, people are not."""
        outcome: Finding = await self.publish(adapter)
        for _ in range(20):
            match outcome:
                case Unfinished(_, wait):
                    await asyncio.sleep(min(wait.total_seconds(), 0.05))
                    outcome = await self.publish(adapter)
                case Pending(_, wait, "") if Verb.CONFIRM in adapter.profile.abilities:
                    await asyncio.sleep(min(wait.total_seconds(), 0.05))
                    outcome = await self.confirm(adapter)
                case _:
                    break
        return outcome

    async def confirmed(self, adapter: Adapter) -> Finding:
        """Questions about a pending copy until the platform has done its work."""
        found = await self.confirm(adapter)
        for _ in range(100):
            if not isinstance(found, Pending):
                break
            await asyncio.sleep(0.05)
            found = await self.confirm(adapter)
        return found

    async def confirm(self, adapter: Adapter) -> Finding:
        """One question about a pending copy, its answer remembered."""
        found = await adapter.confirm(self.job())
        match found:
            case Live(platform_id, url):
                self.platform_id, self.url = platform_id, url
            case Pending(handle):
                self.handle = handle
            case _:
                pass
        return found


class Bench:
    """One adapter before its emulator."""

    def __init__(
        self,
        adapter: type[Adapter],
        settings: Mapping[str, object],
        public_step: str,
        emulator: Emulator,
        session: aiohttp.ClientSession,
        done: type[Finding] = Live,
        host: MediaHost | None = None,
    ) -> None:
        self._adapter, self._settings, self._public_step, self._session = adapter, settings, public_step, session
        self._done = done
        self.host = host
        self.emulator = emulator
        self.log = emulator.log
        self.adapter = self.new_adapter()

    def new_adapter(self, patience: timedelta = PATIENCE, **settings: object) -> Adapter:
        """As after a restart: it remembers nothing."""
        limits = {"total_timeout": patience, "connect_timeout": patience}
        values = {**self._settings, "base_url": self.emulator.base_url, **limits, **settings}
        tools = Tools(
            channel="test",
            session=self._session,
            clock=SystemClock(),
            vault=MemoryVault(),
            agency="Tin Ví Dụ",
            media=self.host.shelf if self.host else None,
        )
        return self._adapter(self._adapter.Settings(**values), tools)

    def against(self, kind: Kind) -> Adapter:
        """An adapter with as much patience as this fault deserves."""
        return self.new_adapter(IMPATIENCE) if kind in SLOW else self.adapter

    def copy(self, post: Post = POST) -> Copy:
        post = self.host.carded(post, self.adapter.profile.media) if self.host else post
        return Copy(post, self.adapter.compose(post))

    async def live(self, post: Post = POST) -> Copy:
        """A copy that is public, as far as programs can tell on this platform."""
        copy = self.copy(post)
        assert isinstance(await copy.publish_to_the_end(self.adapter), self._done)
        return copy

    async def lost(self, post: Post = POST, kind: Kind = Kind.STORED_THEN_RESET) -> Copy:
        """A copy of which nobody knows whether it is public."""
        await self.emulator.fail(kind, step=self._public_step, times=1)
        copy = self.copy(post)
        assert isinstance(await copy.publish_to_the_end(self.against(kind)), Uncertain)
        await self.emulator.heal()
        return copy

    def copies(self, post: Post = POST) -> int:
        return len(self.log.copies(post.reference))

    async def settle(self, copy: Copy) -> Finding:
        """Read-back of what was uncertain, by an adapter that remembers nothing."""
        return await self.new_adapter().find(copy.job())
