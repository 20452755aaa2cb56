"""Whatever is wrong with a command: its exit code, one clear sentence on stderr, and nothing half done."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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
    (["sandbox", "myspace"], 2, "choose from"),
    (["demo", "--sabotage", "rain"], 2, "choose from"),
    (["check", "--config", "gone.toml"], 2, "gone.toml: there is no such file"),
    (["serve", "--config", "gone.toml"], 2, "copy config.example.toml"),
    (["send", *NEWS, "--local", "--config", "gone.toml"], 2, "there is no such file"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), USAGE, ids=[" ".join(a).replace("\0", "0") for a, *_ in USAGE])
def test_wrong_usage(arguments: list[str], code: int, told: str, loa: Loa, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {"LOA_KEY": "loa_x"} if "nowhere" in arguments or "resolve" in arguments else {}
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
    (["pause", "../channels"], 4, "There is no channel"),
    (["rehearse", "myspace"], 4, "There is no channel 'myspace'"),
]


@pytest.mark.parametrize(("arguments", "code", "told"), REFUSED, ids=[" ".join(a)[:40] for a, *_ in REFUSED])
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


def test_files_that_cannot_be_read(loa: Loa, tmp_path: Path):
    cases = {
        "tcvn.txt": ("Tin\n\nBão".encode("cp1258", "replace") + b"\xd0", "is no UTF-8 text"),
        "half.json": (b'{"headline": "Tin"', "is no JSON"),
        "list.json": (b"[]", "one JSON object"),
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
