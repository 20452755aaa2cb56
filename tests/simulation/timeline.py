"""When what worked: the times of one run that its oracles judge by, true time in seconds since the start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from broker.contract import Path
from broker.model import Case, Delivery, Reason, Verb
from broker.outcome import Live
from broker.rules.probing import DENIED_PROBE
from broker.rules.settle import REPEATS
from tests.simulation.platforms import LAGGING_S, NOBODY_ANSWERS, Copy, Spell, Trouble
from tests.simulation.simulation import Outcome
from tests.simulation.virtual import START
from tests.simulation.worlds import ChannelSpec, Kind

T = Trouble
AFTERMATH_S = 120.0
"""So long after a spell a channel is not counted on."""
BACK_AFTER_S = {
    T.LOGGED_OUT: 17 * 60.0,
    T.POSTS_LOGGED_OUT: 17 * 60.0,
    T.POSTS_FAIL: 17 * 60.0,
    T.FAILS_AFTER: 17 * 60.0,
    T.ANSWER_LOST: 17 * 60.0,
    T.RUNS_LATER: 17 * 60.0,
    T.REJECTS: 17 * 60.0,
    T.EMPTY_LISTS: 17 * 60.0,
}
"""How long after a spell a channel may still be held for broken, by its probes' and trials' times; else 4 minutes."""
JUDGES_CONTENT = frozenset({T.REJECTS, T.SILENT_DROP, T.REMOVES})
"""Troubles after which a copy is rightly missing."""


class Timeline:
    """Intervals of one run, in true seconds."""

    def __init__(self, outcome: Outcome) -> None:
        self._o = outcome
        self._specs = {spec.name: spec for spec in outcome.world.channels}
        self._ids = {c.announcement.reference: i for i, c in outcome.cases.items()}
        self._aheads = {life.process.name: life.clock.now() - START for life in outcome.lives}
        self._downs = list(self._down_times())
        self._accepted = {
            str(details[0]): (at, who) for at, who, what, details in outcome.trace.entries if what == "has durable"
        }

    # the broker

    def _down_times(self) -> Iterator[tuple[float, float]]:
        """When no life was serving; from its own trace."""
        serving: set[str] = set()
        since: float | None = 0.0
        for at, who, what, details in self._o.trace.entries:
            if what in ("serves", "thaws"):
                serving.add(who)
            elif what in ("is gone", "stops", "freezes"):
                serving.discard(who)
            elif what == "full":
                yield at, at + float(str(details[0])) + 5
            if serving and since is not None:
                yield since, at
                since = None
            elif not serving and since is None:
                since = at
        if since is not None:
            yield since, float("inf")

    def was_up(self, since: float, until: float) -> bool:
        return not any(a < until and since < b for a, b in self._downs)

    def has_jumped(self, case: Case) -> bool:
        """Some life after its acceptance had another idea of the time."""
        reference = case.announcement.reference
        if reference not in self._accepted:
            return True
        run = self._accepted[reference][1]
        if case.announcement.draft.send_at is not None and round(self._ahead_s(run)):
            return True
        later = [life.process.name for life in self._o.lives]
        return len({round(self._ahead_s(name)) for name in later[later.index(run) :]}) > 1

    def _ahead_s(self, run: str) -> float:
        now = timedelta(seconds=self._o.lasted_s)
        return (self._aheads[run] - now).total_seconds()

    def by_clock_of(self, run: str, at: float) -> datetime:
        """What this run's clock showed at a true time."""
        return START + timedelta(seconds=at + self._ahead_s(run))

    def true(self, case: Case, at: datetime) -> datetime:
        """A time of the case, by the true clock instead of that of the run that accepted it."""
        run = self._accepted[case.announcement.reference][1]
        return at - timedelta(seconds=self._ahead_s(run))

    def seconds(self, case: Case, at: datetime) -> float:
        return (self.true(case, at) - START).total_seconds()

    def live_events(self) -> Iterator[tuple[float, str, str, str]]:
        """(when, run, announcement, channel) of everything the broker called live because a platform said so."""
        for at, who, what, details in self._o.trace.entries:
            if what == "live" and isinstance(details[2], Reason) and details[2].key in ("live", "found"):
                yield at, who, self._ids[str(details[0])], str(details[1])

    def was_looked_at(self, copy: Copy) -> bool:
        """A question showed it before it was taken away."""
        return any(
            what == Verb.FIND.value and isinstance(details[-1], Live) and details[-1].platform_id == copy.platform_id
            for at, _, what, details in self._o.trace.entries
            if copy.removed_at is not None and START + timedelta(seconds=at) < copy.removed_at
        )

    def could_act(self, case: Case) -> bool:
        """The broker had half a minute to start what was missing, on a disk that lets it."""
        if self.has_jumped(case):
            return False
        plan = case.announcement.plan
        base = self.seconds(case, case.announcement.base_at)
        over = base + plan.start_by.total_seconds()
        ready = max(over - 60, base + plan.goal.within.total_seconds() / 2)
        return ready + 30 <= over and self.was_up(ready, over + 120)

    def accepted_at(self, case: Case) -> float | None:
        """When it was durable; None if it is to go out later."""
        return None if case.announcement.draft.send_at else self._accepted[case.announcement.reference][0]

    # channels

    def _spells(self, spec: ChannelSpec) -> Iterator[tuple[ChannelSpec, Spell]]:
        """Those of the channel and of everybody it shares a fate with."""
        for other in self._o.world.channels:
            mine, theirs = spec.profile, other.profile
            if other is spec or mine.operator == theirs.operator:
                for spell in other.spells:
                    yield other, spell

    def works_for(self, spec: ChannelSpec, case: Case) -> bool:
        """Nothing was wrong with it, or with what it shares, while this announcement could be started there."""
        base = self.seconds(case, case.announcement.base_at)
        until = base + case.announcement.plan.start_by.total_seconds() + 60
        crashed = len(self._o.lives) > 1 or bool(self._o.world.strikes)
        if crashed and not self._is_sure_after_a_crash(spec):
            return False
        if self._path_suspected(spec, base - AFTERMATH_S, until):
            return False
        return not any(s.since < until and base < s.until + self._aftermath(s) for _, s in self._spells(spec))

    def _is_sure_after_a_crash(self, spec: ChannelSpec) -> bool:
        """What a crash leaves uncertain on others is not known before `settle_for` is over, if ever; and a key that is
        forgotten soon after that is not used again."""
        if spec.kind is Kind.KEYED:
            return spec.profile.key_lifetime > spec.profile.settle_for + timedelta(minutes=2)
        return spec.kind in (Kind.HANDLE, Kind.SITE)

    def _aftermath(self, spell: Spell) -> float:
        return max(AFTERMATH_S, BACK_AFTER_S.get(spell.trouble, 0))

    def _path_suspected(self, spec: ChannelSpec, since: float, until: float) -> bool:
        """Two operators of its path were silent: then the path may be taken for broken until somebody answers."""
        if spec.profile.path is Path.OWN:
            return False
        silent = {
            other.profile.operator
            for other in self._o.world.channels
            for s in other.spells
            if other.profile.path is spec.profile.path
            and s.trouble is T.REFUSED
            and s.since < until
            and since < s.until
        }
        return len(silent) > 1

    def known_at(self, spec: ChannelSpec, spell: Spell) -> float | None:
        """From when on the broker must know that this channel is down; None if it never had the time to learn it."""
        if spell.trouble not in NOBODY_ANSWERS or self._own_network(spell):
            return None
        profile = spec.profile
        asked_every = DENIED_PROBE if self._was_shut(spec, spell) else profile.probe_every
        takes = (asked_every + 2 * profile.total_timeout).total_seconds() + 10
        known_at = spell.since + takes
        for since, until in self._downs:
            if since < known_at and until > known_at - takes:
                known_at = until + takes
        return known_at if known_at < spell.until else None

    def _was_shut(self, spec: ChannelSpec, spell: Spell) -> bool:
        """Its account was refused before: then it is asked every quarter of an hour only."""
        return any(
            s.trouble in (T.LOGGED_OUT, T.POSTS_LOGGED_OUT) and s.since < spell.since < s.until + self._back_after(s)
            for s in spec.spells
            if s is not spell
        )

    def is_known_down(self, spec: ChannelSpec, at: float) -> bool:
        """For some seconds, and for some seconds more: views change between a plan and its commit."""
        known = ((s, self.known_at(spec, s)) for s in spec.spells)
        return any(known_at is not None and known_at + 2 < at < s.until - 2 for s, known_at in known)

    def is_idle(self, channel: str, case: Case) -> bool:
        """Nothing else was begun there around its acceptance: its pacer has permits."""
        accepted = self._accepted[case.announcement.reference][0]
        begun = self._o.platforms[channel].begun
        return not any(accepted - 10 < at < accepted + 3 and i != case.announcement.id for at, _, i in begun)

    def _own_network(self, spell: Spell) -> bool:
        """Three operators cannot be reached meanwhile: then no channel is blamed, whatever is wrong with it besides."""
        silent = {
            spec.profile.operator
            for spec in self._o.world.channels
            for s in spec.spells
            if s.trouble is T.REFUSED and s.since < spell.until and spell.since < s.until
        }
        return len(silent) >= 3

    def came_back(self, spec: ChannelSpec, case: Case) -> bool:
        """It worked long enough, before the time for late copies was over, to be found in order and used."""
        plan = case.announcement.plan
        if plan.late_copies is None or self.has_jumped(case) or (spec.kind is Kind.NOTHING and self._o.world.strikes):
            return False
        base = self.seconds(case, case.announcement.base_at)
        until = base + max(plan.late_copies, plan.start_by).total_seconds()
        spells = [
            (o, s) for o, s in self._spells(spec) if s.since < until and base - 60 < s.until + self._back_after(s)
        ]
        if any(s.trouble in JUDGES_CONTENT for o, s in spells if o is spec):
            return False
        back = max((s.until + self._back_after(s) for _, s in spells), default=base)
        return back + 120 < until and self.was_up(back, until) and not self._path_suspected(spec, back - 240, until)

    def _back_after(self, spell: Spell) -> float:
        return BACK_AFTER_S.get(spell.trouble, 240.0)

    def may_be_unconfirmed(self, spec: ChannelSpec, d: Delivery) -> bool:
        """Nobody could have told: it cannot be asked, forgot our key, never finished, or left all repeats open."""
        if spec.kind is Kind.NOTHING or any(s.trouble is T.NEVER_FINISHES for s in spec.spells):
            return True
        if spec.kind in (Kind.LIST, Kind.PREPARED_LIST, Kind.MODERATED):
            sent = (left for left in self._o.platforms[spec.name].left if left.announcement_id == d.announcement_id)
            if len({left.attempt for left in sent if left.is_visible}) > REPEATS:
                return True
        if spec.kind is Kind.MODERATED:  # it was to be public while nobody could ask
            long = spec.profile.pending_for.total_seconds() / 2
            return any(s.trouble in NOBODY_ANSWERS and s.until - s.since > long for s in spec.spells)
        if spec.kind is Kind.KEYED and spec.nature.keeps_keys_s < 3600:
            return True
        return spec.kind in (Kind.KEYED, Kind.SITE) and self._was_set_back()

    def _was_set_back(self) -> bool:
        """Between any two lives: a run that finds an earlier one's lease in the future uses none of its keys again."""
        aheads = [round(self._ahead_s(life.process.name)) for life in self._o.lives]
        return any(after < before for before, after in pairwise(aheads))

    # looking back

    def nobody_to_ask(self, spec: ChannelSpec, d: Delivery) -> bool:
        """Something was wrong with the platform when its copy was to be looked at."""
        return any(s.trouble in NOBODY_ANSWERS for s in spec.spells)

    def came_too_late(self, copy: Copy, spec: ChannelSpec) -> bool:
        """Shown longer after its request than `settle_for`, or behind an empty list: nobody could have seen it."""
        made = (copy.made_at - START).total_seconds()
        sent = max(
            (
                left.at
                for left in self._o.platforms[spec.name].left
                if left.announcement_id == copy.announcement_id and left.attempt <= copy.attempt and left.is_visible
            ),
            default=copy.made_at,
        )
        later = {s.trouble for s in spec.spells if s.until > made}
        listed_at = copy.made_at + timedelta(seconds=LAGGING_S if T.LAGS in later else spec.nature.lag_s)
        if copy.public_at is not None and not spec.nature.names_handles:
            listed_at = max(listed_at, copy.public_at)
        return T.EMPTY_LISTS in later or listed_at - sent > spec.profile.settle_for
