from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract.api.newsroom import Newsroom, newsroom


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with newsroom(tmp_path) as room:
        yield room


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_room(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Newsroom]:
    """One for a whole module; its tests run in the module's event loop."""
    async with newsroom(tmp_path_factory.mktemp("newsroom")) as room:
        yield room
