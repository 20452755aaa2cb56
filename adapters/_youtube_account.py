"""The channel that a token speaks for, its list of uploads, and connecting it. Source: as in `adapters._youtube`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters._consent import Consenting, address, challenge, code_of, invitation, refused
from adapters._http import Answer
from adapters._readback import Page
from adapters._youtube import ACCOUNT, Refusal, YouTubeApi, YouTubeSettings
from adapters._youtube_videos import listed
from broker.contract import Account, Consent, Invitation, NotConnected, Particulars, TokenPair, Tools
from broker.outcome import Denied, Fault, Outcome, Unavailable

SCOPE = "https://www.googleapis.com/auth/youtube"
"""Uploads, reads, edits and deletes: one permission, so there is none to leave out."""
NOT_OPEN = "the channel is {privacy}, so nobody sees its videos: make it public in YouTube's settings"
_QUERY = {"part": "id,snippet,status,contentDetails", "mine": "true"}
_PATH = "/youtube/v3/channels"


@dataclass(frozen=True, slots=True)
class Channel:
    id: str
    title: str
    uploads: str
    """The list of all its videos."""
    privacy: str


async def channel(api: YouTubeApi, wanted: str | None) -> Channel | Outcome:
    """The channel that is meant, if YouTube lets us in and readers can see it."""
    found = _channel(await api.call("GET", _PATH, params=_QUERY))
    if not isinstance(found, Channel):
        return found.unanswered
    if wanted not in (None, found.id):
        return Denied(f"the token belongs to the channel {found.id}, not to {wanted}: correct channel_id or the token")
    return found if found.privacy == "public" else Denied(NOT_OPEN.format(privacy=found.privacy))


async def uploads_page(api: YouTubeApi, playlist: str, token: str) -> Page | Outcome:
    """Fifty videos, newest first; `after` of the page is the list and the next token."""
    query = {"part": "snippet,contentDetails,status", "playlistId": playlist, "maxResults": "50"}
    reply = await api.call("GET", "/youtube/v3/playlistItems", params=query | ({"pageToken": token} if token else {}))
    if isinstance(reply, Refusal):
        return reply.unanswered
    try:
        said: Any = reply.json()
        after = said.get("nextPageToken")
        return Page([listed(item) for item in said["items"]], f"{playlist} {after}" if after else None)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Unavailable(Fault.SERVER, "a list that nobody can read")


def _channel(reply: Answer | Refusal) -> Channel | Refusal:
    if isinstance(reply, Refusal):
        return reply
    try:
        items: Any = reply.json()["items"]
        if not items:
            return Refusal(Denied(ACCOUNT["youtubeSignupRequired"]))
        one = items[0]
        uploads = one["contentDetails"]["relatedPlaylists"]["uploads"]
        return Channel(one["id"], one["snippet"]["title"], uploads, one["status"]["privacyStatus"])
    except (KeyError, TypeError, IndexError):
        return Refusal(Unavailable(Fault.SERVER, "a channel that nobody can read"))


class YouTubeConnector(Consenting):
    """The channel whose owner agrees."""

    def __init__(self, settings: YouTubeSettings, tools: Tools, api: YouTubeApi) -> None:
        super().__init__(tools, settings.seed)
        self._settings, self._api = settings, api

    def invite(self, consent: Consent) -> Invitation:
        self._needed("client_secret", self._settings.client_secret)
        url = address(
            f"{self._settings.consent_url.rstrip('/')}/o/oauth2/v2/auth",
            client_id=self._needed("client_id", self._settings.client_id),
            redirect_uri=self._settings.redirect_url,
            response_type="code",
            scope=SCOPE,
            access_type="offline",
            prompt="consent",
            code_challenge=challenge(consent.verifier),
            code_challenge_method="S256",
            state=consent.state,
        )
        return Invitation(invitation(self._settings.redirect_url, "one of the OAuth client's redirect addresses"), url)

    async def accept(self, consent: Consent, pasted: str) -> list[Account]:
        code = code_of(pasted, consent)
        pair = await self._api.trade(
            grant_type="authorization_code",
            code=code,
            code_verifier=consent.verifier,
            redirect_uri=self._settings.redirect_url,
        )
        if not isinstance(pair, TokenPair):
            raise refused("Google", pair, code)
        if not pair.refresh:
            raise NotConnected(
                "Google gave no lasting token: take the app's access away at myaccount.google.com, then start again."
            )
        found = _channel(await self._api.call_with(pair.access, _PATH, _QUERY))
        if not isinstance(found, Channel):
            raise refused("YouTube", found.outcome, code, pair.access)
        if self._settings.channel_id not in (None, found.id):
            wanted = self._settings.channel_id
            raise NotConnected(f"Access was granted to channel {found.id}, not to {wanted} of the configuration.")
        return [Account(id=found.id, name=found.title, pair=pair, lacks=_lacks(found))]

    async def particulars(self) -> Particulars | Outcome:
        found = _channel(await self._api.call("GET", _PATH, params=_QUERY))
        if not isinstance(found, Channel):
            return found.unanswered
        return Particulars(
            account=f"{found.title} ({found.id})",
            lacks=tuple(filter(None, (_lacks(found),))),
            token_ends_at=await self._api.ends_at(),
            token_renews=True,
        )


def _lacks(found: Channel) -> str | None:
    return None if found.privacy == "public" else NOT_OPEN.format(privacy=found.privacy)
