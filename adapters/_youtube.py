"""YouTube's Data API v3 as the adapter calls it: Google's token, one call, and what its errors mean, kept as data.

Source: the API's discovery document (revision 20261104), YouTube's pages on errors, quota cost and resumable uploads,
Google's pages on OAuth 2.0, read 2026-11-28; docs/adapters/youtube.md says how sure each fact is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr

from adapters._consent import RenewableSettings, not_connected
from adapters._http import Answer, ask, retry_after
from broker.contract import Gate, Profile, TokenPair, Tools
from broker.outcome import Denied, Fault, Outcome, Rejected, Throttled, Unavailable, Uncertain, bounded

CONSENT = "let the channel's owner grant access again: `loa connect` shows where"

ACCOUNT: Mapping[str, str] = {
    "authError": f"Google refuses the token: {CONSENT}",
    "unauthorized": f"Google refuses the token: {CONSENT}",
    "forbidden": "this Google account may not do that on the channel: connect it as the channel's owner",
    "insufficientPermissions": "the consent lacks a permission: connect again and agree to everything",
    "accountDelegationForbidden": "YouTube takes no calls for this account: connect as the channel's owner",
    "authenticatedUserAccountSuspended": "YouTube has suspended the account: appeal in YouTube Studio",
    "authenticatedUserAccountClosed": "the YouTube account is closed: connect another channel",
    "youtubeSignupRequired": "this Google account has no channel: create one at youtube.com, then connect again",
    "accessNotConfigured": "the YouTube Data API is off in the Google Cloud project: turn it on in its console",
}
"""Reasons that speak of our account, and what to do."""
QUOTA = frozenset({"quotaExceeded", "dailyLimitExceeded"})
"""Used up until midnight in California."""
TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
UPLOAD_LIMIT, UPLOADS_AGAIN = "uploadLimitExceeded", timedelta(hours=24)
GONE = frozenset({404, 410})
_LIFE = timedelta(hours=1)
_WORDS = 200


class YouTubeSettings(RenewableSettings):
    """`[channels.NAME]` of a YouTube channel."""

    channel_id: str | None = Field(None, pattern=r"^UC[\w-]+$")
    """None: the channel whose token it is."""
    client_id: str
    client_secret: SecretStr
    """Of the OAuth client in the Google Cloud project that YouTube has audited."""
    card_video: bool = False
    """Urgent news without a video goes out as a short mute one of its headline."""
    category: str = Field("25", pattern=r"^\d+$")
    """25: News & Politics."""
    notify_subscribers: bool = True
    """Whether YouTube may ring the phones of those who asked for it."""
    base_url: str = Field("https://youtube.googleapis.com", pattern=r"^https?://[^/]+/?$")
    oauth_url: str = Field("https://oauth2.googleapis.com", pattern=r"^https?://[^/]+/?$")
    consent_url: str = Field("https://accounts.google.com", pattern=r"^https?://[^/]+/?$")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that brought nothing, and what that means for a video that was just sent."""

    outcome: Outcome
    status: int = 0
    reason: str = ""

    @property
    def blames_token(self) -> bool:
        return self.status == 401 and self.reason != "youtubeSignupRequired"

    @property
    def harmless(self) -> Refusal:
        """The same for a call of which nothing public can come: it may be repeated."""
        match self.outcome:
            case Uncertain(fault, detail):
                return replace(self, outcome=Unavailable(fault, detail))
            case _:
                return self

    @property
    def unanswered(self) -> Outcome:
        """A question that was refused judges no video."""
        outcome = self.harmless.outcome
        return Unavailable(Fault.SERVER, outcome.detail) if isinstance(outcome, Rejected) else outcome


def classify(answer: Answer, now: datetime) -> Refusal | None:
    """What an answer in YouTube's own words refuses, by its reason and else by its status; None: nothing."""
    match answer.json():
        case {"error": {"errors": [{"reason": str(reason)}, *_]} as error}:
            said = " ".join(str(error.get("message") or reason).split())[:_WORDS]
        case {"error": dict()}:
            reason, said = "", f"HTTP {answer.status}"
        case _ if answer.status < 400:
            return None
        case _:
            return Refusal(_by_status(answer, "", f"unreadable answer (HTTP {answer.status})", now), answer.status)
    return Refusal(_by_reason(reason, now) or _by_status(answer, reason, said, now), answer.status, reason)


def _by_reason(reason: str, now: datetime) -> Outcome | None:
    if reason in ACCOUNT:
        return Denied(ACCOUNT[reason])
    if reason in QUOTA:
        return Throttled(until_midnight(now))
    return Throttled(UPLOADS_AGAIN) if reason == UPLOAD_LIMIT else None


def _by_status(answer: Answer, reason: str, said: str, now: datetime) -> Outcome:
    if reason in TOO_FAST or answer.status == 429:
        return Throttled(retry_after(answer.headers, now))
    match answer.status:
        case 401:
            return Denied(ACCOUNT["authError"])
        case 403 if reason:
            return Denied(f"YouTube refuses ({reason}): {said}")
        case 400 | 404 | 409 | 410 | 412 if reason:
            return Rejected(reason, f"YouTube says {reason}: {said}")
        case _:
            return Uncertain(Fault.SERVER, f"YouTube reports a fault ({reason})" if reason else said)


def until_midnight(now: datetime) -> timedelta:
    """Until quotas begin anew: at midnight Pacific Time."""
    pacific = ZoneInfo("America/Los_Angeles")
    tomorrow = now.astimezone(pacific).date() + timedelta(days=1)
    return bounded(datetime.combine(tomorrow, time(), pacific) - now)


class YouTubeApi:
    """Calls YouTube for one channel; renews the token once when YouTube refuses it."""

    def __init__(self, settings: YouTubeSettings, tools: Tools, profile: Profile) -> None:
        self._settings, self._tools, self._profile = settings, tools, profile
        self._trouble: Outcome | None = None

    async def call(self, method: str, path: str, *, gate: Gate | None = None, **request: Any) -> Answer | Refusal:
        """The answer, if it refuses nothing. `path`: below the API's address, or a whole address YouTube has named."""
        pair = await self._pair()
        if not pair.access:
            return Refusal(self._trouble or not_connected(self._tools.channel))
        reply = await self._send(pair.access, method, path, gate, request)
        if isinstance(reply, Refusal) and reply.blames_token:
            newer = await self._tools.vault.refused(pair.access, self._renew)
            return await self._send(newer.access, method, path, gate, request) if newer else self._no_token(reply)
        return reply

    async def call_with(self, access: str, path: str, params: Mapping[str, str]) -> Answer | Refusal:
        """A question with a token that is not ours yet."""
        return await self._send(access, "GET", path, None, {"params": params})

    async def ends_at(self) -> datetime | None:
        """When the access token of now ends, as far as that is known."""
        return (await self._pair()).expires_at

    async def trade(self, **grant: str) -> TokenPair | Outcome:
        """A pair for the refresh token or the code of a consent. Nothing is burned when the answer is lost."""
        secret = self._settings.client_secret.get_secret_value()
        form = {"client_id": self._settings.client_id, "client_secret": secret, **grant}
        url, now = f"{self._settings.oauth_url.rstrip('/')}/token", self._tools.clock.now()
        answer = await ask(self._tools.session, self._profile, "POST", url, form=form)
        if not isinstance(answer, Answer):
            return Unavailable(answer.fault, f"Google's token host: {answer.detail}")
        match answer.json():
            case {"access_token": str(access), **rest} if access:
                refresh = str(rest.get("refresh_token") or grant.get("refresh_token") or "") or None
                return TokenPair(access, refresh, now, now + _life(rest.get("expires_in")))
            case {"error": "invalid_grant"}:
                return Denied(f"Google does not renew the token any more (invalid_grant): {CONSENT}")
            case {"error": str(code)} if 400 <= answer.status < 500 and answer.status != 429:
                return Denied(f"Google gives no token ({code}): correct client_id and client_secret")
            case _:
                return Unavailable(Fault.SERVER, f"Google's token host: unreadable answer (HTTP {answer.status})")

    async def _pair(self) -> TokenPair:
        return await self._tools.vault.pair(self._settings.seed, self._renew)

    async def _send(
        self, access: str, method: str, path: str, gate: Gate | None, request: Mapping[str, Any]
    ) -> Answer | Refusal:
        headers = {"Authorization": f"Bearer {access}", **request.get("headers", {})}
        url = path if path.startswith("http") else self._settings.base_url.rstrip("/") + path
        rest = {name: value for name, value in request.items() if name != "headers"}
        answer = await ask(self._tools.session, self._profile, method, url, gate=gate, headers=headers, **rest)
        if not isinstance(answer, Answer):
            return Refusal(answer)
        return classify(answer, self._tools.clock.now()) or answer

    async def _renew(self, pair: TokenPair) -> TokenPair | Outcome:
        """The refresh token stays good, unless Google sends another."""
        if not pair.refresh:
            return Denied(f"there is no refresh token: {CONSENT}")
        result = await self.trade(grant_type="refresh_token", refresh_token=pair.refresh)
        self._trouble = None if isinstance(result, TokenPair) else result
        return result

    def _no_token(self, refusal: Refusal) -> Refusal:
        return replace(refusal, outcome=self._trouble) if self._trouble else refusal


def _life(seconds: object) -> timedelta:
    return timedelta(seconds=seconds) if isinstance(seconds, int) and 0 < seconds < 366 * 86400 else _LIFE
