"""One agency as configured: its keys, its channels with their adapters, its routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from broker.contract import Adapter, ChannelSettings
from broker.errors import FieldProblem, InvalidInput
from broker.look import Look
from broker.model import RoutePlan, Urgency
from broker.rules.routes import DEFAULT_ROUTE, Route, meant
from broker.rules.standing import Channel, Channels


class Scope(StrEnum):
    """What an API key may do."""

    READ = "read"
    """Look at announcements, channels and events."""
    SEND = "send"
    """Announce, preview, withdraw."""
    OPERATE = "operate"
    """Settle what is unconfirmed; connect, probe, pause, resume and rehearse channels; decide after a restore."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key of an agency; only its digest is known."""

    name: str
    sha256: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredChannel:
    """One account on one platform, ready to be built: `adapter(settings, tools)`."""

    name: str
    adapter: type[Adapter]
    settings: ChannelSettings
    channel: Channel
    """What `plan` sees of it: key, profile, whether it is domestic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRules:
    """Where an agency's pictures and videos are kept, and what is taken in."""

    folder: Path | None = None
    """None: nowhere, so announcements carry none."""
    url: str | None = None
    """Public address of the folder; None: platforms cannot fetch."""
    image_bytes: int = 20_000_000
    image_pixels: int = 50_000_000
    video_bytes: int = 500_000_000
    keep_free_bytes: int = 500_000_000
    """Room on the disk that pictures and videos never take: announcements need it."""
    fetch_within: timedelta = timedelta(seconds=20)
    allow_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """One tenant."""

    key: str
    """`agency`, or the group's name; the first part of its channels' keys."""
    name: str
    prefix: str
    country: str
    zone: ZoneInfo
    language: str
    keys: tuple[ApiKey, ...]
    channels: Mapping[str, ConfiguredChannel]
    """Those for posts and those for alerts, in order of the configuration."""
    alerts: tuple[str, ...]
    witnesses: tuple[str, ...]
    routes: Mapping[str, Route]
    look: Look = field(default_factory=Look)
    """Of its headline cards."""
    media: MediaRules = field(default_factory=MediaRules)

    @property
    def posting(self) -> Channels:
        """The channels that may carry announcements, as `plan` sees them."""
        return {name: one.channel for name, one in self.channels.items() if name not in self.alerts}

    def route_plan(self, name: str | None, urgency: Urgency) -> RoutePlan:
        """The plan of this route (None: the default one). Raises `InvalidInput` for a route nobody configured."""
        if route := self.routes.get(name or DEFAULT_ROUTE):
            return route.plan(urgency, self.posting)
        problem = f"there is no route `{name or DEFAULT_ROUTE}`{meant(name or DEFAULT_ROUTE, self.routes.keys())}"
        raise InvalidInput(problem, FieldProblem("route", problem), code="unknown_route")
