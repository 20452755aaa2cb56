"""Who fails together: the domains that a channel shares with others, and who is asked when one of them fails.

Whether a domain is down is said in health.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from broker.contract import Path, Profile
from broker.rules.breaker import ChannelHealth

MEDIA_HOST = "media_host"


class Scope(StrEnum):
    """What fails together."""

    CHANNEL = "channel"
    OPERATOR = "operator"
    LOGIN = "login"
    HOST = "host"
    PATH = "path"
    MEDIA = "media"
    """The agency's own media host, for channels that show nothing without what they fetch from it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One channel as health sees it."""

    key: str
    agency: str
    profile: Profile
    health: ChannelHealth
    domains: tuple[tuple[Scope, str], ...] = field(init=False, repr=False)
    """What it shares with others; kept because every view asks for it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "domains", tuple(domains(self.profile)))


def domains(profile: Profile) -> Iterable[tuple[Scope, str]]:
    """What this channel shares with others, most specific first."""
    if profile.login:
        yield Scope.LOGIN, profile.login
    for host in profile.hosts:
        yield Scope.HOST, host
    yield Scope.OPERATOR, profile.operator
    if profile.path is not Path.OWN:
        yield Scope.PATH, profile.path.value


def siblings(key: str, members: Mapping[str, Member]) -> set[str]:
    """Who is asked for evidence when `key` failed: one member of each shared domain, for a path of another operator."""
    me = members[key]
    asked: set[str] = set()
    for scope, name in me.domains:
        for other in members.values():
            shares = other.key != key and (scope, name) in other.domains
            alike = other.profile.operator == me.profile.operator
            if shares and not (scope in (Scope.PATH, Scope.HOST) and alike):
                asked.add(other.key)
                break
    return asked


def comrades(key: str, members: Mapping[str, Member]) -> Iterable[Member]:
    """The other channels of its operator or its login: they fail together, and return together."""
    mine = {domain for domain in members[key].domains if domain[0] in (Scope.OPERATOR, Scope.LOGIN)}
    return (m for m in members.values() if m.key != key and not mine.isdisjoint(m.domains))


def needs_media_host(profile: Profile) -> bool:
    """The platform shows nothing without a picture or video, and fetches it from us."""
    return profile.media.by_url and profile.media.card is not None
