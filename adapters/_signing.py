"""Signatures of Standard Webhooks: HMAC-SHA256 (`v1`) over id, time and the very bytes of the body.

Source: Standard Webhooks specification (version 2026-08), read 2026-11-22.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

_PREFIX = "whsec_"


def signing_keys(secrets: str) -> list[bytes]:
    """The bytes to sign with, one for each secret. ValueError says how a secret is written, never what it is."""
    try:
        keys = [_decoded(secret) for secret in secrets.split()]
    except ValueError:
        keys = [b""]
    if any(not 24 <= len(key) <= 64 for key in keys):
        raise ValueError(f"secret: write {_PREFIX} followed by the base64 of 24 to 64 random bytes")
    return keys


def _decoded(secret: str) -> bytes:
    encoded = secret.removeprefix(_PREFIX)
    if encoded == secret:
        return b""
    return base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)


def signed(keys: Sequence[bytes], webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of one attempt made `at` this time, with one signature for each key."""
    seconds = str(int(at.timestamp()))
    content = b".".join((webhook_id.encode(), seconds.encode(), body))
    digests = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    headers = {"webhook-id": webhook_id, "webhook-timestamp": seconds}
    if keys:
        headers["webhook-signature"] = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return headers
