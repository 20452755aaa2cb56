"""How operations become one transaction: all in a few statements, or, when one does not fit, one by one.

The first way is the fast one and finds out by counting: a guard that fails changes fewer rows than it was given. Then
nothing of that transaction stays, and the second way finds each operation's own result.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from broker.store import KEY_LIFETIME, Accept, Broken, Done, Exists, Lost, Operation, Result, Save, row_of
from broker.store.codec import to_micros
from broker.store.database import DATA_ERRORS
from broker.store.queries import Queries
from broker.store.rows import GUARDED, STATEMENTS, Row, Rows, Write

Encoded = list[Write] | Broken


class Committer:
    """Writes operations inside a transaction that its caller opened."""

    def __init__(self, queries: Queries, rows: Rows) -> None:
        self._queries = queries
        self._rows = rows

    def encode(self, operation: Operation) -> Encoded:
        """The rows of an operation; `Broken` for whatever cannot be written down, a bug in a value included."""
        try:
            return self._rows.writes(operation)
        except Exception as error:
            return Broken(f"{type(error).__name__}: {error}")

    @staticmethod
    def may_go_together(operations: Sequence[Operation]) -> bool:
        """Whether their order does not matter: no two concern the same row."""
        rows = [row for operation in operations if (row := row_of(operation)) is not None]
        return len(set(rows)) == len(rows)

    def together(self, db: sqlite3.Connection, encoded: Iterable[Encoded]) -> bool:
        """Writes all rows at once; False, with some of them written, if a guard did not match."""
        by_statement: defaultdict[str, list[Row]] = defaultdict(list)
        for writes in encoded:
            if not isinstance(writes, Broken):
                for statement, row in writes:
                    by_statement[statement].append(row)
        for statement in STATEMENTS:
            if rows := by_statement.get(statement):
                changed = self._queries.write(db, statement, rows)
                if statement in GUARDED and changed != len(rows):
                    return False
        return True

    def one_by_one(
        self, db: sqlite3.Connection, operations: Sequence[Operation], encoded: Sequence[Encoded]
    ) -> list[Result]:
        """Writes what can be written; one result per operation."""
        return [self._one(db, operation, writes) for operation, writes in zip(operations, encoded, strict=True)]

    def _one(self, db: sqlite3.Connection, operation: Operation, writes: Encoded) -> Result:
        if isinstance(writes, Broken):
            return writes
        db.execute("SAVEPOINT one")
        error = None
        try:
            if isinstance(operation, Accept):
                self._forget_key(db, operation)
            fits = self.together(db, [writes])
        except DATA_ERRORS as caught:
            fits, error = False, caught
        if not fits:
            db.execute("ROLLBACK TO one")
        db.execute("RELEASE one")
        return Done() if fits else self._why_not(db, operation, writes, error)

    def _forget_key(self, db: sqlite3.Connection, accept: Accept) -> None:
        if accept.idempotency:
            until = to_micros(accept.case.announcement.accepted_at - KEY_LIFETIME)
            agency = accept.case.announcement.agency
            db.execute(self._queries["forget_key"], {"agency": agency, "key": accept.idempotency.key, "until": until})

    def _why_not(
        self, db: sqlite3.Connection, operation: Operation, writes: list[Write], error: Exception | None
    ) -> Result:
        match operation:
            case Accept():
                found = self._earlier(db, operation, writes)
            case Save():
                found = self._standing(db, operation, writes)
            case _:
                found = None
        return found or Broken(f"{type(error).__name__}: {error}")

    # an Accept that met an earlier one

    def _earlier(self, db: sqlite3.Connection, accept: Accept, writes: list[Write]) -> Result | None:
        """What is there already: this very announcement, or another with the same key, external id or reference."""
        announcement = accept.case.announcement
        draft = next(row[1] for statement, row in writes if statement == "insert_contents")
        if self._draft(db, announcement.id) == draft:
            return Done()
        key = accept.idempotency
        if key and (row := self._row(db, "idempotent", agency=announcement.agency, key=key.key, since=0)):
            return Exists(row[0], row[1] == key.digest, "idempotency_key")
        external_id = announcement.draft.external_id
        if external_id and (row := self._row(db, "by_external_id", agency=announcement.agency, id=external_id)):
            return Exists(row[0], self._draft(db, row[0]) == draft, "external_id")
        if row := self._row(db, "by_reference", agency=announcement.agency, reference=announcement.reference):
            return Exists(row[0], False, "reference")
        return None

    def _draft(self, db: sqlite3.Connection, announcement_id: str) -> str | None:
        row = self._row(db, "draft", id=announcement_id)
        return row[0] if row else None

    # a Save whose guard did not match

    def _standing(self, db: sqlite3.Connection, save: Save, writes: list[Write]) -> Result | None:
        """`Done` if all rows are as they were to become, `Lost` if something is in the way, None if nothing is."""
        checks = {
            "save_announcements": self._check_announcement,
            "save_deliveries": self._check_delivery,
            "insert_events": self._check_event,
        }
        found = [checks[statement](db, row) for statement, row in writes if statement in checks]
        if all(obstacle is None for obstacle in found):
            return Done()
        obstacles = [obstacle for obstacle in found if obstacle]
        return Lost(f"{save.announcement.id}: {'; '.join(obstacles)}") if obstacles else None

    def _check_announcement(self, db: sqlite3.Connection, row: Row) -> str | None:
        """None: the row is there as intended. "": it is not, and could be written. Else: what is in the way."""
        announcement_id, owner, epoch, *_ = row
        stored = self._row(db, "stored_announcement", id=announcement_id)
        if stored is None:
            return "there is no such announcement"
        if stored[:2] != (owner, epoch):
            return f"owned by {stored[0]} in epoch {stored[1]}, not by {owner} in epoch {epoch}"
        return None if stored == row[1:] else ""

    def _check_delivery(self, db: sqlite3.Connection, row: Row) -> str | None:
        announcement_id, channel, was, had, *new = row
        stored = self._row(db, "stored_delivery", announcement_id=announcement_id, channel=channel)
        if stored is None:
            return f"there is no delivery to {channel}"
        if stored == tuple(new):
            return None
        state, attempt = stored[1:3]
        return "" if (state, attempt) == (was, had) else f"{channel} is {state} {attempt}, not {was} {had}"

    def _check_event(self, db: sqlite3.Connection, row: Row) -> str | None:
        announcement_id, n, *new = row
        stored = self._row(db, "stored_event", announcement_id=announcement_id, n=n)
        if stored is None:
            return ""
        return None if stored == tuple(new) else f"event {n} is another"

    def _row(self, db: sqlite3.Connection, query: str, **parameters: object) -> Row | None:
        row: Row | None = db.execute(self._queries[query], parameters).fetchone()
        return row
