"""`init`, `connect`, `check` and `pause --until`: what they write and say, and what they refuse."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from html import unescape
from itertools import combinations
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, urlopen

import pytest

from broker.settings import load, load_adapters
from tests.contract.cli.conftest import EXAMPLE, Loa, Said, Server

EVERY = tuple(tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["channels"])
CONNECTED = {"facebook", "instagram", "threads", "zalo", "tiktok", "youtube", "telegram"}
"""Whose account a person connects."""


# -- init


@pytest.mark.parametrize("channels", [(one,) for one in EVERY] + list(combinations(EVERY, 3))[::5] + [EVERY])
def test_what_init_writes_works_at_once(loa: Loa, tmp_path: Path, channels: tuple[str, ...]):
    path = tmp_path / "loa.toml"
    said = loa("init", str(path), "--channels", ",".join(channels), "--name", 'Báo "Mới"\\', "--prefix", "BM")
    if all(one.startswith("duty") for one in channels):
        assert (said.code, path.exists()) == (2, False)
        return
    assert said.code == 0
    assert set(re.findall(r"loa connect (\w+)", said.out)) == CONNECTED & set(channels)
    agency = load(path, {}, load_adapters()).agencies["agency"]
    assert (agency.name, agency.prefix, set(agency.channels)) == ('Báo "Mới"\\', "BM", set(channels))
    assert set(agency.alerts) == {one for one in channels if one.startswith("duty")}
    assert [sorted(key.scopes) for key in agency.keys] == [["operate", "read", "send"]]


def test_init_shows_its_key_once_and_keeps_only_a_digest(loa: Loa, tmp_path: Path):
    path = tmp_path / "loa.toml"
    made = loa("init", str(path), "--channels", "site", "--url", "https://tin.vn/l", "--json").json
    text = path.read_text(encoding="utf-8")
    assert made["key"].startswith("loa_")
    assert made["key"] not in text
    assert 'url = "https://tin.vn/l"' in text
    assert text.count("#") > 10
    assert "0" * 64 not in text


def test_init_overwrites_nothing(loa: Loa, tmp_path: Path):
    path = tmp_path / "loa.toml"
    path.write_text("mine", encoding="utf-8")
    said = loa("init", str(path))
    assert (said.code, "nothing is overwritten" in said.err, path.read_text()) == (2, True, "mine")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--channels", "site,fax"), "'fax' is not among them"),
        (("--channels", ","), "name one to post to"),
        (("--prefix", "tvd1"), "two to five capital letters"),
        (("--url", "tin.example"), "channels.site.url: write the whole address"),
    ],
)
def test_init_refuses_what_cannot_work(loa: Loa, tmp_path: Path, arguments: tuple[str, ...], told: str):
    said = loa("init", str(tmp_path / "loa.toml"), *arguments)
    assert (said.code, told in said.err) == (2, True)
    assert not (tmp_path / "loa.toml").exists()
    assert loa("init", str(tmp_path / "gone" / "loa.toml")).code == 2


# -- connect


def connect(server: Server, *arguments: str, answer: str) -> Said:
    """As a program uses it: the answer comes on stdin."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
    done = subprocess.run(
        [sys.executable, "-m", "broker", "connect", *arguments],
        env={**kept, **server.environment},
        input=answer,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("channel", "answer", "code", "told"),
    [
        ("facebook", "", 2, "Nothing was pasted"),
        ("facebook", "xin chào\n", 4, "paste the whole address"),
        ("zalo", "https://tin.example/?code=abc&state=other\n", 4, "another question"),
        ("threads", "https://localhost/?error=access_denied&error_description=Permissions+error\n", 4, "not granted"),
        ("telegram", "123:\n", 4, "no bot's token"),
        ("partner", "", 4, "has no account to connect"),
        ("fax", "", 4, "There is no channel"),
    ],
)
def test_connect_says_what_is_wrong(server: Server, channel: str, answer: str, code: int, told: str):
    said = connect(server, channel, answer=answer)
    assert (said.code, told in said.err) == (code, True), said
    assert "abc" not in said.err


def test_of_several_pages_one_is_chosen(server: Server):
    hook(server, "facebook/add_page", page_id="2000", token="other-token")
    hook(server, "facebook/set_tasks", page_id="2000", tasks=["ANALYZE"])
    try:
        said, pages = agreed(server)
        assert (said.code, pages) == (0, ["1098"])  # the sandbox names its Page: others are not offered
        assert "facebook is connected: Page 1098 (1098)" in said.out
    finally:
        hook(server, "facebook/set_tasks", page_id="2000", tasks=[])


def test_an_account_that_cannot_post_is_not_connected(server: Server):
    hook(server, "telegram/set_rights", can_post=False)
    try:
        said = connect(server, "telegram", answer=f"1000000001:{'A' * 35}\n")
        assert (said.code, "could not post" in said.err, "AAAA" in said.out + said.err) == (2, True, False)
    finally:
        hook(server, "telegram/set_rights", can_post=True)


def agreed(server: Server, channel: str = "facebook") -> tuple[Said, list[str]]:
    """A person connects an account: opens the address that is shown, agrees, and pastes where they landed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOA_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "broker", "connect", channel],
        env={**kept, **server.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    shown = ""
    while not (url := re.search(r"^  (http\S+)$", shown, re.MULTILINE)):
        shown += process.stdout.readline()
    landed = consented(url[1])
    out, err = process.communicate(f"{landed}\n", timeout=120)
    said = Said(process.returncode, shown + out, err)
    return said, re.findall(r"\((\d+)\)\.", out)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def consented(url: str) -> str:
    with urlopen(url, timeout=10) as page:
        links = [unescape(link) for link in re.findall(r'href="([^"]+)"', page.read().decode())]
    parts = urlsplit(url)
    allow = next(link for link in links if "decision=allow" in link)
    try:
        build_opener(_Stay).open(f"{parts.scheme}://{parts.netloc}{allow}", timeout=10)
    except HTTPError as answer:
        return str(answer.headers["Location"])
    raise AssertionError("the consent page leads nowhere")


def hook(server: Server, path: str, **arguments: object) -> None:
    request = Request(f"{server.control}/{path}", data=json.dumps(arguments).encode(), method="POST")
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


# -- check


def written(folder: Path, alerts: str, *channels: str) -> str:
    path = folder / "loa.toml"
    head = f'[agency]\nname = "Tin"\nprefix = "TVD"\nalerts = {alerts}\n[channels]\n'
    path.write_text(head + "\n".join(channels) + "\n", encoding="utf-8")
    return str(path)


ZALO = 'zalo = { app_id = "1", app_secret = "s", cover_url = "https://tin.vn/c.jpg" }'
FACEBOOK = 'facebook = { app_id = "1", app_secret = "s" }'
CHAT = 'chat = {{ adapter = "webhook", form = "chat", url = "https://{host}/h"{more} }}'


@pytest.mark.parametrize(
    ("alerts", "channels", "told"),
    [
        ("[]", (ZALO, FACEBOOK), "Nobody is called when something is wrong"),
        ('["chat"]', (ZALO, FACEBOOK, CHAT.format(host="chat.vn", more="")), "Every alert goes abroad (chat)"),
        (
            '["chat"]',
            (ZALO, FACEBOOK, CHAT.format(host="chat.vn", more=', operator = "vng", path = "domestic"')),
            "Every alert goes through VNG (Zalo), of whose failure it would have to tell",
        ),
    ],
)
def test_check_warns_of_alerts_that_share_the_fate_they_report(
    loa: Loa, tmp_path: Path, alerts: str, channels: tuple[str, ...], told: str
):
    said = loa("check", "--config", written(tmp_path, alerts, *channels))
    assert told in " ".join(said.out.split())


@pytest.mark.parametrize(("token_of", "warns"), [("", True), (', token_of = "zalo"', False)])
def test_check_warns_of_two_channels_with_one_refresh_token(loa: Loa, tmp_path: Path, token_of: str, warns: bool):
    """It works once: the second to renew would wait for somebody to connect the account again."""
    one = ZALO.replace(" }", ', refresh_token = "once-only" }')
    other = one.replace("zalo = {", 'other = { adapter = "zalo"').replace('"zalo"', '"zalo",', 1)
    said = loa("check", "--config", written(tmp_path, "[]", one, other.replace(" }", f"{token_of} }}")))
    assert ('set token_of = "zalo" for other.' in " ".join(said.out.split())) is warns
    assert "once-only" not in said.out + said.err


def test_check_says_what_every_failure_does(loa: Loa, tmp_path: Path):
    found = loa("check", "--json", "--config", written(tmp_path, "[]", ZALO, FACEBOOK)).json
    failures = {
        (one["scope"], one["name"]): one for one in found["agencies"]["agency"]["routes"]["default"]["failures"]
    }
    meta = failures["operator", "meta"]
    assert (meta["channels"], meta["goes_on"], meta["meets_goal"], meta["silent"]) == (
        ["facebook"],
        ["zalo"],
        False,
        False,
    )
    assert meta["says"].startswith("when Meta fails (facebook), Zalo carries it, but the goal (2 outside operators")
    assert set(failures) == {("operator", "meta"), ("operator", "vng")}


@pytest.mark.parametrize(("path", "warns"), [("", True), (', path = "domestic"', False)])
def test_check_asks_where_a_domestic_partners_servers_stand(loa: Loa, tmp_path: Path, path: str, warns: bool):
    partner = f'partner = {{ adapter = "webhook", url = "https://doitac.vn/h", country = "VN"{path} }}'
    said = " ".join(loa("check", "--config", written(tmp_path, "[]", ZALO, partner)).out.split())
    assert ("partner is domestic, and its servers are thought to stand abroad" in said) is warns


def test_check_ends_with_1_when_nothing_counts_at_all(loa: Loa, tmp_path: Path):
    said = loa("check", "--config", written(tmp_path, "[]", 'telegram = { chat_id = "@tinvidu" }'))
    assert said.code == 1
    assert "Nothing it posts to now is open to readers at home" in " ".join(said.out.split())


def test_check_online_counts_only_what_can_post_now(loa: Loa, server: Server, tmp_path: Path):
    said = loa("check", "--online", "--config", str(EXAMPLE), **server.environment)
    words = " ".join(said.out.split())
    assert said.code == 0
    assert "facebook: Page 1098 (1098)" in words
    assert re.search(r"\d of 250 posts in 24 h", words)
    hook(server, "zalo/revoke")
    try:
        found = loa("check", "--online", "--json", "--config", str(EXAMPLE), **server.environment).json
        assert "zalo" in found["agencies"]["agency"]["broken"]
    finally:
        assert agreed(server, "zalo")[0].code == 0


def test_check_online_needs_a_server(loa: Loa):
    said = loa("check", "--online", "--config", str(EXAMPLE), LOA_URL="http://127.0.0.1:9", LOA_KEY="loa_x")
    assert (said.code, "No server answers" in said.err) == (3, True)


# -- pauses


def test_a_pause_with_an_end(loa: Loa, server: Server):
    try:
        said = loa("pause", "people", "--until", "2h", "--reason", "bảo trì", **server.environment)
        assert re.search(r"people: Paused until [\d.]{10} \d\d:\d\d: bảo trì\. `loa resume people`", said.out)
        assert loa("pause", "people", "--until", "soon", **server.environment).code == 2
        assert "bảo trì" in loa("channels", **server.environment).out
    finally:
        assert loa("resume", "people", **server.environment).code == 0


def test_there_is_nothing_to_confirm_on_a_broker_that_was_not_restored(loa: Loa, server: Server):
    assert "nothing to decide" in loa("confirm-restore", "skip", **server.environment).out
    assert loa("confirm-restore", "perhaps", **server.environment).code == 2


# -- backups


def test_a_backup_of_nothing_or_to_nowhere_says_what_to_do(loa: Loa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert loa("init").code == 0
    said = loa("backup", "b.db")
    assert (said.code, said.err) == (
        2,
        "loa: There is no loa.db: `store.url` says where the store is, from the folder you are in.\n",
    )
    (tmp_path / "loa.db").touch()
    assert loa("backup", "gone/b.db").err == "loa: There is no gone: create it, or name another file.\n"
    assert loa("restore", "gone.db").err == "loa: There is no gone.db: name the file that `loa backup` made.\n"
