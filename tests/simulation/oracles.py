"""What must be true of every run, judged by the platforms' logs and by what clients were told.

The store is asked only for what it claims: its claims are held against the logs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.model import RESTING, Case, Delivery, OnUnconfirmed, Role, RoutePlan, State, Verb
from broker.rules.standing import is_taken_back, left_up
from tests.simulation.platforms import Copy, Platform, Spell, Trouble
from tests.simulation.simulation import Errand, Outcome
from tests.simulation.timeline import Timeline
from tests.simulation.virtual import START
from tests.simulation.worlds import ChannelSpec, Kind

S, T = State, Trouble
NEWEST = 5
TRIES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be: which oracle turned red, and where."""

    oracle: str
    what: str

    def __str__(self) -> str:
        return f"{self.oracle}: {self.what}"


def judge(outcome: Outcome) -> list[Finding]:
    """Everything that is wrong with this run."""
    if outcome.stuck:
        return [Finding("stuck", outcome.stuck), *Judge(outcome).bugs()]
    return list(Judge(outcome).all())


class Judge:
    """Holds one run's claims against its logs."""

    def __init__(self, outcome: Outcome) -> None:
        self._o = outcome
        self._world = outcome.world
        self._specs = {spec.name: spec for spec in outcome.world.channels}
        self._times = Timeline(outcome)
        self._copies: dict[tuple[str, str], list[Copy]] = defaultdict(list)
        for platform in outcome.platforms.values():
            for copy in platform.copies:
                self._copies[platform.name, copy.announcement_id].append(copy)

    def all(self) -> Iterator[Finding]:
        yield from self.bugs()
        yield from self.lost()
        yield from self.doubled_announcements()
        yield from self.false_live()
        yield from self.other_words()
        yield from self.hidden()
        yield from self.duplicates()
        yield from self.sent_after_the_end()
        yield from self.begun_after_expiry()
        yield from self.left_up_in_silence()
        yield from self.sent_by_the_ended()
        yield from self.tried_in_vain()
        yield from self.too_fast()
        yield from self.not_waited_for()
        yield from self.late_stand_ins()
        yield from self.goal_missed()
        yield from self.not_owed()
        yield from self.too_many_late_copies()

    # nothing is lost

    def bugs(self) -> Iterator[Finding]:
        for bug in self._o.bugs:
            yield Finding("bug", bug)

    def lost(self) -> Iterator[Finding]:
        """What a client was told is accepted is there, and everything of it rests."""
        for errand in self._o.errands:
            if errand.accepted is not None and errand.accepted.id not in self._o.cases:
                yield Finding("lost", f"#{errand.submission.number} {errand.accepted.reference} was accepted")
        for case in self._o.cases.values():
            for d in case.deliveries.values():
                if d.state not in RESTING or d.next_at is not None or case.announcement.closed_at is None:
                    yield Finding("lost", f"{_name(case, d)} is {d.state.value} in the end")

    def doubled_announcements(self) -> Iterator[Finding]:
        """However often a client asks: one announcement."""
        for headline, times in Counter(c.announcement.draft.headline for c in self._o.cases.values()).items():
            if times > 1:
                yield Finding("doubled", f"{headline}: {times} announcements")

    # the status tells the truth

    def false_live(self) -> Iterator[Finding]:
        """What is called live was public; what was dropped or taken away is found when it is looked for."""
        for case, d, spec in self._deliveries():
            if d.state is not S.LIVE:
                continue
            copies = self._copies[spec.name, d.announcement_id]
            if any(c.public_at and (c.removed_at is None or self._unseen(c, spec, case)) for c in copies):
                continue
            if is_taken_back(case.announcement):
                continue  # a person was told to take it away
            if Verb.FIND in spec.profile.abilities and not self._times.nobody_to_ask(spec, d):
                was = "removed" if any(c.public_at for c in copies) else "never there"
                yield Finding("false live", f"{_name(case, d)} was {was}")
        for at, run, announcement_id, channel in self._times.live_events():
            if not self._was_public(channel, announcement_id, at):
                yield Finding("false live", f"{run} calls {announcement_id} live on {channel} at {at:.1f}")

    def _unseen(self, copy: Copy, spec: ChannelSpec, case: Case) -> bool:
        """Taken away after the last look, which a clock that was set forward over a restart brings on early: nobody
        promised to find it."""
        looked_until = spec.profile.look_back or timedelta(0)
        assert copy.public_at is not None
        assert copy.removed_at is not None
        early = self._times.has_jumped(case) and self._times.was_looked_at(copy)
        return copy.removed_by_us or copy.removed_at > copy.public_at + looked_until or early

    def _was_public(self, channel: str, announcement_id: str, at: float) -> bool:
        then = START + timedelta(seconds=at)
        if any(c.public_at and c.public_at <= then for c in self._copies[channel, announcement_id]):
            return True
        return any(i == announcement_id for i, _ in self._o.platforms[channel].dropped)

    def other_words(self) -> Iterator[Finding]:
        """The status shows the words that readers see."""
        for case, d, spec in self._deliveries():
            copies = self._copies[spec.name, d.announcement_id]
            if d.state is S.LIVE and copies and all(c.text != d.composed.text for c in copies):
                yield Finding("other words", f"{_name(case, d)}: {copies[0].text[:60]!r}")

    def hidden(self) -> Iterator[Finding]:
        """What is called not out is not to be seen."""
        for case, d, spec in self._deliveries():
            says_so = d.reason is not None and d.reason.key == "deleted_one"
            if d.state in (S.LIVE, S.UNCONFIRMED) or says_so:
                continue
            for copy in self._copies[spec.name, d.announcement_id]:
                if copy.public_at and copy.removed_at is None and not self._times.came_too_late(copy, spec):
                    yield Finding(
                        "hidden copy", f"{_name(case, d)} is called {d.state.value}, {copy.platform_id} is out"
                    )

    # nothing twice

    def duplicates(self) -> Iterator[Finding]:
        """One copy that was public; on a list one, or a second that is reported; nobody to ask: never repeated."""
        for (channel, announcement_id), made in self._copies.items():
            spec, case = self._specs[channel], self._o.cases.get(announcement_id)
            copies = [copy for copy in made if copy.public_at]
            if len(copies) < 2 or case is None:
                continue
            most = 1
            if spec.kind is Kind.NOTHING and case.announcement.plan.on_unconfirmed is OnUnconfirmed.REPEAT:
                most = 2
            if len(copies) > most and not self._is_reported(case, channel, copies):
                what = f"{case.announcement.reference} {channel}: {[c.platform_id for c in copies]}"
                yield Finding("silent duplicate", f"{what} ({spec.kind.value})")

    def _is_reported(self, case: Case, channel: str, copies: list[Copy]) -> bool:
        if self._specs[channel].kind not in (Kind.LIST, Kind.MODERATED, Kind.PREPARED_LIST):
            return False
        said = [e.reason for e in self._o.events[case.announcement.id] if e.channel == channel and e.reason]
        told = any(r.key in ("two_copies", "deleted_one") or "times" in r.args for r in said)
        return told or sum(c.removed_at is None for c in copies) < 2

    # nothing behind the desk's back

    def sent_after_the_end(self) -> Iterator[Finding]:
        """Nothing leaves that was withdrawn, replaced or has expired."""
        ends = dict(self._ends())
        for platform in self._o.platforms.values():
            for left in platform.left:
                end = ends.get(left.announcement_id)
                if left.verb is Verb.PUBLISH and left.is_visible and end and left.at > end[0]:
                    late = (left.at - end[0]).total_seconds()
                    yield Finding(end[1], f"{left.announcement_id} on {platform.name}, {late:.3f} s late")

    def _ends(self) -> Iterator[tuple[str, tuple[datetime, str]]]:
        for errand in self._o.errands:
            accepted, submission = errand.accepted, errand.submission
            if accepted is not None and errand.withdrawn_at is not None:
                yield accepted.id, (errand.withdrawn_at, "sent after withdrawal")
            if accepted is not None and "replaces" in errand.body and errand.accepted_at is not None:
                old = next(e.accepted for e in self._o.errands if _is(e, errand.body["replaces"]))
                if old is not None:
                    yield old.id, (errand.accepted_at, f"sent after #{submission.number} replaced it")

    def begun_after_expiry(self) -> Iterator[Finding]:
        """Nothing is started after an announcement expired, by the clock of the run that starts it."""
        expires = {each: at for each, c in self._o.cases.items() if (at := c.announcement.draft.expires_at)}
        for platform in self._o.platforms.values():
            for began, run, announcement_id in _starts(platform):
                end = expires.get(announcement_id)
                if end is not None and self._times.by_clock_of(run, began) > end:
                    yield Finding("sent after expiry", f"{announcement_id} on {platform.name} at {began:.3f}")

    def left_up_in_silence(self) -> Iterator[Finding]:
        """What was withdrawn is gone, or a person is asked to take it away (`hidden` looks at what is called gone)."""
        for case in self._o.cases.values():
            for d in case.deliveries.values() if case.announcement.withdrawn_at else ():
                copies = self._copies[d.channel, d.announcement_id]
                is_up = any(c.public_at and c.removed_at is None for c in copies)
                if is_up and d.state in (S.LIVE, S.UNCONFIRMED) and not left_up(case.announcement, d):
                    yield Finding("left up in silence", f"{_name(case, d)} was withdrawn")

    def sent_by_the_ended(self) -> Iterator[Finding]:
        """No byte leaves a run that is over."""
        for platform in self._o.platforms.values():
            for left in platform.left:
                if (end := self._o.ended.get(left.run)) and left.at > end:
                    yield Finding("sent without a lease", f"{left.run} {left.verb.value} on {platform.name}")

    # pace

    def tried_in_vain(self) -> Iterator[Finding]:
        """Nothing is attempted where all is known to be down; three tries a delivery elsewhere, then it waits."""
        for name, platform in self._o.platforms.items():
            for spell in platform.spells:
                known_at = self._times.known_at(self._specs[name], spell)
                vain = [b for b in platform.begun if known_at is not None and known_at < b[0] < spell.until]
                if vain:
                    yield Finding("attempt on a dead channel", f"{name} {spell.trouble.value} {vain[0]}")
                yield from self._tried_too_often(platform, spell)

    def _tried_too_often(self, platform: Platform, spell: Spell) -> Iterator[Finding]:
        if spell.trouble not in (T.REFUSED, T.HANGS, T.HTML_500, T.POSTS_FAIL):
            return
        trials = 3 if spell.trouble is T.POSTS_FAIL else 1
        tries = Counter(i for at, _, i in platform.begun if spell.since <= at < spell.until)
        for announcement_id, times in tries.items():
            if times > TRIES + trials + len(self._o.lives) - 1:
                yield Finding("too many tries", f"{times} of {announcement_id} on {platform.name}, {spell}")

    def too_fast(self) -> Iterator[Finding]:
        """Never more attempts in any second than the channel takes, and none before the time a platform asked for."""
        for name, platform in self._o.platforms.items():
            profile = self._specs[name].profile
            most, span = max(1, int(profile.rate_per_s)), max(1.0, 1 / profile.rate_per_s)
            for run in {run: None for _, run, _ in platform.begun}:
                times = [at for at, who, _ in platform.begun if who == run]
                takes = min((b - a for a, b in zip(times, times[most:], strict=False)), default=span)
                if takes < span - 0.001:
                    yield Finding("too fast", f"{name}: {most + 1} attempts in {takes:.3f} s")

    def not_waited_for(self) -> Iterator[Finding]:
        """Nothing begins where the desk said to wait, and nothing again before the platform wants it."""
        for pause in self._o.pauses:
            for at, _, announcement_id in _starts(self._o.platforms[pause.channel]):
                if pause.since < at < pause.until:
                    yield Finding("sent while paused", f"{announcement_id} on {pause.channel} at {at:.1f}")
        for name, platform in self._o.platforms.items():
            for refusal in platform.refusals:
                known, most = refusal.heard_at + 2, refusal.until - (refusal.until - refusal.heard_at) * 0.1
                for at, run, announcement_id in platform.begun:
                    if run == refusal.run and known + 2 * self._world.disk_spikes_s < at < most:
                        yield Finding("too soon after 429", f"{announcement_id} on {name} at {at:.1f}")

    # readers get it

    def late_stand_ins(self) -> Iterator[Finding]:
        """The stand-in of a channel that is known to be down starts within a second of the acceptance."""
        for errand, case in self._accepted():
            plan, accepted = self._plan(errand), self._times.accepted_at(case)
            for served in plan.post_to:
                first = self._first_stand_in(served, plan, case)
                if accepted is None or first is None or not self._times.is_known_down(self._specs[served], accepted):
                    continue
                begun = [at for at, _, i in self._o.platforms[first].begun if i == case.announcement.id]
                if not any(at <= accepted + 1 + self._world.disk_s * 6 for at in begun):
                    yield Finding("late stand-in", f"{first} for {served}, {case.announcement.reference}, {begun}")

    def _first_stand_in(self, served: str, plan: RoutePlan, case: Case) -> str | None:
        """Who must start at once, if that is plain: working, fast, idle, and nobody carries it already."""
        names = plan.stand_ins.get(served, ())
        if not names or set(names) & set(plan.post_to) or self._world.disk_spikes_s or len(self._o.lives) > 1:
            return None
        spec = self._specs[names[0]]
        slow = spec.profile.usual > plan.stand_in_after
        idle = self._times.is_idle(spec.name, case)
        return spec.name if not slow and idle and self._times.works_for(spec, case) else None

    def goal_missed(self) -> Iterator[Finding]:
        """Wherever enough channels worked, readers got it."""
        for errand, case in self._accepted():
            plan = self._plan(errand)
            able = [self._specs[n] for n in _channels(plan) if self._times.works_for(self._specs[n], case)]
            if not _reaches(able, plan) or not self._times.could_act(case):
                continue
            got = [s for s in self._specs.values() if self._carried(s, errand_id(errand))]
            if not _reaches(got, plan):
                names = [s.name for s in able]
                yield Finding("goal missed", f"{case.announcement.reference} although {names} worked")

    def _carried(self, spec: ChannelSpec, announcement_id: str) -> bool:
        """It showed a copy; or dropped it in silence, where nobody can be asked."""
        silent = spec.kind is Kind.NOTHING and any(
            i == announcement_id for i, _ in self._o.platforms[spec.name].dropped
        )
        return silent or any(c.public_at for c in self._copies[spec.name, announcement_id])

    def not_owed(self) -> Iterator[Finding]:
        """A `post_to` channel that came back in time got its copy."""
        for _, case in self._accepted():
            for d in case.deliveries.values():
                spec = self._specs[d.channel]
                if (
                    d.role is not Role.POST_TO
                    or d.state in (S.LIVE, S.REMOVED)
                    or not self._times.came_back(spec, case)
                ):
                    continue
                given_up = d.reason is not None and d.reason.key in self._reasons_to_give_up()
                if not given_up and not (d.state is S.UNCONFIRMED and self._times.may_be_unconfirmed(spec, d)):
                    why = d.reason.key if d.reason else ""
                    yield Finding("owed copy missing", f"{_name(case, d)} is {d.state.value} ({why})")

    def _reasons_to_give_up(self) -> set[str]:
        """What a crash left in doubt may be proved absent after the time for late copies."""
        return {"newest_five", "refused", *({"not_seen_skip"} if len(self._o.lives) > 1 else ())}

    def too_many_late_copies(self) -> Iterator[Finding]:
        """After an outage the newest five at most, of those that readers have elsewhere."""
        for name, platform in self._o.platforms.items():
            for spell in platform.spells:
                known_at = self._times.known_at(self._specs[name], spell)
                if known_at is None:
                    continue
                late = [c for c in platform.copies if self._is_late(c, name, known_at, spell)]
                if len(late) > NEWEST:
                    yield Finding("too many late copies", f"{len(late)} on {name} after {spell}")

    def _is_late(self, copy: Copy, channel: str, known_at: float, spell: Spell) -> bool:
        case = self._o.cases.get(copy.announcement_id)
        if case is None or case.deliveries[channel].role is not Role.POST_TO:
            return False
        base, back = self._times.true(case, case.announcement.base_at), START + timedelta(seconds=spell.until)
        elsewhere = any(
            c.public_at and c.public_at < back
            for (_, i), copies in self._copies.items()
            if i == copy.announcement_id
            for c in copies
        )
        return START + timedelta(seconds=known_at) < base and copy.made_at >= back and base < back and elsewhere

    # small helpers

    def _deliveries(self) -> Iterator[tuple[Case, Delivery, ChannelSpec]]:
        for case in self._o.cases.values():
            for delivery in case.deliveries.values():
                yield case, delivery, self._specs[delivery.channel]

    def _accepted(self) -> Iterator[tuple[Errand, Case]]:
        """Announcements that nobody took back, with what became of them."""
        replaced = {e.body["replaces"] for e in self._o.errands if "replaces" in e.body}
        for errand in self._o.errands:
            accepted = errand.accepted
            if accepted is None or accepted.id not in self._o.cases or accepted.reference in replaced:
                continue
            if errand.submission.withdrawn_after is None and errand.submission.expires_after is None:
                yield errand, self._o.cases[accepted.id]

    def _plan(self, errand: Errand) -> RoutePlan:
        return self._world.plan(errand.submission)


def _starts(platform: Platform) -> Iterator[tuple[float, str, str]]:
    """When which run began an attempt for which announcement, and when the first byte of each left."""
    yield from platform.begun
    attempts: set[tuple[str, int]] = set()
    for left in platform.left:
        if left.verb is Verb.PUBLISH and (left.announcement_id, left.attempt) not in attempts:
            attempts.add((left.announcement_id, left.attempt))
            yield (left.at - START).total_seconds(), left.run, left.announcement_id


def errand_id(errand: Errand) -> str:
    return errand.accepted.id if errand.accepted else ""


def _is(errand: Errand, reference: str) -> bool:
    return errand.accepted is not None and errand.accepted.reference == reference


def _channels(plan: RoutePlan) -> list[str]:
    stand_ins = [name for names in plan.stand_ins.values() for name in names]
    return list(dict.fromkeys((*plan.post_to, *stand_ins, *plan.reserve)))


def _reaches(specs: list[ChannelSpec], plan: RoutePlan) -> bool:
    counting = [s for s in specs if s.counts]
    operators = {s.profile.operator for s in counting}
    domestic = {s.profile.operator for s in counting if s.domestic}
    return len(operators) >= plan.goal.operators and len(domestic) >= plan.goal.domestic


def _name(case: Case, d: Delivery) -> str:
    return f"{case.announcement.reference} on {d.channel}"
