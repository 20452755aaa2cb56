"""`loa status`: what has become of announcements."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated, Any

import typer

from broker.cli.client import Client, read_key
from broker.cli.exits import Exit
from broker.cli.following import follow, settled
from broker.cli.options import DEFAULT_URL, AsJson, KeyFile, ServerUrl
from broker.cli.show import announcement, announcements, console, print_json
from broker.errors import InvalidInput

SHOWN = 20


def status(
    announcement_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Else the newest announcements.")
    ] = None,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Until every channel has come to rest.")] = False,
    only: Annotated[str | None, typer.Option("--only", metavar="STATUS", help="Such as open, partly, nowhere.")] = None,
    limit: Annotated[int, typer.Option(help="How many of the newest.", min=1, max=200)] = SHOWN,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Show the newest announcements, or one with all its channels: state, since when, and why."""
    if following and announcement_id is None:
        raise InvalidInput("--follow needs the ID of one announcement.")
    if announcement_id is None:
        return _newest(asyncio.run(_list(server, key_file, limit, only)), as_json)
    report, since = asyncio.run(_one(announcement_id, following, server, key_file, as_json))
    if as_json:
        print_json(report)
    else:
        console().print(announcement(report, since))
    return Exit.OK


def _newest(reports: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        print_json(reports)
    elif reports:
        console().print(announcements(reports))
    else:
        print("There are no announcements yet: `loa send` makes one.")
    return Exit.OK


async def _list(server: str, key_file: KeyFile, limit: int, only: str | None) -> list[dict[str, Any]]:
    async with Client(server, read_key(key_file, os.environ)) as client:
        return await client.announcements(limit, only)


async def _one(
    any_id: str, following: bool, server: str, key_file: KeyFile, as_json: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """The report, and since when each channel is in its state."""
    async with Client(server, read_key(key_file, os.environ)) as client:
        if following:
            await follow(client, any_id, settled, on=sys.stdout, quiet=as_json)
        report = await client.announcement(any_id)
        events = await client.events(report["id"])
    return report, {event["channel"]: event["at"] for event in events if event["channel"]}
