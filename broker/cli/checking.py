"""`loa check`, `loa config show`: what a configuration does and where it is weak; every setting that is in force."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from broker.cli.client import Client, read_key
from broker.cli.exits import Exit
from broker.cli.findings import account_in_words, finding, listed, name_of
from broker.cli.show import console, long_time, posting, print_json, table
from broker.clock import Clock, SystemClock
from broker.errors import ConfigError, RequestError
from broker.settings import Configuration, load, load_adapters, shown


def check_configured(
    config: Path | None, as_json: bool, online: bool = False, server: str = "", key_file: Path | None = None
) -> int:
    """`loa check`; `online` also asks the running server, and through it the platforms."""
    configuration = load(config, os.environ, load_adapters())
    live = asyncio.run(_ask(server, key_file, SystemClock())) if online else None
    if live is not None and len(configuration.agencies) > 1:
        raise ConfigError(["check --online: a key belongs to one agency, and this configuration has several"])
    findings = {key: finding(agency, live) for key, agency in configuration.agencies.items()}
    if live is not None:
        for found in findings.values():
            found["warnings"] += _strangers(found, live)
    ok = all(found["ok"] for found in findings.values())
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


# asking the running server


async def _ask(server: str, key_file: Path | None, clock: Clock) -> dict[str, dict[str, Any]]:
    """Every channel as the server knows it, with what its platform says of the account now."""
    async with Client(server, read_key(key_file, os.environ)) as client:
        channels = {one["name"]: one for one in await client.channels()}
        accounts = await asyncio.gather(*(_account(client, name, clock) for name in channels))
    told = zip(channels.items(), accounts, strict=True)
    return {
        name: {**one, "posting": posting(one, clock.now()), "account_now": account} for (name, one), account in told
    }


async def _account(client: Client, name: str, clock: Clock) -> dict[str, Any] | None:
    """None for a channel without an account to ask about."""
    try:
        account = await client.account(name)
    except RequestError as error:
        if error.code == "not_offered":
            return None
        raise
    ends_at = account["token_ends_at"]
    left = datetime.fromisoformat(ends_at) - clock.now() if ends_at else None
    return {**account, "token_ends_in": long_time(left) if left is not None else None}


def _strangers(found: dict[str, Any], live: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Channels that only the file or only the server knows."""
    if missing := sorted(found["channels"].keys() ^ live.keys()):
        yield f"The server runs another configuration ({listed(missing)} differ): restart `loa serve`."


# the page


def _page(configuration: Configuration, findings: dict[str, dict[str, Any]], ok: bool) -> RenderableType:
    parts = [part for found in findings.values() for part in _agency_page(found)]
    head = Text(f"{configuration.path} is read without problems.\n")
    return Group(head, *parts, _verdict(ok, any(found["left_over"] for found in findings.values())))


def _verdict(ok: bool, left_over: bool) -> Text:
    if not ok:
        return Text("One failure can silence the agency.", "red")
    if left_over:
        return Text("This configuration can work once your own values are in it.", "yellow")
    return Text("This configuration can work.", "green")


def _agency_page(found: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text(found["name"], "bold")
    yield _channels_table(found["channels"])
    yield from _accounts(found)
    for name, route in found["routes"].items():
        yield Text(f"\nRoute {name}", "bold")
        yield from _route(route)
    yield Text("")
    for warning in found["warnings"]:
        yield _bullet(warning, "yellow")
    for key in found["left_over"]:
        yield _bullet(f"{key} is still the example's: put your own there.", "yellow")
    yield _bullet(f"Probes: {found['probe_calls_a_day']:,} calls a day, {_money(found['channels'])}.")
    yield Text("")


def _accounts(found: dict[str, Any]) -> Iterator[RenderableType]:
    for name, channel in found["channels"].items():
        if live := channel.get("live"):
            style = "red" if name in found["broken"] else ""
            yield _bullet(f"{name}: {'; '.join(account_in_words(live)) or 'nothing to tell'}.", style)
    for name, why in found["broken"].items():
        yield _bullet(f"{name} can post nothing now: {why}.", "red")


def _route(route: dict[str, Any]) -> Iterator[RenderableType]:
    for sentence in route["says"]:
        yield _bullet(sentence)
    if route["mute"]:
        yield _bullet("Nothing it posts to now is open to readers at home, but the own site.", "red")
    for point in route["weak_points"]:
        yield _bullet(f"Single point of failure: {point['says']}.", "red" if point["silent"] else "yellow")
    if not route["weak_points"] and not route["mute"]:
        yield _bullet("No single operator, path, login or host can keep it from its goal.", "green")
    yield _failures_table(route["failures"])


def _bullet(text: str, style: str = "") -> RenderableType:
    grid = table().grid(padding=(0, 1))
    grid.add_row(" •", Text(text, style))
    return grid


def _failures_table(failures: list[dict[str, Any]]) -> RenderableType:
    rows = table("what happens", "fails with it", "goes on", "stands in", "goal")
    for column in rows.columns:
        column.no_wrap = False
    for one in failures:
        verdict = Text("holds", "green") if one["meets_goal"] else Text("out of reach", "yellow")
        cells = (_names(one[key]) for key in ("channels", "goes_on", "stands_in"))
        rows.add_row(Text(one["when"]), *cells, Text("silence", "red") if one["silent"] else verdict)
    return rows


def _names(channels: list[str]) -> Text:
    return Text(", ".join(map(name_of, channels)) or "–")


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
