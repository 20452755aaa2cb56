"""Zalo's Open API as its channels share it: the rotating token, one call, and what its error codes mean.

Source: Zalo's public SDKs for Java and PHP, copies of its pages, and what clients report of it, read 2026-11-22;
docs/adapters/zalo.md says how sure each fact is. Failure comes as HTTP 200 with a negative `error`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from adapters._consent import RenewableSettings, not_connected
from adapters._http import Answer, ask
from broker.contract import Gate, Profile, TokenPair, Tools
from broker.outcome import Denied, Fault, Outcome, Rejected, Throttled, Unavailable, Uncertain

CONSENT = "an administrator of the OA must grant the app access again: `loa connect` shows where"

_TOKEN = frozenset({-216, -124})
_TOKEN_IF_NAMED = frozenset({-155, -201, -220, -301})
"""Clients contradict each other: the token is at fault only if the message says so."""
_SYSTEM = frozenset({-1, -100, -200})
CODES: Mapping[int, Outcome] = {
    -32: Throttled(timedelta(minutes=1)),
    -211: Throttled(timedelta(hours=1)),
    -218: Throttled(timedelta(hours=1)),
    -223: Throttled(timedelta(hours=1)),
    -209: Denied("Zalo does not offer this call to the app: check its permissions at developers.zalo.me"),
    -224: Denied("the OA's package does not include this call: upgrade it in the OA's console"),
    -240: Rejected("-240", "this version of Zalo's API is closed: update Loa"),
    -248: Rejected("-248", "against Zalo's content policy"),
}
"""What a code means beside those above; any other is `Rejected` with Zalo's own message."""

_LIFE = timedelta(hours=25)


class ZaloAppSettings(RenewableSettings):
    """What every Zalo channel needs: the account, the app, and the app's right to act for the account."""

    oa_id: str | None = None
    """None: the account whose token it is."""
    app_id: str
    app_secret: SecretStr
    base_url: str = "https://openapi.zalo.me"
    oauth_url: str = "https://oauth.zaloapp.com"


@dataclass(frozen=True, slots=True)
class Reply:
    """A well-formed answer: `error`, `message`, `data`."""

    code: int
    message: str
    data: Any

    @property
    def blames_token(self) -> bool:
        return self.code in _TOKEN or (self.code in _TOKEN_IF_NAMED and "token" in self.message.lower())

    @property
    def said(self) -> str:
        return f"Zalo says {self.code}: {self.message[:200]}"


def reply_of(answer: Answer) -> Reply | None:
    """None: not in Zalo's own words (HTML, empty, cut short)."""
    match answer.json():
        case {"error": int(code), **rest}:
            return Reply(code, str(rest.get("message") or rest.get("error_name") or ""), rest.get("data"))
        case _:
            return None


def classify(reply: Reply | Outcome, *, wrote: bool) -> Outcome:
    """What an error means; `wrote`: whether the call could have changed what readers see."""
    if not isinstance(reply, Reply):
        return reply
    if reply.blames_token:
        return Denied(f"{reply.said}; {CONSENT}")
    if reply.code in _SYSTEM:
        return _unclear(reply.said, wrote)
    return CODES.get(reply.code) or Rejected(str(reply.code), reply.said)


class ZaloApi:
    """Calls Zalo for one account; renews the token once when Zalo refuses it."""

    def __init__(self, settings: ZaloAppSettings, tools: Tools, profile: Profile) -> None:
        self._settings, self._tools, self._profile = settings, tools, profile
        self._trouble: Outcome | None = None

    async def call(self, method: str, path: str, *, gate: Gate | None = None, **request: Any) -> Reply | Outcome:
        """Zalo's reply, whatever it says; an outcome if there is none, or no token Zalo takes."""
        pair = await self._tools.vault.pair(self._settings.seed, self._renew)
        if not (pair.access or pair.refresh):
            return not_connected(self._tools.channel)
        reply = await self._send(pair.access, method, path, gate, request)
        if isinstance(reply, Reply) and reply.blames_token:
            newer = await self._tools.vault.refused(pair.access, self._renew)
            return await self._send(newer.access, method, path, gate, request) if newer else self._no_token(reply)
        return reply

    async def call_with(self, access: str, method: str, path: str) -> Reply | Outcome:
        """A question with a token that is not ours yet."""
        return await self._send(access, method, path, None, {})

    async def ends_at(self) -> datetime | None:
        """When the access token of now ends, as far as that is known."""
        return (await self._tools.vault.pair(self._settings.seed, self._renew)).expires_at

    async def _send(
        self, access: str, method: str, path: str, gate: Gate | None, request: Mapping[str, Any]
    ) -> Reply | Outcome:
        """A second request with a fresh token is judged by itself, hence the watch."""
        answer = await ask(
            self._tools.session,
            self._profile,
            method,
            f"{self._settings.base_url}{path}",
            gate=_Watch(gate) if gate else None,
            headers={"access_token": access, "appsecret_proof": self._proof(access)},
            **request,
        )
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 429:
            return Throttled(timedelta(minutes=1))
        return reply_of(answer) or _unclear(f"unreadable answer (HTTP {answer.status})", gate is not None)

    def _proof(self, access: str) -> str:
        """Asked for by apps that have it turned on, ignored by others."""
        secret = self._settings.app_secret.get_secret_value().encode()
        return hmac.new(secret, access.encode(), hashlib.sha256).hexdigest()

    def _no_token(self, reply: Reply) -> Outcome:
        match self._trouble:
            case Denied() | Unavailable() | Throttled() as why:
                return why
            case _:
                return Denied(f"{reply.said}, and the token could not be renewed: if Zalo is not down, {CONSENT}")

    async def _renew(self, pair: TokenPair) -> TokenPair | Outcome:
        result = await self._traded(pair)
        self._trouble = None if isinstance(result, TokenPair) else result
        return result

    async def _traded(self, pair: TokenPair) -> TokenPair | Outcome:
        """The next pair for this one, whose refresh token works once: an answer that is lost may have burned it."""
        return await self.trade(grant_type="refresh_token", refresh_token=pair.refresh or "")

    async def trade(self, **grant: str) -> TokenPair | Outcome:
        """A new pair for a refresh token, or for the code of a consent."""
        now = self._tools.clock.now()
        answer = await ask(
            self._tools.session,
            self._profile,
            "POST",
            f"{self._settings.oauth_url}/v4/oa/access_token",
            gate=_Watch(),
            headers={"secret_key": self._settings.app_secret.get_secret_value()},
            form={"app_id": self._settings.app_id, **grant},
        )
        if not isinstance(answer, Answer):
            return answer
        match answer.json():
            case {"access_token": str(access), "refresh_token": str(refresh), **rest} if access and refresh:
                return TokenPair(access, refresh, now, now + _life(rest.get("expires_in")))
            case {"error": int(code)} if code not in _SYSTEM:
                return Denied(f"Zalo gives no token for it ({code}): {CONSENT}")
            case _:
                return Uncertain(Fault.SERVER, f"unreadable answer (HTTP {answer.status})")


class _Watch:
    """One request's own view of the gate: whether these bytes, and not some earlier ones, may have left."""

    def __init__(self, gate: Gate | None = None) -> None:
        self._gate = gate
        self.passed = False

    def enter(self) -> None:
        if self._gate:
            self._gate.enter()
        self.passed = True


def _unclear(detail: str, wrote: bool) -> Outcome:
    return Uncertain(Fault.SERVER, detail) if wrote else Unavailable(Fault.SERVER, detail)


def _life(seconds: object) -> timedelta:
    """Zalo writes the seconds as a string."""
    try:
        life = timedelta(seconds=float(str(seconds)))
    except (ValueError, OverflowError):
        return _LIFE
    return life if timedelta(0) < life < timedelta(days=366) else _LIFE
