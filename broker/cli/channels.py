"""`loa channels`, `probe`, `pause`, `resume`, `rehearse`: the channels of a running server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from broker.cli.client import Client, read_key
from broker.cli.exits import Exit
from broker.cli.options import DEFAULT_URL, AsJson, ChannelName, KeyFile, ServerUrl
from broker.cli.show import channels as channels_table
from broker.cli.show import console, print_json, said
from broker.cli.written import moment_of
from broker.clock import SystemClock


def channels(server: ServerUrl = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False) -> int:
    """Show every channel: whether it works, since when and why not."""
    found = asyncio.run(_channels(server, key_file))
    if as_json:
        print_json(found)
    else:
        console().print(channels_table(found))
    return Exit.OK


async def _channels(server: str, key_file: KeyFile) -> list[dict[str, Any]]:
    async with Client(server, read_key(key_file, os.environ)) as client:
        return await client.channels()


def probe(
    channel: ChannelName, server: ServerUrl = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> int:
    """Ask a platform now whether it and our account work; nothing is posted. Ends with 1 if not."""
    return _asked(channel, "probe", "works", server, key_file, as_json)


def rehearse(
    channel: ChannelName, server: ServerUrl = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> int:
    """Make the fullest post that readers cannot see, and remove it again. Ends with 1 if that fails."""
    return _asked(channel, "rehearsal", "can post", server, key_file, as_json)


def pause(
    channel: ChannelName,
    reason: Annotated[str, typer.Option(help="Why, for the others of the desk.")] = "",
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Such as 2h or 2026-11-22T10:00+07:00; then it goes on by itself."),
    ] = None,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Send nothing more to a channel until `loa resume`, also after a restart."""
    given = {"reason": reason or None, "until": moment_of("--until", until, SystemClock().now())}
    answer = _act(channel, "pause", {name: value for name, value in given.items() if value}, server, key_file)
    return _done(f"{channel}: {said(answer['reason'])}. `loa resume {channel}` lets it go on.", answer, as_json)


def resume(
    channel: ChannelName, server: ServerUrl = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> int:
    """Let a paused channel go on."""
    return _done(f"{channel} goes on.", _act(channel, "resume", {}, server, key_file), as_json)


def _done(sentence: str, answer: Any, as_json: bool) -> int:
    if as_json:
        print_json(answer)
    else:
        print(sentence)
    return Exit.OK


def _act(channel: str, action: str, body: Mapping[str, Any], server: str, key_file: KeyFile) -> Any:
    async def act() -> Any:
        async with Client(server, read_key(key_file, os.environ)) as client:
            return await client.channel(channel, action, body)

    return asyncio.run(act())


def _asked(channel: str, action: str, good: str, server: str, key_file: KeyFile, as_json: bool) -> int:
    """A question to a platform, and its answer in words."""
    answer = _act(channel, action, {}, server, key_file)
    if as_json:
        print_json(answer)
    else:
        print(f"{channel} {good}." if answer["works"] else f"{channel}: {answer['verdict']}: {answer['detail']}")
    return Exit.OK if answer["works"] else Exit.NOT_REACHED
