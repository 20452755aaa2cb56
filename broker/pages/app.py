"""The desk's pages under `/desk`: server-rendered, without scripts, for a phone at night as much as for a desk.

They are one more face of the facade: each view parses, calls `Broker`, and renders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from broker.api.doorman import Visitor
from broker.api.face import FACE, VISITOR, Face
from broker.api.problems import LockedOut, refused
from broker.errors import Forbidden, LoaError, NotFound, RequestError
from broker.pages import announcements, channels, entry, sending
from broker.pages.entry import COOKIE
from broker.pages.forms import Form, read_form
from broker.pages.guard import from_elsewhere, is_ours
from broker.pages.html import static, templates
from broker.pages.session import Seal, Session, renewed, visitor_of
from broker.pages.visit import Desk, Visit
from broker.rules.agency import Scope
from broker.rules.text import legal

View = Callable[[Visit, Form], Awaitable[web.Response]]
"""A view gets what the form sent; nothing for GET."""


@dataclass(frozen=True, slots=True)
class Page:
    method: str
    path: str
    view: View
    scope: Scope | None
    """None: for everybody."""


_ONE = "/desk/announcements/{announcement}"
_CHANNEL = "/desk/channels/{channel}"
PAGES: tuple[Page, ...] = (
    Page("GET", "/desk/sign-in", entry.ask, None),
    Page("POST", "/desk/sign-in", entry.sign_in, None),
    Page("POST", "/desk/sign-out", entry.sign_out, None),
    Page("GET", "/desk/in/{token}", entry.knock, None),
    Page("POST", "/desk/in/{token}", entry.enter, None),
    Page("GET", "/desk", announcements.newest, Scope.READ),
    Page("GET", "/desk/send", sending.write, Scope.SEND),
    Page("POST", "/desk/send", sending.send, Scope.SEND),
    Page("GET", _ONE, announcements.one, Scope.READ),
    Page("GET", f"{_ONE}/record", announcements.record, Scope.READ),
    Page("GET", f"{_ONE}/withdraw", announcements.ask_withdraw, Scope.SEND),
    Page("POST", f"{_ONE}/withdraw", announcements.withdraw, Scope.SEND),
    Page("POST", f"{_ONE}/gone/{{channel}}", announcements.gone, Scope.OPERATE),
    Page("GET", f"{_ONE}/confirm/{{channel}}", announcements.ask_confirm, Scope.OPERATE),
    Page("POST", f"{_ONE}/confirm/{{channel}}", announcements.confirm, Scope.OPERATE),
    Page("GET", "/desk/channels", channels.all_channels, Scope.READ),
    Page("POST", f"{_CHANNEL}/pause", channels.pause, Scope.OPERATE),
    Page("POST", f"{_CHANNEL}/resume", channels.resume, Scope.OPERATE),
)


def add_pages(app: web.Application, public_url: str | None = None) -> None:
    """Adds the pages to an API's application. `public_url`: where people reach it, if it is not as they ask."""
    style = static("desk.css")
    version = hashlib.sha256(style.encode()).hexdigest()[:12]
    desk = Desk(app[FACE], templates(), public_url, f"/desk/style.{version}.css")
    app.add_routes(
        web.route(page.method, page.path, _handler(desk, page), name=f"desk_{page.view.__name__}") for page in PAGES
    )
    app.add_routes([web.get("/desk/style.{version}.css", _given_out(style), name="desk_style")])
    app.add_routes([web.get("/desk/{tail:.*}", _handler(desk, Page("GET", "", _nowhere, None)), name="desk_nowhere")])


def _given_out(style: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def give(request: web.Request) -> web.StreamResponse:
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(text=style, content_type="text/css", headers=headers)

    return give


async def _nowhere(visit: Visit, form: Form) -> web.Response:
    raise NotFound("There is no such page.")


def _handler(desk: Desk, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        visit = await _visit(desk, request)
        if page.scope and visit.visitor is None:
            return _to_the_door(visit)
        try:
            response = await page.view(visit, await _checked(visit, page))
        except RequestError as error:
            response = _told(visit, error)
        except LoaError as error:
            response = visit.page("error.html", error.status, error=error.code)
        _keep_session(visit, response)
        return response

    return handle


async def _visit(desk: Desk, request: web.Request) -> Visit:
    face, now = desk.face, desk.clock.now()
    seal = Seal(await desk.broker.desk_secret())
    session = seal.session(request.cookies.get(COOKIE, ""), now)
    visitor = _known(face, session) if session else None
    if visitor:
        request[VISITOR] = visitor
    known = session if visitor else None
    return Visit(desk=desk, request=request, seal=seal, now=now, session=known, visitor=visitor)


def _known(face: Face, session: Session) -> Visitor | None:
    return visitor_of(session, face.broker.agencies, face.doorman.whose)


async def _checked(visit: Visit, page: Page) -> Form:
    """What was sent, if it was sent by one of our forms, and by somebody who may. Raises `RequestError`."""
    if page.scope and not visit.may(page.scope):
        raise Forbidden(f"This needs a key with the scope `{page.scope}`.")
    if any(legal(part) for part in visit.request.match_info.values()):
        raise NotFound("Nothing has such a name.")
    if page.method == "GET":
        return {}
    if not is_ours(visit.request, visit.desk.public_url):
        raise refused("forbidden", "This form was not sent from a page of ours.")
    form = await read_form(visit.request, visit.desk.face.options)
    if visit.session and not visit.seal.fits(form.get("token", ""), visit.session, visit.request.path):
        raise refused("forbidden", "This form is out of date.")
    return form


def _to_the_door(visit: Visit) -> web.Response:
    """To the sign-in; but whoever was led here from elsewhere may be signed in all the same, and asks once more."""
    if visit.request.method == "GET" and from_elsewhere(visit.request):
        return visit.page("again.html", address=visit.request.path_qs)
    return visit.go(entry.door(visit.request.path_qs if visit.request.method == "GET" else "/desk"))


def _told(visit: Visit, error: RequestError) -> web.Response:
    response = visit.page("error.html", error.status, error=error.code, detail=error.detail, fields=error.fields)
    if isinstance(error, LockedOut):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _keep_session(visit: Visit, response: web.Response) -> None:
    """What a page does by itself keeps nobody signed in."""
    by_itself = "watch" in visit.request.query and "done" not in visit.request.query
    if visit.session is None or COOKIE in response.cookies or by_itself:
        return
    later = renewed(visit.session, visit.now)
    if later is not visit.session:
        visit.remember(response, COOKIE, visit.seal.cookie(later))
