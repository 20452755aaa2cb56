"""How the demo looks: a live table on a terminal, one line for each piece of news elsewhere, and the verdict."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from broker.cli.demo.scene import Row, Scene, Weight
from broker.cli.demo.story import PHASES
from broker.cli.demo.verdict import Verdict
from broker.cli.show import glyph
from broker.clock import Clock

LENGTH = sum(phase.lasts for phase in PHASES)
NEWS = 6
PER_SECOND = 8
LEGEND = {"live": "out", "sending": "on its way", "due": "owed", "skipped": "not needed", "checking": "unsure"}


class Screen:
    """For programs: nothing is seen. `tell` takes each line of news."""

    def tell(self, line: str, weight: Weight = Weight.NEWS) -> None: ...

    def show(self, scene: Scene) -> None:
        """From now on this scene."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lines(Screen):
    """One line for each piece of news, with the seconds since the start."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._started = clock, clock.monotonic()

    def tell(self, line: str, weight: Weight = Weight.NEWS) -> None:
        print(f"{self._clock.monotonic() - self._started:5.1f} s  {line}", flush=True)


class Board(Screen):
    """A table of announcements and channels, kept up to date in place, over the newest news."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console, self._clock, self._started = console, clock, clock.monotonic()
        self._scene: Scene | None = None
        self._begun = 0.0
        self._news: deque[tuple[str, Text]] = deque(maxlen=NEWS)
        self._live = Live(console=console, get_renderable=self.page, refresh_per_second=PER_SECOND)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, scene: Scene) -> None:
        self._scene, self._begun = scene, self._clock.monotonic()

    def tell(self, line: str, weight: Weight = Weight.NEWS) -> None:
        at = f"{self._clock.monotonic() - self._started:5.1f} s"
        if weight is Weight.NEWS or (weight is Weight.DETAIL and " is out: " in line):
            self._news.append((at, Text(line, "" if weight is Weight.NEWS else "dim")))

    def page(self) -> RenderableType:
        """The whole board as it stands."""
        if self._scene is None:
            return Text("Loa demo: starting emulated platforms and a broker on this machine …", "dim")
        head = self._head(self._scene)
        return Group(*head, Text(), _table(self._scene), Text(), *self._newest(), _legend())

    def _head(self, scene: Scene) -> list[RenderableType]:
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_row(self._progress(), Text(f"{self._clock.monotonic() - self._begun:.0f} s", "dim"))
        number = f"{PHASES.index(scene.phase) + 1}/{len(PHASES)}  "
        title = Text.assemble((number, "dim"), (scene.phase.title, "bold"), overflow="ellipsis", no_wrap=True)
        tells = Text(f"     {scene.phase.tells}", "dim", overflow="ellipsis", no_wrap=True)
        dead = Text("     The broker is dead, and is being started again.", "bold red")
        return [bar, title, tells if scene.broker_is_up else dead]

    def _progress(self) -> RenderableType:
        done = min(self._clock.monotonic() - self._begun, LENGTH)
        return ProgressBar(total=LENGTH, completed=done, style="grey23", complete_style="cyan", finished_style="cyan")

    def _newest(self) -> list[RenderableType]:
        """The newest news that fit into `NEWS` lines, oldest first, each with its time."""
        lines: list[RenderableType] = []
        for at, text in reversed(self._news):
            wrapped = list(text.wrap(self._console, max(20, self._console.width - 10)))
            if len(lines) + len(wrapped) > NEWS:
                break
            times = [at, *[""] * (len(wrapped) - 1)]
            lines[:0] = [Text.assemble((f"{t:>7}  ", "dim"), line) for t, line in zip(times, wrapped, strict=True)]
        return [*lines, *(Text() for _ in range(NEWS - len(lines)))]


def _table(scene: Scene) -> RenderableType:
    rows = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, expand=True)
    rows.add_column("announcement", ratio=1, no_wrap=True, overflow="ellipsis", header_style="dim")
    for name in scene.names:
        rows.add_column(Text(name, "dim"), justify="center", no_wrap=True, min_width=4)
    rows.add_column(Text("goal", "dim"), justify="right", no_wrap=True, min_width=6)
    rows.add_row(Text("the platform is", "dim"), *(_health(scene.health.get(name, "")) for name in scene.names), "")
    for row in scene.rows:
        headline = Text(f"#{row.sent.number} {row.sent.headline}")
        rows.add_row(headline, *(_cell(row, name) for name in scene.names), _goal(row))
    return rows


def _health(state: str) -> Text:
    return Text(state, "bold red" if state == "down" else "dim green")


def _cell(row: Row, name: str) -> Text:
    state = row.states.get(name, "standby")
    return Text("") if state == "standby" else glyph(state)


def _goal(row: Row) -> Text:
    return Text("…", "dim") if row.to_goal is None else Text(f"{row.to_goal:.1f} s", "green")


def _legend() -> RenderableType:
    """What the glyphs mean."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for state, meaning in LEGEND.items():
        line.append_text(glyph(state)).append(f" {meaning}   ", "dim")
    return line


# the verdict


def verdict_page(verdict: Verdict, seconds: float) -> RenderableType:
    """The verdict for people."""
    rows = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for good, what, figure, remark in _figures(verdict):
        rows.add_row(Text("✓" if good else "✗", "green" if good else "bold red"), what, figure, Text(remark, "dim"))
    head = Text("\nVerdict, counted from the platforms' own logs", "bold")
    end = Text("All is as promised." if verdict.ok else f"Wrong: {'; '.join(verdict.wrong)}.")
    end.stylize("bold green" if verdict.ok else "bold red")
    took = Text(f" The replay took {seconds:.0f} s; everything ran on this machine.", "dim")
    return Group(head, Padding(rows, (0, 0, 0, 2)), Text.assemble(end, took))


def _figures(v: Verdict) -> list[tuple[bool, str, str, str]]:
    slowest = "never" if v.slowest_s is None else f"slowest {v.slowest_s:.1f} s"
    all_made = v.late_copies == v.late_copies_owed
    figures = [
        (v.goal_met == v.announcements > 0, "goal met", f"{v.goal_met} of {v.announcements}", slowest),
        (not v.lost, "lost", f"{len(v.lost)}", "every copy that was promised is out" if not v.lost else ""),
        (not v.duplicates, "posted twice", f"{len(v.duplicates)}", ""),
        (
            not v.tokens_burned,
            "tokens burned",
            f"{len(v.tokens_burned)}",
            "logged out by the outage, accepted after it",
        ),
        (v.stand_ins > 0, "stand-ins", f"{v.stand_ins}", "announcements carried by another operator meanwhile"),
        (all_made, "late copies", f"{v.late_copies} of {v.late_copies_owed}", "made once Meta was back, none before"),
    ]
    by = ", ".join(v.told)
    figures.append((v.was_told_once, "people told", f"{len(v.told)} ways", f"of the failure and of the return: {by}"))
    if v.unconfirmed:
        figures.append((True, "unconfirmed", f"{len(v.unconfirmed)}", f"{', '.join(v.unconfirmed)}: killed in flight"))
    return figures
