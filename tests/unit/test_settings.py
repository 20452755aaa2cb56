"""A configuration works as written, or says at start what is wrong with it, where, and what to do."""

import json
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.contract import ChannelSettings
from broker.errors import ConfigError, InvalidInput
from broker.model import Goal, OnUnconfirmed, Urgency
from broker.rules.agency import Agency, Scope
from broker.settings import Configuration, asks_for_consent, load, load_adapters, shown
from broker.settings.tree import (
    AgencySection,
    GoalSection,
    KeySection,
    RouteSection,
    ServerSection,
    Settings,
    StoreSection,
)

ROOT = Path(__file__).resolve().parents[2]
DROP = ROOT / "tests" / "unit" / "drop"
DIGEST = "0" * 64

AGENCY = '[agency]\nname = "Tin Ví Dụ"\nprefix = "TVD"\n'
ONE = '[channels.paper]\nadapter = "drop"\nfolder = "out"\n'
TWO = f'{ONE}token = "hush-from-file"\n[channels.wire]\nadapter = "drop"\nfolder = "out"\ncountry = "US"\n'
SMALL = AGENCY + ONE
USUAL = AGENCY + TWO

Load = Callable[..., Configuration]


@pytest.fixture
def adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The installed adapters, with those of a package installed beside them."""
    package = tmp_path / "site" / "loa_drop-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: loa-drop\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[loa.adapters]\ndrop = drop_adapter:DropAdapter\ngone = no_such_module:Gone\n"
    )
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.syspath_prepend(str(DROP))
    yield load_adapters()
    sys.modules.pop("drop_adapter", None)


@pytest.fixture
def loaded(tmp_path: Path, adapters) -> Load:
    def load_text(text: str, /, **variables: str) -> Configuration:
        path = tmp_path / "loa.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, variables, adapters)

    return load_text


@pytest.fixture
def problems(loaded: Load, tmp_path: Path) -> Callable[..., list[str]]:
    """What is wrong with a text and variables, with the file's name shortened."""

    def problems_of(text: str, /, **variables: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(text, **variables)
        return [problem.replace(str(tmp_path), "DIR") for problem in caught.value.problems]

    return problems_of


# what is right


def test_the_smallest_configuration(loaded: Load):
    configuration = loaded(SMALL)
    agency = configuration.agencies["agency"]
    assert (configuration.server.host, configuration.server.port) == ("127.0.0.1", 8080)
    assert configuration.store.path == Path("loa.db")
    assert (agency.name, agency.prefix, agency.country, agency.zone.key) == (
        "Tin Ví Dụ",
        "TVD",
        "VN",
        "Asia/Ho_Chi_Minh",
    )
    assert agency.posting["paper"].key == "agency/paper"
    assert agency.posting["paper"].domestic
    assert agency.route_plan(None, Urgency.URGENT).goal == Goal(1, 1, timedelta(seconds=60))


def test_a_route_as_written(loaded: Load):
    route = (
        '[routes.breaking]\npost_to = ["paper"]\nstand_ins = { paper = ["wire"] }\nstand_in_after = "500ms"\n'
        'start_by = "1h"\nlate_copies = "never"\non_unconfirmed = "wait"\ngoal = { operators = 2, within = "90s" }\n'
    )
    plan = loaded(USUAL + route).agencies["agency"].route_plan("breaking", Urgency.URGENT)
    assert (plan.name, plan.post_to, plan.stand_ins, plan.reserve) == ("breaking", ("paper",), {"paper": ("wire",)}, ())
    assert plan.goal == Goal(2, 1, timedelta(seconds=90))
    assert (plan.stand_in_after, plan.start_by) == (timedelta(milliseconds=500), timedelta(hours=1))
    assert (plan.late_copies, plan.on_unconfirmed) == (None, OnUnconfirmed.WAIT)


def test_an_unknown_route_is_the_callers_error(loaded: Load):
    with pytest.raises(InvalidInput, match=r"there is no route `braking`; there are: default") as caught:
        loaded(USUAL).agencies["agency"].route_plan("braking", Urgency.ROUTINE)
    assert caught.value.fields[0].path == "route"


def test_several_agencies(loaded: Load):
    group = (
        '[agencies.{0}.agency]\nname = "{0}"\nprefix = "{1}"\n'
        '[agencies.{0}.channels]\npaper = {{ adapter = "drop", folder = "{0}" }}\n'
    )
    agencies = loaded(group.format("north", "NN") + group.format("south", "SS")).agencies
    assert [agency.prefix for agency in agencies.values()] == ["NN", "SS"]
    assert agencies["south"].posting["paper"].key == "south/paper"


@pytest.mark.parametrize(
    ("country", "said", "readers"),
    [
        ("VN", "", "abroad"),
        ("TH", "", "home"),
        ("VN", 'readers = "home"', "home"),
        ("TH", 'readers = "abroad"', "abroad"),
    ],
)
def test_readers_follow_the_agencys_country_unless_said_otherwise(loaded: Load, country: str, said: str, readers: str):
    chat = f'[channels.chat]\nadapter = "telegram"\ntoken = "1:{"A" * 35}"\nchat_id = "@tin"\n{said}\n'
    agency = loaded(f'{AGENCY}country = "{country}"\n{ONE}{chat}').agencies["agency"]
    assert agency.posting["chat"].profile.readers == readers
    assert agency.posting["chat"].counts is (readers == "home")


def test_alerts_channels_never_post(loaded: Load):
    duty = '[channels.duty]\nadapter = "drop"\nfolder = "duty"\n'
    agency = loaded(USUAL.replace('TVD"\n', 'TVD"\nalerts = ["duty"]\n') + duty).agencies["agency"]
    assert "duty" in agency.channels
    assert "duty" not in agency.posting
    assert "duty" not in agency.route_plan(None, Urgency.ROUTINE).post_to


def settings_of(agency: Agency, name: str) -> Any:
    """Of the adapter's own kind, which is not installed while types are checked."""
    return agency.channels[name].settings


def test_variables_count_more_than_the_file(loaded: Load, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("hush-from-secret\n")
    configuration = loaded(
        USUAL,
        LOA_SERVER__LISTEN="[::1]:9000",
        LOA_AGENCY__KEYS=json.dumps([{"name": "cms", "sha256": DIGEST, "scopes": ["send"]}]),
        LOA_CHANNELS__PAPER__NUMBER="0123",
        LOA_CHANNELS__PAPER__USUAL="2.5s",
        LOA_CHANNELS__WIRE__TOKEN_FILE=str(secret),
        LOA_CHANNELS__EXTRA='{"adapter": "drop", "folder": "extra", "copies": 2}',
        LOA_CONFIG="elsewhere",
        LOA_URL="http://127.0.0.1:1",
        HOME="/",
    )
    agency = configuration.agencies["agency"]
    assert (configuration.server.host, configuration.server.port) == ("::1", 9000)
    paper, wire, extra = (settings_of(agency, name) for name in ("paper", "wire", "extra"))
    assert [(key.name, key.scopes) for key in agency.keys] == [("cms", frozenset({Scope.SEND}))]
    assert paper.number == "0123"
    assert agency.posting["paper"].profile.usual == timedelta(seconds=2.5)
    assert paper.token.get_secret_value() == "hush-from-file"
    assert wire.token.get_secret_value() == "hush-from-secret"
    assert extra.copies == 2


def test_the_file_is_found_by_its_variable(tmp_path: Path, adapters):
    path = tmp_path / "other.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert load(None, {"LOA_CONFIG": str(path)}, adapters).path == path


@pytest.mark.parametrize(
    ("written", "seconds"),
    [('"500ms"', 0.5), ('"15s"', 15), ('"10m"', 600), ('"3h"', 10800), ('"1d"', 86400), ("7", 7), ('"PT3H"', 10800)],
)
def test_times(loaded: Load, written: str, seconds: float):
    channel = loaded(f"{SMALL}settle_for = {written}\n").agencies["agency"].posting["paper"]
    assert channel.profile.settle_for == timedelta(seconds=seconds)


def test_an_adapter_is_imported_only_when_a_channel_needs_it(adapters):
    assert {"drop", "gone", "facebook", "webhook"} <= set(adapters)
    assert "drop_adapter" not in sys.modules
    assert adapters["drop"].Settings.model_fields["folder"]
    assert "drop_adapter" in sys.modules


# what is wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "agency: is missing: add it (DIR/loa.toml)"),
        (
            AGENCY,
            "channels: there is no channel to post to: add one, for example site, facebook or zalo (DIR/loa.toml)",
        ),
        (f"[servr]\n{SMALL}", "servr: unknown key; did you mean `server`? (DIR/loa.toml)"),
        (f"[server]\nlisen = ''\n{SMALL}", "server.lisen: unknown key; did you mean `listen`? (DIR/loa.toml)"),
        (
            f'[server]\nlisten = "127.0.0.1:65536"\n{SMALL}',
            "server.listen: is no address: write host and port, such as 127.0.0.1:8080 (DIR/loa.toml)",
        ),
        (
            f'{AGENCY}language = "fr"\n{ONE}',
            "agency.language: is no language Loa speaks: use vi or en (DIR/loa.toml)",
        ),
        (f"server = 3\n{SMALL}", "server: must be a table (DIR/loa.toml)"),
        (f"[server]\nlisten = 8080\n{SMALL}", "server.listen: must be text: put it in quotes (DIR/loa.toml)"),
        (
            f"[server]\nlisten = 'localhost'\n{SMALL}",
            "server.listen: is no address: write host and port, such as 127.0.0.1:8080 (DIR/loa.toml)",
        ),
        (
            f"[server]\nbody_limit_bytes = 'big'\n{SMALL}",
            "server.body_limit_bytes: must be a whole number (DIR/loa.toml)",
        ),
        (
            f"[store]\nurl = 'mysql://db'\n{SMALL}",
            "store.url: is no store this version knows: write sqlite:/// and the path of a file (DIR/loa.toml)",
        ),
        (
            SMALL.replace("TVD", "Tvd"),
            "agency.prefix: is no prefix: use two to five capital letters, such as TVD (DIR/loa.toml)",
        ),
        (
            SMALL.replace("[channels", "time_zone = 'Saigon'\n[channels"),
            "agency.time_zone: is no time zone: write a name such as Asia/Ho_Chi_Minh (DIR/loa.toml)",
        ),
        (SMALL.replace('name = "Tin Ví Dụ"', ""), "agency.name: is missing: add it (DIR/loa.toml)"),
        (
            SMALL.replace("[channels", "keys = [{ name = 'cms', sha256 = 'abc' }]\n[channels"),
            "agency.keys[1].sha256: is no SHA-256: take the 64 digits that `loa key new` prints (DIR/loa.toml)",
        ),
        (
            SMALL.replace("[channels", f"keys = [{{ name = 'cms', sha256 = '{DIGEST}', scope = 1 }}]\n[channels"),
            "agency.keys[1].scope: unknown key; did you mean `scopes`? (DIR/loa.toml)",
        ),
        (
            SMALL.replace("[channels", "alerts = ['dty']\n[channels")
            + "[channels.duty]\nadapter = 'drop'\nfolder = '.'\n",
            "agency.alerts: there is no channel `dty`; did you mean `duty`? (DIR/loa.toml)",
        ),
        (
            SMALL.replace("channels.paper", "channels.Paper"),
            "channels.Paper: is no name: use small letters, digits, - and single _, as in zalo_push (DIR/loa.toml)",
        ),
        (f"{AGENCY}[channels]\npaper = 1\n", "channels.paper: must be a table (DIR/loa.toml)"),
        (SMALL + "foldr = 'x'\n", "channels.paper.foldr: unknown key; did you mean `folder`? (DIR/loa.toml)"),
        (SMALL.replace('folder = "out"\n', ""), "channels.paper.folder: is missing: add it (DIR/loa.toml)"),
        (SMALL + "number = 123\n", "channels.paper.number: must be text: put it in quotes (DIR/loa.toml)"),
        (SMALL + "rate_per_s = 0\n", "channels.paper.rate_per_s: should be greater than 0 (DIR/loa.toml)"),
        (
            SMALL + "usual = 'soon'\n",
            'channels.paper.usual: is no time: write it like "15s", "10m" or "3h" (DIR/loa.toml)',
        ),
        (SMALL + "usual = -1\n", "channels.paper.usual: must be a time from 0 to ten years (DIR/loa.toml)"),
        (
            SMALL + "usual = '9999999d'\n",
            "channels.paper.usual: must be a time from 0 to ten years (DIR/loa.toml)",
        ),
        (SMALL.replace('"out"', '"/"'), "channels.paper.folder: choose one of your own (DIR/loa.toml)"),
        (
            SMALL + "copies = 10\n",
            "channels.paper.copies: the disk is too small for more than nine (DIR/loa.toml)",
        ),
        (
            SMALL + "copies = 0\n",
            (
                "channels.paper: its adapter breaks with these settings (AttributeError): tell the adapter's author "
                "(DIR/loa.toml)"
            ),
        ),
        (
            SMALL.replace('"drop"', '"dorp"'),
            (
                'channels.paper.adapter: there is no adapter `dorp`: write adapter = "…", or install the package that '
                "brings it; did you mean `drop`? (DIR/loa.toml)"
            ),
        ),
        (
            SMALL.replace('"drop"', '"gone"'),
            (
                "channels.paper.adapter: the adapter `gone` cannot be loaded (ModuleNotFoundError: No module named "
                "'no_such_module'): install its package anew (DIR/loa.toml)"
            ),
        ),
        (f"{USUAL}[routes.r]\nreserve = ['wire']\n", "routes.r.post_to: is missing: add it (DIR/loa.toml)"),
        (f"{USUAL}[routes.r]\npost_to = []\n", "routes.r.post_to: is empty: name at least one channel (DIR/loa.toml)"),
        (
            f"{USUAL}[routes.r]\npost_to = 'wire'\n",
            'routes.r.post_to: must be a list, such as ["zalo", "telegram"] (also in a variable) (DIR/loa.toml)',
        ),
        (
            f"{USUAL}[routes.r]\npost_to = ['papr']\n",
            "routes.r.post_to: there is no channel `papr`; did you mean `paper`? (DIR/loa.toml)",
        ),
        (
            f"{USUAL}[routes.r]\npost_to = ['paper']\nstand_ins = {{ paper = ['radio'] }}\n",
            "routes.r.stand_ins.paper: there is no channel `radio`; there are: paper, wire (DIR/loa.toml)",
        ),
        (
            f"{USUAL}[routes.r]\npost_to = ['paper']\nlate_copies = 'maybe'\n",
            'routes.r.late_copies: is no time: write it like "15s", "10m" or "3h" (DIR/loa.toml)',
        ),
        (
            f"{USUAL}[routes.r]\npost_to = ['paper']\non_unconfirmed = 'pray'\n",
            "routes.r.on_unconfirmed: should be 'stand_in', 'repeat' or 'wait' (DIR/loa.toml)",
        ),
        (
            f"{USUAL}[routes.r]\npost_to = ['paper']\ngoal = {{ operators = 2 }}\n",
            (
                "routes.r.goal.operators: 2 cannot be met: on this route readers at home can open 1 of them (paper); "
                "add a channel of another operator, or lower the goal (DIR/loa.toml)"
            ),
        ),
        (
            f"{USUAL}[routes.r]\npost_to = ['wire']\ngoal = {{ domestic = 1 }}\n",
            (
                "routes.r.goal.domestic: 1 cannot be met: of this route's outside operators (wire) none is domestic; "
                "add a domestic channel, or lower the goal (DIR/loa.toml)"
            ),
        ),
        (
            f"{USUAL}[agencies.x.agency]\nname = 'X'\nprefix = 'XX'\n[agencies.x.channels]\npaper = {{}}\n",
            "channels: there are [agencies] too: write everything of an agency under [agencies.NAME] (DIR/loa.toml)",
        ),
        (f"{SMALL}probe_every = '0s'\n", "channels.paper.probe_every: must be longer than 0 s (DIR/loa.toml)"),
        (
            f"{AGENCY}[channels.facebook]\nbase_url = 'graph'\n",
            "channels.facebook.base_url: is no web address: write it like https://tin.example (DIR/loa.toml)",
        ),
        (
            f"{SMALL}total_timeout = '19s'\n",
            (
                "channels.paper.total_timeout: is too long: an attempt must be over while its lease holds, 18s at most "
                "(DIR/loa.toml)"
            ),
        ),
    ],
)
def test_bad_files(problems: Callable[..., list[str]], text: str, expected: str):
    assert expected in problems(text)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"LOA_SEVER__LISTEN": "x"},
            (
                "variable LOA_SEVER__LISTEN: nothing uses it; settings are named like LOA_CHANNELS__FACEBOOK__TOKEN: "
                "correct or unset it"
            ),
        ),
        (
            {"LOA_SERVER__LISTN": "x"},
            "server.listn: unknown key; did you mean `listen`? (variable LOA_SERVER__LISTN)",
        ),
        (
            {"loa_server__listen": "8080"},
            "server.listen: is no address: write host and port, such as 127.0.0.1:8080 (variable LOA_SERVER__LISTEN)",
        ),
        ({"LOA_SERVER": "x"}, "server: must be a table (variable LOA_SERVER)"),
        (
            {"LOA_CHANNELS__PAPER__TOKN": "x"},
            "channels.paper.tokn: unknown key; did you mean `token`? (variable LOA_CHANNELS__PAPER__TOKN)",
        ),
        (
            {"LOA_CHANNELS__PAPR__FOLDER": "x"},
            (
                'channels.papr.adapter: there is no adapter `papr`: write adapter = "…", or install the package that '
                "brings it; there are: "
            ),
        ),
        (
            {"LOA_AGENCY__ALERTS": "duty"},
            (
                'agency.alerts: must be a list, such as ["zalo", "telegram"] (also in a variable) '
                "(variable LOA_AGENCY__ALERTS)"
            ),
        ),
        (
            {"LOA_CHANNELS__PAPER__TOKEN_FILE": "/no/such/file"},
            "variable LOA_CHANNELS__PAPER__TOKEN_FILE: the file it names cannot be read: No such file or directory",
        ),
        (
            {"LOA_STORE__URL": "x", "LOA_STORE__URL_FILE": "y"},
            "variable LOA_STORE__URL_FILE: LOA_STORE__URL is set too: unset one of them",
        ),
    ],
)
def test_bad_variables(problems: Callable[..., list[str]], variables: dict[str, str], expected: str):
    assert any(problem.startswith(expected) for problem in problems(SMALL, **variables))


def test_all_problems_are_told_at_once(problems: Callable[..., list[str]]):
    text = f"[server]\nlisten = 1\n{SMALL}foldr = 1\n[channels.wire]\nadapter = 'drp'\n[routes.r]\npost_to = 1\n"
    keys = [problem.partition(":")[0] for problem in problems(text, LOA_X="", LOA_AGENCY__PREFIX="t")]
    assert sorted(keys) == [
        "agency.prefix",
        "channels.paper.foldr",
        "channels.wire.adapter",
        "routes.r.post_to",
        "server.listen",
        "variable LOA_X",
    ]


def test_agencies_are_kept_apart(problems: Callable[..., list[str]]):
    group = (
        '[agencies.{0}.agency]\nname = "{0}"\nprefix = "NN"\nkeys = [{{ name = "cms", sha256 = "{1}" }}]\n'
        '[agencies.{0}.channels]\npaper = {{ adapter = "drop", folder = "{0}" }}\n'
    )
    assert problems(group.format("north", DIGEST) + group.format("south", DIGEST)) == [
        "agencies.south.agency.prefix: NN is the prefix of `north` already: choose another (DIR/loa.toml)",
        (
            "agencies.south.agency.keys: key `cms` of `south` is the same as key `cms` of `north`: make a new one with "
            "`loa key new` (DIR/loa.toml)"
        ),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[agency]\nname = \n", "is no TOML: Invalid value (at line 2, column 8)"),
        (b"[agency]\nname = '\xff'\n", "is no UTF-8 text (byte 17): save it as UTF-8"),
        (None, "there is no such file; `loa init` makes one; or name another with --config or LOA_CONFIG"),
    ],
)
def test_unreadable_files(tmp_path: Path, adapters, content: bytes | None, problem: str):
    path = tmp_path / "loa.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, {"LOA_X": ""}, adapters)
    assert caught.value.problems[0] == f"{path}: {problem}"
    assert caught.value.problems[1].startswith("variable LOA_X: ")


def test_a_folder_is_no_file(tmp_path: Path, adapters):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {}, adapters)


# secrets


def test_secrets_are_never_shown(loaded: Load, problems: Callable[..., list[str]]):
    configuration = loaded(USUAL, LOA_CHANNELS__WIRE__TOKEN="hush-from-variable")
    wrong = problems(USUAL, LOA_CHANNELS__WIRE__TOKEN='["hush"]', LOA_CHANNELS__PAPER__TOKEN_FILE="hush", LOA_X="hush")
    for told in (repr(configuration), json.dumps(shown(configuration)), "\n".join(wrong)):
        assert "hush" not in told


def test_what_is_shown_is_what_counts(loaded: Load):
    told = shown(loaded(USUAL, LOA_CHANNELS__WIRE__SETTLE_FOR="90s"))["agencies"]["agency"]
    assert told["channels"]["wire"]["settle_for"] == "90s"
    assert told["channels"]["paper"]["token"] == "••••••"
    assert told["routes"]["default"]["goal"] == {"operators": 2, "domestic": 1, "within": "5m"}
    assert told["routes"]["default"]["urgent"]["stand_in_after"] == "5s"


# the example


def test_the_example_names_every_key():
    example = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    sections = (ServerSection, StoreSection, AgencySection, KeySection, RouteSection, GoalSection, ChannelSettings)
    keys = {key for section in (*sections, Settings) for key in section.model_fields}
    assert not {key for key in keys if key not in example}


def test_who_asks_for_consent_says_its_adapter_and_a_shared_token_is_its_holders(loaded: Load):
    app = 'app_id = "1"\napp_secret = "s"\n'
    zalo = f'[channels.zalo]\noa_id = "2"\ncover_url = "https://tin.example/c.jpg"\n{app}'
    push = f'[channels.zalo_push]\noa_id = "2"\ncover_url = "https://tin.example/c.jpg"\n{app}'
    instagram = '[channels.instagram]\nflavour = "facebook"\nuser_id = "3"\n'
    channels = loaded(USUAL + zalo + push + f'token_of = "zalo"\n{instagram}').agencies["agency"].channels
    assert {name for name, one in channels.items() if asks_for_consent(one)} == {"zalo"}
    assert asks_for_consent(loaded(SMALL + push).agencies["agency"].channels["zalo_push"])


def test_the_example_works():
    configuration = load(ROOT / "config.example.toml", {}, load_adapters())
    agency = configuration.agencies["agency"]
    assert agency.alerts == ("duty", "duty_mail")
    route = {"site", "facebook", "instagram", "threads", "zalo", "tiktok", "youtube", "telegram"}
    assert set(agency.routes["breaking"].post_to) == route
    assert set(agency.posting) == {*route, "partner", "people"}
    assert agency.route_plan("breaking", Urgency.URGENT).goal == Goal(2, 1, timedelta(seconds=60))


def test_the_smallest_configuration_of_the_readme_works(loaded: Load):
    (written,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    agency = loaded(written.replace('sha256 = "…"', f'sha256 = "{DIGEST}"')).agencies["agency"]
    assert agency.route_plan(None, Urgency.URGENT).goal == Goal(2, 1, timedelta(seconds=60))
    assert agency.route_plan(None, Urgency.ROUTINE).goal == Goal(2, 1, timedelta(minutes=5))
