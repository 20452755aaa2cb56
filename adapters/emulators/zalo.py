"""Zalo's Open API for one Official Account and one app: tokens on one host, articles on the other.

Source: Zalo's public SDKs, copies of its article pages, and what clients report of both, read 2026-11-22. From clients:
articles without a cover are refused, as are titles of exactly 150 characters; `verify` fails if the cover cannot be
fetched. Assumed, since no page tells: the codes for a wrong app secret and for an article that is not there.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from typing import Any, ClassVar, Unpack
from urllib.parse import urlsplit

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.consent import LANDED, Consents, challenge
from adapters.emulators.faults import Fault, Kind
from adapters.emulators.http import WIRE, Call, HttpEmulator, Refused, Route
from adapters.emulators.log import Post

_TITLE, _DESCRIPTION, _AUTHOR = 150, 300, 50
_PAGE = 10
_BAD_TOKEN, BAD_PARAMETER, _FAILED, _NO_SUCH_CALL = -216, -201, -200, -209
_BAD_REFRESH, _BAD_SECRET, _BAD_CODE = -14014, -14004, -14005


@dataclass(slots=True)
class Work:
    """What a processing token stands for. `article_id` None: it never becomes an article."""

    article_id: str | None
    ready_at: datetime
    is_stuck: bool = False
    is_refused: bool = False


class ZaloEmulator(HttpEmulator):
    """The Open API v2.0 for articles. `ready_after`: seconds until an article has its id; `hides`: new ones are hidden.

    `require_proof`: the app demands `appsecret_proof`.
    """

    name = "zalo"
    hosts = ("api", "oauth")
    kinds = (
        WIRE
        | {Kind.SERVER_ERROR, Kind.ERROR_IN_200, Kind.THROTTLED, Kind.LOGGED_OUT, Kind.EXPIRED, Kind.REVOKED}
        | {Kind.NO_PERMISSION, Kind.POLICY}
        | {Kind.SILENT_DROP, Kind.EMPTY_LIST, Kind.LIST_LAG, Kind.NEVER_FINISH, Kind.REMOVE_LATER, Kind.INVISIBLE}
        | {Kind.REFUSE_LATER}
    )
    wordings: ClassVar[Mapping[Kind, tuple[int, str]]] = {
        Kind.SERVER_ERROR: (-100, "An unknown error has occurred"),
        Kind.ERROR_IN_200: (-1, "Unknown exception"),
        Kind.THROTTLED: (-32, "Your application reached the limit of calls per minute"),
        Kind.LOGGED_OUT: (_BAD_TOKEN, "Access token is invalid"),
        Kind.EXPIRED: (_BAD_TOKEN, "Access token has expired"),
        Kind.REVOKED: (_BAD_TOKEN, "Access token is invalid"),
        Kind.NO_PERMISSION: (-224, "The official account's package does not include this API"),
    }

    def __init__(
        self,
        *,
        oa_id: str = "4402",
        app_id: str = "7002",
        app_secret: str = "app-secret",  # noqa: S107 - the emulator's own
        access_token: str = "zalo-access",  # noqa: S107 - the emulator's own
        refresh_token: str = "zalo-refresh",  # noqa: S107 - the emulator's own
        token_hours: float = 25.0,
        ready_after: float = 1.0,
        require_proof: bool = False,
        hides: bool = False,
        **common: Unpack[Common],
    ) -> None:
        self.consents = Consents(self)
        super().__init__(**common)
        self.oa_id, self.app_id, self.app_secret = oa_id, app_id, app_secret
        self.token_life = timedelta(hours=token_hours)
        self.ready_after = timedelta(seconds=ready_after)
        self.require_proof, self.hides = require_proof, hides
        self.access_tokens = {access_token: self.now() + self.token_life}
        self.refresh_tokens = {refresh_token: False}  # True: used
        self.work: dict[str, Work] = {}
        self.policy = (-248, "The content violates Zalo's policy")

    @override
    def routes(self) -> Iterator[Route]:
        yield Route("GET", "/v4/oa/permission", "consent", self._permission, host="oauth")
        yield Route("GET", LANDED, "consent", self.consents.landed, host="oauth")
        yield Route("POST", "/v4/oa/access_token", "token", self._trade, host="oauth")
        yield Route("POST", "/v2.0/article/create", "create", self._create, writes=True, host="api")
        yield Route("POST", "/v2.0/article/update", "edit", self._update, writes=True, host="api")
        yield Route("POST", "/v2.0/article/remove", "delete", self._remove, writes=True, host="api")
        yield Route("POST", "/v2.0/article/verify", "verify", self._verify, host="api")
        yield Route("GET", "/v2.0/article/getdetail", "get", self._detail, host="api")
        yield Route("GET", "/v2.0/article/getslice", "list", self._slice, host="api")
        yield Route("GET", "/v2.0/oa/getoa", "probe", self._account, host="api")

    @override
    def shape(self, fault: Fault, call: Call) -> web.Response:
        if call.step == "token" and fault.kind in (Kind.LOGGED_OUT, Kind.EXPIRED, Kind.REVOKED):
            return words(_BAD_REFRESH, "Invalid refresh token", error_name="Invalid refresh token")
        return words(*(self.policy if fault.kind is Kind.POLICY else self.wordings[fault.kind]))

    @override
    def unknown_path(self, call: Call) -> web.Response:
        return web.json_response({"error": _NO_SUCH_CALL, "message": "API is not support"}, status=404)

    @hook
    def end_access_tokens(self) -> None:
        """All access tokens are over, as after 25 hours; refresh tokens stay good."""
        self.access_tokens = dict.fromkeys(self.access_tokens, self.now())

    @hook
    def revoke(self) -> None:
        """An administrator takes the app's rights away: no token is good any more."""
        self.end_access_tokens()
        self.refresh_tokens = dict.fromkeys(self.refresh_tokens, True)

    @hook
    def grant(self) -> dict[str, str]:
        """A new consent of the account's administrator: a new pair of tokens."""
        return self._new_pair()

    @hook
    def hide_article(self, article_id: str) -> None:
        """Somebody hides an article in the account's console."""
        self._article(article_id).extra["status"] = "hide"

    @hook
    def say_instead(self, code: int, message: str = "") -> None:
        """The fault `policy` comes with this code from now on; Zalo has many that no page tells."""
        self.policy = (code, message)

    # -- tokens

    async def _permission(self, call: Call) -> web.Response:
        if call.params.get("app_id") != self.app_id:
            raise refused(_BAD_SECRET, "Invalid app id")
        given = {"challenge": call.params.get("code_challenge", "")}
        return self.consents.page(call, "Tin Ví Dụ", {"oa_id": self.oa_id}, **given)

    async def _trade(self, call: Call) -> web.Response:
        if call.request.headers.get("secret_key") != self.app_secret or call.params.get("app_id") != self.app_id:
            raise refused(_BAD_SECRET, "Invalid app id or secret key", error_name="Invalid secret key")
        return self._first_pair(call) if call.params.get("grant_type") == "authorization_code" else self._refresh(call)

    def _first_pair(self, call: Call) -> web.Response:
        """For a code, from whoever knows the verifier of its challenge."""
        grant = self.consents.redeem(call, checks_address=False)
        if grant is None or grant["challenge"] != challenge(call.params.get("code_verifier", "")):
            raise refused(_BAD_CODE, "Invalid authorization code", error_name="Invalid authorization code")
        self.note("consent redeemed")
        return web.json_response(self._new_pair())

    def _refresh(self, call: Call) -> web.Response:
        token = call.params.get("refresh_token", "")
        if call.params.get("grant_type") != "refresh_token" or self.refresh_tokens.get(token, True):
            self.note("refresh token refused", "used before" if token in self.refresh_tokens else "unknown")
            raise refused(_BAD_REFRESH, "Invalid refresh token", error_name="Invalid refresh token")
        self.refresh_tokens[token] = True
        self.note("token renewed")
        return web.json_response(self._new_pair())

    def _new_pair(self) -> dict[str, str]:
        access, refresh = (self.random.randbytes(16).hex() for _ in range(2))
        self.access_tokens[access] = self.now() + self.token_life
        self.refresh_tokens[refresh] = False
        seconds = str(int(self.token_life.total_seconds()))
        return {"access_token": access, "refresh_token": refresh, "expires_in": seconds}

    def _authorise(self, call: Call) -> None:
        """The header `access_token`; `Authorization` counts for nothing here."""
        token = call.request.headers.get("access_token", "")
        ends_at = self.access_tokens.get(token)
        if ends_at is None or self.now() >= ends_at:
            raise refused(_BAD_TOKEN, "Access token is invalid")
        proof = hmac.new(self.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if self.require_proof and call.request.headers.get("appsecret_proof") != proof:
            raise refused(BAD_PARAMETER, "appsecret_proof is invalid")

    # -- articles

    async def _create(self, call: Call) -> web.Response:
        self._authorise(call)
        given = self._checked(call)
        token = self.random.randbytes(24).hex()
        ready_at = self.now() + self.ready_after
        is_fetched = not (urlsplit(given["cover"]["photo_url"]).hostname or "").endswith(".invalid")
        if self.faults.take(Kind.NEVER_FINISH, call.step):
            self.work[token] = Work(None, ready_at, is_stuck=True)
        elif self.faults.take(Kind.REFUSE_LATER, call.step):
            self.work[token] = Work(None, ready_at, is_refused=True)
        elif not is_fetched:
            self.work[token] = Work(None, ready_at)
        else:
            self.work[token] = Work(self._publish(given), ready_at)
        return words(0, "Success", data={"token": token})

    def _publish(self, given: Mapping[str, Any]) -> str:
        status = "hide" if self.hides else given.get("status", "hide")
        post = self.take_in(
            self.random.randbytes(10).hex(),
            _text(given),
            self.oa_id,
            step="create",
            visible=status == "show",
            title=given["title"],
        )
        post.extra["status"] = "show" if post.visible else "hide"
        post.posted_at += self.ready_after  # readers see it once it is processed
        post.listed_at += self.ready_after
        return post.id

    async def _update(self, call: Call) -> web.Response:
        self._authorise(call)
        given = self._checked(call)
        post = self._article(call.params.get("id", ""))
        post.text, post.edited_at = _text(given), self.now()
        post.extra |= {"title": given["title"], "status": given.get("status", "hide")}
        token = self.random.randbytes(24).hex()
        self.work[token] = Work(post.id, self.now() + self.ready_after)
        return words(0, "Success", data={"token": token})

    async def _remove(self, call: Call) -> web.Response:
        self._authorise(call)
        self.take_down(self._article(call.params.get("id", "")), by="owner")
        return words(0, "Success")

    async def _verify(self, call: Call) -> web.Response:
        self._authorise(call)
        work = self.work.get(call.params.get("token", ""))
        if work is None:
            raise refused(BAD_PARAMETER, "param is invalid")
        if work.is_stuck or self.now() < work.ready_at:
            raise refused(-100, "Media is being processed")
        if work.is_refused:
            raise refused(*self.policy)
        if work.article_id is None:
            raise refused(_FAILED, "Upload media failed: Too many failed attempts")
        return words(0, "Success", data={"id": work.article_id})

    async def _detail(self, call: Call) -> web.Response:
        self._authorise(call)
        post = self._article(call.params.get("id", ""))
        shown = {"id": post.id, "type": "normal", "title": post.extra["title"], "status": post.extra["status"]}
        return words(0, "Success", data=shown)

    async def _slice(self, call: Call) -> web.Response:
        self._authorise(call)
        if call.params.get("type") not in ("normal", "video"):
            raise refused(BAD_PARAMETER, "type accept only 2 value normal and video.")
        offset, limit = int(call.params.get("offset", "0")), int(call.params.get("limit", "5"))
        if limit > _PAGE:
            raise refused(BAD_PARAMETER, f"maximum limit is {_PAGE}")
        posts = [post for post in self.posts_now() if post.author == self.oa_id and call.params["type"] == "normal"]
        lines = [self._line(post) for post in posts[offset : offset + limit]]
        return words(0, "Success", data={"medias": lines, "total": len(posts)})

    async def _account(self, call: Call) -> web.Response:
        self._authorise(call)
        data = {"oa_id": self.oa_id, "name": "Tin Ví Dụ", "is_verified": True, "package_name": "Gói Nâng cao"}
        return words(0, "Success", data=data)

    def _line(self, post: Post) -> dict[str, object]:
        return {
            "id": post.id,
            "type": "normal",
            "title": post.extra.get("title") or post.text.partition("\n")[0],
            "status": post.extra.get("status", "show"),
            "total_view": 0,
            "total_share": 0,
            "create_date": int(post.posted_at.timestamp() * 1000),
            "update_date": int((post.edited_at or post.posted_at).timestamp() * 1000),
            "thumb": "https://photo.example/cover.jpg",
            "link_view": f"https://rd.zapps.example/detail/{self.oa_id}?id={post.id}",
        }

    def _article(self, article_id: str) -> Post:
        post = self.find_post(article_id)
        if post is None or "status" not in post.extra:
            raise refused(BAD_PARAMETER, "article is not exist")
        return post

    def _checked(self, call: Call) -> dict[str, Any]:
        given = call.json if isinstance(call.json, dict) else {}
        cover, body = given.get("cover"), given.get("body")
        if given.get("type") != "normal":
            raise refused(BAD_PARAMETER, "type accept only 2 value normal and video.")
        for name, limit in (("title", _TITLE), ("description", _DESCRIPTION)):
            if not 1 <= len(given.get(name) or "") < limit:
                raise refused(BAD_PARAMETER, f"{name} allow 1 to {limit} characters")
        if len(given.get("author") or "") > _AUTHOR:
            raise refused(BAD_PARAMETER, f"author allow 1 to {_AUTHOR} characters")
        if not isinstance(cover, dict) or cover.get("cover_type") != "photo" or not cover.get("photo_url"):
            raise refused(BAD_PARAMETER, "cover value is invalid")
        if not isinstance(body, list) or not body:
            raise refused(BAD_PARAMETER, "body is empty")
        return given


def _text(given: Mapping[str, Any]) -> str:
    """What readers see of an article."""
    contents = [unescape(block.get("content", "")) for block in given["body"] if block.get("type") == "text"]
    return "\n\n".join([given["title"], *contents])


def words(code: int, message: str, **rest: object) -> web.Response:
    return web.json_response({"error": code, "message": message, **rest})


def refused(code: int, message: str, **rest: object) -> Refused:
    return Refused(words(code, message, **rest), verdict=str(code))
