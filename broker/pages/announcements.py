"""Announcements: what is out, where, what readers see there; take one back, settle what is unclear."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from broker.api.models import ResolutionBody, WithdrawalBody
from broker.api.reading import valid
from broker.errors import Conflict, NotFound
from broker.model import State, Verb
from broker.pages.forms import Form
from broker.pages.record import record_page
from broker.pages.visit import Visit
from broker.report import WAITING, AnnouncementReport, ChannelReport, DeliveryReport
from broker.rules.sentences import called

AT_ONCE = 20
ASKED = frozenset({State.UNCONFIRMED, State.CHECKING, State.PENDING})
"""Nobody knows whether it is public: a person may say either."""
POSTED_BY_HAND = frozenset({State.FAILED, State.EXPIRED, State.SKIPPED})
"""Not posted by us: a person may say where it is all the same."""
ASIDE = frozenset({State.STANDBY, State.SKIPPED})
"""Told of last: nothing was needed there."""


def address(reference: str, *more: str) -> str:
    return "/".join(["/desk/announcements", *(quote(part, safe="") for part in (reference, *more))])


async def newest(visit: Visit, form: Form) -> web.Response:
    before = visit.request.query.get("before")
    found = await visit.broker.announcements(visit.key, before=before, limit=AT_ONCE)
    channels = [c for c in await visit.broker.channels(visit.key) if c.state in ("down", "paused") and c.reason]
    troubles = dict.fromkeys(_trouble(c, visit.language) for c in channels)
    older = found[-1].id if len(found) == AT_ONCE else None
    return visit.page("newest.html", announcements=found, troubles=troubles, older=older, first=before is None)


async def one(visit: Visit, form: Form) -> web.Response:
    found = await visit.broker.get(visit.key, visit.part("announcement"))
    events = await visit.broker.events(visit.key, found.id)
    since = {event.channel: event.at for event in events if event.channel}
    moving = any(d.state in WAITING for d in found.deliveries)
    return visit.page(
        "announcement.html",
        a=found,
        told=[d for d in found.deliveries if d.state not in ASIDE],
        aside=[d for d in found.deliveries if d.state in ASIDE],
        since=since,
        seconds=_seconds(found, visit.language),
        upcoming={d.channel for d in found.deliveries if _adds(d, visit.language)},
        events=events,
        watching=moving and "watch" in visit.request.query,
        moving=moving,
        asked=ASKED,
        posted_by_hand=POSTED_BY_HAND,
    )


def _trouble(channel: ChannelReport, language: str) -> str:
    """In one sentence; what is down for several channels is told in the same one."""
    said = channel.reason[language] if channel.reason else ""
    return f"{called(channel.name, language)}: {said}" if channel.state == "paused" else said


def _seconds(found: AnnouncementReport, language: str) -> str | None:
    """How long the goal took."""
    if found.goal.met_at is None:
        return None
    took = (found.goal.met_at - (found.send_at or found.accepted_at)).total_seconds()
    return f"{took:.1f}".replace(".", "," if language == "vi" else ".")


def _adds(d: DeliveryReport, language: str) -> bool:
    """Whether what comes next says more than the reason, which may name the same time."""
    if d.next is None or d.reason is None:
        return d.next is not None
    return d.next[language][-5:] not in d.reason[language]


async def record(visit: Visit, form: Form) -> web.Response:
    page = record_page(await visit.broker.record(visit.key, visit.part("announcement")), visit.language)
    return web.Response(
        text=page.html,
        content_type="text/html",
        headers={"Content-Security-Policy": page.policy, "X-Frame-Options": "DENY"},
    )


# take back


async def ask_withdraw(visit: Visit, form: Form) -> web.Response:
    found = await visit.broker.get(visit.key, visit.part("announcement"))
    live = [d for d in found.deliveries if d.state is State.LIVE]
    kept = [d for d in live if not _deletes(visit, d.channel)]
    return visit.page("withdraw.html", a=found, deleted=[d for d in live if d not in kept], kept=kept)


async def withdraw(visit: Visit, form: Form) -> web.Response:
    given = valid(WithdrawalBody, {"because": form.get("because") or None})
    found = await visit.broker.withdraw(visit.key, visit.part("announcement"), because=given.because, by=visit.name)
    return visit.go(f"{address(found.reference)}?done=withdrawn&watch=1")


def _deletes(visit: Visit, channel: str) -> bool:
    configured = visit.agency.channels.get(channel)
    return configured is not None and Verb.DELETE in configured.channel.profile.abilities


async def gone(visit: Visit, form: Form) -> web.Response:
    """A person has deleted what programs could not."""
    any_id, channel = visit.part("announcement"), visit.part("channel")
    found = await visit.broker.resolve(visit.key, any_id, channel, gone=True, by=visit.name)
    return visit.go(f"{address(found.reference)}?done=gone")


# settle what is unclear


async def ask_confirm(visit: Visit, form: Form) -> web.Response:
    found, delivery = await _delivery(visit)
    return visit.page("confirm.html", a=found, d=delivery, may_be_missing=delivery.state in ASKED)


async def confirm(visit: Visit, form: Form) -> web.Response:
    found, delivery = await _delivery(visit)
    seen = form.get("seen", "")
    live = seen == "live"
    given = valid(
        ResolutionBody,
        {"live": live, "url": (form.get("url", "").strip() or None) if live else None, "send_again": seen == "again"},
    )
    await visit.broker.resolve(
        visit.key, found.id, delivery.channel,
        live=live, url=given.url, by=visit.name, send_again=given.send_again,
    )  # fmt: skip
    return visit.go(f"{address(found.reference)}?done=confirmed&watch=1")


async def _delivery(visit: Visit) -> tuple[AnnouncementReport, DeliveryReport]:
    """Raises `NotFound`, and `Conflict` for a delivery that is settled."""
    found = await visit.broker.get(visit.key, visit.part("announcement"))
    delivery = next((d for d in found.deliveries if d.channel == visit.part("channel")), None)
    if delivery is None:
        raise NotFound("There is no such channel in this announcement.")
    if delivery.state not in ASKED | POSTED_BY_HAND:
        raise Conflict(f"The delivery is {delivery.state.value}: there is nothing to settle.")
    return found, delivery
