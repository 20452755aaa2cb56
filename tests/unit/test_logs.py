"""What is written to the log: everything but secrets."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from broker import logs

TELEGRAM = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"
SECRETS = {
    "a bearer key": ("Authorization: Bearer loa_c2VjcmV0LWtleQ", "loa_c2VjcmV0LWtleQ"),
    "basic credentials": ("authorization: basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
    "a token in an address": ("GET https://graph.example/me?fields=id&access_token=EAAB123|x-y&a=1", "EAAB123|x-y"),
    "a proof": ("?appsecret_proof=0a1b2c3d4e", "0a1b2c3d4e"),
    "a bot's token": (f"POST https://api.telegram.org/bot{TELEGRAM}/sendMessage", TELEGRAM),
    "a webhook's secret": ("secret is whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    "our own key": ("key loa_pV8yq0VfYx8Jt1nOaB2dWc4r refused", "loa_pV8yq0VfYx8Jt1nOaB2dWc4r"),
    "a token in JSON": ('{"access_token": "zalo-abc", "expires_in": 3600}', "zalo-abc"),
    "a token in a dict": ("{'refresh_token': 'zalo-def'}", "zalo-def"),
    "a password": ("smtp password=hunter2, retrying", "hunter2"),
    "a password in an address": ("postgresql://loa:hunter2@db.example/loa", "hunter2"),
    "an e-mail address": ("mail to lan.nguyen+desk@tin.example failed", "lan.nguyen+desk@tin.example"),
    "a telephone number": ("sms to +84 912 345 678 failed", "912 345 678"),
    "a local number": ("zalo to 0912345678 failed", "0912345678"),
    "a number with dots": ("call 091.234.5678", "091.234.5678"),
}
HARMLESS = [
    "0195f0c2-7a11-7cc3-98d4-000000000017",
    "0195f0c2-7a11-7cc3-98d4-000000000017-partner",
    "TVD-7QK2F9",
    "2026-11-22T03:04:05.120000Z",
    "2026-11-22T03:04:05+07:00",
    "127.0.0.1:8080",
    "http://127.0.0.1:40853/v1/announcements",
    "Graph API v25.0, 1098_2200000017",
    "took 0.0012345678 s",
    "bản tin số 9 của Tin Ví Dụ",
    "sha256 00ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
]


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """The lines written so far, as JSON."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(as_json=True, stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:], root.level = before


@pytest.mark.parametrize("what", SECRETS)
def test_secrets_are_hidden(what):
    text, secret = SECRETS[what]
    assert secret not in logs.scrub(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_stays(text):
    assert logs.scrub(text) == text


@pytest.mark.parametrize("unit", ["a", "a.", "token", "0", "a@", "+84", '"\\', "Bearer ", "1:", "://a"])
def test_long_texts_take_no_long_time(unit):
    began = time.process_time()
    logs.scrub(unit * (logs.LONGEST // len(unit)))
    assert time.process_time() - began < 0.5


@given(st.text())
def test_any_text_can_be_written(text):
    assert logs.one_line(logs.scrub(text)).isprintable() or not text.isascii()


def test_an_event_keeps_its_shape(logged):
    structlog.get_logger("loa.engine").info("channel_down", channel="tin/zalo", since=5, more={"n": [1, 2.5, None]})
    [line] = logged()
    assert (line["event"], line["channel"], line["since"], line["level"]) == ("channel_down", "tin/zalo", 5, "info")
    assert line["more"] == {"n": [1, 2.5, None]}
    assert str(line["timestamp"]).endswith("Z")


def test_secrets_are_hidden_wherever_they_stand(logged):
    log = structlog.get_logger("loa")
    log.warning(f"bot{TELEGRAM}", headers={"Authorization": "Bearer abcdefgh"}, token="plain", tried=[f"/{TELEGRAM}"])  # noqa: G004
    log.warning("deep", a={"b": [{"api_key": "plain"}]}, error=ValueError(f"no {TELEGRAM}"))
    text = json.dumps(logged())
    assert TELEGRAM not in text
    assert "abcdefgh" not in text
    assert "plain" not in text


def test_other_libraries_write_no_secrets_either(logged):
    try:
        raise RuntimeError(f"https://api.telegram.org/bot{TELEGRAM}/getMe")
    except RuntimeError:
        logging.getLogger("somebody").exception("call to %s failed", f"bot{TELEGRAM}")
    [line] = logged()
    assert TELEGRAM not in json.dumps(line)
    assert "RuntimeError" in str(line["exception"])
    assert line["logger"] == "somebody"


def test_one_event_is_one_line(logged):
    structlog.get_logger("loa").info("a\nb", text="c\r\nd\x1b[31m\u2028")
    assert len(logged()) == 1


def test_people_get_lines_they_can_read():
    root = logging.getLogger()
    before, stream = (root.handlers[:], root.level), io.StringIO()
    logs.configure(as_json=False, stream=stream)
    structlog.get_logger("loa").warning("channel_down", channel="zalo", token="plain", text="\x1b[31mred\nnew line")
    structlog.reset_defaults()
    root.handlers[:], root.level = before
    assert "channel_down" in stream.getvalue()
    assert "plain" not in stream.getvalue()
    assert "\x1b[31mred" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1
