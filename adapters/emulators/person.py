"""Somebody's phone, reached by a chat's incoming hook, and the account they post to by hand.

What is handed over is no post: it becomes one when the person posts it, which a hook here does for them.
"""

from typing_extensions import override

from adapters.emulators.base import hook
from adapters.emulators.faults import Kind
from adapters.emulators.http import Call
from adapters.emulators.log import Post
from adapters.emulators.webhook import WebhookEmulator


class PersonEmulator(WebhookEmulator):
    """A chat that keeps no ids: a hand-over that is repeated arrives twice."""

    name = "person"
    kinds = WebhookEmulator.kinds - {Kind.SILENT_DROP, Kind.REMOVE_LATER}

    @hook
    def post_by_hand(self, number: str) -> str:
        """The person posts what message `number` asks for: the part after its first paragraph. Gives the post's id."""
        text = self._message(number).text.partition("\n\n")[2]
        return self.take_in(self.digits(15), text, "somebody", how="by hand").id

    @override
    def _take(self, call: Call, event_id: str) -> None:
        super()._take(call, event_id)
        self.log.taken[-1].visible = False

    def _message(self, number: str) -> Post:
        post = self.find_post(number)
        if post is None:
            raise LookupError(f"no message {number!r} has come")
        return post
