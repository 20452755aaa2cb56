"""The operations on channels."""

from __future__ import annotations

from aiohttp import web

from broker.api.accounts import AccountReport, ConnectionBody, ConnectionReport, Restoration, RestorationBody
from broker.api.face import Call, said
from broker.api.models import AnswerReport, ChannelList, NoQuery, PauseBody
from broker.contract import NotConnected
from broker.errors import Conflict
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
    await call.broker.pause(call.agency, name, reason=call.body.reason or "", until=call.body.until)
    return said(await _channel(call, name))


async def resume_channel(call: Call[NoQuery, None]) -> web.Response:
    name = call.path("channel")
    await call.broker.resume(call.agency, name)
    return said(await _channel(call, name))


async def connect_channel(call: Call[NoQuery, ConnectionBody]) -> web.Response:
    """The next step of three: where to go, what the answer lets us use, which of it is used."""
    name = call.path("channel")
    connections, key = call.broker.connections(call.agency, name)
    try:
        if call.body.account is not None:
            chosen = await connections.choose(key, call.body.account)
            finding = AnswerReport.of(name, await call.broker.probe(call.agency, name))
            return said(ConnectionReport.connected(name, chosen, finding))
        if call.body.pasted is not None:
            accounts = await connections.accept(key, call.body.pasted.get_secret_value())
            return said(ConnectionReport.to_choose(name, accounts))
        return said(ConnectionReport.asked(name, connections.invite(key)))
    except NotConnected as error:
        raise Conflict(str(error), code="not_connected") from None


async def show_account(call: Call[NoQuery, None]) -> web.Response:
    name = call.path("channel")
    connections, key = call.broker.connections(call.agency, name)
    told = await connections.particulars(key)
    return said(AccountReport.of(name, told))


async def show_restoration(call: Call[NoQuery, None]) -> web.Response:
    return said(Restoration(backup_at=call.broker.restored_from(call.agency)))


async def decide_on_restoration(call: Call[NoQuery, RestorationBody]) -> web.Response:
    await call.broker.decide_on_older(call.agency, send=call.body.older == "send")
    return said(Restoration(backup_at=call.broker.restored_from(call.agency)))


async def _channel(call: Call[NoQuery, PauseBody] | Call[NoQuery, None], name: str) -> ChannelReport:
    return next(one for one in await call.broker.channels(call.agency) if one.name == name)
