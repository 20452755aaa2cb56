"""A whole newsroom on loopback: two agencies, emulated platforms, one broker with its store, and its HTTP API.

Every answer a test gets through `Newsroom.call` was checked against the OpenAPI document the server gave out.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from jsonschema import Draft202012Validator
from multidict import CIMultiDict

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.webhook import WebhookEmulator
from broker.api import Options, create_app, run_server
from broker.api.operations import OPERATIONS
from broker.clock import SystemClock
from broker.core import Broker
from broker.pages.app import add_pages
from broker.settings import load, load_adapters
from broker.wiring import open_broker

TIN, BAO = "tin", "bao"
SCOPES = ("read", "send", "operate")
KEYS = {(agency, scope): f"loa_{agency}-{scope}-CANARY-{'k' * 20}" for agency in (TIN, BAO) for scope in SCOPES}
FULL = {agency: f"loa_{agency}-full-CANARY-{'k' * 20}" for agency in (TIN, BAO)}
PAGE_TOKEN = "page-token-CANARY"
HOOK_SECRET = "whsec_Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ"
SECRETS = (*KEYS.values(), *FULL.values(), PAGE_TOKEN, HOOK_SECRET)

NEWS = {"headline": "Bão số 9 đổi hướng", "body": "Tâm bão cách bờ 120 km."}

AGENCIES = {TIN: ("Tin Ví Dụ", "TVD"), BAO: ("Báo Ví Dụ", "BVD")}

AGENCY = """
[agencies.{key}.agency]
name = "{name}"
prefix = "{prefix}"
alerts = ["duty"]
keys = [{keys}]

[agencies.{key}.channels]
partner = {{ {hook}, url = "{hooks}/{key}/partner", operator = "partner", country = "VN" }}
portal = {{ {hook}, url = "{hooks}/{key}/portal", operator = "portal", country = "DE" }}
facebook = {{ {common}, page_id = "1098", token = "{token}", base_url = "{facebook}", {app} }}
duty = {{ adapter = "webhook", form = "chat", url = "{hooks}/{key}/duty", allow_private = true }}

[agencies.{key}.routes]
quick = {{ post_to = ["partner", "portal"] }}
meta = {{ post_to = ["facebook"], goal = {{ operators = 1 }} }}
"""
MEDIA = """
[agencies.{key}.media]
folder = "{folder}/public/media"
url = "https://tin.example/media"
image_bytes = 200_000
fetch_within = "3s"
allow_private = {allow_private}
keep_free_bytes = {keep_free}
"""
COMMON = 'probe_every = "1h", rate_per_s = 1000'
APP = 'app_id = "7001", app_secret = "app-secret", oauth_url = "{facebook}", redirect_url = "{facebook}/landed"'
HOOK = f'adapter = "webhook", secret = "{HOOK_SECRET}", allow_private = true, {COMMON}'


def configuration(folder: Path, hooks: str, facebook: str, *, allow_private: bool = False, keep_free: int = 0) -> str:
    parts = [f'[store]\nurl = "sqlite:///{folder}/loa.db"\n']
    for key, (name, prefix) in AGENCIES.items():
        keys = ", ".join([*(_key(s, KEYS[key, s], [s]) for s in SCOPES), _key("full", FULL[key], SCOPES)])
        app = APP.format(facebook=facebook)
        rest = {"hook": HOOK, "common": COMMON, "token": PAGE_TOKEN, "hooks": hooks, "facebook": facebook, "app": app}
        parts.append(AGENCY.format(key=key, name=name, prefix=prefix, keys=keys, **rest))
        media = {"allow_private": str(allow_private).lower(), "keep_free": keep_free}
        parts.append(MEDIA.format(key=key, folder=folder / key, **media))
    return "".join(parts)


def _key(name: str, secret: str, scopes: Sequence[str]) -> str:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return f'{{ name = "{name}", sha256 = "{digest}", scopes = {json.dumps(scopes)} }}'


class Clock(SystemClock):
    """The machine's clock; a test may let the steady part of it jump."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.jumped


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    stop: asyncio.Event
    task: asyncio.Task[None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(slots=True, kw_only=True)
class Newsroom:
    """A running server and a client for it."""

    server: Server
    session: aiohttp.ClientSession
    broker: Broker
    clock: Clock
    hook: WebhookEmulator
    facebook: FacebookEmulator
    folder: Path
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def media(self) -> Path:
        """What the first agency shows to everybody."""
        return self.folder / TIN / "public" / "media"

    @property
    def private(self) -> Path:
        """What it keeps to itself."""
        return self.folder / "loa.db.media" / TIN

    async def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = FULL[TIN],
        headers: Any = None,
        checked: bool = True,
        **rest: Any,
    ) -> Answer:
        """One request; `checked` compares the answer with the OpenAPI document."""
        given = CIMultiDict(headers or {})
        if key is not None:
            given.add("Authorization", f"Bearer {key}")
        async with self.session.request(method, f"{self.server.url}{path}", headers=given, **rest) as response:
            answer = Answer(response.status, response.headers, await response.read())
        if checked:
            self._check(method, path, answer)
        return answer

    async def get(self, path: str, **rest: Any) -> Answer:
        return await self.call("GET", path, **rest)

    async def post(self, path: str, body: Any = None, **rest: Any) -> Answer:
        return await self.call("POST", path, json=body, **rest)

    async def announce(self, **fields: Any) -> dict[str, Any]:
        answer = await self.post("/v1/announcements", {**NEWS, "route": "quick", **fields})
        assert answer.status == 202, answer.body
        return dict(answer.json)

    async def closed(self, any_id: str, key: str = FULL[TIN]) -> dict[str, Any]:
        """Waits until nothing more happens to it."""
        headers = {"Accept": "text/event-stream"}
        answer = await self.get(f"/v1/announcements/{any_id}/events", headers=headers, key=key)
        assert b"event: end" in answer.body
        return dict((await self.get(f"/v1/announcements/{any_id}", key=key)).json)

    def _check(self, method: str, path: str, answer: Answer) -> None:
        described = self._described(method, path.partition("?")[0])
        if described is None:
            assert answer.status in (404, 405)
            schema: Any = {"$ref": "#/components/schemas/Problem"}
        else:
            assert str(answer.status) in described["responses"], (answer.status, answer.body[:300])
            content = described["responses"][str(answer.status)]["content"]
            kind = answer.headers["Content-Type"].partition(";")[0]
            assert kind in content, kind
            schema = content[kind].get("schema")
        if schema:
            whole = {**schema, "components": self.document["components"]}
            Draft202012Validator(whole).validate(answer.json)

    def _described(self, method: str, path: str) -> Mapping[str, Any] | None:
        for operation in sorted(OPERATIONS, key=lambda one: one.path.count("{")):
            pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
            if operation.method == method and re.fullmatch(pattern, path):
                found: Mapping[str, Any] = self.document["paths"][operation.path][method.lower()]
                return found
        return None


@asynccontextmanager
async def newsroom(folder: Path, options: Options | None = None, **media: Any) -> AsyncIterator[Newsroom]:
    """Opens everything on the store in `folder`, which may be one that was used before."""
    async with (
        WebhookEmulator(secrets=[HOOK_SECRET], lag=(0, 0)) as hook,
        FacebookEmulator(token=PAGE_TOKEN, lag=(0, 0)) as facebook,
        serving(folder, hook, facebook, options, **media) as room,
    ):
        yield room


@asynccontextmanager
async def serving(
    folder: Path,
    hook: WebhookEmulator,
    facebook: FacebookEmulator,
    options: Options | None = None,
    **media: Any,
) -> AsyncIterator[Newsroom]:
    """Broker and server on platforms that are there already."""
    config = folder / "loa.toml"
    said = configuration(folder, hook.base_url, facebook.base_url, **media)
    config.write_text(said, encoding="utf-8")
    clock = Clock()
    async with open_broker(load(config, {}, load_adapters())) as broker:
        app = create_app(broker, options, clock=clock)
        add_pages(app)
        async with served(app) as server, aiohttp.ClientSession() as session:
            room = Newsroom(
                server=server, session=session, broker=broker, clock=clock, hook=hook, facebook=facebook, folder=folder
            )
            room.document = (await room.get("/openapi.json", key=None, checked=False)).json
            yield room


@asynccontextmanager
async def served(app: web.Application, **settings: float) -> AsyncIterator[Server]:
    """The application on a free port, until the end or until somebody sets `stop`."""
    stop = asyncio.Event()
    bound: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    run = run_server(app, "127.0.0.1", 0, on_ready=lambda *at: bound.set_result(at), stop=stop, **settings)
    task = asyncio.create_task(run)
    task.add_done_callback(lambda done: bound.cancel())
    try:
        _, port = await bound
        yield Server(port, stop, task)
    finally:
        stop.set()
        await task
