"""Connecting a TikTok account, and what TikTok tells of it. Source: TikTok's Login Kit pages, read 2026-11-22."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters._consent import Consenting, address, code_of, invitation, refused
from adapters._tiktok import PRIVATE, TiktokApi, TiktokAppSettings
from adapters._tiktok_texts import EVERYBODY
from broker.contract import Account, Consent, Invitation, Particulars, TokenPair, Tools
from broker.outcome import Denied, Fault, Outcome, Unavailable

RIGHTS = {
    "inbox": ("user.info.basic", "video.upload"),
    "direct": ("user.info.basic", "video.publish", "video.list"),
}


class TiktokConnector(Consenting):
    """The account of the person who agrees."""

    def __init__(self, settings: TiktokAppSettings, tools: Tools, api: TiktokApi) -> None:
        super().__init__(tools, settings.seed)
        self._settings, self._api = settings, api

    def invite(self, consent: Consent) -> Invitation:
        self._needed("client_secret", self._settings.client_secret)
        url = address(
            f"{self._settings.oauth_url}/v2/auth/authorize/",
            client_key=self._needed("client_key", self._settings.client_key),
            redirect_uri=self._settings.redirect_url,
            response_type="code",
            scope=",".join(RIGHTS[self._settings.mode]),
            state=consent.state,
        )
        return Invitation(invitation(self._settings.redirect_url, "one of the app's redirect addresses"), url)

    async def accept(self, consent: Consent, pasted: str) -> list[Account]:
        code, redirect_url = code_of(pasted, consent), self._settings.redirect_url
        pair = await self._api.trade(grant_type="authorization_code", code=code, redirect_uri=redirect_url)
        if not isinstance(pair, TokenPair):
            raise refused("TikTok", pair, code)
        found = await self.person(pair.access)
        if not isinstance(found, dict):
            raise refused("TikTok", found, code, pair.access)
        return [Account(id=str(found["open_id"]), name=str(found.get("display_name")), pair=pair)]

    async def person(self, access: str = "") -> dict[str, Any] | Outcome:
        """The account whose token it is; `access`: not ours, but this one."""
        fields = "open_id,display_name"
        match await self._api.question("/v2/user/info/", access=access, fields=fields):
            case {"user": {"open_id": str(open_id)} as user}:
                return {"open_id": open_id, "display_name": user.get("display_name")}
            case Mapping():
                return Unavailable(Fault.SERVER, "an account that nobody can read")
            case outcome:
                return outcome

    async def creator(self) -> dict[str, Any] | Outcome:
        """How the account may post, asked before every post that is to be public at once; or that it may not."""
        match await self._api.question("/v2/post/publish/creator_info/query/", {}):
            case {"privacy_level_options": [*options], **rest}:
                return {f"{name}": value for name, value in rest.items()} if EVERYBODY in options else Denied(PRIVATE)
            case Mapping():
                return Unavailable(Fault.SERVER, "an account that nobody can read")
            case outcome:
                return outcome

    async def particulars(self) -> Particulars | Outcome:
        user = await self.person()
        if not isinstance(user, dict):
            return user
        creator = await self.creator() if self._settings.mode == "direct" else {}
        if not isinstance(creator, dict) and creator != Denied(PRIVATE):
            return creator
        return Particulars(
            account=f"{user.get('display_name')} ({user['open_id']})",
            rights=RIGHTS[self._settings.mode],
            lacks=(creator.detail,) if isinstance(creator, Denied) else (),
            mode=self._settings.mode,
            token_ends_at=await self._api.ends_at(),
            token_renews=True,
        )
