"""Every command against a sandboxed server: what it does, what it prints, and what its exit code means."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import tomllib
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from broker.cli.app import GROUPS, Command
from broker.cli.exits import Exit
from tests.contract.cli.conftest import EXAMPLE, Loa, Said, Server

NEWS = ("--headline", "Bão số 9 đổi hướng", "--body", "Tâm bão cách bờ 120 km.", "--route", "breaking", "--urgent")
ROUTE = {"site", "facebook", "instagram", "threads", "zalo", "tiktok", "youtube", "telegram", "partner", "people"}


@pytest.fixture
def at(loa: Loa, server: Server) -> Loa:
    """`loa` that knows the server."""

    def at(*arguments: str) -> Said:
        return loa(*arguments, **server.environment)

    return at


def test_an_announcement_is_sent_followed_and_found_again(at: Loa, tmp_path: Path):
    (tmp_path / "tin.txt").write_text("Cấm biển từ 17 giờ\n\nÁp dụng cho mọi tàu thuyền.\n", encoding="utf-8")
    said = at("send", str(tmp_path / "tin.txt"), "--route", "breaking", "--urgent", "--external-id", "cms-1", "--wait")
    assert said.code == 0
    assert "Cấm biển từ 17 giờ" in said.out
    assert "met after" in said.out
    assert "is accepted" in said.err
    found = at("status", "cms-1", "--json").json
    assert {d["channel"] for d in found["deliveries"]} == ROUTE
    assert found["reference"] in said.out
    table = at("status", "cms-1").out
    assert "● live" in table
    assert "facebook" in table
    assert found["reference"] in at("status").out
    assert at("status", "cms-1", "--follow").code == 0


def test_json_says_the_same_to_programs(at: Loa):
    sent = at("send", *NEWS, "--wait", "--json")
    assert sent.code == 0
    assert sent.json["goal"]["met_at"] is not None
    assert at("status", "--json", "--limit", "1").json[0]["id"] == sent.json["id"]
    assert {one["name"] for one in at("channels", "--json").json} == ROUTE | {"duty", "duty_mail"}
    assert {one["channel"] for one in at("preview", *NEWS, "--json").json} == ROUTE
    assert at("probe", "facebook", "--json").json == {
        "channel": "facebook", "verdict": "works", "works": True, "detail": None
    }  # fmt: skip


def test_the_same_key_counts_once(at: Loa):
    first = at("send", *NEWS, "--idempotency-key", "k-1", "--json").json
    assert at("send", *NEWS, "--idempotency-key", "k-1", "--json").json["id"] == first["id"]
    other = at("send", *NEWS, "--author", "A", "--idempotency-key", "k-1")
    assert other.code == 2
    assert "Idempotency-Key" in other.err


def test_stdin_and_json_files(at: Loa, tmp_path: Path):
    body = {"headline": "Tin từ CMS", "body": "Bài", "route": "breaking", "external_id": "cms-2"}
    (tmp_path / "tin.json").write_text("\ufeff" + json.dumps(body), encoding="utf-8")
    assert at("send", str(tmp_path / "tin.json"), "--headline", "Tin đã sửa", "--json").json["headline"] == "Tin đã sửa"
    assert at("send", str(tmp_path / "tin.json")).code == 4  # the same external id, another text


def test_what_is_withdrawn_is_taken_back(at: Loa):
    sent = at("send", *NEWS, "--wait", "--json").json
    said = at("withdraw", sent["reference"], "--because", "nhầm", "--json")
    assert (said.code, said.json["status"]) == (0, "withdrawn")
    resolved = at("resolve", sent["reference"], "facebook", "live")
    assert resolved.code == 4
    assert "nothing to resolve" in resolved.err


def test_previews_show_each_channel_with_its_limit(at: Loa):
    said = at("preview", *NEWS, "--override", "zalo=Bản riêng cho Zalo")
    assert said.code == 0
    assert "of 500 emoji bytes" in said.out
    assert "Bản riêng cho Zalo" in said.out


def test_a_paused_channel_says_so_until_it_goes_on(at: Loa):
    assert at("pause", "people", "--reason", "thử").out == ("people: Paused: thử. `loa resume people` lets it go on.\n")
    paused = next(one for one in at("channels", "--json").json if one["name"] == "people")
    assert paused["state"] == "paused"
    assert "‖ paused" in at("channels").out
    assert at("resume", "people").code == 0


def test_rehearsal_and_probe_end_with_1_when_the_platform_fails(at: Loa, server: Server):
    assert at("rehearse", "facebook").out == "facebook can post.\n"
    steer(server, "POST", "facebook", {"kind": "html_500"})
    try:
        said = at("probe", "facebook")
        assert said.code == 1
        assert said.out.startswith("facebook: down: ")
    finally:
        steer(server, "DELETE", "facebook")
    assert at("probe", "facebook").code == 0


def test_wait_ends_with_1_when_the_goal_is_missed(at: Loa, server: Server):
    steer(server, "POST", "zalo", {"kind": "policy"})
    steer(server, "POST", "webhook", {"kind": "policy"})
    try:
        said = at("send", *NEWS, "--wait", "--json")
    finally:
        steer(server, "DELETE", "zalo")
        steer(server, "DELETE", "webhook")
    assert said.code == 1
    assert said.json["goal"]["met_at"] is None


def steer(server: Server, method: str, platform: str, fault: dict[str, object] | None = None) -> None:
    body = None if fault is None else json.dumps(fault).encode()
    urlopen(Request(f"{server.control}/{platform}/faults", body, method=method), timeout=10).close()


def test_a_key_is_shown_once_and_fits_the_configuration(loa: Loa):
    said = loa("key", "new", "desk", "--scopes", "read,operate", "--json").json
    assert said["sha256"] == hashlib.sha256(said["key"].encode()).hexdigest()
    entry = tomllib.loads(f"keys = [{said['line']}]")["keys"][0]
    assert entry == {"name": "desk", "sha256": said["sha256"], "scopes": ["read", "operate"]}
    text = loa("key", "new")
    assert "shown only now" in text.out
    assert loa("key", "new").out != text.out


def test_check_says_what_the_example_does_and_where_it_is_weak(loa: Loa):
    said = loa("check", "--config", str(EXAMPLE))
    assert said.code == 0
    words = " ".join(said.out.split())
    platforms = "Facebook, Instagram, Threads, Zalo, TikTok, YouTube and Telegram"
    assert f"Every announcement goes to our site, {platforms} at once." in words
    assert "When Facebook fails, is known to be down or is not live after 15 s: partner." in words
    assert "2 outside operators, 1 of them domestic, within 60 s" in words
    assert "Single point of failure: when the domestic path is cut (zalo, partner and people)" in words
    for key in ("agency.name", "channels.facebook.app_secret"):
        assert f"{key} is still the example's" in words
    assert "This configuration can work once your own values are in it." in words
    assert "calls a day" in words
    found = loa("check", "--config", str(EXAMPLE), "--json").json
    assert found["ok"] is True
    points = found["agencies"]["agency"]["routes"]["breaking"]["weak_points"]
    assert [(p["scope"], p["name"], p["silent"]) for p in points] == [("path", "domestic", False)]


def test_check_ends_with_1_when_one_failure_silences_the_agency(loa: Loa, tmp_path: Path):
    config = tmp_path / "loa.toml"
    config.write_text(
        '[agency]\nname = "Tin"\nprefix = "TVD"\n[channels]\nsite = { folder = "p", url = "https://tin.example/l" }\n'
        'facebook = { page_id = "1", token = "t" }\nthreads = { user_id = "2", token = "t" }\n',
        encoding="utf-8",
    )
    said = loa("check", "--config", str(config))
    assert said.code == 1
    words = " ".join(said.out.split())
    assert "when Meta fails (facebook and threads), nothing is left that readers at home can open" in words
    assert "One failure can silence the agency." in words
    assert "Nobody is called when something is wrong" in words


def test_the_configuration_in_force_is_shown_without_secrets(loa: Loa):
    said = loa("config", "show", "--config", str(EXAMPLE), LOA_CHANNELS__FACEBOOK__TOKEN="SECRET-CANARY")
    assert said.code == 0
    assert "channels.facebook.token" in said.out
    shown = loa("config", "show", "--config", str(EXAMPLE), "--json")
    assert shown.json["agencies"]["agency"]["channels"]["telegram"]["chat_id"] == "@tinvidu"
    for text in (said.out, shown.out):
        assert "SECRET-CANARY" not in text
        assert "replace-with-the-app-secret" not in text


def test_send_local_needs_no_server(loa: Loa, server: Server, tmp_path: Path):
    config = tmp_path / "loa.toml"
    hooks = server.platforms["webhook"]["base_urls"]["api"]
    config.write_text(
        f'[store]\nurl = "sqlite:///{tmp_path}/loa.db"\n[agency]\nname = "Tin"\nprefix = "TVD"\n[channels.partner]\n'
        f'adapter = "webhook"\nurl = "{hooks}/local"\nallow_private = true\nlook_back = "0s"\n',
        encoding="utf-8",
    )
    said = loa("send", "--headline", "Tin", "--body", "Bài", "--local", "--config", str(config), "--json")
    assert said.code == 0
    assert [d["state"] for d in said.json["deliveries"]] == ["live"]


def test_what_a_local_broker_warns_of_is_no_part_of_its_answer(loa: Loa, server: Server, tmp_path: Path):
    config, hook = tmp_path / "loa.toml", 'adapter = "webhook", allow_private = true'
    hooks = server.platforms["webhook"]["base_urls"]["api"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        config.write_text(
            f'[store]\nurl = "sqlite:///{tmp_path}/loa.db"\n[agency]\nname = "Tin"\nprefix = "TVD"\n[channels]\n'
            f'partner = {{ {hook}, url = "{hooks}/local", look_back = "0s" }}\n'
            f'dead = {{ {hook}, url = "http://127.0.0.1:{closed.getsockname()[1]}/" }}\n'
            '[routes.default]\npost_to = ["partner", "dead"]\nlate_copies = "never"\nstart_by = "3s"\n'
            'goal = { operators = 1, within = "2s" }\n',
            encoding="utf-8",
        )
        said = loa("send", "--headline", "Tin", "--body", "Bài", "--local", "--config", str(config), "--json")
    assert {d["channel"]: d["state"] for d in said.json["deliveries"]} == {"partner": "live", "dead": "expired"}
    assert "channel_down" in said.err


def test_help_names_the_exit_codes_and_every_command_has_one(loa: Loa):
    words = " ".join(loa("--help").out.split())
    for code in ("Exit codes: 0 done", "1 the goal", "2 input", "3 no server", "4 there is no such"):
        assert code in words
    for command in (command for commands in GROUPS.values() for command in commands):
        assert loa(called(command), "--help").code == 0


def test_every_command_speaks_json_to_programs(loa: Loa):
    named = [(called(command),) for commands in GROUPS.values() for command in commands]
    for command in [*named, ("key", "new"), ("config", "show")]:
        assert "--json" in loa(*command, "--help").out, command


def called(command: Command) -> str:
    return command.__name__.replace("_", "-")


def test_the_manual_names_every_command_and_exit_code():
    manual = (EXAMPLE.parent / "docs" / "cli.md").read_text(encoding="utf-8")
    table = manual.partition("## Server and key")[0]
    named = set(re.findall(r"`loa ([a-z][a-z-]*(?: (?:new|show))?)", table))
    commands = {called(command) for commands in GROUPS.values() for command in commands}
    assert named - {"COMMAND"} == commands | {"key new", "config show"}
    for code in Exit:
        assert f"\n| {code.value} | " in manual
