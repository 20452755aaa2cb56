"""`loa sandbox`: emulated platforms by hand."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.emulators import emulated, how_to_play
from broker.cli.exits import Exit
from broker.cli.options import AsJson
from broker.cli.processes import until_told
from broker.cli.show import print_line


def sandbox(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PLATFORM]...", help="Which; all of them unless said.")
    ] = None,
    control_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port that steers them; any free one unless said.")
    ] = 0,
    as_json: AsJson = False,
) -> int:
    """Run emulated platforms on this machine until Ctrl-C, with a port to make them fail."""
    return asyncio.run(_run(names or [], control_port, as_json))


async def _run(names: list[str], control_port: int, as_json: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="loa-sandbox-") as folder:
        options = {"site": {"folder": str(Path(folder) / "site")}}
        log = Path(folder) / "emulators.log"
        async with emulated(names, os.environ, log, options, control_port) as emulators:
            if as_json:
                print_line({"control": emulators.control_url, "platforms": emulators.platforms})
            else:
                print("Emulated platforms run on this machine until Ctrl-C. `loa serve --sandbox` uses its own.\n")
                print("\n".join(how_to_play(emulators.control_url, emulators.platforms)), flush=True)
            await until_told(emulators.child.process.wait())
    return Exit.OK
