"""Announcements by mail to a small list: people on duty, subscribers without an app, editors of other newsrooms.

Source: RFC 5321 and 6409 (submission), 3207 (STARTTLS), 4954 (AUTH), 3834 (automatic mail), 2919 (List-Id), read
2026-11-22. One message in one transaction for all recipients, who do not see each other. Never in the clear: a server
that offers no TLS gets nothing. SMTP has no key and nothing to ask: what is lost after the final dot stays uncertain,
though every attempt has the same Message-ID, by which many mailboxes show a copy once.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

import structlog
from aiosmtplib import (
    SMTP,
    SMTPConnectError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from adapters._mail import SmtpSettings, encode, message_id
from adapters._replies import Phase, Reply, classify
from adapters._titled import titled
from broker.contract import AdapterBase, ChannelSettings, Gate, Job, Profile, Step, Tools
from broker.model import Composed, Post, StepClass, Verb
from broker.outcome import Denied, Fault, Live, Outcome, Unavailable, Uncertain
from broker.rules.text import compose_text

log = structlog.get_logger("loa.smtp")

_NO_TLS = "the server offers no STARTTLS, and nothing is sent in the clear: correct `host`, `port` or `tls`"
_NO_AUTH = "the server offers no login by password (AUTH PLAIN or LOGIN): correct `host` and `port`"


class SmtpAdapter(AdapterBase):
    """Submits mail to one server."""

    Settings: ClassVar[type[ChannelSettings]] = SmtpSettings

    def __init__(self, settings: SmtpSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        host, _ = settings.server
        self.profile = Profile(
            adapter="smtp",
            operator=settings.host,
            country="",
            hosts=(host,),
            login=settings.username,
            push=True,
            steps=(Step("send", StepClass.NOTHING),),
            abilities=frozenset({Verb.PROBE, Verb.REHEARSE}),
            look_back=None,
            rate_per_s=1.0,
        ).adjusted(settings)

    def compose(self, post: Post) -> Composed:
        subject, _ = titled(post)
        return replace(compose_text(post), parts={"subject": subject, "language": post.language})

    async def publish(self, job: Job) -> Outcome:
        live = Live(message_id(job, self._settings.sender))
        message = encode(job, self._settings, self._tools.agency)

        async def send(client: SMTP) -> Outcome:
            return await self._envelope(client, len(message)) or await _send(client, message, job.gate) or live

        return await self._talk(send, job.gate)

    async def probe(self) -> Outcome:
        """Up to the login, and no mail."""

        async def ask(client: SMTP) -> Outcome:
            await client.noop()
            return Live(self.profile.operator)

        return await self._talk(ask)

    async def rehearse(self) -> Outcome:
        """Up to the recipients, whom the server must know, and no mail."""

        async def address(client: SMTP) -> Outcome:
            return await self._envelope(client, 0) or Live(self.profile.operator)

        return await self._talk(address)

    async def _talk(self, work: Callable[[SMTP], Awaitable[Outcome]], gate: Gate | None = None) -> Outcome:
        """One connection, ended politely only where a command is expected."""
        client = self._client()
        try:
            async with asyncio.timeout(self.profile.total_timeout.total_seconds()):
                outcome = await self._log_in(client) or await work(client)
            _quit(client)
            return outcome
        except SMTPResponseException as error:
            if gate is None or not gate.passed:
                return classify(Reply.of(error.code, error.message), Phase.SESSION)
            return Uncertain(Fault.SERVER, "unreadable answer")
        except (SMTPException, OSError, TimeoutError) as error:
            fault, detail = _fault(error)
            return Uncertain(fault, detail) if gate is not None and gate.passed else Unavailable(fault, detail)
        finally:
            client.close()

    def _client(self) -> SMTP:
        settings = self._settings
        host, port = settings.server
        return SMTP(
            hostname=host,
            port=port,
            local_hostname=settings.sender.partition("@")[2],
            use_tls=settings.tls == "implicit",
            start_tls=False,
            cert_bundle=str(settings.ca_file) if settings.ca_file else None,
            timeout=None,
        )

    async def _log_in(self, client: SMTP) -> Denied | None:
        await client.connect(timeout=self.profile.connect_timeout.total_seconds())
        await client.ehlo()
        if self._settings.tls == "starttls":
            if not client.supports_extension("starttls"):
                return Denied(_NO_TLS)
            await client.starttls()
            await client.ehlo()
        username, password = self._settings.username, self._settings.password
        if username is None or password is None:
            return None
        if "plain" in client.server_auth_methods:
            await client.auth_plain(username, password.get_secret_value())
        elif "login" in client.server_auth_methods:
            await client.auth_login(username, password.get_secret_value())
        else:
            return Denied(_NO_AUTH)
        return None

    async def _envelope(self, client: SMTP, size: int) -> Outcome | None:
        """Sender and recipients; None when at least one recipient was taken, the others are told to the log."""
        options = [f"SIZE={size}"] if client.supports_extension("size") else []
        try:
            await client.mail(self._settings.sender, options=options)
        except SMTPSenderRefused as error:
            return classify(Reply.of(error.code, error.message), Phase.SENDER)
        refused = []
        for recipient in dict.fromkeys(self._settings.recipients):
            try:
                await client.rcpt(recipient.get_secret_value())
            except SMTPRecipientRefused as error:
                refused.append(Reply.of(error.code, error.message))
                if error.code == 421:  # the server hangs up
                    return classify(refused[-1], Phase.RECIPIENT)
        if len(refused) == len(set(self._settings.recipients)):
            return classify(min(refused, key=lambda reply: reply.code), Phase.RECIPIENT)
        if refused:
            replies = dict(Counter(map(str, refused)))
            log.warning("smtp.recipients_refused", channel=self._tools.channel, refused=len(refused), replies=replies)
        return None


async def _send(client: SMTP, message: bytes, gate: Gate) -> Outcome | None:
    """The message itself; None when the server took it. The gate is asked after the server's leave, before our text."""
    leave = await client.execute_command(b"DATA")
    if leave.code != 354:
        return classify(Reply.of(leave.code, leave.message), Phase.RECIPIENT)
    assert client.protocol is not None
    gate.enter()
    client.protocol.write(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
    answer = await client.protocol.read_response()
    if answer.code == 250:
        return None
    if answer.code // 100 not in (4, 5):
        return Uncertain(Fault.SERVER, f"an answer that makes no sense ({answer.code})")
    return classify(Reply.of(answer.code, answer.message), Phase.CONTENT)


def _quit(client: SMTP) -> None:
    """Says good-bye and waits for nothing: the outcome is known."""
    with suppress(SMTPServerDisconnected):
        if client.protocol is not None:
            client.protocol.write(b"QUIT\r\n")


def _fault(error: BaseException) -> tuple[Fault, str]:
    """From the cause that says most; texts of errors are not used, for they may name recipients."""
    match error:
        case _ if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            return Fault.TLS, "TLS failed"
        case SMTPConnectError() if isinstance(error.__cause__, socket.gaierror):
            return Fault.DNS, "name not found"
        case SMTPConnectError() if isinstance(error.__cause__, SMTPServerDisconnected):
            return Fault.NO_BYTE, "connection closed without a greeting"
        case SMTPConnectError() if isinstance(error, TimeoutError):
            return Fault.CONNECT, "no connection or no greeting in time"
        case SMTPConnectError():
            return Fault.CONNECT, "connection refused"
        case TimeoutError():
            return Fault.HANG, "no answer in time"
        case _:
            return Fault.SERVER, "connection lost"
