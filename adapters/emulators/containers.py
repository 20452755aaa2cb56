"""What Threads and Instagram do the same way: posts in two steps by containers, quotas, and tokens of 60 days.

Source: Meta's pages on publishing, long-lived tokens and publishing limits of both, read 2026-11-22.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Unpack

from aiohttp import web

from adapters.emulators.base import Common, hook
from adapters.emulators.consent import LANDED, Consents
from adapters.emulators.faults import Kind
from adapters.emulators.graph import NO_OBJECT, GraphEmulator, GraphError, Token
from adapters.emulators.http import Call, Route
from adapters.emulators.log import Post

CONTAINER_LIFE = timedelta(hours=24)
DAY = timedelta(days=1)
_SHORT_LIFE, LONG_LIFE = timedelta(hours=1), timedelta(days=60)

_QUOTA_USED_UP = GraphError(9, "The publishing limit of 24 hours is reached", subcode=2207042)
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
    alt: str = ""  # what the picture shows, in words

    def status(self, now: datetime) -> Status:
        if self.is_published:
            return Status.PUBLISHED
        if now >= self.created_at + CONTAINER_LIFE:
            return Status.EXPIRED
        if self.error is not None:
            return Status.ERROR
        return Status.FINISHED if self.ready_at is not None and now >= self.ready_at else Status.IN_PROGRESS


class ContainerEmulator(GraphEmulator):
    """Containers of one account. `ready_after`: seconds until one is FINISHED; `quota`: posts in 24 hours."""

    kinds = GraphEmulator.kinds | {Kind.NEVER_FINISH}
    grant: ClassVar[str]
    """What the grants of tokens begin with."""
    read_scope: ClassVar[str]
    publish_scope: ClassVar[str]
    token: ClassVar[str]
    """Its first token."""
    user_id: str
    app_id: str
    quota: int

    def __init__(
        self,
        *,
        user_id: str = "",
        app_id: str = "",
        token: str = "",
        app_secret: str = "app-secret",  # noqa: S107 - the emulator's own
        require_proof: bool = False,
        ready_after: float = 1.0,
        quota: int | None = None,
        calls_per_hour: int = 4800,
        **common: Unpack[Common],
    ) -> None:
        self.consents = Consents(self, "_")
        super().__init__(app_secret=app_secret, require_proof=require_proof, calls_per_hour=calls_per_hour, **common)
        self.user_id, self.app_id = user_id or self.user_id, app_id or self.app_id
        self.quota = self.quota if quota is None else quota
        self.ready_after = timedelta(seconds=ready_after)
        self.containers: dict[str, Container] = {}
        self.tokens[token or self.token] = Token(self.user_id, self.scopes, self.now(), self.now() + LONG_LIFE)
        self._published: deque[datetime] = deque()

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
        return self._new_token(issued_at, _SHORT_LIFE if is_short else LONG_LIFE, self.scopes)

    # -- containers and posts

    def keep(self, container: Container) -> str:
        container_id = f"18{self.digits(15)}"
        self.containers[container_id] = container
        return container_id

    def ready_at(self, after: timedelta) -> datetime | None:
        """When a container that is made now will be FINISHED; None: never."""
        is_stuck = self.faults.take(Kind.NEVER_FINISH, "create") is not None
        return None if is_stuck else self.now() + after

    def make_public(self, container: Container, call: Call, how: str = "api") -> str:
        if self.used(self._published) >= self.quota:
            raise self.refuse(_QUOTA_USED_UP)
        post_id = f"17{self.digits(15)}"
        self._published.append(self.now())
        container.is_published = True
        self.take_in(post_id, container.text, container.owner, step=call.step, how=how, kind=container.kind)
        return post_id

    def own_posts(self, user: str) -> Sequence[Post]:
        return [post for post in self.posts_now() if post.author == user]

    def known_container(self, call: Call) -> Container:
        self.authorise(call, self.read_scope)
        container = self.containers.get(call.match["container"])
        if container is None:
            raise self.refuse(NO_OBJECT)
        return container

    def user(self, call: Call, scope: str) -> str:
        """The account this call is about, which must be the token's own."""
        user = self.authorise(call, scope).owner
        if call.match["user"] not in (user, "me"):
            raise self.refuse(NO_OBJECT)
        return user

    def own_post(self, call: Call, scope: str) -> Post:
        user = self.authorise(call, scope).owner
        post = self.find_post(call.match["post"])
        if post is None or post.author != user:
            raise self.refuse(NO_OBJECT)
        return post

    async def list_posts(self, call: Call) -> web.Response:
        posts = self.own_posts(self.user(call, self.read_scope))
        return self.page_of(call, posts, lambda post: self.shown(call, post))

    async def get_post(self, call: Call) -> web.Response:
        return web.json_response(self.shown(call, self.own_post(call, self.read_scope)))

    @abstractmethod
    def shown(self, call: Call, post: Post) -> dict[str, object]:
        """The post as the platform shows it, with the fields that were asked for."""

    async def show_quota(self, call: Call) -> web.Response:
        self.user(call, self.publish_scope)
        config = {"quota_total": self.quota, "quota_duration": 86400}
        known = {"quota_usage": self.used(self._published), "config": config, "id": None}
        return web.json_response({"data": [self.fields_of(call, known, ("quota_usage",))]})

    def used(self, times: deque[datetime]) -> int:
        """How many of these times are younger than a day."""
        while times and times[0] <= self.now() - DAY:
            times.popleft()
        return len(times)

    # -- tokens

    def token_routes(self) -> Iterator[Route]:
        yield Route("GET", "/oauth/authorize", "consent", self.consent)
        yield Route("GET", LANDED, "consent", self.consents.landed)
        yield Route("POST", "/oauth/access_token", "token", self.trade)
        yield Route("GET", "/access_token", "token", self.exchange)
        yield Route("GET", "/refresh_access_token", "token", self.refresh)

    async def consent(self, call: Call) -> web.Response:
        if call.params.get("client_id") != self.app_id or self.read_scope not in call.params.get("scope", ""):
            raise self.refuse(GraphError(101, "Error validating application"))
        return self.consents.page(call, "@tinvidu", scopes=call.params["scope"])

    async def trade(self, call: Call) -> web.Response:
        """A code for a token of an hour."""
        self._check_grant(call, "authorization_code")
        if call.params.get("client_id") != self.app_id or call.params.get("client_secret") != self.app_secret:
            raise self.refuse(_BAD_SECRET)
        grant = self.consents.redeem(call)
        if grant is None:
            raise self.refuse(GraphError(100, "This authorization code has been used", subcode=36009))
        token = self._new_token(self.now(), _SHORT_LIFE, self.scopes & set(grant["scopes"].split(",")))
        return web.json_response({"access_token": token, "user_id": int(self.user_id)})

    async def exchange(self, call: Call) -> web.Response:
        """A short token and the app's secret for a long token."""
        self._check_grant(call, f"{self.grant}_exchange_token")
        if call.params.get("client_secret") != self.app_secret:
            raise self.refuse(_BAD_SECRET)
        return self._token_answer(self.authorise(call, self.read_scope).scopes)

    async def refresh(self, call: Call) -> web.Response:
        """A long token, at least a day old and not over, for another 60 days. The old one stays good until its end."""
        self._check_grant(call, f"{self.grant}_refresh_token")
        token = self.authorise(call, self.read_scope)
        if self.now() < token.issued_at + DAY:
            raise self.refuse(_TOO_YOUNG)
        return self._token_answer(token.scopes)

    def _check_grant(self, call: Call, wanted: str) -> None:
        if call.params.get("grant_type") != wanted:
            raise self.refuse(GraphError(100, f"(#100) Param grant_type must be {wanted}"))

    def _token_answer(self, scopes: frozenset[str]) -> web.Response:
        self.note("token issued")
        token = self._new_token(self.now(), LONG_LIFE, scopes)
        seconds = int(LONG_LIFE.total_seconds())
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": seconds})

    def _new_token(self, issued_at: datetime, life: timedelta, scopes: frozenset[str]) -> str:
        token = f"{self.grant.upper()}AA{self.random.randbytes(16).hex()}"
        self.tokens[token] = Token(self.user_id, scopes, issued_at, issued_at + life)
        return token
