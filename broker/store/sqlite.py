"""The store on SQLite: a file that one process owns, or memory."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from broker.clock import Clock
from broker.errors import StoreFull
from broker.model import Case, Event, State, Status
from broker.outcome import Cause
from broker.store import KEY_LIFETIME, Broken, Done, DueRef, InboxEntry, Operation, Result, Run, Token
from broker.store.codec import dumps, from_micros, loads, to_micros
from broker.store.commit import Committer
from broker.store.database import DATA_ERRORS, Database
from broker.store.files import Ballast
from broker.store.queries import Queries
from broker.store.rows import Damaged, Row, Rows

_HOLD_FOR = timedelta(hours=1)
"""A claim takes only what wakes within this time."""
_LOG_PAGES = 4000
"""Pages in the write-ahead log that call for a checkpoint: 16 MB, as much as the ballast has room for."""
_LOG_PAGES_WHEN_FULL = 500
"""The same while the ballast is given away, which the log would use up."""
_LAST_ID = "\U0010ffff"

_log = structlog.get_logger(__name__)


_rows, _queries = cache(Rows), cache(Queries)
"""The same for every store of a process."""


class _DoesNotFit(Exception):
    """A guard in a batch did not match."""


class SqliteStore:
    """See `broker.store.Store`. `path` is a file, or `:memory:` for a store that ends with this object."""

    def __init__(
        self, path: str | Path, clock: Clock, *, ballast_bytes: int = 16 * 1024 * 1024, synchronous: str = "FULL"
    ) -> None:
        """`synchronous` other than FULL loses in a power cut what was acknowledged: for the test that shows it."""
        self._database = Database(path, synchronous=synchronous)
        self._ballast = Ballast(self._database.path, 0 if self._database.in_memory else ballast_bytes)
        self._clock = clock
        self._rows = _rows()
        self._queries = _queries()
        self._committer = Committer(self._queries, self._rows)
        self._damaged: set[str] = set()
        self._log_pages = 0
        self._is_short = False
        """The ballast is given away."""

    def open(self) -> None:
        self._database.open()
        if flaw := self._database.flaw():
            _log.error("store.damaged", path=str(self._database.path), what=flaw, do="restore it from a backup")
        if not self.renew_ballast():
            _log.warning("store.no_ballast", path=str(self._database.path), why="the disk is nearly full")

    def close(self) -> None:
        self._database.close()

    def now(self) -> datetime:
        return self._clock.now()

    def release_ballast(self) -> bool:
        self._is_short = True
        return self._ballast.release()

    def renew_ballast(self) -> bool:
        self._is_short = not self._ballast.renew()
        return not self._is_short

    # writes

    def commit(self, operations: Sequence[Operation]) -> list[Result]:
        self.tidy()
        try:
            results = self._commit(operations)
        except StoreFull:
            self._log_pages = _LOG_PAGES  # once its pages are in the file, the log's own space can be used again
            raise
        self._log_pages += 8 + 2 * len(
            operations
        )  # what a commit usually writes: SQLite does not tell its log's length
        return results

    def tidy(self) -> None:
        if self._log_pages >= (_LOG_PAGES_WHEN_FULL if self._is_short else _LOG_PAGES):
            self._log_pages = 0
            self._database.checkpoint()

    def _commit(self, operations: Sequence[Operation]) -> list[Result]:
        encoded = [self._committer.encode(operation) for operation in operations]
        try:
            with self._database.writing() as db:
                if not (self._committer.may_go_together(operations) and self._committer.together(db, encoded)):
                    raise _DoesNotFit
            return [writes if isinstance(writes, Broken) else Done() for writes in encoded]
        except (_DoesNotFit, *DATA_ERRORS):
            with self._database.writing() as db:
                return self._committer.one_by_one(db, operations, encoded)

    def begin_run(self, run_id: str, lease: timedelta) -> Run:
        now = self.now()
        with self._database.writing() as db:
            [[latest]] = self._fetch(db, "latest_lease", run=run_id)
            run = Run(run_id, now + lease, set_back=latest > to_micros(now + lease))
            self._write(db, "end_runs", run=run_id, now=to_micros(now))
            self._write(db, "forget_runs", now=to_micros(now))
            self._write(db, "free_orphans")
            self._write(db, "begin_run", run=run_id, lease_until=to_micros(run.lease_until))
        return run

    def renew_run(self, run_id: str, lease: timedelta) -> Run | None:
        run = Run(run_id, self.now() + lease)
        with self._database.writing() as db:
            renewed = self._write(db, "renew_run", run=run_id, lease_until=to_micros(run.lease_until))
        return run if renewed else None

    def forget_clocks(self, run_id: str) -> bool:
        now = self.now()
        with self._database.writing() as db:
            self._write(db, "forget_clocks", now=to_micros(now))
            [[latest]] = self._fetch(db, "latest_lease", run=run_id)
        return bool(latest <= to_micros(now))

    def end_run(self, run_id: str) -> None:
        with self._database.writing() as db:
            self._write(db, "end_run", run=run_id, now=to_micros(self.now()))

    def claim(self, run_id: str, now: datetime, limit: int) -> list[Case]:
        at, hold_for = to_micros(now), _HOLD_FOR // timedelta(microseconds=1)
        with self._database.writing() as db:
            found: list[Row] = []
            for owner, lease_until in [(None, 0), *self._fetch(db, "gone_owners", run=run_id)]:
                until = max(at, lease_until) + hold_for  # its clock may have been ahead of ours
                found += self._fetch(db, "claimable", owner=owner, until=until, limit=limit)
            if not (ids := [each for _, each in sorted(found)[:limit]]):
                return []
            self._write(db, "take", run=run_id, ids=_listed(ids))
        return self._owned(run_id, ids)  # not in the transaction: commits need not wait for it

    def adopt(self, run_id: str, announcement_ids: Sequence[str]) -> list[Case]:
        with self._database.writing() as db:
            free = {each for [each] in self._fetch(db, "adoptable", ids=_listed(announcement_ids))}
            self._write(db, "take", run=run_id, ids=_listed(free))
        return self._owned(run_id, announcement_ids)

    def release(self, run_id: str, announcement_ids: Sequence[str]) -> None:
        with self._database.writing() as db:
            self._write(db, "release", run=run_id, ids=_listed(announcement_ids))

    def prune(self, before: datetime) -> int:
        pruned, some = 0, 1
        while some:
            with self._database.writing() as db:
                some = self._write(db, "prune", before=to_micros(before))
            pruned += some
        return pruned

    # reads

    def load(self, announcement_ids: Sequence[str]) -> list[Case]:
        with self._database.reading() as db:
            return self._cases(db, announcement_ids)

    def announcements(
        self, agency: str, *, status: Status | None = None, before: str | None = None, limit: int = 50
    ) -> list[Case]:
        query = "newest_of_status" if status else "newest"
        parameters = {"agency": agency, "status": status and str(status), "before": before or _LAST_ID, "limit": limit}
        with self._database.reading() as db:
            return self._cases(db, [each for [each] in self._fetch(db, query, **parameters)])

    def owned(self, run_id: str) -> set[str]:
        return {each for [each] in self._read("owned", run=run_id)} - self._damaged

    def unfinished(self, agency: str, until: datetime) -> list[str]:
        found = self._read("unfinished", agency=agency, until=to_micros(until))
        return [each for [each] in found if each not in self._damaged]

    def woken(self, run_id: str, now: datetime, limit: int) -> list[str]:
        found = [
            each for [each] in self._read("woken", run=run_id, now=to_micros(now), limit=limit + len(self._damaged))
        ]
        return [each for each in found if each not in self._damaged][:limit]

    def due(self, agency: str, channel: str, now: datetime, limit: int) -> list[DueRef]:
        found = self._read("due", agency=agency, channel=channel, now=to_micros(now), limit=limit)
        refs = [DueRef(each, name, bool(urgent), from_micros(at)) for each, name, urgent, at in found]
        return [ref for ref in refs if ref.announcement_id not in self._damaged]

    def in_question(self, agency: str, channel: str, after: str, limit: int) -> list[str]:
        found = self._read("in_question", agency=agency, channel=channel, after=after, limit=limit)
        return [each for [each] in found]

    def owed(self, agency: str, channel: str) -> list[str]:
        return [each for [each] in self._read("owed", agency=agency, channel=channel)]

    def live_neighbour(self, agency: str, channel: str, since: datetime, not_id: str) -> str | None:
        found = self._read("live_neighbour", agency=agency, channel=channel, since=to_micros(since), not_id=not_id)
        return found[0][0] if found else None

    def inbox(self, run_id: str, limit: int) -> list[InboxEntry]:
        return [self._rows.inbox_entry(row) for row in self._read("inbox", run=run_id, limit=limit)]

    def find(self, agency: str, any_id: str) -> str | None:
        found = self._read("find", agency=agency, any_id=any_id)
        return found[0][0] if found else None

    def idempotent(self, agency: str, key: str) -> tuple[str, str] | None:
        since = to_micros(self.now() - KEY_LIFETIME)
        found = self._read("idempotent", agency=agency, key=key, since=since)
        return (found[0][0], found[0][1]) if found else None

    def events(self, announcement_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        found = self._read("events", announcement_id=announcement_id, after=after, limit=limit)
        return [self._rows.event(row) for row in found]

    def counts(self) -> Mapping[tuple[str, str, State, Cause | None], int]:
        return {
            (agency, channel, State(state), Cause(cause) if cause else None): count
            for agency, channel, state, cause, count in self._read("counts")
        }

    def breakers(self) -> dict[str, Mapping[str, Any]]:
        return {key: loads(data) for key, data in self._read("breakers")}

    def setting(self, key: str) -> Mapping[str, Any] | None:
        found = self._read("setting", key=key)
        return loads(found[0][0]) if found else None

    def settings(self, prefix: str) -> dict[str, Mapping[str, Any]]:
        return {key: loads(data) for key, data in self._read("settings", prefix=prefix)}

    # the vault

    def token(self, slot: str) -> Token | None:
        found = self._read("token", slot=slot)
        return self._rows.token(found[0]) if found else None

    def put_token(self, slot: str, token: Token, *, parent: str | None) -> bool:
        row = self._rows.token_row(token)
        with self._database.writing() as db:
            return self._write(db, "put_token", slot=slot, guard=parent, **row) == 1

    def mark_refresh(self, slot: str, *, parent: str, at: datetime, stale: datetime | None = None) -> bool:
        limit = to_micros(stale) if stale else -1
        with self._database.writing() as db:
            return self._write(db, "mark_refresh", slot=slot, parent=parent, at=to_micros(at), stale=limit) == 1

    # helpers

    def _cases(self, db: sqlite3.Connection, ids: Iterable[str]) -> list[Case]:
        """In the order asked for; unknown and damaged ones are left out."""
        listed = list(dict.fromkeys(ids))
        announcements = {row[0]: row for row in self._fetch(db, "load_announcements", ids=_listed(listed))}
        deliveries = defaultdict(list)
        for row in self._fetch(db, "load_deliveries", ids=_listed(listed)):
            deliveries[row[0]].append(row)
        cases = (self._case(announcements[each], deliveries[each]) for each in listed if each in announcements)
        return [case for case in cases if case]

    def _owned(self, run_id: str, ids: Sequence[str]) -> list[Case]:
        return [case for case in self.load(ids) if case.announcement.owner == run_id]

    def _case(self, row: Row, deliveries: Sequence[Row]) -> Case | None:
        try:
            return self._rows.case(row, deliveries)
        except Damaged as error:
            if row[0] not in self._damaged:
                _log.error("store.damaged", announcement_id=row[0], what=str(error), do="restore it from a backup")
            self._damaged.add(row[0])
            return None

    def _write(self, db: sqlite3.Connection, query: str, **parameters: Any) -> int:
        return db.execute(self._queries[query], parameters).rowcount

    def _fetch(self, db: sqlite3.Connection, query: str, **parameters: Any) -> list[Row]:
        return db.execute(self._queries[query], parameters).fetchall()

    def _read(self, query: str, **parameters: Any) -> list[Row]:
        with self._database.reading() as db:
            return self._fetch(db, query, **parameters)


def _listed(ids: Iterable[str]) -> str:
    return dumps(list(ids)).decode()
