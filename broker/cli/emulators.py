"""Emulated platforms as a process of their own, and their control port: the adapters' package is never imported."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from types import TracebackType
from typing import Any, Self

import aiohttp

from broker.cli.processes import Child, running
from broker.errors import LoaError, RequestError

MODULE = "adapters.emulators"
TIMEOUT = aiohttp.ClientTimeout(total=10)


class Emulators:
    """What runs where (`platforms`), and the port that steers it."""

    def __init__(self, control_url: str, platforms: Mapping[str, Mapping[str, Any]], child: Child) -> None:
        self.control_url, self.platforms, self.child = control_url, platforms, child
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def log(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """Everything the platform took in, and every request: the only witness that counts."""
        answer = await self._call("GET", f"/{name}/log")
        return dict(answer)

    async def fail(self, name: str, kind: str, **rest: object) -> None:
        await self._call("POST", f"/{name}/faults", {"kind": kind, **rest})

    async def heal(self, name: str) -> None:
        await self._call("DELETE", f"/{name}/faults")

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        assert self._session is not None, "use it with `async with`"
        try:
            async with self._session.request(method, self.control_url + path, json=body) as response:
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LoaError(f"The emulated platforms do not answer ({type(error).__name__}).") from None
        if response.status >= 400:
            raise RequestError(f"The emulated platforms refuse: {answer['error']}.")
        return answer


@asynccontextmanager
async def emulated(
    names: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    control_port: int = 0,
) -> AsyncIterator[Emulators]:
    """The named platforms on loopback, until the end of the block. Raises `ProcessFailed` when they do not start."""
    given = ["--until-eof", "--control-port", str(control_port), "--options", json.dumps(options or {})]
    arguments = ["-m", MODULE, *given, *names]
    async with running("the emulated platforms", arguments, environment, log) as child:
        ready = json.loads(await child.first_line())
        async with Emulators(ready["control"], ready["platforms"], child) as emulators:
            yield emulators


def how_to_play(control: str, platforms: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Where the platforms are, and how to make them fail."""
    width = max(map(len, platforms))
    for name, platform in platforms.items():
        yield f"  {name:{width}}  {next(iter(platform['base_urls'].values()))}"
    name = "facebook" if "facebook" in platforms else next(iter(platforms))
    yield f'\nBreak one:      curl -X POST {control}/{name}/faults -d \'{{"kind": "refused"}}\''
    yield f"Make it well:   curl -X DELETE {control}/{name}/faults"
    yield f"What it took:   curl {control}/{name}/log"
    yield f"All it can do:  curl {control}/platforms"
    kinds = f"Its faults:     {', '.join(platforms[name]['faults'])}"
    yield fill(kinds, min(get_terminal_size().columns, 100), subsequent_indent=" " * 16, break_on_hyphens=False)
