"""`loa connect`: a person grants access in their browser and pastes back where it landed; the server does the rest."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli.client import Client, read_key
from broker.cli.exits import Exit
from broker.cli.options import DEFAULT_URL, AsJson, ChannelName, KeyFile, ServerUrl
from broker.cli.show import print_line, whisper
from broker.errors import InvalidInput, RequestError

TRIES = 3
"""At a terminal, for a slip of the hand."""

AccountId = Annotated[
    str | None, typer.Option("--account", metavar="ID", help="Which one, where access leads to several.")
]


def connect(
    channel: ChannelName,
    account: AccountId = None,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Connect an account: shows where to grant access and asks for the address of the page where you land.

    The token goes to the running server's store, is shown nowhere, and is used at once.
    """
    return asyncio.run(_connect(channel, account, server, key_file, as_json))


async def _connect(channel: str, wanted: str | None, server: str, key_file: Path | None, as_json: bool) -> int:
    async with Client(server, read_key(key_file, os.environ)) as client:

        async def step(**body: str) -> dict[str, Any]:
            return dict(await client.channel(channel, "connection", body))

        asked = await step()
        _show(asked, as_json)
        found = await _answered(step, asked["secret"])
        chosen = _chosen(found["accounts"], wanted, _read)
        done = await step(account=chosen["id"])
    if as_json:
        print_line(done)
    else:
        print("\n".join(_told(channel, chosen, done["answer"])))
    return Exit.OK if done["answer"]["works"] else Exit.NOT_REACHED


def _show(asked: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_line(asked)
        return
    print(f"{asked['say']}.\n")
    if asked["url"]:
        print(f"  {asked['url']}\n", flush=True)


async def _answered(step: Callable[..., Any], secret: bool) -> dict[str, Any]:
    """The accounts the answer leads to."""
    is_terminal = sys.stdin.isatty()
    for left in reversed(range(TRIES if is_terminal else 1)):
        pasted = _read("The token: " if secret else "The address: ", secret)
        try:
            return dict(await step(pasted=pasted))
        except RequestError as error:
            if error.code != "not_connected" or not left:
                raise
            whisper(error.detail)
    raise AssertionError("a try is left or its error is raised")


def _read(question: str, secret: bool = False) -> str:
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
    elif secret:
        line = getpass.getpass(question)
    else:
        print(question, end="", flush=True)
        line = sys.stdin.readline()
    if not line.strip():
        raise InvalidInput("Nothing was pasted: start again when you have it.")
    return line.strip()


def _chosen(accounts: Sequence[dict[str, Any]], wanted: str | None, read: Callable[[str], str]) -> dict[str, Any]:
    """The account to use. One that lacks something must be named."""
    by_id = {one["id"]: one for one in accounts}
    if wanted is None and len(by_id) == 1 and not accounts[0]["lacks"]:
        return accounts[0]
    for one in accounts:
        whisper(f"  {one['id']}  {one['name']}{' : ' + one['lacks'] if one['lacks'] else ''}")
    if wanted is None and len(by_id) == 1:
        raise InvalidInput(f"{accounts[0]['name']} could not post: {accounts[0]['lacks']}. Then start again.")
    wanted = wanted if wanted is not None else read("Which one (its number): ")
    if wanted not in by_id:
        raise InvalidInput(f"--account {wanted[:40]!r} is none of them: choose from {', '.join(by_id)}.")
    return by_id[wanted]


def _told(channel: str, chosen: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    told = [f"{channel} is connected: {chosen['name']} ({chosen['id']})."]
    if not answer["works"]:
        told.append(f"But it does not work: {answer['verdict']}: {answer['detail']}")
    told.append(
        "`loa check --online` shows what it may do; `loa rehearse` proves that it can post, where that is offered."
    )
    return told
