"""Everything the HTTP API does, in one table: routes, checks and the OpenAPI document are made from it."""

from __future__ import annotations

from broker.api import announcements, channels, service
from broker.api.accounts import AccountReport, ConnectionBody, ConnectionReport, Restoration, RestorationBody
from broker.api.face import Answer, AnyOperation, Operation
from broker.api.models import (
    AfterQuery,
    AnnouncementBody,
    AnnouncementPage,
    AnswerReport,
    ChannelList,
    DryRunQuery,
    EventList,
    Health,
    NoQuery,
    PageQuery,
    PauseBody,
    PreviewList,
    RecordQuery,
    ResolutionBody,
    WithdrawalBody,
)
from broker.intake import Submission
from broker.record import RecordReport
from broker.report import AnnouncementReport, ChannelReport
from broker.rules.agency import Scope

ONE = "/v1/announcements/{announcement}"
"""`{announcement}`: our id, the reference, or the agency's own external id."""
CHANNEL = "/v1/channels/{channel}"

_REPORT = (Answer(model=AnnouncementReport, says="Where it stands now."),)
_CHANNEL = (Answer(model=ChannelReport, says="The channel as it is now."),)
_ANSWER = (Answer(model=AnswerReport, says="What the platform answered."),)
_LAST_EVENT = ("Last-Event-ID", "Number of the last event that is known: the stream goes on after it.")
_KEY = ("Idempotency-Key", "1 to 200 printable ASCII characters, remembered for 24 h: the same key counts once.")
_REPLAYED = ("Idempotency-Replayed", "`true` when it had been accepted before.")
_LOCATION = ("Location", "Where the announcement is found.")

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="POST",
        path="/v1/announcements",
        handler=announcements.announce,
        summary="Hand in an announcement",
        scope=Scope.SEND,
        query=DryRunQuery,
        body=AnnouncementBody,
        headers=(_KEY,),
        answers=(
            Answer(
                status=202,
                model=AnnouncementReport,
                says="Accepted: it is stored durably and on its way.",
                headers=(_LOCATION, _REPLAYED),
            ),
            Answer(model=PreviewList, says="Of a dry run: what readers would see. Nothing was stored."),
        ),
        problems=(
            "unknown_route",
            "idempotency_key_reused",
            "external_id_exists",
            "overloaded",
            "store_unavailable",
            "store_full",
        ),
    ),
    Operation(
        method="GET",
        path="/v1/announcements",
        handler=announcements.list_announcements,
        summary="List announcements, newest first",
        scope=Scope.READ,
        query=PageQuery,
        answers=(Answer(model=AnnouncementPage, says="One page."),),
    ),
    Operation(
        method="POST",
        path="/v1/announcements/preview",
        handler=announcements.preview,
        summary="See what readers would see",
        scope=Scope.SEND,
        query=NoQuery,
        body=Submission,
        answers=(Answer(model=PreviewList, says="One preview for each channel of the route."),),
        problems=("unknown_route",),
    ),
    Operation(
        method="GET",
        path=ONE,
        handler=announcements.get_announcement,
        summary="See where an announcement stands",
        scope=Scope.READ,
        query=NoQuery,
        answers=_REPORT,
    ),
    Operation(
        method="GET",
        path=f"{ONE}/events",
        handler=announcements.list_events,
        summary="See what happened to it, or follow it",
        scope=Scope.READ,
        query=AfterQuery,
        headers=(_LAST_EVENT,),
        answers=(
            Answer(model=EventList, says="Events after number `after`."),
            Answer(
                media_type="text/event-stream",
                says="With `Accept: text/event-stream`: events as they happen, `end` when the announcement is closed.",
            ),
        ),
        problems=("bad_request", "overloaded"),
    ),
    Operation(
        method="GET",
        path=f"{ONE}/record",
        handler=announcements.get_record,
        summary="Get everything that is kept of it, to show later what was said, where, when and by whom",
        scope=Scope.READ,
        query=RecordQuery,
        answers=(
            Answer(model=RecordReport, says="The record and its fingerprint."),
            Answer(
                media_type="text/html",
                says="With `Accept: text/html` or `format=html`: one page that needs no other file.",
            ),
        ),
    ),
    Operation(
        method="POST",
        path=f"{ONE}/withdrawal",
        handler=announcements.withdraw,
        summary="Take an announcement back",
        scope=Scope.SEND,
        query=NoQuery,
        body=WithdrawalBody,
        answers=_REPORT,
        problems=("store_unavailable",),
    ),
    Operation(
        method="POST",
        path=f"{ONE}/deliveries/{{channel}}/resolution",
        handler=announcements.resolve,
        summary="Say what became of a delivery nobody else can settle",
        scope=Scope.OPERATE,
        query=NoQuery,
        body=ResolutionBody,
        answers=_REPORT,
        problems=("conflict", "store_unavailable"),
    ),
    Operation(
        method="GET",
        path="/v1/channels",
        handler=channels.list_channels,
        summary="See which channels work",
        scope=Scope.READ,
        query=NoQuery,
        answers=(Answer(model=ChannelList, says="Every channel of the agency."),),
    ),
    Operation(
        method="POST",
        path=f"{CHANNEL}/probe",
        handler=channels.probe_channel,
        summary="Ask the platform now, read-only",
        scope=Scope.OPERATE,
        query=NoQuery,
        answers=_ANSWER,
    ),
    Operation(
        method="POST",
        path=f"{CHANNEL}/pause",
        handler=channels.pause_channel,
        summary="Send nothing more there",
        scope=Scope.OPERATE,
        query=NoQuery,
        body=PauseBody,
        answers=_CHANNEL,
        problems=("store_unavailable",),
    ),
    Operation(
        method="POST",
        path=f"{CHANNEL}/resume",
        handler=channels.resume_channel,
        summary="Send there again",
        scope=Scope.OPERATE,
        query=NoQuery,
        answers=_CHANNEL,
        problems=("store_unavailable",),
    ),
    Operation(
        method="POST",
        path=f"{CHANNEL}/rehearsal",
        handler=channels.rehearse_channel,
        summary="Try the fullest write that readers cannot see",
        scope=Scope.OPERATE,
        query=NoQuery,
        answers=_ANSWER,
        problems=("not_offered",),
    ),
    Operation(
        method="POST",
        path=f"{CHANNEL}/connection",
        handler=channels.connect_channel,
        summary="Connect an account, step by step",
        scope=Scope.OPERATE,
        query=NoQuery,
        body=ConnectionBody,
        answers=(Answer(model=ConnectionReport, says="What to do next, or that it is connected."),),
        problems=("not_offered", "not_connected", "store_unavailable"),
    ),
    Operation(
        method="GET",
        path=f"{CHANNEL}/account",
        handler=channels.show_account,
        summary="Ask the platform about our account, read-only",
        scope=Scope.OPERATE,
        query=NoQuery,
        answers=(Answer(model=AccountReport, says="What it tells."),),
        problems=("not_offered",),
    ),
    Operation(
        method="GET",
        path="/v1/restoration",
        handler=channels.show_restoration,
        summary="See whether this broker was restored from a backup and waits for a decision",
        scope=Scope.READ,
        query=NoQuery,
        answers=(Answer(model=Restoration, says="Whether it waits."),),
    ),
    Operation(
        method="POST",
        path="/v1/restoration",
        handler=channels.decide_on_restoration,
        summary="Decide about announcements older than the backup, and let everything go on",
        scope=Scope.OPERATE,
        query=NoQuery,
        body=RestorationBody,
        answers=(Answer(model=Restoration, says="Nothing waits any more."),),
        problems=("store_unavailable",),
    ),
    Operation(
        method="GET",
        path="/healthz",
        handler=service.healthz,
        summary="Whether the process answers",
        scope=None,
        query=NoQuery,
        answers=(Answer(model=Health, says="It does."),),
    ),
    Operation(
        method="GET",
        path="/readyz",
        handler=service.readyz,
        summary="Whether announcements can be taken in",
        scope=None,
        query=NoQuery,
        answers=(Answer(model=Health, says="They can."),),
        problems=("not_ready",),
    ),
    Operation(
        method="GET",
        path="/metrics",
        handler=service.metrics,
        summary="Figures for Prometheus: the process's and the agency's own",
        scope=Scope.READ,
        query=NoQuery,
        answers=(Answer(media_type="text/plain", says="Prometheus text format."),),
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        handler=service.openapi,
        summary="This document",
        scope=None,
        query=NoQuery,
        answers=(Answer(media_type="application/json", says="OpenAPI 3.1."),),
    ),
    Operation(
        method="GET",
        path="/docs/errors.md",
        handler=service.errors,
        summary="What each error means, and what to do",
        scope=None,
        query=NoQuery,
        answers=(Answer(media_type="text/markdown", says="The catalogue."),),
    ),
)
