"""The operations on channels."""

from __future__ import annotations

from aiohttp import web

from broker.api.face import Call, said
from broker.api.models import AnswerReport, ChannelList, NoQuery, PauseBody
from broker.report import ChannelReport


async def list_channels(call: Call[NoQuery, None]) -> web.Response:
    return said(ChannelList(channels=await call.broker.channels(call.agency)))


async def probe_channel(call: Call[NoQuery, None]) -> web.Response:
    name = call.path("channel")
    return said(AnswerReport.of(name, await call.broker.probe(call.agency, name)))


async def rehearse_channel(call: Call[NoQuery, None]) -> web.Response:
    name = call.path("channel")
    return said(AnswerReport.of(name, await call.broker.rehearse(call.agency, name)))


async def pause_channel(call: Call[NoQuery, PauseBody]) -> web.Response:
    name = call.path("channel")
    await call.broker.pause(call.agency, name, reason=call.body.reason or "")
    return said(await _channel(call, name))


async def resume_channel(call: Call[NoQuery, None]) -> web.Response:
    name = call.path("channel")
    await call.broker.resume(call.agency, name)
    return said(await _channel(call, name))


async def _channel(call: Call[NoQuery, PauseBody] | Call[NoQuery, None], name: str) -> ChannelReport:
    return next(one for one in await call.broker.channels(call.agency) if one.name == name)
