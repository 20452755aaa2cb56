"""Telegram's Bot API for one bot and one channel, which it administers.

Source: Telegram's Bot API pages and the code of its open-source Bot API server, read 2026-11-22. As there, nothing
lists what a channel shows. The limit of 4096 counts UTF-16 units here, the stricter reading.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Unpack

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import Common, hook
from adapters.emulators.faults import Fault, Kind
from adapters.emulators.fetched import seen
from adapters.emulators.http import WIRE, Call, HttpEmulator, Refused, Route
from adapters.emulators.log import Post

_LONGEST, _LONGEST_CAPTION = 4096, 1024
_LARGEST_PHOTO = 10_000_000
_DELETABLE = timedelta(hours=48)

Method = Callable[[Call], Awaitable[web.Response]]


class TelegramEmulator(HttpEmulator):
    """The Bot API. `token` None: any well-formed one is this bot's. `chat_id`: the number of channel `@username`."""

    name = "telegram"
    kinds = (
        WIRE
        | {Kind.SERVER_ERROR, Kind.THROTTLED, Kind.LOGGED_OUT, Kind.REVOKED, Kind.NO_PERMISSION, Kind.SUSPENDED}
        | {Kind.POLICY, Kind.SILENT_DROP, Kind.REMOVE_LATER}
    )
    words: ClassVar[Mapping[Kind, tuple[int, str]]] = {
        Kind.SERVER_ERROR: (500, "Internal Server Error"),
        Kind.LOGGED_OUT: (401, "Unauthorized"),
        Kind.REVOKED: (404, "Not Found"),
        Kind.NO_PERMISSION: (403, "Forbidden: bot was kicked from the channel chat"),
        Kind.SUSPENDED: (400, "Bad Request: FROZEN_METHOD_INVALID"),
        Kind.POLICY: (400, "Bad Request: wrong HTTP URL specified"),
    }

    def __init__(
        self,
        *,
        token: str | None = None,
        username: str = "tinvidu",
        chat_id: int = -1001234567890,
        can_post: bool = True,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.token, self.username, self.chat_id = token, username, chat_id
        self.can_post = can_post
        self._last_number = 811

    @override
    def routes(self) -> Iterator[Route]:
        yield self._route("sendMessage", "publish", self._send, writes=True)
        yield self._route("sendPhoto", "photo", self._send_photo, writes=True)
        yield self._route("editMessageText", "edit", self._edit, writes=True)
        yield self._route("editMessageCaption", "edit", self._edit_caption, writes=True)
        yield self._route("deleteMessage", "delete", self._delete, writes=True)
        yield self._route("getMe", "probe", self._me)
        yield self._route("getChatMember", "rights", self._member)
        yield Route(
            "*", "/bot{token}/{method}", "other", self._no_such_method
        )  # known by its form, so masked in the log

    @override
    def shape(self, fault: Fault, call: Call) -> web.Response:
        if fault.kind is Kind.THROTTLED:
            seconds = 17 if fault.after is None else int(fault.after)
            said = f"Too Many Requests: retry after {seconds}"
            headers = {"Retry-After": str(seconds)}
            return _error(429, said, headers=headers, parameters={"retry_after": seconds})
        return _error(*self.words[fault.kind])

    @override
    def unknown_path(self, call: Call) -> web.Response:
        return _error(404, "Not Found")

    @hook
    def set_rights(self, can_post: bool) -> None:
        """An administrator of the channel gives the bot the right to post, or takes it."""
        self.can_post = can_post

    @hook
    def replace_token(self, token: str) -> None:
        """The owner asks @BotFather for a new token: the old one is dead at once."""
        self.token = token

    def _route(self, name: str, step: str, method: Method, *, writes: bool = False) -> Route:
        """GET and POST, the method's name in any case."""
        path = f"/bot{{token}}/{{method:(?i:{name})}}"
        return Route("*", path, step, self._authorised(method), writes=writes)

    def _authorised(self, method: Method) -> Method:
        async def authorised(call: Call) -> web.Response:
            number, _, secret = call.match["token"].partition(":")
            if not number.isdigit() or not secret:
                raise _refused(404, "Not Found")
            if self.token is not None and call.match["token"] != self.token:
                raise _refused(401, "Unauthorized")
            return await method(call)

        return authorised

    # -- methods

    async def _send(self, call: Call) -> web.Response:
        self._check_chat(call)
        text = self._text(call)
        self._last_number += 1
        post = self.take_in(str(self._last_number), text, f"@{self.username}")
        return _result(self._message(post))

    async def _send_photo(self, call: Call) -> web.Response:
        """Uploaded pictures only."""
        self._check_chat(call)
        caption = call.params.get("caption", "")
        if len(caption.encode("utf-16-le")) // 2 > _LONGEST_CAPTION:
            raise _refused(400, "Bad Request: message caption is too long")
        got = seen(next(iter(call.files.values()), b""))
        if got.kind not in ("JPEG", "PNG", "WEBP") or got.size_bytes > _LARGEST_PHOTO:
            raise _refused(400, "Bad Request: IMAGE_PROCESS_FAILED")
        self._last_number += 1
        size = (got.width, got.height)
        post = self.take_in(str(self._last_number), caption, f"@{self.username}", step="photo", photo=size)
        return _result(self._message(post))

    async def _edit_caption(self, call: Call) -> web.Response:
        return await self._edit(call, "caption")

    async def _edit(self, call: Call, field: str = "text") -> web.Response:
        self._check_chat(call)
        post = self._post(call, "edit")
        if ("photo" in post.extra) != (field == "caption"):
            raise _refused(400, f"Bad Request: there is no {field} in the message to edit")
        text = self._text(call, field)
        if text == post.text:
            raise _refused(400, "Bad Request: message is not modified: specified new message content is the same")
        post.text, post.edited_at = text, self.now()
        return _result(self._message(post))

    async def _delete(self, call: Call) -> web.Response:
        self._check_chat(call)
        post = self._post(call, "delete")
        if self.now() > post.posted_at + _DELETABLE:
            raise _refused(400, "Bad Request: message can't be deleted for everyone")
        self.take_down(post, by="owner")
        return _result(True)

    async def _no_such_method(self, call: Call) -> web.Response:
        raise _refused(404, "Not Found")

    async def _me(self, call: Call) -> web.Response:
        number = int(call.match["token"].partition(":")[0])
        return _result({"id": number, "is_bot": True, "first_name": "Tin Ví Dụ", "username": "tinvidu_bot"})

    async def _member(self, call: Call) -> web.Response:
        self._check_chat(call, posts=False)
        user = {"id": int(call.params["user_id"]), "is_bot": True, "first_name": "Tin Ví Dụ"}
        rights = dict.fromkeys(
            (
                "can_be_edited",
                "is_anonymous",
                "can_manage_chat",
                "can_delete_messages",
                "can_manage_video_chats",
                "can_restrict_members",
                "can_promote_members",
                "can_change_info",
                "can_invite_users",
                "can_post_stories",
                "can_edit_stories",
                "can_delete_stories",
            ),
            False,
        )
        return _result({"user": user, "status": "administrator", **rights, "can_post_messages": self.can_post})

    # -- rules

    def _check_chat(self, call: Call, *, posts: bool = True) -> None:
        if call.params.get("chat_id") not in (f"@{self.username}", str(self.chat_id)):
            raise _refused(400, "Bad Request: chat not found")
        if posts and not self.can_post:
            raise _refused(400, "Bad Request: need administrator rights in the channel chat")

    def _text(self, call: Call, field: str = "text") -> str:
        text = call.params.get(field, "").strip()
        if not text:
            raise _refused(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > _LONGEST:
            raise _refused(400, "Bad Request: message is too long")
        return text

    def _post(self, call: Call, what: str) -> Post:
        post = self.find_post(call.params.get("message_id", ""))
        if post is None:
            raise _refused(400, f"Bad Request: message to {what} not found")
        return post

    def _message(self, post: Post) -> dict[str, Any]:
        chat = {"id": self.chat_id, "title": "Tin Ví Dụ", "username": self.username, "type": "channel"}
        date = int(post.posted_at.timestamp())
        said = {"message_id": int(post.id), "sender_chat": chat, "chat": chat, "date": date}
        if not (size := post.extra.get("photo")):
            return {**said, "text": post.text}
        assert isinstance(size, tuple)
        photo = {"file_id": f"f{post.id}", "file_unique_id": f"u{post.id}", "width": size[0], "height": size[1]}
        return {**said, "caption": post.text, "photo": [photo]}


def _result(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result}, dumps=_dumps)


def _error(code: int, description: str, *, headers: Mapping[str, str] | None = None, **rest: object) -> web.Response:
    body = {"ok": False, "error_code": code, "description": description, **rest}
    return web.json_response(body, status=code, headers=headers, dumps=_dumps)


def _refused(code: int, description: str) -> Refused:
    return Refused(_error(code, description), verdict=f"{code} {description}")


def _dumps(body: object) -> str:
    return json.dumps(body, ensure_ascii=False)
