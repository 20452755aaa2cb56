"""The example of docs/writing-an-adapter.md, taken from the page and put through the suite."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "writing-an-adapter.md"
_BLOCK = re.compile(r"^```python\n# (\w+)\.py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _modules() -> dict[str, Any]:
    """The page's files as modules that know one another."""
    made = {}
    for name, code in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        made[name] = sys.modules[name] = ModuleType(name)
        exec(compile(code, f"{PAGE.name}: {name}.py", "exec"), vars(made[name]))
    return made


_FILES = _modules()
TestBoard = _FILES["test_board"].TestBoard


def test_the_example_is_as_long_as_an_adapter_may_be():
    [code] = [code for name, code in _BLOCK.findall(PAGE.read_text(encoding="utf-8")) if name == "board"]
    assert 80 <= len(code.splitlines()) <= 250
