"""TikTok's API v2 as its channel uses it: the rotating token, one call, and what its error codes mean.

Source: TikTok's pages on the Content Posting API, its media transfer, error handling and OAuth, read 2026-11-22. Every
answer carries an `error` object, good ones with the code "ok"; OAuth's has another shape and may come with HTTP 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field, SecretStr

from adapters._consent import RenewableSettings, not_connected
from adapters._http import ALWAYS, Answer, ask
from broker.contract import Gate, Profile, TokenPair, Tools
from broker.outcome import Denied, Fault, Outcome, Rejected, Throttled, Unavailable, Uncertain

CONSENT = "connect the account again and agree to everything: `loa connect` shows where"
UNAUDITED = (
    "TikTok shows posts of an app that is not audited to nobody: have the app audited at developers.tiktok.com,"
    ' or set mode = "inbox"'
)
PRIVATE = (
    "the account may not post for everybody: switch off `private account` in TikTok's privacy settings, and see in the"
    " app whether it is restricted"
)
A_MINUTE, A_DAY = timedelta(minutes=1), timedelta(hours=24)

CODES: Mapping[str, Outcome] = {
    "internal_error": Uncertain(Fault.SERVER, "TikTok reports a fault of its own"),
    "rate_limit_exceeded": Throttled(A_MINUTE),
    "spam_risk_too_many_posts": Throttled(A_DAY),
    "spam_risk_too_many_pending_share": Throttled(A_DAY),
    "reached_active_user_cap": Throttled(A_DAY),
    "access_token_invalid": Denied(f"the token is not valid: {CONSENT}"),
    "scope_not_authorized": Denied(f"a permission is missing: {CONSENT}"),
    "scope_permission_missed": Denied(f"a permission is missing: {CONSENT}"),
    "spam_risk_user_banned_from_posting": Denied("the account is banned from posting: see in the app why, and appeal"),
    "unaudited_client_can_only_post_to_private_accounts": Denied(UNAUDITED),
    "privacy_level_option_mismatch": Denied(PRIVATE),
    "auth_removed": Denied(f"the account took the app's rights away: {CONSENT}"),
    "spam_risk": Rejected("spam_risk", "TikTok takes it for spam"),
    "spam_risk_text": Rejected("spam_risk_text", "TikTok takes the text for spam"),
    "url_ownership_unverified": Rejected(
        "url_ownership_unverified",
        "TikTok fetches pictures only from verified addresses: verify the site's at developers.tiktok.com",
    ),
    "video_pull_failed": Unavailable(Fault.MEDIA, "TikTok could not fetch the video from our media host"),
    "photo_pull_failed": Unavailable(Fault.MEDIA, "TikTok could not fetch a picture from our media host"),
    "internal": Unavailable(Fault.SERVER, "TikTok could not process it"),
    "file_format_check_failed": Rejected("file_format_check_failed", "use MP4 with H.264, or JPEG"),
    "duration_check_failed": Rejected("duration_check_failed", "the video is too long or too short for this account"),
    "frame_rate_check_failed": Rejected("frame_rate_check_failed", "use 23 to 60 frames a second"),
    "picture_size_check_failed": Rejected("picture_size_check_failed", "use pictures and videos of 360 to 4096 pixels"),
    "publish_cancelled": Rejected("publish_cancelled", "somebody has cancelled it in the app"),
}
"""By `error.code` or a publication's `fail_reason`; any other is `Rejected` in TikTok's own words."""

_LIFE = timedelta(hours=24)
_WORDS = 200


class TiktokAppSettings(RenewableSettings):
    """The account, the app, and the app's right to act for the account."""

    mode: Literal["inbox", "direct"] = "inbox"
    """`inbox`: a draft, which a person posts from TikTok's app. `direct`: public at once; for audited apps only."""
    client_key: str
    client_secret: SecretStr
    base_url: str = Field("https://open.tiktokapis.com", pattern=r"^https?://[^/]+$")
    oauth_url: str = Field("https://www.tiktok.com", pattern=r"^https?://[^/]+$")
    """Where people grant access."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A well-formed answer: `data`, and `error` with "ok" or what is wrong."""

    status: int
    code: str
    message: str
    data: Mapping[str, Any]


def reply_of(answer: Answer) -> Reply | None:
    """None: not in TikTok's own words (HTML, empty, cut short)."""
    match answer.json():
        case {"error": {"code": str(code), **rest}, **whole}:
            data = whole.get("data")
            return Reply(answer.status, code, str(rest.get("message") or ""), data if isinstance(data, dict) else {})
        case _:
            return None


def meaning(code: str, message: str = "", status: int = 0) -> Outcome:
    """What a refusal by this code means for a post that was just sent."""
    if known := CODES.get(code):
        return known
    said = f"TikTok says {code}: {' '.join(message.split())[:_WORDS]}"
    return Uncertain(Fault.SERVER, said) if status >= 500 else Rejected(code, said)


class TiktokApi:
    """Calls TikTok for one account; renews the token once when TikTok refuses it."""

    def __init__(self, settings: TiktokAppSettings, tools: Tools, profile: Profile) -> None:
        self._settings, self._tools, self._profile = settings, tools, profile
        self._trouble: Outcome | None = None

    async def write(self, path: str, gate: Gate, body: Mapping[str, Any]) -> Mapping[str, Any] | Outcome:
        """The data of a good answer to a call that may publish."""
        reply = await self._call("POST", path, gate, json_body=body)
        if not isinstance(reply, Reply):
            return reply
        return reply.data if reply.code == "ok" else meaning(reply.code, reply.message, reply.status)

    async def question(
        self, path: str, body: Mapping[str, Any] | None = None, *, access: str = "", **params: str
    ) -> Mapping[str, Any] | Outcome:
        """The data of the answer; a refusal judges no post. `access`: a token that is not ours yet."""
        request = {"params": params, **({} if body is None else {"json_body": body})}
        method = "GET" if body is None else "POST"
        reply = await (
            self._send(access, method, path, None, request) if access else self._call(method, path, None, **request)
        )
        if isinstance(reply, Reply):
            reply = reply if reply.code == "ok" else meaning(reply.code, reply.message, reply.status)
        match reply:
            case Reply():
                return reply.data
            case Uncertain(fault, detail):
                return Unavailable(fault, detail)
            case Rejected(_, detail):
                return Unavailable(Fault.SERVER, f"the question was refused: {detail}")
            case outcome:
                return outcome

    async def upload(self, url: str, gate: Gate, piece: bytes, mime: str, content_range: str) -> Answer | Outcome:
        """A piece of a video, to the address that TikTok gave for it; the address is the right to write there."""
        headers = {"Content-Range": content_range}
        return await ask(
            self._tools.session, self._profile, "PUT", url, gate=gate, headers=headers, body=piece, content_type=mime
        )

    async def ends_at(self) -> datetime | None:
        """When the access token of now ends, as far as that is known."""
        return (await self._tools.vault.pair(self._settings.seed, self._renew)).expires_at

    async def _call(self, method: str, path: str, gate: Gate | None, **request: Any) -> Reply | Outcome:
        """TikTok's reply, whatever it says; an outcome if there is none, or no token TikTok takes."""
        pair = await self._tools.vault.pair(self._settings.seed, self._renew)
        if not (pair.access or pair.refresh):
            return not_connected(self._tools.channel)
        reply = await self._send(pair.access, method, path, gate, request)
        if isinstance(reply, Reply) and reply.code == "access_token_invalid":
            newer = await self._tools.vault.refused(pair.access, self._renew)
            return await self._send(newer.access, method, path, gate, request) if newer else self._no_token()
        return reply

    async def _send(
        self, access: str, method: str, path: str, gate: Gate | None, request: Mapping[str, Any]
    ) -> Reply | Outcome:
        url, headers = f"{self._settings.base_url}{path}", {"Authorization": f"Bearer {access}"}
        answer = await ask(self._tools.session, self._profile, method, url, gate=gate, headers=headers, **request)
        if not isinstance(answer, Answer):
            return answer
        return reply_of(answer) or unreadable(answer)

    def _no_token(self) -> Outcome:
        match self._trouble:
            case Denied() | Unavailable() | Throttled() as why:
                return why
            case _:
                return Denied(f"the token is not valid and could not be renewed: if TikTok is not down, {CONSENT}")

    async def _renew(self, pair: TokenPair) -> TokenPair | Outcome:
        """The next pair for this one, whose refresh token works once: an answer that is lost may have burned it."""
        result = await self.trade(grant_type="refresh_token", refresh_token=pair.refresh or "")
        self._trouble = None if isinstance(result, TokenPair) else result
        return result

    async def trade(self, **grant: str) -> TokenPair | Outcome:
        """A new pair for a refresh token, or for the code of a consent."""
        now = self._tools.clock.now()
        secret = self._settings.client_secret.get_secret_value()
        form = {"client_key": self._settings.client_key, "client_secret": secret, **grant}
        url = f"{self._settings.base_url}/v2/oauth/token/"
        answer = await ask(self._tools.session, self._profile, "POST", url, gate=ALWAYS, form=form)
        if not isinstance(answer, Answer):
            return answer
        match answer.json():
            case {"access_token": str(access), "refresh_token": str(refresh), **rest} if access and refresh:
                return TokenPair(access, refresh, now, now + _life(rest.get("expires_in")))
            case {"error": "invalid_grant"}:
                return Denied(f"TikTok gives no token for it (invalid_grant): {CONSENT}")
            case {"error": str(code)} if answer.status < 500 and code != "internal_error":
                return Denied(f"TikTok gives no token ({code}): correct client_key and client_secret")
            case _:
                return unreadable(answer)


def harmless(outcome: Outcome) -> Outcome:
    """The same of a call of which nothing public can come."""
    return Unavailable(outcome.fault, outcome.detail) if isinstance(outcome, Uncertain) else outcome


def unreadable(answer: Answer) -> Uncertain:
    return Uncertain(Fault.SERVER, f"an answer that nobody can read (HTTP {answer.status})")


def _life(seconds: object) -> timedelta:
    is_sound = isinstance(seconds, int | float) and 0 < seconds < 366 * 86400
    return timedelta(seconds=float(str(seconds))) if is_sound else _LIFE
