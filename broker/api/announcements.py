"""The operations on announcements."""

from __future__ import annotations

import re

from aiohttp import web

from broker.api.events import stream
from broker.api.face import Call, said
from broker.api.models import (
    AfterQuery,
    AnnouncementBody,
    AnnouncementPage,
    DryRunQuery,
    EventList,
    NoQuery,
    PageQuery,
    PreviewList,
    RecordQuery,
    ResolutionBody,
    WithdrawalBody,
)
from broker.api.problems import refused
from broker.intake import Submission
from broker.pages.record import record_page
from broker.rules.sentences import spoken

_KEY = re.compile(r"[\x20-\x7e]{1,200}")


async def announce(call: Call[DryRunQuery, AnnouncementBody]) -> web.Response:
    key = _idempotency_key(call.request)
    if call.query.dry_run or call.body.dry_run:
        return said(await _previews(call, call.body))
    receipt = await call.broker.announce(call.agency, call.body, idempotency_key=key, by=call.key_name)
    headers = {"Location": f"/v1/announcements/{receipt.report.id}"}
    if receipt.repeated:
        headers["Idempotency-Replayed"] = "true"
    return said(receipt.report, 202, headers)


async def preview(call: Call[NoQuery, Submission]) -> web.Response:
    return said(await _previews(call, call.body))


async def list_announcements(call: Call[PageQuery, None]) -> web.Response:
    asked = call.query
    found = await call.broker.announcements(call.agency, status=asked.status, before=asked.before, limit=asked.limit)
    following = found[-1].id if len(found) == asked.limit else None
    return said(AnnouncementPage(announcements=found, next=following))


async def get_announcement(call: Call[NoQuery, None]) -> web.Response:
    return said(await call.broker.get(call.agency, call.path("announcement")))


async def list_events(call: Call[AfterQuery, None]) -> web.StreamResponse:
    if call.request.method == "GET" and "text/event-stream" in call.request.headers.get("Accept", "").lower():
        return await stream(call)
    events = await call.broker.events(call.agency, call.path("announcement"), call.query.after)
    return said(EventList(events=events))


async def get_record(call: Call[RecordQuery, None]) -> web.Response:
    asked, found = call.query, await call.broker.record(call.agency, call.path("announcement"))
    if asked.format == "json" or (asked.format is None and not _wants_html(call.request)):
        return said(found)
    page = record_page(found, asked.language or spoken(call.broker.agencies[call.agency].language))
    headers = {"Content-Security-Policy": page.policy}
    return web.Response(text=page.html, content_type="text/html", headers=headers)


async def withdraw(call: Call[NoQuery, WithdrawalBody]) -> web.Response:
    any_id, because = call.path("announcement"), call.body.because
    return said(await call.broker.withdraw(call.agency, any_id, because=because, by=call.key_name))


async def resolve(call: Call[NoQuery, ResolutionBody]) -> web.Response:
    given = call.body
    report = await call.broker.resolve(
        call.agency,
        call.path("announcement"),
        call.path("channel"),
        live=bool(given.live),
        gone=given.gone,
        url=given.url,
        by=given.by or call.key_name,
        send_again=given.send_again,
    )
    return said(report)


async def _previews(
    call: Call[NoQuery, Submission] | Call[DryRunQuery, AnnouncementBody], body: Submission
) -> PreviewList:
    return PreviewList(previews=await call.broker.preview(call.agency, body))


def _wants_html(request: web.Request) -> bool:
    """Whether the page is named, and before JSON if both are."""
    accepted = request.headers.get("Accept", "").lower()
    html, json = accepted.find("text/html"), accepted.find("application/json")
    return html >= 0 and (json < 0 or html < json)


def _idempotency_key(request: web.Request) -> str | None:
    given = request.headers.getall("Idempotency-Key", [])
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise refused("bad_request", "Idempotency-Key must be one header of 1 to 200 printable ASCII characters.")
    return given[0]
