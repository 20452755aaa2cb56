"""R23: one bit of the store file is not what was written. Whatever a reader is then given is true, or nothing."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from structlog.testing import capture_logs

from broker.clock import SystemClock
from broker.errors import StoreError
from broker.model import Case
from broker.store.sqlite import SqliteStore
from broker.values import replace

AGENCY = "agency"


@dataclass(slots=True)
class Damage:
    """What flipped bits did, by kind; `silent` must stay empty."""

    seed: int
    places: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)


def flipped(store: Path, folder: Path, count: int, seed: int) -> Damage:
    """Flips one bit of a copy of the store, `count` times, and reads everything that the sound one holds."""
    structlog.reset_defaults()  # whoever silenced the log before: here it is listened to
    rng = random.Random(seed)
    sound = _everything(store)
    found = Damage(seed)
    size = store.stat().st_size
    for number in range(count):
        place = rng.randrange(size * 8)
        copy = folder / f"{number}.db"
        shutil.copyfile(store, copy)
        with copy.open("r+b") as file:
            file.seek(place // 8)
            [byte] = file.read(1)
            file.seek(place // 8)
            file.write(bytes([byte ^ 1 << place % 8]))
        found.places[_judge(copy, sound, f"bit {place}", found.silent)] += 1
        for left in folder.glob(f"{number}.db*"):
            left.unlink()
    return found


def _judge(copy: Path, sound: dict[str, Case], where: str, silent: list[str]) -> str:
    try:
        with capture_logs() as logs:
            seen = _everything(copy, sound)
    except StoreError:
        return "the store refuses, and says why"
    except Exception as error:
        silent.append(f"{where}: {type(error).__name__}: {error}")
        return "another error"
    told = sum(log["event"] == "store.damaged" for log in logs)
    wrong = [i for i, case in seen.items() if i not in sound or _content(case) != _content(sound[i])]
    missing = sound.keys() - seen.keys()
    if wrong or (missing and not told):
        silent.append(f"{where}: {len(wrong)} cases differ, {len(missing)} are missing, {told} told")
        return "silent"
    if len(missing) > 1:
        return "several records are quarantined"
    if missing:
        return "one record is quarantined"
    return "found, and every record is sound" if told else "touches no record"


def _content(case: Case) -> Case:
    """Without what the store changes by itself; a damaged owner is put right at the next start."""
    return Case(replace(case.announcement, owner=None, epoch=0), case.deliveries)


def _everything(path: Path, known: dict[str, Case] | None = None) -> dict[str, Case]:
    """All cases by id, found by list and by id."""
    store = SqliteStore(path, SystemClock(), ballast_bytes=0)
    store.open()
    try:
        listed = store.announcements(AGENCY, limit=1000)
        loaded = store.load(list(known or ()))
        return {case.announcement.id: case for case in [*listed, *loaded]}
    finally:
        store.close()
