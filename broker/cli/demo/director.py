"""Plays the story: hands announcements in, makes Meta fail and return, kills the broker if asked, then judges."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

from broker.cli.client import Client
from broker.cli.demo.scene import Row, Scene
from broker.cli.demo.stage import Stage
from broker.cli.demo.story import (
    ANNOUNCEMENTS,
    BACK,
    CALM,
    OUTAGE,
    OUTAGE_SCRIPT,
    PHASES,
    REFUSED,
    ROUTE,
    SABOTAGE,
    STRICKEN,
    Phase,
)
from broker.cli.demo.verdict import Sent, Times, Verdict, burned_tokens, judge
from broker.cli.exits import Exit, Unreachable, exit_of
from broker.clock import Clock
from broker.errors import LoaError

SETTLES_WITHIN = 90.0
"""Seconds after the last phase until everything that is owed must be made: a busy machine is slow to make videos."""
WAITS_AT_MOST = 30.0
"""Seconds a phase waits for what the next one builds on."""
SECOND_LOOK = 1.0
"""A copy too many may come late: a right verdict is counted once more after this."""
ACCEPTED_WITHIN = 30.0
LOOK_EVERY = 0.4
TRY_AGAIN = 0.3
AFTER_A_SEND = (0.03, 0.5)
"""A kill comes at most so long after an announcement is handed in: while it is taken in, or while it goes out."""


class Director:
    """One performance."""

    def __init__(self, stage: Stage, scene: Scene, clock: Clock, rng: random.Random, sabotage: str | None) -> None:
        self._stage, self._scene, self._clock, self._rng, self._sabotage = stage, scene, clock, rng, sabotage
        self._started = asyncio.get_running_loop().time()
        self._failed_at = self._healed_at = clock.now()
        self._killed_at: datetime | None = None
        self._kill_at_number: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def elapsed(self) -> float:
        return asyncio.get_running_loop().time() - self._started

    async def play(self, *, kill: bool) -> Verdict:
        """The whole story; the verdict as soon as it is right, or when it cannot become right any more."""
        if kill:
            first = len(CALM.sends)
            self._kill_at_number = self._rng.randrange(first, first + sum(len(phase.sends) for phase in OUTAGE))
        async with self._watched(), self._stage.client() as client:
            for phase in PHASES:
                await self._play_phase(phase, client)
            return await self._settled()

    async def _play_phase(self, phase: Phase, client: Client) -> None:
        self._scene.begin(phase)
        if phase is REFUSED:
            await self._break_meta()
        if phase is BACK:
            await self._heal_meta()
            await self._wait_for(self._meta_is_up)
        begun = self.elapsed
        for at in phase.sends:
            await self._until(begun + at)
            await self._send(client)
        await self._until(begun + phase.lasts)
        if phase is CALM:
            await self._wait_for(self._meta_has_all)

    # Only the newest five of an outage are made late, and five fall into it: neither the morning's news nor the last
    # announcement may become a sixth on a slow machine.

    def _meta_has_all(self) -> bool:
        return all(row.states.get(name) == "live" for row in self._scene.rows for name in STRICKEN)

    def _meta_is_up(self) -> bool:
        return all(self._scene.health.get(name) == "up" for name in STRICKEN)

    async def _wait_for(self, becomes_true: Callable[[], bool]) -> None:
        until = self.elapsed + WAITS_AT_MOST
        while self.elapsed < until and not becomes_true():
            await self._clock.sleep(LOOK_EVERY)

    async def _until(self, elapsed: float) -> None:
        await self._clock.sleep(elapsed - self.elapsed)

    # announcements

    async def _send(self, client: Client) -> None:
        number = len(self._scene.rows)
        if number == self._kill_at_number:
            self._spawn(self._kill())
        if self._sabotage and number == len(CALM.sends) - 1:
            await self._sabotaged(self._sabotage)
        headline, body = ANNOUNCEMENTS[number]
        at, key = self._clock.now(), str(uuid4())
        said = {"headline": headline, "body": body, "route": ROUTE, "urgency": "urgent"}
        report = await self._handed_in(client, said, key)
        row = self._scene.accept(Sent(number + 1, report["reference"], headline, at), report)
        self._spawn(self._watch(row, report["id"], client))

    async def _handed_in(self, client: Client, said: Mapping[str, str], key: str) -> dict[str, Any]:
        """As a CMS does it: again with the same key until the answer has come."""
        until = self.elapsed + ACCEPTED_WITHIN
        while True:
            try:
                return await client.announce(said, key)
            except LoaError as error:
                if exit_of(error) is not Exit.UNREACHABLE or self.elapsed > until:
                    raise
            await self._clock.sleep(TRY_AGAIN)

    async def _watch(self, row: Row, announcement_id: str, client: Client) -> None:
        """Keeps one row up to date, also over a broker's death."""
        while True:
            with suppress(Unreachable):
                async for event in client.follow(announcement_id, row.seen):
                    self._scene.take(row, event)
                return
            await self._clock.sleep(TRY_AGAIN)

    # what befalls

    async def _break_meta(self) -> None:
        self._failed_at = self._clock.now()
        for name in STRICKEN:
            for fault in OUTAGE_SCRIPT:
                await self._stage.emulators.fail(name, **fault)

    async def _heal_meta(self) -> None:
        self._healed_at = self._clock.now()
        for name in STRICKEN:
            await self._stage.emulators.heal(name)

    async def _sabotaged(self, how: str) -> None:
        for name, fault in SABOTAGE[how]:
            await self._stage.emulators.fail(name, **fault)

    async def _kill(self) -> None:
        """SIGKILL while something is on its way, and a new start."""
        await self._clock.sleep(self._rng.uniform(0.0, self._rng.choice(AFTER_A_SEND)))
        self._scene.broker_is_up = False
        self._killed_at = self._clock.now()
        self._scene.tell("The broker is killed (SIGKILL), and started again on the same store.")
        await self._stage.kill_broker()
        await self._stage.start_broker()
        self._scene.broker_is_up = True
        self._scene.tell(f"The broker is back after {(self._clock.now() - self._killed_at).total_seconds():.1f} s.")

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """The channels are looked at all the time; at the end all tasks of ours are over."""
        self._spawn(self._look())
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self) -> None:
        async with self._stage.client() as client:
            while True:
                with suppress(LoaError):
                    self._scene.look(await client.channels())
                await self._clock.sleep(LOOK_EVERY)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    # the verdict

    async def _settled(self) -> Verdict:
        """As soon as it is right and can be believed, or what it is when its time is up."""
        until = self.elapsed + SETTLES_WITHIN
        while (verdict := await self.verdict()).may_improve and self.elapsed < until:
            await self._clock.sleep(LOOK_EVERY)
        if not verdict.ok:
            return verdict
        await self._clock.sleep(SECOND_LOOK)
        return await self.verdict()

    async def verdict(self) -> Verdict:
        """Counted now, from the platforms' own logs."""
        logs = await self._stage.logs()
        times = Times(failed_at=self._failed_at, healed_at=self._healed_at, killed_at=self._killed_at)
        burned = burned_tokens(logs, STRICKEN, self._healed_at)
        sent = [row.sent for row in self._scene.rows]
        shown, told = await self._stage.shown(logs), self._stage.told(logs)
        return judge(sent, shown, self._stage.goal, times, burned, told)
