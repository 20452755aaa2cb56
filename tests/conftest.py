"""Sorts the tests: what kills processes or runs for minutes is marked by its folder, and left out of `make test`."""

from __future__ import annotations

from pathlib import Path

import pytest

SLOW_FOLDERS = frozenset({"acceptance", "faults", "simulation"})
TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in SLOW_FOLDERS and item.get_closest_marker("quick") is None:
            item.add_marker(pytest.mark.faults)
