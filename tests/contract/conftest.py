"""Suites that test modules derive from explain their failures like tests; emulators find a media host."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.certificates import Certificate, make_certificate
from tests.contract.media_host import MediaHost, media_host

pytest.register_assert_rewrite("tests.contract.store_suite")


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[MediaHost]:
    """A media folder that platforms can fetch from."""
    async with media_host(tmp_path / "media") as host:
        yield host


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))
