"""Adapters by name, from the entry points of everything that is installed: ours and third parties' by one door."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NoReturn, cast

from broker.contract import Adapter, ChannelSettings, Profile, Registry, Tools
from broker.rules.agency import ConfiguredChannel

GROUP = "loa.adapters"


def load_adapters() -> Registry:
    """Every installed adapter; one is imported only when a channel asks for it."""
    return _Installed({point.name: point for point in entry_points(group=GROUP)})


class _Installed(Mapping[str, type[Adapter]]):
    def __init__(self, points: Mapping[str, EntryPoint]) -> None:
        self._points = points

    def __getitem__(self, name: str) -> type[Adapter]:
        return cast("type[Adapter]", self._points[name].load())

    def __contains__(self, name: object) -> bool:
        return name in self._points

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


def profile_of(adapter: type[Adapter], settings: ChannelSettings, agency: str, channel: str) -> Profile:
    """What the adapter declares with these settings, before there is a session, a clock or a store to hand it."""
    return _bare(adapter, settings, agency, channel).profile


def asks_for_consent(one: ConfiguredChannel) -> bool:
    """Whether a person connects its account: its token is its own, and is obtained by `loa connect`."""
    agency, _, name = one.channel.key.partition("/")
    return one.settings.token_of is None and _bare(one.adapter, one.settings, agency, name).connector is not None


def _bare(adapter: type[Adapter], settings: ChannelSettings, agency: str, channel: str) -> Adapter:
    nothing = cast("Any", _Nothing())
    return adapter(settings, Tools(channel=channel, session=nothing, clock=nothing, vault=nothing, agency=agency))


class _Nothing:
    """Stands for the tools while only declarations are asked for: a constructor keeps them, and uses them later."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an adapter's constructor must not use its tools ({name})")
