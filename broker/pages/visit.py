"""One request for a page: who asks, in which language, and how the answer is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web
from jinja2 import Environment

from broker.api.doorman import Visitor
from broker.api.face import Face
from broker.clock import Clock
from broker.core import Broker
from broker.pages.guard import HEADERS, is_private
from broker.pages.session import Seal, Session
from broker.pages.words import word
from broker.rules.agency import Agency, Scope
from broker.rules.sentences import LANGUAGES, spoken

LANGUAGE_COOKIE = "desk_language"
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Desk:
    """What all visits share."""

    face: Face
    templates: Environment
    public_url: str | None
    style: str
    """Address of the style sheet; changes with its content."""

    @property
    def broker(self) -> Broker:
        return self.face.broker

    @property
    def clock(self) -> Clock:
        return self.face.clock


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request, answered by `page` or `go`."""

    desk: Desk
    request: web.Request
    seal: Seal
    now: datetime
    session: Session | None
    visitor: Visitor | None

    @property
    def broker(self) -> Broker:
        return self.desk.broker

    @property
    def agency(self) -> Agency:
        """Whose pages these are; of strangers, the first one's, for its language."""
        agencies = self.broker.agencies
        return agencies[self.visitor.agency] if self.visitor else next(iter(agencies.values()))

    @property
    def key(self) -> str:
        """The agency's, for the facade."""
        return self.agency.key

    @property
    def name(self) -> str:
        """Of whoever acts, for the record."""
        assert self.visitor is not None, "a page that acts is for visitors only"
        return self.visitor.key.name

    @property
    def language(self) -> str:
        """As asked for, now or before; else the agency's."""
        for asked in (self.request.query.get("language"), self.request.cookies.get(LANGUAGE_COOKIE)):
            if asked in LANGUAGES:
                return asked
        return spoken(self.agency.language)

    def part(self, name: str) -> str:
        return self.request.match_info[name]

    def may(self, scope: Scope) -> bool:
        return self.visitor is not None and scope in self.visitor.key.scopes

    def page(self, template: str, status: int = 200, **values: Any) -> web.Response:
        html = self.desk.templates.get_template(template).render(self._shared() | values)
        response = web.Response(text=html, status=status, content_type="text/html", headers=HEADERS)
        if (asked := self.request.query.get("language")) in LANGUAGES and asked:
            self.remember(response, LANGUAGE_COOKIE, asked, _YEAR)
        return response

    def go(self, path: str) -> web.Response:
        """To another page of ours, after something was done."""
        return web.Response(status=303, headers={**HEADERS, "Location": path})

    def remember(self, response: web.Response, name: str, value: str, seconds: int | None = None) -> None:
        """A cookie that scripts cannot read and strangers' pages cannot have sent."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/desk",
            httponly=True,
            samesite="Strict",
            secure=is_private(self.request, self.desk.public_url),
        )

    def form_token(self, path: str) -> str:
        return self.seal.form_token(self.session, path) if self.session else ""

    def _shared(self) -> dict[str, Any]:
        language = self.language
        return {
            "agency": self.agency,
            "done": self.request.query.get("done", "") if self.request.method == "GET" else "",
            "form_token": self.form_token,
            "here": self.request.path if self.request.method == "GET" else None,
            "language": language,
            "may": lambda scope: self.may(Scope(scope)),
            "now": self.now,
            "style": self.desk.style,
            "t": _speaker(language),
            "visitor": self.visitor,
        }


def _speaker(language: str) -> Callable[..., str]:
    return lambda key, /, **args: word(key, language, **args)
