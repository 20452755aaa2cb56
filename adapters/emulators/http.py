"""Emulators of platforms that speak HTTP: routes, requests read as a whole, and the faults of an exchange."""

import asyncio
import json
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, Emulator
from adapters.emulators.door import ProtocolFactory, reset
from adapters.emulators.faults import CONNECTION, EXCHANGE, SHAPED, Fault, FaultError, Kind
from adapters.emulators.log import Request

WIRE = CONNECTION | EXCHANGE
"""What every HTTP emulator can do without knowing its platform."""

_HTML = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>{}</h1></body></html>"
_MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read to its end before anything is decided, so that it can also be run after its client left."""

    request: web.Request
    step: str
    host: str
    body: bytes  # as it came; empty for multipart
    params: Mapping[str, str]  # query, form, multipart and top level of JSON, later ones winning; nested JSON as text
    json: Any  # the JSON body, or None
    files: Mapping[str, bytes]

    @property
    def match(self) -> Mapping[str, str]:
        """The parts of the path."""
        return self.request.match_info

    @property
    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer`."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


def _always(request: web.Request) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Route:
    """One call of a platform. `host` None: on all hosts. Routes are tried in order.

    `fits` tells calls apart that share method and path.
    """

    method: str
    path: str  # aiohttp's form: /{page}/feed; a part named {token} is masked in the log
    step: str
    handler: Handler
    writes: bool = field(default=False, kw_only=True)
    host: str | None = field(default=None, kw_only=True)
    fits: Callable[[web.Request], bool] = field(default=_always, kw_only=True)


class Refused(Exception):
    """Raised by a handler to answer otherwise; `verdict` is what the log calls it."""

    def __init__(self, response: web.Response, verdict: str = "") -> None:
        super().__init__(verdict)
        self.response = response
        self.verdict = verdict or str(response.status)


class HttpEmulator(Emulator):
    """A platform that speaks HTTP."""

    kinds = WIRE

    def __init__(self, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self._runners: dict[str, web.AppRunner] = {}

    @abstractmethod
    def routes(self) -> Iterator[Route]:
        """The calls of this platform."""

    def shape(self, fault: Fault, call: Call) -> web.Response:
        """How this platform words a fault of `SHAPED`. Needed for those that `kinds` names."""
        raise NotImplementedError(
            f"{type(self).__name__} names {fault.kind} in `kinds`: say in `shape` how it words it."
        )

    def unknown_path(self, call: Call) -> web.Response:
        """The platform's answer to a path it does not have."""
        return web.Response(status=404, text="Not Found")

    def finish(self, call: Call, response: web.StreamResponse) -> None:
        """A last touch, such as quota headers, on every answer in the platform's own words."""

    def verdict(self, call: Call, response: web.StreamResponse) -> str:
        """What the log says of an answer; for platforms that hide failure in HTTP 200."""
        return str(response.status)

    @override
    def steps(self) -> Mapping[str, bool]:
        return {route.step: route.writes for route in self.routes()}

    @override
    def protocol(self, host: str) -> ProtocolFactory:
        server = self._runners[host].server
        assert server is not None
        return server

    @override
    async def start(self) -> None:
        for host in self.hosts:
            runner = web.AppRunner(self._app(host), handle_signals=False, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            self._runners[host] = runner
        await super().start()

    @override
    async def stop(self) -> None:
        await super().stop()
        for runner in self._runners.values():
            await runner.cleanup()
        self._runners.clear()

    def _app(self, host: str) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        shared: dict[tuple[str, str], list[Route]] = {}
        for route in (*self.routes(), Route("*", "/{path:.*}", "unknown", self._unknown)):
            if route.host in (None, host):
                shared.setdefault((route.method, route.path), []).append(route)
        for (method, path), routes in shared.items():
            app.router.add_route(method, path, self._serve(routes, host))
        return app

    async def _unknown(self, call: Call) -> web.Response:
        return self.unknown_path(call)

    def _serve(self, routes: Sequence[Route], host: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            route = next(route for route in routes if route.fits(request))
            record = self.record(request.method, _masked(request), route.step, host)
            call = await _read(request, route.step, host)
            fault = self.faults.take(EXCHANGE | SHAPED, route.step, host)
            if fault is None:
                response, record.verdict = await self._run(route, call)
                return response
            record.verdict = fault.kind
            return await self._go_wrong(fault, route, call, record)

        return serve

    async def _run(self, route: Route, call: Call) -> tuple[web.StreamResponse, str]:
        try:
            response = await route.handler(call)
            verdict = self.verdict(call, response)
        except Refused as refused:
            response, verdict = refused.response, refused.verdict
        self.finish(call, response)
        self.tell()
        return response, verdict

    async def _go_wrong(self, fault: Fault, route: Route, call: Call, record: Request) -> web.StreamResponse:
        """Carry out one exchange or shaped fault."""
        match fault.kind:
            case Kind.RESET_BEFORE:
                return _hang_up(call)
            case Kind.STALL:
                return await self._never_answer(call)
            case Kind.RUN_LATER:
                self.later(40.0 if fault.after is None else fault.after, lambda: self._run(route, call))
                return await self._never_answer(call)
            case Kind.STORED_THEN_RESET:
                await self._run(route, call)
                return _hang_up(call)
            case Kind.STORED_THEN_STALL:
                await self._run(route, call)
                return await self._never_answer(call)
            case Kind.TRUNCATED_JSON:
                body = await self._body_of(route, call)
                return web.Response(body=body[: len(body) // 2], content_type="application/json")
            case Kind.SLOW_DRIP:
                return await self._drip(call, await self._body_of(route, call), fault)
        if fault.stored:
            await self._run(route, call)
        if fault.kind not in SHAPED:
            return _canned(fault.kind)
        response = self.shape(fault, call)
        self.finish(call, response)
        return response

    async def _never_answer(self, call: Call) -> web.Response:
        await self.hang()
        return _hang_up(call)

    async def _body_of(self, route: Route, call: Call) -> bytes:
        response, _ = await self._run(route, call)
        body = response.body if isinstance(response, web.Response) else None
        return body if isinstance(body, bytes) else b""

    async def _drip(self, call: Call, body: bytes, fault: Fault) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(call.request)
        released = self._waiting
        for byte in body:
            await response.write(bytes([byte]))
            try:
                await asyncio.wait_for(released.wait(), 0.5 if fault.after is None else fault.after)
            except TimeoutError:
                continue
            return _hang_up(call)
        return response


def _canned(kind: Kind) -> web.Response:
    match kind:
        case Kind.HTML_500:
            return web.Response(status=500, text=_HTML.format("500 Internal Server Error"), content_type="text/html")
        case Kind.HTML_503:
            return web.Response(status=503, text=_HTML.format("503 Service Unavailable"), content_type="text/html")
        case Kind.GARBAGE_200:
            return web.Response(body=b"\x00\xff<<< not json \xfe", content_type="application/json")
        case Kind.EMPTY_200:
            return web.Response(body=b"", content_type="application/json")
    raise FaultError(f"no answer is known for {kind!r}")


def _hang_up(call: Call) -> web.Response:
    """Reset the connection; what is returned goes nowhere."""
    reset(call.request.transport)
    return web.Response()


def _masked(request: web.Request) -> str:
    token = request.match_info.get("token")
    return request.path.replace(token, "***") if token else request.path


async def _read(request: web.Request, step: str, host: str) -> Call:
    params: dict[str, str] = dict(request.query)
    files: dict[str, bytes] = {}
    document: Any = None
    body = b"" if request.content_type.startswith("multipart/") else await request.read()
    if request.content_type == "application/json":
        document = _parse(body)
        if isinstance(document, dict):
            params |= {key: _as_text(value) for key, value in document.items() if value is not None}
    else:
        for key, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files[key] = value.file.read()
            else:
                params[key] = str(value)
    return Call(request, step, host, body, params, document, files)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
