"""A submission server: STARTTLS, AUTH, one reply for each recipient, and mail kept for inspection.

Source: RFC 5321, 3207, 4954 and 3463, read 2026-11-22. A fault without a step strikes where its kind belongs (`_AT`),
those of the connection and the exchange at the greeting; "publish" is the answer to the message itself.
"""

import asyncio
import base64
import binascii
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Unpack

from typing_extensions import override

from adapters.emulators.base import Common, Emulator, hook
from adapters.emulators.door import ProtocolFactory, reset
from adapters.emulators.faults import CONNECTION, Fault, Kind

_STEPS = ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "publish", "noop", "quit")
_ANYWHERE = frozenset({Kind.RESET_BEFORE, Kind.STALL, Kind.SLOW_DRIP, Kind.SERVER_ERROR, Kind.THROTTLED})
_STORED = frozenset({Kind.STORED_THEN_RESET, Kind.STORED_THEN_STALL})
_AT: Mapping[str, frozenset[Kind]] = {
    "connect": frozenset({Kind.SUSPENDED}),
    "auth": frozenset({Kind.LOGGED_OUT}),
    "mail": frozenset({Kind.NO_PERMISSION}),
    "publish": _STORED | {Kind.POLICY},
}
_SAYS = {
    Kind.SERVER_ERROR: "451 4.3.0 Local error in processing",
    Kind.THROTTLED: "450 4.7.1 Greylisted, try again later",
    Kind.SUSPENDED: "554 5.7.1 You are blocked",
    Kind.LOGGED_OUT: "535 5.7.8 Authentication failed",
    Kind.NO_PERMISSION: "550 5.7.1 Not allowed to send from this address",
    Kind.POLICY: "554 5.7.1 Message refused",
}
_GREETING = {
    Kind.SERVER_ERROR: "421 4.3.2 Service not available",
    Kind.THROTTLED: "421 4.7.0 Too many connections",
}
_LONGEST_LINE = 1 << 20


class SmtpEmulator(Emulator):
    """`users`: who may send, name -> password; with none, everybody. `certificate` and `key`: PEM files; without them
    the server offers no STARTTLS. With both, AUTH is offered only inside TLS.
    """

    name = "smtp"
    scheme = "smtp"
    greets_first = True
    kinds = CONNECTION | _ANYWHERE | _STORED | frozenset(_SAYS) | {Kind.SILENT_DROP}

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
        max_recipients: int = 100,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.users = dict(users or {})
        self.max_recipients = max_recipients
        self.refusals: dict[str, str] = {}
        self.tls: ssl.SSLContext | None = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate, key)

    @override
    def steps(self) -> Mapping[str, bool]:
        return {step: step == "publish" for step in _STEPS}

    @override
    def protocol(self, host: str) -> ProtocolFactory:
        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, EOFError, ValueError, ssl.SSLError):
                await _Session(self, host, reader, writer).run()
            reset(writer.transport)

        return lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=_LONGEST_LINE), converse)

    @hook
    def refuse_recipient(self, address: str, reply: str | None = "550 5.1.1 No such user") -> None:
        """Answer RCPT for this address so; None: take it again."""
        if reply is None:
            self.refusals.pop(address, None)
        else:
            self.refusals[address] = reply


class _Session:
    """One connection."""

    def __init__(
        self, server: SmtpEmulator, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._host = host
        self._reader = reader
        self._writer = writer
        self._secure = False
        self._user = ""
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._expects_text = False
        self._commands: Mapping[str, tuple[str, Callable[[str], Awaitable[str]]]] = {
            "EHLO": ("ehlo", self._ehlo),
            "STARTTLS": ("starttls", self._starttls),
            "AUTH": ("auth", self._auth),
            "MAIL": ("mail", self._mail),
            "RCPT": ("rcpt", self._rcpt),
            "DATA": ("data", self._data),
            "RSET": ("noop", self._reset),
            "NOOP": ("noop", self._noop),
            "QUIT": ("quit", self._quit),
        }

    async def run(self) -> None:
        await self._step("connect", self._greet, "")
        while not self._writer.is_closing() and (line := await self._line()):
            verb, _, rest = line.partition(" ")
            step, answer = self._commands.get(verb.upper(), ("noop", self._unknown))
            await self._step(step, answer, rest)
            if self._expects_text:
                self._expects_text = False
                await self._step("publish", self._store, await self._text())

    async def _step(self, step: str, answer: Callable[[str], Awaitable[str]], rest: str) -> None:
        """Answer one command, or go wrong as the fault in force has it."""
        record = self._server.record(step.upper(), "", step, self._host)
        fault = self._server.faults.take(_ANYWHERE | _AT.get(step, frozenset()), step, self._host)
        if fault is None:
            reply = await answer(rest)
            record.verdict = reply[:3] or record.verdict
            await self._say(reply)
        else:
            record.verdict = fault.kind
            await self._go_wrong(fault, step, answer, rest)
        self._server.tell()

    async def _go_wrong(self, fault: Fault, step: str, answer: Callable[[str], Awaitable[str]], rest: str) -> None:
        stored = await answer(rest) if fault.stored or fault.kind in _STORED | {Kind.SLOW_DRIP} else ""
        match fault.kind:
            case Kind.RESET_BEFORE | Kind.STORED_THEN_RESET:
                reset(self._writer.transport)
            case Kind.STALL | Kind.STORED_THEN_STALL:
                await self._server.hang()
                reset(self._writer.transport)
            case Kind.SLOW_DRIP:
                await self._drip(stored, 0.5 if fault.after is None else fault.after)
            case kind:
                await self._say(_GREETING.get(kind, _SAYS[kind]) if step == "connect" else _SAYS[kind])

    async def _drip(self, reply: str, pause: float) -> None:
        for character in reply:
            if self._writer.is_closing():
                return
            self._writer.write(character.encode())
            await asyncio.sleep(pause)
        self._writer.write(b"\r\n")

    async def _say(self, reply: str) -> None:
        """Hangs up after a 221 or 421, as servers do; says nothing for ""."""
        if not reply or self._writer.is_closing():
            return
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()
        if reply[:3] in ("221", "421"):
            self._writer.close()

    async def _line(self) -> str:
        return (await self._reader.readline()).decode("latin-1").rstrip("\r\n")

    # -- commands

    async def _greet(self, rest: str) -> str:
        return "220 mail.example ESMTP"

    async def _ehlo(self, rest: str) -> str:
        offers = ["mail.example", "SIZE 10485760", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self._server.tls and not self._secure:
            offers.append("STARTTLS")
        elif self._server.users:
            offers.append("AUTH PLAIN LOGIN")
        return "\r\n".join([*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}"])

    async def _starttls(self, rest: str) -> str:
        if self._server.tls is None or self._secure:
            return "502 5.5.1 Not offered"
        self._writer.write(b"220 2.0.0 Go ahead\r\n")
        await self._writer.start_tls(self._server.tls)
        self._secure = True
        return ""

    async def _auth(self, rest: str) -> str:
        if not self._server.users or (self._server.tls and not self._secure):
            return "502 5.5.1 Not offered"
        method, _, initial = rest.partition(" ")
        if method.upper() == "PLAIN":
            _, user, password = [*_decoded(initial or await self._asked("")).split("\0"), "", ""][:3]
        elif method.upper() == "LOGIN":
            user, password = (
                _decoded(initial or await self._asked("Username:")),
                _decoded(await self._asked("Password:")),
            )
        else:
            return "504 5.5.4 Unknown method"
        if not user or self._server.users.get(user) != password:
            return _SAYS[Kind.LOGGED_OUT]
        self._user = user
        return "235 2.7.0 Authentication successful"

    async def _asked(self, prompt: str) -> str:
        await self._say(f"334 {base64.b64encode(prompt.encode()).decode()}")
        return await self._line()

    async def _mail(self, rest: str) -> str:
        if self._server.users and not self._user:
            return "530 5.7.0 Authentication required"
        self._sender, self._recipients = _path(rest), []
        return "250 2.1.0 Ok"

    async def _rcpt(self, rest: str) -> str:
        if self._sender is None:
            return "503 5.5.1 MAIL first"
        recipient = _path(rest)
        if refusal := self._server.refusals.get(recipient):
            return refusal
        if len(self._recipients) >= self._server.max_recipients:
            return "452 4.5.3 Too many recipients"
        self._recipients.append(recipient)
        return "250 2.1.5 Ok"

    async def _data(self, rest: str) -> str:
        if not self._recipients:
            return "503 5.5.1 RCPT first"
        self._expects_text = True
        return "354 End data with <CR><LF>.<CR><LF>"

    async def _text(self) -> str:
        """The message without the dots that were added; EOFError when the connection ends before the final one."""
        lines: list[bytes] = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                raise EOFError
            lines.append(line.removeprefix(b"."))
        return b"".join(lines).decode("latin-1")

    async def _store(self, text: str) -> str:
        message = message_from_bytes(text.encode("latin-1"), policy=default)
        body = message.get_body(("plain",))
        shown = f"{message['Subject']}\n\n{body.get_content() if body else ''}".replace("\r\n", "\n")
        queue_id, sender, recipients = self._server.digits(10), self._sender or "", self._recipients
        self._sender, self._recipients = None, []
        extra = {"message_id": message["Message-ID"], "recipients": recipients, "message": text}
        self._server.take_in(queue_id, shown, sender, user=self._user, **extra)
        return f"250 2.0.0 Ok: queued as {queue_id}"

    async def _reset(self, rest: str) -> str:
        self._sender, self._recipients = None, []
        return "250 2.0.0 Ok"

    async def _noop(self, rest: str) -> str:
        return "250 2.0.0 Ok"

    async def _quit(self, rest: str) -> str:
        return "221 2.0.0 Bye"

    async def _unknown(self, rest: str) -> str:
        return "500 5.5.2 Unknown command"


def _path(text: str) -> str:
    """The address of `FROM:<a@b> SIZE=9`."""
    return text.partition("<")[2].partition(">")[0]


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
