"""What becomes of an announcement that is withdrawn or replaced: nothing unsent is sent, what is live is deleted.

A part of `plan` (failover.py). How a deletion ends is said in copies.py.
"""

from __future__ import annotations

from datetime import datetime

from broker.model import Case, Delivery, Reason, State, Verb
from broker.outcome import Cause
from broker.rules.copies import undeleted
from broker.rules.delivery import ended, rested, verb_for
from broker.rules.standing import UNDELETED, Channels
from broker.rules.timing import policy_for
from broker.values import replace

S = State


def take_back(case: Case, channels: Channels, now: datetime) -> Case:
    """Withdrawn or replaced: nothing unsent is sent; what is live is deleted where the platform lets us."""
    announcement = case.announcement
    unsent = Reason("withdrawn", {"because": announcement.withdrawn_because or ""})
    if announcement.withdrawn_at is None:
        unsent = Reason("replaced", {"by": announcement.replaced_by})
    return case.having(_taken_back(d, case, channels, unsent, now) for d in case.deliveries.values())


def _taken_back(d: Delivery, case: Case, channels: Channels, unsent: Reason, now: datetime) -> Delivery:
    channel = channels.get(d.channel)
    if d.state is S.STANDBY:
        return rested(d, S.SKIPPED, unsent)
    if d.state in (S.DUE, S.CHECKING) and channel is not None:
        policy = policy_for(case.announcement, d, channel)
        if d.state is S.DUE:
            return ended(replace(d, cause=None), S.SKIPPED, unsent, policy, now)
        if verb_for(d, policy) is Verb.PUBLISH:
            return rested(d, S.UNCONFIRMED, Reason("unconfirmed_nothing"), Cause.UNCLEAR)
    if not _is_there(d) or not case.announcement.withdrawn_at or _deletion_was_tried(d):
        return d
    there = replace(d, state=S.LIVE, cause=None)
    if channel is None or Verb.DELETE not in channel.profile.abilities:
        return replace(there, next_at=None, reason=undeleted(d, "delete_unsupported", url=d.url or ""))
    return replace(there, next_at=now, asks=0, reason=Reason("deleting"))


def _is_there(d: Delivery) -> bool:
    """Live, or hidden from readers: that shows once a person has mended the account, so it has to go, too."""
    return d.state is S.LIVE or (d.state is S.REMOVED and d.reason is not None and d.reason.key == "hidden")


def _deletion_was_tried(d: Delivery) -> bool:
    return d.reason is not None and d.reason.key in ("deleting", *UNDELETED)
