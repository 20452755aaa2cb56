"""Threads: containers that become posts in two steps, on two host names.

Source: Meta's pages on Threads posts, deletes, long-lived tokens and troubleshooting, read 2026-11-22. What Meta does
not document is taken from public clients: 24/4279009 for a container that cannot be published (not ready, unknown,
expired, or published already: it looks the same each time). The code of an exhausted quota is Instagram's.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import regex
from aiohttp import web
from typing_extensions import override

from adapters.emulators.containers import Container, ContainerEmulator, Status
from adapters.emulators.faults import Kind
from adapters.emulators.fetched import fetch
from adapters.emulators.graph import GraphError, graph_time
from adapters.emulators.http import Call, Route
from adapters.emulators.log import Post

_LONGEST_TEXT = 500
_MOST_LINKS = 5
_DELETES_A_DAY = 100
_LARGEST_IMAGE = 8_000_000
_IMAGE_WIDTH = range(320, 1441)
_CAROUSEL = range(2, 21)
_READ, _PUBLISH, _DELETE = "threads_basic", "threads_content_publish", "threads_delete"

_GRAPHEME = regex.compile(r"\X")
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|\N{COMBINING ENCLOSING KEYCAP}")
_LINK = regex.compile(r"https?://\S+")

_NOT_PUBLISHABLE = GraphError(24, "The requested resource does not exist", subcode=4279009)
_TOO_MANY_DELETES = GraphError(613, "Calls to this api have exceeded the rate limit")
_TOO_LONG = GraphError(100, "Param text must be at most 500 characters long")
_TOO_MANY_LINKS = GraphError("THREADS_API__LINK_LIMIT_EXCEEDED", "A post can have at most 5 links")
_NO_TEXT = GraphError(100, "(#100) Param text is needed for media_type TEXT")
_NO_MEDIA = GraphError(100, "(#100) The media could not be fetched from this URI")
_BAD_MEDIA = GraphError(100, "(#100) The image must be a JPEG or PNG of at most 8 MB, 320 to 1440 pixels wide")
_BAD_TYPE = GraphError(100, "(#100) Param media_type must be one of TEXT, IMAGE, VIDEO, CAROUSEL")
_BAD_CAROUSEL = GraphError(100, "(#100) A carousel has 2 to 20 children, each made with is_carousel_item")


def text_length(text: str) -> int:
    """Threads' own count: an emoji weighs its UTF-8 bytes, every other character 1."""
    return sum(len(g.encode()) if _EMOJI.search(g) else 1 for g in _GRAPHEME.findall(text))


class ThreadsEmulator(ContainerEmulator):
    """The Threads API v1.0."""

    name = "threads"
    hosts = ("net", "com")  # graph.threads.net and graph.threads.com: the same service twice
    scopes = frozenset({_READ, _PUBLISH, _DELETE})
    grant, read_scope, publish_scope = "th", _READ, _PUBLISH
    user_id, app_id, token, quota = "2468", "7003", "threads-token", 250
    throttle = GraphError(4, "Application request limit reached")
    usage_type = "threads"
    errors: ClassVar[Mapping[Kind, GraphError]] = {
        Kind.POLICY: GraphError(4, "We restrict certain activity", subcode=2207051),
        Kind.SUSPENDED: GraphError(10, "The user is restricted", subcode=4279013),
        Kind.NO_PERMISSION: GraphError(10, "(#10) Application does not have permission for this action"),
    }

    def __init__(self, *, media_ready_after: float = 5.0, **rest: Any) -> None:
        super().__init__(**rest)
        self.media_ready_after = timedelta(seconds=media_ready_after)
        self._deleted: deque[datetime] = deque()

    @override
    def routes(self) -> Iterator[Route]:
        yield from self.token_routes()
        yield Route("POST", "/v1.0/{user}/threads", "create", self._create, writes=True)
        yield Route("POST", "/v1.0/{user}/threads_publish", "publish", self._publish, writes=True)
        yield Route("GET", "/v1.0/{user}/threads", "list", self.list_posts)
        yield Route("GET", "/v1.0/{user}/threads_publishing_limit", "quota", self.show_quota)
        yield Route("GET", r"/v1.0/{container:18\d{9,}}", "status", self._status)
        yield Route("GET", r"/v1.0/{post:17\d{9,}}", "get", self.get_post)
        yield Route("DELETE", r"/v1.0/{post:\d+}", "delete", self._delete, writes=True)
        yield Route("GET", r"/v1.0/{user:\d+|me}", "probe", self._probe)

    # -- publishing

    async def _create(self, call: Call) -> web.Response:
        container = await self._container(self.user(call, _PUBLISH), call)
        container_id = self.keep(container)
        if container.kind == "TEXT" and call.params.get("auto_publish_text", "").lower() == "true":
            return web.json_response({"id": self.make_public(container, call, how="auto_publish_text")})
        return web.json_response({"id": container_id})

    async def _publish(self, call: Call) -> web.Response:
        user = self.user(call, _PUBLISH)
        container = self.containers.get(call.params.get("creation_id", ""))
        if container is None or container.owner != user or container.status(self.now()) is not Status.FINISHED:
            raise self.refuse(_NOT_PUBLISHABLE)
        return web.json_response({"id": self.make_public(container, call)})

    async def _status(self, call: Call) -> web.Response:
        container = self.known_container(call)
        known = {
            "id": call.match["container"],
            "status": container.status(self.now()),
            "error_message": container.error,
        }
        return web.json_response(self.fields_of(call, known, ("id", "status")))

    async def _container(self, user: str, call: Call) -> Container:
        kind, text = call.params.get("media_type", ""), call.params.get("text", "")
        self._check(kind, text, call)
        if kind == "CAROUSEL":
            return self._carousel(user, call)
        if kind == "TEXT":
            return Container(user, text, kind, self.now(), self.ready_at(self.ready_after))
        error = await self._fault(kind, call.params[f"{kind.lower()}_url"])
        kind = "ITEM" if call.params.get("is_carousel_item", "").lower() == "true" else kind
        ready_at, alt = self.ready_at(self.media_ready_after), call.params.get("alt_text", "")
        return Container(user, text, kind, self.now(), ready_at, error, alt=alt)

    async def _fault(self, kind: str, url: str) -> str | None:
        """Fetched for real: a picture before the answer, a video after it, so only its container tells."""
        got = await fetch(url)
        if kind == "VIDEO":
            return None if got and got.kind == "MP4" else "FAILED_DOWNLOADING_VIDEO"
        if got is None:
            raise self.refuse(_NO_MEDIA)
        if got.kind not in ("JPEG", "PNG") or got.size_bytes > _LARGEST_IMAGE or got.width not in _IMAGE_WIDTH:
            raise self.refuse(_BAD_MEDIA)
        return None

    def _carousel(self, user: str, call: Call) -> Container:
        items = [self.containers.get(one) for one in call.params.get("children", "").split(",")]
        found = [item for item in items if item and item.kind == "ITEM" and item.owner == user]
        if len(items) not in _CAROUSEL or len(found) != len(items):
            raise self.refuse(_BAD_CAROUSEL)
        error = next((item.error for item in found if item.error), None)
        ready_at = self.ready_at(self.media_ready_after)
        return Container(user, call.params.get("text", ""), "CAROUSEL", self.now(), ready_at, error)

    def _check(self, kind: str, text: str, call: Call) -> None:
        if kind not in ("TEXT", "IMAGE", "VIDEO", "CAROUSEL"):
            raise self.refuse(_BAD_TYPE)
        if kind == "TEXT" and not text:
            raise self.refuse(_NO_TEXT)
        if kind in ("IMAGE", "VIDEO") and not call.params.get(f"{kind.lower()}_url"):
            raise self.refuse(_NO_MEDIA)
        if text_length(text) > _LONGEST_TEXT:
            raise self.refuse(_TOO_LONG)
        links = set(_LINK.findall(text)) | {call.params.get("link_attachment", "")} - {""}
        if len(links) > _MOST_LINKS:
            raise self.refuse(_TOO_MANY_LINKS)

    # -- reading, deleting

    async def _delete(self, call: Call) -> web.Response:
        post = self.own_post(call, _DELETE)
        if self.used(self._deleted) >= _DELETES_A_DAY:
            raise self.refuse(_TOO_MANY_DELETES)
        self._deleted.append(self.now())
        self.take_down(post, by="owner")
        return web.json_response({"success": True, "deleted_id": post.id})

    async def _probe(self, call: Call) -> web.Response:
        known = {"id": self.user(call, _READ), "username": "tinvidu", "name": "Tin Ví Dụ"}
        return web.json_response(self.fields_of(call, known, ("id",)))

    @override
    def shown(self, call: Call, post: Post) -> dict[str, object]:
        kind = str(post.extra.get("kind", "TEXT"))
        known = {
            "id": post.id,
            "text": post.text or None,
            "media_type": {"TEXT": "TEXT_POST", "CAROUSEL": "CAROUSEL_ALBUM"}.get(kind, kind),
            "timestamp": graph_time(post.posted_at),
            "permalink": f"https://www.threads.net/@tinvidu/post/{post.id}",
            "username": "tinvidu",
        }
        return self.fields_of(call, known, ("id",))
