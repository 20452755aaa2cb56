"""Figures for Prometheus, in a registry of their own. Labels are names of the configuration, never texts or contacts.

Counters follow the events of announcements; gauges are read from engine and store when somebody asks. Every agency sees
its own series, and those of the process.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from broker.core import Broker
from broker.model import Case, Event, State
from broker.outcome import Cause
from broker.report import ChannelReport

SECONDS_TO_GOAL = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 900)
SECONDS_OF_A_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15)
CHANNEL_STATES = ("up", "down", "half_open", "paused")

F = TypeVar("F", Counter, Histogram)
Counts = Mapping[tuple[str, str, State, Cause | None], int]


class Metrics:
    """The figures of one process."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.registry = CollectorRegistry()
        r = self.registry
        channel = ("agency", "channel")
        self._accepted = Counter("loa_announcements_accepted", "Announcements accepted.", ["agency"], registry=r)
        self._status = Counter(
            "loa_announcements_status", "Announcements that came to a status.", ["agency", "status"], registry=r
        )
        self._moves = Counter(
            "loa_delivery_moves", "Deliveries that came to a state.", [*channel, "state", "cause"], registry=r
        )
        self._attempts = Counter("loa_attempts", "Attempts begun.", channel, registry=r)
        self._to_goal = Histogram(
            "loa_goal_seconds", "From the start to the goal.", ["agency"], buckets=SECONDS_TO_GOAL, registry=r
        )
        self._requests = Counter(
            "loa_http_requests", "HTTP requests answered.", ["operation", "method", "status"], registry=r
        )
        self._request_seconds = Histogram(
            "loa_http_request_seconds",
            "From a request to its answer.",
            ["operation"],
            buckets=SECONDS_OF_A_REQUEST,
            registry=r,
        )
        self._found: dict[Counter | Histogram, dict[tuple[str, ...], Any]] = {}
        self.streams = Gauge("loa_event_streams", "Open event streams.", registry=r)
        broker.watch(self.saw)

    def saw(self, case: Case, notes: Iterable[Event]) -> None:
        """Counts what happened to one announcement."""
        agency = case.announcement.agency
        for event in notes:
            if event.n == 1:
                self._series(self._accepted, agency).inc()
            if event.channel is not None:
                self._moved(agency, event.channel, event.kind, case)
            elif event.kind == "status":
                self._series(self._status, agency, case.announcement.status.value).inc()
            elif event.kind == "goal_met" and (met_at := case.announcement.met_at):
                self._series(self._to_goal, agency).observe((met_at - case.announcement.base_at).total_seconds())

    def answered(self, operation: str, method: str, status: int, seconds: float) -> None:
        """Counts one request."""
        self._series(self._requests, operation, method, str(status)).inc()
        self._series(self._request_seconds, operation).observe(seconds)

    async def shown(self, agency: str) -> bytes:
        """Everything this agency may see, as Prometheus reads it."""
        counts = await self._broker.engine.call(self._broker.store.counts)
        channels = await self._broker.channels(agency)
        now = _Now([*_deliveries(agency, counts), *_channels(agency, channels), *self._engine()])
        own = _Own(agency, [self.registry, now])
        return generate_latest(own)

    def _moved(self, agency: str, channel: str, state: str, case: Case) -> None:
        cause = case.deliveries[channel].cause
        self._series(self._moves, agency, channel, state, cause.value if cause else "").inc()
        if state == State.SENDING:
            self._series(self._attempts, agency, channel).inc()

    def _series(self, family: F, *labels: str) -> F:
        """One series of a counter or histogram, remembered: to find it costs more than to count."""
        series: dict[tuple[str, ...], F] = self._found.setdefault(family, {})
        if (found := series.get(labels)) is None:
            found = series[labels] = family.labels(*labels)
        return found

    def _engine(self) -> Iterator[Metric]:
        engine = self._broker.engine
        yield GaugeMetricFamily("loa_cases_held", "Announcements in memory.", len(engine.dispatcher.held_ids))
        yield GaugeMetricFamily("loa_writes_waiting", "Writes that wait for the disk.", engine.writer.waiting)


def _deliveries(agency: str, counts: Counts) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "loa_deliveries", "Deliveries of open announcements.", labels=["agency", "channel", "state", "cause"]
    )
    tally: Tally[tuple[str, str, str, str]] = Tally()
    for (owner, channel, state, cause), count in counts.items():
        tally[owner, channel, state.value, cause.value if cause else ""] += count
    for labels, count in sorted(tally.items()):
        family.add_metric(labels, count)
    yield family


def _channels(agency: str, channels: Iterable[ChannelReport]) -> Iterator[Metric]:
    state = GaugeMetricFamily("loa_channel_state", "1 for the state it is in.", labels=["agency", "channel", "state"])
    waiting = GaugeMetricFamily("loa_channel_waiting", "Deliveries that wait for it.", labels=["agency", "channel"])
    flying = GaugeMetricFamily("loa_channel_in_flight", "Attempts under way.", labels=["agency", "channel"])
    for one in channels:
        for name in CHANNEL_STATES:
            state.add_metric([agency, one.name, name], float(one.state == name))
        waiting.add_metric([agency, one.name], one.waiting)
        flying.add_metric([agency, one.name], one.in_flight)
    yield from (state, waiting, flying)


class _Now(Collector):
    """Figures read at this moment."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class _Own(CollectorRegistry):
    """Leaves out what belongs to other agencies."""

    def __init__(self, agency: str, sources: Iterable[Collector | CollectorRegistry]) -> None:
        super().__init__()
        self._agency, self._sources = agency, list(sources)

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            for family in source.collect():
                own = Metric(family.name, family.documentation, family.type, family.unit)
                own.samples = [one for one in family.samples if one.labels.get("agency", self._agency) == self._agency]
                yield own
