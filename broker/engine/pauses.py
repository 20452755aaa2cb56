"""Channels that people have paused, with reason and end; and what holds everything back after a restore.

A store that comes from a backup does not know what was sent since the backup was taken. So nothing is sent from it
until a person of the agency has said what becomes of the announcements that are older.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.clock import Clock
from broker.engine.writer import Lane, Writer
from broker.store import RESTORED, SaveSetting

PAUSED = "paused:"


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is sent to a channel, and until when; `until` None: until somebody resumes it."""

    reason: str = ""
    until: datetime | None = None


@dataclass(slots=True)
class Pauses:
    """What is paused in one store. `changed` is told of channels' keys."""

    writer: Writer
    clock: Clock
    changed: Callable[[str], None]
    _paused: dict[str, Pause] = field(default_factory=dict)
    _restored: dict[str, datetime] = field(default_factory=dict)

    def load(self, paused: Mapping[str, Mapping[str, Any]], restored: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes up the settings under `PAUSED` and `RESTORED`, those of agencies that are gone too."""
        for key, data in paused.items():
            until = datetime.fromisoformat(data["until"]) if data.get("until") else None
            self._paused[key.removeprefix(PAUSED)] = Pause(data.get("reason") or "", until)
        for key, data in restored.items():
            self._restored[key.removeprefix(RESTORED)] = datetime.fromisoformat(data["backup_at"])

    def of(self, key: str) -> Pause | None:
        return self._paused.get(key)

    def holds(self, key: str) -> bool:
        """Whether nothing may be sent to this channel."""
        return key in self._paused or self.restored_from(key.partition("/")[0]) is not None

    def restored_from(self, agency: str) -> datetime | None:
        """When the backup was taken that this agency has not decided about; None: there is nothing to decide."""
        return self._restored.get(agency)

    async def pause(self, key: str, pause: Pause) -> None:
        data = {"reason": pause.reason, "until": pause.until.isoformat() if pause.until else None}
        await self.writer.write(SaveSetting(PAUSED + key, data), Lane.OUTCOMES)
        self._paused[key] = pause
        self.changed(key)

    async def resume(self, key: str) -> None:
        await self.writer.write(SaveSetting(PAUSED + key, None), Lane.OUTCOMES)
        self._paused.pop(key, None)
        self.changed(key)

    async def end_what_is_over(self) -> None:
        now = self.clock.now()
        for key, pause in list(self._paused.items()):
            if pause.until is not None and pause.until <= now:
                await self.resume(key)

    async def release(self, agency: str, channels: Iterable[str]) -> None:
        """The agency has decided about what is older than its backup."""
        await self.writer.write(SaveSetting(RESTORED + agency, None), Lane.OUTCOMES)
        self._restored.pop(agency, None)
        for key in channels:
            self.changed(key)
