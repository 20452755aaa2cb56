"""From tables to agencies: adapters are found, their settings read by their own models, routes and goals checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from broker.contract import Adapter, ChannelSettings, Profile, Readers, Registry
from broker.engine.lease import LONGEST
from broker.look import Look
from broker.rules.agency import Agency, ApiKey, ConfiguredChannel, MediaRules
from broker.rules.routes import DEFAULT_ROUTE, Route, default_route, meant, problems
from broker.rules.standing import Channel, Channels
from broker.settings.adapters import profile_of
from broker.settings.problems import Problems
from broker.settings.sources import Location, Sections, Table, source
from broker.settings.tree import (
    AgencySection,
    Group,
    MediaSection,
    RouteSection,
    ServerSection,
    Settings,
    StoreSection,
)

MEDIA = "media"
"""Folder of pictures and videos within the site's."""
FLAT = "agency"
"""Key of the one agency of a flat configuration."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one process runs with; everything in it was checked."""

    path: Path
    server: ServerSection
    store: StoreSection
    agencies: Mapping[str, Agency]


@dataclass(frozen=True, slots=True)
class _Account:
    """One channel whose settings its adapter has accepted."""

    adapter: type[Adapter]
    settings: ChannelSettings
    profile: Profile


def load(path: Path | None, environment: Mapping[str, str], adapters: Registry) -> Configuration:
    """The configuration of `path` (else LOA_CONFIG, else loa.toml) with the variables over it.

    Raises `ConfigError` with all problems of keys and values; if there are none, with those of routes and goals.
    """
    read = source(path, environment)
    found = Problems(read)
    try:
        table = read.merged()
    except ValidationError as error:
        found.add_all(error, Settings)
        raise found.error() from None
    if "agencies" in table:
        return _checked(read.path, table, adapters, found)
    return _checked(read.path, _grouped(table), adapters, Problems(read, hidden=("agencies", FLAT)))


def _grouped(table: Table) -> Table:
    """A flat configuration as a group of one agency."""
    one = {key: table[key] for key in Group.model_fields if key in table}
    return {**{key: value for key, value in table.items() if key not in one}, "agencies": {FLAT: one}}


def _checked(path: Path, table: Table, adapters: Registry, found: Problems) -> Configuration:
    known = {key: value for key, value in table.items() if key in Settings.model_fields}
    for key in table.keys() - known.keys():
        if key in Group.model_fields:
            found.add((key,), "there are [agencies] too: write everything of an agency under [agencies.NAME]")
        else:
            found.add((key,), f"unknown key{meant(key, Sections.model_fields)}")
    accounts = {key: _accounts(key, group, adapters, found) for key, group in _tables(known["agencies"])}
    try:
        settings = Settings.model_validate(known)
    except ValidationError as error:
        found.add_all(error, Settings)
        raise found.error() from None
    if found.found:
        raise found.error()
    agencies = {key: _agency(key, group, accounts[key], found) for key, group in settings.agencies.items()}
    _keep_apart(agencies, found)
    if found.found:
        raise found.error()
    return Configuration(path, settings.server, settings.store, agencies)


def _tables(table: object) -> Iterable[tuple[str, Table]]:
    """The tables in a table; what is none is reported by the models."""
    return [(key, value) for key, value in table.items() if isinstance(value, dict)] if isinstance(table, dict) else []


# channels


def _accounts(agency: str, group: Table, adapters: Registry, found: Problems) -> dict[str, _Account]:
    accounts = {name: _account(agency, name, raw, adapters, found) for name, raw in _tables(group.get("channels"))}
    return {name: account for name, account in accounts.items() if account}


def _account(agency: str, name: str, raw: Table, adapters: Registry, found: Problems) -> _Account | None:
    at: Location = ("agencies", agency, "channels", name)
    adapter = _adapter(str(raw.get("adapter") or name), (*at, "adapter"), adapters, found)
    if adapter is None:
        return None
    try:
        settings = adapter.Settings.model_validate(raw)
        profile = profile_of(adapter, settings, agency, name)
        if profile.total_timeout > LONGEST:
            most = f"{LONGEST.total_seconds():g}s"
            found.add(
                (*at, "total_timeout"), f"is too long: an attempt must be over while its lease holds, {most} at most"
            )
        return _Account(adapter, settings, profile)
    except ValidationError as error:
        found.add_all(error, adapter.Settings, at)
    except ValueError as error:
        found.add_said(str(error), adapter.Settings, at)
    except Exception as error:  # anybody's code; its message may hold a secret
        found.add(at, f"its adapter breaks with these settings ({type(error).__name__}): tell the adapter's author")
    return None


def _adapter(name: str, at: Location, adapters: Registry, found: Problems) -> type[Adapter] | None:
    if name not in adapters:
        advice = 'write adapter = "…", or install the package that brings it'
        found.add(at, f"there is no adapter `{name}`: {advice}{meant(name, tuple(adapters))}")
        return None
    try:
        return adapters[name]
    except Exception as error:  # anybody's code
        found.add(
            at, f"the adapter `{name}` cannot be loaded ({type(error).__name__}: {error}): install its package anew"
        )
        return None


# agencies and routes


def _agency(key: str, group: Group, accounts: Mapping[str, _Account], found: Problems) -> Agency:
    section = group.agency
    at: Location = ("agencies", key)
    channels = {name: _channel(key, name, account, section) for name, account in accounts.items()}
    for name in section.alerts:
        if name not in channels:
            found.add((*at, "agency", "alerts"), f"there is no channel `{name}`{meant(name, channels)}")
    for name, one in channels.items():
        if problem := _about_holder(one, channels):
            found.add((*at, "channels", name, "token_of"), problem)
    posting = {name: one.channel for name, one in channels.items() if name not in section.alerts}
    if not posting:
        found.add((*at, "channels"), "there is no channel to post to: add one, for example site, facebook or zalo")
    return Agency(
        key=key,
        name=section.name,
        prefix=section.prefix,
        country=section.country,
        zone=ZoneInfo(section.time_zone),
        language=section.language,
        keys=tuple(ApiKey(one.name, one.sha256, one.scopes) for one in section.keys),
        channels=channels,
        alerts=section.alerts,
        witnesses=section.witnesses,
        routes=_routes(group.routes, posting, section, (*at, "routes"), found),
        look=_look(section, (*at, "agency"), found),
        media=_media(group.media, accounts, section.alerts),
    )


def _about_holder(one: ConfiguredChannel, channels: Mapping[str, ConfiguredChannel]) -> str | None:
    """What is wrong with the channel whose token this one uses."""
    holder = one.settings.token_of
    if holder is None:
        return None
    if holder not in channels:
        return f"there is no channel `{holder}`{meant(holder, channels)}"
    operator = one.channel.profile.operator
    if one.settings.operator is None and channels[holder].channel.profile.operator != operator:
        return f"`{holder}` is no channel of {operator}: name the one that holds this account's token"
    return None


def _look(section: AgencySection, at: Location, found: Problems) -> Look:
    for colour, problem in section.look.problems().items():
        found.add((*at, "colours", colour), problem)
    return section.look


def _media(section: MediaSection, accounts: Mapping[str, _Account], alerts: tuple[str, ...]) -> MediaRules:
    """What is not said follows from the first own channel that has a folder with an address: the site."""
    own = [one.settings for name, one in accounts.items() if one.profile.own and name not in alerts]
    site = next((one for one in own if hasattr(one, "folder") and hasattr(one, "url")), None)
    said = section.model_dump()
    if site is not None and section.folder is None:
        said |= {"folder": Path(site.folder) / MEDIA, "url": section.url or f"{str(site.url).rstrip('/')}/{MEDIA}"}
    return MediaRules(**said)


def _channel(agency: str, name: str, account: _Account, section: AgencySection) -> ConfiguredChannel:
    said, profile = account.settings.domestic, account.profile
    domestic = profile.country == section.country if said is None else said
    if account.settings.readers is None and section.country in profile.blocked_in:
        profile = replace(profile, readers=Readers.ABROAD)
    seen = Channel(key=f"{agency}/{name}", profile=profile, domestic=domestic)
    return ConfiguredChannel(name=name, adapter=account.adapter, settings=account.settings, channel=seen)


def _routes(
    sections: Mapping[str, RouteSection], channels: Channels, agency: AgencySection, at: Location, found: Problems
) -> dict[str, Route]:
    routes = {name: _route(name, section) for name, section in sections.items()}
    for name, route in routes.items():
        for key, problem in problems(route, channels, agency.alerts):
            found.add((*at, name, *key.split(".")), problem)
    usual = default_route(channels)
    return {DEFAULT_ROUTE: usual, **routes} if usual.post_to else routes


def _route(name: str, section: RouteSection) -> Route:
    return Route(
        name=name,
        post_to=section.post_to,
        stand_ins=section.stand_ins,
        reserve=section.reserve,
        operators=section.goal.operators,
        domestic=section.goal.domestic,
        within=section.goal.within,
        stand_in_after=section.stand_in_after,
        start_by=section.start_by,
        late_copies=section.late_copies,
        on_unconfirmed=section.on_unconfirmed,
    )


def _keep_apart(agencies: Mapping[str, Agency], found: Problems) -> None:
    """References and API keys each lead to one agency."""
    prefixes: dict[str, str] = {}
    digests: dict[str, str] = {}
    for key, agency in agencies.items():
        at: Location = ("agencies", key, "agency")
        if (other := prefixes.setdefault(agency.prefix, key)) != key:
            found.add((*at, "prefix"), f"{agency.prefix} is the prefix of `{other}` already: choose another")
        for one in agency.keys:
            owner = f"key `{one.name}` of `{key}`"
            if (other := digests.setdefault(one.sha256, owner)) != owner:
                found.add((*at, "keys"), f"{owner} is the same as {other}: make a new one with `loa key new`")
