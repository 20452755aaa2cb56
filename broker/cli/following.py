"""Watching one announcement: a live table on a terminal, one line for each event elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from rich.console import Console
from rich.live import Live

from broker.cli.client import CONNECT_AGAIN, RETURNS_WITHIN, may_return
from broker.cli.show import announcement, clock_time, said, whisper
from broker.errors import LoaError

Report = Mapping[str, Any]


class Source(Protocol):
    """Where events and reports come from: a server, or a broker in this process."""

    def follow(self, any_id: str) -> AsyncIterator[dict[str, Any]]: ...

    async def announcement(self, any_id: str) -> dict[str, Any]: ...


MOVING = frozenset({"standby", "due", "sending", "pending", "checking"})


def settled(report: Report) -> bool:
    """Every channel has come to rest."""
    return not any(d["state"] in MOVING for d in report["deliveries"])


def decided(report: Report) -> bool:
    """The goal is met, or its time is up."""
    return bool(report["goal"]["met_at"] or report["goal"]["late"]) or report["status"] in ("nowhere", "withdrawn")


def finished_well(report: Report) -> bool:
    return bool(report["goal"]["met_at"]) and not report["goal"]["late"]


async def follow(source: Source, any_id: str, enough: Callable[[Report], bool], *, on: TextIO, quiet: bool) -> Report:
    """Shows what happens on `on` until `enough`, or until nothing more can happen; gives the last report."""
    since: dict[str, str] = {}
    report = await source.announcement(any_id)
    with _view(on, quiet) as view:
        async for event in source.follow(report["id"]):
            if event["channel"]:
                since[event["channel"]] = event["at"]
            report = await _patiently(source, report["id"])
            view.show(report, since, event)
            if enough(report):
                break
    return report


async def _patiently(source: Source, any_id: str) -> dict[str, Any]:
    """The report now; a server that restarts is waited for."""
    for _ in range(RETURNS_WITHIN):
        try:
            return await source.announcement(any_id)
        except LoaError as error:
            if not may_return(error):
                raise
        await asyncio.sleep(CONNECT_AGAIN)
    return await source.announcement(any_id)


def _view(on: TextIO, quiet: bool) -> _Lines | _Table:
    return _Table(on) if on.isatty() and not quiet else _Lines(None if quiet else on)


class _Lines:
    """One line for each event."""

    def __init__(self, on: TextIO | None) -> None:
        self._on = on

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, report: Report, since: Mapping[str, str], event: Mapping[str, Any]) -> None:
        if self._on is None:
            return
        who = event["channel"] or report["reference"]
        line = f"{clock_time(event['at'])}  {who}  {event['kind']}  {said(event['reason'])}"
        if self._on is sys.stderr:
            whisper(line)
        else:
            print(line, file=self._on, flush=True)


class _Table:
    """The announcement's table, kept up to date in place."""

    def __init__(self, on: TextIO) -> None:
        self._live = Live(console=Console(file=on, highlight=False), auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, report: Report, since: Mapping[str, str], event: Mapping[str, Any]) -> None:
        self._live.update(announcement(report, since), refresh=True)
