"""Connecting an Official Account, and what Zalo tells of it. Source: as in `adapters._zalo`."""

from __future__ import annotations

from adapters._consent import Consenting, address, challenge, code_of, invitation, refused
from adapters._zalo import Reply, ZaloApi, ZaloAppSettings, classify
from broker.contract import Account, Consent, Invitation, NotConnected, Particulars, TokenPair, Tools
from broker.outcome import Outcome

GET_OA = "/v2.0/oa/getoa"


class ZaloConnector(Consenting):
    """The account whose administrator agrees."""

    def __init__(self, settings: ZaloAppSettings, tools: Tools, api: ZaloApi) -> None:
        super().__init__(tools, settings.seed)
        self._settings, self._api = settings, api

    def invite(self, consent: Consent) -> Invitation:
        self._needed("app_secret", self._settings.app_secret)
        url = address(
            f"{self._settings.oauth_url}/v4/oa/permission",
            app_id=self._needed("app_id", self._settings.app_id),
            redirect_uri=self._settings.redirect_url,
            code_challenge=challenge(consent.verifier),
            code_challenge_method="S256",
            state=consent.state,
        )
        return Invitation(invitation(self._settings.redirect_url, "the app's callback address"), url)

    async def accept(self, consent: Consent, pasted: str) -> list[Account]:
        code = code_of(pasted, consent)
        pair = await self._api.trade(grant_type="authorization_code", code=code, code_verifier=consent.verifier)
        if not isinstance(pair, TokenPair):
            raise refused("Zalo", pair, code)
        match await self._api.call_with(pair.access, "GET", GET_OA):
            case Reply(code=0, data={"oa_id": oa_id, **rest} | {"oaid": oa_id, **rest}):
                wanted = self._settings.oa_id
                if wanted not in (None, str(oa_id)):
                    raise NotConnected(f"Access was granted to account {oa_id}, not to {wanted} of the configuration.")
                return [Account(id=str(oa_id), name=str(rest.get("name")), pair=pair)]
            case other:
                raise refused("Zalo", classify(other, wrote=False), code, pair.access)

    async def particulars(self) -> Particulars | Outcome:
        match await self._api.call("GET", GET_OA):
            case Reply(code=0, data=dict(account)):
                package = account.get("package_name")
                unverified = account.get("is_verified") is False
                return Particulars(
                    account=f"{account.get('name')} ({account.get('oa_id') or account.get('oaid')})",
                    rights=(f"package {package}",) if package else (),
                    lacks=("the account is not verified: Zalo offers little to such accounts",) if unverified else (),
                    token_ends_at=await self._api.ends_at(),
                    token_renews=True,
                )
            case other:
                return classify(other, wrote=False)
