"""What an announcement has come to: whom it reaches, its status, and the events between two of its states. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from broker.contract import Profile, Readers
from broker.model import RESTING, Announcement, Case, Delivery, Event, Goal, Reason, State, Status
from broker.rules.copies import LOOKS

S = State
UNDELETED = ("delete_failed", "delete_unsupported")
"""Reasons of live copies that we cannot delete."""
LET_GO = ("not_needed", "served_by")
"""Reasons of deliveries that others have made superfluous."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What `plan` knows of a channel: its key in the view of health, its profile, and what it counts for."""

    key: str
    profile: Profile
    domestic: bool

    @property
    def operator(self) -> str:
        return self.profile.operator

    @property
    def counts(self) -> bool:
        """For the goal: an outside operator that readers at home can open."""
        return not self.profile.own and self.profile.readers is Readers.HOME


Channels = Mapping[str, Channel]


def is_taken_back(announcement: Announcement) -> bool:
    """Withdrawn or replaced: nothing more of it is sent."""
    return announcement.withdrawn_at is not None or announcement.replaced_by is not None


def status_of(case: Case, holds: bool, now: datetime) -> Status:
    """What the announcement has come to: `reached` while the goal holds, `partly` or `nowhere` once its time is up."""
    announcement = case.announcement
    something = bool(live(case))
    if announcement.withdrawn_at or (announcement.replaced_by and rests(case) and not something):
        return Status.WITHDRAWN
    if case.is_ahead(now):
        return Status.SCHEDULED
    if holds:
        return Status.REACHED
    if not rests(case) and now < announcement.goal_by:
        return Status.OPEN
    return Status.PARTLY if something else Status.NOWHERE


def is_unsuited(delivery: Delivery) -> bool:
    """Born skipped: the announcement has nothing that this platform could show."""
    return delivery.state is S.SKIPPED and delivery.reason is not None and delivery.reason.key == "unsuited"


def was_let_go(delivery: Delivery) -> bool:
    """Skipped because others carried it, and for no other reason: needed after all, it may still be sent."""
    return delivery.state is S.SKIPPED and delivery.reason is not None and delivery.reason.key in LET_GO


def rests(case: Case) -> bool:
    """Time alone changes no delivery any more."""
    return all(d.state in RESTING for d in case.deliveries.values())


def left_up(announcement: Announcement, d: Delivery) -> bool:
    """Withdrawn, and a person has to take it away there, or to look whether it is there."""
    if announcement.withdrawn_at is None or d.state not in (S.LIVE, S.UNCONFIRMED):
        return False
    in_vain = d.reason is not None and (d.reason.key in UNDELETED or (d.reason.key == "deleting" and d.asks >= LOOKS))
    return d.state is S.UNCONFIRMED or in_vain


def goal_holds(case: Case, channels: Channels) -> bool:
    """Readers can see it on as many operators as the route asks for."""
    return meets(case.announcement.plan.goal, live(case), channels)


def meets(goal: Goal, deliveries: Iterable[Delivery], channels: Channels) -> bool:
    """Whether these deliveries are on as many operators as that."""
    operators, domestic = reach(deliveries, channels)
    return len(operators) >= goal.operators and len(domestic) >= goal.domestic


def missed_goal(case: Case, met_at: datetime | None, now: datetime) -> bool:
    """Met after its time, or not met when its time or everything that could meet it is over."""
    announcement = case.announcement
    if is_taken_back(announcement):
        return announcement.late
    if met_at is not None:
        return met_at > announcement.goal_by
    return not case.is_ahead(now) and (now >= announcement.goal_by or rests(case))


def live(case: Case) -> list[Delivery]:
    """The deliveries that are public now, as far as is known."""
    return [d for d in case.deliveries.values() if d.state is S.LIVE]


def reach(deliveries: Iterable[Delivery], channels: Channels) -> tuple[set[str], set[str]]:
    """Operators of these deliveries that count, and the domestic ones among them."""
    counting = [channels[d.channel] for d in deliveries if d.channel in channels and channels[d.channel].counts]
    return {c.operator for c in counting}, {c.operator for c in counting if c.domestic}


def _tells(was: Delivery | None, now: Delivery) -> bool:
    """A new state or reason is worth an event; a stand-by that waits from the start is not."""
    if was is None:
        return now.state is not S.STANDBY
    return was.state is not now.state or was.reason != now.reason


def _named(**args: str | None) -> dict[str, str]:
    return {name: value for name, value in args.items() if value}


def events(before: Case, after: Case, now: datetime) -> tuple[Event, ...]:
    """Every change of course between two states of a case, numbered on from the last, with the delivery's reason."""
    a, b = before.announcement, after.announcement
    found: list[tuple[str, str | None, Reason | None]] = [
        (d.state.value, name, d.reason)
        for name, d in after.deliveries.items()
        if _tells(before.deliveries.get(name), d)
    ]
    if not before.deliveries:
        found.insert(0, ("accepted", None, Reason("accepted", _named(by=b.accepted_from))))
    if b.met_at and not a.met_at:
        took = round((b.met_at - b.base_at).total_seconds(), 3)
        found.append(("goal_met", None, Reason("goal_met", {"seconds": took})))
    if b.late and not a.late and not b.met_at:
        found.append(("goal_missed", None, Reason("goal_missed", {"by": b.goal_by.isoformat()})))
    if b.withdrawn_at and not a.withdrawn_at:
        who_and_why = _named(by=b.withdrawn_by, because=b.withdrawn_because)
        found.append(("withdrawn", None, Reason("withdrawn", who_and_why)))
    if b.status is not a.status:
        found.append(("status", None, Reason(f"status_{b.status.value}")))
    return tuple(
        Event(n=n, at=now, kind=kind, channel=channel, reason=reason)
        for n, (kind, channel, reason) in enumerate(found, a.events + 1)
    )
