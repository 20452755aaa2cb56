"""What people are told of: one episode each for an outage, a shut account, copies that only a person can settle. Pure.

An episode is told once when it begins and once when it is over, by ways that do not share the fate of what they report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from broker.contract import Profile
from broker.model import Case, Reason, State, Status
from broker.outcome import Cause
from broker.rules.domains import Member, Scope, domains
from broker.rules.health import Down, View
from broker.rules.standing import is_taken_back, left_up

HOLD = timedelta(seconds=5)
"""How long something must be so before people are told: first failures are still finding their common cause."""
AGAIN_AFTER = timedelta(days=1)
MORE_AFTER = timedelta(minutes=10)
"""Further announcements with the trouble already told of are told together, this much later."""
FADES_AFTER = timedelta(days=1)
"""What nobody can settle any more is let go after this, without a message."""
NAMED = 10
"""References a message names; of more it tells the number."""
WAYS = 2


class Kind(StrEnum):
    OUTAGE = "outage"
    ACCOUNT = "account"
    REFUSES = "refuses"
    NOWHERE = "nowhere"
    PARTLY = "partly"
    UNCONFIRMED = "unconfirmed"
    REMOVED = "removed"
    LEFT_UP = "left_up"
    TOKEN = "token"  # noqa: S105  # a kind of alert, not a secret
    REHEARSAL = "rehearsal"


FADING = frozenset({Kind.NOWHERE, Kind.PARTLY, Kind.REMOVED})
REMINDED = frozenset({Kind.ACCOUNT, Kind.TOKEN, Kind.REHEARSAL})
"""Brought to mind daily: only a person can mend them."""

Domain = tuple[Scope, str]


def key_of(agency: str, kind: Kind, subject: str) -> str:
    return f"{agency}/{kind.value}:{subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Something people should know of, from its beginning to its end."""

    agency: str
    kind: Kind
    subject: str
    """Operator, channel, or "" for announcements that are in no one channel's trouble."""
    since: datetime
    channels: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    detail: str | Reason = ""
    domains: frozenset[Domain] = frozenset()
    """What it speaks about; an alert about it must not go that way."""

    @property
    def key(self) -> str:
        return key_of(self.agency, self.kind, self.subject)

    def begins(self) -> Reason:
        return Reason(f"alert_{self.kind.value}", self._args())

    def ends(self) -> Reason:
        return Reason(f"alert_{self.kind.value}_over", self._args())

    def page(self) -> str:
        """The desk's page that shows it."""
        if len(self.references) == 1:
            return f"announcements/{self.references[0]}"
        return "" if self.references else "channels"

    def _args(self) -> dict[str, object]:
        return {
            "what": self.subject,
            "channel": self.subject,
            "since": self.since.isoformat(),
            "channels": list(self.channels),
            "references": ", ".join(self.references[:NAMED]),
            "more": max(0, len(self.references) - NAMED),
            "count": len(self.references),
            "detail": self.detail,
        }


def of_health(agency: str, members: Mapping[str, Member], health: View) -> dict[str, Episode]:
    """The episodes of an agency's `members`, by key; none while our own network is what seems to be down.

    What is down and no member has none: a way of alerting that fails is no news, and must not silence the others.
    """
    if health.own_network_since is not None:
        return {}
    found: dict[str, Episode] = {}
    for key, down in health.down.items():
        member = members.get(key)
        if member is not None and member.agency == agency:
            episode = _of_down(member, down)
            found[episode.key] = _joined(found.get(episode.key), episode)
    return found


def _of_down(member: Member, down: Down) -> Episode:
    name = member.key.rpartition("/")[2]
    kind = {Cause.ACCOUNT: Kind.ACCOUNT, Cause.CONTENT: Kind.REFUSES}.get(down.cause, Kind.OUTAGE)
    profile = member.profile
    shared = {(down.scope, down.what)} if down.scope is not Scope.CHANNEL else set()
    if down.scope is not Scope.MEDIA:  # the platforms are well: no operator is named, and none is avoided
        shared |= {(Scope.OPERATOR, profile.operator)}
    subject = down.what if down.scope is Scope.MEDIA else profile.operator if kind is Kind.OUTAGE else name
    return Episode(
        agency=member.agency,
        kind=kind,
        subject=subject,
        since=down.since,
        channels=(name,),
        detail=down.detail,
        domains=frozenset(shared | {(Scope.CHANNEL, member.key)}),
    )


def _joined(one: Episode | None, other: Episode) -> Episode:
    if one is None:
        return other
    return Episode(
        agency=other.agency,
        kind=other.kind,
        subject=other.subject,
        since=min(one.since, other.since),
        channels=tuple(sorted({*one.channels, *other.channels})),
        detail=one.detail or other.detail,
        domains=one.domains | other.domains,
    )


def of_case(case: Case) -> set[tuple[Kind, str]]:
    """The kinds of trouble, with the channel, that one announcement is in now."""
    a = case.announcement
    found: set[tuple[Kind, str]] = set()
    if a.status in (Status.NOWHERE, Status.PARTLY) and not is_taken_back(a):
        found.add((Kind(a.status.value), ""))
    for d in case.deliveries.values():
        if left_up(a, d):
            found.add((Kind.LEFT_UP, d.channel))
        elif d.state is State.UNCONFIRMED or (d.state is State.REMOVED and not is_taken_back(a)):
            found.add((Kind(d.state.value), d.channel))
    return found


def ways(episode: Episode, alerts: Sequence[tuple[str, Profile]], health: View) -> list[str]:
    """Keys of up to two alert channels that work, share nothing with what is reported and have different operators.

    If all of them share something, those that work are used all the same: a doubtful way is better than silence.
    """
    working = [(key, profile) for key, profile in alerts if key not in health.down]
    apart = [one for one in working if not _shares(one, episode.domains)]
    chosen: dict[str, str] = {}
    for key, profile in apart or working or alerts:
        chosen.setdefault(profile.operator, key)
    return list(chosen.values())[:WAYS]


def _shares(way: tuple[str, Profile], reported: frozenset[Domain]) -> bool:
    key, profile = way
    return bool(reported & {*domains(profile), (Scope.CHANNEL, key)})


def same_fate(alerts: Sequence[tuple[str, Profile]]) -> Iterable[Domain]:
    """Domains that every way of alerting goes through, which `loa check` warns of."""
    each = [set(domains(profile)) for _, profile in alerts]
    return sorted(set.intersection(*each)) if each else []
