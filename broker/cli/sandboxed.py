"""A configuration pointed at emulated platforms: the same channels, routes and failure domains, no real account."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from broker.rules.agency import ConfiguredChannel, Scope
from broker.settings import Configuration
from broker.settings.resolve import FLAT
from broker.settings.sources import DELIMITER, FROM_FILE, PREFIX

Variables = dict[str, str]


def adapters_of(configuration: Configuration) -> list[str]:
    """Names of the adapters in use, each once: an emulator of the same name stands for the platform."""
    return sorted({adapter_of(one) for _, one in _channels(configuration)})


def adapter_of(one: ConfiguredChannel) -> str:
    return one.settings.adapter or one.name


def pointed_at(configuration: Configuration, platforms: Mapping[str, Mapping[str, Any]], store: Path) -> Variables:
    """Variables that point every channel at its emulator and the store at `store`. Operators, logins and hosts stay
    those of the real platforms, so that what fails together there fails together here."""
    made = {variable("store", "url"): f"sqlite:///{store}"}
    for path, one in _channels(configuration):
        settings = {**_domains(one), **platforms[adapter_of(one)]["settings"]}
        made |= {variable(*path, key): value for key, value in settings.items()}
    return made | dict(_media(configuration, store.parent))


def _media(configuration: Configuration, folder: Path) -> Iterator[tuple[str, str]]:
    """Nothing that is tried out lands among the real pictures: they follow the emulated site, or lie in `folder`."""
    for key, agency in configuration.agencies.items():
        group = () if key == FLAT else ("agencies", key)
        has_site = any(adapter_of(one) == "site" for one in agency.channels.values())
        if agency.media.folder is not None:
            yield variable(*group, "media", "folder"), "" if has_site else str(folder / f"{key}-media")
            yield variable(*group, "media", "url"), ""


def with_variables(environment: Mapping[str, str], variables: Mapping[str, str]) -> Variables:
    """The environment with these over it; `…_FILE` variants of the same names would contradict them."""
    kept = {name: value for name, value in environment.items() if name.upper().removesuffix(FROM_FILE) not in variables}
    return {**kept, **variables}


def variable(*path: str) -> str:
    """`LOA_CHANNELS__FACEBOOK__TOKEN`."""
    return PREFIX + DELIMITER.join(path).upper()


def _channels(configuration: Configuration) -> Iterator[tuple[tuple[str, ...], ConfiguredChannel]]:
    """Every channel with the path of its table."""
    for key, agency in configuration.agencies.items():
        group = () if key == FLAT else ("agencies", key)
        for name, one in agency.channels.items():
            yield (*group, "channels", name), one


def _domains(one: ConfiguredChannel) -> Variables:
    profile = one.channel.profile
    return {
        "operator": profile.operator,
        "hosts": json.dumps(profile.hosts),
        **({"login": profile.login} if profile.login else {}),
    }


def with_key(configuration: Configuration, digest: str) -> Variables:
    """One more key, for the first agency, that may do everything; those of the configuration stay."""
    key, agency = next(iter(configuration.agencies.items()))
    known = [{"name": k.name, "sha256": k.sha256, "scopes": sorted(k.scopes)} for k in agency.keys]
    mine = {"name": "sandbox", "sha256": digest, "scopes": sorted(Scope)}
    group = () if key == FLAT else ("agencies", key)
    return {variable(*group, "agency", "keys"): json.dumps([*known, mine])}
