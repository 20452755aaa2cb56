"""What the demo shows: the announcements as their events tell, the channels, and the news worth a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any, Protocol

from broker.cli.demo.story import PHASES, STRICKEN, Phase
from broker.cli.demo.verdict import Sent
from broker.cli.show import said

LATE_AFTER = 3.0
"""Seconds from which a copy is worth being called late."""
TOLD = frozenset({"goal_missed", "unconfirmed", "failed", "expired", "removed"})


class Weight(Enum):
    """How much a line matters where there is a table beside it."""

    CHAPTER = auto()
    """A new phase; the table's head says it too."""
    NEWS = auto()
    DETAIL = auto()
    """The table shows it as well."""


class Tell(Protocol):
    def __call__(self, line: str, weight: Weight = Weight.NEWS) -> None: ...


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

    def after(self, at: str) -> float:
        """Seconds from its acceptance."""
        return (datetime.fromisoformat(at) - self.accepted_at).total_seconds()


@dataclass(slots=True)
class Scene:
    """Changed by the director, read by the screen."""

    tell: Tell
    names: tuple[str, ...]
    """The route's channels."""
    phase: Phase = PHASES[0]
    rows: list[Row] = field(default_factory=list)
    health: dict[str, str] = field(default_factory=dict)
    broker_is_up: bool = True
    told: set[str] = field(default_factory=set)
    """News of channels that would only be repeated: several of them fail together."""

    def begin(self, phase: Phase) -> None:
        self.phase = phase
        self.tell(f"— {phase.title}. {phase.tells}", Weight.CHAPTER)

    def accept(self, sent: Sent, report: Mapping[str, Any]) -> Row:
        deliveries = report["deliveries"]
        roles = {d["channel"]: d["role"] for d in deliveries}
        states = {d["channel"]: d["state"] for d in deliveries}
        row = Row(sent, roles, states, datetime.fromisoformat(report["accepted_at"]))
        self.rows.append(row)
        self.tell(f"#{sent.number} is accepted: {sent.headline}", Weight.DETAIL)
        return row

    def take(self, row: Row, event: Mapping[str, Any]) -> None:
        """One event of one announcement."""
        row.seen = event["n"]
        if event["kind"] == "goal_met":
            row.to_goal = row.after(event["at"])
            self.tell(f"#{row.sent.number} is out: {said(event['reason']).lower()}", Weight.DETAIL)
        elif news := self._news(row, event):
            self.tell(f"#{row.sent.number} {news}")
        if event["channel"] is not None:
            row.states[event["channel"]] = event["kind"]

    def _news(self, row: Row, event: Mapping[str, Any]) -> str | None:
        channel, kind, reason = event["channel"], event["kind"], said(event["reason"])
        if channel is None:
            return reason if kind in TOLD else None
        match kind, row.states[channel]:
            case (("due" | "sending"), _) if row.roles[channel] != "post_to" and channel not in row.started:
                row.started.add(channel)
                return reason
            case ("checking", _) | ("live", "checking"):
                return f"{channel}: {reason}"
            case "live", _ if channel in STRICKEN and row.after(event["at"]) > LATE_AFTER:
                return f"{channel}: late copy, {row.after(event['at']):.0f} s after it was written"
            case _:
                return f"{channel}: {reason}" if kind in TOLD else None

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
        self.told = {*self.told, news} if state == "down" else {news}
