"""Threads: containers that become posts in two steps, on two host names.

Source: Meta's pages on Threads posts, deletes, long-lived tokens and troubleshooting, read 2026-11-22. What Meta does
not document is taken from public clients: 24/4279009 for a container that cannot be published (not ready, unknown,
expired, or published already: it looks the same each time). The code of an exhausted quota is Instagram's.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Unpack
from urllib.parse import urlsplit

import regex
from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.consent import LANDED, Consents
from adapters.emulators.faults import Kind
from adapters.emulators.graph import NO_OBJECT, GraphEmulator, GraphError, Token, graph_time
from adapters.emulators.http import Call, Route
from adapters.emulators.log import Post

_LONGEST_TEXT = 500
_MOST_LINKS = 5
_DELETES_A_DAY = 100
_MEDIA_READY_AFTER = timedelta(seconds=30)
_CONTAINER_LIFE = timedelta(hours=24)
_DAY = timedelta(days=1)
_SHORT_LIFE, _LONG_LIFE = timedelta(hours=1), timedelta(days=60)
_READ, _PUBLISH, _DELETE = "threads_basic", "threads_content_publish", "threads_delete"

_GRAPHEME = regex.compile(r"\X")
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|\N{COMBINING ENCLOSING KEYCAP}")
_LINK = regex.compile(r"https?://\S+")

_NOT_PUBLISHABLE = GraphError(24, "The requested resource does not exist", subcode=4279009)
_QUOTA_USED_UP = GraphError(9, "The publishing limit of 24 hours is reached", subcode=2207042)
_TOO_MANY_DELETES = GraphError(613, "Calls to this api have exceeded the rate limit")
_TOO_LONG = GraphError(100, "Param text must be at most 500 characters long")
_TOO_MANY_LINKS = GraphError("THREADS_API__LINK_LIMIT_EXCEEDED", "A post can have at most 5 links")
_NO_TEXT = GraphError(100, "(#100) Param text is needed for media_type TEXT")
_NO_MEDIA = GraphError(100, "(#100) The media could not be fetched from this URI")
_BAD_TYPE = GraphError(100, "(#100) Param media_type must be one of TEXT, IMAGE, VIDEO")
_TOO_YOUNG = GraphError(100, "(#100) A token can be refreshed once it is 24 hours old")
_BAD_SECRET = GraphError(101, "Error validating client secret")


class Status(StrEnum):
    """The five states of a container."""

    IN_PROGRESS = "IN_PROGRESS"
    FINISHED = "FINISHED"
    ERROR = "ERROR"
    EXPIRED = "EXPIRED"
    PUBLISHED = "PUBLISHED"


@dataclass(slots=True)
class Container:
    owner: str
    text: str
    kind: str
    created_at: datetime
    ready_at: datetime | None  # None: never
    error: str | None = None
    is_published: bool = False

    def status(self, now: datetime) -> Status:
        if self.is_published:
            return Status.PUBLISHED
        if now >= self.created_at + _CONTAINER_LIFE:
            return Status.EXPIRED
        if self.error is not None:
            return Status.ERROR
        return Status.FINISHED if self.ready_at is not None and now >= self.ready_at else Status.IN_PROGRESS


def text_length(text: str) -> int:
    """Threads' own count: an emoji weighs its UTF-8 bytes, every other character 1."""
    return sum(len(g.encode()) if _EMOJI.search(g) else 1 for g in _GRAPHEME.findall(text))


class ThreadsEmulator(GraphEmulator):
    """The Threads API v1.0. `ready_after`: seconds until a text container is FINISHED; `quota`: posts in 24 hours."""

    name = "threads"
    hosts = ("net", "com")  # graph.threads.net and graph.threads.com: the same service twice
    kinds = GraphEmulator.kinds | {Kind.NEVER_FINISH}
    scopes = frozenset({_READ, _PUBLISH, _DELETE})
    throttle = GraphError(4, "Application request limit reached")
    usage_type = "threads"
    errors: ClassVar[Mapping[Kind, GraphError]] = {
        Kind.POLICY: GraphError(4, "We restrict certain activity", subcode=2207051),
        Kind.SUSPENDED: GraphError(10, "The user is restricted", subcode=4279013),
        Kind.NO_PERMISSION: GraphError(10, "(#10) Application does not have permission for this action"),
    }

    def __init__(
        self,
        *,
        user_id: str = "2468",
        app_id: str = "7003",
        token: str = "threads-token",  # noqa: S107 - the emulator's own
        app_secret: str = "app-secret",  # noqa: S107 - the emulator's own
        require_proof: bool = False,
        ready_after: float = 1.0,
        quota: int = 250,
        calls_per_hour: int = 4800,
        **common: Unpack[Common],
    ) -> None:
        self.consents = Consents(self, "_")
        super().__init__(app_secret=app_secret, require_proof=require_proof, calls_per_hour=calls_per_hour, **common)
        self.user_id, self.app_id = user_id, app_id
        self.quota = quota
        self.ready_after = timedelta(seconds=ready_after)
        self.containers: dict[str, Container] = {}
        self.tokens[token] = Token(user_id, self.scopes, self.now(), self.now() + _LONG_LIFE)
        self._published: deque[datetime] = deque()
        self._deleted: deque[datetime] = deque()

    @override
    def routes(self) -> Iterator[Route]:
        yield Route("GET", "/oauth/authorize", "consent", self._authorize)
        yield Route("GET", LANDED, "consent", self.consents.landed)
        yield Route("POST", "/oauth/access_token", "token", self._trade)
        yield Route("GET", "/access_token", "token", self._exchange)
        yield Route("GET", "/refresh_access_token", "token", self._refresh)
        yield Route("POST", "/v1.0/{user}/threads", "create", self._create, writes=True)
        yield Route("POST", "/v1.0/{user}/threads_publish", "publish", self._publish, writes=True)
        yield Route("GET", "/v1.0/{user}/threads", "list", self._list)
        yield Route("GET", "/v1.0/{user}/threads_publishing_limit", "quota", self._quota)
        yield Route("GET", r"/v1.0/{container:18\d{9,}}", "status", self._status)
        yield Route("GET", r"/v1.0/{post:17\d{9,}}", "get", self._get)
        yield Route("DELETE", r"/v1.0/{post:\d+}", "delete", self._delete, writes=True)
        yield Route("GET", r"/v1.0/{user:\d+|me}", "probe", self._probe)

    @hook
    def break_container(self, container_id: str, error: str = "UNKNOWN") -> None:
        """Processing fails: the container's status becomes ERROR with this message."""
        if container_id not in self.containers:
            raise LookupError(f"no container {container_id!r}")
        self.containers[container_id].error = error

    @hook
    def issue_token(self, hours_old: float = 0.0, *, is_short: bool = False) -> str:
        """A new token of the account, as its owner's consent gives one: short (1 hour) or long (60 days)."""
        issued_at = self.now() - timedelta(hours=hours_old)
        return self._new_token(issued_at, _SHORT_LIFE if is_short else _LONG_LIFE, self.scopes)

    # -- publishing

    async def _create(self, call: Call) -> web.Response:
        user = self._user(call, _PUBLISH)
        container = self._container(user, call)
        container_id = f"18{self.digits(15)}"
        self.containers[container_id] = container
        if container.kind == "TEXT" and call.params.get("auto_publish_text", "").lower() == "true":
            return web.json_response({"id": self._make_public(container, call, how="auto_publish_text")})
        return web.json_response({"id": container_id})

    async def _publish(self, call: Call) -> web.Response:
        user = self._user(call, _PUBLISH)
        container = self.containers.get(call.params.get("creation_id", ""))
        if container is None or container.owner != user or container.status(self.now()) is not Status.FINISHED:
            raise self.refuse(_NOT_PUBLISHABLE)
        return web.json_response({"id": self._make_public(container, call)})

    async def _status(self, call: Call) -> web.Response:
        self.authorise(call, _READ)
        container = self.containers.get(call.match["container"])
        if container is None:
            raise self.refuse(NO_OBJECT)
        known = {
            "id": call.match["container"],
            "status": container.status(self.now()),
            "error_message": container.error,
        }
        return web.json_response(self.fields_of(call, known, ("id", "status")))

    def _container(self, user: str, call: Call) -> Container:
        kind, text = call.params.get("media_type", ""), call.params.get("text", "")
        self._check(kind, text, call)
        now = self.now()
        is_stuck = self.faults.take(Kind.NEVER_FINISH, "create") is not None
        ready_at = None if is_stuck else now + (self.ready_after if kind == "TEXT" else _MEDIA_READY_AFTER)
        url = call.params.get(f"{kind.lower()}_url", "")
        error = "FAILED_DOWNLOADING_VIDEO" if (urlsplit(url).hostname or "").endswith(".invalid") else None
        return Container(user, text, kind, now, ready_at, error)

    def _check(self, kind: str, text: str, call: Call) -> None:
        if kind not in ("TEXT", "IMAGE", "VIDEO"):
            raise self.refuse(_BAD_TYPE)
        if kind == "TEXT" and not text:
            raise self.refuse(_NO_TEXT)
        if kind != "TEXT" and not call.params.get(f"{kind.lower()}_url"):
            raise self.refuse(_NO_MEDIA)
        if text_length(text) > _LONGEST_TEXT:
            raise self.refuse(_TOO_LONG)
        links = set(_LINK.findall(text)) | {call.params.get("link_attachment", "")} - {""}
        if len(links) > _MOST_LINKS:
            raise self.refuse(_TOO_MANY_LINKS)

    def _make_public(self, container: Container, call: Call, how: str = "api") -> str:
        if self._used(self._published) >= self.quota:
            raise self.refuse(_QUOTA_USED_UP)
        post_id = f"17{self.digits(15)}"
        self._published.append(self.now())
        container.is_published = True
        self.take_in(post_id, container.text, container.owner, step=call.step, how=how, kind=container.kind)
        return post_id

    # -- reading, deleting

    async def _list(self, call: Call) -> web.Response:
        user = self._user(call, _READ)
        posts = [post for post in self.posts_now() if post.author == user]
        return self.page_of(call, posts, lambda post: self._shown(call, post))

    async def _get(self, call: Call) -> web.Response:
        return web.json_response(self._shown(call, self._post(call, _READ)))

    async def _delete(self, call: Call) -> web.Response:
        post = self._post(call, _DELETE)
        if self._used(self._deleted) >= _DELETES_A_DAY:
            raise self.refuse(_TOO_MANY_DELETES)
        self._deleted.append(self.now())
        self.take_down(post, by="owner")
        return web.json_response({"success": True, "deleted_id": post.id})

    async def _probe(self, call: Call) -> web.Response:
        known = {"id": self._user(call, _READ), "username": "tinvidu", "name": "Tin Ví Dụ"}
        return web.json_response(self.fields_of(call, known, ("id",)))

    async def _quota(self, call: Call) -> web.Response:
        self._user(call, _PUBLISH)
        config = {"quota_total": self.quota, "quota_duration": 86400}
        known = {"quota_usage": self._used(self._published), "config": config, "id": None}
        return web.json_response({"data": [self.fields_of(call, known, ("quota_usage",))]})

    def _shown(self, call: Call, post: Post) -> dict[str, object]:
        kind = str(post.extra.get("kind", "TEXT"))
        known = {
            "id": post.id,
            "text": post.text or None,
            "media_type": "TEXT_POST" if kind == "TEXT" else kind,
            "timestamp": graph_time(post.posted_at),
            "permalink": f"https://www.threads.net/@tinvidu/post/{post.id}",
            "username": "tinvidu",
        }
        return self.fields_of(call, known, ("id",))

    def _user(self, call: Call, scope: str) -> str:
        """The account this call is about, which must be the token's own."""
        user = self.authorise(call, scope).owner
        if call.match["user"] not in (user, "me"):
            raise self.refuse(NO_OBJECT)
        return user

    def _post(self, call: Call, scope: str) -> Post:
        user = self.authorise(call, scope).owner
        post = self.find_post(call.match["post"])
        if post is None or post.author != user:
            raise self.refuse(NO_OBJECT)
        return post

    def _used(self, times: deque[datetime]) -> int:
        while times and times[0] <= self.now() - _DAY:
            times.popleft()
        return len(times)

    # -- tokens

    async def _authorize(self, call: Call) -> web.Response:
        if call.params.get("client_id") != self.app_id or "threads_basic" not in call.params.get("scope", ""):
            raise self.refuse(GraphError(101, "Error validating application"))
        return self.consents.page(call, "@tinvidu", scopes=call.params["scope"])

    async def _trade(self, call: Call) -> web.Response:
        """A code for a token of an hour."""
        self._check_grant(call, "authorization_code")
        if call.params.get("client_id") != self.app_id or call.params.get("client_secret") != self.app_secret:
            raise self.refuse(_BAD_SECRET)
        grant = self.consents.redeem(call)
        if grant is None:
            raise self.refuse(GraphError(100, "This authorization code has been used", subcode=36009))
        token = self._new_token(self.now(), _SHORT_LIFE, self.scopes & set(grant["scopes"].split(",")))
        return web.json_response({"access_token": token, "user_id": int(self.user_id)})

    async def _exchange(self, call: Call) -> web.Response:
        """A short token and the app's secret for a long token."""
        self._check_grant(call, "th_exchange_token")
        if call.params.get("client_secret") != self.app_secret:
            raise self.refuse(_BAD_SECRET)
        return self._token_answer(self.authorise(call, _READ).scopes)

    async def _refresh(self, call: Call) -> web.Response:
        """A long token, at least a day old and not over, for another 60 days. The old one stays good until its end."""
        self._check_grant(call, "th_refresh_token")
        token = self.authorise(call, _READ)
        if self.now() < token.issued_at + _DAY:
            raise self.refuse(_TOO_YOUNG)
        return self._token_answer(token.scopes)

    def _check_grant(self, call: Call, wanted: str) -> None:
        if call.params.get("grant_type") != wanted:
            raise self.refuse(GraphError(100, f"(#100) Param grant_type must be {wanted}"))

    def _token_answer(self, scopes: frozenset[str]) -> web.Response:
        self.note("token issued")
        token = self._new_token(self.now(), _LONG_LIFE, scopes)
        seconds = int(_LONG_LIFE.total_seconds())
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": seconds})

    def _new_token(self, issued_at: datetime, life: timedelta, scopes: frozenset[str]) -> str:
        token = f"THAA{self.random.randbytes(16).hex()}"
        self.tokens[token] = Token(self.user_id, scopes, issued_at, issued_at + life)
        return token
