"""What the demo shows: the announcements as their events tell, the channels, and the news worth a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.cli.demo.story import PHASES, Phase
from broker.cli.demo.verdict import Sent
from broker.cli.show import said

LATE_AFTER = 3.0
"""Seconds from which a copy is worth being called late."""
TOLD = frozenset({"goal_missed", "unconfirmed", "failed", "expired", "removed"})


@dataclass(slots=True)
class Row:
    """One announcement."""

    sent: Sent
    roles: Mapping[str, str]
    states: dict[str, str]
    accepted_at: datetime
    started: set[str] = field(default_factory=set)
    """Stand-ins and reserves that were told of."""
    to_goal: float | None = None
    seen: int = 0
    """Number of the last event taken in."""


@dataclass(slots=True)
class Scene:
    """Changed by the director, read by the screen."""

    tell: Callable[[str], None]
    """Takes each line of news."""
    names: tuple[str, ...]
    phase: Phase = PHASES[0]
    rows: list[Row] = field(default_factory=list)
    health: dict[str, str] = field(default_factory=dict)
    broker_is_up: bool = True
    told: set[str] = field(default_factory=set)
    """News of channels that would only be repeated: several of them fail together."""

    def accept(self, sent: Sent, report: Mapping[str, Any]) -> Row:
        deliveries = report["deliveries"]
        row = Row(
            sent,
            {d["channel"]: d["role"] for d in deliveries},
            {d["channel"]: d["state"] for d in deliveries},
            datetime.fromisoformat(report["accepted_at"]),
        )
        self.rows.append(row)
        self.tell(f"#{sent.number} is accepted: {sent.headline}")
        return row

    def take(self, row: Row, event: Mapping[str, Any]) -> None:
        """One event of one announcement."""
        row.seen = event["n"]
        after = (datetime.fromisoformat(event["at"]) - row.accepted_at).total_seconds()
        if event["kind"] == "goal_met":
            row.to_goal = after
        if (channel := event["channel"]) is not None:
            news = self._news(row, channel, event, after)
            row.states[channel] = event["kind"]
        else:
            news = said(event["reason"]) if event["kind"] in ("goal_met", "goal_missed") else None
        if news:
            self.tell(f"#{row.sent.number} {news}")

    def _news(self, row: Row, channel: str, event: Mapping[str, Any], after: float) -> str | None:
        kind, reason = event["kind"], said(event["reason"])
        match kind:
            case "due" | "sending" if row.roles[channel] != "post_to" and channel not in row.started:
                row.started.add(channel)
                return reason
            case "live" if row.roles[channel] == "post_to" and after > LATE_AFTER:
                return f"{channel}: late copy after {after:.0f} s"
            case _ if kind in TOLD:
                return f"{channel}: {reason}"
            case _:
                return None

    def look(self, channels: list[dict[str, Any]]) -> None:
        """Takes in how the channels are."""
        for one in channels:
            name, state = one["name"], "down" if one["state"] == "half_open" else one["state"]
            before = self.health.get(name)
            self.health[name] = state
            if before not in (None, state) and name in self.names:
                self._changed(name, state, said(one["reason"]))

    def _changed(self, name: str, state: str, reason: str) -> None:
        news = reason if state == "down" else f"{name} is {state} again"
        if news not in self.told:
            self.tell(news)
        self.told = {news} if state != "down" else {*self.told, news}
