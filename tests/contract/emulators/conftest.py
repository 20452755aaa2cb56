"""A fresh Facebook and a fresh Threads for each test, and a client for each."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.threads import ThreadsEmulator
from tests.contract.emulators.browser import Browser, HandClock


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def fb(clock: HandClock) -> AsyncIterator[FacebookEmulator]:
    async with FacebookEmulator(now=clock.now, lag=(0, 0), app_secret="s3cret") as emulator:
        yield emulator


@pytest.fixture
async def threads(clock: HandClock) -> AsyncIterator[ThreadsEmulator]:
    async with ThreadsEmulator(now=clock.now, lag=(0, 0)) as emulator:
        yield emulator


@pytest.fixture
def page(session: aiohttp.ClientSession, fb: FacebookEmulator) -> Browser:
    return Browser(session, fb, "page-token")


@pytest.fixture
def user(session: aiohttp.ClientSession, threads: ThreadsEmulator) -> Browser:
    return Browser(session, threads, "threads-token")
