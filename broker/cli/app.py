"""The command line: every command, and what happens to errors."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import typer

from broker.cli import announce, channels, connect, init, keeping, keys, look, record, sandbox, server
from broker.cli.demo import demo
from broker.cli.exits import MEANINGS, Exit, as_problem, exit_of, told
from broker.cli.show import print_json, whisper
from broker.errors import LoaError

CODES = "\n\n".join(["Exit codes:", *(f"  {code.value}  {meaning}" for code, meaning in MEANINGS.items())])
INTERRUPTED = 130
UsageError: Any = typer.BadParameter.__bases__[0]
"""What typer raises for wrong usage; it exports only the special case."""

Command = Callable[..., int]
GROUPS: Mapping[str, tuple[Command, ...]] = {
    "Announcements": (announce.send, announce.preview, look.status, record.record, announce.withdraw, announce.resolve),
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
    for panel, commands in GROUPS.items():
        for command in commands:
            app.command(rich_help_panel=panel)(command)
    _group(app, "key", "Make API keys.", new=keys.new)
    _group(app, "config", "Look at the configuration.", show=server.show_config)
    return typer.main.get_command(app)


def _group(app: typer.Typer, name: str, help: str, **commands: Command) -> None:
    group = typer.Typer(help=help, no_args_is_help=True)
    for called, command in commands.items():
        group.command(called)(command)
    app.add_typer(group, name=name, rich_help_panel="Server")


def run(arguments: Sequence[str]) -> int:
    """Carries one command out and gives its exit code; what goes wrong is said in one sentence on stderr."""
    try:
        code = int(build()(args=list(arguments), prog_name="loa", standalone_mode=False) or Exit.OK)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _failed(f"{error.format_message()} `loa --help` lists what there is.", Exit.BAD_INPUT)
    except LoaError as error:
        if "--json" in arguments:
            print_json(as_problem(error))
        return _failed(told(error), exit_of(error))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        return _failed(_bug(error), Exit.NOT_REACHED)


def _bug(error: Exception) -> str:
    """Where it happened, for a report; what was being handled may be secret and is not shown."""
    places = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    path, line = next(((p, n) for p, n in reversed(places) if {"broker", "adapters"} & set(p.parts)), places[-1])
    where = f"{type(error).__name__} at {path.parent.name}/{path.name}:{line}"
    return f"an error in Loa itself ({where}): please report it with the command you used."


def _failed(sentence: str, code: Exit) -> int:
    whisper(f"loa: {sentence}")
    return code


def main() -> None:
    sys.exit(run(sys.argv[1:]))
