"""Consent pages: where a person in a browser lets the app act for an account, and the codes that come of it.

As the platforms do it: the page leads to the app's redirect address with `code` and `state`, or with `error`. `LANDED`
is such an address on this machine, for sandboxes; it needs to do nothing, since people copy its address.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from adapters.emulators.base import Emulator
from adapters.emulators.http import Call

LANDED = "/landed"
_CODE_LIFE = timedelta(minutes=10)
_PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}</title></head><body>
<h1>{title}</h1>{body}</body></html>"""
_ASK = '<p>{who}: let the app post for you? (emulated)</p><p><a href="{yes}">Allow</a> · <a href="{no}">Cancel</a></p>'
_HERE = "<p>Copy the whole address of this page from the address bar, and paste it where you were asked for it.</p>"


@dataclass(slots=True)
class _Grant:
    redirect_uri: str
    at: datetime
    given: Mapping[str, str]
    is_used: bool = False


class Consents:
    """The codes of one platform: each is good once, for ten minutes, with the same redirect address."""

    def __init__(self, emulator: Emulator, fragment: str = "") -> None:
        """`fragment`: what the platform puts behind the `#` of the address it leads to."""
        self._emulator, self._fragment = emulator, fragment
        self._grants: dict[str, _Grant] = {}

    def page(self, call: Call, who: str, back: Mapping[str, str] | None = None, **given: str) -> web.Response:
        """The consent page; with `decision` in the address what follows from it. `back`: more for the app to know."""
        query = call.request.query
        target = query.get("redirect_uri", "")
        if not target.startswith(("http://", "https://")):
            return _html("This app has no such redirect address", "", status=400)
        match query.get("decision"):
            case "allow":
                code = self._emulator.random.randbytes(18).hex()
                self._grants[code] = _Grant(target, self._emulator.now(), given)
                return self._lead(target, {**(back or {}), "code": code}, query.get("state"))
            case "cancel":
                refusal = {"error": "access_denied", "error_description": "Permissions error"}
                return self._lead(target, refusal, query.get("state"))
            case _:
                yes, no = (escape(str(call.request.rel_url.update_query(decision=d))) for d in ("allow", "cancel"))
                return _html("Consent", _ASK.format(who=escape(who), yes=yes, no=no))

    def _lead(self, target: str, answer: Mapping[str, str], state: str | None) -> web.Response:
        query = urlencode({**answer, **({"state": state} if state is not None else {})})
        joint = "&" if "?" in target else "?"
        end = f"#{self._fragment}" if self._fragment else ""
        return web.Response(status=302, headers={"Location": f"{target}{joint}{query}{end}"})

    def redeem(self, call: Call, *, checks_address: bool = True) -> Mapping[str, str] | None:
        """What was given with this code, once; None if the code is not good."""
        grant = self._grants.get(call.params.get("code", ""))
        if grant is None or grant.is_used or self._emulator.now() > grant.at + _CODE_LIFE:
            return None
        grant.is_used = True
        is_same = not checks_address or call.params.get("redirect_uri") == grant.redirect_uri
        return grant.given if is_same else None

    async def landed(self, call: Call) -> web.Response:
        return _html("You have landed", _HERE)


def challenge(verifier: str) -> str:
    """What PKCE's S256 makes of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _html(title: str, body: str, status: int = 200) -> web.Response:
    return web.Response(text=_PAGE.format(title=title, body=body), content_type="text/html", status=status)
