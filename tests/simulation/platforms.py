"""Scripted platforms: what they really took in is their log, the only oracle; what they answer is up to the script."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from broker.clock import Clock
from broker.contract import AdapterBase, Job, Profile, Readers, Step
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Finding,
    Live,
    NotSeen,
    Outcome,
    Pending,
    Rejected,
    Seen,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
)
from broker.rules.text import compose_text, TextLimit

RUNS_LATER = timedelta(seconds=40)


class Trouble(StrEnum):
    """What a platform does wrong for a while."""

    REFUSED = "refused"
    HANGS = "hangs"
    ANSWER_LOST = "answer_lost"
    RUNS_LATER = "runs_later"
    HTML_500 = "html_500"
    LOGGED_OUT = "logged_out"
    THROTTLED = "throttled"
    REJECTS = "rejects"
    SILENT_DROP = "silent_drop"
    EMPTY_LISTS = "empty_lists"
    POSTS_FAIL = "posts_fail"
    """Probes pass, posts are refused with 500."""
    NEVER_FINISHES = "never_finishes"
    REMOVES = "removes"
    """Takes posts away a few seconds after they went live."""


@dataclass(frozen=True, slots=True)
class Spell:
    """One trouble from one time to another, in seconds since the start."""

    trouble: Trouble
    since: float
    until: float


@dataclass(slots=True)
class Copy:
    """One post as the platform's readers see it."""

    platform_id: str
    announcement_id: str
    reference: str
    text: str
    key: str
    at: datetime
    removed_at: datetime | None = None


@dataclass(slots=True)
class Platform:
    """One platform's side: its posts, its containers, its moods."""

    name: str
    clock: Clock
    rng: random.Random
    spells: list[Spell] = field(default_factory=list)
    latency_s: float = 0.1
    lag_s: float = 5.0
    copies: list[Copy] = field(default_factory=list)
    attempts: list[tuple[datetime, str]] = field(default_factory=list)
    containers: dict[str, str] = field(default_factory=dict)
    """Container id to the key it was published under; "" while unpublished."""
    keeps_keys: bool = False

    def in_trouble(self, *kinds: Trouble) -> bool:
        now = self.clock.monotonic()
        return any(s.trouble in kinds and s.since <= now < s.until for s in self.spells)

    def post(self, job: Job) -> Copy:
        """Makes it public, unless the platform keeps keys and knows this one."""
        known = next((c for c in self.copies if c.key == job.key), None) if self.keeps_keys else None
        if known is not None:
            return known
        copy = Copy(
            platform_id=f"{self.name}-{len(self.copies) + 1}",
            announcement_id=job.announcement_id,
            reference=job.reference,
            text=job.composed.text,
            key=job.key,
            at=self.clock.now(),
        )
        self.copies.append(copy)
        if self.in_trouble(Trouble.REMOVES):
            asyncio.get_running_loop().call_later(10, self._remove, copy)
        return copy

    def _remove(self, copy: Copy) -> None:
        copy.removed_at = self.clock.now()

    def post_later(self, job: Job) -> None:
        asyncio.get_running_loop().call_later(RUNS_LATER.total_seconds(), self.post, job)

    def visible(self) -> list[Copy]:
        return [c for c in self.copies if c.removed_at is None]

    def listed(self) -> list[Copy]:
        """What the list shows: it lags, and may be empty although there are posts."""
        if self.in_trouble(Trouble.EMPTY_LISTS):
            return []
        newest = self.clock.now() - timedelta(seconds=self.lag_s)
        return [c for c in self.visible() if c.at <= newest]

    def by_id(self, platform_id: str) -> Copy | None:
        return next((c for c in self.visible() if c.platform_id == platform_id), None)


class ScriptedAdapter(AdapterBase):
    """One channel on a scripted platform; its step class is its profile's."""

    def __init__(self, platform: Platform, profile: Profile) -> None:
        self._platform, self.profile = platform, profile

    def compose(self, post: Post) -> Composed:
        return compose_text(post, TextLimit(1000))

    async def publish(self, job: Job) -> Outcome | Absent:
        p = self._platform
        p.attempts.append((p.clock.now(), job.announcement_id))
        if self.profile.step_class(0) is StepClass.INVISIBLE:
            return await self._in_two_steps(job)
        return await self._post(job)

    async def _in_two_steps(self, job: Job) -> Outcome | Absent:
        p = self._platform
        if job.step == 0:
            if down := await self._before(job):
                return down
            container = f"{p.name}-c{len(p.containers) + 1}"
            p.containers[container] = ""
            await job.keep(container)
        assert job.handle is not None
        if (found := self._container(job)) is not None:
            return found
        return await self._post(job)

    def _container(self, job: Job) -> Live | None:
        p = self._platform
        key = p.containers.get(job.handle or "")
        copy = next((c for c in p.visible() if key and c.key == key), None)
        return Live(copy.platform_id, seen=Seen.ACCOUNT) if copy else None

    async def _before(self, job: Job) -> Outcome | None:
        """What keeps a request from being processed at all."""
        p = self._platform
        await p.clock.sleep(p.latency_s * p.rng.uniform(0.5, 2))
        if p.in_trouble(Trouble.REFUSED):
            return Unavailable(Fault.CONNECT, "connection refused")
        job.gate.enter()
        if p.in_trouble(Trouble.HANGS):
            await p.clock.sleep(self.profile.total_timeout.total_seconds())
            return self._lost(job, "no answer in time")
        if p.in_trouble(Trouble.HTML_500, Trouble.POSTS_FAIL):
            return self._lost(job, "HTTP 500")
        if p.in_trouble(Trouble.LOGGED_OUT):
            return Denied("logged out: connect the account again")
        if p.in_trouble(Trouble.THROTTLED):
            return Throttled(timedelta(seconds=p.rng.uniform(5, 60)))
        return Rejected("policy", "against the rules") if p.in_trouble(Trouble.REJECTS) else None

    def _lost(self, job: Job, detail: str) -> Outcome:
        invisible = self.profile.step_class(job.step) is StepClass.INVISIBLE
        return Unavailable(Fault.SERVER, detail) if invisible else Uncertain(Fault.SERVER, detail)

    async def _post(self, job: Job) -> Outcome:
        p = self._platform
        if (refused := await self._before(job)) is not None:
            return refused
        if p.in_trouble(Trouble.SILENT_DROP):
            return Live(f"{p.name}-dropped")
        if p.in_trouble(Trouble.RUNS_LATER):
            p.post_later(job)
            return Uncertain(Fault.SERVER, "no answer in time")
        if job.handle is not None and job.handle in p.containers:
            p.containers[job.handle] = job.key
        copy = p.post(job)
        await p.clock.sleep(p.latency_s * p.rng.uniform(0.5, 2))
        if p.in_trouble(Trouble.ANSWER_LOST):
            return Uncertain(Fault.SERVER, "no answer in time")
        return Live(copy.platform_id)

    async def confirm(self, job: Job) -> Finding:
        return await self.find(job)

    async def find(self, job: Job) -> Finding:
        p = self._platform
        await p.clock.sleep(p.latency_s)
        if p.in_trouble(Trouble.REFUSED):
            return Unavailable(Fault.CONNECT, "connection refused")
        if p.in_trouble(Trouble.LOGGED_OUT):
            return Denied("logged out: connect the account again")
        if p.in_trouble(Trouble.HTML_500, Trouble.HANGS):
            return Uncertain(Fault.SERVER, "HTTP 500")
        if job.platform_id is not None and not job.count:
            copy = p.by_id(job.platform_id)
            return Live(copy.platform_id, seen=Seen.ACCOUNT) if copy else Absent()
        if job.handle is not None and self.profile.step_class(job.step) is StepClass.HANDLE:
            return self._container(job) or Unfinished(job.handle, timedelta(0))
        return self._in_the_list(job)

    def _in_the_list(self, job: Job) -> Finding:
        listed = self._platform.listed()
        mine = [c for c in listed if c.reference == job.reference and job.composed.text[:40] in c.text]
        if mine:
            extra = tuple(c.platform_id for c in mine[1:])
            return Live(mine[0].platform_id, seen=Seen.ACCOUNT, extra=extra)
        back_to = (job.first_sent_at or job.started_at) - timedelta(minutes=5)
        shown = any(c.platform_id == job.neighbour for c in listed) if job.neighbour else None
        return NotSeen(back_to, shown)

    async def delete(self, job: Job) -> Finding:
        p = self._platform
        if p.in_trouble(Trouble.REFUSED, Trouble.HTML_500, Trouble.HANGS):
            return Unavailable(Fault.CONNECT, "connection refused")
        copy = p.by_id(job.platform_id or "")
        if copy is not None:
            copy.removed_at = p.clock.now()
        return Absent()

    async def probe(self) -> Outcome:
        p = self._platform
        await p.clock.sleep(p.latency_s)
        if p.in_trouble(Trouble.REFUSED):
            return Unavailable(Fault.CONNECT, "connection refused")
        if p.in_trouble(Trouble.HANGS, Trouble.HTML_500):
            return Uncertain(Fault.SERVER, "HTTP 500")
        return Denied("logged out") if p.in_trouble(Trouble.LOGGED_OUT) else Live("account")


def profile(name: str, operator: str, *classes: StepClass, country: str = "US", **changes: Any) -> Profile:
    """A profile with one step per class, asking as its classes allow."""
    can = {Verb.PROBE, Verb.DELETE}
    if classes[-1] is not StepClass.NOTHING:
        can.add(Verb.FIND)
    base = Profile(
        adapter=name,
        operator=operator,
        country=country,
        steps=tuple(Step(f"step{i}", c) for i, c in enumerate(classes)),
        hosts=(f"api.{name}.example",),
        abilities=frozenset(can),
        readers=Readers.HOME,
    )
    return replace(base, **changes)


__all__ = ["Copy", "Pending", "Platform", "ScriptedAdapter", "Spell", "Trouble", "profile"]
