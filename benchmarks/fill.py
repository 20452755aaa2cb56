"""Fills a store with many copies of one announcement that the product itself has accepted: a backlog, or a history."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from broker.clock import SystemClock
from broker.engine.engine import CLAIM
from broker.ids import new_id, new_reference
from broker.model import Case, Event
from broker.store import Accept, Broken, Exists
from broker.store.queries import Queries
from broker.store.sqlite import SqliteStore

BATCH = 500


def fill(path: Path, count: int, seed: int) -> int:
    """Copies the newest announcement in the store `count` times; returns the rows of deliveries added. Nobody may have
    the store open."""
    rng, store = random.Random(seed), SqliteStore(path, SystemClock(), synchronous="OFF")
    store.open()
    try:
        [template] = store.announcements("agency", limit=1)
        events = tuple(store.events(template.announcement.id))
        for start in range(0, count, BATCH):
            copies = [_copy(template, events, i, rng) for i in range(start, min(start + BATCH, count))]
            failed = [r for r in store.commit(copies) if isinstance(r, Broken | Exists)]
            if any(isinstance(r, Broken) for r in failed):
                raise RuntimeError(f"the store could not be filled: {failed[0]}")
    finally:
        store.close()
    return count * len(template.deliveries)


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


def _copy(template: Case, events: tuple[Event, ...], number: int, rng: random.Random) -> Accept:
    at = template.announcement.accepted_at + timedelta(microseconds=number)
    announcement = replace(
        template.announcement,
        id=new_id(at, rng),
        reference=new_reference("TVD", rng),
        accepted_at=at,
        owner=None,
        epoch=0,
    )
    deliveries = {n: replace(d, announcement_id=announcement.id) for n, d in template.deliveries.items()}
    return Accept(Case(announcement, deliveries), events)
