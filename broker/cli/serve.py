"""The broker with its HTTP API, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker import logs
from broker.api import Folder, Options, create_app, run_server
from broker.cli.emulators import Emulators, emulated, how_to_play
from broker.cli.exits import Exit
from broker.cli.keys import new_key
from broker.cli.processes import at_eof
from broker.cli.sandboxed import adapters_of, pointed_at, with_key, with_variables
from broker.cli.show import print_line, whisper
from broker.cli.watchdog import watchdog
from broker.core import Broker
from broker.engine.switches import Switches
from broker.errors import ConfigError
from broker.pages.app import add_pages
from broker.settings import Configuration, load, load_adapters
from broker.wiring import open_broker

Ready = Callable[[str], None]
GARBAGE_AT = 50_000
"""New objects before the collector looks for cycles among them; Python's own 700 costs a seventh of all time."""
SWITCH_S = 0.0005
"""The writer's thread asks for the interpreter after every statement: 5 ms each, Python's own, make commits slow."""


def serve_configured(config: Path | None, sandbox: bool, as_json: bool, until_eof: bool) -> int:
    """`loa serve`: reads the configuration, then serves until told to stop."""
    logs.configure(as_json=not sys.stderr.isatty(), level="warning" if sandbox and sys.stderr.isatty() else "info")
    configuration = load(config, os.environ, load_adapters())
    if sandbox:
        return run(serve_sandboxed(configuration, as_json))
    return run(serve_until_stopped(configuration, lambda url: _say_ready(url, as_json), until_eof=until_eof))


def run(work: Coroutine[Any, Any, int]) -> int:
    """On uvloop where it is installed."""
    sys.setswitchinterval(SWITCH_S)
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


async def serve_until_stopped(
    configuration: Configuration, ready: Ready, *, switches: Switches | None = None, until_eof: bool = False
) -> int:
    """Serves; `ready` gets the API's address. Ends with 1 when store or lease were lost: then a new start is needed.

    `until_eof`: stops as well when stdin ends.
    """
    switches = switches or Switches()
    stop, failed = asyncio.Event(), asyncio.Event()
    loop, server = asyncio.get_running_loop(), configuration.server

    def fail() -> None:
        """May be called from the writer's thread."""
        loop.call_soon_threadsafe(failed.set)
        loop.call_soon_threadsafe(stop.set)

    if until_eof:
        at_eof(stop.set)
    watched = watchdog(switches.hung_after_s)
    async with open_broker(configuration, on_failed=fail, switches=switches) as broker, watched:
        _spare_the_collector()
        _say_restored(broker, configuration)
        app = create_app(
            broker, Options(body_limit_bytes=server.body_limit_bytes, folders=tuple(folders(configuration)))
        )
        add_pages(app, server.public_url)
        drain = server.drain_for.total_seconds()
        try:
            await run_server(
                app, server.host, server.port, stop=stop, finish_within_s=drain, on_ready=lambda *at: ready(_url(*at))
            )
        except OSError as error:
            why = (error.strerror or str(error)).rpartition(": ")[2]
            problem = f"server.listen: {server.listen} cannot be used: {why}; stop what uses it, or choose another"
            raise ConfigError([problem]) from None
        loop.add_signal_handler(signal.SIGTERM, _say_patience)
    return Exit.NOT_REACHED if failed.is_set() else Exit.OK


def _spare_the_collector() -> None:
    """What is there now stays; and what comes is seldom part of a cycle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AT, 20, 100)


def _say_restored(broker: Broker, configuration: Configuration) -> None:
    """Whoever starts a restored broker must not take its silence for a fault."""
    for agency in configuration.agencies:
        if at := broker.restored_from(agency):
            day = at.astimezone(configuration.agencies[agency].zone).strftime("%d.%m.%Y %H:%M")
            whisper(f"loa: {agency} was restored from a backup of {day}: announcements are taken in, nothing is sent.")
            whisper("loa: `loa confirm-restore skip` (or `send`) decides about what is older; then all goes on.")


def _say_patience() -> None:
    """What is under way is being recorded; whoever cannot wait presses Ctrl-C: nothing is lost by it."""
    whisper("loa: stopping already")


def folders(configuration: Configuration) -> Iterator[Folder]:
    """Own sites and media folders with a path of their own, such as /l: served beside the API, for a proxy to fetch."""
    for agency in configuration.agencies.values():
        for one in agency.channels.values():
            folder, url = getattr(one.settings, "folder", None), getattr(one.settings, "url", None)
            prefix = urlsplit(str(url or "")).path.rstrip("/")
            if one.channel.profile.own and folder and prefix and not prefix.startswith(("/v1", "/desk")):
                yield Folder(prefix, Path(folder))
        media = agency.media
        prefix = urlsplit(media.url or "").path.rstrip("/")
        if media.folder and prefix and not prefix.startswith(("/v1", "/desk")):
            yield Folder(prefix, media.folder)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _say_ready(url: str, as_json: bool, **more: Any) -> None:
    if as_json:
        print_line({"url": url, "pid": os.getpid(), **more})
    else:
        print(f"Loa listens on {url}", flush=True)


# the sandbox


async def serve_sandboxed(configuration: Configuration, as_json: bool) -> int:
    """As `serve`, with every channel at an emulated platform, a store in a temporary folder, and one more key."""
    key, digest = new_key()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-sandbox-")))
        options = {"site": {"folder": str(folder / "site")}}
        names = adapters_of(configuration)
        emulators = await stack.enter_async_context(emulated(names, os.environ, folder / "emulators.log", options))
        variables = pointed_at(configuration, emulators.platforms, folder / "loa.db") | with_key(configuration, digest)
        pointed = load(configuration.path, with_variables(os.environ, variables), load_adapters())
        return await serve_until_stopped(pointed, lambda url: _say_sandboxed(url, key, emulators, as_json))


def _say_sandboxed(url: str, key: str, emulators: Emulators, as_json: bool) -> None:
    _say_ready(url, as_json, key=key, control=emulators.control_url, platforms=emulators.platforms)
    if not as_json:
        print(f"\n  export LOA_URL={url} LOA_KEY={key}\n  loa send --headline 'Tin thử' --body 'Chỉ là thử.' --wait\n")
        print(f"  {url}/desk in a browser, with the same key, shows what readers see\n")
        print("\n".join(how_to_play(emulators.control_url, emulators.platforms)), flush=True)
