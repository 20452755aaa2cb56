"""What Meta's Graph API does the same way for Facebook Pages and Threads: errors, tokens, usage headers, paging.

Source: Meta's pages on error handling, rate limiting and long-lived tokens, read 2026-11-22; subcodes that those do not
list are the ones public clients have met.
"""

import base64
import hashlib
import hmac
import json
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import ClassVar, Unpack
from urllib.parse import urlencode

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.faults import BEHAVIOUR, SHAPED, Fault, Kind
from adapters.emulators.http import WIRE, Call, HttpEmulator, Refused
from adapters.emulators.log import Post

_HOUR = timedelta(hours=1)
_LARGEST_PAGE = 100


@dataclass(frozen=True, slots=True)
class GraphError:
    """One refusal. Clients must decide by code and subcode: nearly all come with HTTP 400."""

    code: int | str
    message: str
    subcode: int | None = None
    status: int = 400
    transient: bool = False
    type: str = "OAuthException"

    @property
    def verdict(self) -> str:
        return f"{self.status} {self.code}" + (f"/{self.subcode}" if self.subcode else "")

    def body(self, trace: str) -> dict[str, object]:
        error: dict[str, object] = {
            "message": self.message,
            "type": self.type,
            "code": self.code,
            "is_transient": self.transient,
            "fbtrace_id": trace,
        }
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        return {"error": error}


NO_TOKEN = GraphError(104, "An access token is needed for this call")
MALFORMED_TOKEN = GraphError(190, "Invalid OAuth access token: it cannot be parsed")
NO_PERMISSION = GraphError(200, "(#200) The permission for this action is missing", status=403)
NO_OBJECT = GraphError(
    100, "The object does not exist, or permission to load it is missing", subcode=33, type="GraphMethodException"
)
PROOF_MISSING = GraphError(100, "Calls from a server need an appsecret_proof", type="GraphMethodException")
PROOF_WRONG = GraphError(100, "The appsecret_proof of this call is invalid", type="GraphMethodException")
SERVICE_DOWN = GraphError(2, "The service is temporarily unavailable", status=500, transient=True)


class TokenState(Enum):
    """What a token is worth, with the subcode of 190 that says so."""

    VALID = None
    REVOKED = 458
    CHECKPOINT = 459
    PASSWORD_CHANGED = 460
    EXPIRED = 463
    LOGGED_OUT = 467

    @property
    def error(self) -> GraphError:
        reason = self.name.lower().replace("_", " ")
        return GraphError(190, f"Error validating access token: {reason}", subcode=self.value)


FAULTS: Mapping[Kind, GraphError] = {
    Kind.SERVER_ERROR: SERVICE_DOWN,
    Kind.ERROR_IN_200: GraphError(2, SERVICE_DOWN.message, status=200, transient=True),
    Kind.LOGGED_OUT: TokenState.LOGGED_OUT.error,
    Kind.EXPIRED: TokenState.EXPIRED.error,
    Kind.REVOKED: TokenState.REVOKED.error,
    Kind.NO_PERMISSION: NO_PERMISSION,
}
"""How both platforms word a fault; what they word differently is in their own tables."""


@dataclass(slots=True)
class Token:
    owner: str  # the page or account it speaks for
    scopes: frozenset[str]
    issued_at: datetime
    expires_at: datetime | None = None
    state: TokenState = TokenState.VALID

    def state_at(self, now: datetime) -> TokenState:
        is_over = self.expires_at is not None and now >= self.expires_at
        return TokenState.EXPIRED if is_over and self.state is TokenState.VALID else self.state


class GraphEmulator(HttpEmulator):
    """A Graph API host with its tokens and its hourly call limit."""

    kinds = WIRE | SHAPED | (BEHAVIOUR - {Kind.NEVER_FINISH, Kind.REFUSE_LATER, Kind.INVISIBLE})
    scopes: ClassVar[frozenset[str]]
    errors: ClassVar[Mapping[Kind, GraphError]]  # the platform's own wording, beside FAULTS
    throttle: ClassVar[GraphError]
    usage_type: ClassVar[str]

    def __init__(self, *, app_secret: str, require_proof: bool, calls_per_hour: int, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.app_secret = app_secret
        self.require_proof = require_proof
        self.calls_per_hour = calls_per_hour
        self.tokens: dict[str, Token] = {}
        self._calls: deque[datetime] = deque()
        self._throttled_until: datetime | None = None

    # -- answers

    def refuse(self, error: GraphError) -> Refused:
        return Refused(self._error_response(error), error.verdict)

    @override
    def shape(self, fault: Fault, call: Call) -> web.Response:
        if fault.kind is Kind.THROTTLED:
            seconds = 60 if fault.after is None else fault.after
            self._throttled_until = self.now() + timedelta(seconds=seconds)
            return self._error_response(self.throttle)
        return self._error_response({**FAULTS, **self.errors}[fault.kind])

    @override
    def unknown_path(self, call: Call) -> web.Response:
        return self._error_response(GraphError(2500, f"Unknown path components: {call.request.path}"))

    @override
    def finish(self, call: Call, response: web.StreamResponse) -> None:
        """Usage in percent, and the wait in minutes: there is no Retry-After on Graph."""
        usage = {"call_count": self._percent_used(), "total_time": 1, "total_cputime": 1}
        response.headers["X-App-Usage"] = json.dumps(usage)
        business = {"type": self.usage_type, **usage, "estimated_time_to_regain_access": self._minutes_to_wait()}
        owner = next(iter(self.tokens.values())).owner
        response.headers["X-Business-Use-Case-Usage"] = json.dumps({owner: [business]})

    def _error_response(self, error: GraphError) -> web.Response:
        trace = base64.urlsafe_b64encode(self.random.randbytes(17)).decode().rstrip("=")
        return web.json_response(error.body(trace), status=error.status)

    # -- tokens

    def authorise(self, call: Call, scope: str | None) -> Token:
        """The caller's token, if it is valid, proved where that is required, and carries `scope`."""
        self._count_call()
        text = call.params.get("access_token") or call.bearer
        if not text:
            raise self.refuse(NO_TOKEN)
        token = self.tokens.get(text)
        if token is None:
            raise self.refuse(MALFORMED_TOKEN)
        self._check_proof(call, text)
        state = token.state_at(self.now())
        if state is not TokenState.VALID:
            raise self.refuse(state.error)
        if scope is not None and scope not in token.scopes:
            raise self.refuse(NO_PERMISSION)
        return token

    def _check_proof(self, call: Call, token: str) -> None:
        """Only a proof in the query string counts: copies in the body are ignored on some calls."""
        proof = call.request.query.get("appsecret_proof")
        if proof is None:
            if self.require_proof:
                raise self.refuse(PROOF_MISSING)
            return
        good = hmac.new(self.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(proof, good):
            raise self.refuse(PROOF_WRONG)

    @hook
    def set_token_state(self, state: str, token: str | None = None) -> None:
        """Make one token, or all, valid, expired, revoked, checkpoint, password_changed or logged_out."""
        try:
            wanted = TokenState[state.upper()]
        except KeyError:
            raise LookupError(f"no token state {state!r}: {', '.join(s.name.lower() for s in TokenState)}") from None
        for name, held in self.tokens.items():
            if token in (None, name):
                held.state = wanted

    @hook
    def remove_scope(self, scope: str) -> None:
        """Take a permission from every token."""
        for token in self.tokens.values():
            token.scopes -= {scope}

    # -- limits

    def _count_call(self) -> None:
        """Every call counts, refused ones too: calling while throttled lengthens the wait."""
        now = self.now()
        self._calls.append(now)
        self._forget_old_calls()
        if len(self._calls) > self.calls_per_hour:
            raise self.refuse(self.throttle)

    def _forget_old_calls(self) -> None:
        while self._calls and self._calls[0] <= self.now() - _HOUR:
            self._calls.popleft()

    def _percent_used(self) -> int:
        self._forget_old_calls()
        return 100 if self._is_throttled() else min(100, 100 * len(self._calls) // self.calls_per_hour)

    def _is_throttled(self) -> bool:
        return self._throttled_until is not None and self.now() < self._throttled_until

    def _minutes_to_wait(self) -> int:
        wait = timedelta()
        if self._throttled_until is not None and self._is_throttled():
            wait = self._throttled_until - self.now()
        elif len(self._calls) >= self.calls_per_hour:
            wait = self._calls[len(self._calls) - self.calls_per_hour] + _HOUR - self.now()
        return math.ceil(wait / timedelta(minutes=1))

    # -- reading

    def fields_of(self, call: Call, known: Mapping[str, object], default: Sequence[str]) -> dict[str, object]:
        """The fields asked for, `id` always among them."""
        wanted = [name for name in call.params.get("fields", "").split(",") if name] or list(default)
        for name in wanted:
            if name not in known:
                raise self.refuse(GraphError(100, f"(#100) Tried accessing nonexisting field ({name})"))
        return {name: known[name] for name in dict.fromkeys([*wanted, "id"]) if known[name] is not None}

    def page_of(self, call: Call, posts: Sequence[Post], show: Callable[[Post], Mapping[str, object]]) -> web.Response:
        """One page of a list, newest first, by `since`, `until`, `limit`, `after` and `before`."""
        posts = self._between(call, posts)
        limit = min(self._whole_number(call, "limit") or 25, _LARGEST_PAGE)
        ids = [post.id for post in posts]
        first, last = 0, len(posts)
        if (after := _decoded(call.params.get("after"))) in ids:
            first = ids.index(after) + 1
        if (before := _decoded(call.params.get("before"))) in ids:
            last = ids.index(before)
            first = max(first, last - limit)
        shown = posts[first : min(first + limit, last)]
        body: dict[str, object] = {"data": [show(post) for post in shown]}
        if shown:
            body["paging"] = self._paging(call, shown, is_last=shown[-1].id == ids[-1])
        return web.json_response(body)

    def _between(self, call: Call, posts: Sequence[Post]) -> Sequence[Post]:
        since, until = self._time(call, "since"), self._time(call, "until")
        return [
            post
            for post in posts
            if (since is None or post.posted_at >= since) and (until is None or post.posted_at <= until)
        ]

    def _paging(self, call: Call, shown: Sequence[Post], *, is_last: bool) -> dict[str, object]:
        cursors = {"before": _encoded(shown[0].id), "after": _encoded(shown[-1].id)}
        if is_last:
            return {"cursors": cursors}
        query = urlencode({**call.request.query, "after": cursors["after"]})
        return {"cursors": cursors, "next": f"{self.base_urls[call.host]}{call.request.path}?{query}"}

    def _whole_number(self, call: Call, name: str) -> int | None:
        text = call.params.get(name)
        if text is not None and not text.isdecimal():
            raise self.refuse(GraphError(100, f"(#100) Param {name} must be an integer"))
        return int(text) if text else None

    def _time(self, call: Call, name: str) -> datetime | None:
        """Unix seconds or ISO 8601."""
        text = call.params.get(name)
        if not text:
            return None
        try:
            time = datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else datetime.fromisoformat(text)
        except ValueError:
            raise self.refuse(GraphError(100, f"(#100) Param {name} must be a valid time")) from None
        return time if time.tzinfo else time.replace(tzinfo=UTC)


def graph_time(time: datetime) -> str:
    """2026-11-22T03:04:05+0000"""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _encoded(post_id: str) -> str:
    return base64.urlsafe_b64encode(post_id.encode()).decode()


def _decoded(cursor: str | None) -> str | None:
    try:
        return base64.urlsafe_b64decode(cursor.encode()).decode() if cursor else None
    except ValueError:
        return None
