"""Scripted platforms. What they really took in is their log, the only oracle; what they answer is up to the script.

A platform is no part of any process: a request that has left arrives, whatever becomes of the process that sent it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from broker.contract import AdapterBase, Gate, Job, Profile, TextLimit
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
from broker.rules.text import compose_text
from broker.values import replace
from tests.simulation.trace import Trace
from tests.simulation.virtual import PROCESS, VirtualClock, VirtualLoop, outside

LIMIT = TextLimit(1000)
LAGGING_S = 40.0
"""How old lists are that lag."""
LISTED_BEFORE = timedelta(minutes=5)
"""How far a list reaches back beyond what was asked for."""


class Trouble(StrEnum):
    """What a platform does wrong for a while."""

    REFUSED = "refused"
    """Nothing can connect."""
    HANGS = "hangs"
    """Takes requests and answers none, nor does what they ask."""
    SLOW = "slow"
    """Answers after 5 to 14 s."""
    HTML_500 = "html_500"
    POSTS_FAIL = "posts_fail"
    """Probes pass, posts are answered with 500."""
    LOGGED_OUT = "logged_out"
    POSTS_LOGGED_OUT = "posts_logged_out"
    THROTTLED = "throttled"
    REJECTS = "rejects"
    ANSWER_LOST = "answer_lost"
    """Does what posts ask and does not say so."""
    FAILS_AFTER = "fails_after"
    """Does what posts ask and answers 500."""
    RUNS_LATER = "runs_later"
    """Answers no post and does it some time later."""
    SILENT_DROP = "silent_drop"
    """Answers well and shows nothing."""
    REMOVES = "removes"
    """Takes posts away a few seconds after they became public."""
    NEVER_FINISHES = "never_finishes"
    """Containers and moderation get nowhere."""
    EMPTY_LISTS = "empty_lists"
    LAGS = "lags"
    """Lists are as old as `LAGGING_S`."""
    PAUSED = "paused"
    """Nothing is wrong with it: the desk wants nothing sent there."""


T = Trouble
NOBODY_ANSWERS = frozenset({T.REFUSED, T.HANGS, T.HTML_500, T.LOGGED_OUT})
"""Troubles that probes and questions meet as well."""


@dataclass(frozen=True, slots=True)
class Spell:
    """One trouble from one time to another, in seconds since the start."""

    trouble: Trouble
    since: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """How a platform is on its good days."""

    latency_s: float = 0.1
    lag_s: float = 5.0
    keeps_keys_s: float = 0.0
    container_s: float = 0.0
    """How long a container takes to be ready."""
    moderation_s: float | None = None
    """How long a post waits until it is public; None: it is public at once."""
    runs_later_s: float = 20.0
    names_handles: bool = True
    """Whether its list shows posts that wait for moderation."""


@dataclass(slots=True)
class Copy:
    """One post as the platform has it."""

    platform_id: str
    announcement_id: str
    reference: str
    text: str
    key: str
    run: str
    attempt: int
    made_at: datetime
    public_at: datetime | None
    removed_at: datetime | None = None
    removed_by_us: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """A request of ours whose bytes have left: written by the wire, so neither side can forget it."""

    at: datetime
    run: str
    verb: Verb
    announcement_id: str
    attempt: int
    is_visible: bool
    """Something public may come of it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The platform asked us to come later."""

    run: str
    heard_at: float
    until: float


@dataclass(slots=True)
class Container:
    ready_at: datetime
    text: str
    copy: Copy | None = None


class NoConnection(Exception):
    """Nothing of the request has left."""


@dataclass(slots=True)
class Platform:
    """One platform's side: its posts, its containers, its moods, and the log of what came over the wire."""

    name: str
    nature: Nature
    loop: VirtualLoop
    clock: VirtualClock
    rng: random.Random
    trace: Trace
    spells: list[Spell] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    """Announcement and platform id of posts that were answered well and never shown."""
    left: list[Left] = field(default_factory=list)
    begun: list[tuple[float, str, str]] = field(default_factory=list)
    """When which run began an attempt for which announcement."""
    refusals: list[Refusal] = field(default_factory=list)
    met: dict[Trouble, int] = field(default_factory=dict)
    """How often each trouble was met by a request."""
    on_arrival: Callable[[str], None] = lambda run: None
    containers: dict[str, Container] = field(default_factory=dict)
    busy_until: float = 0.0
    """When it will have done everything that it was asked to by now."""

    # the wire

    async def request(
        self, verb: Verb, job: Job | None, work: Callable[[], Finding], timeout_s: float, gate: Gate | None = None,
        *, visible: bool = False,
    ) -> Finding:  # fmt: skip
        """What the platform answers. Raises `NoConnection`, or `TimeoutError` when it answers nothing."""
        await asyncio.sleep(self._latency())
        if self._meets(T.REFUSED):
            raise NoConnection
        if gate is None or job is None:
            return await self._told(verb, job, work, timeout_s)
        process = PROCESS.get()
        run = process.name if process else "-"
        gate.enter()
        self.left.append(Left(self.clock.now(), run, verb, job.announcement_id, job.attempt, visible))
        answer: asyncio.Future[Finding] = self.loop.create_future()
        with outside():
            self.loop.call_later(self._latency(), self._arrived, verb, job, work, answer, run)
        async with asyncio.timeout(timeout_s):
            return await answer

    async def _told(self, verb: Verb, job: Job | None, work: Callable[[], Finding], timeout_s: float) -> Finding:
        """The answer to a question, which changes nothing: so it need not live on when the process does not."""
        reply = self._answer(verb, work)
        if job is not None:
            self.trace.add(self.name, verb.value, job.reference, f"attempt {job.attempt}", f"step {job.step}", reply)
        if reply is None:
            await asyncio.sleep(timeout_s)
            raise TimeoutError
        if self._meets(T.SLOW):
            await asyncio.sleep(self.rng.uniform(5, 14))
        return reply

    def _arrived(
        self, verb: Verb, job: Job, work: Callable[[], Finding], answer: asyncio.Future[Finding], run: str
    ) -> None:
        reply = self._answer(verb, work)
        self.trace.add(self.name, verb.value, job.reference, f"attempt {job.attempt}", f"step {job.step}", reply)
        self.on_arrival(run)
        if reply is not None:
            wait, now = self.rng.uniform(5, 14) if self._meets(T.SLOW) else self._latency(), self.loop.time()
            if isinstance(reply, Throttled):
                self.refusals.append(Refusal(run, now + wait, now + reply.retry_after.total_seconds()))
            self.loop.call_later(wait, _set, answer, reply)

    def _answer(self, verb: Verb, work: Callable[[], Finding]) -> Finding | None:
        """What it does and says to a request that came in; None: it says nothing."""
        if self._meets(T.HANGS):
            return None
        if self._meets(T.HTML_500):
            return Uncertain(Fault.SERVER, "HTTP 500")
        if self._meets(T.LOGGED_OUT):
            return Denied("logged out: connect the account again")
        return self._posted(work) if verb is Verb.PUBLISH else work()

    def _posted(self, work: Callable[[], Finding]) -> Finding | None:
        if self._meets(T.POSTS_FAIL):
            return Uncertain(Fault.SERVER, "HTTP 500")
        if self._meets(T.POSTS_LOGGED_OUT):
            return Denied("this account may not post")
        if self._meets(T.THROTTLED):
            return Throttled(timedelta(seconds=round(self.rng.uniform(5, 60))))
        if self._meets(T.REJECTS):
            return Rejected("policy", "against the rules")
        if self._meets(T.RUNS_LATER):
            self._later(self.nature.runs_later_s * self.rng.uniform(0.5, 1), work)
            return None
        reply = work()
        if self._meets(T.ANSWER_LOST):
            return None
        return Uncertain(Fault.SERVER, "HTTP 502") if self._meets(T.FAILS_AFTER) else reply

    def _meets(self, trouble: Trouble) -> bool:
        if not self.spells or not self.in_trouble(trouble):
            return False
        self.met[trouble] = self.met.get(trouble, 0) + 1
        return True

    def in_trouble(self, trouble: Trouble) -> bool:
        now = self.loop.time()
        return any(s.trouble is trouble and s.since <= now < s.until for s in self.spells)

    def _latency(self) -> float:
        return self.nature.latency_s * self.rng.uniform(0.3, 1.5)

    # what posts do

    def keyed(self, job: Job, run: str) -> Finding:
        """The same key within its lifetime is the same post."""
        oldest = self.clock.now() - timedelta(seconds=self.nature.keeps_keys_s)
        known = next((c for c in self.copies if c.key == job.key and c.made_at >= oldest), None)
        return _answered(self.shown(known or self._post(job, run)))

    def plain(self, job: Job, run: str) -> Finding:
        if self._meets(T.SILENT_DROP):
            platform_id = f"{self.name}-dropped{len(self.dropped) + 1}"
            self.dropped.append((job.announcement_id, platform_id))
            return Live(platform_id)
        return _answered(self.shown(self._post(job, run)))

    def contain(self, job: Job) -> Finding:
        handle = f"{self.name}-c{len(self.containers) + 1}"
        ready_at = self.clock.now() + timedelta(seconds=self.nature.container_s)
        self.containers[handle] = Container(ready_at, job.composed.text)
        return Unfinished(handle, timedelta(0))

    def publish(self, job: Job, run: str) -> Finding:
        """Makes a container public; once more is the same post."""
        container = self.containers.get(job.handle or "")
        if container is None:
            return Absent()
        if container.copy is None:
            if self.clock.now() < container.ready_at or self._meets(T.NEVER_FINISHES):
                return Unfinished(job.handle or "", timedelta(seconds=3))
            container.copy = self._post(job, run, container.text)
        return _answered(self.shown(container.copy))

    def _post(self, job: Job, run: str, text: str = "") -> Copy:
        now, waits = self.clock.now(), self.nature.moderation_s
        copy = Copy(
            platform_id=f"{self.name}-{len(self.copies) + 1}",
            announcement_id=job.announcement_id,
            reference=job.reference,
            text=text or job.composed.text,
            key=job.key,
            run=run,
            attempt=job.attempt,
            made_at=now,
            public_at=now if waits is None else None,
        )
        self.copies.append(copy)
        if waits is not None and not self._meets(T.NEVER_FINISHES):
            self._later(waits, lambda: self._released(copy))
        if self._meets(T.REMOVES):
            self.loop.call_later((waits or 0) + self.rng.uniform(3, 12), self._removed, copy)
        return copy

    def _later(self, wait_s: float, work: Callable[[], object]) -> None:
        self.busy_until = max(self.busy_until, self.loop.time() + wait_s)
        self.loop.call_later(wait_s, work)

    def _released(self, copy: Copy) -> None:
        copy.public_at = self.clock.now()

    def _removed(self, copy: Copy) -> None:
        if copy.removed_at is None:
            copy.removed_at = self.clock.now()
            self.trace.add(self.name, "removes", copy.reference, copy.platform_id)

    # what it shows

    def shown(self, copy: Copy | None) -> Finding:
        if copy is None or copy.removed_at is not None:
            return Absent(removed=copy is not None and not copy.removed_by_us)
        if copy.public_at is None:
            return Pending(copy.platform_id, timedelta(seconds=5))
        return Live(copy.platform_id, seen=Seen.ACCOUNT)

    def by_id(self, platform_id: str) -> Copy | None:
        return next((c for c in self.copies if c.platform_id == platform_id), None)

    def by_handle(self, job: Job) -> Finding:
        """What became of a container or of a post that waits for moderation."""
        if (copy := self.by_id(job.handle or "")) is not None:
            return self.shown(copy)
        container = self.containers.get(job.handle or "")
        if container is None:
            return Absent()
        return self.shown(container.copy) if container.copy else Unfinished(job.handle or "", timedelta(0))

    def listed(self, job: Job) -> Finding:
        """What a list of our posts says: it lags, and may be empty although there are posts."""
        lag = timedelta(seconds=LAGGING_S if self._meets(T.LAGS) else self.nature.lag_s)
        newest = self.clock.now() - lag
        shown = [c for c in self.copies if c.made_at <= newest and c.removed_at is None]
        shown = [] if self._meets(T.EMPTY_LISTS) else [c for c in shown if c.public_at or self.nature.names_handles]
        mine = [c for c in shown if c.reference == job.reference and job.composed.text[:40] in c.text]
        public = [c for c in mine if c.public_at]
        if public:
            extra = tuple(c.platform_id for c in public[1:])
            return Live(public[0].platform_id, seen=Seen.ACCOUNT, extra=extra)
        if mine:
            return self.shown(mine[0])
        back_to = (job.first_sent_at or job.started_at) - LISTED_BEFORE
        neighbour = any(c.platform_id == job.neighbour for c in shown) if job.neighbour else None
        return NotSeen(back_to, neighbour)

    def delete(self, platform_id: str) -> Finding:
        copy = self.by_id(platform_id)
        if copy is not None and copy.removed_at is None:
            copy.removed_at, copy.removed_by_us = self.clock.now(), True
        return Absent()


def _answered(shown: Finding) -> Finding:
    """An answer to a post says that it is public; nobody has read it back."""
    return replace(shown, seen=None) if isinstance(shown, Live) else shown


def _set(answer: asyncio.Future[Finding], reply: Finding) -> None:
    if not answer.done():
        answer.set_result(reply)


class ScriptedAdapter(AdapterBase):
    """One channel on a scripted platform, made of the steps its profile names."""

    def __init__(self, platform: Platform, profile: Profile) -> None:
        self._platform, self.profile = platform, profile

    def compose(self, post: Post) -> Composed:
        return compose_text(post, LIMIT)

    async def publish(self, job: Job) -> Outcome | Absent:
        p, process = self._platform, PROCESS.get()
        run = process.name if process else "-"
        p.begun.append((p.loop.time(), run, job.announcement_id))
        last = len(self.profile.steps) - 1
        while job.step < last and job.handle is None:
            made = await self._ask(Verb.PUBLISH, job, lambda: p.contain(job))
            if not isinstance(made, Unfinished):
                return made  # type: ignore[return-value]  # contain answers nothing else
            await job.keep(made.handle)
        return await self._ask(Verb.PUBLISH, job, self._last_step(job, run), visible=True)  # type: ignore[return-value]

    def _last_step(self, job: Job, run: str) -> Callable[[], Finding]:
        p, kind = self._platform, self.profile.step_class(len(self.profile.steps) - 1)
        does = {StepClass.KEYED: p.keyed, StepClass.HANDLE: p.publish}.get(kind, p.plain)
        return lambda: does(job, run)

    async def confirm(self, job: Job) -> Finding:
        return await self._ask(Verb.CONFIRM, job, lambda: self._platform.by_handle(job))

    async def find(self, job: Job) -> Finding:
        p = self._platform
        if job.platform_id is not None and not job.count:
            wanted = job.platform_id
            return await self._ask(Verb.FIND, job, lambda: p.shown(p.by_id(wanted)))
        by_handle = job.handle is not None and self.profile.step_class(job.step) is StepClass.HANDLE
        return await self._ask(Verb.FIND, job, lambda: p.by_handle(job) if by_handle else p.listed(job))

    async def delete(self, job: Job) -> Finding:
        wanted = job.platform_id or ""
        return await self._ask(Verb.DELETE, job, lambda: self._platform.delete(wanted))

    async def probe(self) -> Outcome:
        return await self._ask(Verb.PROBE, None, lambda: Live("account"))  # type: ignore[return-value]

    async def _ask(self, verb: Verb, job: Job | None, work: Callable[[], Finding], *, visible: bool = False) -> Finding:
        gate = job.gate if job is not None and verb in (Verb.PUBLISH, Verb.DELETE) else None
        timeout_s = self.profile.total_timeout.total_seconds()
        try:
            return await self._platform.request(verb, job, work, timeout_s, gate, visible=visible)
        except NoConnection:
            return Unavailable(Fault.CONNECT, "connection refused")
        except TimeoutError:
            return Uncertain(Fault.SERVER, "no answer in time")
