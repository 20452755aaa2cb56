"""What `loa check` finds in a configuration, in words. Pure; what platforms say of accounts is handed in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from broker.cli.init import EXAMPLE_AGENCY
from broker.contract import Path
from broker.model import Goal, OnUnconfirmed, RoutePlan, Urgency
from broker.rules.agency import Agency, ConfiguredChannel
from broker.rules.catalogue import NAMES
from broker.rules.domains import Scope, needs_media_host
from broker.rules.episodes import same_fate
from broker.rules.routes import Route, countable
from broker.rules.standing import Channels
from broker.rules.weak_points import Failure, failures, is_mute

DAY = timedelta(days=1)
LEFT_FROM_THE_EXAMPLE = "replace-with-"
UNCONFIRMED = {
    OnUnconfirmed.STAND_IN: "a stand-in carries it",
    OnUnconfirmed.REPEAT: "it is sent once more",
    OnUnconfirmed.WAIT: "it is waited for",
}

Live = Mapping[str, Mapping[str, Any]]
"""By channel: what the running server says of it, and the platform of its account."""


def finding(agency: Agency, live: Live | None = None) -> dict[str, Any]:
    """Everything `check` says of one agency; channels that cannot post now, as far as `live` tells, do not count."""
    broken = {name: why for name, one in (live or {}).items() if (why := cannot_post(one))}
    able = {name: channel for name, channel in agency.posting.items() if name not in broken}
    routes = {name: _route(route, agency, able) for name, route in agency.routes.items()}
    return {
        "name": agency.name,
        "ok": not any(route["silent"] for route in routes.values()),
        "channels": {name: _channel(name, one, agency, live) for name, one in agency.channels.items()},
        "broken": broken,
        "routes": routes,
        "probe_calls_a_day": sum(_calls_a_day(one) for one in agency.channels.values()),
        "warnings": list(_warnings(agency)),
        "left_over": list(_left_over(agency)),
    }


def cannot_post(live: Mapping[str, Any]) -> str | None:
    """Why a channel could post nothing now; None when nothing is known to be in the way."""
    account = live.get("account_now") or {}
    if account and not account["works"]:
        return str(account["detail"] or "; ".join(account["lacks"]))
    if live["state"] != "up" and live["reason"]:
        return str(live["reason"]["en"])
    return f"the last rehearsal failed: {live['proof_detail']}" if live["proved"] is False else None


def _channel(name: str, one: ConfiguredChannel, agency: Agency, live: Live | None) -> dict[str, Any]:
    profile = one.channel.profile
    found = {
        "operator": profile.operator,
        "domestic": one.channel.domestic,
        "counts": one.channel.counts and name not in agency.alerts,
        "path": profile.path.value,
        "probe_calls_a_day": _calls_a_day(one),
        "cost": profile.cost,
    }
    return found if live is None else {**found, "live": dict(live[name]) if name in live else None}


def _calls_a_day(one: ConfiguredChannel) -> int:
    every = one.channel.profile.probe_every
    return round(DAY / every) if every else 0


# routes


def _route(route: Route, agency: Agency, able: Channels) -> dict[str, Any]:
    routine, urgent = (route.plan(urgency, agency.posting) for urgency in (Urgency.ROUTINE, Urgency.URGENT))
    told = [_failure(one, urgent.goal) for one in failures(route, urgent.goal, able)]
    mute = is_mute(route, able)
    return {
        "says": list(_said(route, routine, urgent, agency)),
        "silent": mute or any(one["silent"] for one in told),
        "mute": mute,
        "weak_points": [one for one in told if not one["meets_goal"]],
        "failures": told,
    }


def _failure(one: Failure, goal: Goal) -> dict[str, Any]:
    return {
        "scope": one.scope.value,
        "name": one.name,
        "channels": list(one.channels),
        "goes_on": list(one.goes_on),
        "stands_in": list(one.stands_in),
        "reserve": list(one.reserve),
        "operators": list(one.operators),
        "meets_goal": one.meets_goal,
        "silent": one.silent,
        "when": when(one.scope, one.name),
        "says": f"{when(one.scope, one.name)} ({listed(one.channels)}), {_outcome(one, goal)}",
    }


def when(scope: Scope, name: str) -> str:
    """`when Meta fails`, `when the path abroad is cut`."""
    match scope:
        case Scope.PATH:
            return f"when {name_of(name)} is cut"
        case Scope.LOGIN:
            return f"when the login {name} is shut out"
        case Scope.HOST:
            return f"when {name} does not answer"
        case _:
            return f"when {name_of(name)} fails"


def _outcome(one: Failure, goal: Goal) -> str:
    carried = [f"{listed(map(name_of, one.goes_on))} {_carry(one.goes_on)} it"] if one.goes_on else []
    if one.stands_in:
        carried.append(f"{listed(map(name_of, one.stands_in))} {_stand(one.stands_in)} in")
    if one.reserve:
        carried.append(f"{listed(map(name_of, one.reserve))} {'is' if len(one.reserve) == 1 else 'are'} in reserve")
    if one.silent:
        return "nothing is left that readers at home can open, but the own site"
    verdict = ": the goal holds" if one.meets_goal else f", but the goal ({goal_in_words(goal)}) is out of reach"
    return (", ".join(carried) or "nobody carries it at once") + verdict


def _carry(names: tuple[str, ...]) -> str:
    return "carries" if len(names) == 1 else "carry"


def _stand(names: tuple[str, ...]) -> str:
    return "stands" if len(names) == 1 else "stand"


def _said(route: Route, routine: RoutePlan, urgent: RoutePlan, agency: Agency) -> Iterator[str]:
    yield f"Every announcement goes to {listed(map(name_of, route.post_to))} at once."
    wait = _both(routine.stand_in_after, urgent.stand_in_after)
    for channel, stand_ins in route.stand_ins.items():
        chain = ", then ".join(map(name_of, stand_ins))
        yield f"When {name_of(channel)} fails, is known to be down or is not live after {wait}: {chain}."
    if route.reserve:
        half = _both(routine.goal.within / 2, urgent.goal.within / 2)
        yield f"In reserve, for when the goal is still at risk after {half}: {listed(map(name_of, route.reserve))}."
    operators, domestic = countable(route, agency.posting)
    within = _both(routine.goal.within, urgent.goal.within)
    yield f"Goal: {goal_in_words(urgent.goal)}, within {within}; {_counting(operators, domestic)}."
    late = f"a failed channel still gets its copy for {in_words(route.late_copies)}" if route.late_copies else None
    yield f"Afterwards: {late or 'no late copies are made'}; no stand-in starts after {in_words(route.start_by)}."
    yield f"When nobody can tell whether a post is public, {UNCONFIRMED[route.on_unconfirmed]}."


def _counting(operators: set[str], domestic: set[str]) -> str:
    if not operators:
        return "no channel of this route counts"
    marked = [f"{name_of(o)}{' (domestic)' if o in domestic else ''}" for o in sorted(operators)]
    return f"{listed(marked)} {'counts' if len(marked) == 1 else 'count'}"


# warnings


def _warnings(agency: Agency) -> Iterator[str]:
    if not agency.keys:
        yield "Nobody can announce over HTTP: [agency] keys is empty; `loa key new` makes a key."
    yield from _about_tokens(agency)
    yield from _about_paths(agency)
    yield from _about_media(agency)
    yield from _about_alerts(agency)


def _about_tokens(agency: Agency) -> Iterator[str]:
    holders: dict[str, str] = {}
    for name, one in agency.channels.items():
        token = getattr(one.settings, "refresh_token", None)
        if token is None or one.settings.token_of:
            continue
        holder = holders.setdefault(token.get_secret_value(), name)
        if holder != name:
            shut_out = f"{holder} and {name} have one refresh token, and whichever uses it first shuts the other out"
            yield f'{shut_out}: set token_of = "{holder}" for {name}.'


def _about_paths(agency: Agency) -> Iterator[str]:
    abroad = [name for name, c in agency.posting.items() if c.domestic and c.profile.path is Path.INTERNATIONAL]
    if abroad:
        said = "is domestic, and its servers are" if len(abroad) == 1 else "are domestic, and their servers are"
        advice = 'set path = "domestic" where they stand at home, so that a cut cable is not taken to cut them off'
        yield f"{listed(abroad)} {said} thought to stand abroad: {advice}."


def _about_media(agency: Agency) -> Iterator[str]:
    posting = {name: channel.profile for name, channel in agency.posting.items()}
    lost = [name for name, one in posting.items() if one.media.card and agency.media.folder is None]
    unseen = [name for name, one in posting.items() if needs_media_host(one) and agency.media.url is None]
    if names := list(dict.fromkeys([*lost, *unseen])):
        advice = "give the agency a site, or set [media] folder and url"
        yield f"No picture can be shown on {listed(map(name_of, names))}: there is no media folder for it; {advice}."


def _about_alerts(agency: Agency) -> Iterator[str]:
    ways = [(name, agency.channels[name].channel.profile) for name in agency.alerts]
    if not ways:
        yield "Nobody is called when something is wrong: name channels of people in [agency] alerts."
        return
    if len(ways) == 1:
        yield f"Alerts have one way only ({ways[0][0]}): add one that shares no operator, host or path with it."
    posting_through = {channel.operator for channel in agency.posting.values()}
    for scope, name in same_fate(ways):
        if (scope, name) == (Scope.PATH, Path.INTERNATIONAL.value):
            yield f"Every alert goes abroad ({listed(agency.alerts)}): when the path abroad is cut, nobody is told."
        elif scope is Scope.OPERATOR and name in posting_through:
            told = f"Every alert goes through {name_of(name)}, of whose failure it would have to tell"
            yield f"{told}: add a way by another operator."


def _left_over(agency: Agency) -> Iterator[str]:
    """Settings that are still the example's."""
    if agency.name == EXAMPLE_AGENCY:
        yield "agency.name"
    for name, one in agency.channels.items():
        for key, value in one.settings:
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            if isinstance(text, str) and (LEFT_FROM_THE_EXAMPLE in text or _is_example(text)):
                yield f"channels.{name}.{key}"


def _is_example(text: str) -> bool:
    """A name under `.example`, which belongs to nobody for good."""
    return re.search(r"\.example\b", text) is not None


# words


def account_in_words(live: Mapping[str, Any]) -> list[str]:
    """What a running server and the platform say of a channel, one thing each."""
    account = live.get("account_now") or {}
    parts = [str(account.get("account") or live.get("account") or ""), *account.get("lacks", ())]
    if account and not account["works"] and account["detail"]:
        parts.append(account["detail"])
    if account.get("rights"):
        parts.append(f"may: {', '.join(account['rights'])}")
    if account.get("mode"):
        parts.append(f"app in {account['mode']} mode")
    if ends_in := account.get("token_ends_in"):
        renewal = "Loa renews it" if account["token_renews"] else "connect it again before that"
        parts.append(f"token ends in {ends_in}: {renewal}")
    if account.get("quota_total"):
        parts.append(f"{account['quota_used']} of {account['quota_total']} posts in 24 h")
    return [part for part in [*parts, live.get("posting")] if part]


def goal_in_words(goal: Goal) -> str:
    operators = f"{goal.operators} outside operator{'s' if goal.operators != 1 else ''}"
    return f"{operators}, {goal.domestic} of them domestic" if goal.domestic else operators


def name_of(name: str) -> str:
    known = NAMES.get(name, name)
    return known if isinstance(known, str) else known[0]


def listed(names: Iterable[str]) -> str:
    *first, last = list(names) or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


def in_words(time: timedelta) -> str:
    """`15 s`, `10 min`, `3 h`."""
    for unit, name in ((timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if time > unit and not time % unit:
            return f"{time // unit} {name}"
    return f"{time.total_seconds():g} s"


def _both(routine: timedelta, urgent: timedelta) -> str:
    return in_words(routine) if routine == urgent else f"{in_words(routine)} ({in_words(urgent)} if urgent)"
