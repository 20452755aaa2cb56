"""Fixtures of the acceptance tests: the emulated platforms beside the test, and one broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.processes import platforms
from tests.acceptance.rig import EMULATED, OPTIONS, Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A broker that is not started yet, with all platforms well."""
    async with platforms(*EMULATED, options=OPTIONS) as (control, found), Rig(tmp_path, control, found) as made:
        yield made
