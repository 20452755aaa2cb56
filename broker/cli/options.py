"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:8080"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ServerUrl = Annotated[str, typer.Option("--server", metavar="URL", envvar="LOA_URL", help="Where `loa serve` listens.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="File with the API key; else it is taken from LOA_KEY."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Configuration; else LOA_CONFIG, else loa.toml."),
]
AnnouncementId = Annotated[str, typer.Argument(metavar="ID", help="Our id, the reference, or the CMS's own id.")]
ChannelName = Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel's name in the configuration.")]
