"""Serves the application on a socket until it is told to stop, then lets what is under way finish."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from broker.api.face import FACE, Face
from broker.api.problems import problem_of

try:
    import resource
except ImportError:  # no such limits on this system
    resource = None  # type: ignore[assignment]

log = structlog.get_logger("loa.api")

IDLE_S = 75.0
"""How long a connection may be silent, or a request's head incomplete; longer than proxies keep theirs (60 s)."""
LINGER_S = 2.0
"""How long the rest of a refused body is still read, so that the caller gets the answer."""
BACKLOG = 1024
CONNECTIONS = 65_536

Ready = Callable[[str, int], None]


async def run_server(
    app: web.Application,
    host: str,
    port: int,
    *,
    on_ready: Ready = lambda host, port: None,
    stop: asyncio.Event | None = None,
    finish_within_s: float = 5.0,
    idle_s: float = IDLE_S,
) -> None:
    """Serves until SIGTERM, SIGINT or `stop`; then nothing new is taken in, event streams end, and requests under way
    have `finish_within_s` to finish. `on_ready` gets the bound host and port; port 0 takes a free one.

    The broker is the caller's: close it afterwards, so that what was accepted is drained. Raises `OSError` when the
    address cannot be used.
    """
    stop, face = stop or asyncio.Event(), app[FACE]
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=LINGER_S)
    await runner.setup()
    assert runner.server is not None, "setup makes it"
    _allow_connections()
    connection = partial(_Connection, face, idle_s, runner.server)
    try:
        with _stopped_by_signals(loop, stop):
            server = await loop.create_server(connection, host, port, backlog=BACKLOG)
            bound = server.sockets[0].getsockname()
            log.info("listening", host=bound[0], port=bound[1])
            on_ready(bound[0], bound[1])
            try:
                await stop.wait()
            finally:
                server.close()
        log.info("stopping")
    finally:
        face.stopping.set()
        await face.quiet(finish_within_s)  # aiohttp's own clean-up drops bodies that are still on their way
        await runner.cleanup()


class _Connection(web.RequestHandler):
    """One connection. What is no HTTP gets a problem like everything else, and the log no text that was sent."""

    __slots__ = ("_face",)

    def __init__(self, face: Face, idle_s: float, manager: web.Server) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            logger=_Logger(),  # type: ignore[arg-type]  # has what is called of a Logger
            access_log=None,  # type: ignore[arg-type]  # none is meant
            keepalive_timeout=idle_s,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )
        self._face = face

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        log.warning("bad_http", error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        error = web.HTTPBadRequest() if status < 500 else RuntimeError()
        response = problem_of(error, self._face.new_request_id())
        response.headers["Server"] = "loa"
        response.force_close()
        return response


def _allow_connections() -> None:
    """As many open sockets as this process may have: many systems begin with 1,024, which idle callers use up."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, CONNECTIONS) if most > 0 else CONNECTIONS, most))


@contextmanager
def _stopped_by_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[None]:
    signals = (signal.SIGTERM, signal.SIGINT)
    with suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread, or not on this system
        for one in signals:
            loop.add_signal_handler(one, stop.set)
    try:
        yield
    finally:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            for one in signals:
                loop.remove_signal_handler(one)


class _Logger:
    """What aiohttp says about connections: kinds of errors only, for their texts quote what was sent."""

    def debug(self, message: str, *args: Any, **rest: Any) -> None: ...

    def warning(self, message: str, *args: Any, **rest: Any) -> None:
        log.warning("http", what=message)

    def exception(self, message: str, *args: Any, exc_info: BaseException | None = None, **rest: Any) -> None:
        log.warning("http", what=message, error=type(exc_info).__name__)
