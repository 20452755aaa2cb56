"""What every scenario works with: the world, its platforms, and figures as medians of interleaved rounds."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.processes import Broker, World, output_of

CHANNELS = 5
WINDOW = 64
"""Announcements under way at once; the bare loop has as many posts in flight."""


@dataclass(slots=True)
class Figure:
    """One line of the table: the raw values of all rounds, and what they are compared with round by round."""

    scenario: str
    variant: str
    unit: str
    values: list[float]
    beside: list[float] = field(default_factory=list)
    beside_name: str = ""
    target: str = ""
    reached: bool | None = None
    slow_disk: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def ratios(self) -> list[float]:
        return [value / other for value, other in zip(self.values, self.beside, strict=True)] if self.beside else []

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ratios) if self.beside else None

    def at_least(self, least: float) -> Figure:
        """Its ratio is to be at least this."""
        self.target = f"≥ {least:g}"
        self.reached = self.ratio is not None and self.ratio >= least
        return self

    def at_most(self, most: float) -> Figure:
        """Its median is to be at most this."""
        self.target = f"≤ {most:g} {self.unit}"
        self.reached = self.median <= most
        return self

    def within(self, share: float) -> Figure:
        """Its ratio is to be 1, give or take `share`."""
        self.target = f"1 ± {share:g}"
        self.reached = self.ratio is not None and abs(self.ratio - 1) <= share
        return self


@dataclass(slots=True)
class Lab:
    folder: Path
    world: World
    ports: list[int]
    slow_disk: Path | None
    """The library that makes every fsync slow; None without a compiler."""
    fast: Broker
    """Five channels, this machine's disk."""
    slow: Broker | None
    """The same with 2 ms per fsync."""
    rounds: int
    seed: int
    size: float
    """1: as in `make bench`; smaller: fewer announcements in every round."""
    deep: bool = False
    warm_up: bool = True
    """The first round of every measure is not counted."""
    figures: list[Figure] = field(default_factory=list)

    def count(self, full: int, least: int = 20) -> int:
        return max(least, int(full * self.size))

    def add(self, *figures: Figure) -> None:
        for figure in figures:
            self.figures.append(figure)
            print(line(figure), flush=True)

    async def interleaved(self, measures: Mapping[str, Measure]) -> dict[str, list[float]]:
        """Each measure once a round, so that what disturbs the machine disturbs all of them."""
        found: dict[str, list[float]] = {name: [] for name in measures}
        for number in range(self.rounds + self.warm_up):
            for name, measure in measures.items():
                value = await measure()
                if number or not self.warm_up:
                    found[name].append(value)
        return found

    async def bare(self, posts: int, channels: int = CHANNELS, in_flight: int = WINDOW) -> float:
        """Posts a second of the bare loop."""
        ports = map(str, self.ports[:channels])
        said = await output_of(
            "-m", "benchmarks.bare", "--ports", *ports, "--count", str(posts), "--in-flight", str(in_flight),
            "--seed", str(self.seed),
        )  # fmt: skip
        return posts / float(said["seconds"])

    async def deliver(self, broker: Broker, announcements: int, per: int = CHANNELS, **options: Any) -> Delivered:
        """Posts announcements and waits until all are delivered and recorded; with `settle=False`, for those that stay
        open, until the broker has nothing more to do."""
        await self.quiet(broker)
        cpu = broker.cpu_s
        self.seed += 1
        arguments = {"window": WINDOW, **broker.address, **options}
        said = await self.world.do("announce", count=announcements, per=per, seed=self.seed, **arguments)
        if wrong := {s: n for s, n in said["statuses"].items() if s != "202"}:
            raise RuntimeError(f"not all announcements were accepted: {wrong}")
        if not options.get("settle", True):
            await self.quiet(broker)
        deliveries = announcements * max(per, 1)
        return Delivered(said, deliveries, announcements, broker.cpu_s - cpu)

    async def quiet(self, broker: Broker, within_s: float = 3.0) -> None:
        """Until the broker uses next to no processor time."""
        until, before = time.monotonic() + within_s, broker.cpu_s
        while time.monotonic() < until:
            await asyncio.sleep(0.1)
            if broker.cpu_s - before <= 0.02:
                return
            before = broker.cpu_s


@dataclass(slots=True)
class Delivered:
    said: dict[str, Any]
    deliveries: int
    announcements: int
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Deliveries a second, until the last is recorded."""
        return self.deliveries / float(self.said["seconds"])

    @property
    def announcements_per_s(self) -> float:
        return self.announcements / float(self.said["seconds"])

    @property
    def cpu_us(self) -> float:
        """Processor time of the broker for each delivery."""
        return self.cpu_s / self.deliveries * 1e6

    @property
    def cpu_us_per_announcement(self) -> float:
        return self.cpu_s / self.announcements * 1e6


Measure = Callable[[], Awaitable[float]]


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def line(figure: Figure) -> str:
    """One figure for a terminal."""
    spread = f"({min(figure.values):,.4g} … {max(figure.values):,.4g})"
    ratio = f"  ratio {figure.ratio:.3f} to {figure.beside_name}" if figure.ratio is not None else ""
    mark = "" if figure.reached is None else "  reached" if figure.reached else "  NOT REACHED"
    disk = " [2 ms disk]" if figure.slow_disk else ""
    wanted = f"  wanted {figure.target}" if figure.target else ""
    return (
        f"{figure.scenario:22} {figure.variant}{disk}: {figure.median:,.4g} {figure.unit} {spread}{ratio}{wanted}{mark}"
    )
