"""Routes: what is posted where, what stands in for what, and whether the goal can be met at all. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from difflib import get_close_matches

from broker.model import Goal, OnUnconfirmed, RoutePlan, Urgency
from broker.rules.standing import Channels

DEFAULT_ROUTE = "default"
WITHIN = {Urgency.URGENT: timedelta(seconds=60), Urgency.ROUTINE: timedelta(minutes=5)}
STAND_IN_AFTER = {Urgency.URGENT: timedelta(seconds=5), Urgency.ROUTINE: timedelta(seconds=15)}
USUAL_OPERATORS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A named plan; what is None depends on the urgency or on the channels."""

    name: str
    post_to: tuple[str, ...]
    stand_ins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reserve: tuple[str, ...] = ()
    operators: int | None = None
    """Outside operators of the goal; None: two, or as many as there are."""
    domestic: int | None = None
    """Domestic ones among them; None: one, if there is any."""
    within: timedelta | None = None
    stand_in_after: timedelta | None = None
    start_by: timedelta = timedelta(minutes=10)
    late_copies: timedelta | None = timedelta(hours=3)
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.STAND_IN

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels of the route, each once, in order of writing."""
        stand_ins = (name for names in self.stand_ins.values() for name in names)
        return tuple(dict.fromkeys((*self.post_to, *stand_ins, *self.reserve)))

    def plan(self, urgency: Urgency, channels: Channels) -> RoutePlan:
        """The route for one announcement."""
        operators, domestic = countable(self, channels)
        usual = max(min(USUAL_OPERATORS, len(operators)), self.domestic or 0)
        wanted = usual if self.operators is None else self.operators
        wanted_domestic = min(1, len(domestic), wanted) if self.domestic is None else self.domestic
        return RoutePlan(
            name=self.name,
            post_to=self.post_to,
            stand_ins=self.stand_ins,
            reserve=self.reserve,
            goal=Goal(wanted, wanted_domestic, self.within or WITHIN[urgency]),
            stand_in_after=STAND_IN_AFTER[urgency] if self.stand_in_after is None else self.stand_in_after,
            start_by=self.start_by,
            late_copies=self.late_copies,
            on_unconfirmed=self.on_unconfirmed,
        )


def default_route(channels: Channels) -> Route:
    """Every channel but those that ring phones or cost money, which are the reserve."""
    sparing = {name for name, channel in channels.items() if channel.profile.push or channel.profile.cost}
    return Route(
        name=DEFAULT_ROUTE,
        post_to=tuple(name for name in channels if name not in sparing),
        reserve=tuple(name for name in channels if name in sparing),
    )


def countable(route: Route, channels: Channels) -> tuple[set[str], set[str]]:
    """Outside operators the route could show readers at home, and the domestic ones among them."""
    counting = [channels[name] for name in route.channels if name in channels and channels[name].counts]
    return {channel.operator for channel in counting}, {channel.operator for channel in counting if channel.domestic}


def problems(route: Route, channels: Channels, alerts: Collection[str]) -> Iterator[tuple[str, str]]:
    """What cannot work about the route: the key under the route, and a sentence that says what to do."""
    if not route.post_to:
        yield "post_to", "is empty: name at least one channel"
    for key, names in _named(route):
        for name in names:
            if name in alerts:
                yield key, f"`{name}` is one of the agency's alerts channels, which are never used for posts"
            elif name not in channels:
                yield key, f"there is no channel `{name}`{meant(name, channels.keys() - alerts)}"
    yield from _contradictions(route)
    yield from _too_late(route)
    yield from _out_of_reach(route, channels)


def meant(name: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown name: the one that was probably meant, or all there are."""
    if close := get_close_matches(name, known, n=1):
        return f"; did you mean `{close[0]}`?"
    return f"; there are: {', '.join(sorted(known))}" if known else ""


def _named(route: Route) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "post_to", route.post_to
    for served, stand_ins in route.stand_ins.items():
        yield f"stand_ins.{served}", stand_ins
    yield "reserve", route.reserve


def _contradictions(route: Route) -> Iterator[tuple[str, str]]:
    for key, names in _named(route):
        for name in (name for name, times in Counter(names).items() if times > 1):
            yield key, f"`{name}` is named twice"
    for served, stand_ins in route.stand_ins.items():
        if served not in route.post_to:
            yield f"stand_ins.{served}", f"`{served}` is not in post_to, so nothing needs to stand in for it"
        if served in stand_ins:
            yield f"stand_ins.{served}", f"`{served}` cannot stand in for itself"
    for name in route.reserve:
        if name in replace(route, reserve=()).channels:
            yield "reserve", f"`{name}` is in post_to or stand_ins already: name it in one place"


def _too_late(route: Route) -> Iterator[tuple[str, str]]:
    """For the goal stand-ins and reserve are started at half of its time: never, if that is too late for any."""
    within = route.within or max(WITHIN.values())
    if (route.stand_ins or route.reserve) and within / 2 >= route.start_by:
        unwritten = "" if route.within else " (where it is not written: 5 minutes, if urgent 1)"
        never = "is over before half of goal.within is, when stand-ins and reserve are started for the goal"
        yield "start_by", f"{never}: make it longer than that half, or goal.within{unwritten} shorter"


def _out_of_reach(route: Route, channels: Channels) -> Iterator[tuple[str, str]]:
    operators, domestic = countable(route, channels)
    listed = f" ({', '.join(sorted(operators))})" if operators else ""
    wanted, wanted_domestic = route.operators or 0, route.domestic or 0
    if wanted > len(operators):
        have = f"on this route readers at home can open {len(operators)} of them{listed}"
        yield "goal.operators", f"{wanted} cannot be met: {have}; add a channel of another operator, or lower the goal"
    if wanted_domestic > len(domestic):
        have = f"of this route's outside operators{listed} {len(domestic) or 'none'} is domestic"
        yield "goal.domestic", f"{wanted_domestic} cannot be met: {have}; add a domestic channel, or lower the goal"
    if route.operators is not None and wanted_domestic > wanted:
        yield "goal.domestic", f"{wanted_domestic} is more than goal.operators ({wanted}), of which they are a part"
