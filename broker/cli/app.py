"""The command line: every command, and what happens to errors."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.cli import announce, channels, connect, init, keeping, keys, record, sandbox, server, status
from broker.cli.demo import demo
from broker.cli.exits import MEANINGS, Exit, as_problem, exit_of, told
from broker.cli.show import prepare_output, print_json, whisper
from broker.errors import InvalidInput, LoaError

CODES = "\n\n".join(["Exit codes:", *(f"  {code.value}  {meaning}" for code, meaning in MEANINGS.items())])
INTERRUPTED = 130
UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})
UsageError: Any = typer.BadParameter.__bases__[0]
"""What typer raises for wrong usage; it exports only the special case."""

Command = Callable[..., int]
GROUPS: Mapping[str, tuple[Command, ...]] = {
    "Announcements": (
        announce.send,
        announce.preview,
        status.status,
        record.record,
        announce.withdraw,
        announce.resolve,
    ),
    "Channels": (
        channels.channels,
        connect.connect,
        channels.probe,
        channels.rehearse,
        channels.pause,
        channels.resume,
    ),
    "Server": (init.init, server.serve, server.check, keeping.backup, keeping.restore, keeping.confirm_restore),
    "Trying it out": (demo, sandbox.sandbox),
}


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata  # slow, and seldom wanted

        print(f"loa {metadata.version('loa')}")
        raise typer.Exit


@cache
def build() -> Any:
    """All commands under `loa`, as one that can be called."""
    app = typer.Typer(
        name="loa",
        help="Carries an agency's announcements over several platforms, and over others when one is down.",
        epilog=CODES,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for panel, commands in GROUPS.items():
        for command in commands:
            app.command(rich_help_panel=panel)(command)
    _group(app, "key", "Make API keys.", new=keys.new)
    _group(app, "config", "Look at the configuration.", show=server.show_config)
    return typer.main.get_command(app)


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


def _group(app: typer.Typer, name: str, help: str, **commands: Command) -> None:
    group = typer.Typer(help=help, no_args_is_help=True)
    for called, command in commands.items():
        group.command(called)(command)
    app.add_typer(group, name=name, rich_help_panel="Server")


def run(arguments: Sequence[str]) -> int:
    """Carries one command out and gives its exit code; what goes wrong is said in one sentence on stderr."""
    as_json = "--json" in arguments
    prepare_output()
    try:
        code = _carried_out(arguments)
        sys.stdout.flush()
        return code
    except UsageError as error:
        said = error.format_message().rstrip(".")  # nothing where the help was shown
        return _failed(InvalidInput(f"{said}. `loa --help` lists what there is."), as_json) if said else Exit.BAD_INPUT
    except LoaError as error:
        return _failed(error, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        return _unwritten(error, as_json) if _is_of_output(error) else _failed(LoaError(_bug(error)), as_json)


def _carried_out(arguments: Sequence[str]) -> int:
    """Not by typer's own `main`, which ends with 1 when whoever read the output has gone."""
    command = build()
    try:
        with command.make_context("loa", list(arguments)) as context:
            return int(command.invoke(context) or Exit.OK)
    except typer.Exit as ended:
        return ended.exit_code


def _is_of_output(error: Exception) -> bool:
    """Files that are read or written by name say which; what is left is what the command prints."""
    return isinstance(error, OSError) and error.filename is None and error.errno in UNWRITABLE


def _unwritten(error: Exception, as_json: bool) -> int:
    """A command whose reader has gone has done its work; one whose output is lost for another reason says so."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return Exit.OK
    return _failed(LoaError(f"the output could not be written ({getattr(error, 'strerror', error)})."), as_json)


def _bug(error: Exception) -> str:
    """Where it happened, for a report; what was being handled may be secret and is not shown."""
    places = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    path, line = next(((p, n) for p, n in reversed(places) if {"broker", "adapters"} & set(p.parts)), places[-1])
    where = f"{type(error).__name__} at {path.parent.name}/{path.name}:{line}"
    return f"an error in Loa itself ({where}): please report it with the command you used."


def _failed(problem: LoaError, as_json: bool) -> int:
    if as_json:
        print_json(as_problem(problem))
    whisper(f"loa: {told(problem)}")
    return exit_of(problem)


def main() -> None:
    sys.exit(run(sys.argv[1:]))
