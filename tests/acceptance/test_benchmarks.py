"""The benchmarks run and measure what they say; how fast anything is, no test asks."""

import asyncio
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


async def test_they_run_and_give_their_figures(tmp_path: Path):
    raw = tmp_path / "figures.json"
    asked = ["--quick", "--only", "sink", "throughput", "accept_rate", "operator_down", "recovery", "--json", str(raw)]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks", *asked, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(child.communicate(), 280)
    finally:
        if child.returncode is None:
            child.kill()
    assert child.returncode == 0, said.decode()
    figures = json.loads(raw.read_text(encoding="utf-8"))
    assert {figure["scenario"] for figure in figures} >= {"bare loop", "sink", "throughput", "Apprise", "recovery"}
    assert all(min(figure["values"]) > 0 for figure in figures)
    assert "| throughput | instant platforms, 5 channels |" in said.decode()
