"""Whatever is wrong with a command: its exit code, one clear sentence on stderr, and nothing half done."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest

from broker.cli.announce import _watched
from broker.cli.attaching import uploaded
from broker.cli.client import Client
from broker.cli.exits import Exit, Unwatched, exit_of
from broker.errors import RequestError
from tests.contract.cli.conftest import EXAMPLE, ROOT, Loa, Server, started, stopped

NEWS = ("--headline", "Tin", "--body", "Bài")

# What can be seen without any server: nothing is sent anywhere.
USAGE = [
    (["nonsense"], 2, "No such command 'nonsense'"),
    (["send", "--nonsense"], 2, "No such option"),
    (["send"], 2, "There is nothing to say"),
    (["send", "gone.txt"], 2, "gone.txt cannot be read: No such file"),
    (["send", "."], 2, "cannot be read: Is a directory"),
    (["send", "a\0b"], 2, "the name cannot be used"),
    (["send", *NEWS, "--send-at", "tomorrow"], 2, "--send-at 'tomorrow' is no time"),
    (["send", *NEWS, "--override", "zalo"], 2, "write CHANNEL=TEXT"),
    (["send", *NEWS], 2, "No API key was given"),
    (["send", *NEWS, "--key-file", "gone"], 2, "The key file gone cannot be read"),
    (["send", *NEWS, "--server", "nowhere"], 2, "is no address"),
    (["status", "--follow"], 2, "--follow needs the ID"),
    (["status", "--limit", "0"], 2, "--limit"),
    (["resolve", "TVD-7QK2F9", "zalo", "perhaps"], 2, "say `live` or `not-live`"),
    (["key", "new", "--scopes", "everything"], 2, "'everything' is no scope: choose from read, send, operate"),
    (["key", "new", "--scopes", ","], 2, "no scope was named"),
    (["key", "new", "  "], 2, "needs a name"),
    (["key", "new", "\udcff"], 2, "needs a name"),
    (["send", *NEWS, "--media", "a", "--alt", "\udcff"], 2, "--alt holds bytes that are no UTF-8"),
    (["withdraw", "", "--server", "http://127.0.0.1:9"], 2, "The id or name is empty"),
    (["sandbox", "--control-port", "99999"], 2, "--control-port"),
    (["sandbox", "myspace"], 2, "choose from"),
    (["demo", "--sabotage", "rain"], 2, "choose from"),
    (["check", "--config", "gone.toml"], 2, "gone.toml: there is no such file"),
    (["serve", "--config", "gone.toml"], 2, "`loa init` makes one"),
    (["send", *NEWS, "--local", "--config", "gone.toml"], 2, "there is no such file"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), USAGE, ids=[ascii(" ".join(a)) for a, *_ in USAGE])
def test_wrong_usage(arguments: list[str], code: int, told: str, loa: Loa, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {"LOA_KEY": "loa_x"} if {"nowhere", "resolve", "withdraw"} & {*arguments} else {}
    said = loa(*arguments, **environment)
    assert said.code == code, said.err
    assert told in said.err
    assert said.err.startswith("loa: ")
    assert said.out == ""


# What the server judges: the same sentences with their fields.
REFUSED = [
    (["send", "--headline", "", "--body", "Bài"], 2, "headline is empty"),
    (["send", "--headline", "Tin", "--body", "a\ud800b"], 2, "body"),
    (["send", "--headline", "x" * 301, "--body", "Bài"], 2, "headline"),
    (["send", "--headline", "Tin", "--body", "x" * 60_000], 2, "body"),
    (["send", *NEWS, "--route", "sideways"], 2, "there is no route `sideways`"),
    (["send", *NEWS, "--link", "no address"], 2, "link"),
    (["send", *NEWS, "--expires-at", "2001-01-01T00:00+00:00"], 2, "expires_at is in the past"),
    (["send", *NEWS, "--override", "myspace=Tin"], 2, "overrides.myspace is no channel"),
    (["send", *NEWS, "--replaces", "TVD-000000"], 2, "replaces names no announcement"),
    (["preview", *NEWS, "--route", "sideways"], 2, "there is no route `sideways`"),
    (["status", "TVD-000000"], 4, "There is no announcement"),
    (["status", "TVD-000000", "--follow"], 4, "There is no announcement"),
    (["withdraw", "TVD-000000"], 4, "There is no announcement"),
    (["resolve", "TVD-000000", "zalo", "live"], 4, "There is no announcement"),
    (["status", "--only", "somewhere"], 2, "status"),
    (["probe", "myspace"], 4, "There is no channel 'myspace'"),
    (["probe", "my\udcffspace"], 4, "There is no channel 'my?space'"),
    (["withdraw", "TVD-000000", "--because", "\udcff"], 2, "because must be text in UTF-8"),
    (["pause", "../channels"], 4, "There is no channel"),
    (["rehearse", "myspace"], 4, "There is no channel 'myspace'"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), REFUSED, ids=[ascii(" ".join(a)[:40]) for a, *_ in REFUSED])
def test_what_the_server_refuses(arguments: list[str], code: int, told: str, loa: Loa, server: Server):
    before = loa("status", "--json", **server.environment).json
    said = loa(*arguments)
    assert (said.code, said.out) == (code, ""), said.err
    assert told in said.err
    assert said.err.count("\n") == 1
    assert loa("status", "--json").json == before


def test_a_foreign_key_is_named(loa: Loa, server: Server):
    said = loa("status", LOA_URL=server.url, LOA_KEY="loa_somebody_else")
    assert (said.code, said.out) == (2, "")
    assert "API key" in said.err
    assert loa("status", LOA_KEY="khóa").code == 2


def test_no_server_is_told_apart_from_a_wrong_one(loa: Loa, server: Server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    said = loa("status", LOA_URL=address, LOA_KEY="loa_x")
    assert said.code == 3
    assert f"No server answers at {address}" in said.err
    said = loa("status", LOA_URL=server.url.replace("http:", "https:"))
    assert (said.code, "it speaks no TLS" in said.err) == (3, True)
    said = loa("status", LOA_URL=server.platforms["webhook"]["base_urls"]["api"])
    assert said.code == 3
    assert "is no Loa server" in said.err


def test_errors_are_json_where_json_was_asked_for(loa: Loa, server: Server):
    said = loa("send", "--json", "--headline", "", "--body", "Bài", **server.environment)
    assert said.code == 2
    error = said.json["error"]
    assert error["code"] == "invalid_input"
    assert error["fields"] == [{"path": "headline", "problem": "is empty: write something"}]
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["nonsense"], ["send", "--nonsense"], ["status", "--limit", "0"], ["send"]])
def test_wrong_usage_is_json_too(loa: Loa, arguments: list[str]):
    said = loa(*arguments, "--json")
    assert said.code == 2
    assert said.json["error"]["code"] == "invalid_input"
    assert said.err == f"loa: {said.json['error']['detail']}\n"


def test_help_and_version_need_nothing(loa: Loa):
    assert loa("--version").out == f"loa {version('loa')}\n"
    shown = loa()
    assert (shown.code, shown.err) == (2, "")
    assert "Usage: loa" in shown.out
    assert loa("send", "--help").code == 0


def test_waiting_goes_on_when_the_server_restarts(loa: Loa, tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    key, config = "loa_restart-0123456789", tmp_path / "loa.toml"
    keys = f'keys = [{{ name = "k", sha256 = "{sha256(key.encode()).hexdigest()}", scopes = ["send", "read"] }}]'
    config.write_text(
        f'[server]\nlisten = "{listen}"\n[store]\nurl = "sqlite:///{tmp_path}/loa.db"\n'
        f'[agency]\nname = "Tin"\nprefix = "TVD"\n{keys}\n'
        '[channels.dead]\nadapter = "webhook"\nurl = "http://127.0.0.1:9/x"\nallow_private = true\n',
        encoding="utf-8",
    )
    environment = {"LOA_URL": f"http://{listen}", "LOA_KEY": key}
    server, _ = started("serve", "--config", str(config))
    waiting = subprocess.Popen(
        [sys.executable, "-m", "broker", "send", *NEWS, "--wait"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiting.stderr is not None
        reference = waiting.stderr.readline().split()[0]
        assert "accepted" in waiting.stderr.readline()
        server.kill()
        server.communicate()
        server, _ = started("serve", "--config", str(config))
        assert loa("withdraw", reference, **environment).code == 0
        out, err = waiting.communicate(timeout=120)
    finally:
        waiting.kill()
        assert stopped(server) == 0
    assert (waiting.returncode, "No server" in err) == (1, False)
    assert "withdrawn" in out


def test_a_server_that_is_gone_is_no_reason_to_send_again(loa: Loa):
    """What `send --wait` says when there is nobody left to ask."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{free.getsockname()[1]}", "loa_x")

    async def watched() -> None:
        async with client:
            await _watched(client, {"id": "0195", "reference": "TVD-7QK2F9"}, quiet=True)

    with pytest.raises(Unwatched, match="TVD-7QK2F9 is accepted and not lost: do not send it again") as caught:
        asyncio.run(watched())
    assert exit_of(caught.value) is Exit.NOT_REACHED
    assert "connection refused" in str(caught.value)


async def test_a_file_that_was_not_taken_in_says_why(tmp_path: Path):
    async def refuse(_path: Path, _alt: str) -> str:
        raise RequestError("The disk is full: free some space.", code="store_full", status=507)

    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(RequestError, match=r"a.jpg was not taken in. The disk is full: free some space.") as caught:
        await uploaded([(str(tmp_path / "a.jpg"), "")], refuse)
    assert caught.value.status == 507


def test_files_that_cannot_be_read(loa: Loa, tmp_path: Path):
    cases = {
        "tcvn.txt": ("Tin\n\nBão".encode("cp1258", "replace") + b"\xd0", "is no UTF-8 text"),
        "half.json": (b'{"headline": "Tin"', "is no JSON"),
        "list.json": (b"[]", "one JSON object"),
        "twice.json": (b'{"headline": "Tin", "headline": "Tan"}', "a field is given twice"),
        "deep.json": (b"[" * 200_000, "is no JSON that can be used"),
        "empty.txt": (b"", "No API key"),
    }
    for name, (content, told) in cases.items():
        (tmp_path / name).write_bytes(content)
        said = loa("send", str(tmp_path / name))
        assert (said.code, told in said.err) == (2, True), said.err


def test_every_problem_of_a_configuration_is_named_at_once(loa: Loa, tmp_path: Path):
    config = tmp_path / "loa.toml"
    text = EXAMPLE.read_text(encoding="utf-8")
    config.write_text(text.replace('prefix = "TVD"', "prefix = 7").replace("chat_id", "chatid"), encoding="utf-8")
    for command in ("check", "serve"):
        said = loa(command, "--config", str(config), LOA_CHANNELS__FACEBOOK__TOKN="x")
        assert said.code == 2
        assert "agency.prefix: " in said.err
        assert "channels.telegram.chatid: unknown key; did you mean `chat_id`?" in said.err
        assert "variable LOA_CHANNELS__FACEBOOK__TOKN" in said.err
    problems = loa("check", "--json", "--config", str(config)).json["error"]["problems"]
    assert len(problems) >= 3


def test_a_wrong_setting_is_named_with_where_it_was_set(loa: Loa, tmp_path: Path):
    wrong = {"PARTNER__SECRET": "geheim", "FACEBOOK__PAGE_ID": "Tin", "TELEGRAM__TOKEN_OF": "zalo"}
    variables = {f"LOA_CHANNELS__{name}": value for name, value in wrong.items()}
    said = loa("check", "--config", str(EXAMPLE), **variables)
    assert (said.code, "geheim" in said.err) == (2, False)
    for told in (
        "channels.partner.secret: write whsec_",
        "channels.facebook.page_id: is no number of an account: write its digits only",
    ):
        assert told in said.err
    for name in wrong.keys() - {"TELEGRAM__TOKEN_OF"}:
        assert f"(variable LOA_CHANNELS__{name})" in said.err
    said = loa("check", "--config", str(EXAMPLE), LOA_CHANNELS__PARTNER__SECRET="", LOA_CHANNELS__FACEBOOK__PAGE_ID="1")
    assert "channels.telegram.token_of: `zalo` is no channel of telegram" in said.err


def test_a_goal_out_of_reach_is_an_error_at_start(loa: Loa, tmp_path: Path):
    config = tmp_path / "loa.toml"
    text = EXAMPLE.read_text(encoding="utf-8").replace("goal = { operators = 2", "goal = { operators = 9")
    config.write_text(text, encoding="utf-8")
    said = loa("serve", "--config", str(config))
    assert said.code == 2
    assert "routes.breaking.goal.operators: 9 cannot be met" in said.err


def test_a_second_process_on_the_same_store_and_a_taken_port(loa: Loa, tmp_path: Path):
    config = tmp_path / "loa.toml"
    config.write_text(
        f'[server]\nlisten = "127.0.0.1:0"\n[store]\nurl = "sqlite:///{tmp_path}/loa.db"\n'
        '[agency]\nname = "Tin"\nprefix = "TVD"\n'
        '[channels.partner]\nadapter = "webhook"\nurl = "http://127.0.0.1:9/x"\nallow_private = true\n',
        encoding="utf-8",
    )
    process, ready = started("serve", "--config", str(config))
    try:
        for command in (["serve"], ["send", "--local", *NEWS]):
            said = loa(*command, "--config", str(config))
            assert (said.code, said.out) == (2, ""), said.err
            assert "loa.db" in said.err
            assert "process" in said.err
        taken = ready["url"].removeprefix("http://")
        other = {"LOA_SERVER__LISTEN": taken, "LOA_STORE__URL": f"sqlite:///{tmp_path}/other.db"}
        said = loa("serve", "--config", str(config), **other)
        assert said.code == 2
        assert f"server.listen: {taken} cannot be used" in said.err
    finally:
        assert stopped(process) == 0


OUTPUTS = [
    ("config show --config {example} > /dev/full", 1, "the output could not be written (No space left on device)"),
    ("config show --config {example} --json > /dev/full", 1, "the output could not be written"),
    ("config show --config {example} >&-", 0, ""),
    ("config show --config {example} | true", 0, ""),
    ("check --config {example} | true", 0, ""),
    ("check --config gone.toml 2>&-", 2, ""),
    ("check --config gone.toml 2>&1 >&- | true", 2, ""),
]


@pytest.mark.parametrize(("command", "code", "told"), OUTPUTS, ids=[one[0] for one in OUTPUTS])
def test_output_that_goes_nowhere_ends_no_command_half_way(command: str, code: int, told: str, tmp_path: Path):
    shell = f"set -o pipefail; {sys.executable} -m broker {command.format(example=EXAMPLE)}"
    done = subprocess.run(
        ["bash", "-c", shell],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == bool(told)


def test_waiting_does_not_depend_on_who_watches(server: Server, tmp_path: Path):
    words = "--headline Tin --body Bài --route breaking --urgent"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m broker send {words} --wait 2>&1 >told | true"],
        env={**os.environ, **server.environment, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert "met after" in (tmp_path / "told").read_text(encoding="utf-8")


def test_a_stream_that_lacks_our_letters_gets_what_it_can(tmp_path: Path):
    def shown(*more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "broker", "config", "show", "--config", str(EXAMPLE), *more],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    assert json.loads(shown("--json"))["agencies"]["agency"]["agency"]["name"] == "Tin Ví Dụ"
    assert "agencies.agency.agency.name = 'Tin V? D?'" in shown()


@pytest.mark.parametrize("columns", ["0", "20"])
def test_no_reference_is_cut_on_a_narrow_screen(loa: Loa, server: Server, columns: str):
    sent = loa("send", *NEWS, "--json", **server.environment).json
    assert sent["reference"] in loa("status", "--limit", "5", COLUMNS=columns).out


def test_a_closed_pipe_and_a_ctrl_c_end_quietly(server: Server, tmp_path: Path):
    environment = {**os.environ, **server.environment}
    command = [sys.executable, "-m", "broker"]
    shell = f"{sys.executable} -m broker --help | true"
    piped = subprocess.run(shell, shell=True, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert piped.stderr == ""
    sandbox = subprocess.Popen(
        [*command, "sandbox", "webhook", "--json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert sandbox.stdout is not None
    assert json.loads(sandbox.stdout.readline())["platforms"].keys() == {"webhook"}
    sandbox.send_signal(signal.SIGINT)
    _, err = sandbox.communicate(timeout=120)
    assert (sandbox.returncode, err) == (0, b"")
