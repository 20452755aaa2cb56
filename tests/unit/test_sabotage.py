"""The table of sabotage switches is complete, and names tests that exist and use their switch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.acceptance.runner import ADAPTERS, PATCHES, SABOTAGE
from tests.sabotage import TABLE, Sabotage

ROOT = Path(__file__).resolve().parents[2]


def test_every_switch_of_the_test_processes_has_its_row():
    assert {row.switch for row in TABLE} >= SABOTAGE.keys() | ADAPTERS.keys() | PATCHES.keys()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.switch)
def test_a_row_names_a_test_that_turns_its_switch(row: Sabotage):
    path, _, name = row.test.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert f"def {name}(" in text
    assert re.search(rf"\b{row.switch}\b", text)
