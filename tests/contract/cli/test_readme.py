"""What the README tells people to type does what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from broker.cli.app import GROUPS
from tests.contract.cli.conftest import ROOT, Server

README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def run(server: Server, folder: Path, *command: str) -> str:
    environment = {**os.environ, **server.environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_sending_from_the_command_line(server: Server, tmp_path: Path):
    (commands,) = [one for one in snippets("sh") if "loa send" in one]
    said = run(server, tmp_path, "bash", "-ec", commands.replace(".venv/bin/loa", f"{sys.executable} -m broker"))
    assert "Out on " in said


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (Debian: apt-get install curl)")
def test_sending_by_curl(server: Server, tmp_path: Path):
    (command,) = [one for one in snippets("sh") if "curl" in one]
    first, again = (run(server, tmp_path, "bash", "-ec", command) for _ in range(2))
    assert '"reference":' in first
    assert first.partition(",")[0] == again.partition(",")[0]  # the same announcement, by its id


def test_sending_from_python(server: Server, tmp_path: Path):
    hooks = server.platforms["webhook"]["base_urls"]["api"]
    (tmp_path / "loa.toml").write_text(
        f'[store]\nurl = "sqlite:///loa.db"\n[agency]\nname = "Tin"\nprefix = "TVD"\n[channels.partner]\n'
        f'adapter = "webhook"\nurl = "{hooks}/readme"\nallow_private = true\n',
        encoding="utf-8",
    )
    (program,) = snippets("python")
    assert "partner live" in run(server, tmp_path, sys.executable, "-c", program)


def test_every_command_it_names_exists():
    known = {command.__name__.replace("_", "-") for commands in GROUPS.values() for command in commands} | {"key"}
    named = set(re.findall(r"(?:`|bin/)loa ([a-z-]+)", README))
    assert named
    assert named <= known
    targets = set(re.findall(r"^make ([a-z-]+)", "\n".join(snippets("sh")), re.MULTILINE))
    assert targets == {"demo", "test"} & set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
