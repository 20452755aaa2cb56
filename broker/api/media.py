"""The operation on pictures and videos."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import web

from broker.api.face import Call, said
from broker.api.models import MediaQuery
from broker.api.reading import read_file


async def upload_media(call: Call[MediaQuery, None]) -> web.Response:
    async with aclosing(read_file(call.request, call.face.options.media_within_s)) as chunks:
        return said(await call.broker.take_media(call.agency, chunks, call.query.alt), 201)
