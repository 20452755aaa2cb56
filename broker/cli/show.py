"""How announcements, channels and previews look on a terminal. Sentences come from the API in both languages."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from broker.clock import SystemClock

NARROWEST = 60
LOOK: Mapping[str, tuple[str, str]] = {
    "standby": ("·", "dim"),
    "due": ("○", "yellow"),
    "sending": ("◐", "cyan"),
    "pending": ("◔", "cyan"),
    "checking": ("?", "yellow"),
    "live": ("●", "green"),
    "unconfirmed": ("?", "magenta"),
    "removed": ("✗", "red"),
    "failed": ("✗", "red"),
    "expired": ("✗", "red"),
    "skipped": ("–", "dim"),
    "withdrawn": ("–", "dim"),
    "up": ("●", "green"),
    "down": ("✗", "red"),
    "half_open": ("◐", "yellow"),
    "paused": ("‖", "yellow"),
    "reached": ("●", "green"),
    "open": ("◐", "cyan"),
    "scheduled": ("○", "cyan"),
    "partly": ("◑", "yellow"),
    "nowhere": ("✗", "red"),
}
"""Glyph and colour of every state and status: the glyph alone says enough where there are no colours."""


def prepare_output() -> None:
    """A closed stream, or one whose alphabet lacks our letters, must not end a command half-way."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=_is_narrow(), indent=2, default=str))


def print_line(value: object) -> None:
    """JSON in one line, at once: another process waits for it."""
    print(json.dumps(value, ensure_ascii=_is_narrow(), default=str), flush=True)


def _is_narrow() -> bool:
    """stdout takes only some letters: JSON escapes the others."""
    return not sys.stdout.encoding.lower().startswith("utf")


def quoted(text: str) -> str:
    """As TOML writes it."""
    return json.dumps(text, ensure_ascii=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Left to `run`, as any other print; rich would end the process with 1."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads")


def console() -> Console:
    """Wide enough that no reference is cut, also where nobody knows the width (0)."""
    made = _Console(highlight=False)
    made.width = max(made.width, NARROWEST)
    return made


def language() -> str:
    """Vietnamese where the environment speaks it, else English."""
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "vi" if (next(filter(None, named), "")).startswith("vi") else "en"


def said(sentence: Mapping[str, str] | None) -> str:
    return sentence[language()] if sentence else ""


def clock_time(at: str | None) -> str:
    """HH:MM:SS on this machine's clock; of another day its date and HH:MM."""
    if not at:
        return ""
    local, now = datetime.fromisoformat(at).astimezone(), SystemClock().now().astimezone()
    return local.strftime("%H:%M:%S" if local.date() == now.date() else "%d.%m.%Y %H:%M")


def long_time(time: timedelta) -> str:
    """`52 days`, `3 h`, `5 min`: rounded down, for people."""
    for unit, one, many in ((timedelta(days=1), " day", " days"), (timedelta(hours=1), " h", " h")):
        if time >= unit:
            count = time // unit
            return f"{count}{one if count == 1 else many}"
    return f"{max(time, timedelta(0)) // timedelta(minutes=1)} min"


def posting(report: Mapping[str, Any], now: datetime) -> str:
    """What is known of a channel's ability to post, from the last write that readers could not see."""
    if report["proved_at"] is None:
        return ""
    since = now - datetime.fromisoformat(report["proved_at"])
    ago = "just now" if since < timedelta(minutes=1) else f"{long_time(since)} ago"
    return f"posting proved {ago}" if report["proved"] else f"posting failed {ago}: {report['proof_detail']}"


def look(state: str, text: str | None = None) -> Text:
    glyph, style = LOOK.get(state, ("?", ""))
    return Text(f"{glyph} {state.replace('_', ' ') if text is None else text}", style)


def glyph(state: str) -> Text:
    return Text(*LOOK.get(state, ("?", "")))


def table(*columns: str) -> Table:
    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for name in columns:
        made.add_column(name, no_wrap=name not in ("why", "headline", "on", "what happens"))
    return made


def goal_told(report: Mapping[str, Any]) -> str:
    """Goal and what has come of it, in one line."""
    goal = report["goal"]
    wanted = f"{goal['operators']} outside operator{'s' if goal['operators'] > 1 else ''}"
    if goal["domestic"]:
        wanted += f", {goal['domestic']} of them domestic"
    if goal["met_at"]:
        return f"Goal ({wanted}): met after {seconds_to_goal(report):.1f} s."
    have = ", ".join(goal["have"]["operators"]) or "none"
    return f"Goal ({wanted}) by {clock_time(goal['by'])}: so far {have}."


def seconds_to_goal(report: Mapping[str, Any]) -> float | None:
    met_at = report["goal"]["met_at"]
    if met_at is None:
        return None
    since = report.get("send_at") or report["accepted_at"]
    return (datetime.fromisoformat(met_at) - datetime.fromisoformat(since)).total_seconds()


def announcement(report: Mapping[str, Any], since: Mapping[str, str] | None = None) -> RenderableType:
    """One announcement with its deliveries; `since`: when each channel came to its state."""
    head = Text.assemble((report["reference"], "bold"), "  ", look(report["status"]), f"  {report['route']}", "  ")
    head.append(f"accepted {clock_time(report['accepted_at'])}", "dim")
    rows = table("channel", "state", "since", "why")
    for d in report["deliveries"]:
        at = (since or {}).get(d["channel"]) or d["live_at"]
        rows.add_row(d["channel"], look(d["state"]), clock_time(at), Text(_why(d)))
    lines = [Text(report["headline"]), Text(said(report["summary"])), Text(goal_told(report), "dim")]
    return Group(head, *lines, "", rows)


def _why(delivery: Mapping[str, Any]) -> str:
    parked = delivery["state"] == "due" and delivery["reason"]  # its reason says what is next
    parts = [said(delivery["reason"]), "" if parked else said(delivery["next"]), delivery["url"] or ""]
    return " · ".join(filter(None, parts))


def announcements(reports: Iterable[Mapping[str, Any]]) -> RenderableType:
    rows = table("reference", "status", "goal", "headline", "on")
    for r in reports:
        took = seconds_to_goal(r)
        on = ", ".join(d["channel"] for d in r["deliveries"] if d["state"] == "live")
        rows.add_row(
            r["reference"], look(r["status"]), "" if took is None else f"{took:.1f} s", Text(r["headline"]), on
        )
    return rows


def channels(reports: Iterable[Mapping[str, Any]]) -> RenderableType:
    rows, now = table("channel", "operator", "state", "since", "waiting", "why"), SystemClock().now()
    for r in reports:
        home = " (domestic)" if r["domestic"] else ""
        waiting = str(r["waiting"] or "")
        since = clock_time(r["since"])
        why = "; ".join(filter(None, [said(r["reason"]), posting(r, now)]))
        rows.add_row(r["name"], f"{r['operator']}{home}", look(r["state"]), since, waiting, Text(why))
    return rows


def previews(reports: Iterable[Mapping[str, Any]]) -> RenderableType:
    return Group(*(line for r in reports for line in _preview(r)))


def _preview(r: Mapping[str, Any]) -> list[RenderableType]:
    counted = f"{r['length']} of {r['limit']}" if r["limit"] else f"{r['length']}"
    unit = (r["unit"] or "").replace("_", " ")
    head = Text.assemble((r["channel"], "bold"), (f"  {r['role'].replace('_', ' ')}  {counted} {unit}", "dim"))
    notes = [
        r.get("problem") and f"cannot be posted: {r['problem']}",
        r.get("skipped") and said(r["skipped"]),
        *(f"{m['kind']}: {m['url'] or m['name']}{' – ' + m['alt'] if m['alt'] else ''}" for m in r.get("media", [])),
        r.get("quota_total") and f"{r['quota_used']} of {r['quota_total']} posts of 24 hours are used",
        r.get("cut"),
        r.get("cost") and f"costs {r['cost']}",
    ]
    marks = [Text(f"  {note}", "yellow") for note in notes if note]
    body = Text("\n".join(f"  {line}" for line in r["text"].splitlines()))
    return [head, *marks, body, Text()]


def whisper(text: str) -> None:
    """For people who watch: on stderr, so that programs read stdout undisturbed. That nobody watches stops nothing."""
    with suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)
