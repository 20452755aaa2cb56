"""The own site's folder, served to readers by the broker itself."""

from __future__ import annotations

import pytest
import pytest_asyncio

from broker.api import Folder, Options
from tests.contract.api.newsroom import newsroom

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newsroom")
    public = folder / "public"
    (public / "TVD-7QK2F9").mkdir(parents=True)
    (public / "TVD-7QK2F9" / "index.html").write_text("<p>Bão</p>", encoding="utf-8")
    (public / "index.html").write_text("<p>Tin</p>", encoding="utf-8")
    (public / "feed.atom").write_text("<feed/>", encoding="utf-8")
    (public / ".lock").write_text("hidden", encoding="utf-8")
    (public / "empty").mkdir()
    (public / "out").symlink_to(folder)
    async with newsroom(folder, Options(folders=(Folder("/l", public),))) as room:
        yield room


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("/l/TVD-7QK2F9", "text/html; charset=utf-8", "<p>Bão</p>"),
        ("/l/TVD-7QK2F9/", "text/html; charset=utf-8", "<p>Bão</p>"),
        ("/l/", "text/html; charset=utf-8", "<p>Tin</p>"),
        ("/l/feed.atom", "application/atom+xml; charset=utf-8", "<feed/>"),
    ],
)
async def test_readers_need_no_key(room, path, kind, text):
    answer = await room.get(path, key=None, checked=False)
    assert (answer.status, answer.headers["Content-Type"], answer.body.decode()) == (200, kind, text)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/l/TVD-ZZZZZZ",
        "/l/empty",
        "/l/.lock",
        "/l/out/loa.toml",
        "/l/out/loa.db",
        "/l/%2e%2e/loa.toml",
        "/l/..%2floa.toml",
        "/l/%2e%2e%2floa.db",
        "/l/TVD-7QK2F9/..%2f..%2floa.toml",
        "/l//etc/passwd",
        "/l/%2fetc%2fpasswd",
        "/l/\\..\\loa.toml",
        "/l/%00",
        "/l/" + "a" * 3000,
        "/l",
    ],
)
async def test_nothing_else_is_there(room, path: str):
    answer = await room.get(path, key=None, checked=False)
    assert answer.status == 404
    assert b"sha256" not in answer.body


async def test_a_page_that_has_not_changed_is_not_sent_again(room):
    first = await room.get("/l/TVD-7QK2F9", key=None, checked=False)
    headers = {"If-None-Match": first.headers["ETag"]}
    assert (await room.get("/l/TVD-7QK2F9", key=None, checked=False, headers=headers)).status == 304
