"""Bare accepting: aiohttp on uvloop takes the same JSON, checks it with pydantic, stores nothing, answers 202."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime

import uvloop
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    headline: str = Field(max_length=300)
    body: str = Field(max_length=50_000)
    route: str | None = None
    send_at: datetime | None = None


async def accept(request: web.Request) -> web.Response:
    body = Body.model_validate_json(await request.read())
    return web.json_response({"headline": body.headline, "status": "open"}, status=202)


async def main() -> None:
    app = web.Application()
    app.router.add_post("/v1/announcements", accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(json.dumps({"port": runner.addresses[0][1]}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
