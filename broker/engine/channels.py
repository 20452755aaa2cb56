"""The configured channels as the engine uses them: one adapter, one profile and one key each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from broker.contract import Adapter
from broker.engine.vault import TokenVault
from broker.model import Announcement
from broker.rules.standing import Channel, Channels


def key_of(agency: str, name: str) -> str:
    """The key by which health, pacers and the store's settings know a channel: `agency/name`."""
    return f"{agency}/{name}"


@dataclass(frozen=True, slots=True)
class Station:
    """One channel with the adapter that serves it."""

    agency: str
    name: str
    adapter: Adapter
    channel: Channel
    posting: bool = True
    """False for channels of people, which get alerts and never announcements."""
    vault: TokenVault | None = None
    """Knows how long its token lasts."""

    @property
    def key(self) -> str:
        return self.channel.key


class Stations(Mapping[str, Station]):
    """All channels of all agencies by key; `of(agency)` gives what `plan` sees: those for posts."""

    def __init__(self, stations: Iterable[Station]) -> None:
        self._by_key = {s.key: s for s in stations}
        self._by_agency: dict[str, dict[str, Channel]] = {}
        for station in (s for s in self._by_key.values() if s.posting):
            self._by_agency.setdefault(station.agency, {})[station.name] = station.channel

    def __getitem__(self, key: str) -> Station:
        return self._by_key[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, agency: str) -> Channels:
        return self._by_agency.get(agency, {})

    def serving(self, announcement: Announcement, channel: str) -> Station:
        return self._by_key[key_of(announcement.agency, channel)]
