"""When: until when sending makes sense, and when a case is to be looked at next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from broker.model import RESTING, Announcement, Case, Delivery, Role, State
from broker.rules.deadlines import time_limit
from broker.rules.delivery import Policy
from broker.rules.standing import Channel, Channels, is_taken_back

S = State
RECHECK = timedelta(minutes=1)
"""A question that is overdue is being asked; in case nobody does, it is looked at after this, then twice this ..."""


def policy_for(announcement: Announcement, delivery: Delivery, channel: Channel) -> Policy:
    """What the channel and the route together say about this delivery."""
    useful = useful_until(announcement, delivery)
    return Policy(channel.profile, announcement.plan.on_unconfirmed, useful, announcement.withdrawn_at is not None)


def useful_until(announcement: Announcement, delivery: Delivery) -> datetime:
    """Until when acting on this delivery makes sense."""
    return useful_for(announcement, delivery.role)


def useful_for(announcement: Announcement, role: Role) -> datetime:
    """Until when sending makes sense for deliveries of this role: late copies are owed by `post_to` channels only.

    A withdrawal starts this time anew, for the deletions and for the questions about what may have to be deleted.
    """
    plan = announcement.plan
    owes = role is Role.POST_TO and plan.late_copies is not None
    lasts = max(plan.late_copies, plan.start_by) if owes and plan.late_copies else plan.start_by
    if announcement.withdrawn_at:
        return announcement.withdrawn_at + lasts
    return _unless_expired(announcement, lasts)


def start_until(announcement: Announcement) -> datetime:
    """Until when stand-ins and reserve may be started."""
    return _unless_expired(announcement, announcement.plan.start_by)


def _unless_expired(announcement: Announcement, lasts: timedelta) -> datetime:
    ends = announcement.base_at + lasts
    return min(ends, announcement.draft.expires_at) if announcement.draft.expires_at else ends


def begun_at(announcement: Announcement, delivery: Delivery) -> datetime:
    """Since when this delivery is waited for: never from before the time the announcement goes out."""
    return max(delivery.started_at or announcement.base_at, announcement.base_at)


def wakes_at(case: Case, channels: Channels, now: datetime) -> datetime | None:
    """The next moment after now at which time changes something; None when everything rests."""
    announcement = case.announcement
    taken_back = is_taken_back(announcement)
    if case.is_ahead(now) and not taken_back:
        return announcement.base_at
    moments = [m for d in case.deliveries.values() for m in _moments(d, announcement, channels, now)]
    if not taken_back and any(d.state not in RESTING for d in case.deliveries.values()):
        moments += _milestones(announcement)
    return min((m for m in moments if m > now), default=None)


def _moments(d: Delivery, announcement: Announcement, channels: Channels, now: datetime) -> Iterable[datetime]:
    if d.channel not in channels:
        return
    if d.next_at is not None:
        yield d.next_at if d.state in (S.DUE, S.SENDING) else _ahead(d.next_at, now)
    if d.state in RESTING or d.state is S.STANDBY:
        return
    limit = time_limit(d, policy_for(announcement, d, channels[d.channel]))
    if limit is not None:
        yield limit
    wait, begun = announcement.plan.stand_in_after, begun_at(announcement, d)
    yield begun + wait
    yield begun + max(wait, channels[d.channel].profile.usual)


def _ahead(at: datetime, now: datetime) -> datetime:
    wait = timedelta(0)
    while at + wait <= now:
        wait = max(2 * wait, RECHECK)
    return at + wait


def _milestones(announcement: Announcement) -> list[datetime]:
    base, within = announcement.base_at, announcement.plan.goal.within
    return [base + within / 2, base + within * 0.75, base + within, start_until(announcement)]
