"""The channels: which work, since when not, and why; pause and resume."""

from __future__ import annotations

from aiohttp import web

from broker.api.models import PauseBody
from broker.api.reading import valid
from broker.pages.forms import Form, at_home
from broker.pages.visit import Visit


async def all_channels(visit: Visit, form: Form) -> web.Response:
    """Those that do not work first, as nobody scrolls at 23:00; else in order of the configuration."""
    channels = sorted(await visit.broker.channels(visit.key), key=lambda one: one.state == "up")
    return visit.page("channels.html", channels=channels)


async def pause(visit: Visit, form: Form) -> web.Response:
    until = at_home(visit.agency.zone, "until", form["until"]) if form.get("until") else None
    given = valid(PauseBody, {"reason": form.get("reason", ""), "until": until})
    await visit.broker.pause(visit.key, visit.part("channel"), reason=given.reason or "", until=given.until)
    return visit.go("/desk/channels?done=paused")


async def resume(visit: Visit, form: Form) -> web.Response:
    await visit.broker.resume(visit.key, visit.part("channel"))
    return visit.go("/desk/channels?done=resumed")
