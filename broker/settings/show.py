"""The effective configuration for people: defaults filled in, secrets masked."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import asdict
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from broker.look import Look
from broker.model import Urgency
from broker.rules.agency import Agency
from broker.rules.routes import Route
from broker.settings.resolve import Configuration

MASK = "••••••"


def shown(configuration: Configuration) -> dict[str, Any]:
    """Everything that is in force, JSON-ready; what nobody set and has no default is left out."""
    return {
        "file": str(configuration.path),
        "server": plain(configuration.server),
        "store": plain(configuration.store),
        "agencies": {key: _agency(agency) for key, agency in configuration.agencies.items()},
    }


def _agency(agency: Agency) -> dict[str, Any]:
    said = ("name", "prefix", "country", "language", "alerts", "witnesses")
    keys = [{"name": key.name, "scopes": plain(key.scopes)} for key in agency.keys]
    return {
        "agency": {name: plain(getattr(agency, name)) for name in said}
        | {"time_zone": agency.zone.key, "keys": keys}
        | _look(agency.look),
        "media": {name: plain(value) for name, value in asdict(agency.media).items() if value is not None},
        "channels": {name: {"adapter": name} | plain(one.settings) for name, one in agency.channels.items()},
        "routes": {name: _route(agency, route) for name, route in agency.routes.items()},
    }


def _look(look: Look) -> dict[str, Any]:
    said = look.written()
    logo = {"logo": said.pop("logo")} if look.logo else {}
    return {"colours": said, **logo}


def _route(agency: Agency, route: Route) -> dict[str, Any]:
    """As planned for routine announcements, with what differs for urgent ones beside it."""
    routine: dict[str, Any]
    routine, urgent = (
        plain(asdict(route.plan(urgency, agency.posting))) for urgency in (Urgency.ROUTINE, Urgency.URGENT)
    )
    return routine | {"urgent": {key: value for key, value in urgent.items() if value != routine[key]}}


def plain(value: object) -> Any:
    """A settings value as JSON, secrets masked, times as they are written in the file."""
    match value:
        case None | bool() | int() | float():
            return value
        case SecretStr() | SecretBytes():
            return MASK
        case timedelta():
            return written(value)
        case Enum():
            return value.value
        case BaseModel():
            return {name: plain(item) for name, item in value if item not in (None, "")}
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case Set():
            return sorted(plain(item) for item in value)
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return str(value)


def written(time: timedelta) -> str:
    """`15s`, `10m`, `3h`, `500ms`: the largest unit that needs no fraction."""
    for unit, name in ((timedelta(hours=1), "h"), (timedelta(minutes=1), "m"), (timedelta(seconds=1), "s")):
        if time and not time % unit:
            return f"{time // unit}{name}"
    return f"{time / timedelta(milliseconds=1):g}ms" if time else "0s"
