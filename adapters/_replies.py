"""What SMTP replies mean, as data. The enhanced code (RFC 3463) wins over the three digits; no text is ever read.

Source: RFC 5321, RFC 3463, RFC 4954 and the registry of enhanced status codes, read 2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from broker.outcome import Denied, Fault, Rejected, Throttled, Unavailable

LATER = timedelta(minutes=5)
"""SMTP names no time to come back; greylisting asks for some minutes."""


class Phase(StrEnum):
    """How far a transaction has come."""

    SESSION = "session"
    """Greeting, EHLO, STARTTLS, AUTH."""
    SENDER = "sender"
    """MAIL."""
    RECIPIENT = "recipient"
    """RCPT, and DATA up to the leave to send."""
    CONTENT = "content"
    """The answer to the message itself."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a server, without its text, which may name recipients."""

    code: int
    enhanced: str | None = None

    @classmethod
    def of(cls, code: int, text: str) -> Reply:
        found = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", text)
        return cls(code, found.group() if found else None)

    @property
    def decisive(self) -> str:
        return self.enhanced or str(self.code)

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)


@dataclass(frozen=True, slots=True)
class _Row:
    code: str
    """Pattern of the three digits."""
    decisive: str
    """Pattern of the enhanced code, or of the three digits where there is none."""
    phases: Sequence[Phase]
    outcome: type[Throttled] | type[Unavailable] | type[Denied] | type[Rejected]
    sentence: str = ""


_ANY = tuple(Phase)
_SESSION, _SENDER, _RECIPIENT, _CONTENT = ((phase,) for phase in Phase)
_NO_LOGIN = "the server refuses our password: correct `username` and `password`"
_NO_SENDER = "the server does not send mail from this address for us: correct `sender`, or ask the provider"
_NOBODY = "the server knows none of the recipients: correct `recipients`"
_POLICY = "the server refuses our mail: ask the provider whether address or account are blocked"

# The first row that fits counts.
_ROWS = (
    _Row("454", ".*", _SESSION, Unavailable, "the server cannot check passwords now"),
    _Row(".*", r"4\.7\..*", _ANY, Throttled),  # greylisting, too many connections
    _Row(".*", r"4\.2\..*", _RECIPIENT, Throttled),  # mailboxes that are busy or full for now
    _Row("4..", ".*", _ANY, Unavailable, "the server cannot take mail now"),
    _Row("53[0458]", ".*", _SESSION, Denied, _NO_LOGIN),
    _Row(".*", r"5\.7\.(0|3|8|9|13|14)", _SESSION, Denied, _NO_LOGIN),
    _Row(".*", r"5\.7\.2[0-9]", _ANY, Denied, "our mail fails SPF, DKIM or DMARC: correct the domain's records"),
    _Row(".*", r"5\.1\.[78]", _ANY, Denied, _NO_SENDER),
    _Row(".*", r"5\.1\..*|5\.2\.[12]|551|553", _RECIPIENT, Denied, _NOBODY),
    _Row(".*", r"5\.3\.4|5\.2\.3|523|552", _ANY, Rejected, "the message is too big for the server"),
    _Row(".*", r"5\.5\..*|50[0-4]|555", _ANY, Rejected, "the server does not understand us"),
    _Row(".*", ".*", _CONTENT, Rejected, "the server refuses this message"),
    _Row(".*", r"550", _RECIPIENT, Denied, _NOBODY),
    _Row(".*", ".*", _ANY, Denied, _POLICY),
)


def classify(reply: Reply, phase: Phase) -> Throttled | Unavailable | Denied | Rejected:
    """What a refusal in this phase means. After each of them nothing was accepted."""
    if reply.code // 100 not in (4, 5):
        return Unavailable(Fault.SERVER, f"an answer that makes no sense ({reply})")
    row = next(row for row in _ROWS if phase in row.phases and _fits(row, reply))
    told = f"{row.sentence} ({reply})"
    if row.outcome is Throttled:
        return Throttled(LATER)
    if row.outcome is Unavailable:
        return Unavailable(Fault.SERVER, told)
    return Rejected(reply.decisive, told) if row.outcome is Rejected else Denied(told)


def _fits(row: _Row, reply: Reply) -> bool:
    return bool(re.fullmatch(row.code, str(reply.code)) and re.fullmatch(row.decisive, reply.decisive))
