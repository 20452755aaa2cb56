"""What a channel's configuration needs in order to talk to an emulator instead of its platform.

Accounts and tokens are the emulator's own: nobody's real secret is used where it is not needed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from adapters.emulators.base import Emulator
from adapters.emulators.consent import LANDED

MAIL_USER, MAIL_PASSWORD = "loa", "smtp-password"
OPTIONS: Mapping[str, Mapping[str, Any]] = {"smtp": {"users": {MAIL_USER: MAIL_PASSWORD}}}
"""What emulators are made with unless told otherwise, so that the settings below fit."""


def settings_for(emulator: Emulator) -> dict[str, str]:
    """Settings of `[channels.NAME]` as text, which replace the configured ones."""
    return _SETTINGS.get(emulator.name, _address)(emulator)


def _address(emulator: Any) -> dict[str, str]:
    return {"base_url": emulator.base_url}


def _app(emulator: Any, oauth_url: str) -> dict[str, str]:
    """What people's consent needs."""
    where = {"oauth_url": oauth_url, "redirect_url": oauth_url + LANDED}
    return {"app_id": emulator.app_id, "app_secret": emulator.app_secret, **where}


def _facebook(emulator: Any) -> dict[str, str]:
    token, held = next(iter(emulator.tokens.items()))
    return {**_address(emulator), **_app(emulator, emulator.base_url), "page_id": held.owner, "token": token}


def _threads(emulator: Any) -> dict[str, str]:
    account = {"user_id": emulator.user_id, "token": next(iter(emulator.tokens))}
    return {**_address(emulator), **_app(emulator, emulator.base_url), **account}


def _instagram(emulator: Any) -> dict[str, str]:
    flavour = {"flavour": "facebook" if emulator.facebook_login else "instagram", "trade_url": emulator.base_url}
    return {**_threads(emulator), **flavour}


def _zalo(emulator: Any) -> dict[str, str]:
    account = {"oa_id": emulator.oa_id, **_app(emulator, emulator.base_urls["oauth"])}
    hosts = {"base_url": emulator.base_urls["api"]}
    unused = next((token for token, is_used in emulator.refresh_tokens.items() if not is_used), "none-left")
    return {**hosts, **account, "refresh_token": unused, "token_of": ""}


def _smtp(emulator: Any) -> dict[str, str]:
    return {**_address(emulator), "tls": "none", "username": MAIL_USER, "password": MAIL_PASSWORD}


def _site(emulator: Any) -> dict[str, str]:
    return {"url": emulator.base_url, "folder": str(emulator.folder)}


def _telegram(emulator: Any) -> dict[str, str]:
    return {**_address(emulator), "token": f"1000000001:{'A' * 35}", "chat_id": f"@{emulator.username}"}


def _tiktok(emulator: Any) -> dict[str, str]:
    oauth_url = emulator.base_urls["www"]
    app = {"client_key": emulator.client_key, "client_secret": emulator.client_secret}
    where = {"oauth_url": oauth_url, "redirect_url": oauth_url + LANDED}
    unused = next((token for token, is_used in emulator.refresh_tokens.items() if not is_used), "none-left")
    mode = "direct" if emulator.audited else "inbox"  # nobody is there to tap a draft
    return {**_address(emulator), **app, **where, "refresh_token": unused, "mode": mode}


def _webhook(emulator: Any) -> dict[str, str]:
    return {**_address(emulator), "allow_private": "true"}


def _vneid(emulator: Any) -> dict[str, str]:
    return {**_address(emulator), "key_id": emulator.key_id, "signing_key": emulator.signing_key}


def _youtube(emulator: Any) -> dict[str, str]:
    google = emulator.base_urls["oauth"]
    hosts = {"base_url": emulator.base_urls["api"], "oauth_url": google, "consent_url": google}
    app = {"client_id": emulator.client_id, "client_secret": emulator.client_secret, "redirect_url": google + LANDED}
    token = {"refresh_token": next(iter(emulator.refresh_tokens), "none-left")}
    return {**hosts, **app, **token, "channel_id": emulator.channel_id}


_SETTINGS: Mapping[str, Callable[[Any], dict[str, str]]] = {
    "facebook": _facebook,
    "instagram": _instagram,
    "site": _site,
    "smtp": _smtp,
    "telegram": _telegram,
    "threads": _threads,
    "tiktok": _tiktok,
    "vneid": _vneid,
    "webhook": _webhook,
    "youtube": _youtube,
    "zalo": _zalo,
    "zalo_push": _zalo,
}
