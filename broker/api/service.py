"""What machines ask: health, metrics, the API's own description."""

from __future__ import annotations

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from broker.api import problems
from broker.api.face import Call, said
from broker.api.models import Health, NoQuery


async def healthz(call: Call[NoQuery, None]) -> web.Response:
    return said(Health())


async def readyz(call: Call[NoQuery, None]) -> web.Response:
    if call.face.stopping.is_set():
        raise problems.NotReady("The broker is stopping.")
    if trouble := call.broker.trouble:
        raise problems.NotReady(trouble)
    return said(Health())


async def metrics(call: Call[NoQuery, None]) -> web.Response:
    body = await call.face.metrics.shown(call.agency)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def openapi(call: Call[NoQuery, None]) -> web.Response:
    document = await asyncio.to_thread(call.face.document)
    return web.Response(body=document, content_type="application/json")


async def errors(call: Call[NoQuery, None]) -> web.Response:
    return web.Response(text=problems.page(), content_type="text/markdown")
