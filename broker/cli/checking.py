"""What a configuration does and where it is weak, in words; and every setting that is in force."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Group, RenderableType
from rich.text import Text

from broker.cli.exits import Exit
from broker.cli.show import console, print_json, table
from broker.model import Goal, OnUnconfirmed, RoutePlan, Urgency
from broker.rules.agency import Agency, ConfiguredChannel
from broker.rules.catalogue import NAMES
from broker.rules.health import Scope
from broker.rules.routes import Route, countable
from broker.rules.weak_points import WeakPoint, weak_points
from broker.settings import Configuration, load, load_adapters, shown

DAY = timedelta(days=1)
LEFT_FROM_THE_EXAMPLE = "replace-with-"
UNCONFIRMED = {
    OnUnconfirmed.STAND_IN: "a stand-in carries it",
    OnUnconfirmed.REPEAT: "it is sent once more",
    OnUnconfirmed.WAIT: "it is waited for",
}


def check_configured(config: Path | None, as_json: bool) -> int:
    """`loa check`."""
    configuration = load(config, os.environ, load_adapters())
    findings = {key: finding(agency) for key, agency in configuration.agencies.items()}
    ok = not any(point["silent"] for f in findings.values() for r in f["routes"].values() for point in r["weak_points"])
    if as_json:
        print_json({"ok": ok, "file": str(configuration.path), "agencies": findings})
    else:
        console().print(_page(configuration, findings, ok))
    return Exit.OK if ok else Exit.NOT_REACHED


def show_configured(config: Path | None, as_json: bool) -> int:
    """`loa config show`."""
    configuration = load(config, os.environ, load_adapters())
    if as_json:
        print_json(shown(configuration))
    else:
        print("\n".join(_written(shown(configuration), ())))
    return Exit.OK


def _written(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """One setting a line, by its whole path."""
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from _written(inner, (*path, key))
        case _:
            yield f"{'.'.join(path)} = {value!r}"


# findings


def finding(agency: Agency) -> dict[str, Any]:
    """Everything `check` says of one agency."""
    return {
        "name": agency.name,
        "channels": {name: _channel(name, one, agency) for name, one in agency.channels.items()},
        "routes": {name: _route(route, agency) for name, route in agency.routes.items()},
        "probe_calls_a_day": sum(_calls_a_day(one) for one in agency.channels.values()),
        "warnings": list(_warnings(agency)),
    }


def _channel(name: str, one: ConfiguredChannel, agency: Agency) -> dict[str, Any]:
    profile = one.channel.profile
    return {
        "operator": profile.operator,
        "domestic": one.channel.domestic,
        "counts": one.channel.counts and name not in agency.alerts,
        "path": profile.path.value,
        "probe_calls_a_day": _calls_a_day(one),
        "cost": profile.cost,
    }


def _calls_a_day(one: ConfiguredChannel) -> int:
    every = one.channel.profile.probe_every
    return round(DAY / every) if every else 0


def _route(route: Route, agency: Agency) -> dict[str, Any]:
    routine, urgent = (route.plan(urgency, agency.posting) for urgency in (Urgency.ROUTINE, Urgency.URGENT))
    points = list(weak_points(route, urgent.goal, agency.posting))
    return {
        "says": list(_said(route, routine, urgent, agency)),
        "weak_points": [_point(p, urgent.goal) for p in points],
    }


def _point(point: WeakPoint, goal: Goal) -> dict[str, Any]:
    if point.silent:
        effect = "nothing is left that readers at home can open, but the own site"
    else:
        effect = f"the goal ({goal_in_words(goal)}) is out of reach"
    what = name_of(point.name) if point.scope is Scope.PATH else f"the {point.scope.value} {name_of(point.name)}"
    told = f"without {what} ({listed(point.channels)}): {effect}"
    names = {"scope": point.scope.value, "name": point.name, "channels": list(point.channels)}
    return {**names, "silent": point.silent, "says": told}


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


def _warnings(agency: Agency) -> Iterator[str]:
    if not agency.keys:
        yield "Nobody can announce over HTTP: [agency] keys is empty; `loa key new` makes a key."
    if not agency.alerts:
        yield "Nobody is called when something is wrong: name channels of people in [agency] alerts."
    elif len(agency.alerts) == 1:
        yield f"Alerts have one way only ({agency.alerts[0]}): add one that shares no operator, host or path with it."
    for name, one in agency.channels.items():
        for key, value in one.settings:
            if isinstance(value, SecretStr) and LEFT_FROM_THE_EXAMPLE in value.get_secret_value():
                yield f"channels.{name}.{key} is still the example's: put your own there."


# words


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


# the page


def _page(configuration: Configuration, findings: dict[str, dict[str, Any]], ok: bool) -> RenderableType:
    parts = [part for found in findings.values() for part in _agency_page(found)]
    verdict = (
        Text("This configuration can work.", "green") if ok else Text("One failure can silence the agency.", "red")
    )
    return Group(Text(f"{configuration.path} is read without problems.\n"), *parts, verdict)


def _agency_page(found: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text(found["name"], "bold")
    yield _channels_table(found["channels"])
    for name, route in found["routes"].items():
        yield Text(f"\nRoute {name}", "bold")
        for sentence in route["says"]:
            yield _bullet(sentence)
        for point in route["weak_points"]:
            yield _bullet(f"Single point of failure: {point['says']}.", "red" if point["silent"] else "yellow")
        if not route["weak_points"]:
            yield _bullet("No single operator, path, login or host can keep it from its goal.", "green")
    yield Text("")
    for warning in found["warnings"]:
        yield _bullet(warning, "yellow")
    yield _bullet(f"Probes: {found['probe_calls_a_day']:,} calls a day, {_money(found['channels'])}.")
    yield Text("")


def _bullet(text: str, style: str = "") -> RenderableType:
    grid = table().grid(padding=(0, 1))
    grid.add_row(" •", Text(text, style))
    return grid


def _channels_table(found: dict[str, dict[str, Any]]) -> RenderableType:
    rows = table("channel", "operator", "counts", "path", "probes a day", "cost")
    for name, c in found.items():
        counts = "domestic" if c["counts"] and c["domestic"] else "yes" if c["counts"] else "–"
        rows.add_row(name, c["operator"], counts, c["path"], f"{c['probe_calls_a_day']:,}", c["cost"] or "–")
    return rows


def _money(channels: dict[str, dict[str, Any]]) -> str:
    """No adapter's probe costs money; what an announcement costs is said by channel."""
    costly = [f"{name} costs {c['cost']} an announcement" for name, c in channels.items() if c["cost"]]
    return f"free of charge; {listed(costly)}" if costly else "free of charge, as are announcements"
