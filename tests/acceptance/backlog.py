"""R25 and P8: a store full of announcements that wait, and nobody answers: memory, and the queries that find work."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import statistics
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import aiohttp

from benchmarks.fill import fill
from broker.clock import SystemClock
from broker.store.codec import to_micros
from broker.store.queries import Queries
from tests.acceptance.processes import PATIENCE_S, StartedLife, send, started
from tests.acceptance.rig import KEY, as_toml, free_port

CHANNELS = 10
ASKED = 50


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a broker needed that started with so much to do and nobody to send it to."""

    queued: int
    ready_s: float
    peak_rss_mb: float
    queries_ms: dict[str, float]
    """The median of each that finds work, in `ASKED` runs."""
    scans: list[str]
    """Queries that read a whole table."""


async def waits(folder: Path, queued: int, *, for_s: float) -> Backlog:
    """Fills a store with so many announcements of ten deliveries whose platforms all refuse, and lets a broker try."""
    port, store = free_port(), folder / "loa.db"
    config = folder / "loa.toml"
    config.write_text(as_toml(_settings(port, store)), encoding="utf-8")
    life = await _serving(config, port)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        body = {"headline": "Tin mẫu", "body": "Cầu Long Biên tạm đóng từ 23 giờ đêm nay để sửa chữa."}
        async with session.post(f"http://127.0.0.1:{port}/v1/announcements", json=body) as response:
            assert response.status == 202, await response.text()
    send(life, SIGTERM)
    await life.ended()
    await asyncio.to_thread(fill, store, queued, 0)
    begun = time.monotonic()
    life = await _serving(config, port, within=10 * PATIENCE_S)
    ready_s = time.monotonic() - begun
    await asyncio.sleep(for_s)  # what is measured: the time in which it finds out that nobody is there
    peak = _peak_rss_mb(life)
    send(life, SIGKILL)
    await life.ended()
    queries = await asyncio.to_thread(_asked, store)
    return Backlog(queued, round(ready_s, 1), peak, queries, _scans(store))


def _settings(port: int, store: Path) -> dict[str, Any]:
    nobody = f"http://127.0.0.1:{free_port()}/hook"
    key = {"name": "test", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "scopes": ["send", "read"]}
    channel = {"adapter": "webhook", "url": nobody, "allow_private": True, "country": "VN", "probe_every": "5s"}
    return {
        "server": {"listen": f"127.0.0.1:{port}"},
        "store": {"url": f"sqlite:///{store}"},
        "agency": {"name": "Tin Ví Dụ", "prefix": "TVD", "keys": [key]},
        "channels": {f"w{n}": {**channel, "operator": f"partner{n}"} for n in range(CHANNELS)},
    }


async def _serving(config: Path, port: int, within: float = PATIENCE_S) -> StartedLife:
    command = [sys.executable, "-m", "broker", "serve", "--config", str(config)]
    life = await started(command, {}, config.with_suffix(".log"))
    async with aiohttp.ClientSession() as session, asyncio.timeout(within):
        while True:
            assert not life.is_over, config.with_suffix(".log").read_text(encoding="utf-8")[-2000:]
            with suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200:
                        return life
            await asyncio.sleep(0.05)


def _peak_rss_mb(life: StartedLife) -> float:
    lines = Path(f"/proc/{life.pid}/status").read_text(encoding="utf-8").splitlines()
    [kb] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return round(int(kb) / 1024, 1)


# the queries


def _queries(now: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Those that are asked all the time, as a run asks them after a start."""
    sql = Queries()
    return {
        "claim": (sql["claimable"], {"owner": None, "until": now, "limit": 100}),
        "wake": (sql["woken"], {"run": "nobody", "now": now, "limit": 200}),
        "due": (sql["due"], {"agency": "agency", "channel": "w0", "now": now, "limit": 100}),
    }


def _asked(store: Path) -> dict[str, float]:
    found = {}
    with closing(sqlite3.connect(store)) as db:
        for name, (query, parameters) in _queries(_now()).items():
            took = []
            for _ in range(ASKED):
                begun = time.perf_counter()
                db.execute(query, parameters).fetchall()
                took.append(1000 * (time.perf_counter() - begun))
            found[name] = round(statistics.median(took), 2)
    return found


def _scans(store: Path) -> list[str]:
    """SCAN of a table, not of an index: its cost grows with everything there is."""
    found = []
    with closing(sqlite3.connect(store)) as db:
        for name, (query, parameters) in _queries(_now()).items():
            steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", parameters)]
            found += [f"{name}: {step}" for step in steps if step.startswith("SCAN") and "INDEX" not in step]
    return found


def _now() -> int:
    return to_micros(SystemClock().now())
