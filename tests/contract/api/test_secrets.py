"""Canaries in every slot for a secret: none of them comes out again, whatever happens."""

from __future__ import annotations

import io
import logging

import pytest
import structlog

from broker import logs
from tests.contract.api.newsroom import BAO, FULL, KEYS, NEWS, PAGE_TOKEN, SECRETS, TIN


@pytest.fixture
def logged():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(as_json=True, level="debug", stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = before


async def everything(room) -> list[bytes]:
    """All an API can be made to say, with platforms that work, refuse our account and are down."""
    heard = []

    async def ask(method: str, path: str, **rest) -> None:
        answer = await room.call(method, path, checked=False, **rest)
        heard.append(answer.body + repr(sorted(answer.headers.items())).encode())

    for fault in (None, "logged_out", "refused"):
        if fault:
            await room.facebook.fail(fault)
            await room.hook.fail("server_error")
        for route in ("quick", "meta"):
            await ask("POST", "/v1/announcements", json={**NEWS, "route": route})
        for channel in ("partner", "facebook", "duty"):
            for action in ("probe", "rehearsal", "pause", "resume"):
                await ask("POST", f"/v1/channels/{channel}/{action}", json={})
        for path in ("/v1/announcements", "/v1/channels", "/metrics", "/openapi.json"):
            await ask("GET", path)
        await room.facebook.heal()
        await room.hook.heal()
    for one in (await room.get("/v1/announcements")).json["announcements"]:
        await ask("GET", f"/v1/announcements/{one['id']}/events")
    for key in (KEYS[TIN, "read"], FULL[TIN] + "x", PAGE_TOKEN):
        await ask("POST", "/v1/announcements", key=key, json=NEWS)
        await ask("GET", f"/v1/channels?token={FULL[BAO]}", key=key)
    await ask(
        "POST",
        "/v1/announcements",
        data=b'{"token": "' + PAGE_TOKEN.encode(),
        headers={"Content-Type": "application/json"},
    )
    return heard


async def test_no_secret_comes_out(logged, room):
    said = b"".join(await everything(room))
    written = logged.getvalue()
    assert '"event": "request"' in written
    assert '"event": "channel_down"' in written
    assert not [one for one in SECRETS if one.encode() in said]
    assert not [one for one in SECRETS if one in written]


async def test_texts_of_announcements_stay_out_of_the_log(logged, room):
    said = await room.announce(headline="CANARY headline", author="CANARY author")
    await room.post("/v1/announcements", {"headline": "CANARY wrong", "x": "CANARY"})
    await room.closed(said["id"])
    assert "CANARY" not in logged.getvalue()
