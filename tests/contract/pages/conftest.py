from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract.pages.reader import Reader, reader
from tests.contract.pages.stage import FULL, Stage, stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One for a whole module."""
    async with stage(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest_asyncio.fixture(loop_scope="module")
async def stranger(desk: Stage) -> AsyncIterator[Reader]:
    async with reader(desk.url) as someone:
        yield someone


@pytest_asyncio.fixture(loop_scope="module")
async def editor(desk: Stage) -> AsyncIterator[Reader]:
    """Signed in, and may do everything."""
    async with reader(desk.url) as someone:
        assert (await someone.sign_in(FULL)).path == "/desk"
        yield someone
