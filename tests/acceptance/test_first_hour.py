"""The first hour as a test: an empty folder, real processes, a person's browser, and only documented commands."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from adapters.emulators.control import ControlClient
from tests.acceptance.processes import ROOT, platforms
from tests.acceptance.rig import free_port

AN_HOUR_AT_MOST = 300.0
"""Seconds, with room for a busy machine; it takes about twenty on an idle one."""
BOT = f"1000000001:{'A' * 35}"
CONNECTED = ("facebook", "threads", "zalo", "telegram")
TOKENS = re.compile(r"EAA[UP][0-9a-f]{8}|THAA[0-9a-f]{8}|page-token|threads-token|zalo-(?:access|refresh)|A{35}")
"""How the emulators' tokens look, old and new."""


@dataclass
class Desk:
    """An engineer at a terminal in one folder, and a browser beside it."""

    folder: Path
    browser: aiohttp.ClientSession
    environment: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    """Everything all commands printed."""

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "broker", *arguments),
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(ROOT), **self.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def loa(self, *arguments: str, code: int = 0) -> str:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        self.said += [out.decode(), err.decode()]
        assert process.returncode == code, (arguments, out.decode(), err.decode())
        return out.decode()

    async def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(await self.loa(*arguments, "--json", code=code))

    async def connect(self, channel: str) -> dict[str, Any]:
        """Runs the command, does what it says, pastes what came of it."""
        process = await self.start("connect", channel, "--json")
        assert process.stdin is not None
        assert process.stdout is not None
        asked = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        pasted = await self.agree(asked["url"]) if asked["url"] else BOT
        process.stdin.write(f"{pasted}\n".encode())
        out, err = await asyncio.wait_for(process.communicate(), 30)
        self.said += [out.decode(), err.decode()]
        assert process.returncode == 0, (out.decode(), err.decode())
        assert parse_qs(urlsplit(pasted).query).get("code", [BOT])[0] not in out.decode() + err.decode()
        return dict(json.loads(out))

    async def agree(self, url: str) -> str:
        """What a person does in the browser: the address where it lands."""
        async with self.browser.get(url) as page:
            links = [unescape(link) for link in re.findall(r'href="([^"]+)"', await page.text())]
        parts = urlsplit(url)
        allow = next(link for link in links if "decision=allow" in link)
        async with self.browser.get(f"{parts.scheme}://{parts.netloc}{allow}") as landed:
            assert landed.status == 200
            return str(landed.url)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with aiohttp.ClientSession() as browser:
        yield Desk(tmp_path, browser)


@asynccontextmanager
async def serving(desk: Desk, *options: str) -> AsyncIterator[dict[str, Any]]:
    """`loa serve`, until the end of the block; then it must stop by itself, and well."""
    process = await desk.start("serve", "--json", *options)
    assert process.stdout is not None
    ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60) or b"{}")
    reading = asyncio.create_task(process.communicate())
    try:
        assert ready, "the server did not start"
        yield ready
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(reading, 30)
        desk.said += [out.decode(), err.decode()]
    assert process.returncode == 0, err.decode()


@pytest.mark.timeout(AN_HOUR_AT_MOST)
async def test_the_first_hour(desk: Desk) -> None:
    began = time.monotonic()
    made = await desk.json("init", "--channels", "site,facebook,threads,zalo,telegram,duty", "--name", "Tin Ví Dụ")
    desk.environment = {"LOA_KEY": made["key"], "LOA_SERVER__LISTEN": "127.0.0.1:0"}
    written = desk.folder / "loa.toml"
    assert made["key"] not in written.read_text(encoding="utf-8")
    assert written.stat().st_mode & 0o077 == 0
    await desk.loa("init", code=2)
    checked = await desk.loa("check")
    assert "channels.facebook.app_secret is still the example's" in checked
    async with serving(desk, "--sandbox") as ready, ControlClient(ready["control"]) as control:
        desk.environment["LOA_URL"] = ready["url"]
        await curl(desk, ready["url"], made["key"])
        for channel in CONNECTED:
            done = await desk.connect(channel)
            assert (done["step"], done["answer"]["works"]) == ("connected", True), done
        await checked_online(desk)
        for channel in ("facebook", "threads", "zalo"):
            assert "can post" in await desk.loa("rehearse", channel)
        await desk.loa("rehearse", "telegram", code=4)
        report = await sent(desk)
        await withdrawn(desk, control, report)
    assert not [words for words in desk.said if TOKENS.search(words)]
    assert time.monotonic() - began < AN_HOUR_AT_MOST


async def curl(desk: Desk, url: str, key: str) -> None:
    """The newsroom's system, with the key that `init` made."""
    body = {"headline": "Bão số 9 đổi hướng", "body": "Tâm bão cách bờ 120 km.", "urgency": "urgent"}
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "bao-9"}
    for repeated in (None, "true"):
        async with desk.browser.post(f"{url}/v1/announcements", json=body, headers=headers) as answer:
            assert (answer.status, answer.headers.get("Idempotency-Replayed")) == (202, repeated)


async def checked_online(desk: Desk) -> None:
    found = await desk.json("check", "--online")
    assert found["ok"] is True
    agency = found["agencies"]["agency"]
    assert agency["broken"] == {}
    accounts = {name: agency["channels"][name]["live"]["account_now"]["account"] for name in CONNECTED}
    assert accounts == {
        "facebook": "Page 1098 (1098)",
        "threads": "@tinvidu (2468)",
        "zalo": "Tin Ví Dụ (4402)",
        "telegram": "@tinvidu_bot in @tinvidu",
    }


async def sent(desk: Desk) -> Mapping[str, Any]:
    words = ("--headline", "Cấm biển từ 17 giờ", "--body", "Áp dụng cho mọi tàu thuyền.", "--urgent")
    report: dict[str, Any] = await desk.json("send", *words, "--wait")
    assert report["goal"]["met_at"] is not None
    listed = {one["name"]: one for one in await desk.json("channels")}
    assert [listed[name]["proved"] for name in ("facebook", "threads", "zalo")] == [True] * 3
    return report


async def withdrawn(desk: Desk, control: ControlClient, report: Mapping[str, Any]) -> None:
    """Taken back: the platforms' own logs say that nothing of it is up."""
    done = await desk.json("withdraw", report["reference"], "--because", "thử")
    assert done["status"] == "withdrawn"
    for name in CONNECTED:
        log = await control.until(
            name, lambda log: not [post for post in log.copies(report["reference"]) if post.is_up]
        )
        assert len(log.copies(report["reference"])) == 1, name


@pytest.mark.timeout(AN_HOUR_AT_MOST)
async def test_accounts_connected_from_nothing_stay_so(desk: Desk) -> None:
    """No sandbox: a configuration without any token, and a restart in between."""
    async with platforms("facebook", "zalo", "telegram") as (control, found):
        configured(desk, found)
        async with serving(desk):
            listed = {one["name"]: one for one in await desk.json("channels")}
            for name in ("facebook", "zalo", "telegram"):
                assert f"loa connect {name}" in await desk.loa("probe", name, code=1)
                assert listed[name]["account"] is None
                assert (await desk.connect(name))["answer"]["works"] is True
        async with serving(desk):
            for name in ("facebook", "zalo", "telegram"):
                await desk.loa("probe", name)
            report = await desk.json("send", "--headline", "Tin", "--body", "Bài", "--wait")
            assert report["goal"]["met_at"] is not None
            log = await control.until("telegram", lambda log: log.copies(report["reference"]))
            assert len(log.copies(report["reference"])) == 1
    assert not [words for words in desk.said if TOKENS.search(words)]


def configured(desk: Desk, found: Mapping[str, Mapping[str, Any]]) -> None:
    ours = {"token", "page_id", "oa_id", "refresh_token"}
    port = free_port()
    lines = [f'[server]\nlisten = "127.0.0.1:{port}"\n[store]\nurl = "sqlite:///loa.db"']
    key = "loa_first-hour-0123456789"
    digest = hashlib.sha256(key.encode()).hexdigest()
    lines.append(
        '[agency]\nname = "Tin"\nprefix = "TVD"\n'
        f'keys = [{{ name = "desk", sha256 = "{digest}", scopes = ["send", "read", "operate"] }}]'
    )
    for name, platform in found.items():
        settings = {key: value for key, value in platform["settings"].items() if key not in ours}
        settings |= {"cover_url": "https://tin.example/cover.jpg"} if name == "zalo" else {}
        lines += [f"[channels.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
    (desk.folder / "loa.toml").write_text("\n".join(lines), encoding="utf-8")
    desk.environment = {"LOA_KEY": key, "LOA_URL": f"http://127.0.0.1:{port}"}
