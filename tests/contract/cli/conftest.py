"""The command line against real processes: a sandboxed server for all of them, and `loa` as a function."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.cli.app import run

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "config.example.toml"
NO_CARD_VIDEOS = {f"LOA_CHANNELS__{name}__CARD_VIDEO": "false" for name in ("TIKTOK", "YOUTUBE")}
"""Making one takes seconds of a processor; tests/contract/test_text_alone.py has them."""


@dataclass(frozen=True)
class Said:
    """What one command ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Loa = Callable[..., Said]


@pytest.fixture
def loa(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Loa:
    """Runs one command in this process; never may it show a traceback."""
    for name in [name for name in os.environ if name.startswith("LOA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")

    def loa(*arguments: str, **environment: str) -> Said:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        code = run(arguments)
        said = Said(code, *capfd.readouterr())
        assert "Traceback" not in said.out + said.err
        assert "error in Loa itself" not in said.err
        return said

    return loa


@dataclass(frozen=True)
class Server:
    """A running `loa serve --sandbox`."""

    url: str
    key: str
    control: str
    platforms: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return {"LOA_URL": self.url, "LOA_KEY": self.key}


def started(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A command that serves, and what it said when it was ready."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "broker", *arguments, "--json"],
        env={**kept, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        return process, json.loads(line)
    except ValueError:
        process.kill()
        said, _ = process.communicate()
        raise AssertionError(f"loa {' '.join(arguments)} did not start: {line}{said}") from None


def stopped(process: subprocess.Popen[str]) -> int:
    process.terminate()
    process.communicate(timeout=120)
    return process.returncode


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    goal = json.dumps({"operators": 2, "domestic": 1, "within": "6s"})
    environment = {"LOA_SERVER__LISTEN": "127.0.0.1:0", "LOA_ROUTES__BREAKING__GOAL": goal, **NO_CARD_VIDEOS}
    process, ready = started("serve", "--sandbox", "--config", str(EXAMPLE), **environment)
    yield Server(ready["url"], ready["key"], ready["control"], ready["platforms"])
    assert stopped(process) == 0
