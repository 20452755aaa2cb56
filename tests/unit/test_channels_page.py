"""docs/channels.md says what the adapters declare, and every adapter has its page and its emulator."""

import ast
import runpy
import tomllib
from pathlib import Path

import pytest

from adapters.emulators.control import emulators, make_emulator

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"][
    "loa.adapters"
]
PARTS = {"AdapterSuite", "Lists", "Handles", "Keyed", "Confirms", "Deletes", "Edits", "Rehearses"}
OUTSIDE = {"site": "it writes files into our own folder: no platform answers, and the folder is the log"}


def test_the_page_is_as_the_profiles_have_it():
    """Write it anew: .venv/bin/python docs/make_channels.py"""
    made = runpy.run_path(str(ROOT / "docs" / "make_channels.py"))["page"]()
    assert (ROOT / "docs" / "channels.md").read_text(encoding="utf-8") == made
    assert all(f"](adapters/{name}.md)" in made for name in SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_adapter_has_a_page_and_an_emulator(name: str):
    assert (ROOT / "docs" / "adapters" / f"{name}.md").exists()
    assert name in emulators()
    assert make_emulator(name).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_an_adapter_is_in_the_one_suite(name: str):
    """By name: its test module derives from the suite, or a reason says why it cannot."""
    module = ast.parse((ROOT / "tests" / "contract" / f"test_{name}.py").read_text(encoding="utf-8"))
    derived = [
        node.name
        for node in module.body
        if isinstance(node, ast.ClassDef) and PARTS & {base.id for base in node.bases if isinstance(base, ast.Name)}
    ]
    assert bool(derived) is (name not in OUTSIDE)
