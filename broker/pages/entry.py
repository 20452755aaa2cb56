"""In and out: by an API key, or by a one-time link as alerts carry it."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from broker.errors import Forbidden, Unauthorised
from broker.pages.forms import Form
from broker.pages.guard import local
from broker.pages.session import begin
from broker.pages.visit import Visit
from broker.rules.agency import Scope

COOKIE = "desk"


def door(to: str) -> str:
    """The sign-in that leads to `to`."""
    return f"/desk/sign-in?{urlencode({'to': to})}"


async def ask(visit: Visit, form: Form) -> web.Response:
    return visit.page("sign_in.html", to=local(visit.request.query.get("to", "/desk")), error="")


async def sign_in(visit: Visit, form: Form) -> web.Response:
    to = local(form.get("to", "/desk"))
    try:
        visitor = visit.desk.face.doorman.sign_in(visit.request, form.get("key", "").strip())
    except Unauthorised:
        return visit.page("sign_in.html", 401, to=to, error="wrong_key")
    if Scope.READ not in visitor.key.scopes:
        raise Forbidden(f"These pages need a key with the scope `{Scope.READ}`.")
    return _let_in(visit, visitor.agency, visitor.key.sha256, to)


async def sign_out(visit: Visit, form: Form) -> web.Response:
    response = visit.go("/desk/sign-in?done=signed_out")
    response.del_cookie(COOKIE, path="/desk")
    return response


async def knock(visit: Visit, form: Form) -> web.Response:
    """Uses nothing up: chats and mail programs open links before people do."""
    found = await visit.broker.known_link(visit.part("token"))
    return visit.page("link.html", 200 if found else 404, found=found is not None, address=visit.request.path)


async def enter(visit: Visit, form: Form) -> web.Response:
    found = await visit.broker.use_link(visit.part("token"))
    if found is None:
        return visit.page("link.html", 404, found=False, address=visit.request.path)
    to = f"/desk/{found.page}".rstrip("/")
    if visit.visitor and visit.visitor.agency == found.agency:
        return visit.go(to)
    return _let_in(visit, found.agency, None, to)


def _let_in(visit: Visit, agency: str, key: str | None, to: str) -> web.Response:
    response = visit.go(to)
    visit.remember(response, COOKIE, visit.seal.cookie(begin(agency, key, visit.now)))
    return response
