"""`loa serve` as a test process: the same code, with a way to die at a named point and switches to sabotage it.

    LOA_CRASH_AT=intent.durable:3     SIGKILL when that point is passed for the third time
    LOA_FREEZE_AT=intent.durable:1    SIGSTOP there; somebody else must send SIGCONT
    LOA_HANG_AT=intent.durable:1      the thread that passes there stands still for ever; the watchdog waits 3 s
    LOA_CLOCK_SHIFT=FILE              the wall clock is off by the seconds written there, read anew each time
    LOA_SLOW_COMMIT=0.2               every commit takes that many seconds
    LOA_SABOTAGE=hasty,gate           see SABOTAGE, ADAPTERS and PATCHES

Production never reads these: they are read here, and handed to the composition root.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import adapters.facebook
import adapters.smtp
import adapters.telegram
import adapters.threads
import adapters.webhook
import adapters.zalo  # noqa: F401 - imported once by the process that all test processes are forked from
import broker.clock
from broker import logs
from broker.cli.serve import run, serve_until_stopped
from broker.clock import SystemClock
from broker.contract import Adapter, Job, Registry
from broker.engine.switches import Point, Switches
from broker.outcome import Absent, Fault, Finding, NotSeen, Outcome, Unavailable, Uncertain
from broker.settings import load, load_adapters

HUNG_AFTER_S = 3.0
SABOTAGE: Mapping[str, Mapping[str, Any]] = {
    "gate": {"gate": False},
    "crash_is_due": {"crash_is_checking": False},
    "acknowledge_first": {"acknowledge_first": True},
    "synchronous_off": {"synchronous": "OFF"},
    "unwatched": {"hung_after_s": None},
}
"""Switches of the broker itself; each must turn a test red (tests/sabotage.py)."""


def hasty(adapter: type[Adapter]) -> type[Adapter]:
    """Takes a lost answer for a failure, and so repeats on a timeout."""

    class Hasty(adapter):  # type: ignore[misc,valid-type]  # a class of any adapter
        async def publish(self, job: Job) -> Outcome | Absent:
            outcome: Outcome | Absent = await super().publish(job)
            return Unavailable(Fault.SERVER, "no answer") if isinstance(outcome, Uncertain) else outcome

    return Hasty


def blind(adapter: type[Adapter]) -> type[Adapter]:
    """Reads nothing back: whatever is looked for is not there."""

    class Blind(adapter):  # type: ignore[misc,valid-type]
        async def find(self, job: Job) -> Finding:
            return NotSeen(datetime(2000, 1, 1, tzinfo=UTC))

    return Blind


def rash(adapter: type[Adapter]) -> type[Adapter]:
    """Takes a list without our post for a proof that it is not there."""

    class Rash(adapter):  # type: ignore[misc,valid-type]
        async def find(self, job: Job) -> Finding:
            found: Finding = await super().find(job)
            return Absent() if isinstance(found, NotSeen) else found

    return Rash


def forgetful(adapter: type[Adapter]) -> type[Adapter]:
    """Forgets what an attempt without an answer is known by: its handle or its key."""
    forgotten: set[str] = set()

    def left(job: Job) -> Job:
        known = (job.handle or job.key) not in forgotten
        return job if known else replace(job, handle=None, step=0, key=uuid4().hex)

    class Forgetful(adapter):  # type: ignore[misc,valid-type]
        async def publish(self, job: Job) -> Outcome | Absent:
            mine = left(job)
            outcome: Outcome | Absent = await super().publish(mine)
            if isinstance(outcome, Uncertain):
                forgotten.add(mine.handle or mine.key)
            return outcome

        async def find(self, job: Job) -> Finding:
            found: Finding = await super().find(left(job))
            return found

    return Forgetful


ADAPTERS: Mapping[str, Callable[[type[Adapter]], type[Adapter]]] = {
    "hasty": hasty,
    "blind": blind,
    "rash": rash,
    "forgetful": forgetful,
}
"""The same for adapters."""


def follow_the_wall() -> None:
    SystemClock.FOLLOWED = timedelta(days=1)


PATCHES: Mapping[str, Callable[[], None]] = {"naive_clock": follow_the_wall}
"""The same for what has no switch."""


@dataclass(slots=True)
class Hook:
    """Does something to this process when one point is passed for the n-th time, and makes commits slow."""

    point: str
    n: int
    act: Callable[[], object]
    commit_s: float
    _passed: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, point: Point) -> None:
        if point is Point.BATCH_TAKEN and self.commit_s:
            threading.Event().wait(self.commit_s)  # a slow disk
        with self._lock:
            self._passed[point] += 1
            is_it = point == self.point and self._passed[point] == self.n
        if is_it:
            self.act()


def hang() -> None:
    """For ever, as a computation without end in an adapter does."""
    threading.Event().wait()


ACTS: Mapping[str, Callable[[], object]] = {
    "LOA_CRASH_AT": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "LOA_FREEZE_AT": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "LOA_HANG_AT": hang,
}


def switches(environment: Mapping[str, str]) -> Switches:
    changed: dict[str, Any] = {"hung_after_s": HUNG_AFTER_S} if environment.get("LOA_HANG_AT") else {}
    for name in _sabotage(environment):
        changed |= SABOTAGE.get(name, {})
    where, act = next(((environment[name], act) for name, act in ACTS.items() if environment.get(name)), ("", hang))
    point, _, n = where.partition(":")
    assert not point or Point(point)
    commit_s = float(environment.get("LOA_SLOW_COMMIT") or 0)
    return Switches(**changed, at=Hook(point, int(n or 1), act, commit_s))


def registry(environment: Mapping[str, str]) -> Registry:
    found = load_adapters()
    for name in _sabotage(environment):
        if name in ADAPTERS:
            found = {key: ADAPTERS[name](found[key]) for key in found}
    return found


def shift_clock(file: str) -> None:
    """Puts a wall clock in the place of the machine's, which others on this machine use as well.

    Only `broker.clock` reads it (ruff's DTZ rules see to that). libfaketime would be another way, but takes Python's
    own waits along: they fail once its clock has jumped.
    """

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=float(Path(file).read_text() or 0))

    setattr(broker.clock, "datetime", Shifted)  # noqa: B010 - mypy would not have it assigned


def _sabotage(environment: Mapping[str, str]) -> list[str]:
    names = [name for name in environment.get("LOA_SABOTAGE", "").split(",") if name]
    if unknown := set(names) - SABOTAGE.keys() - ADAPTERS.keys() - PATCHES.keys():
        raise ValueError(f"unknown sabotage: {', '.join(sorted(unknown))}")
    return names


def serve(config: str) -> int:
    """Serves until it is stopped or dies."""
    test_only = {*ACTS, "LOA_SABOTAGE", "LOA_CLOCK_SHIFT", "LOA_SLOW_COMMIT"}
    for name in PATCHES.keys() & set(_sabotage(os.environ)):
        PATCHES[name]()
    if shifts := os.environ.get("LOA_CLOCK_SHIFT"):
        shift_clock(shifts)
    settings = {key: value for key, value in os.environ.items() if key not in test_only}
    logs.configure(as_json=True, level="info")
    configuration = load(Path(config), settings, registry(os.environ))
    return run(serve_until_stopped(configuration, lambda url: print(url, flush=True), switches=switches(os.environ)))


def forked(config: str, environment: Mapping[str, str], log: str) -> None:
    """What a forked process does: its own words go to `log`."""
    words = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(words, 1)
    os.dup2(words, 2)
    os.environ.update(environment)
    sys.exit(serve(config))


FORKS = get_context("forkserver")
"""Forks from a process that has imported everything: a life costs tens of milliseconds instead of a second."""
FORKS.set_forkserver_preload([__name__ if __name__ != "__main__" else "tests.acceptance.runner"])


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1]))
