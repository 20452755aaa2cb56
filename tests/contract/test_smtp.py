"""The mail adapter on real sockets: our own server with faults on demand, and aiosmtpd as a second opinion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from email import message_from_bytes, message_from_string
from email.message import EmailMessage
from email.policy import default
from typing import ClassVar

import aiohttp
import pytest
import structlog
from aiosmtpd.smtp import SMTP as Server  # noqa: N811 - which side it is matters here
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters._mail import SmtpSettings, encode, message_id
from adapters._replies import Phase, Reply, classify
from adapters.emulators.faults import Kind
from adapters.emulators.smtp import SmtpEmulator
from adapters.smtp import SmtpAdapter
from broker.contract import GateClosed
from broker.model import StepClass, Verb
from broker.outcome import Denied, Fault, Live, Rejected, Throttled, Unavailable, Uncertain
from broker.values import replace
from tests.contract.adapter_suite import Expected, Rehearses
from tests.contract.bench import POST as STORM
from tests.contract.certificates import Certificate
from tests.contract.desk import POST, REFERENCE, DeskGate, job_for, tools

PASSWORD = "mật-khẩu"
RECIPIENTS = ("an@readers.example", "binh@readers.example", "chi@readers.example")
MESSAGE_ID = f"<{POST.announcement_id}-partner@tin.example>"

Make = Callable[..., SmtpAdapter]


NO_HTTP = "SMTP answers by reply codes: its wrong answers are in the tables below"


class TestSmtp(Rehearses):
    adapter = SmtpAdapter
    emulator = SmtpEmulator
    options: ClassVar = {"users": {"tin": PASSWORD}}
    settings: ClassVar = {
        "host": "127.0.0.1",
        "tls": "none",
        "username": "tin",
        "password": PASSWORD,
        "sender": "desk@tin.example",
        "recipients": RECIPIENTS,
    }
    steps: ClassVar = {"send": "publish"}
    has_address = False
    no_limit = "mail has no limit but its size, which the server tells: `5.3.4` is Rejected"
    exempt: ClassVar = {
        **dict.fromkeys((Kind.HTML_500, Kind.HTML_503, Kind.GARBAGE_200, Kind.EMPTY_200), NO_HTTP),
        **dict.fromkeys((Kind.TRUNCATED_JSON, Kind.ERROR_IN_200), NO_HTTP),
        Kind.RUN_LATER: "mail taken and never answered is stored_then_stall",
        Kind.EXPIRED: "a password has no end",
        Kind.REVOKED: "a password that was taken back is a wrong one: logged_out",
    }
    otherwise: ClassVar = dict.fromkeys((Kind.BLACK_HOLE, Kind.TLS_RESET, Kind.SERVER_ERROR), Expected(Unavailable))
    """Without the server's greeting nothing of ours leaves, and 451 says that the mail was not taken."""
    at: ClassVar = {Kind.LOGGED_OUT: "auth", Kind.NO_PERMISSION: "mail", Kind.SUSPENDED: "connect"}

    async def test_a_post_is_published_once_and_word_for_word(self, bench):
        copy = await bench.live()
        [mail] = bench.log.copies(STORM.reference)
        assert mail.text.split() == [*copy.composed.parts["subject"].split(), *copy.composed.text.split()]

    async def test_a_wrong_certificate_stops_everything(self, bench, impostor):
        adapter = bench.new_adapter(base_url=impostor.replace("https", "smtp"), tls="implicit")
        for outcome in (await bench.copy().publish(adapter), await adapter.probe()):
            assert isinstance(outcome, Unavailable)
            assert outcome.fault is Fault.TLS

    @pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.STALL, Kind.THROTTLED, Kind.LOGGED_OUT, Kind.SUSPENDED])
    async def test_a_probe_tells_what_is_wrong(self, bench, kind):
        """As far as the login, which is as far as a probe goes."""
        await bench.emulator.fail(kind)
        outcome = await bench.against(kind).probe()
        assert isinstance(outcome, self.expected(kind).answer if kind in (*self.at, Kind.THROTTLED) else Unavailable)
        assert not bench.log.taken

    async def test_a_rehearsal_shows_readers_nothing(self, bench):
        assert isinstance(await bench.adapter.rehearse(), Live)
        assert bench.log.asked("rcpt")
        assert not bench.log.taken

    @pytest.mark.parametrize(
        "kind", [Kind.STALL, Kind.SERVER_ERROR, Kind.THROTTLED, Kind.LOGGED_OUT, Kind.NO_PERMISSION]
    )
    async def test_a_rehearsal_finds_what_would_stop_a_post(self, bench, kind):
        await bench.emulator.fail(kind, step=self.at.get(kind, "rcpt"))
        assert not isinstance(await bench.against(kind).rehearse(), Live)
        assert not bench.log.taken


@pytest.fixture
async def server(certificate: Certificate) -> AsyncIterator[SmtpEmulator]:
    users = {"tin": PASSWORD}
    async with SmtpEmulator(users=users, certificate=certificate.certificate, key=certificate.key) as emulator:
        yield emulator


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def make(session: aiohttp.ClientSession, server: SmtpEmulator, certificate: Certificate) -> Make:
    def make(**rest: object) -> SmtpAdapter:
        given = {
            "host": "127.0.0.1",
            "port": server.port(),
            "ca_file": certificate.certificate,
            "username": "tin",
            "password": PASSWORD,
            "sender": "desk@tin.example",
            "recipients": RECIPIENTS,
            "total_timeout": timedelta(seconds=3),
            **rest,
        }
        return SmtpAdapter(SmtpSettings.model_validate(given), tools(session, channel="email"))

    return make


@pytest.fixture
def adapter(make: Make) -> SmtpAdapter:
    return make()


# -- the message


async def test_a_mail_reaches_all_recipients_who_do_not_see_each_other(adapter, server):
    job = job_for(adapter)
    assert await adapter.publish(job) == Live(MESSAGE_ID)
    [post] = server.log.posts
    assert (post.author, post.extra["user"], tuple(post.extra["recipients"])) == ("desk@tin.example", "tin", RECIPIENTS)
    assert not any(recipient in post.extra["message"] for recipient in RECIPIENTS)
    message = message_from_string(post.extra["message"], policy=default)
    assert isinstance(message, EmailMessage)
    assert dict(message.items()) == {
        "From": "Tin Ví Dụ <desk@tin.example>",
        "To": "undisclosed-recipients:;",
        "Subject": POST.headline,
        "Date": "Sun, 22 Nov 2026 03:00:00 +0000",
        "Message-ID": MESSAGE_ID,
        "List-Id": "<announcements.tin.example>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "vi",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
        "MIME-Version": "1.0",
    }
    assert message.get_content().replace("\r\n", "\n").rstrip() == job.composed.text
    await server.until(lambda log: log.asked("quit"))
    assert [request.step for request in server.log.requests] == [
        *("connect", "ehlo", "starttls", "ehlo", "auth", "mail", "rcpt", "rcpt", "rcpt", "data", "publish", "quit")
    ]


async def test_every_attempt_has_the_same_message_id(adapter, server):
    job = job_for(adapter)
    for attempt in (1, 2):
        later = POST.written_at + timedelta(hours=attempt)
        await adapter.publish(replace(job, attempt=attempt, started_at=later))
    assert {post.extra["message_id"] for post in server.log.posts} == {MESSAGE_ID}


async def test_dots_at_line_starts_survive(adapter, server):
    job = job_for(adapter, replace(POST, override="Một\n.\n..\n.hai\nba"))
    assert isinstance(await adapter.publish(job), Live)
    [post] = server.log.posts
    assert "\n.\n..\n.hai\nba" in post.text


ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
WORDS = st.sampled_from(
    ["Bão", "số", "9", "áp thấp nhiệt đới", "Tin", "x" * 90, "😀", "“gió”", "=?utf-8?q?x?=", "a,b;c"]
)
HEADLINES = ANY.filter(str.strip) | st.lists(WORDS, min_size=1, max_size=40).map(" ".join)


@given(HEADLINES, ANY)
def test_no_text_breaks_the_message(headline: str, body: str):
    settings = SmtpSettings(host="mail.example", sender="desk@tin.example", recipients=RECIPIENTS)
    adapter = SmtpAdapter(settings, tools(None))  # type: ignore[arg-type]
    job = job_for(adapter, replace(POST, headline=headline, body=body))
    wire = encode(job, settings, "Tin Ví Dụ")
    assert wire.isascii()
    assert max(len(line) for line in wire.split(b"\r\n")) <= 998
    assert b"\n" not in wire.replace(b"\r\n", b"")
    message = message_from_bytes(wire, policy=default)
    assert isinstance(message, EmailMessage)
    assert message["Message-ID"] == message_id(job, settings.sender)
    assert message["Subject"] == " ".join(headline.split())
    assert message.get_content() == job.composed.text.replace("\n", "\r\n") + "\r\n"


async def test_a_list_can_say_where_to_leave_it(make, server):
    adapter = make(unsubscribe="mailto:leave@tin.example", sender_name="Ban Thời sự")
    await adapter.publish(job_for(adapter))
    message = message_from_string(server.log.posts[0].extra["message"], policy=default)
    assert message["List-Unsubscribe"] == "<mailto:leave@tin.example>"
    assert message["From"] == "Ban Thời sự <desk@tin.example>"


# -- recipients


async def test_recipients_the_server_refuses_hold_up_nobody(adapter, server):
    server.refuse_recipient(RECIPIENTS[0])
    server.refuse_recipient(RECIPIENTS[2], f"450 4.2.2 <{RECIPIENTS[2]}>: mailbox full")
    with structlog.testing.capture_logs() as lines:
        assert isinstance(await adapter.publish(job_for(adapter)), Live)
    assert server.log.posts[0].extra["recipients"] == [RECIPIENTS[1]]
    assert lines == [
        {
            "event": "smtp.recipients_refused",
            "log_level": "warning",
            "channel": "email",
            "refused": 2,
            "replies": {"550 5.1.1": 1, "450 4.2.2": 1},
        }
    ]


async def test_if_nobody_is_taken_a_passing_refusal_wins(adapter, server):
    for recipient in RECIPIENTS:
        server.refuse_recipient(recipient, f"550 5.1.1 <{recipient}>: no such user")
    outcome = await adapter.publish(job_for(adapter))
    assert isinstance(outcome, Denied)
    assert "recipients" in outcome.detail
    assert not any(recipient in repr(outcome) for recipient in RECIPIENTS)
    server.refuse_recipient(RECIPIENTS[1], "450 4.2.1 busy")
    assert await adapter.publish(job_for(adapter)) == Throttled(timedelta(minutes=5))
    assert server.log.taken == []


async def test_addresses_and_password_are_never_shown(adapter):
    shown = repr(adapter._settings) + str(adapter._settings.model_dump()) + repr(adapter.profile)
    assert not any(secret in shown for secret in (*RECIPIENTS, PASSWORD))


# -- answers


@pytest.mark.parametrize(
    ("fault", "step", "outcome"),
    [
        ("throttled", "connect", Throttled(timedelta(minutes=5))),
        ("throttled", "rcpt", Throttled(timedelta(minutes=5))),
        ("throttled", "publish", Throttled(timedelta(minutes=5))),
        ("server_error", "connect", Unavailable(Fault.SERVER, "the server cannot take mail now (421 4.3.2)")),
        ("server_error", "ehlo", Unavailable(Fault.SERVER, "the server cannot take mail now (451 4.3.0)")),
        ("server_error", "starttls", Unavailable(Fault.SERVER, "the server cannot take mail now (451 4.3.0)")),
        ("server_error", "mail", Unavailable(Fault.SERVER, "the server cannot take mail now (451 4.3.0)")),
        ("server_error", "rcpt", Unavailable(Fault.SERVER, "the server cannot take mail now (451 4.3.0)")),
        ("server_error", "data", Unavailable(Fault.SERVER, "the server cannot take mail now (451 4.3.0)")),
        ("server_error", "publish", Unavailable(Fault.SERVER, "the server cannot take mail now (451 4.3.0)")),
        ("logged_out", None, Denied),
        ("no_permission", None, Denied),
        ("suspended", None, Denied),
        ("policy", None, Rejected),
        ("reset_before", "connect", Unavailable(Fault.NO_BYTE, "connection closed without a greeting")),
        ("reset_before", "ehlo", Unavailable(Fault.SERVER, "connection lost")),
        ("reset_before", "starttls", Unavailable(Fault.SERVER, "connection lost")),
        ("reset_before", "rcpt", Unavailable(Fault.SERVER, "connection lost")),
        ("reset_before", "data", Unavailable(Fault.SERVER, "connection lost")),
        ("reset_before", "publish", Uncertain(Fault.SERVER, "connection lost")),
        ("stored_then_reset", None, Uncertain(Fault.SERVER, "connection lost")),
    ],
)
async def test_each_answer_has_its_outcome(adapter, server, fault, step, outcome):
    await server.fail(fault, step=step)
    got = await adapter.publish(job_for(adapter))
    assert got == outcome if not isinstance(outcome, type) else type(got) is outcome
    assert len(server.log.taken) == (fault == "stored_then_reset")


@pytest.mark.parametrize(
    ("code", "text", "phase", "outcome"),
    [
        (454, "4.7.0 server said", Phase.SESSION, Unavailable),
        (421, "", Phase.SESSION, Unavailable),
        (421, "4.7.0 server said", Phase.SESSION, Throttled),
        (530, "5.7.0 server said", Phase.SESSION, Denied),
        (534, "5.7.9 server said", Phase.SESSION, Denied),
        (535, "", Phase.SESSION, Denied),
        (550, "5.7.26 server said", Phase.CONTENT, Denied),
        (550, "5.1.8 server said", Phase.SENDER, Denied),
        (550, "5.7.1 server said", Phase.RECIPIENT, Denied),
        (550, "", Phase.RECIPIENT, Denied),
        (551, "", Phase.RECIPIENT, Denied),
        (552, "5.2.2 server said", Phase.RECIPIENT, Denied),
        (450, "4.2.0 server said", Phase.RECIPIENT, Throttled),
        (450, "", Phase.RECIPIENT, Unavailable),
        (452, "4.5.3 server said", Phase.RECIPIENT, Unavailable),
        (452, "4.3.1 server said", Phase.CONTENT, Unavailable),
        (552, "", Phase.CONTENT, Rejected),
        (552, "5.3.4 server said", Phase.SENDER, Rejected),
        (554, "5.7.1 server said", Phase.CONTENT, Rejected),
        (550, "4.7.1 server said", Phase.CONTENT, Throttled),  # the enhanced code wins
        (500, "", Phase.SESSION, Rejected),
        (555, "5.5.4 server said", Phase.SENDER, Rejected),
        (299, "2.0.0 server said", Phase.SENDER, Unavailable),
        (-1, "", Phase.SESSION, Unavailable),
        (599, "", Phase.SENDER, Denied),
    ],
)
def test_replies_are_read_from_the_table(code, text, phase, outcome):
    got = classify(Reply.of(code, text), phase)
    assert type(got) is outcome
    assert "server said" not in repr(got)


@asynccontextmanager
async def saying(*answers: bytes) -> AsyncIterator[int]:
    """A server that says one thing to each line, and at last hangs up; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            writer.write(answer)
            if not await reader.readline():
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n"], Unavailable),
        ([b"\x00\xff\r\n"], Unavailable),
        ([b"220 hi\r\n", b"999 what\r\n"], Unavailable),
        ([b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"<html>\r\n"], Uncertain),
        ([b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"199 hm\r\n"], Uncertain),
        ([b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"250 no leave\r\n"], Unavailable),
        ([b"220 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"421 4.7.0 bye\r\n"], Throttled),
    ],
)
async def test_nonsense_is_certain_only_before_the_message(make, answers, outcome):
    async with saying(*answers) as port:
        adapter = make(port=port, tls="none", username=None, password=None, recipients=RECIPIENTS[:1])
        assert type(await adapter.publish(job_for(adapter))) is outcome


# -- the wire


async def test_a_refused_connection_is_unavailable(adapter, server):
    await server.fail("refused")
    assert await adapter.publish(job_for(adapter)) == Unavailable(Fault.CONNECT, "connection refused")


async def test_a_name_nobody_knows_is_unavailable(make):
    adapter = make(host="nobody.invalid")
    assert await adapter.publish(job_for(adapter)) == Unavailable(Fault.DNS, "name not found")


@pytest.mark.parametrize(
    ("fault", "step", "outcome"),
    [
        ("black_hole", None, Unavailable(Fault.CONNECT, "no connection or no greeting in time")),
        ("stall", "connect", Unavailable(Fault.CONNECT, "no connection or no greeting in time")),
        ("stall", "auth", Unavailable(Fault.HANG, "no answer in time")),
        ("slow_drip", "rcpt", Unavailable(Fault.HANG, "no answer in time")),
        ("stall", "publish", Uncertain(Fault.HANG, "no answer in time")),
        ("stored_then_stall", "publish", Uncertain(Fault.HANG, "no answer in time")),
    ],
)
async def test_a_server_that_hangs_is_left_in_time(make, server, fault, step, outcome):
    adapter = make(total_timeout=timedelta(seconds=2), connect_timeout=timedelta(seconds=0.5))
    await server.fail(fault, step=step)
    async with asyncio.timeout(60):
        assert await adapter.publish(job_for(adapter)) == outcome


async def test_a_closed_gate_ends_the_transaction(adapter, server):
    with pytest.raises(GateClosed):
        await adapter.publish(job_for(adapter, gate=DeskGate(is_open=False)))
    await server.until(lambda log: log.asked("data"))
    assert server.log.taken == []
    assert isinstance(await adapter.publish(job_for(adapter)), Live)


async def test_the_gate_is_asked_after_the_servers_leave(make, server):
    gate = DeskGate()
    await server.fail("server_error", step="data")
    adapter = make()
    await adapter.publish(job_for(adapter, gate=gate))
    assert not gate.passed


# -- never in the clear


async def test_without_starttls_nothing_is_sent(make):
    async with SmtpEmulator(users={"tin": PASSWORD}) as plain:
        outcome = await make(port=plain.port()).publish(job_for(make()))
        assert isinstance(outcome, Denied)
        assert "STARTTLS" in outcome.detail
        assert {request.step for request in plain.log.requests} == {"connect", "ehlo"}


async def test_an_unknown_certificate_is_not_trusted(make, server):
    adapter = make(ca_file=None)
    assert await adapter.publish(job_for(adapter)) == Unavailable(Fault.TLS, "TLS failed")
    assert await make(ca_file=None, port=server.port(), tls="implicit").probe() != Live("127.0.0.1")
    assert not server.log.asked("auth")


async def test_a_wrong_password_is_told_once(make, server):
    outcome = await make(password="wr0ng").publish(job_for(make()))
    assert isinstance(outcome, Denied)
    assert "password" in outcome.detail
    assert "wr0ng" not in repr(outcome)
    assert len(server.log.asked("auth")) == 1  # no second method is tried: accounts are locked for less


async def test_a_server_without_login_gets_no_mail(make, certificate):
    async with SmtpEmulator(certificate=certificate.certificate, key=certificate.key) as open_server:
        outcome = await make(port=open_server.port()).publish(job_for(make()))
        assert isinstance(outcome, Denied)
        assert "AUTH" in outcome.detail


async def test_a_server_on_this_machine_may_do_without_tls(make):
    async with SmtpEmulator() as local:
        adapter = make(host="relay.example", tls="none", username=None, password=None, base_url=local.base_url)
        assert (adapter.profile.operator, adapter.profile.hosts) == ("relay.example", ("127.0.0.1",))
        assert isinstance(await adapter.publish(job_for(adapter)), Live)
        assert local.log.copies(REFERENCE)


# -- the other verbs


async def test_a_probe_logs_in_and_sends_nothing(adapter, server):
    assert await adapter.probe() == Live("127.0.0.1")
    await server.until(lambda log: log.asked("quit"))
    assert [request.step for request in server.log.requests][-2:] == ["noop", "quit"]
    await server.fail("logged_out")
    assert isinstance(await adapter.probe(), Denied)
    await server.heal()
    await server.fail("refused")
    assert isinstance(await adapter.probe(), Unavailable)


async def test_a_rehearsal_asks_for_every_recipient_and_sends_nothing(adapter, server):
    assert await adapter.rehearse() == Live("127.0.0.1")
    assert len(server.log.asked("rcpt")) == 3
    await server.fail("no_permission")
    assert isinstance(await adapter.rehearse(), Denied)
    assert server.log.taken == []


def test_mail_is_never_repeated_and_rings(adapter):
    profile = adapter.profile
    assert profile.steps[0].after_uncertain is StepClass.NOTHING
    assert profile.abilities == {Verb.PROBE, Verb.REHEARSE}
    assert (profile.operator, profile.login, profile.push) == ("127.0.0.1", "tin", True)


# -- a second opinion


class Inbox:
    """What aiosmtpd took."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        self.envelopes.append(envelope)
        return "250 OK"


def _checked(server: Server, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login, data.password) == (b"tin", PASSWORD.encode()), handled=False)


async def test_aiosmtpd_takes_our_mail_by_starttls_and_auth(make, certificate: Certificate):
    inbox = Inbox()

    def serve() -> Server:
        context = certificate.for_server()
        return Server(inbox, tls_context=context, require_starttls=True, auth_required=True, authenticator=_checked)

    listener = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0)
    try:
        port = listener.sockets[0].getsockname()[1]
        adapter = make(port=port)
        job = job_for(adapter, replace(POST, override="Đề mục\n.\n.hai"))
        assert await adapter.publish(job) == Live(MESSAGE_ID)
        assert isinstance(await make(port=port, password="wr0ng").probe(), Denied)
    finally:
        listener.close()
        await listener.wait_closed()
    [envelope] = inbox.envelopes
    assert tuple(envelope.rcpt_tos) == RECIPIENTS
    assert isinstance(envelope.content, bytes)
    message = message_from_bytes(envelope.content, policy=default)
    assert isinstance(message, EmailMessage)
    assert message["Subject"] == "Đề mục"
    assert message.get_content().replace("\r\n", "\n").rstrip() == job.composed.text


# -- settings


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"recipients": ["x y@s3cret.example"]}, "plain address"),
        ({"recipients": ["s3cret"]}, "plain address"),
        ({"recipients": ["<s3cret@tin.example>"]}, "plain address"),
        ({"recipients": ["s3cret@tin.example\r\nRCPT TO:<x@y>"]}, "plain address"),
        ({"recipients": ["s3crèt@tin.example"]}, "plain address"),
        ({"recipients": []}, "recipients"),
        ({"recipients": [f"s3cret{n}@tin.example" for n in range(101)]}, "100"),
        ({"sender": "Desk <s3cret@tin.example>"}, "plain address"),
        ({"username": "s3cret"}, "both or neither"),
        ({"tls": "none"}, "starttls"),
        ({"tls": "maybe"}, "tls"),
        ({"sender_name": "a\r\nBcc: s3cret@tin.example"}, "sender_name"),
        ({"unsubscribe": "javascript:s3cret"}, "unsubscribe"),
        ({"host": ""}, "host"),
        ({"hots": "s3cret"}, "hots"),
    ],
)
def test_wrong_settings_are_told_without_addresses(given, word):
    known = {"host": "mail.example", "sender": "desk@tin.example", "recipients": ["a@b.example"]}
    with pytest.raises(ValidationError) as told:
        SmtpSettings.model_validate({**known, **given})
    assert word in str(told.value)
    assert "s3cr" not in str(told.value)


def test_ports_follow_tls():
    known = {"sender": "desk@tin.example", "recipients": ["a@b.example"]}
    ports = [
        SmtpSettings.model_validate({"host": "localhost", "tls": tls, **known}).server[1]
        for tls in ("starttls", "implicit", "none")
    ]
    assert ports == [587, 465, 25]
