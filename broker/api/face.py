"""What all requests share, and what one handler is called with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel
from structlog.typing import FilteringBoundLogger

from broker.api.doorman import Doorman, Visitor
from broker.clock import Clock
from broker.core import Broker
from broker.errors import NotFound
from broker.metrics import Metrics
from broker.rules.agency import Scope
from broker.rules.text import legal

Q = TypeVar("Q")
B = TypeVar("B")

KIB = 1024
_TO_LETTERS = str.maketrans("0123456789", "ghijklmnop")


@dataclass(frozen=True, slots=True)
class Folder:
    """Files that the API serves to everybody: an own site's pages."""

    prefix: str
    """Path under which they are found, such as `/l`."""
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the API serves."""

    body_limit_bytes: int = 256 * KIB
    body_within_s: float = 15.0
    """How long a body may take to arrive."""
    media_within_s: float = 600.0
    """How long a picture or video may take to arrive."""
    heartbeat_s: float = 15.0
    """Longest silence of an event stream."""
    streams_at_most: int = 1000
    proxies: frozenset[str] = frozenset()
    """Addresses of our own proxies: their X-Forwarded-For names the caller."""
    folders: tuple[Folder, ...] = ()


@dataclass(slots=True, kw_only=True)
class Face:
    """One running API."""

    broker: Broker
    doorman: Doorman
    metrics: Metrics
    clock: Clock
    rng: random.Random
    options: Options
    log: FilteringBoundLogger
    """Bound once: binding costs as much as a line."""
    document: Callable[[], bytes] = bytes
    """Makes the OpenAPI document, off the loop."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0
    """Open event streams."""
    _busy: int = 0
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While one request is under way."""
        self._busy += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

    async def quiet(self, within_s: float) -> None:
        """Returns when no request is under way, or after `within_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._busy:
                    await self._quiet.wait()

    def new_request_id(self) -> str:
        """Sixteen letters: what has no digit is nothing that a log must hide."""
        return f"{self.rng.getrandbits(64):016x}".translate(_TO_LETTERS)


FACE = web.AppKey("FACE", Face)
VISITOR = web.RequestKey("VISITOR", Visitor)
"""Whose request it is, for the log."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request that may be answered: by whom, and what was sent."""

    request: web.Request
    face: Face
    visitor: Visitor | None
    query: Q
    body: B

    @property
    def broker(self) -> Broker:
        return self.face.broker

    @property
    def agency(self) -> str:
        assert self.visitor is not None, "an open operation belongs to no agency"
        return self.visitor.agency

    @property
    def key_name(self) -> str:
        assert self.visitor is not None, "an open operation is called with no key"
        return self.visitor.key.name

    def path(self, name: str) -> str:
        """A part of the path. Raises `NotFound` for text that nothing stored can have."""
        part = self.request.match_info[name]
        if legal(part):
            raise NotFound("Nothing has such a name.")
        return part


Handler = Callable[[Call[Q, B]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success an operation may answer."""

    status: int = 200
    model: type[BaseModel] | None = None
    media_type: str = "application/json"
    says: str = "Done."
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Q, B]):
    """One thing the API does: the route, who may, what comes in, what goes out."""

    method: str
    path: str
    handler: Handler[Q, B]
    summary: str
    scope: Scope | None
    """None: everybody may."""
    query: type[Q]
    body: type[B] | None = None
    file: str = ""
    """What the file is that comes as the body; "" where there is none."""
    headers: tuple[tuple[str, str], ...] = ()
    """Request headers with what they are for."""
    answers: tuple[Answer, ...] = (Answer(),)
    problems: tuple[str, ...] = ()
    """Codes of the catalogue beyond those that follow from scope, path and body."""

    @property
    def name(self) -> str:
        return self.handler.__name__


AnyOperation = Operation[Any, Any]


def said(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A report as JSON."""
    body = model.model_dump_json().encode()
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
