"""Zalo's calls about articles, as its channels share them. Source: as in `adapters._zalo`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters._readback import Page
from adapters._zalo import CODES, Reply, ZaloApi, classify
from adapters._zalo_account import GET_OA
from adapters._zalo_articles import listed
from broker.contract import Gate
from broker.outcome import Absent, Denied, Fault, Live, Outcome, Rejected, Unavailable, Uncertain

HIDDEN = "Zalo hides the article from readers: look in the OA's console why, and set it to show"
NO_COVER = Rejected("-200", "Zalo could not fetch the cover picture: check cover_url (public, at most 1 MB)")
_PAGE = 10
_POLICY = -248


class Articles:
    """The articles of one account."""

    def __init__(self, api: ZaloApi) -> None:
        self._api = api

    async def submit(self, call: str, article: Mapping[str, Any], gate: Gate | None) -> str | Outcome:
        """The processing token of an article that is created or updated."""
        match await self._api.call("POST", f"/v2.0/article/{call}", gate=gate, json_body=article):
            case Reply(code=0, data={"token": str(token)}) if token:
                return token
            case Reply(code=0):
                return Uncertain(Fault.SERVER, "Zalo took the article and gave no token")
            case other:
                return classify(other, wrote=gate is not None)

    async def id_of(self, token: str) -> str | Outcome | Absent | None:
        """The id a processing token stands for; None: Zalo still works on it; `Absent`: it does not know the token."""
        match await self._api.call("POST", "/v2.0/article/verify", json_body={"token": token}):
            case Reply(code=0, data={"id": str(article_id)} | {"article_id": str(article_id)}) if article_id:
                return article_id
            case Reply(code=0):
                return None
            case Reply(message=message) if "process" in message.lower():
                return None
            case Reply(code=-200, message=message) if "media" in message.lower():
                return NO_COVER
            case other:
                answer = classify(other, wrote=False)
                return Absent() if isinstance(answer, Rejected) and answer != CODES[_POLICY] else answer

    async def page(self, after: str | None) -> Page | Outcome:
        """Ten articles, newest first; pages overlap by one, so that an article removed meanwhile hides no other."""
        offset = int(after or 0)
        params = {"offset": str(offset), "limit": str(_PAGE), "type": "normal"}
        match await self._api.call("GET", "/v2.0/article/getslice", params=params):
            case Reply(code=0, data={"medias": [*lines]} | {"articles": [*lines]}):
                try:
                    posts = [listed(line, HIDDEN) for line in lines]
                except (ValueError, OverflowError, AttributeError):
                    return Unavailable(Fault.SERVER, "unreadable list")
                return Page(posts, str(offset + _PAGE - 1) if len(lines) >= _PAGE else None)
            case Reply(code=0):
                return Unavailable(Fault.SERVER, "unreadable list")
            case other:
                return unanswered(other)


async def account(api: ZaloApi, wanted: str | None) -> Outcome:
    """Whether Zalo lets us in, and to the account that is meant."""
    match await api.call("GET", GET_OA):
        case Reply(code=0, data={"oa_id": oa_id} | {"oaid": oa_id}) if wanted not in (None, str(oa_id)):
            return Denied(f"the token belongs to the account {oa_id}, not to {wanted}: correct oa_id or the token")
        case Reply(code=0):
            return Live(wanted or "zalo")
        case other:
            return classify(other, wrote=False)


def unanswered(answer: Reply | Outcome) -> Outcome:
    """A question that Zalo refused says nothing about the post."""
    outcome = classify(answer, wrote=False)
    return Unavailable(Fault.SERVER, outcome.detail) if isinstance(outcome, Rejected) else outcome
