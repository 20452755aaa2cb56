"""One-time links: each opens once, for an hour, whoever asks at the same moment; the store has no token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.engine.calls import in_thread
from broker.engine.doors import LINK_FOR, Door, Doors
from broker.engine.writer import Writer
from broker.store.sqlite import SqliteStore
from tests.contract.desk import DeskClock


@pytest.fixture
async def clock() -> DeskClock:
    return DeskClock()


@pytest.fixture
async def doors(tmp_path: Path, clock: DeskClock) -> AsyncIterator[Doors]:
    store = SqliteStore(str(tmp_path / "loa.db"), clock)
    store.open()
    writer = Writer(store, clock, on_unrecorded=lambda operations: None)
    await writer.start()
    yield Doors(store, writer, clock, in_thread, "https://loa.tin.example")
    await writer.stop()
    store.close()


async def token_of(doors: Doors, page: str = "channels") -> str:
    link = await doors.link("tin", page)
    assert link
    assert link.startswith("https://loa.tin.example/desk/in/")
    return link.rpartition("/")[2]


async def test_a_link_opens_once(doors: Doors):
    token = await token_of(doors)
    assert await doors.known(token) == await doors.enter(token) == Door("tin", "channels")
    assert await doors.known(token) is await doors.enter(token) is None


async def test_of_many_at_once_one_gets_in(doors: Doors):
    token = await token_of(doors)
    found = await asyncio.gather(*(doors.enter(token) for _ in range(20)))
    assert [door for door in found if door] == [Door("tin", "channels")]


async def test_an_hour_later_it_is_over(doors: Doors, clock: DeskClock):
    token = await token_of(doors)
    clock.advance(seconds=LINK_FOR.total_seconds() - 1)
    assert await doors.known(token)
    clock.advance(seconds=1)
    assert await doors.enter(token) is None


async def test_old_links_are_forgotten(doors: Doors, clock: DeskClock, tmp_path: Path):
    for _ in range(3):
        await token_of(doors)
    clock.advance(seconds=LINK_FOR.total_seconds())
    last = await token_of(doors)
    kept = doors._store.settings("link:")
    assert len(kept) == 1
    assert last not in repr(kept)


async def test_each_link_is_another(doors: Doors):
    assert len({await token_of(doors) for _ in range(5)}) == 5


async def test_without_an_address_there_is_no_link(doors: Doors):
    doors._public_url = None
    assert await doors.link("tin", "") is None


async def test_the_secret_stays(doors: Doors):
    again = Doors(doors._store, doors._writer, doors._clock, in_thread, None)
    assert await doors.secret() == await again.secret()
    assert len(await again.secret()) == 32
