"""Write an announcement, see what readers of every channel would see, send it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from broker.errors import FieldProblem, InvalidInput, RequestError
from broker.model import Role
from broker.pages.announcements import address
from broker.pages.forms import Form, at_home
from broker.pages.visit import Visit
from broker.report import PreviewReport

FIELDS = ("headline", "body", "route", "urgency", "link", "author", "send_at", "picture", "alt")


async def write(visit: Visit, form: Form) -> web.Response:
    return _form(visit, {})


async def send(visit: Visit, form: Form) -> web.Response:
    """One form, three buttons: `preview`, `change`, `send`."""
    if form.get("do") == "change":
        return _form(visit, form)
    try:
        body = _announcement(visit, form)
        if form.get("do") != "send":
            return await _preview(visit, form, body)
        key = f"desk-{form.get('once', '')[:64]}"
        receipt = await visit.broker.announce(visit.key, body, idempotency_key=key, by=visit.name)
    except InvalidInput as error:
        return _form(visit, form, _by_field(error))
    return visit.go(f"{address(receipt.report.reference)}?done=sent&watch=1")


def _form(visit: Visit, form: Form, error: RequestError | None = None) -> web.Response:
    given = {name: form.get(name, "") for name in FIELDS}
    routes = sorted(visit.agency.routes, key=lambda name: name != "default")
    return visit.page("write.html", 422 if error else 200, given=given, routes=routes, error=error)


async def _preview(visit: Visit, form: Form, body: Mapping[str, Any]) -> web.Response:
    previews = await visit.broker.preview(visit.key, body)
    return visit.page(
        "preview.html",
        given={name: form.get(name, "") for name in FIELDS},
        first=_by_text(p for p in previews if p.role is Role.POST_TO),
        rest=_by_text(p for p in previews if p.role is not Role.POST_TO),
        blocked=any(p.problem for p in previews),
        once=secrets.token_hex(16),
    )


def _by_text(previews: Iterable[PreviewReport]) -> dict[str, list[PreviewReport]]:
    """Channels that show the same are shown together."""
    found: dict[str, list[PreviewReport]] = {}
    for one in previews:
        found.setdefault(one.text, []).append(one)
    return found


def _announcement(visit: Visit, form: Form) -> dict[str, Any]:
    """As `POST /v1/announcements` takes it; what was left empty is left out."""
    said: dict[str, Any] = {name: form[name] for name in FIELDS if form.get(name, "").strip()}
    said |= {name: form.get(name, "") for name in ("headline", "body")}
    if "send_at" in said:
        said["send_at"] = at_home(visit.agency.zone, "send_at", said["send_at"])
    if picture := said.pop("picture", ""):
        said["media"] = [{"url": picture, "alt": said.pop("alt", "")}]
    said.pop("alt", None)
    return {**said, "language": visit.agency.language}


def _by_field(error: InvalidInput) -> InvalidInput:
    """With the names of our form's fields: its one picture is the first of `media`."""
    fields = (FieldProblem("picture", f.problem) if f.path.startswith("media") else f for f in error.fields)
    return InvalidInput(error.detail, *fields, code=error.code, status=error.status)
