"""The demo from the first process to the last."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from broker.cli.demo.director import Director
from broker.cli.demo.scene import Scene
from broker.cli.demo.screen import Board, Lines, Screen, verdict_page
from broker.cli.demo.stage import Stage, roles, staged
from broker.cli.demo.story import SABOTAGE
from broker.cli.demo.verdict import Verdict
from broker.cli.emulators import how_to_play
from broker.cli.exits import Exit
from broker.cli.processes import until_told
from broker.cli.show import console, print_json
from broker.clock import SystemClock
from broker.errors import InvalidInput

INTERRUPTED = 130


def perform(keep: bool, seed: int | None, as_json: bool, sabotage: str | None) -> int:
    """Plays it; `seed`: the broker is killed once, when the seed says."""
    if sabotage is not None and sabotage not in SABOTAGE:
        raise InvalidInput(f"--sabotage: choose from {', '.join(SABOTAGE)}.")
    verdict = asyncio.run(_until_told(keep, seed, as_json, sabotage))
    if verdict is None:
        return INTERRUPTED
    return Exit.OK if verdict.ok else Exit.NOT_REACHED


async def _until_told(keep: bool, seed: int | None, as_json: bool, sabotage: str | None) -> Verdict | None:
    return await until_told(_perform(keep, seed, as_json, sabotage))


async def _perform(keep: bool, seed: int | None, as_json: bool, sabotage: str | None) -> Verdict:
    """The performance from the first process to the last; processes and files are gone afterwards, whatever happens."""
    clock, screen = SystemClock(), _screen(as_json)
    begun = clock.monotonic()
    async with AsyncExitStack() as life:
        folder = Path(life.enter_context(tempfile.TemporaryDirectory(prefix="loa-demo-")))
        with screen:
            stage = await life.enter_async_context(staged(folder, sabotage))
            scene = Scene(screen.tell, tuple(name for name, _ in roles(stage.agency)))
            screen.show(scene)
            director = Director(stage, scene, clock, random.Random(seed), sabotage)
            verdict = await director.play(kill=seed is not None)
        _say(verdict, clock.monotonic() - begun, seed, as_json)
        if keep:
            await _kept(stage)
    return verdict


def _screen(as_json: bool) -> Screen:
    if as_json:
        return Screen()
    return Board(console(), SystemClock()) if sys.stdout.isatty() else Lines(SystemClock())


def _say(verdict: Verdict, seconds: float, seed: int | None, as_json: bool) -> None:
    if as_json:
        print_json({**verdict.to_json(), "seconds": round(seconds, 1), "seed": seed})
        return
    console().print(verdict_page(verdict, seconds))
    if seed is not None:
        print(f"The broker was killed once: `loa demo --kill --seed {seed}` repeats it.")


async def _kept(stage: Stage) -> None:
    """Leaves everything running until Ctrl-C, and says what can be done with it."""
    print(f"\nEverything goes on running until Ctrl-C, with the times of the demo. In another terminal:\n\n"
          f"  export LOA_URL={stage.url} LOA_KEY={stage.key}\n"
          f"  loa send --route breaking --urgent --headline 'Tin thử' --body 'Chỉ là thử.' --wait\n"
          f"  loa channels        loa status        loa status --follow ID\n"
          f"  curl -H \"Authorization: Bearer $LOA_KEY\" $LOA_URL/v1/announcements\n")  # fmt: skip
    print("\n".join(how_to_play(stage.emulators.control_url, stage.emulators.platforms)), flush=True)
    await until_told(asyncio.Event().wait())
