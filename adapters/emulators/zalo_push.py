"""Zalo's broadcasts, on top of what the emulator of its articles does.

Source: as in `adapters.emulators.zalo`, and Zalo's pages for account owners on broadcasts, read 2026-11-22. A broadcast
is moderated for about half an hour; what comes of it the API does not tell, only the hooks here do, as the console
would. Assumed: the code for a quota that is used up, and that hidden articles may be sent.
"""

from collections.abc import Iterator
from typing import Any

from aiohttp import web
from typing_extensions import override

from adapters.emulators.base import hook
from adapters.emulators.faults import Kind
from adapters.emulators.http import Call, Route
from adapters.emulators.log import Post
from adapters.emulators.zalo import BAD_PARAMETER, ZaloEmulator, refused, words

_QUOTA = -211


class ZaloPushEmulator(ZaloEmulator):
    """`moderated_after`: seconds until a broadcast reaches the followers; `broadcasts`: how many the package has."""

    name = "zalo_push"

    def __init__(self, *, moderated_after: float = 60.0, broadcasts: int = 100, **articles: Any) -> None:
        super().__init__(**articles)
        self.moderated_after, self.broadcasts = moderated_after, broadcasts

    @override
    def routes(self) -> Iterator[Route]:
        yield from super().routes()
        yield Route("POST", "/v2.0/oa/message", "broadcast", self._broadcast, writes=True, host="api")

    @hook
    def approve(self, message_id: str) -> None:
        """Zalo's people let a broadcast pass: it reaches the followers."""
        self._waiting_for_approval(message_id).visible = True
        self.tell()

    @hook
    def refuse(self, message_id: str) -> None:
        """Zalo's people refuse a broadcast; only the account's console says so."""
        self.take_down(self._waiting_for_approval(message_id))

    async def _broadcast(self, call: Call) -> web.Response:
        self._authorise(call)
        article = self._wanted(call)
        if not self.broadcasts:
            raise refused(_QUOTA, "Your OA has used up its quota of broadcasts")
        self.broadcasts -= 1
        sent = self.take_in(
            self.random.randbytes(12).hex(),
            article.text,
            f"{self.oa_id}/followers",
            step="broadcast",
            visible=False,
            how="broadcast",
        )
        self._moderate(sent)
        return words(0, "Success", data={"message_id": sent.id})

    def _wanted(self, call: Call) -> Post:
        """The first article of a broadcast; Zalo takes up to five."""
        match call.json:
            case {
                "recipient": {"target": {**target}},
                "message": {"attachment": {"payload": {"elements": [element, *_]}}},
            }:
                if target and element.get("media_type") == "article":
                    return self._article(element.get("attachment_id", ""))
        raise refused(BAD_PARAMETER, "recipient or message is invalid")

    def _moderate(self, sent: Post) -> None:
        if self.faults.take(Kind.REFUSE_LATER, "broadcast"):
            self.later(self.moderated_after, lambda: self.refuse(sent.id))
        elif self.faults.take(Kind.NEVER_FINISH, "broadcast"):
            return
        elif self.moderated_after:
            self.later(self.moderated_after, lambda: self.approve(sent.id))
        else:
            sent.visible = True

    def _waiting_for_approval(self, message_id: str) -> Post:
        post = self.find_post(message_id)
        if post is None or post.how != "broadcast":
            raise LookupError(f"no broadcast {message_id!r} waits")
        return post
