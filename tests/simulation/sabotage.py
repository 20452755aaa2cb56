"""What the simulation must notice: each safety broken on purpose, the worlds it matters in, and who must turn red."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.contract import Job, Profile
from broker.engine.changes import Changes
from broker.engine.courier import Courier
from broker.engine.dispatcher import Dispatcher
from broker.engine.engine import Engine
from broker.engine.lease import AttemptGate
from broker.engine.pacer import Pacer, Permit
from broker.engine.switches import Switches
from broker.model import Case as Announced
from broker.model import Delivery, Verb
from broker.outcome import Absent, Denied, Fault, Finding, NotSeen, Outcome, Throttled, Unavailable, Uncertain
from broker.rules.delivery import Policy
from broker.values import replace
from tests.simulation.machine import Disk, Life, Sabotage
from tests.simulation.oracles import judge
from tests.simulation.platforms import ScriptedAdapter, Spell, Trouble
from tests.simulation.simulation import simulate
from tests.simulation.worlds import Blow, ChannelSpec, Strike, Submission, World, world

B, T = Blow, Trouble


# broken adapters: what an adapter might wrongly say, or what the rules might wrongly make of it


class PublishTableForFind(ScriptedAdapter):
    """A question that failed is taken for an answer, as a failed post is: nothing is there."""

    async def find(self, job: Job) -> Finding:
        found = await super().find(job)
        return Absent() if isinstance(found, Unavailable | Uncertain | Denied | Throttled) else found


class NotSeenAsAbsent(ScriptedAdapter):
    """A list without the post is taken for a proof."""

    async def find(self, job: Job) -> Finding:
        found = await super().find(job)
        return Absent() if isinstance(found, NotSeen) else found


class RemovedAsAbsent(ScriptedAdapter):
    """What the platform took away is taken for what never was there."""

    async def find(self, job: Job) -> Finding:
        found = await super().find(job)
        return Absent() if isinstance(found, Absent) else found


class RepeatOnTimeout(ScriptedAdapter):
    """What may have got through is taken for what has not."""

    async def publish(self, job: Job) -> Outcome | Absent:
        outcome = await super().publish(job)
        return Unavailable(Fault.SERVER, "taken for lost") if isinstance(outcome, Uncertain) else outcome


class GateBeforeTheCall(ScriptedAdapter):
    """Whether bytes may leave is asked before the connection is there, not where they leave."""

    async def publish(self, job: Job) -> Outcome | Absent:
        job.gate.enter()
        return await super().publish(replace(job, gate=OpenGate()))


class OpenGate:
    passed = True

    def enter(self) -> None:
        return None


class KeepsInMemory(ScriptedAdapter):
    """A handle that is not durable before the next step."""

    async def publish(self, job: Job) -> Outcome | Absent:
        async def nowhere(handle: str) -> None:
            return None

        return await super().publish(replace(job, store_handle=nowhere))


# broken parts of the engine


class KeepsAllLateCopies(Engine):
    """The newest-five rule ignored."""

    async def _give_up_old_copies(self, agency: str, channel: str) -> None:
        return None


class AlwaysAPermit(Pacer):
    """Deliveries without slot and permit are born `sending` all the same."""

    def try_permit(self) -> Permit | None:
        return self._give()


def _always_a_permit(life: Life) -> None:
    for pacer in life.engine.dispatcher.pacers.values():
        pacer.__class__ = AlwaysAPermit


class ForgetsPermits(Dispatcher):
    """A pause that does not reach what has its permit."""

    def hold_back(self, key: str) -> None:
        return None


def _permits_outlive_a_pause(life: Life) -> None:
    life.engine.dispatcher.__class__ = ForgetsPermits


class GateThatNeverShuts(Courier):
    """What was useful when it was decided leaves, however late it gets there."""

    def gate(self, profile: Profile, until: datetime | None = None) -> AttemptGate:
        return super().gate(profile)


def _gates_that_never_shut(life: Life) -> None:
    life.engine.dispatcher._actions.attempts._courier.__class__ = GateThatNeverShuts


class LooksOutliveWithdrawals(Changes):
    """An answer to a look sets its own time, where the deletion's is set."""

    def _policy(self, case: Announced, delivery: Delivery) -> Policy | None:
        policy = super()._policy(case, delivery)
        return replace(policy, withdrawn=False) if policy else None


def _looks_outlive_withdrawals(life: Life) -> None:
    life.engine.dispatcher._changes.__class__ = LooksOutliveWithdrawals


def _ages_by_the_wall_clock(life: Life) -> None:
    life.engine.dispatcher._changes._began_at = datetime.min.replace(tzinfo=UTC)


class ForgetfulDisk(Disk):
    """Breakers that live in memory only."""

    def breakers(self) -> dict[str, Mapping[str, Any]]:
        return {}


def _profile(**changes: Any) -> Callable[[ChannelSpec], ChannelSpec]:
    return lambda spec: replace(spec, profile=replace(spec.profile, **changes))


def _without_find(spec: ChannelSpec) -> ChannelSpec:
    return _profile(abilities=spec.profile.abilities - {Verb.FIND})(spec)


# worlds in which it matters


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A seed's world with its troubles replaced by these; times are seconds since the first announcement."""

    spells: tuple[tuple[Trouble, float, float], ...] = ()
    """Of one channel, which the seed chooses."""
    strikes: tuple[tuple[Blow, float, float], ...] = ()
    """What, when and how long; each is put off by some part of a second that the seed chooses."""
    news: int = 0
    """So many plain announcements, ten seconds apart, instead of the seed's own."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """What else is said of each of them."""
    disk_s: float | None = None
    """How long a commit takes, instead of the seed's own time."""
    clock_jumps: tuple[float, ...] = (0.0,)
    """By how many seconds the wall clock is set at each start."""

    def world(self, seed: int) -> World:
        one = world(seed)
        if self.news:
            one = replace(one, submissions=tuple(replace(_plain(one, n), **self.changes) for n in range(self.news)))
        first, some = one.submissions[0].at, (seed % 50) / 100
        spells = tuple(Spell(trouble, first + since, first + until) for trouble, since, until in self.spells)
        worst = seed % len(one.channels)
        channels = [replace(c, spells=spells if i == worst else ()) for i, c in enumerate(one.channels)]
        strikes = [Strike(blow, first + at + some, lasts, 1 + seed % 40) for blow, at, lasts in self.strikes]
        disk_s = one.disk_s if self.disk_s is None else self.disk_s
        return replace(
            one, channels=tuple(channels), strikes=tuple(strikes), clock_jumps=self.clock_jumps, disk_s=disk_s
        )


def _plain(one: World, number: int) -> Submission:
    return replace(
        one.submissions[0], number=number, at=150.0 + 10 * number, key=f"key-{number}",
        expires_after=None, send_after=None, replaces=None, withdrawn_after=None, hangs_up_after=None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One sabotage, and the oracles of which one must see it."""

    name: str
    sabotage: Sabotage
    red: frozenset[str]
    setting: Setting = Setting()

    def seen(self, seeds: range) -> int | None:
        """The first seed in which an oracle sees it; None if none does."""
        for seed in seeds:
            findings = judge(simulate(self.setting.world(seed), self.sabotage))
            if any(finding.oracle in self.red for finding in findings):
                return seed
        return None


def _red(*oracles: str) -> frozenset[str]:
    return frozenset(oracles)


LONG_DOWN = ((T.REFUSED, -120.0, 200.0),)

CASES = (
    Case(
        name="acknowledge before the commit",
        sabotage=Sabotage(writer={"acknowledge_first": True}),
        red=_red("lost"),
        setting=Setting(strikes=((B.CRASH_BEFORE_COMMIT, -1, 4),)),
    ),
    Case(
        name="publish table used for find",
        sabotage=Sabotage(adapter=PublishTableForFind),
        red=_red("silent duplicate"),
        setting=Setting(spells=((T.ANSWER_LOST, -5, 5), (T.HTML_500, 5, 60))),
    ),
    Case(
        name="NotSeen treated as Absent",
        sabotage=Sabotage(adapter=NotSeenAsAbsent),
        red=_red("silent duplicate"),
        setting=Setting(spells=((T.RUNS_LATER, -5, 5),)),
    ),
    Case(
        name="taken away treated as never there",
        sabotage=Sabotage(adapter=RemovedAsAbsent),
        red=_red("silent duplicate"),
        setting=Setting(spells=((T.REMOVES, -5, 100),), strikes=((B.CRASH_SENT, 0.3, 20),), news=1),
    ),
    Case(
        name="gate off, frozen past the lease",
        sabotage=Sabotage(switches=Switches(gate=False)),
        red=_red("sent without a lease"),
        setting=Setting(strikes=((B.FREEZE, 0, 60),)),
    ),
    Case(
        name="gate off, withdrawn in flight",
        sabotage=Sabotage(switches=Switches(gate=False)),
        red=_red("sent after withdrawal"),
    ),
    Case(
        name="gate before the call",
        sabotage=Sabotage(adapter=GateBeforeTheCall),
        red=_red("sent after withdrawal"),
    ),
    Case(
        name="queued sends born sending",
        sabotage=Sabotage(started=_always_a_permit),
        red=_red("attempt on a dead channel"),
        setting=Setting(spells=LONG_DOWN, news=3),
    ),
    Case(
        name="owned and not looked for in the store",
        sabotage=Sabotage(switches=Switches(sweep=False)),
        red=_red("stuck"),
        setting=Setting(strikes=((B.FREEZE, -1, 60), (B.CLAIM_UNKNOWN, 45, 0))),
    ),
    Case(
        name="repeat on timeout",
        sabotage=Sabotage(adapter=RepeatOnTimeout),
        red=_red("silent duplicate"),
        setting=Setting(spells=((T.ANSWER_LOST, -5, 100),)),
    ),
    Case(
        name="no read-back",
        sabotage=Sabotage(channel=_without_find),
        red=_red("false live"),
        setting=Setting(spells=((T.SILENT_DROP, -5, 100),)),
    ),
    Case(
        name="no look back",
        sabotage=Sabotage(channel=_profile(look_back=None)),
        red=_red("false live"),
        setting=Setting(spells=((T.SILENT_DROP, -5, 100),)),
    ),
    Case(
        name="found sending after a crash is due",
        sabotage=Sabotage(switches=Switches(crash_is_checking=False)),
        red=_red("silent duplicate"),
        setting=Setting(strikes=((B.CRASH_SENT, -1, 4),)),
    ),
    Case(
        name="handles in memory only",
        sabotage=Sabotage(adapter=KeepsInMemory),
        red=_red("silent duplicate"),
        setting=Setting(strikes=((B.CRASH_SENT, 0.2, 4),)),
    ),
    Case(
        name="stand-ins ignored",
        sabotage=Sabotage(route=lambda route: replace(route, stand_ins={}, reserve=())),
        red=_red("goal missed", "late stand-in"),
        setting=Setting(spells=LONG_DOWN, news=2),
    ),
    Case(
        name="newest five ignored",
        sabotage=Sabotage(engine=KeepsAllLateCopies),
        red=_red("too many late copies"),
        setting=Setting(spells=LONG_DOWN, news=9),
    ),
    Case(
        name="breakers in memory only",
        sabotage=Sabotage(disk=ForgetfulDisk),
        red=_red("attempt on a dead channel"),
        setting=Setting(spells=LONG_DOWN, strikes=((B.CRASH, 50, 5),), news=3),
    ),
    Case(
        name="no probes",
        sabotage=Sabotage(channel=_profile(probe_every=timedelta(days=1))),
        red=_red("attempt on a dead channel"),
        setting=Setting(spells=LONG_DOWN, news=2),
    ),
    Case(
        name="permits outlive a pause",
        sabotage=Sabotage(started=_permits_outlive_a_pause),
        red=_red("sent while paused"),
        setting=Setting(spells=((T.PAUSED, 0.02, 60),)),
    ),
    Case(
        name="gates that never shut",
        sabotage=Sabotage(started=_gates_that_never_shut),
        red=_red("sent after expiry"),
        setting=Setting(news=1, changes={"expires_after": 1.0}, disk_s=2.0),
    ),
    Case(
        name="looks outlive a withdrawal",
        sabotage=Sabotage(started=_looks_outlive_withdrawals),
        red=_red("left up in silence"),
        setting=Setting(spells=((T.SLOW, 20, 60),), news=1, changes={"withdrawn_after": 33.0}),
    ),
    Case(
        name="ages by the wall clock over a restart",
        sabotage=Sabotage(started=_ages_by_the_wall_clock),
        red=_red("hidden copy"),
        setting=Setting(
            spells=((T.RUNS_LATER, -5, 100),),
            strikes=((B.CRASH_SENT, -1, 3), (B.CRASH, 20, 3)),
            news=1,
            changes={"withdrawn_after": 15.0},
            clock_jumps=(0.0, 0.0, 300.0),
        ),
    ),
    Case(
        name="rate ignored",
        sabotage=Sabotage(channel=_profile(rate_per_s=100.0)),
        red=_red("too fast"),
    ),
)
