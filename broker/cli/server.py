"""`loa serve`, `check`, `config show`: what they need is imported only when they run, so that the others start fast."""

from __future__ import annotations

from typing import Annotated

import typer

from broker.cli.options import DEFAULT_URL, AsJson, Config, KeyFile, ServerUrl

Sandbox = Annotated[
    bool,
    typer.Option("--sandbox", help="Emulated platforms for every channel; nothing leaves this machine or is kept."),
]

Online = Annotated[
    bool,
    typer.Option(
        "--online", help="Also ask the running server, and through it the platforms: accounts, rights, tokens."
    ),
]


def serve(
    config: Config = None,
    sandbox: Sandbox = False,
    as_json: AsJson = False,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
) -> int:
    """Run the broker and its HTTP API. SIGTERM or Ctrl-C lets what is under way finish."""
    from broker.cli.serve import serve_configured

    return serve_configured(config, sandbox, as_json, until_eof)


def check(
    config: Config = None,
    online: Online = False,
    server: ServerUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> int:
    """Check the configuration: what each route does, what each failure does to it, and what would silence the agency.

    Ends with 1 if a single failure could leave the agency silent.
    """
    from broker.cli.checking import check_configured

    return check_configured(config, as_json, online, server, key_file)


def show_config(config: Config = None, as_json: AsJson = False) -> int:
    """Print every setting in force, from the file, the environment and the defaults; secrets are masked."""
    from broker.cli.checking import show_configured

    return show_configured(config, as_json)
