"""Sessions of people: a signed cookie that holds whose key let them in, and since when; the key itself is nowhere."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from broker.api.doorman import Visitor
from broker.rules.agency import Agency, ApiKey, Scope

IDLE = timedelta(hours=2)
"""A session nobody used for so long is over."""
AT_MOST = timedelta(hours=12)
"""One shift; then the key is asked for again."""
BY_LINK_AT_MOST = timedelta(hours=1)
RENEW_AFTER = timedelta(minutes=1)
LINK_SCOPES = frozenset({Scope.READ, Scope.OPERATE})
"""Whoever has a link may look and settle what is unclear. To speak for the agency takes a key."""
LINK_NAME = "desk-link"
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """One person's session. Times are seconds since 1970."""

    agency: str
    key: str | None
    """SHA-256 of the API key; None: came by a link."""
    nonce: str
    began: int
    seen: int

    @property
    def ends(self) -> int:
        longest = BY_LINK_AT_MOST if self.key is None else AT_MOST
        return min(self.began + int(longest.total_seconds()), self.seen + int(IDLE.total_seconds()))


def begin(agency: str, key: str | None, now: datetime) -> Session:
    at = int(now.timestamp())
    return Session(agency, key, secrets.token_hex(8), at, at)


def renewed(session: Session, now: datetime) -> Session:
    """Seen now; itself when it was a moment ago."""
    at = int(now.timestamp())
    return replace(session, seen=at) if at - session.seen > RENEW_AFTER.total_seconds() else session


def visitor_of(
    session: Session, agencies: Mapping[str, Agency], whose: Callable[[str], Visitor | None]
) -> Visitor | None:
    """Who it is; None when key or agency are configured no more."""
    if session.agency not in agencies:
        return None
    if session.key is None:
        return Visitor(session.agency, ApiKey(LINK_NAME, "", LINK_SCOPES))
    found = whose(session.key)
    return found if found and found.agency == session.agency else None


@dataclass(frozen=True, slots=True)
class Seal:
    """Signs sessions and forms."""

    secret: bytes

    def cookie(self, session: Session) -> str:
        payload = urlsafe_b64encode(json.dumps(asdict(session)).encode()).decode()
        return f"{payload}.{self._mark('session', payload)}"

    def session(self, cookie: str, now: datetime) -> Session | None:
        """The session in a cookie; None when it is not ours, was altered, or is over."""
        payload, _, mark = cookie[:_LONGEST].partition(".")
        if not hmac.compare_digest(mark.encode(), self._mark("session", payload).encode()):
            return None
        try:
            session = Session(**json.loads(urlsafe_b64decode(payload)))
        except (ValueError, TypeError, NotBase64):
            return None
        return session if session.seen - 60 <= now.timestamp() < session.ends else None

    def form_token(self, session: Session, path: str) -> str:
        """What only a form we gave to this session for this path holds."""
        return self._mark("form", f"{session.nonce}:{path}")

    def fits(self, token: str, session: Session, path: str) -> bool:
        return hmac.compare_digest(token.encode(), self.form_token(session, path).encode())

    def _mark(self, use: str, text: str) -> str:
        return hmac.new(self.secret, f"{use}:{text}".encode(), hashlib.sha256).hexdigest()
