"""`loa init`: a commented configuration with what the agency has, and its first key, shown once."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.exits import Exit
from broker.cli.keys import new_key
from broker.cli.options import AsJson
from broker.cli.show import print_json, quoted
from broker.errors import ConfigError, InvalidInput

EXAMPLE = "config.example.toml"
EXAMPLE_AGENCY = "Tin Ví Dụ"
USUAL = ("site", "facebook", "zalo")
KEY_NAME = "desk"
_HEAD = """# Loa's configuration, made by `loa init`. Put your own where it says replace-with or .example;
# `loa check` names what is left.
#
# Every key can also be set by an environment variable, which then counts instead of this file; secrets are best read
# from files only Loa may read: LOA_CHANNELS__FACEBOOK__APP_SECRET_FILE=/run/secrets/facebook
# config.example.toml, in Loa's source, shows every key there is, and how to write routes of your own.
"""
_NO_ROUTE = """# Without routes every announcement goes to all of these channels; those that ring phones or cost money
# are kept in reserve.
"""

To = Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to write it.")]
Name = Annotated[str | None, typer.Option("--name", help="The agency's, as readers see it.")]
Prefix = Annotated[str | None, typer.Option("--prefix", help="Begins every reference: two to five capital letters.")]
Channels = Annotated[str | None, typer.Option("--channels", metavar="LIST", help="What you have, with commas between.")]
Url = Annotated[str | None, typer.Option("--url", help="Public address of your own pages, such as https://tin.vn/l.")]


def init(
    to: To = Path("loa.toml"),
    name: Name = None,
    prefix: Prefix = None,
    channels: Channels = None,
    url: Url = None,
    as_json: AsJson = False,
) -> int:
    """Write a commented loa.toml with what you have, and make a key, which is shown once. Overwrites nothing."""
    ask = sys.stdin.isatty() and not as_json
    example = _example()
    blocks = _blocks(example)
    _free(to)
    name = _said(name, "The agency's name", EXAMPLE_AGENCY, ask)
    prefix = _prefix(_said(prefix, "Prefix of references", "TVD", ask))
    chosen = _wanted(_said(channels, f"Channels ({', '.join(blocks)})", ",".join(USUAL), ask), blocks, _people(example))
    key, digest = new_key()
    _write(to, _configuration(example, chosen, name, prefix, url, digest))
    connectable = _connectable(to, chosen)
    if as_json:
        print_json({"file": str(to), "key": key, "name": KEY_NAME, "channels": list(chosen)})
    else:
        print("\n".join(_told(to, key, connectable)))
    return Exit.OK


def _said(given: str | None, question: str, usual: str, ask: bool) -> str:
    if given is None and ask:
        given = typer.prompt(question, default=usual)
    return (given if given is not None else usual).strip()


def _prefix(text: str) -> str:
    if not re.fullmatch("[A-Z]{2,5}", text):
        raise InvalidInput(f"--prefix {text[:20]!r} is none: use two to five capital letters, such as TVD.")
    return text


def _wanted(text: str, blocks: Mapping[str, str], people: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    unknown = [one for one in names if one not in blocks]
    if unknown or not [one for one in names if one not in people]:
        said = f"{unknown[0][:40]!r} is not among them" if unknown else "name one to post to"
        raise InvalidInput(f"--channels: {said}: choose from {', '.join(blocks)}.")
    return names


# the file


def _example() -> str:
    return (files("broker") / EXAMPLE).read_text(encoding="utf-8")


def _blocks(example: str) -> dict[str, str]:
    """The tables of channels, as the example words them."""
    texts = re.finditer(r"^\[channels\.(\w+)\].*?(?=^\n|\Z)", example, re.MULTILINE | re.DOTALL)
    return {one[1]: one[0].rstrip() + "\n" for one in texts}


def _table(example: str, name: str) -> str:
    found = re.search(rf"^\[{name}\].*?(?=^\n|\Z)", example, re.MULTILINE | re.DOTALL)
    assert found is not None, "the example has every table"
    return found[0].rstrip() + "\n"


def _people(example: str) -> list[str]:
    """Channels that are for alerts."""
    return list(tomllib.loads(example)["agency"]["alerts"])


def _configuration(example: str, chosen: Sequence[str], name: str, prefix: str, url: str | None, digest: str) -> str:
    blocks, people = _blocks(example), _people(example)
    agency = _agency(_table(example, "agency"), [one for one in chosen if one in people], name, prefix, digest)
    channels = _channels([blocks[one] for one in chosen], name, url)
    return "\n".join([_HEAD, _table(example, "server"), _table(example, "store"), agency, *channels, _NO_ROUTE])


def _channels(blocks: Sequence[str], name: str, url: str | None) -> list[str]:
    """With the agency's own name and address where the example has its own."""
    named = [block.replace(EXAMPLE_AGENCY, _inside(name)) for block in blocks]
    return named if url is None else [block.replace("https://tin.example/l", _inside(url)) for block in named]


def _agency(table: str, alerts: Sequence[str], name: str, prefix: str, digest: str) -> str:
    table = (
        table.replace(quoted(EXAMPLE_AGENCY), quoted(name))
        .replace('"TVD"', quoted(prefix))
        .replace("TVD-", f"{prefix}-")
    )
    ways = f"alerts = [{', '.join(map(quoted, alerts))}]".ljust(31)
    table = re.sub(r"^alerts = \[.*?\]", lambda _: ways, table, flags=re.MULTILINE)
    from broker.rules.agency import Scope  # with pydantic: only where it is needed

    scopes = ", ".join(quoted(one) for one in Scope)
    key = f"{{ name = {quoted(KEY_NAME)}, sha256 = {quoted(digest)}, scopes = [{scopes}] }}"
    return re.sub(r"^keys = .*$", lambda _: f"keys = [{key}]", table, flags=re.MULTILINE)


def _inside(text: str) -> str:
    """As TOML writes it inside quotes that are there already."""
    return quoted(text)[1:-1]


def _free(path: Path) -> None:
    if path.exists():
        raise InvalidInput(f"{path} is there already, and nothing is overwritten: move it away, or name another file.")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            path.chmod(0o600)
            file.write(text)
    except FileExistsError:
        _free(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from None


def _connectable(written: Path, chosen: Sequence[str]) -> list[str]:
    """Channels whose account a person connects. Raises `ConfigError`, and leaves no file that cannot be used."""
    from broker.settings import asks_for_consent, load, load_adapters  # slow: only where they are needed

    try:
        [agency] = load(written, {}, load_adapters()).agencies.values()
    except ConfigError:
        written.unlink()
        raise
    return [one for one in chosen if asks_for_consent(agency.channels[one])]


def _told(to: Path, key: str, connectable: Sequence[str]) -> list[str]:
    lines = [f"{to} is written. The key to everything, shown only now:", "", f"  export LOA_KEY={key}", ""]
    lines += [
        "Next:",
        "  loa check                # what it does, and what is missing",
        "  loa serve --sandbox      # try it",
    ]
    lines += [f"  {f'loa connect {one}':<24} # once `loa serve` runs" for one in connectable]
    return lines
