"""What Meta's Graph API does the same way for its apps: calls, proofs, errors, limits, lists.

Source: Meta's pages on error handling, rate limiting and securing calls, read 2026-11-22; numbers that those do not
list are ones public clients have met. Nearly every refusal comes with HTTP 400 and some with 200, so an answer is
judged by code and subcode, never by its status.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any, TypeVar

from pydantic import ConfigDict, Field, SecretStr
from yarl import URL

from adapters._consent import not_connected
from adapters._http import Answer, ask
from adapters._readback import Listed, Page
from broker.contract import ChannelSettings, Gate, MediaFile, Profile, TokenPair, Tools
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Live,
    Outcome,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
    bounded,
)

UNNAMED_WAIT = timedelta(minutes=5)
"""Graph counts over a rolling hour and often does not say how long to wait; asking sooner makes it longer."""
GONE = "100/33"
"""The object does not exist, or this token may not see it."""
_WORDS = 200


class GraphSettings(ChannelSettings):
    """What every channel of Meta needs."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    token: SecretStr | None = Field(None, min_length=1)
    """None: the one that `loa connect` obtains and the store keeps."""
    app_id: str | None = None
    """Needed by `loa connect`; tells Loa which channels share one app, and so its fate."""
    app_secret: SecretStr | None = None
    """Needed by `loa connect`; signs every call, which some apps require (`appsecret_proof`)."""
    base_url: str = Field(pattern=r"^https?://[^/]+/?$")
    oauth_url: str = Field(pattern=r"^https?://[^/]+/?$")
    """Where people grant access."""
    redirect_url: str = Field(pattern=r"^https?://\S+$")
    """Where their browser lands afterwards: one of those registered in the app. Nothing needs to answer there."""
    version: str = Field(pattern=r"^v\d+\.\d+$")

    @property
    def seed(self) -> TokenPair:
        """The configuration's own token."""
        return TokenPair(self.token.get_secret_value() if self.token else "")

    @property
    def host(self) -> str:
        url = URL(self.base_url)
        return url.host or "" if url.is_default_port() else url.authority

    @property
    def app(self) -> str | None:
        return f"meta app {self.app_id}" if self.app_id else None


class Means(Enum):
    """What a refusal says about the post and about us."""

    DOWN = auto()
    """The platform failed; after a publish it may have kept the post all the same."""
    TWICE = auto()
    """It says that it has this post already: only read-back tells."""
    THROTTLED = auto()
    DENIED = auto()
    REJECTED = auto()
    MEDIA = auto()
    """It could not fetch a picture or video from us: the platform is well, our media host is not."""


@dataclass(frozen=True, slots=True)
class Meaning:
    means: Means
    say: str
    """What it is and, where somebody can do something, what."""


def _denied(say: str) -> Meaning:
    return Meaning(Means.DENIED, say)


def _rejected(say: str) -> Meaning:
    return Meaning(Means.REJECTED, say)


_DOWN = Meaning(Means.DOWN, "the platform reports a fault of its own")
_TWICE = Meaning(Means.TWICE, "the platform says that it has this post already")
_SLOWER = Meaning(Means.THROTTLED, "too many calls")
_NO_RIGHTS = _denied("a permission is missing or was taken away: connect the account again and grant all permissions")
_PROOF = _denied("the app demands an appsecret_proof that fits: set app_secret to the secret of the token's own app")
_NOT_FETCHED = Meaning(Means.MEDIA, "the platform could not fetch the picture or video from our media host in time")
_UNKNOWN = _rejected("the platform refused it with a code that is not known here")

ERRORS: Mapping[str, Meaning] = {
    "-1": _DOWN,
    "1": _DOWN,
    "2": _DOWN,
    "1363047": _DOWN,
    "1609010": _DOWN,
    "2207001": _DOWN,
    "2207020": _DOWN,
    "2207032": _DOWN,
    "2207053": _DOWN,
    "2207003": _NOT_FETCHED,
    "2207052": _NOT_FETCHED,
    "389": _NOT_FETCHED,
    "506": _TWICE,
    "1366051": _TWICE,
    "4": _SLOWER,
    "17": _SLOWER,
    "32": _SLOWER,
    "341": _SLOWER,
    "613": _SLOWER,
    "80001": _SLOWER,
    "80002": _SLOWER,
    "1390008": _SLOWER,
    "2207042": Meaning(Means.THROTTLED, "the posts of 24 hours are used up"),
    "102": _denied("the login is over: connect the account again"),
    "104": _denied("the call carried no token: set token"),
    "190": _denied("the token is not valid: connect the account again"),
    "190/458": _denied("the app was removed from the account: connect the account again"),
    "190/459": _denied("a security check waits: log in to the account in a browser, then connect it again"),
    "190/460": _denied("the password was changed: connect the account again"),
    "190/463": _denied("the token has expired: connect the account again"),
    "190/464": _denied("the account is not confirmed: log in to it in a browser, then connect it again"),
    "190/467": _denied("the account was logged out: connect it again"),
    "190/492": _denied("the person who connected it no longer manages it: let an administrator connect it again"),
    "101": _denied("app id or app secret is wrong: correct app_id and app_secret"),
    "3": _denied("the app may not make this call: check its permissions and its review in Meta's developer console"),
    "10": _NO_RIGHTS,
    **{str(code): _NO_RIGHTS for code in range(200, 300)},
    "2635": _denied("this version of the API is no longer served: set version to a newer one"),
    "1404078": _denied("Page publishing authorisation is due: complete it in the Page's settings"),
    "4854002": _denied("an identity check is due: complete it in the account's settings"),
    "1404006": _denied("a security check is due: log in to the account in a browser and complete it"),
    "1404112": _denied("the account is limited for the time being: see its status page in a browser and appeal"),
    "4279013": _denied("the account is restricted: see its status page in a browser and appeal"),
    "2207050": _denied("the account is restricted or inactive: open its app, and do what it asks there"),
    "368": _rejected("blocked for policy"),
    "1346003": _rejected("flagged as abusive"),
    "1404102": _rejected("against the community standards"),
    "2207051": _rejected("restricted as unwanted activity"),
    "2207004": _rejected("a picture is too large: 8 MB at most"),
    "2207005": _rejected("a picture is no JPEG"),
    "2207009": _rejected("a picture is too narrow or too wide: 4:5 to 1.91:1"),
    "2207010": _rejected("the text is too long, or has too many hashtags or mentions"),
    "2207023": _rejected("not a kind of media that is taken"),
    "2207026": _rejected("a video is in a form that is not taken: use MP4 with H.264 and AAC"),
    "2207028": _rejected("from 2 to 10 pictures in one post"),
    "2207057": _rejected("the moment for the cover lies outside the video"),
    "1609008": _rejected("this link may not be posted"),
    "1609005": _rejected("the link could not be read"),
    "2061006": _rejected("the link is not valid"),
    "THREADS_API__LINK_LIMIT_EXCEEDED": _rejected("more than 5 links"),
    "100": _rejected("a parameter is wrong or too long"),
}
"""By `code/subcode`, subcode or code, the first that is here; what is in no row is `_UNKNOWN`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that brought nothing, and what that means for the post. `code` is "" where there was no Graph error."""

    outcome: Outcome
    code: str = ""


Reply = dict[str, Any] | Refusal

UNREADABLE = Refusal(Uncertain(Fault.SERVER, "an answer that nobody can read"))


def classify(answer: Answer, secret: str = "") -> Reply:
    """The object that came back, or what the refusal means for a post that was just sent. `secret` is masked."""
    body = answer.json()
    if not isinstance(body, dict):
        return replace(UNREADABLE, outcome=Uncertain(Fault.SERVER, f"HTTP {answer.status} and no readable answer"))
    if isinstance(error := body.get("error"), dict):
        return _refusal(error, answer.headers, secret)
    return body if error is None and 200 <= answer.status < 300 else UNREADABLE


def meaning_of(error: Mapping[str, Any]) -> Meaning:
    code, subcode = str(error.get("code")), str(error.get("error_subcode"))
    known = next((ERRORS[key] for key in (f"{code}/{subcode}", subcode, code) if key in ERRORS), _UNKNOWN)
    if code == "100" and "appsecret_proof" in str(error.get("message")):
        return _PROOF
    return _DOWN if known.means is Means.REJECTED and error.get("is_transient") is True else known


def _refusal(error: Mapping[str, Any], headers: Mapping[str, str], secret: str) -> Refusal:
    subcode = error.get("error_subcode")
    code = f"{error.get('code')}/{subcode}" if subcode else f"{error.get('code')}"
    meaning = meaning_of(error)
    match meaning.means:
        case Means.DOWN:
            return Refusal(Uncertain(Fault.SERVER, f"{meaning.say} ({code})"), code)
        case Means.TWICE:
            return Refusal(Uncertain(Fault.DUPLICATE, f"{meaning.say} ({code})"), code)
        case Means.THROTTLED:
            return Refusal(Throttled(wait(headers)), code)
        case Means.DENIED:
            return Refusal(Denied(f"{meaning.say} ({code})"), code)
        case Means.REJECTED:
            return Refusal(Rejected(code, f"{meaning.say}: {_words(error, secret)}"), code)
        case Means.MEDIA:
            return Refusal(Unavailable(Fault.MEDIA, f"{meaning.say} ({code})"), code)


def _words(error: Mapping[str, Any], secret: str) -> str:
    """The platform's own words, short, on one line, without the token that some of them repeat."""
    words = " ".join(str(error.get("error_user_msg") or error.get("message") or "no reason given").split())
    return (words.replace(secret, "***") if secret else words)[:_WORDS]


def wait(headers: Mapping[str, str]) -> timedelta:
    """How long to hold off: `X-Business-Use-Case-Usage` says it in minutes, if at all."""
    try:
        usage = json.loads(headers.get("X-Business-Use-Case-Usage", ""))
        named = (limit.get("estimated_time_to_regain_access", 0) for limits in usage.values() for limit in limits)
        minutes = max(named, default=0)
        return bounded(60 * minutes) if minutes > 0 else UNNAMED_WAIT
    except (ValueError, TypeError, AttributeError):
        return UNNAMED_WAIT


R = TypeVar("R", bound="Reply")


def harmless(reply: R) -> R | Refusal:
    """The same for a call of which nothing public can come: whatever is uncertain about it, it may be repeated."""
    match reply:
        case Refusal(outcome=Uncertain(fault, detail)):
            return replace(reply, outcome=Unavailable(fault, detail))
        case _:
            return reply


class Graph:
    """Calls for one account (`node`: a Page, a Threads or Instagram user).

    Paths are below the version unless they begin with /; other hosts are called by their whole address.
    """

    def __init__(
        self, settings: GraphSettings, tools: Tools, profile: Profile, node: str, token: Callable[[], Awaitable[str]]
    ) -> None:
        self._settings, self._tools, self._profile, self._token = settings, tools, profile, token
        self._base = settings.base_url.rstrip("/")
        self.node = node

    async def get(
        self, path: str, params: Mapping[str, str], *, token: str | None = None, within: timedelta | None = None
    ) -> Reply:
        """The answer to a question. Its refusal judges no post, so it is `Unavailable`; `within`: give up sooner."""
        profile = replace(self._profile, total_timeout=within) if within else self._profile
        reply = await self._call("GET", path, token=token, profile=profile, params=params)
        if isinstance(reply, Refusal) and isinstance(reply.outcome, Rejected):
            return replace(
                reply, outcome=Unavailable(Fault.SERVER, f"the question was refused: {reply.outcome.detail}")
            )
        return harmless(reply)

    async def post(self, path: str, gate: Gate | None, form: Mapping[str, str]) -> Reply:
        return await self._call("POST", path, gate=gate, form=form)

    async def create(self, path: str, gate: Gate | None, form: Mapping[str, str]) -> str | Refusal:
        """The id of what was made at an edge of the account."""
        match await self.post(path, gate, form):
            case Refusal(code=code) if code == GONE:
                return Refusal(self.unknown(), code)
            case Refusal() as refusal:
                return refusal
            case made:
                return _id(made) or UNREADABLE

    async def upload(self, path: str, gate: Gate | None, form: Mapping[str, str], file: MediaFile) -> str | Refusal:
        """The id of what was made of this file, which is small enough to be held whole."""
        body, content_type = multipart(form, "source", file.mime, await asyncio.to_thread(file.path.read_bytes))
        match await self._call("POST", path, gate=gate, body=body, content_type=content_type):
            case Refusal() as refusal:
                return refusal
            case made:
                return _id(made) or UNREADABLE

    async def remove(self, object_id: str, gate: Gate | None) -> Refusal | None:
        """None when it was deleted, or was gone before; only reading it again proves that."""
        reply = await self._call("DELETE", object_id, gate=gate)
        return reply if isinstance(reply, Refusal) and reply.code != GONE else None

    async def read(
        self, object_id: str, fields: str, *, within: timedelta | None = None
    ) -> dict[str, Any] | Absent | Outcome:
        """`Absent` only while the account itself can be read: a token without rights sees nothing either."""
        reply = await self.get(object_id, {"fields": fields}, within=within)
        if not isinstance(reply, Refusal):
            return reply if _id(reply) else Unavailable(Fault.SERVER, "an answer that nobody can read")
        if reply.code != GONE:
            return reply.outcome
        account = await self.probe()
        return Absent() if isinstance(account, Live) else account

    async def probe(self) -> Outcome:
        match await self.get(self.node, {"fields": "id"}):
            case Refusal(code=code) if code == GONE:
                return self.unknown()
            case Refusal(outcome):
                return outcome
            case account:
                return (
                    Live(found)
                    if (found := _id(account))
                    else Unavailable(Fault.SERVER, "an answer that nobody can read")
                )

    async def trade(self, method: str, path: str, fields: Mapping[str, str]) -> Reply:
        """A call in the app's own name, without a token; nothing public can come of it."""
        params, form = (fields, None) if method == "GET" else (None, fields)
        url = self._address(path)
        answer = await ask(self._tools.session, self._profile, method, url, params=params, form=form)
        return harmless(classify(answer) if isinstance(answer, Answer) else Refusal(answer))

    def unknown(self) -> Denied:
        """The account itself is what the platform does not know."""
        return Denied(f"the token knows no account {self.node} ({GONE}): correct the id, or connect the account again")

    async def page(
        self, path: str, fields: str, after: str | None, listed: Callable[[Mapping[str, Any]], Listed]
    ) -> Page | Outcome:
        """One page of a list. Its `next` address is not followed, since it carries the token."""
        reply = await self.get(path, {"fields": fields, "limit": "100"} | ({"after": after} if after else {}))
        if isinstance(reply, Refusal):
            return reply.outcome
        try:
            paging = reply.get("paging", {})
            return Page(
                [listed(post) for post in reply["data"]], paging["cursors"]["after"] if "next" in paging else None
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return Unavailable(Fault.SERVER, "a list that nobody can read")

    async def _call(
        self,
        method: str,
        path: str,
        *,
        gate: Gate | None = None,
        token: str | None = None,
        profile: Profile | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes = b"",
        content_type: str = "",
    ) -> Reply:
        token = token or await self._token()
        if not token:
            return Refusal(not_connected(self._tools.channel))
        answer = await ask(
            self._tools.session,
            profile or self._profile,
            method,
            self._address(path),
            gate=gate,
            headers={"Authorization": f"Bearer {token}"},
            params={**(params or {}), **self._proof(token)},
            form=form,
            body=body,
            content_type=content_type,
        )
        return classify(answer, token) if isinstance(answer, Answer) else Refusal(answer)

    def _address(self, path: str) -> str:
        if path.startswith("http"):
            return path
        return self._base + (path if path.startswith("/") else f"/{self._settings.version}/{path}")

    def _proof(self, token: str) -> dict[str, str]:
        """In the query: on some calls a copy in the body does not count."""
        if self._settings.app_secret is None:
            return {}
        key = self._settings.app_secret.get_secret_value().encode()
        return {"appsecret_proof": hmac.new(key, token.encode(), hashlib.sha256).hexdigest()}


def multipart(form: Mapping[str, str], name: str, mime: str, data: bytes) -> tuple[bytes, str]:
    """Fields and one file as a body (RFC 7578), with its content type."""
    mark = secrets.token_hex(16)
    part = f'--{mark}\r\nContent-Disposition: form-data; name="{{}}"'
    fields = "".join(f"{part.format(key)}\r\n\r\n{value}\r\n" for key, value in form.items())
    head = f'{part.format(name)}; filename="{name}"\r\nContent-Type: {mime}\r\n\r\n'
    body = (fields + head).encode() + data + f"\r\n--{mark}--\r\n".encode()
    return body, f"multipart/form-data; boundary={mark}"


def _id(reply: Mapping[str, Any]) -> str | None:
    found = reply.get("id")
    return found if isinstance(found, str) and found else None
