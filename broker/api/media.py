"""The operation on pictures and videos."""

from __future__ import annotations

from aiohttp import web

from broker.api.face import Call, said
from broker.api.models import MediaQuery
from broker.api.reading import read_file


async def upload_media(call: Call[MediaQuery, None]) -> web.Response:
    chunks = read_file(call.request, call.face.options.media_within_s)
    return said(await call.broker.take_media(call.agency, chunks, call.query.alt), 201)
