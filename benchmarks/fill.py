"""Fills a store with many copies of one announcement that the product itself has accepted: a backlog, or a history."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from broker.clock import SystemClock
from broker.engine.engine import CLAIM
from broker.ids import new_id, new_reference
from broker.model import Case
from broker.store import Accept
from broker.store.codec import from_micros, to_micros
from broker.store.database import Database
from broker.store.queries import Queries
from broker.store.rows import STATEMENTS, Row, Rows, checksum, checksum_of_texts
from broker.store.sqlite import SqliteStore
from broker.values import replace

BATCH = 500


def fill(path: Path, count: int, seed: int) -> int:
    """Copies the newest announcement in the store `count` times; returns the rows of deliveries added. Nobody may have
    the store open."""
    rng, clock = random.Random(seed), SystemClock()
    store, database, queries = SqliteStore(path, clock), Database(path, synchronous="OFF"), Queries()
    store.open()
    [template] = store.announcements("agency", limit=1)
    unowned = replace(template.announcement, owner=None, epoch=0)
    references = _references(rng, unowned.reference)
    accept = Accept(Case(unowned, template.deliveries), tuple(store.events(unowned.id)))
    store.close()
    database.open()
    try:
        writes = Rows().writes(accept)
        for start in range(0, count, BATCH):
            by_statement = defaultdict(list)
            for number in range(start, min(start + BATCH, count)):
                at = to_micros(unowned.accepted_at) + number
                of_copy = _Copy(new_id(from_micros(at), rng), next(references), at)
                for statement, row in writes:
                    by_statement[statement].append(of_copy.row(statement, row))
            with database.writing() as db:
                for statement in (each for each in STATEMENTS if each in by_statement):
                    queries.write(db, statement, by_statement[statement])
            if start // BATCH % 20 == 0:
                database.checkpoint()
    finally:
        database.close()
    return count * len(template.deliveries)


def _references(rng: random.Random, taken: str) -> Iterator[str]:
    """New ones for ever, each once: of a hundred thousand a few would be alike."""
    known = {taken}
    while True:
        if (one := new_reference(taken.partition("-")[0], rng)) not in known:
            known.add(one)
            yield one


@dataclass(frozen=True, slots=True)
class _Copy:
    """What is a copy's own; its rows are the template's but for this, with checksums of their own."""

    id: str
    reference: str
    at: int

    def row(self, statement: str, row: Row) -> Row:
        match statement:
            case "insert_announcements":
                mine = (self.id, row[1], self.reference, None, self.at, *row[5:9])
                return (*mine, checksum(*mine), *row[10:])
            case "insert_contents":
                texts = (self.id, *row[1:4])
                return (*texts, checksum_of_texts(*(text.encode() for text in texts)))
            case "insert_deliveries":
                mine = (self.id, *row[1:4], self.at, *row[5:13])
                return (*mine, checksum(*mine))
            case _:
                return (self.id, *row[1:])


def claim_ms(path: Path, times: int = 5) -> float:
    """What the query of a claim takes in this store: the least of several."""
    queries, until, found = Queries(), int((time.time() + 3600) * 1e6), []
    with closing(sqlite3.connect(path)) as db:
        owners = [None, *(owner for [owner] in db.execute("SELECT DISTINCT owner FROM announcement"))]
        for _ in range(times):
            began = time.perf_counter()
            for owner in owners:
                db.execute(queries["claimable"], {"owner": owner, "until": until, "limit": CLAIM}).fetchall()
            found.append((time.perf_counter() - began) * 1000)
    return min(found)
