"""Facebook Pages as the Graph API shows them: one app, its Pages, their posts.

Source: Meta's pages on Page posts and on the feed edge, read 2026-11-22. Assumed, since Meta documents no answer: while
the app is in development mode its posts come back with `is_published: false` and a privacy that is not EVERYONE.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Unpack
from urllib.parse import urlsplit

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.consent import LANDED, Consents
from adapters.emulators.faults import Kind
from adapters.emulators.fetched import fetch, seen
from adapters.emulators.graph import NO_OBJECT, NO_PERMISSION, GraphEmulator, GraphError, Token, TokenState, graph_time
from adapters.emulators.http import Call, Route
from adapters.emulators.log import Post

_LARGEST_PHOTO = 4_000_000
_VERSIONS = ("v24.0", "v25.0", "v26.0")
_LONGEST_MESSAGE = 63206
_WRITE, _READ = "pages_manage_posts", "pages_read_engagement"
PERSON = "5550001"
"""Who consents, and manages the Pages."""

_OLD_VERSION = GraphError(2635, "(#2635) This version of the API is not served")
_EMPTY = GraphError(100, "(#100) Missing message or attachment")
_TOO_LONG = GraphError(100, "(#100) Param message is too long")
_SAME_AGAIN = GraphError(506, "(#506) Duplicate status message")
_BAD_LINK = GraphError(100, "(#100) The link is not a valid URL", subcode=2061006)
_NO_PHOTO = GraphError(324, "(#324) Requires upload file")
_BAD_PHOTO = GraphError(100, "(#100) Your photos couldn't be uploaded", subcode=2069019)
_NO_VIDEO = GraphError(389, "(#389) Unable to fetch video file from URL.")
_BAD_VIDEO = GraphError(352, "(#352) The video file you selected is in a format that we don't support.")
_DEAD_LINK = GraphError(100, "(#100) The link could not be scraped", subcode=1609005)


@dataclass(frozen=True, slots=True)
class Photo:
    """One that was uploaded and is shown only by a post that it is attached to."""

    owner: str
    alt: str


class FacebookEmulator(GraphEmulator):
    """Graph API v24 to v26 for Pages.

    `require_proof`: the app demands an `appsecret_proof`. `live`: False while the app is in development mode.
    """

    name = "facebook"
    kinds = GraphEmulator.kinds | {Kind.INVISIBLE}
    scopes = frozenset({_WRITE, _READ, "pages_show_list"})
    throttle = GraphError(80001, "There have been too many calls to this Page account")
    usage_type = "pages"
    errors: ClassVar[Mapping[Kind, GraphError]] = {
        Kind.POLICY: GraphError(368, "The action is disallowed by policy"),
        Kind.SUSPENDED: GraphError(368, "The account is temporarily limited", subcode=1404112),
    }

    def __init__(
        self,
        *,
        page_id: str = "1098",
        token: str = "page-token",  # noqa: S107 - the emulator's own
        app_id: str = "7001",
        app_secret: str = "app-secret",  # noqa: S107 - the emulator's own
        require_proof: bool = False,
        live: bool = True,
        calls_per_hour: int = 4800,
        video_ready_after: float = 1.0,
        **common: Unpack[Common],
    ) -> None:
        self.consents = Consents(self, "_=_")
        self.video_ready_after = timedelta(seconds=video_ready_after)
        self.photos: dict[str, Photo] = {}
        super().__init__(app_secret=app_secret, require_proof=require_proof, calls_per_hour=calls_per_hour, **common)
        self.app_id = app_id
        self.live = live
        self.granted = self.scopes
        self.tasks: dict[str, list[str]] = {}
        self.add_page(page_id, token)

    @override
    def routes(self) -> Iterator[Route]:
        yield Route("GET", "/{version}/debug_token", "debug_token", self._debug_token)
        yield Route("GET", "/{version}/dialog/oauth", "consent", self._dialog)
        yield Route("GET", LANDED, "consent", self.consents.landed)
        yield Route("GET", "/{version}/oauth/access_token", "exchange", self._trade)
        yield Route("GET", "/{version}/me/accounts", "accounts", self._accounts)
        yield Route("GET", "/{version}/me/permissions", "permissions", self._permissions)
        yield Route("POST", "/{version}/{page}/feed", "publish", self._publish, writes=True)
        yield Route("POST", "/{version}/{page}/photos", "photo", self._photo, writes=True)
        yield Route("POST", "/{version}/{page}/videos", "video", self._video, writes=True)
        yield Route("GET", "/{version}/{page}/videos", "videos", self._videos)
        yield Route("GET", "/{version}/{page}/{edge:feed|published_posts}", "list", self._list)
        yield Route("GET", r"/{version}/{post:77\d{14}}", "get", self._get_video)
        yield Route("POST", r"/{version}/{post:77\d{14}}", "edit", self._edit, writes=True)
        yield Route("DELETE", r"/{version}/{post:77\d{14}}", "delete", self._delete, writes=True)
        yield Route("GET", r"/{version}/{post:\d+_\d+}", "get", self._get)
        yield Route("POST", r"/{version}/{post:\d+_\d+}", "edit", self._edit, writes=True)
        yield Route("DELETE", r"/{version}/{post:\d+_\d+}", "delete", self._delete, writes=True)
        yield Route("GET", r"/{version}/{page:\d+|me}", "probe", self._probe)

    @hook
    def add_page(self, page_id: str, token: str) -> None:
        """One more Page of the same app."""
        self.tokens[token] = Token(page_id, self.scopes, self.now())
        self.tasks[page_id] = ["ANALYZE", "CREATE_CONTENT", "MODERATE", "MANAGE"]

    @hook
    def grant_only(self, scopes: list[str]) -> None:
        """The person who consents leaves the other permissions out."""
        self.granted = self.scopes & set(scopes)

    @hook
    def set_tasks(self, page_id: str, tasks: list[str]) -> None:
        """What the person who consents may do on a Page; with nothing they do not manage it."""
        self.tasks[page_id] = tasks

    @hook
    def set_live(self, live: bool) -> None:
        """Switch the app between live and development mode; posts keep the audience they were made for."""
        self.live = live

    # -- calls

    async def _publish(self, call: Call) -> web.Response:
        page = self._page(call, _WRITE)
        message, link = call.params.get("message", ""), call.params.get("link")
        self._check(page, message, link)
        photos = self._attached(call, page)
        is_published = call.params.get("published", "true").lower() in ("true", "1")
        post_id = f"{page}_{self.digits(15)}"
        self.take_in(
            post_id,
            message,
            page,
            visible=is_published and self.live,
            published=is_published,
            link=link,
            photos=[photo.alt for photo in photos],
        )
        return web.json_response({"id": post_id})

    def _attached(self, call: Call, page: str) -> list[Photo]:
        """The photos that `attached_media[0]` and its followers name."""
        names = [value for key, value in call.params.items() if key.startswith("attached_media[")]
        try:
            ids = [str(json.loads(name)["media_fbid"]) for name in names]
        except (ValueError, KeyError, TypeError):
            raise self.refuse(_BAD_PHOTO) from None
        found = [self.photos.get(one) for one in ids]
        if any(photo is None or photo.owner != page for photo in found):
            raise self.refuse(NO_OBJECT)
        return [photo for photo in found if photo]

    async def _photo(self, call: Call) -> web.Response:
        """Kept unpublished, to be attached to a post; publishing it at once is not emulated."""
        page = self._page(call, _WRITE)
        if call.params.get("published", "true").lower() != "false":
            raise self.refuse(_NO_PHOTO)
        data = call.files.get("source")
        if not data:
            raise self.refuse(_NO_PHOTO)
        got = seen(data)
        if got.kind not in ("JPEG", "PNG") or got.size_bytes > _LARGEST_PHOTO:
            raise self.refuse(_BAD_PHOTO)
        photo_id = self.digits(15)
        self.photos[photo_id] = Photo(page, call.params.get("alt_text_custom", ""))
        return web.json_response({"id": photo_id})

    async def _video(self, call: Call) -> web.Response:
        """Fetched at once, and public when it is processed."""
        page = self._page(call, _WRITE)
        got = await fetch(call.params.get("file_url", ""))
        if got is None:
            raise self.refuse(_NO_VIDEO)
        if got.kind != "MP4":
            raise self.refuse(_BAD_VIDEO)
        video_id = f"77{self.digits(14)}"
        ready_at = self.now() + self.video_ready_after
        text = call.params.get("description", "")
        self.take_in(video_id, text, page, step="video", visible=self.live, ready_at=ready_at)
        return web.json_response({"id": video_id})

    async def _videos(self, call: Call) -> web.Response:
        page = self._page(call, _READ)
        videos = [post for post in self.posts_now() if post.author == page and "ready_at" in post.extra]
        return self.page_of(call, videos, lambda post: self._shown_video(call, post))

    async def _get_video(self, call: Call) -> web.Response:
        return web.json_response(self._shown_video(call, self._post(call, _READ)))

    def _shown_video(self, call: Call, post: Post) -> dict[str, object]:
        ready_at = post.extra["ready_at"]
        assert isinstance(ready_at, datetime)
        known: dict[str, object] = {
            "id": post.id,
            "description": post.text,
            "created_time": graph_time(post.posted_at),
            "permalink_url": f"/{post.author}/videos/{post.id}/",
            "published": True,
            "privacy": {"value": "EVERYONE" if post.visible else "CUSTOM"},
            "status": {"video_status": "ready" if self.now() >= ready_at else "processing"},
        }
        return self.fields_of(call, known, ("id", "description"))

    async def _list(self, call: Call) -> web.Response:
        page = self._page(call, _READ)
        is_whole_feed = call.match["edge"] == "feed"  # with what readers wrote on the Page
        posts = [
            post
            for post in self.posts_now()
            if post.extra.get("published", True)
            and "ready_at" not in post.extra
            and (post.author == page or (is_whole_feed and _is_foreign(post)))
        ]
        return self.page_of(call, posts, lambda post: self._shown(call, post, ("id", "message", "created_time")))

    async def _get(self, call: Call) -> web.Response:
        post = self._post(call, _READ)
        return web.json_response(self._shown(call, post, ("id", "message", "created_time")))

    async def _edit(self, call: Call) -> web.Response:
        post = self._own_post(call)
        message = call.params.get("description" if "ready_at" in post.extra else "message")
        if not message:
            raise self.refuse(_EMPTY)
        post.text, post.edited_at = message, self.now()
        return web.json_response({"success": True})

    async def _delete(self, call: Call) -> web.Response:
        self.take_down(self._own_post(call), by="owner")
        return web.json_response({"success": True})

    async def _probe(self, call: Call) -> web.Response:
        page = self._page(call, _READ)
        return web.json_response(self.fields_of(call, {"id": page, "name": f"Page {page}"}, ("id", "name")))

    async def _debug_token(self, call: Call) -> web.Response:
        self._check_version(call)
        asker = call.params.get("access_token") or call.bearer
        if asker != f"{self.app_id}|{self.app_secret}":
            raise self.refuse(GraphError(190, "An app access token is needed for this call"))
        token = self.tokens.get(call.params.get("input_token", ""))
        is_valid = token is not None and token.state_at(self.now()) is TokenState.VALID
        data: dict[str, Any] = {"app_id": self.app_id, "type": "PAGE", "is_valid": is_valid, "expires_at": 0}
        return web.json_response({"data": {**data, "scopes": sorted(token.scopes) if token else []}})

    # -- consent

    async def _dialog(self, call: Call) -> web.Response:
        self._check_version(call)
        if call.params.get("client_id") != self.app_id:
            raise self.refuse(GraphError(101, "Error validating application"))
        return self.consents.page(call, "A person who manages Pages", scopes=call.params.get("scope", ""))

    async def _trade(self, call: Call) -> web.Response:
        """A code for a token of an hour, or that for one of sixty days."""
        self._check_version(call)
        if call.params.get("client_id") != self.app_id or call.params.get("client_secret") != self.app_secret:
            raise self.refuse(GraphError(1, "Error validating client secret"))
        if call.params.get("grant_type") == "fb_exchange_token":
            short = self.tokens.get(call.params.get("fb_exchange_token", ""))
            if short is None or short.state_at(self.now()) is not TokenState.VALID:
                raise self.refuse(TokenState.EXPIRED.error)
            return self._person_token(timedelta(days=60), short.scopes)
        grant = self.consents.redeem(call)
        if grant is None:
            raise self.refuse(GraphError(100, "This authorization code has been used.", subcode=36009))
        asked = frozenset(grant["scopes"].split(","))
        return self._person_token(timedelta(hours=1), self.granted & asked)

    def _person_token(self, life: timedelta, scopes: frozenset[str]) -> web.Response:
        token = f"EAAU{self.random.randbytes(16).hex()}"
        self.tokens[token] = Token(PERSON, scopes, self.now(), self.now() + life)
        self.note("token issued")
        seconds = int(life.total_seconds())
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": seconds})

    async def _accounts(self, call: Call) -> web.Response:
        """The person's Pages; their tokens last as long as the person's, or for good if that is a long one."""
        person = self._person(call, "pages_show_list")
        assert person.expires_at is not None
        ends_at = None if person.expires_at - person.issued_at > timedelta(days=1) else person.expires_at
        pages = []
        for page, tasks in self.tasks.items():
            if tasks:
                token = f"EAAP{self.random.randbytes(16).hex()}"
                self.tokens[token] = Token(page, person.scopes, self.now(), ends_at)
                pages.append({"access_token": token, "name": f"Page {page}", "id": page, "tasks": tasks})
        return web.json_response({"data": pages, "paging": {"cursors": {"before": "x", "after": "y"}}})

    async def _permissions(self, call: Call) -> web.Response:
        held = self._person(call, None).scopes
        given = [{"permission": s, "status": "granted" if s in held else "declined"} for s in sorted(self.scopes)]
        return web.json_response({"data": given})

    def _person(self, call: Call, scope: str | None) -> Token:
        self._check_version(call)
        token = self.authorise(call, scope)
        if token.owner != PERSON:
            raise self.refuse(NO_OBJECT)
        return token

    # -- rules

    def _check_version(self, call: Call) -> None:
        if call.match["version"] not in _VERSIONS:
            raise self.refuse(_OLD_VERSION)

    def _page(self, call: Call, scope: str) -> str:
        """The Page this call is about, which must be the token's own."""
        self._check_version(call)
        page = self.authorise(call, scope).owner
        if call.match["page"] not in (page, "me") or page == PERSON:
            raise self.refuse(NO_OBJECT)
        return page

    def _post(self, call: Call, scope: str) -> Post:
        self._check_version(call)
        self.authorise(call, scope)
        post = self.find_post(call.match["post"])
        if post is None:
            raise self.refuse(NO_OBJECT)
        return post

    def _own_post(self, call: Call) -> Post:
        post = self._post(call, _WRITE)
        if _is_foreign(post):
            raise self.refuse(NO_PERMISSION)
        return post

    def _check(self, page: str, message: str, link: str | None) -> None:
        if not message and not link:
            raise self.refuse(_EMPTY)
        if len(message) > _LONGEST_MESSAGE:
            raise self.refuse(_TOO_LONG)
        if link is not None:
            self._check_link(link)
        latest = next((post for post in reversed(self.log.taken) if post.author == page and post.is_up), None)
        if latest is not None and (latest.text, latest.extra.get("link")) == (message, link):
            raise self.refuse(_SAME_AGAIN)

    def _check_link(self, link: str) -> None:
        """Links to the reserved domain `invalid` stand for pages that cannot be scraped."""
        parts = urlsplit(link)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.refuse(_BAD_LINK)
        if parts.hostname.endswith(".invalid"):
            raise self.refuse(_DEAD_LINK)

    def _shown(self, call: Call, post: Post, default: tuple[str, ...]) -> dict[str, object]:
        page, _, number = post.id.partition("_")
        is_published = post.visible and post.extra.get("published", True)
        known: dict[str, object] = {
            "id": post.id,
            "message": post.text or None,
            "created_time": graph_time(post.posted_at),
            "updated_time": graph_time(post.edited_at or post.posted_at),
            "permalink_url": f"https://www.facebook.com/{page}/posts/{number}",
            "is_published": is_published,
            "privacy": {"value": "EVERYONE" if post.visible else "CUSTOM"},
            "from": {"id": post.author, "name": f"Page {post.author}"},
        }
        return self.fields_of(call, known, default)


def _is_foreign(post: Post) -> bool:
    return post.how == "planted"
