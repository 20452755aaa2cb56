"""Emulators as a process of their own, steered through one control port that speaks HTTP and JSON.

    GET    /health         {"ok": true}
    GET    /platforms      {"facebook": {"base_urls": {"api": "http://…"}, "settings": {…}, "steps": […], "faults": […],
                                         "hooks": {…}}}: `settings` are those of a channel that talks to it
    GET    /{name}/log          the platform's log, see `PlatformLog`
    GET    /{name}/faults       the faults in force
    POST   /{name}/faults       one fault, see `Fault`: {"kind": "stall", "step": "publish", "times": 1}
    DELETE /{name}/faults       all is well again
    POST   /{name}/{hook}       a platform's own hook with its arguments: /facebook/remove_post {"post_id": "…"}

What is wrong with a request is answered 4xx with {"error": "a sentence"}. `ControlClient` speaks all this from Python.
"""

import asyncio
import importlib
import inspect
import json
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession, ClientTimeout, web

from adapters.emulators.base import Emulator
from adapters.emulators.faults import Fault, FaultError
from adapters.emulators.log import PlatformLog
from adapters.emulators.pointing import OPTIONS, settings_for


class ControlError(Exception):
    """The control port refused; the text says why."""


@cache
def emulators() -> tuple[str, ...]:
    """The adapters that have an emulator of their name in this package."""
    adapters = sorted(entry.name for entry in entry_points(group="loa.adapters"))
    return tuple(name for name in adapters if find_spec(f"{__package__}.{name}"))


def make_emulator(name: str, **options: Any) -> Emulator:
    """An emulator by its name, not started. ControlError lists the names there are."""
    if name not in emulators():
        raise ControlError(f"no emulator {name!r}: choose from {', '.join(emulators())}")
    module = importlib.import_module(f"{__package__}.{name}")
    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, Emulator)]
    emulator = next(kind for kind in kinds if kind.__dict__.get("name") == name)(**{**OPTIONS.get(name, {}), **options})
    assert isinstance(emulator, Emulator)
    return emulator


class Sandbox:
    """Several emulators under one control port, all started and stopped together."""

    def __init__(self, emulators: Iterable[Emulator], *, control_port: int = 0) -> None:
        self.emulators = {emulator.name: emulator for emulator in emulators}
        self._control_port = control_port
        self._runner = web.AppRunner(self._app(), handle_signals=False, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        try:
            for emulator in self.emulators.values():
                await emulator.start()
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", self._control_port).start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        await self._runner.cleanup()
        for emulator in self.emulators.values():
            await emulator.stop()

    @property
    def control_url(self) -> str:
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def platforms(self) -> dict[str, dict[str, object]]:
        """What runs, where, and what can be done to it."""
        return {name: _description(emulator) for name, emulator in self.emulators.items()}

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_errors_as_json])
        app.router.add_get("/health", self._health)
        app.router.add_get("/platforms", self._platforms)
        app.router.add_get("/{name}/log", self._log)
        app.router.add_get("/{name}/faults", self._faults)
        app.router.add_post("/{name}/faults", self._fail)
        app.router.add_delete("/{name}/faults", self._heal)
        app.router.add_post("/{name}/{hook}", self._hook)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _platforms(self, request: web.Request) -> web.Response:
        return web.json_response(self.platforms())

    async def _log(self, request: web.Request) -> web.Response:
        return web.json_response(self._named(request).log.to_json())

    async def _faults(self, request: web.Request) -> web.Response:
        return web.json_response([fault.to_json() for fault in self._named(request).faults.active()])

    async def _fail(self, request: web.Request) -> web.Response:
        emulator = self._named(request)
        fault = Fault.from_json(await _arguments(request)).to_json()
        await emulator.fail(str(fault.pop("kind")), **fault)
        return await self._faults(request)

    async def _heal(self, request: web.Request) -> web.Response:
        await self._named(request).heal()
        return web.json_response([])

    async def _hook(self, request: web.Request) -> web.Response:
        emulator, wanted = self._named(request), request.match_info["hook"]
        hooks = emulator.hooks()
        if wanted not in hooks:
            raise ControlError(f"{emulator.name} has no hook {wanted!r}: choose from {', '.join(hooks)}")
        result = _called(wanted, hooks[wanted], await _arguments(request))
        return web.json_response({"result": await result if inspect.isawaitable(result) else result})

    def _named(self, request: web.Request) -> Emulator:
        name = request.match_info["name"]
        if name not in self.emulators:
            raise ControlError(f"{name!r} does not run here: choose from {', '.join(self.emulators)}")
        return self.emulators[name]


def _description(emulator: Emulator) -> dict[str, object]:
    return {
        "base_urls": emulator.base_urls,
        "settings": settings_for(emulator),
        "steps": sorted(emulator.steps()),
        "faults": sorted(emulator.kinds),
        "hooks": {name: str(inspect.signature(method)) for name, method in emulator.hooks().items()},
    }


@web.middleware
async def _errors_as_json(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    try:
        response = await handler(request)
    except (ControlError, FaultError, LookupError, ValueError) as error:
        return web.json_response({"error": str(error)}, status=400)
    except web.HTTPException as error:
        return web.json_response({"error": f"{error.reason}: {request.method} {request.path}"}, status=error.status)
    assert isinstance(response, web.StreamResponse)
    return response


async def _arguments(request: web.Request) -> dict[str, Any]:
    text = await request.text()
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise ControlError("send the arguments as one JSON object")
    return arguments


def _called(name: str, method: Callable[..., object], arguments: Mapping[str, Any]) -> object:
    signature = inspect.signature(method)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ControlError(f"{name}{signature}: {error}") from error
    return method(**arguments)


class ControlClient:
    """Steers a sandbox that runs elsewhere. Every method raises ControlError with the sandbox's own sentence."""

    def __init__(self, control_url: str) -> None:
        self._url = control_url.rstrip("/")
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(timeout=ClientTimeout(total=10))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def health(self) -> bool:
        return bool((await self._call("GET", "/health"))["ok"])

    async def platforms(self) -> dict[str, dict[str, Any]]:
        """Name -> base_urls (host -> URL), steps, faults, hooks."""
        answer = await self._call("GET", "/platforms")
        assert isinstance(answer, dict)
        return answer

    async def log(self, name: str) -> PlatformLog:
        return PlatformLog.from_json(await self._call("GET", f"/{name}/log"))

    async def until(self, name: str, condition: Callable[[PlatformLog], object], timeout: float = 60.0) -> PlatformLog:
        """The log once it meets `condition`, asked for twenty times a second. TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while True:
                log = await self.log(name)
                if condition(log):
                    return log
                await asyncio.sleep(0.05)

    async def faults(self, name: str) -> list[Fault]:
        return [Fault.from_json(fault) for fault in await self._call("GET", f"/{name}/faults")]

    async def fail(self, name: str, kind: str, **rest: object) -> None:
        """As `Emulator.fail`."""
        await self._call("POST", f"/{name}/faults", {"kind": kind, **rest})

    async def heal(self, name: str) -> None:
        await self._call("DELETE", f"/{name}/faults")

    async def hook(self, name: str, hook: str, **arguments: object) -> Any:
        """Run a platform's own hook; gives its result."""
        return (await self._call("POST", f"/{name}/{hook}", arguments))["result"]

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        assert self._session is not None, "use the client with `async with`"
        async with self._session.request(method, self._url + path, json=body) as response:
            answer = await response.json()
        if response.status >= 400:
            raise ControlError(answer["error"])
        return answer


def _read_on(stop: asyncio.Event) -> None:
    if not os.read(0, 1024):
        stop.set()


async def run_sandbox(
    control_port: int = 0,
    names: Sequence[str] | None = None,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    ready: Callable[[Sandbox], None] | None = None,
    until_eof: bool = False,
) -> None:
    """Run the named emulators, or all, until SIGINT or SIGTERM; `ready` is told once all listen.

    `until_eof`: also end when stdin does, which happens when the process that started this one ends in any way.
    `options` are constructor arguments by name, for instance {"facebook": {"lag": (0, 0), "ports": [9101]}}.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if until_eof:
        asyncio.get_running_loop().add_reader(0, _read_on, stop)
    chosen = [make_emulator(name, **(options or {}).get(name, {})) for name in names or emulators()]
    async with Sandbox(chosen, control_port=control_port) as sandbox:
        if ready is not None:
            ready(sandbox)
        await stop.wait()
