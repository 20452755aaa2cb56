"""The gateway contract's own words: how a notice is written, how a request is signed, what a refusal means. Pure.

Source: docs/adapters/vneid.md, which is our proposal to whoever runs the gateway; neither app has a public interface.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from adapters._titled import titled
from broker.contract import TextLimit
from broker.model import Composed, Post
from broker.outcome import Denied, Outcome, Rejected
from broker.rules.text import GAP, compose_text, cut, normal

TITLE, BODY = TextLimit(120), TextLimit(1000)

REFUSED: Mapping[str, Outcome] = {
    "bad_signature": Denied("the gateway refuses our signature: compare signing_key with the public key it holds"),
    "unknown_key": Denied("the gateway does not know our key: correct key_id, or hand in the new public key"),
    "clock_skew": Denied("this machine's clock is wrong by more than five minutes: correct it"),
    "not_authorised_for_audience": Denied("the agreement does not cover this audience: correct audience, or extend it"),
    "agreement_suspended": Denied("the agreement is suspended: call the body that runs the gateway"),
    "channel_reserved": Denied("the ministry has reserved the channel for an emergency of its own"),
    "duplicate_key_other_body": Rejected("duplicate_key_other_body", "another text has been sent with the same key"),
}
"""By the gateway's code; what is in no row is told by HTTP status."""


def encode(post: Post, service: str, audience: Sequence[str], link_hosts: Sequence[str]) -> Composed:
    """A notice: its title and text, and the very bytes that every attempt sends."""
    link, short_link = (_allowed(address, link_hosts) for address in (post.link, post.short_link))
    headline, body = titled(post)
    shown = replace(post, headline="", body=body, override=None, link=link, short_link=short_link)
    composed = compose_text(shown, BODY)
    title = cut(normal(headline), TITLE.limit) or post.reference
    notice = {
        "service": service,
        "external_id": post.reference,
        "title": title,
        "body": composed.text,
        "severity": post.urgency,
        "audience": {"kind": "province", "codes": list(audience)} if audience else {"kind": "all"},
        **({"link": link} if link else {}),
    }
    sent = json.dumps(notice, ensure_ascii=False, separators=(",", ":"))
    told = composed.cut if title == headline else f"the headline is cut: titles hold {TITLE.limit} characters"
    return replace(composed, text=title + GAP + composed.text, parts={"body": sent}, cut=told)


def _allowed(address: str | None, hosts: Sequence[str]) -> str | None:
    """The address if it leads to one of these hosts or below one."""
    host = (URL(address).host or "") if address else ""
    return address if any(host == one or host.endswith(f".{one}") for one in hosts) else None


def signing_key(encoded: str) -> Ed25519PrivateKey:
    """The private key in these 32 bytes of base64. ValueError says how it is written, never what it is."""
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(encoded, validate=True))
    except ValueError:
        raise ValueError("signing_key: write the base64 of the 32 bytes of an Ed25519 private key") from None


def signed(
    key: Ed25519PrivateKey, key_id: str, method: str, path: str, seconds: int, nonce: str, body: bytes
) -> dict[str, str]:
    """The headers of one request. The signature covers method, path with query, time, nonce and body."""
    content = "\n".join((method, path, str(seconds), nonce, hashlib.sha256(body).hexdigest()))
    return {
        "X-Key-Id": key_id,
        "X-Timestamp": str(seconds),
        "X-Nonce": nonce,
        "X-Signature": base64.b64encode(key.sign(content.encode())).decode(),
    }


def refusal(status: int, said: Mapping[str, Any]) -> Outcome:
    """What a 4xx means for a notice; `said` is the gateway's own words, if it has any."""
    code = str(said.get("code") or status)
    if known := REFUSED.get(code):
        return known
    if status in (400, 409, 413, 415, 422):
        return Rejected(code, f"the gateway does not take this notice: {said.get('message') or code}")
    return Denied(f"the gateway refuses us (HTTP {status} {code}): check base_url and the agreement")
