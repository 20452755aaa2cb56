"""Instagram: pictures and reels by containers in two steps; the platform fetches them itself.

Source: Meta's pages on content publishing, its error codes, publishing limits and tokens, read 2026-11-22. Assumed,
since Meta tells no answer: 24/2207006 for a container that was published already, 100/33 for a delete that the login
does not allow.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from aiohttp import web
from typing_extensions import override

from adapters.emulators.containers import Container, ContainerEmulator, Status
from adapters.emulators.faults import Kind
from adapters.emulators.fetched import Fetched, fetch
from adapters.emulators.graph import NO_OBJECT, NO_PERMISSION, GraphError, graph_time
from adapters.emulators.http import Call, Route
from adapters.emulators.log import Post

_LONGEST_CAPTION, _MOST_TAGS, _MOST_MENTIONS = 2200, 30, 20
_LARGEST_IMAGE, _LEAST_WIDTH, _MOST_WIDTH = 8_000_000, 320, 1440
_RATIOS = (0.8, 1.91)
_CAROUSEL = range(2, 11)
_READ, _PUBLISH = "instagram_business_basic", "instagram_business_content_publish"
_DELETE = "instagram_manage_contents"

_NO_MEDIA = GraphError(100, "(#100) The parameter image_url or video_url is required")
_BAD_TYPE = GraphError(100, "(#100) Param media_type must be one of REELS, STORIES, CAROUSEL", subcode=2207023)
_TOO_LONG = GraphError(36004, "The caption was too long: 2200 characters, 30 hashtags, 20 mentions", subcode=2207010)
_NOT_FETCHED = GraphError(9004, "The media could not be fetched from this URI", subcode=2207052)
_NO_JPEG = GraphError(36001, "The image format is not supported", subcode=2207005)
_TOO_BIG = GraphError(36000, "The image is too large to download", subcode=2207004)
_BAD_RATIO = GraphError(36003, "The aspect ratio is not supported", subcode=2207009)
_BAD_VIDEO = "Error: Media upload has failed with error code 2207026"
_VIDEO_NOT_FETCHED = "Error: Media upload has failed with error code 2207052"
_BAD_CAROUSEL = GraphError(100, "A carousel has from 2 to 10 pictures or videos", subcode=2207028)
_UNKNOWN_CONTAINER = GraphError(24, "The requested resource does not exist", subcode=2207008)
_PUBLISHED_BEFORE = GraphError(24, "The media with this id cannot be found", subcode=2207006)
_NOT_READY = GraphError(9007, "The media is not ready to be published", subcode=2207027)


class InstagramEmulator(ContainerEmulator):
    """The content publishing API, v25.0.

    `reels_after`: seconds until a video is FINISHED. `facebook_login`: the flavour that can delete.
    """

    name = "instagram"
    hosts = ("graph",)
    kinds = ContainerEmulator.kinds | {Kind.REFUSE_LATER}
    scopes = frozenset({_READ, _PUBLISH})
    grant, read_scope, publish_scope = "ig", _READ, _PUBLISH
    user_id, app_id, token, quota = "17840", "7005", "instagram-token", 100
    throttle = GraphError(80002, "There have been too many calls to this Instagram account")
    usage_type = "instagram"
    errors: ClassVar[Mapping[Kind, GraphError]] = {
        Kind.POLICY: GraphError(4, "We restrict certain activity to protect our community", subcode=2207051),
        Kind.SUSPENDED: GraphError(25, "The account is inactive, checkpointed or restricted", subcode=2207050),
        Kind.NO_PERMISSION: GraphError(10, "(#10) Application does not have permission for this action"),
    }

    def __init__(self, *, reels_after: float = 1.0, facebook_login: bool = False, **rest: Any) -> None:
        super().__init__(**rest)
        self.reels_after = timedelta(seconds=reels_after)
        self.facebook_login = facebook_login
        if facebook_login:
            for held in self.tokens.values():
                held.scopes |= {_DELETE}

    @override
    def routes(self) -> Iterator[Route]:
        yield from self.token_routes()
        yield Route("POST", "/v25.0/{user}/media", "create", self._create, writes=True)
        yield Route("POST", "/v25.0/{user}/media_publish", "publish", self._publish, writes=True)
        yield Route("GET", "/v25.0/{user}/media", "list", self.list_posts)
        yield Route("GET", "/v25.0/{user}/content_publishing_limit", "quota", self.show_quota)
        yield Route("GET", r"/v25.0/{container:18\d{9,}}", "status", self._status)
        yield Route("GET", r"/v25.0/{post:17\d{9,}}", "get", self.get_post)
        yield Route("DELETE", r"/v25.0/{post:\d+}", "delete", self._delete, writes=True)
        yield Route("GET", r"/v25.0/{user:\d+|me}", "probe", self._probe)

    # -- publishing

    async def _create(self, call: Call) -> web.Response:
        user = self.user(call, _PUBLISH)
        self._check_caption(call.params.get("caption", ""))
        kind = call.params.get("media_type") or "IMAGE"
        if kind == "CAROUSEL":
            return web.json_response({"id": self.keep(self._carousel(user, call))})
        if kind not in ("IMAGE", "REELS", "STORIES"):
            raise self.refuse(_BAD_TYPE)
        if call.params.get("is_carousel_item", "").lower() == "true":
            kind = "ITEM"
        made = await (self._picture(user, kind, call) if "image_url" in call.params else self._video(user, kind, call))
        made.error = made.error or self._refused_later(call)
        return web.json_response({"id": self.keep(made)})

    async def _picture(self, user: str, kind: str, call: Call) -> Container:
        """Fetched at once: the answer says what is wrong with it."""
        got = await fetch(call.params["image_url"])
        if error := _fault_of(got):
            raise self.refuse(error)
        caption, alt = call.params.get("caption", ""), call.params.get("alt_text", "")
        return Container(user, caption, kind, self.now(), self.ready_at(self.ready_after), alt=alt)

    async def _video(self, user: str, kind: str, call: Call) -> Container:
        """Fetched after the answer: the container's status says what is wrong with it."""
        if not call.params.get("video_url"):
            raise self.refuse(_NO_MEDIA)
        got = await fetch(call.params["video_url"])
        error = _VIDEO_NOT_FETCHED if got is None else None if got.kind == "MP4" else _BAD_VIDEO
        ready_at = self.ready_at(self.reels_after)
        return Container(user, call.params.get("caption", ""), kind, self.now(), ready_at, error)

    def _carousel(self, user: str, call: Call) -> Container:
        given = call.params.get("children", "")
        ids: Sequence[str] = json.loads(given) if given.startswith("[") else given.split(",")
        items = [self.containers.get(one) for one in ids]
        if len(items) not in _CAROUSEL:
            raise self.refuse(_BAD_CAROUSEL)
        found = [item for item in items if item is not None and item.kind == "ITEM" and item.owner == user]
        if len(found) != len(items) or any(item.status(self.now()) is Status.EXPIRED for item in found):
            raise self.refuse(_UNKNOWN_CONTAINER)
        times = [item.ready_at for item in found]
        ready_at = self.ready_at(self.ready_after)
        last = None if ready_at is None or None in times else max([ready_at, *(time for time in times if time)])
        error = next((item.error for item in found if item.error), None)
        return Container(user, call.params.get("caption", ""), "CAROUSEL", self.now(), last, error)

    def _refused_later(self, call: Call) -> str | None:
        refused = self.faults.take(Kind.REFUSE_LATER, call.step)
        return "Error: Media upload has failed with error code 2207051" if refused else None

    def _check_caption(self, caption: str) -> None:
        tags, mentions = (len(re.findall(rf"{mark}\w+", caption)) for mark in "#@")
        if len(caption) > _LONGEST_CAPTION or tags > _MOST_TAGS or mentions > _MOST_MENTIONS:
            raise self.refuse(_TOO_LONG)

    async def _publish(self, call: Call) -> web.Response:
        user = self.user(call, _PUBLISH)
        container = self.containers.get(call.params.get("creation_id", ""))
        if container is None or container.owner != user or container.kind == "ITEM":
            raise self.refuse(_UNKNOWN_CONTAINER)
        match container.status(self.now()):
            case Status.FINISHED:
                return web.json_response({"id": self.make_public(container, call)})
            case Status.PUBLISHED:
                raise self.refuse(_PUBLISHED_BEFORE)
            case Status.EXPIRED:
                raise self.refuse(_UNKNOWN_CONTAINER)
            case _:
                raise self.refuse(_NOT_READY)

    async def _status(self, call: Call) -> web.Response:
        container = self.known_container(call)
        code = container.status(self.now())
        said = container.error if code is Status.ERROR else f"{code.capitalize()}: said in words"
        known = {"id": call.match["container"], "status_code": code, "status": said}
        return web.json_response(self.fields_of(call, known, ("id",)))

    # -- reading, deleting

    async def _delete(self, call: Call) -> web.Response:
        post = self.own_post(call, _READ)
        if not self.facebook_login:
            raise self.refuse(NO_OBJECT)
        if _DELETE not in self.authorise(call, None).scopes:
            raise self.refuse(NO_PERMISSION)
        self.take_down(post, by="owner")
        return web.json_response({"success": True})

    async def _probe(self, call: Call) -> web.Response:
        user = self.user(call, _READ)
        known = {"id": user, "user_id": user, "username": "tinvidu"}
        return web.json_response(self.fields_of(call, known, ("id",)))

    @override
    def shown(self, call: Call, post: Post) -> dict[str, object]:
        known = {
            "id": post.id,
            "caption": post.text or None,
            "media_type": {"REELS": "VIDEO", "CAROUSEL": "CAROUSEL_ALBUM"}.get(str(post.extra.get("kind")), "IMAGE"),
            "timestamp": graph_time(post.posted_at),
            "permalink": f"https://www.instagram.com/p/{post.id}/",
        }
        return self.fields_of(call, known, ("id",))


def _fault_of(got: Fetched | None) -> GraphError | None:
    """What Instagram has against this picture."""
    if got is None:
        return _NOT_FETCHED
    if got.kind != "JPEG":
        return _NO_JPEG
    if got.size_bytes > _LARGEST_IMAGE:
        return _TOO_BIG
    is_wide_enough = _LEAST_WIDTH <= got.width <= _MOST_WIDTH
    return None if is_wide_enough and _RATIOS[0] <= got.width / got.height <= _RATIOS[1] else _BAD_RATIO
