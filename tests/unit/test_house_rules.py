"""The rules the source keeps: short functions, small adapters, no sleeping, no trace of one machine."""

import ast
import re
import statistics
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from broker.rules.catalogue import SENTENCES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for package in ("broker", "adapters", "loa") for path in (ROOT / package).rglob("*.py"))
ENTRY_POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
ADAPTERS = [path for name in ENTRY_POINTS["loa.adapters"] if (path := ROOT / "adapters" / f"{name}.py").exists()]

# Written in pieces, so that this file does not offend against itself.
FORBIDDEN = {
    "a package index by its host": "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(org|com)")),
    "a path of one machine": "/" + r"(home|Users)/\w+/|/" + r"(root|work)/[\w.]",
    "unfinished work": r"\b(TO" + r"DO|FIX" + r"ME)\b",
}


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last statement, signature and docstring included, decorators not."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def sleeps(path: Path) -> Iterator[int]:
    """Line numbers where the time module's sleep is called or imported."""
    for node in nodes(path):
        match node:
            case ast.Attribute(value=ast.Name(id="time"), attr="sleep"):
                yield node.lineno
            case ast.ImportFrom(module="time", names=names) if any(name.name == "sleep" for name in names):
                yield node.lineno


@cache
def tracked() -> list[tuple[Path, str]]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, timeout=20)
    if listing.returncode:
        pytest.skip("not a git checkout")
    found = []
    for name in filter(None, listing.stdout.decode().split("\0")):
        with suppress(FileNotFoundError, UnicodeDecodeError):  # removed but not committed yet, or no text
            found.append((Path(name), (ROOT / name).read_text(encoding="utf-8")))
    return found


def test_half_of_all_functions_have_at_most_8_lines():
    assert statistics.median(length(function) for path in SOURCES for function in functions(path)) <= 8


def test_no_function_is_longer_than_60_lines():
    long = [f"{path}:{f.lineno} {f.name}: {length(f)}" for path in SOURCES for f in functions(path) if length(f) > 60]
    assert not long


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_an_adapter_has_80_to_250_lines(path: Path):
    assert 80 <= len(path.read_text(encoding="utf-8").splitlines()) <= 250


def test_every_sentence_is_said_somewhere():
    said = "".join(path.read_text(encoding="utf-8") for path in SOURCES if path.name != "catalogue.py")
    made_up = ("alert_", "status_")
    assert [key for key in SENTENCES if f'"{key}"' not in said and not key.startswith(made_up)] == []


def test_nothing_waits_by_sleeping_a_thread():
    paths = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    found = [f"{path}:{line}" for path in paths if "sleep" in path.read_text(encoding="utf-8") for line in sleeps(path)]
    assert not found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_contains(what: str):
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path}:{number}: {line.strip()[:80]}"
        for path, text in tracked()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found
