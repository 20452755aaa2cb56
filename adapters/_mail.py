"""Settings and messages of a mail list.

Source: RFC 5322, 2047, 2369, 2919 and 3834, read 2026-11-22.
"""

from __future__ import annotations

import re
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP as CRLF
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from yarl import URL

from broker.contract import ChannelSettings, Job

_ADDRESS = re.compile(r"[!#-'*+/-9=?A-Z^-~.-]{1,64}@[A-Za-z0-9.-]{1,253}")
"""Without quotes and comments: what every server takes."""
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("write a plain address such as desk@tin.example, a foreign domain in its xn-- form")
    return value


def _secret_address(value: SecretStr) -> SecretStr:
    _address(value.get_secret_value())
    return value


class SmtpSettings(ChannelSettings):
    """`[channels.NAME]` of a mail list."""

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    """587 unless said; 465 with `tls = "implicit"`, 25 with "none"."""
    base_url: str | None = None
    """`smtp://host:port` instead of both: an emulator or a proxy."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """`none` only for a server on this machine."""
    ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    username: str | None = None
    password: SecretStr | None = None
    sender: Annotated[str, AfterValidator(_address)]
    sender_name: str | None = Field(default=None, pattern=r"^[^\x00-\x1f\x7f]*$")
    """The agency's name unless said."""
    recipients: tuple[Annotated[SecretStr, AfterValidator(_secret_address)], ...] = Field(min_length=1, max_length=100)
    """For more people use a list server's one address."""
    unsubscribe: str | None = Field(default=None, pattern=r"^(mailto:|https://)[!-;=?-~]+$")
    """Where recipients take themselves off the list."""

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password: give both or neither")
        if self.tls == "none" and self.server[0] not in _LOOPBACK:
            raise ValueError('tls: "none" is for a server on this machine; use "starttls" or "implicit"')
        return self

    @property
    def server(self) -> tuple[str, int]:
        url = URL(self.base_url or "")
        return url.host or self.host, url.port or self.port or _PORTS[self.tls]


def message_id(job: Job, sender: str) -> str:
    """The same for every attempt of this delivery."""
    return f"<{re.sub('[^A-Za-z0-9-]', '-', job.key)}@{sender.partition('@')[2]}>"


def encode(job: Job, settings: SmtpSettings, agency: str) -> bytes:
    """The message as it goes over the wire, 7-bit, without the dots that SMTP adds."""
    message = EmailMessage(policy=CRLF)
    message.set_content(job.composed.text, cte="quoted-printable")
    message["Content-Language"] = job.composed.parts["language"]
    message["To"] = "undisclosed-recipients:;"
    message["Date"] = job.started_at
    message["Message-ID"] = message_id(job, settings.sender)
    message["List-Id"] = f"<announcements.{settings.sender.partition('@')[2]}>"
    if settings.unsubscribe:
        message["List-Unsubscribe"] = f"<{settings.unsubscribe}>"
    message["Auto-Submitted"] = "auto-generated"
    sender = f"From: {_words('From', settings.sender_name or agency)} <{settings.sender}>\r\n"
    subject = f"Subject: {_words('Subject', job.composed.parts['subject'])}\r\n"
    return f"{sender}{subject}".encode() + bytes(message)


def _words(header: str, text: str) -> str:
    """Encoded words, folded. EmailMessage would do it, but Python 3.11 loses blanks where two of its words meet."""
    return Header(" ".join(text.split()), "utf-8", header_name=header).encode(linesep="\r\n")
