"""`loa demo`: a replay of 5 March 2024 with real processes on this machine, judged by the platforms' own logs."""

from __future__ import annotations

import random
from typing import Annotated

import typer

from broker.cli.options import AsJson


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running afterwards, to play with.")] = False,
    kill: Annotated[bool, typer.Option("--kill", help="Also kill the broker (SIGKILL) in the middle of it.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Decides when --kill strikes; printed, so it can be repeated.")
    ] = None,
    as_json: AsJson = False,
    sabotage: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> int:
    """Replay the outage of 5 March 2024 on emulated platforms: about 30 s, no accounts, no network."""
    from broker.cli.demo.performance import perform  # a whole broker: only where it is needed

    chosen = random.randrange(10_000) if seed is None else seed
    return perform(keep, chosen if kill else None, as_json, sabotage)
