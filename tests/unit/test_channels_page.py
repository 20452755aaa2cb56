"""docs/channels.md says what the adapters declare, and every adapter has its page and its emulator."""

import runpy
import tomllib
from pathlib import Path

import pytest

from adapters.emulators.control import EMULATORS

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"][
    "loa.adapters"
]


def test_the_page_is_as_the_profiles_have_it():
    """Write it anew: .venv/bin/python docs/make_channels.py"""
    made = runpy.run_path(str(ROOT / "docs" / "make_channels.py"))["page"]()
    assert (ROOT / "docs" / "channels.md").read_text(encoding="utf-8") == made
    assert all(f"](adapters/{name}.md)" in made for name in SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_adapter_has_a_page_and_an_emulator(name: str):
    assert (ROOT / "docs" / "adapters" / f"{name}.md").exists()
    assert name in EMULATORS
