"""The real processes of a benchmark: the world, the broker, and what they are compared with."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEY = "loa_benchmark_key_0123456789abcdef"
TICK = os.sysconf("SC_CLK_TCK")
FSYNC_US = 2000


@dataclass(slots=True)
class Process:
    """A child that is ended by its own pid."""

    child: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def cpu_s(self) -> float:
        """Processor time used so far, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    @property
    def cpu_s_by_thread(self) -> dict[str, float]:
        """The same, finer: that of the event loop's thread, and of all others (the writer's, mostly)."""
        found = {"loop": 0.0, "writer": 0.0}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            used = int((task / "schedstat").read_text().split()[0]) / 1e9
            found["loop" if task.name == str(self.pid) else "writer"] += used
        return found

    @property
    def rss_mb(self) -> float:
        """Resident memory now and at its peak would differ: this is now."""
        return self._status("VmRSS")

    @property
    def peak_rss_mb(self) -> float:
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))

    def kill(self) -> None:
        if self.child.returncode is None:
            self.child.kill()

    async def end(self, within_s: float = 15.0) -> None:
        """SIGTERM, then SIGKILL; waits."""
        if self.child.returncode is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.child.wait(), within_s)
        except TimeoutError:
            self.child.kill()
            await self.child.wait()


@dataclass(slots=True)
class World(Process):
    """See `benchmarks.world`: each attribute call is one command."""

    async def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        assert self.child.stdin
        assert self.child.stdout
        self.child.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await self.child.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"world: {command}: {answer['error']}")
        return answer


@dataclass(slots=True)
class Broker(Process):
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def address(self) -> dict[str, Any]:
        return {"host": self.host, "port": self.port, "key": KEY}


async def start(*arguments: str, env: Mapping[str, str] | None = None, stderr: Path | None = None) -> Any:
    errors = stderr.open("ab") if stderr else None
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=errors, limit=1 << 24,
        )  # fmt: skip
    finally:
        if errors:
            errors.close()


@asynccontextmanager
async def world(platforms: int) -> AsyncIterator[tuple[World, list[int]]]:
    process = World(await start("-m", "benchmarks.world"))
    try:
        yield process, (await process.do("open", count=platforms))["ports"]
    finally:
        await process.end()


@asynccontextmanager
async def broker(config: Path, slow_disk: Path | None = None, profile: Path | None = None) -> AsyncIterator[Broker]:
    """`loa serve` with this configuration; `profile` gets cProfile's statistics."""
    process = await serve(config, slow_disk, profile)
    try:
        yield process
    finally:
        await process.end()


async def serve(config: Path, slow_disk: Path | None = None, profile: Path | None = None) -> Broker:
    env = {"LD_PRELOAD": str(slow_disk), "SLOW_DISK_US": str(FSYNC_US)} if slow_disk else {}
    under = ("-m", "cProfile", "-o", str(profile)) if profile else ()
    child = await start(
        *under, "-m", "broker", "serve", "--json", "--config", str(config), env=env, stderr=config.with_suffix(".log")
    )
    async with asyncio.timeout(30):
        said = await _object(child.stdout)
    if "url" not in said:
        raise RuntimeError(f"loa serve: {said} {config.with_suffix('.log').read_text()[-2000:]}")
    host, _, port = said["url"].rpartition("/")[2].rpartition(":")
    return Broker(child, host, int(port))


def configuration(
    config: Path, ports: list[int], *, agencies: int = 1, in_flight: int = 512, routes: str = "", **channel: Any
) -> Path:
    """Writes a configuration with a store beside it. Each port is a channel of an operator and a host of its own; every
    agency has all of them."""
    parts = [f'[server]\nlisten = "127.0.0.1:0"\n[store]\nurl = "sqlite:///{config.with_suffix(".db")}"\n']
    more = "".join(f"{name} = {json.dumps(value)}\n" for name, value in channel.items())
    for number in range(agencies):
        group = "" if agencies == 1 else f"agencies.a{number}."
        key = sha256(key_of(number).encode()).hexdigest()
        scopes = '["send", "read", "operate"]'
        parts.append(
            f'[{group}agency]\nname = "Tin {number}"\nprefix = "{prefix_of(number)}"\n'
            f'keys = [{{ name = "bench", sha256 = "{key}", scopes = {scopes} }}]\n'
        )
        for index, port in enumerate(ports):
            parts.append(
                f'[{group}channels.p{index}]\nadapter = "webhook"\nurl = "http://127.0.0.1:{port}/hooks"\n'
                f'operator = "operator{index}"\nhosts = ["host{index}"]\ncountry = "{"US" if index else "VN"}"\n'
                f"allow_http = true\nallow_private = true\nmax_in_flight = {in_flight}\nrate_per_s = 20000\n{more}"
            )
    config.write_text("".join(parts) + routes, encoding="utf-8")
    return config


def prefix_of(agency: int) -> str:
    """Five letters of its own."""
    return "T" + "".join(chr(65 + agency // 26**place % 26) for place in range(4))


def key_of(agency: int) -> str:
    """The API key of an agency by its number."""
    return f"{KEY}{agency or ''}"


async def output_of(*arguments: str, env: Mapping[str, str] | None = None, within_s: float = 120.0) -> dict[str, Any]:
    """What a process of ours prints as JSON."""
    process = Process(await start(*arguments, env=env))
    try:
        printed, _ = await asyncio.wait_for(process.child.communicate(), within_s)
        found: dict[str, Any] = json.loads(printed)
        return found
    finally:
        await process.end()


async def _object(lines: asyncio.StreamReader) -> dict[str, Any]:
    """One JSON object, however many lines it is printed on; empty if none comes."""
    said = b""
    while line := await lines.readline():
        said += line
        with suppress(ValueError):
            found: dict[str, Any] = json.loads(said)
            return found
    return {}


@asynccontextmanager
async def accepting() -> AsyncIterator[int]:
    """The bare accepting server; its port."""
    process = Process(await start("-m", "benchmarks.accepting"))
    try:
        assert process.child.stdout
        yield json.loads(await process.child.stdout.readline())["port"]
    finally:
        await process.end()


async def slow_disk(folder: Path) -> Path | None:
    """The library that slows every fsync down, compiled here; None without a C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "slow_disk.so"
    source = Path(__file__).with_name("slow_disk.c")
    child = await asyncio.create_subprocess_exec(compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl")
    return library if await child.wait() == 0 else None
