"""A browser as far as a test of pages needs one: keeps cookies, finds forms and sends them, checks every page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import aiohttp

PAGE = {"html", "head", "meta", "title", "link", "style", "body", "header", "nav", "main", "section", "footer", "div"}
TEXT = {"a", "blockquote", "br", "h1", "h2", "h3", "li", "ol", "p", "span", "strong", "time", "ul"}
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
FORM = {"form", "fieldset", "legend", "label", "input", "select", "option", "textarea", "button", "details", "summary"}
ALLOWED = PAGE | TEXT | TABLE | FORM


@dataclass(slots=True)
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """One page. Raises for what could run or load anything."""

    def __init__(self, status: int, html: str, path: str, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.status, self.html, self.path, self.headers = status, html, path, headers
        self.text, self.lang = "", ""
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._area: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert tag in ALLOWED, f"<{tag}>"
        assert not [name for name in given if name.startswith("on") or name in ("style", "src", "srcdoc")], given
        if tag == "a":
            assert given["href"].startswith(("/", "#", "http://", "https://")), given
            self.links.append(given["href"])
        if tag == "html":
            self.lang = given["lang"]
        if tag == "form":
            self.forms.append(Form(given["action"]))
        if tag in ("input", "select", "textarea") and "name" in given and self.forms:
            if given.get("type") != "radio" or "checked" in given:
                self.forms[-1].fields[given["name"]] = given.get("value", "")
            self._area = given["name"] if tag == "textarea" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._area:
            self.forms[-1].fields[self._area] += data.removeprefix("\n")

    def form(self, action: str) -> Form:
        return next(form for form in self.forms if form.action == action)


@dataclass(slots=True)
class Reader:
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Page:
        async with self.session.get(self.url + path, headers=headers) as response:
            return await self._page(response)

    async def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Page:
        given = {"Origin": self.url, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.post(self.url + path, data=fields, headers=given) as response:
            return await self._page(response)

    async def submit(self, page: Page, action: str, **values: str) -> Page:
        return await self.post(action, {**page.form(action).fields, **values})

    async def sign_in(self, key: str) -> Page:
        return await self.submit(await self.get("/desk/sign-in"), "/desk/sign-in", key=key)

    async def _page(self, response: aiohttp.ClientResponse) -> Page:
        html = await response.text()
        assert response.content_type == "text/html", html
        return Page(response.status, html, response.url.path_qs, response.headers)


@asynccontextmanager
async def reader(url: str, **settings: Any) -> AsyncIterator[Reader]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, **settings) as session:
        yield Reader(url, session)
