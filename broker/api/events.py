"""Events as they happen, as a stream a browser or program can take up again (WHATWG HTML, "Server-sent events").

Each message's id is the event's number, its type the event's kind, its data the event as JSON. A message of type `end`
without data says that the announcement is closed; a stream that ends without it was cut: connect again, with
Last-Event-ID set to the last id.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager

from aiohttp import web

from broker.api.face import Call, Face
from broker.api.models import AfterQuery
from broker.api.problems import refused
from broker.errors import Overloaded
from broker.report import EventReport

HEARTBEAT = b": still here\n\n"
END = b"event: end\ndata\n\n"
RETRY = b"retry: 2000\n\n"


async def stream(call: Call[AfterQuery, None]) -> web.StreamResponse:
    """Answers with the stream; returns when the announcement is closed, the caller has left or the server stops."""
    after = _after(call)
    any_id = call.path("announcement")
    await call.broker.get(call.agency, any_id)
    with _counted(call.face):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        try:
            await response.prepare(call.request)
            await response.write(RETRY)
            async with aclosing(call.broker.follow(call.agency, any_id, after)) as events:
                await _send(response, events, call.face)
        except ConnectionError:
            pass  # the caller has left
        return response


async def _send(response: web.StreamResponse, events: AsyncIterator[EventReport], face: Face) -> None:
    stopping = asyncio.ensure_future(face.stopping.wait())
    upcoming = asyncio.ensure_future(anext(events, None))
    try:
        while not stopping.done():
            await asyncio.wait(
                {upcoming, stopping}, timeout=face.options.heartbeat_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not upcoming.done():
                await response.write(HEARTBEAT)
                continue
            event = upcoming.result()
            if event is None:
                await response.write(END)
                return
            upcoming = asyncio.ensure_future(anext(events, None))
            await response.write(_message(event))
    finally:
        for task in (stopping, upcoming):
            task.cancel()
        await asyncio.gather(stopping, upcoming, return_exceptions=True)


def _message(event: EventReport) -> bytes:
    return f"id: {event.n}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n".encode()


def _after(call: Call[AfterQuery, None]) -> int:
    last = call.request.headers.get("Last-Event-ID", "").strip()
    if not last:
        return call.query.after
    if not (last.isascii() and last.isdigit()) or len(last) > 15:
        raise refused("bad_request", "Last-Event-ID must be the number of an event.")
    return int(last)


@contextmanager
def _counted(face: Face) -> Iterator[None]:
    if face.streams >= face.options.streams_at_most:
        raise Overloaded("Too many event streams are open: ask for the events without streaming.")
    face.streams += 1
    try:
        with face.metrics.streams.track_inprogress():
            yield
    finally:
        face.streams -= 1
