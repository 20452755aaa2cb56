"""The queries of `sql/`, one a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import chain

from broker.store.rows import Row

_WIDEST = 128


class Queries:
    """Queries by name, and the way to run one for many rows."""

    def __init__(self) -> None:
        self._texts = {
            file.name.removesuffix(".sql"): without_comments(file.read_text(encoding="utf-8"))
            for file in (files("broker.store") / "sql").iterdir()
            if file.name.endswith(".sql")
        }
        self._wide: dict[tuple[str, int], str] = {}

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def write(self, db: sqlite3.Connection, name: str, rows: Sequence[Row]) -> int:
        """Runs a query that takes `:rows`; returns how many rows of the table it changed.

        Many rows go into one statement, because every statement costs its thread the interpreter's lock once. One row
        has a statement of its own where that is cheaper.
        """
        if len(rows) == 1 and (single := self._texts.get(f"{name}_one")):
            return db.execute(single, rows[0]).rowcount
        before, start = db.total_changes, 0
        while start < len(rows):
            count = min(_WIDEST, 1 << (len(rows) - start).bit_length() - 1)
            some = rows[start : start + count]
            db.execute(self._for(name, count, len(some[0])), list(chain.from_iterable(some)))
            start += count
        return db.total_changes - before

    def _for(self, name: str, count: int, width: int) -> str:
        """The query for `count` rows: a power of two, so that few statements are kept prepared."""
        text = self._wide.get((name, count))
        if text is None:
            row = f"({', '.join('?' * width)})"
            text = self._wide[name, count] = self._texts[name].replace(":rows", ", ".join([row] * count))
        return text


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
