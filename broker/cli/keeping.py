"""`loa backup`, `restore`, `confirm-restore`: the one file with everything, and what follows after its return."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli.client import Client, read_key
from broker.cli.exits import Exit
from broker.cli.options import DEFAULT_URL, AsJson, Config, KeyFile, ServerUrl
from broker.cli.show import print_json
from broker.clock import SystemClock
from broker.errors import InvalidInput

DECISIONS = {
    "send": "announcements older than the backup go on where it left them",
    "skip": "nothing older than the backup is sent again",
}

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
Replace = Annotated[bool, typer.Option("--replace", help="Puts aside the store that is there.")]


def backup(file: File, config: Config = None, as_json: AsJson = False) -> int:
    """Copy the store, also while the server runs. It holds tokens and announcements: keep it as safe as the store."""
    from broker.settings import load, load_adapters
    from broker.store.backup import back_up

    configuration = load(config, os.environ, load_adapters())
    _must_be_there(configuration.store.path, "`store.url` says where the store is, from the folder you are in")
    _must_be_there(file.parent, "create it, or name another file")
    size = back_up(configuration.store.path, file, configuration.agencies, SystemClock().now())
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        print(f"{file}: {size:,} bytes. `loa restore` puts it in the store's place.")
    return Exit.OK


def restore(file: File, replace: Replace = False, config: Config = None, as_json: AsJson = False) -> int:
    """Put a backup in the store's place, while no server runs. It then sends nothing until `loa confirm-restore`."""
    from broker.settings import load, load_adapters
    from broker.store import backup as backups

    configuration = load(config, os.environ, load_adapters())
    _must_be_there(file, "name the file that `loa backup` made")
    store = configuration.store.path
    aside = backups.restore(file, store, configuration.agencies, SystemClock().now(), replace=replace)
    if as_json:
        print_json({"store": str(store), "put_aside": str(aside) if aside else None})
        return Exit.OK
    if aside:
        print(f"The store that was there is now {aside}.")
    print(f"{store} is restored. `loa serve` takes announcements in and sends nothing until you decide:")
    for older, meaning in DECISIONS.items():
        print(f"  loa confirm-restore {older}    # {meaning}")
    return Exit.OK


def _must_be_there(path: Path, advice: str) -> None:
    if not path.exists():
        raise InvalidInput(f"There is no {path}: {advice}.")


def confirm_restore(
    older: Annotated[str, typer.Argument(metavar="OLDER", help="`skip` or `send` what is older than the backup.")],
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """After a restore: decide about announcements older than the backup, and let everything go on.

    `send` repeats what was sent after the backup was taken. `skip` leaves it: what was under way then, a person looks
    for.
    """
    if older not in DECISIONS:
        raise InvalidInput(f"{older[:40]!r} is no decision: say `skip` or `send`.")
    was = asyncio.run(_decided(older, server, key_file))
    if as_json:
        print_json(was)
    elif was["backup_at"] is None:
        print("There is nothing to decide: this broker was not restored, or somebody has decided already.")
    else:
        print(f"All goes on: {DECISIONS[older]}.")
    return Exit.OK


async def _decided(older: str, server: str, key_file: KeyFile) -> dict[str, Any]:
    """What there was to decide."""
    async with Client(server, read_key(key_file, os.environ)) as client:
        was = await client.restoration()
        if was["backup_at"] is not None:
            await client.restoration(older)
    return was
