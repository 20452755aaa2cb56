"""Single points of failure: what takes a route's goal with it, or all of its readers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from broker.model import Goal
from broker.rules.health import Scope, domains
from broker.rules.routes import Route
from broker.rules.standing import Channel, Channels

WIDEST_FIRST = (Scope.OPERATOR, Scope.PATH, Scope.LOGIN, Scope.HOST)


@dataclass(frozen=True, slots=True)
class WeakPoint:
    """One failure domain that a route cannot do without."""

    scope: Scope
    name: str
    channels: tuple[str, ...]
    """Those of the route that fail with it, in order of writing."""
    silent: bool
    """Nothing is left that readers at home can open, but the own site; else only the goal is out of reach."""


def weak_points(route: Route, goal: Goal, channels: Channels) -> Iterator[WeakPoint]:
    """The domains whose failure alone defeats the route, worst first; the widest of those with the same channels."""
    counting = {name: channels[name] for name in route.channels if name in channels and channels[name].counts}
    found = {tuple(members): point for point, members in _defeats(counting, goal)}
    yield from sorted(found.values(), key=lambda point: not point.silent)


def _defeats(counting: Mapping[str, Channel], goal: Goal) -> Iterator[tuple[WeakPoint, list[str]]]:
    """Narrow domains first, so that wider ones with the same members replace them."""
    shared = {domain for channel in counting.values() for domain in domains(channel.profile)}
    for scope, name in sorted(shared, key=lambda domain: (-WIDEST_FIRST.index(domain[0]), domain[1])):
        members = [c for c, channel in counting.items() if (scope, name) in domains(channel.profile)]
        left = [channel for c, channel in counting.items() if c not in members]
        operators = {channel.operator for channel in left}
        domestic = {channel.operator for channel in left if channel.domestic}
        if len(operators) < goal.operators or len(domestic) < goal.domestic:
            yield WeakPoint(scope, name, tuple(members), silent=not left), members
