"""What each single failure would do to a route: who goes on, who stands in, and whether the goal still holds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from broker.contract import Profile
from broker.model import Goal
from broker.rules.domains import MEDIA_HOST, Scope, domains, needs_media_host
from broker.rules.routes import Route
from broker.rules.standing import Channel, Channels

WIDEST_FIRST = (Scope.OPERATOR, Scope.PATH, Scope.LOGIN, Scope.HOST, Scope.MEDIA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure domain of a route, and what is left without it. Channels are in order of writing."""

    scope: Scope
    name: str
    channels: tuple[str, ...]
    """Those of the route that fail with it."""
    goes_on: tuple[str, ...]
    """Of those every announcement goes to."""
    stands_in: tuple[str, ...]
    """For those that fail."""
    reserve: tuple[str, ...]
    operators: tuple[str, ...]
    """Outside operators that readers at home can still open."""
    meets_goal: bool
    silent: bool
    """Nothing is left that readers at home can open, but the own site."""


def failures(route: Route, goal: Goal, channels: Channels) -> list[Failure]:
    """Every domain of the route, worst first; of those with the same channels the widest."""
    on_route = {name: channels[name] for name in route.channels if name in channels}
    shared = {domain for channel in on_route.values() for domain in _domains(channel.profile)}
    found: dict[tuple[str, ...], Failure] = {}
    for scope, name in sorted(shared, key=lambda domain: (-WIDEST_FIRST.index(domain[0]), domain[1])):
        members = tuple(c for c, channel in on_route.items() if (scope, name) in _domains(channel.profile))
        found[members] = _without(scope, name, members, route, goal, on_route)
    return sorted(found.values(), key=lambda one: (not one.silent, one.meets_goal, -len(one.channels)))


def _domains(profile: Profile) -> Iterator[tuple[Scope, str]]:
    yield from domains(profile)
    if needs_media_host(profile):
        yield Scope.MEDIA, MEDIA_HOST


def weak_points(route: Route, goal: Goal, channels: Channels) -> Iterator[Failure]:
    """The failures that alone defeat the route."""
    yield from (one for one in failures(route, goal, channels) if not one.meets_goal)


def is_mute(route: Route, channels: Channels) -> bool:
    """Whether the route reaches no reader at home but by the own site, even while nothing fails."""
    return not any(channels[name].counts for name in route.channels if name in channels)


def _without(
    scope: Scope, name: str, members: tuple[str, ...], route: Route, goal: Goal, channels: Mapping[str, Channel]
) -> Failure:
    left = {c: channel for c, channel in channels.items() if c not in members}
    stands_in = (one for served in members for one in route.stand_ins.get(served, ()) if one in left)
    counting = [channel for channel in left.values() if channel.counts]
    operators = dict.fromkeys(channel.operator for channel in counting)
    domestic = {channel.operator for channel in counting if channel.domestic}
    return Failure(
        scope=scope,
        name=name,
        channels=members,
        goes_on=tuple(c for c in route.post_to if c in left),
        stands_in=tuple(dict.fromkeys(one for one in stands_in if one not in route.post_to)),
        reserve=tuple(c for c in route.reserve if c in left),
        operators=tuple(operators),
        meets_goal=len(operators) >= goal.operators and len(domestic) >= goal.domestic,
        silent=not counting,
    )
