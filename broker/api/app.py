"""The HTTP API as one aiohttp application: a thin translation of the facade `Broker`."""

from __future__ import annotations

import random
import traceback
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog
from aiohttp import web

from broker.api import files
from broker.api.doorman import Doorman, Visitor
from broker.api.face import FACE, VISITOR, AnyOperation, Call, Face, Options
from broker.api.operations import OPERATIONS
from broker.api.problems import problem_of
from broker.api.reading import read_body, read_query
from broker.clock import Clock, SystemClock
from broker.core import Broker
from broker.errors import LoaError
from broker.metrics import Metrics

log = structlog.get_logger("loa.api")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_QUIET = frozenset({"healthz", "readyz", "metrics"})


def create_app(
    broker: Broker,
    options: Options | None = None,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> web.Application:
    """The application; serve it with `broker.api.run_server`. `rng` makes request ids."""
    options, clock = options or Options(), clock or SystemClock()
    app = web.Application(middlewares=[_told])
    app[FACE] = Face(
        broker=broker,
        doorman=Doorman(broker.agencies.values(), clock, options.proxies),
        metrics=Metrics(broker),
        clock=clock,
        rng=rng or random.Random(),
        options=options,
        document=_document,
        log=log.bind(),
    )
    app.add_routes(_route(operation) for operation in OPERATIONS)
    app.add_routes(files.route(folder) for folder in options.folders)
    app.on_response_prepare.append(_common_headers)
    return app


@cache
def _document() -> bytes:
    """The OpenAPI document, made when somebody asks: it costs more than the rest of a start."""
    from broker.api.openapi import document

    return document(OPERATIONS, _version())


def _version() -> str:
    try:
        return version("loa")
    except PackageNotFoundError:
        return "0"


def _route(operation: AnyOperation) -> web.RouteDef:
    add = web.get if operation.method == "GET" else web.post
    return add(operation.path, _handler(operation), name=operation.name, expect_handler=_expected)


def _handler(operation: AnyOperation) -> Handler:
    """Key first, then address, then body: nothing is read of a caller who may not call."""

    async def handle(request: web.Request) -> web.StreamResponse:
        face = request.app[FACE]
        visitor = None
        if operation.scope:
            visitor = request[VISITOR] = face.doorman.admit(request, operation.scope)
        query = read_query(request, operation.query)
        options = face.options
        body = None
        if operation.body is not None:
            body = await read_body(
                request, operation.body, limit=options.body_limit_bytes, within=options.body_within_s
            )
        return await operation.handler(Call(request, face, visitor, query, body))

    return handle


async def _expected(request: web.Request) -> None:
    """Does nothing yet: `100 Continue` is sent when the body is read, so that a refused caller need not send it."""


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error becomes a problem, every request is counted and logged."""
    face = request.app[FACE]
    request_id = face.new_request_id()
    began = face.clock.monotonic()
    try:
        with face.busy():
            response = await handler(request)
    except ConnectionError:
        raise
    except Exception as error:
        if not isinstance(error, LoaError | web.HTTPException):
            _log_bug(error, request_id)
        if request.writer.output_size:
            raise ConnectionResetError("the answer had begun") from None
        response = problem_of(error, request_id)
    _count(request, response, face, began, request_id)
    return response


def _count(request: web.Request, response: web.StreamResponse, face: Face, began: float, request_id: str) -> None:
    name = request.match_info.route.name or "other"
    seconds = face.clock.monotonic() - began
    method = request.method if name != "other" else "any"
    face.metrics.answered(name, method, response.status, seconds)
    if not response.prepared:
        response.headers["X-Request-Id"] = request_id
        if face.stopping.is_set():
            response.force_close()
    if name not in _QUIET:
        face.log.info(
            "request",
            operation=name,
            method=request.method,
            status=response.status,
            ms=round(seconds * 1000, 1),
            request_id=request_id,
            **_who(request.get(VISITOR)),
        )


def _who(visitor: Visitor | None) -> dict[str, str]:
    return {"agency": visitor.agency, "key": visitor.key.name} if visitor else {}


def _log_bug(error: Exception, request_id: str) -> None:
    """Says where, not what: an exception's text may quote what a caller sent."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    where = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    log.error("request_failed", error=type(error).__name__, where=where, request_id=request_id)


async def _common_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "loa"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
