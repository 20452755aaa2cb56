"""Our calls against YouTube's own description of its API: paths, methods, parameters, fields, words.

The description is 400 kB inside a package of 114 MB, so it is no part of the test extra: this runs where
google-api-python-client is installed (`pip install google-api-python-client`), and is skipped by name elsewhere.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters._youtube_account import SCOPE
from adapters._youtube_videos import standing
from adapters.emulators.youtube import YouTubeEmulator
from adapters.youtube import YouTubeAdapter
from broker.outcome import Unavailable
from tests.contract.bench import Bench
from tests.contract.media_host import MediaHost
from tests.contract.test_youtube import SETTINGS


def described() -> dict[str, Any]:
    package = importlib.util.find_spec("googleapiclient")
    if package is None or package.origin is None:
        pytest.skip("needs google-api-python-client, which carries YouTube's description of its API")
    path = Path(package.origin).parent / "discovery_cache" / "documents" / "youtube.v3.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


@dataclass
class Seen:
    """What left us for YouTube: method, path, parameters, and the fields of JSON bodies."""

    calls: list[tuple[str, str, frozenset[str], dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
async def seen(host: MediaHost) -> AsyncIterator[Seen]:
    """The calls of a whole life: posted, read, listed, edited, deleted."""
    seen = Seen()

    class Listening(YouTubeEmulator):
        def verdict(self, call: Any, response: Any) -> str:
            if call.host == "api" and "upload_id" not in call.params:
                request = call.request
                seen.calls.append((request.method, request.path, frozenset(request.query), call.json or {}))
            return super().verdict(call, response)

    async with Listening(lag=(0, 0), processed_after=0) as emulator, aiohttp.ClientSession() as session:
        bench = Bench(YouTubeAdapter, SETTINGS, "upload", emulator, session, host=host)
        copy = await bench.live()
        await bench.adapter.probe()
        await bench.adapter.rehearse()
        await bench.adapter.find(copy.job(count=True))
        await bench.adapter.edit(copy.job())
        await bench.adapter.delete(copy.job())
        yield seen


def methods(api: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Each documented call by its method and path; uploads by the path for media."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for resource in api["resources"].values():
        for method in resource.get("methods", {}).values():
            found[method["httpMethod"], "/" + method["path"]] = method
            if media := method.get("mediaUpload"):
                found[method["httpMethod"], media["protocols"]["simple"]["path"]] = method
    return found


def test_we_call_what_there_is(seen: Seen):
    api = described()
    known = methods(api)
    called = {(method, path) for method, path, *_ in seen.calls}
    assert called <= known.keys()
    assert len(called) == 6
    for method, path, params, _ in seen.calls:
        documented = known[method, path]
        assert params <= documented["parameters"].keys() | api["parameters"].keys() | {"uploadType"}
        assert set(documented.get("parameterOrder", ())) <= params
        assert SCOPE in documented["scopes"]


def test_we_send_fields_that_there_are(seen: Seen):
    schemas = described()["schemas"]
    for *_, body in seen.calls:
        for part, fields in body.items():
            schema = schemas["Video"]["properties"][part]
            if "$ref" in schema:
                assert fields.keys() <= schemas[schema["$ref"]]["properties"].keys()


def test_we_know_every_state_of_a_video():
    status = described()["schemas"]["VideoStatus"]["properties"]
    states = itertools.product(status["uploadStatus"]["enum"], status["privacyStatus"]["enum"])
    for upload, privacy in states:
        video = {"id": "a1", "status": {"uploadStatus": upload, "privacyStatus": privacy}}
        assert not isinstance(standing(video, timedelta(0)), Unavailable)
    assert {"uploaderAccountSuspended", "uploaderAccountClosed"} <= set(status["rejectionReason"]["enum"])


def test_our_host_is_theirs():
    api = described()
    settings = YouTubeAdapter.Settings.model_validate({"client_id": "a", "client_secret": "b"})
    assert f"{settings.base_url}/" == api["rootUrl"]  # type: ignore[attr-defined]  # of YouTube's own settings
