"""What all tests share; what kills processes or runs for minutes is marked by its folder, left out of `make test`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

SLOW_FOLDERS = frozenset({"acceptance", "faults", "simulation"})
PATIENCE_S = 300
"""They wait for real processes, on whatever machine there is."""
TESTS = Path(__file__).parent

# Some hundred processes are started: where images forbid it, each would compile all of Loa anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("loa", deadline=None)  # a busy machine is no bug
settings.load_profile("loa")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors: many a test waits for a time limit."""
    return (os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in SLOW_FOLDERS and item.get_closest_marker("quick") is None:
            item.add_marker(pytest.mark.faults)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(PATIENCE_S))
