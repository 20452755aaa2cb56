"""Connecting Pages, Threads and Instagram accounts, and what Meta tells of them.

Source: Meta's pages on the manual login flow, long-lived tokens, Page tokens, debugging tokens and the authorization
windows of Threads and Instagram, read 2026-11-22. The manual flow's own page serves as landing place, so no address of
ours is needed for Facebook; Threads and Instagram take any that is registered in the app.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from adapters._consent import Consenting, address, code_of, invitation, refused
from adapters._graph import Graph, GraphSettings, Refusal, Reply
from broker.contract import Account, Consent, Invitation, NotConnected, Particulars, TokenPair, Tools
from broker.outcome import Outcome

FACEBOOK_RIGHTS = ("pages_show_list", "pages_read_engagement", "pages_manage_posts")
INSTAGRAM_RIGHTS = ("instagram_business_basic", "instagram_business_content_publish")
THREADS_RIGHTS = ("threads_basic", "threads_content_publish", "threads_delete")
TASK = "CREATE_CONTENT"
HIDDEN = (
    "readers cannot see the newest post: switch the app to live mode in Meta's developer console, and see in the Page's"
    " settings whether the Page is published"
)
_PAGES_AT_MOST = 20


class _MetaConnector(Consenting):
    def __init__(self, settings: GraphSettings, tools: Tools, graph: Graph) -> None:
        super().__init__(tools, settings.seed)
        self._settings, self._graph = settings, graph

    def _consent_url(self, path: str, consent: Consent, rights: Sequence[str], **more: str) -> str:
        self._needed("app_secret", self._settings.app_secret)
        return address(
            self._settings.oauth_url.rstrip("/") + path,
            client_id=self._needed("app_id", self._settings.app_id),
            redirect_uri=self._settings.redirect_url,
            response_type="code",
            scope=",".join(rights),
            state=consent.state,
            **more,
        )

    def _app(self) -> dict[str, str]:
        return {
            "client_id": self._needed("app_id", self._settings.app_id),
            "client_secret": self._needed("app_secret", self._settings.app_secret),
        }

    def _say(self) -> str:
        return invitation(self._settings.redirect_url, "one of the app's redirect addresses")


class FacebookConnector(_MetaConnector):
    """Pages of the person who agrees."""

    def __init__(
        self, settings: GraphSettings, tools: Tools, graph: Graph, token: Callable[[], Awaitable[str]]
    ) -> None:
        super().__init__(settings, tools, graph)
        self._token = token

    def invite(self, consent: Consent) -> Invitation:
        path = f"/{self._settings.version}/dialog/oauth"
        return Invitation(self._say(), self._consent_url(path, consent, FACEBOOK_RIGHTS, auth_type="rerequest"))

    async def accept(self, consent: Consent, pasted: str) -> list[Account]:
        """Pages, with tokens that name no end: they are made from a long-lived token of the person."""
        code, trade = code_of(pasted, consent), "oauth/access_token"
        redirect = {"redirect_uri": self._settings.redirect_url, "code": code}
        short = _token(await self._graph.trade("GET", trade, {**self._app(), **redirect}), code)
        exchange = {"grant_type": "fb_exchange_token", "fb_exchange_token": short}
        person = _token(await self._graph.trade("GET", trade, {**self._app(), **exchange}), short)
        missing = await self._missing(person)
        pages = [_page(one, missing) for one in await self._pages(person)]
        return self._wanted(pages)

    async def _missing(self, person: str) -> list[str]:
        match await self._graph.get("me/permissions", {}, token=person):
            case {"data": list(given)}:
                granted = {one.get("permission") for one in given if one.get("status") == "granted"}
                return [right for right in FACEBOOK_RIGHTS if right not in granted]
            case reply:
                raise _refused(reply, person)

    async def _pages(self, person: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: str | None = None
        for _ in range(_PAGES_AT_MOST):
            query = {"fields": "id,name,tasks,access_token", "limit": "100"} | ({"after": after} if after else {})
            match await self._graph.get("me/accounts", query, token=person):
                case {"data": list(some), "paging": {"next": str(), "cursors": {"after": str(after)}}}:
                    found += some
                case {"data": list(some)}:
                    return found + some
                case reply:
                    raise _refused(reply, person)
        return found

    def _wanted(self, pages: list[Account]) -> list[Account]:
        """All, or the one the configuration names."""
        if not pages:
            raise NotConnected(
                "This person manages no Page, or did not let the app see one: start again, choose the Page in the"
                " dialog, and let an administrator of the Page do it."
            )
        node = self._graph.node
        found = [one for one in pages if node in ("me", one.id)]
        if not found:
            names = ", ".join(f"{one.name} ({one.id})" for one in pages)
            raise NotConnected(f"Page {node} of the configuration is not among those granted: {names}.")
        return found

    async def particulars(self) -> Particulars | Outcome:
        page = await self._graph.get(self._graph.node, {"fields": "id,name"})
        if isinstance(page, Refusal):
            return page.outcome
        newest = await self._graph.get(
            f"{self._graph.node}/published_posts", {"fields": "privacy,is_published", "limit": "1"}
        )
        if isinstance(newest, Refusal):
            return newest.outcome
        mode = _mode(newest)
        told = await self._told_of_token()
        rights = tuple(told.get("scopes", ()))
        lacks = [f"permission {right}: connect the account again" for right in FACEBOOK_RIGHTS if right not in rights]
        return Particulars(
            account=f"{page.get('name')} ({page.get('id')})",
            rights=rights,
            lacks=(*(lacks if rights else ()), *((HIDDEN,) if mode == "development" else ())),
            mode=mode,
            token_ends_at=_moment(told.get("expires_at")),
        )

    async def _told_of_token(self) -> Mapping[str, Any]:
        """What Meta says of our token, which it tells only the app itself; nothing without the app's secret."""
        if self._settings.app_id is None or self._settings.app_secret is None:
            return {}
        app = f"{self._settings.app_id}|{self._settings.app_secret.get_secret_value()}"
        match await self._graph.get("debug_token", {"input_token": await self._token()}, token=app):
            case {"data": dict(data)}:
                return data
            case _:
                return {}


class _LongTokenConnector(_MetaConnector):
    """The account of the person who agrees, with a token of sixty days."""

    rights: ClassVar[tuple[str, ...]]
    grant: ClassVar[str]
    """What the platform's grants begin with."""
    limit: ClassVar[str]
    """Where the account's quota of posts is read."""
    id_field: ClassVar[str] = "id"

    def __init__(
        self, settings: GraphSettings, tools: Tools, graph: Graph, pair: Callable[[], Awaitable[TokenPair]]
    ) -> None:
        super().__init__(settings, tools, graph)
        self._pair = pair
        self._trade_url = ""

    def invite(self, consent: Consent) -> Invitation:
        return Invitation(self._say(), self._consent_url("/oauth/authorize", consent, self.rights))

    async def accept(self, consent: Consent, pasted: str) -> list[Account]:
        code = code_of(pasted, consent)
        form = {**self._app(), "grant_type": "authorization_code", "redirect_uri": self._settings.redirect_url}
        reply = await self._graph.trade("POST", f"{self._trade_url}/oauth/access_token", {**form, "code": code})
        short = _token(_unwrapped(reply), code)
        secret = self._app()["client_secret"]
        query = {"grant_type": f"{self.grant}_exchange_token", "client_secret": secret}
        reply = await self._graph.get("/access_token", query, token=short)
        pair = None if isinstance(reply, Refusal) else long_token(reply, self._tools.clock.now())
        if pair is None:
            raise _refused(reply, short, secret)
        return [await self._account(pair)]

    async def _account(self, pair: TokenPair) -> Account:
        reply = await self._graph.get("me", {"fields": f"{self.id_field},username"}, token=pair.access)
        if isinstance(reply, Refusal) or not (user_id := str(reply.get(self.id_field) or "")):
            raise _refused(reply, pair.access)
        wanted = self._graph.node
        if wanted not in ("me", user_id):
            raise NotConnected(f"This is account {user_id}, not {wanted} of the configuration: log out first.")
        return Account(id=user_id, name=f"@{reply.get('username')}", pair=pair)

    async def particulars(self) -> Particulars | Outcome:
        account = await self._graph.get(self._graph.node, {"fields": f"{self.id_field},username"})
        if isinstance(account, Refusal):
            return account.outcome
        used, total = await self.quota()
        return Particulars(
            account=f"@{account.get('username')} ({account.get(self.id_field)})",
            token_ends_at=(await self._pair()).expires_at,
            token_renews=True,
            quota_used=used,
            quota_total=total,
        )

    async def quota(self) -> tuple[int, int] | tuple[None, None]:
        """Posts of the last 24 hours, and the most there may be; None where Meta does not tell."""
        match await self.read_quota():
            case {"data": [{"quota_usage": int(used), "config": {"quota_total": int(total)}}, *_]}:
                return used, total
            case _:
                return None, None

    async def read_quota(self) -> Reply:
        return await self._graph.get(f"{self._graph.node}/{self.limit}", {"fields": "quota_usage,config"})


class ThreadsConnector(_LongTokenConnector):
    rights, grant, limit = THREADS_RIGHTS, "th", "threads_publishing_limit"


class InstagramConnector(_LongTokenConnector):
    """By Instagram's own login, which needs no Page. Codes are traded on a host of their own."""

    rights, grant, limit, id_field = INSTAGRAM_RIGHTS, "ig", "content_publishing_limit", "user_id"

    def __init__(
        self,
        settings: GraphSettings,
        tools: Tools,
        graph: Graph,
        pair: Callable[[], Awaitable[TokenPair]],
        trade_url: str,
    ) -> None:
        super().__init__(settings, tools, graph, pair)
        self._trade_url = trade_url.rstrip("/")


def long_token(reply: Mapping[str, Any], now: datetime) -> TokenPair | None:
    """A long-lived token; None if that is not what came."""
    match reply:
        case {"access_token": str(access), "expires_in": int(seconds)} if access:
            return TokenPair(access, None, now, now + timedelta(seconds=seconds))
        case _:
            return None


def _unwrapped(reply: Reply) -> Reply:
    """Instagram's answers come with and without a list around them."""
    match reply:
        case {"data": [dict(inner), *_]}:
            return inner
        case _:
            return reply


def _token(reply: Reply, hide: str) -> str:
    match reply:
        case {"access_token": str(token)} if token:
            return token
        case _:
            raise _refused(reply, hide)


def _refused(reply: Reply, *hide: str) -> NotConnected:
    return refused("Meta", reply.outcome if isinstance(reply, Refusal) else None, *hide)


def _page(page: Mapping[str, Any], missing: Sequence[str]) -> Account:
    tasks = page.get("tasks") or ()
    lacks = f"the app was not granted {', '.join(missing)}: start again and agree to everything" if missing else None
    if TASK not in tasks:
        lacks = f"the person may not create posts there (task {TASK}): let an administrator of the Page connect it"
    pair = TokenPair(str(page["access_token"]))
    return Account(id=str(page["id"]), name=str(page.get("name")), pair=pair, lacks=lacks)


def _mode(newest: Mapping[str, Any]) -> str | None:
    """As readers' eyes tell it: Meta tells the app's mode nowhere else."""
    match newest:
        case {"data": [{"privacy": {"value": str(audience)}, **rest}, *_]}:
            is_seen = audience == "EVERYONE" and rest.get("is_published", True)
            return "live" if is_seen else "development"
        case _:
            return None


def _moment(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) and seconds > 0 else None
