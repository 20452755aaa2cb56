"""`loa demo` as people run it: real processes, judged by the platforms' logs, gone without a trace afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ENDS_WITHIN = 240
OUTAGE_ANNOUNCEMENTS = 5
OF_META = 3
"""Channels of the route that the outage takes: facebook, instagram, threads."""
pytestmark = pytest.mark.timeout(ENDS_WITHIN + 30)


@dataclass
class Run:
    """One demo; `folder` takes all its files."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def marker(self) -> bytes:
        """In the environment of every process of this demo."""
        return f"TMPDIR={self.folder}".encode()

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=ENDS_WITHIN)
        return self.process.returncode, out, err

    def verdict(self) -> tuple[int, dict[str, Any]]:
        code, out, err = self.ended()
        assert err == ""
        return code, json.loads(out)

    def leftovers(self) -> list[str]:
        """Processes and files that are still there."""
        environs = (path for path in Path("/proc").glob("[0-9]*/environ") if self.marker in _read(path).split(b"\0"))
        return [*map(str, environs), *map(str, self.folder.iterdir())]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # ended meanwhile
        return b""


def start(folder: Path, *options: str) -> Run:
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "broker", "demo", *options]
    pipe = subprocess.PIPE
    return Run(subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment, text=True), folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Run]]:
    """All at once: a demo mostly waits."""
    folder = tmp_path_factory.mktemp("demos")
    options = {
        "plain": ["--json"],
        "killed": ["--json", "--kill", "--seed", "7"],
        "twice": ["--json", "--sabotage", "twice"],
        "interrupted": [],
    }
    started = {name: start(folder / name, *given) for name, given in options.items()}
    yield started
    for run in started.values():
        run.process.kill()
        run.process.communicate()


def test_an_interrupted_demo_leaves_nothing_behind(runs: Mapping[str, Run]):
    run = runs["interrupted"]
    assert run.process.stdout is not None
    assert "A calm morning" in run.process.stdout.readline()
    assert "#1 is accepted" in run.process.stdout.readline()
    run.process.send_signal(signal.SIGINT)
    code, out, err = run.ended()
    assert (code, err) == (130, "")
    assert "Verdict" not in out
    assert run.leftovers() == []


def test_the_demo_keeps_every_promise(runs: Mapping[str, Run]):
    code, verdict = runs["plain"].verdict()
    assert verdict["wrong"] == []
    assert (code, verdict["ok"]) == (0, True)
    assert verdict["goal_met"] == verdict["announcements"] == 9
    assert (verdict["lost"], verdict["duplicates"], verdict["tokens_burned"]) == ([], [], [])
    assert verdict["unconfirmed"] == []
    assert verdict["told"] == {"duty": [1, 1], "duty_mail": [1, 1]}
    assert verdict["stand_ins"] == OUTAGE_ANNOUNCEMENTS
    assert verdict["late_copies"] == verdict["late_copies_owed"] == OUTAGE_ANNOUNCEMENTS * OF_META
    assert verdict["slowest_s"] < 20
    assert runs["plain"].leftovers() == []


def test_a_broker_killed_in_the_outage_keeps_them_too(runs: Mapping[str, Run]):
    code, verdict = runs["killed"].verdict()
    assert verdict["wrong"] == []
    assert (code, verdict["seed"]) == (0, 7)
    assert verdict["goal_met"] == verdict["announcements"] == 9
    assert all("telegram" in what for what in verdict["unconfirmed"])
    assert verdict["told"] == {"duty": [1, 1], "duty_mail": [1, 1]}
    assert runs["killed"].leftovers() == []


def test_a_consumer_that_takes_a_post_twice_turns_the_verdict_red(runs: Mapping[str, Run]):
    code, verdict = runs["twice"].verdict()
    assert (code, verdict["ok"]) == (1, False)
    assert len(verdict["duplicates"]) == 1
    assert "partner" in verdict["duplicates"][0]
    assert runs["twice"].leftovers() == []
