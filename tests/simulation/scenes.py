"""Small worlds written by hand: what the simulation once found, as a story of a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from broker.contract import Path, Profile, Step
from broker.model import Urgency, Verb
from broker.rules.routes import Route
from broker.values import replace
from tests.simulation.platforms import Nature, Spell
from tests.simulation.worlds import COUNTRY, OPERATORS, STEPS, ChannelSpec, Kind, Strike, Submission, World

NATURES: Mapping[Kind, Nature] = {
    Kind.KEYED: Nature(keeps_keys_s=86400),
    Kind.MODERATED: Nature(moderation_s=10),
    Kind.SITE: Nature(keeps_keys_s=30 * 86400),
}


def channel(
    name: str, kind: Kind, *spells: Spell, operator: str = "", nature: Mapping[str, Any] | None = None, **profile: Any
) -> ChannelSpec:
    """One channel that can everything its kind allows; its operator is its own unless said."""
    of_kind = replace(NATURES.get(kind, Nature()), **(nature or {}))
    can = {Verb.PROBE, Verb.DELETE} | ({Verb.FIND} if kind is not Kind.NOTHING else set())
    country = OPERATORS.get(operator or name, COUNTRY)
    fields: dict[str, Any] = {
        "adapter": name,
        "operator": operator or name,
        "country": country,
        "steps": tuple(Step(f"step{i}", c) for i, c in enumerate(STEPS[kind])),
        "hosts": (f"{name}.example",),
        "path": Path.OWN if kind is Kind.SITE else Path.DOMESTIC if country == COUNTRY else Path.INTERNATIONAL,
        "own": kind is Kind.SITE,
        "abilities": frozenset(can | ({Verb.CONFIRM} if kind is Kind.MODERATED else set())),
        "settle_for": timedelta(seconds=90),
        "key_lifetime": timedelta(seconds=of_kind.keeps_keys_s),
    }
    return ChannelSpec(name=name, kind=kind, profile=Profile(**(fields | profile)), nature=of_kind, spells=spells)


def news(number: int = 0, at: float = 30.0, **changes: Any) -> Submission:
    """One announcement that nobody changes his mind about, unless `changes` says so."""
    fields: dict[str, Any] = {
        "number": number, "at": at, "route": "default", "urgency": Urgency.URGENT, "key": f"key-{number}",
        "expires_after": None, "send_after": None, "replaces": None, "withdrawn_after": None,
    }  # fmt: skip
    return Submission(**(fields | changes))


def scene(
    channels: Sequence[ChannelSpec], *submissions: Submission, strikes: Sequence[Strike] = (), **route: Any
) -> World:
    """A world with one route, to all its channels unless `route` says otherwise, and a fast disk."""
    fields: dict[str, Any] = {"name": "default", "post_to": tuple(c.name for c in channels)}
    return World(
        seed=0,
        channels=tuple(channels),
        routes={"default": Route(**(fields | route))},
        submissions=submissions or (news(),),
        strikes=tuple(strikes),
        disk_s=0.002,
        disk_spikes_s=0,
        clock_jumps=(0.0,),
    )
