"""Letting a person connect an account without a public address of ours: they open the consent page in their browser,
and paste back the address where it landed, which holds a code to be traded for a token.

Source: RFC 6749 (authorization code, state) and RFC 7636 (PKCE), read 2026-11-22.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import Field, SecretStr

from broker.contract import Account, ChannelSettings, Consent, NotConnected, TokenPair, Tools
from broker.outcome import Denied, Outcome, Rejected, Throttled, Unavailable, Uncertain

_LANDED = (
    "Make sure that {url} is {called} in its settings on the platform. Then open the address below in a browser, as a"
    " person who may manage the account, and agree; copy the whole address of the page where you land, which may well"
    " say that it cannot be shown, and paste it here"
)
_WORDS = 200


class RenewableSettings(ChannelSettings):
    """Settings of an account whose access tokens are renewed by a refresh token."""

    refresh_token: SecretStr | None = None
    """None: the one that `loa connect` obtains. Where it works once, its successors are kept in the store."""
    access_token: SecretStr | None = None
    redirect_url: str = Field("https://localhost/", pattern=r"^https?://\S+$")
    """Where the browser lands after consent, as the app has it registered. Nothing needs to answer there."""

    @property
    def seed(self) -> TokenPair:
        """The configuration's own tokens."""
        access = self.access_token.get_secret_value() if self.access_token else ""
        return TokenPair(access, self.refresh_token.get_secret_value() if self.refresh_token else None)


class Consenting:
    """What all connectors share: where the token of the chosen account goes."""

    def __init__(self, tools: Tools, seed: TokenPair) -> None:
        self._tools, self._seed = tools, seed

    async def keep(self, account: Account) -> None:
        await self._tools.vault.replace(account.pair, self._seed)

    def _needed(self, name: str, value: SecretStr | str | None) -> str:
        """The setting's value. Raises `NotConnected` when it is not there."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not text or text.startswith("replace-with-"):
            raise NotConnected(f"Set channels.{self._tools.channel}.{name} in the configuration and restart Loa first.")
        return text


def invitation(redirect_url: str, called: str) -> str:
    """What to do with the address of a consent page; `called`: what the platform calls the redirect address."""
    return _LANDED.format(url=redirect_url, called=called)


def address(url: str, /, **query: str) -> str:
    return f"{url}?{urlencode(query)}"


def challenge(verifier: str) -> str:
    """PKCE's S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def code_of(pasted: str, consent: Consent) -> str:
    """The code in the address a person pasted. Raises `NotConnected` without repeating what it was."""
    text = pasted.strip().strip("<>\"'")
    try:
        found = {name: values[0] for name, values in parse_qs(urlsplit(text).query).items()}
    except ValueError:
        found = {}
    if "error" in found or "error_code" in found:
        said = found.get("error_description") or found.get("error_message") or found.get("error", "no reason given")
        raise NotConnected(f"Access was not granted ({_plain(said)}): start again and agree to everything.")
    if not found.get("code"):
        raise NotConnected("There is no code in it: paste the whole address of the page where the browser landed.")
    if not hmac.compare_digest(found.get("state", "").encode(), consent.state.encode()):
        raise NotConnected("This is the answer to another question, perhaps an older one: open the address given now.")
    return found["code"]


def refused(by: str, outcome: Outcome | None, *hide: str) -> NotConnected:
    """What kept us from trading the code; `hide` is taken out of the platform's words."""
    match outcome:
        case Denied(detail) | Rejected(_, detail):
            why = f"{by} refuses: {detail}"
        case Throttled(retry_after):
            why = f"{by} asks to come again in {retry_after.total_seconds():.0f} s"
        case Unavailable(fault, detail) | Uncertain(fault, detail):
            why = f"{by} does not answer as it should ({detail or fault.value})"
        case _:
            why = f"{by} answers what nobody can read"
    for secret in filter(None, hide):
        why = why.replace(secret, "***")
    return NotConnected(f"{why}. A code works once: start again.")


def not_connected(channel: str) -> Denied:
    return Denied(f"no account is connected: run `loa connect {channel}`")


async def never_renewed(pair: TokenPair) -> Outcome:
    """For tokens without a life of their own."""
    return Denied("this token cannot be renewed: connect the account again")


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:_WORDS]
