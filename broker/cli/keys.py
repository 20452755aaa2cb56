"""`loa key new`: an API key, shown once, and the line that lets it in."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated

import typer

from broker.cli.exits import Exit
from broker.cli.options import AsJson
from broker.cli.show import print_json, quoted
from broker.errors import InvalidInput

BYTES = 32


def new(
    name: Annotated[str, typer.Argument(help="Whose key it is, as logs and the configuration name it.")] = "newsroom",
    scopes: Annotated[
        str, typer.Option(metavar="LIST", help="What it may do: read, send, operate; with commas between.")
    ] = "send,read",
    as_json: AsJson = False,
) -> int:
    """Make an API key: it is shown once, the configuration gets its SHA-256 only."""
    if not (name.strip() and name.isprintable()):
        raise InvalidInput("A key needs a name that can be read: say whose it is.")
    allowed = checked_scopes(scopes)
    key, digest = new_key()
    line = f"{{ name = {quoted(name)}, sha256 = {quoted(digest)}, scopes = [{', '.join(map(quoted, allowed))}] }}"
    if as_json:
        print_json({"key": key, "name": name, "sha256": digest, "scopes": allowed, "line": line})
        return Exit.OK
    print(f"The key, shown only now:\n\n  {key}\n")
    print(f"For `keys = [ … ]` under [agency] in the configuration, then restart `loa serve`:\n\n  {line}\n")
    print("Give the key to programs as LOA_KEY, or in a file only they can read (--key-file).")
    return Exit.OK


def new_key() -> tuple[str, str]:
    """A key and its SHA-256."""
    key = f"loa_{secrets.token_urlsafe(BYTES)}"
    return key, hashlib.sha256(key.encode()).hexdigest()


def checked_scopes(text: str) -> list[str]:
    from broker.rules.agency import Scope  # with pydantic: only where it is needed

    wanted = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [one for one in wanted if one not in list(Scope)]
    if unknown or not wanted:
        said = f"{unknown[0]!r} is no scope" if unknown else "no scope was named"
        raise InvalidInput(f"--scopes: {said}: choose from {', '.join(Scope)}, with commas between.")
    return list(dict.fromkeys(wanted))
