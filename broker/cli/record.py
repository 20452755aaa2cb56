"""`loa record`: everything that is kept of one announcement, for whoever must show it later."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli.client import Client, read_key
from broker.cli.exits import Exit
from broker.cli.options import DEFAULT_URL, AnnouncementId, AsJson, KeyFile, ServerUrl
from broker.cli.show import language, print_json, whisper
from broker.errors import InvalidInput


def record(
    announcement_id: AnnouncementId,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="One page to keep or print, instead of JSON on stdout."),
    ] = None,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Get the record of an announcement: what was said, where, when and by whom, with every event and a fingerprint."""

    async def ask() -> dict[str, Any]:
        async with Client(server, read_key(key_file, os.environ)) as client:
            return await client.record(announcement_id)

    found = asyncio.run(ask())
    if as_json or html is None:
        print_json(found)
    if html is not None:
        _write(html, found)
        whisper(f"{html} holds the record of {found['record']['reference']}, SHA-256 {found['sha256']}.")
    return Exit.OK


def _write(path: Path, found: dict[str, Any]) -> None:
    from broker.pages.record import record_page  # templates: only where they are needed
    from broker.record import RecordReport

    page = record_page(RecordReport.model_validate(found), language())
    try:
        path.write_text(page.html, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--html: {path} cannot be written ({error.strerror}).") from None
