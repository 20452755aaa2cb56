"""Whatever is stored as a reason reads as a plain sentence in both languages, whoever reads it."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model import Reason, Status
from broker.rules.catalogue import NAMES, SENTENCES
from broker.rules.sentences import LANGUAGES, Outlook, placeholders, sentence, summary

BROKER = Path(__file__).resolve().parents[2] / "broker"
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SINCE = datetime(2026, 11, 22, 15, 58, 31, tzinfo=UTC)
UNTIL = datetime(2026, 11, 22, 19, 4, tzinfo=UTC)
EVERYTHING = {
    "times": 2,
    "more": 3,
    "days": 6,
    "after_s": 15.0,
    "at": SINCE,
    "day": SINCE,
    "because": "sai giờ",
    "by": "Lan",
    "command": "loa connect zalo",
    "channel": "zalo",
    "channels": ["facebook", "instagram"],
    "code": "368",
    "count": 2,
    "detail": "connection refused",
    "domestic": 1,
    "for_channel": "facebook",
    "missing": 1,
    "missing_domestic": 1,
    "operator": "meta",
    "operators": 2,
    "passed_over": ["threads"],
    "seconds": 12.34,
    "since": SINCE.isoformat(),
    "until": UNTIL,
    "url": "https://t.me/tin/812",
    "what": "meta",
    "why": "denied",
    "references": "TVD-7QK2F9",
    "written_at": SINCE,
}


def english(key: str, /, **args: object) -> str:
    return sentence(Reason(key, args), ZONE)["en"]


def alternatives(template: str) -> list[frozenset[str]]:
    """What each `[…]` of a template shows, in an order that does not depend on the language."""
    return sorted((placeholders(choice) for choice in re.findall(r"\[([^\]]*)\]", template)), key=sorted)


def required(template: str) -> frozenset[str]:
    return placeholders(re.sub(r"\[[^\]]*\]", "", template))


def test_both_languages_say_the_same():
    for key, templates in SENTENCES.items():
        assert len(templates) == len(LANGUAGES), key
        assert all(template.strip() == template != "" for template in templates), key
        assert all(template[0] in "[{" or template[0].islower() for template in templates), key
        assert not any(template.endswith(".") for template in templates), key
        assert required(templates[0]) == required(templates[1]), key
        assert alternatives(templates[0]) == alternatives(templates[1]), key


def test_every_argument_of_a_template_finds_its_place():
    for key, templates in SENTENCES.items():
        for template, text in zip(templates, sentence(Reason(key, EVERYTHING), ZONE).values(), strict=True):
            assert placeholders(template) <= EVERYTHING.keys(), key
            assert not re.search(r"[\[\]{}|]", text), key
            assert text[0].isupper() or text[0].isdigit(), key
            for name in placeholders(re.sub(r"\|[^\]]*", "", template)) & {"because", "url"}:
                assert str(EVERYTHING[name]) in text, key


def test_without_arguments_a_sentence_is_still_told():
    for key, templates in SENTENCES.items():
        shown = sentence(Reason(key), ZONE)
        needs_arguments = bool(required(templates[0]))
        assert (shown == dict.fromkeys(LANGUAGES, key)) == needs_arguments, key
        assert not re.search(r"[\[\]{}|]", "".join(shown.values())), key


@pytest.mark.parametrize(
    ("key", "args", "expected"),
    [
        (
            "start_stand_in_down",
            {"what": "meta", "since": SINCE.isoformat(), "channels": ["facebook", "instagram"], "channel": "zalo"}
            | {"passed_over": ["threads"]},
            "Meta is down since 22:58 (Facebook and Instagram): Threads passed over, Zalo carries it",
        ),
        (
            "start_stand_in_down",
            {"what": "agency/facebook", "for_channel": "facebook", "channels": [], "passed_over": []},
            "Facebook is down: this channel carries it for Facebook",
        ),
        (
            "start_stand_in_down",
            {
                "what": "facebook",
                "since": SINCE,
                "for_channel": "facebook",
                "channels": ["facebook"],
                "channel": "zalo",
            },
            "Facebook is down since 22:58: Zalo carries it",
        ),
        (
            "start_stand_in",
            {"for_channel": "facebook", "why": "unavailable", "why_args": {"detail": "connection refused"}},
            "Stands in for Facebook: the platform does not answer (connection refused)",
        ),
        ("start_stand_in", {"for_channel": "facebook", "why": "no rights"}, "Stands in for Facebook: no rights"),
        (
            "start_slow",
            {"for_channel": "facebook", "after_s": 15.0},
            "Facebook is not live after 15 s: this channel starts",
        ),
        (
            "start_slow",
            {"for_channel": "x", "after_s": timedelta(seconds=2.5)},
            "X is not live after 2.5 s: this channel starts",
        ),
        ("start_goal", {"missing": 2, "missing_domestic": 0}, "The goal is at risk; outside operators missing: 2"),
        (
            "parked_down",
            {"what": "meta", "since": SINCE, "until": UNTIL},
            "Meta is down since 22:58; a late copy is owed until 02:04",
        ),
        ("down", {"what": "international", "since": "2026-11-22T15:58:31Z"}, "The path abroad is down since 22:58"),
        (
            "unavailable",
            {"detail": "connection refused", "operator": "meta"},
            "Meta does not answer (connection refused)",
        ),
        ("unavailable", {"detail": "", "tries": 2}, "The platform does not answer"),
        ("denied", {"detail": "{token} [expired] a/b"}, "The platform refuses our account: {token} [expired] a/b"),
        (
            "goal_met",
            {"seconds": 8.041, "operators": ["vng", "meta"]},
            "Goal met after 8 s; outside operators: VNG (Zalo) and Meta",
        ),
        ("goal_missed", {"by": UNTIL.isoformat()}, "Goal missed: too few operators carried it by 02:04"),
        ("resolved_live", {"by": "Lan"}, "Lan has seen it there"),
        ("two_copies", {"count": 2}, "2 copies are to be seen there"),
        (
            "uncounted",
            {"times": 2},
            "It was sent 2 times, and the list there does not show how many copies there are: a person must look",
        ),
        ("expired", {"until": "2026-13-45T99:00"}, "Not posted in time: it was useful until 2026-13-45T99:00"),
    ],
)
def test_sentences(key: str, args: dict[str, object], expected: str):
    assert english(key, **args) == expected


def test_vietnamese():
    args = {"what": "meta", "since": SINCE, "until": UNTIL}
    assert sentence(Reason("parked_down", args), ZONE)["vi"] == "Meta gặp sự cố từ 22:58; sẽ đăng bù, chậm nhất 02:04"


def test_the_context_fills_what_the_reason_leaves_open():
    assert sentence(Reason("pending"), ZONE, operator="vng")["en"] == "VNG (Zalo) has taken it and does not show it yet"
    assert (
        sentence(Reason("served_by", {"channel": "zalo"}), ZONE, channel="threads")["en"]
        == "Not needed: Zalo carries it"
    )


@given(
    st.sampled_from([*SENTENCES, "no_such_key"]),
    st.dictionaries(
        st.sampled_from([*EVERYTHING, "why_args"]), st.none() | st.text() | st.integers() | st.lists(st.text())
    ),
)
def test_no_reason_is_too_odd_to_be_shown(key: str, args: dict[str, object]):
    assert all(sentence(Reason(key, args), ZONE).values())


def test_the_summary_tells_the_most_important_first():
    outlook = Outlook(
        status=Status.PARTLY,
        live=("zalo", "site"),
        down=(("meta", SINCE),),
        owed=(("facebook", UNTIL),),
    )
    english, vietnamese = summary(outlook, ZONE).values()
    assert english == "Out on Zalo and our site. Meta is down since 22:58; Facebook gets a late copy until 02:04."
    assert vietnamese == (
        "Đã đăng trên Zalo và trang của tòa soạn. Meta gặp sự cố từ 22:58; Facebook sẽ được đăng bù, chậm nhất 02:04."
    )


@pytest.mark.parametrize(
    ("outlook", "expected"),
    [
        (Outlook(status=Status.OPEN), "Under way."),
        (Outlook(status=Status.OPEN, on_its_way=("zalo",)), "Under way. On its way to Zalo."),
        (Outlook(status=Status.REACHED, live=("zalo", "x", "partner")), "Out on Zalo, X and partner."),
        (Outlook(status=Status.SCHEDULED, at=SINCE, on_its_way=("zalo",)), "Goes out at 22:58 on 22.11.2026."),
        (Outlook(status=Status.SCHEDULED, at=UNTIL), "Goes out at 02:04 on 23.11.2026."),
        (Outlook(status=Status.WITHDRAWN, because="sai giờ"), "Withdrawn: sai giờ."),
        (Outlook(status=Status.WITHDRAWN, live=("telegram",)), "Withdrawn. Still to be seen on Telegram."),
        (
            Outlook(
                status=Status.NOWHERE,
                owed=(("facebook", UNTIL), ("threads", UNTIL + timedelta(seconds=9)), ("zalo", SINCE)),
                unconfirmed=("telegram",),
                failed=(("partner", Reason("rejected", {"code": "400"})), ("x", Reason("denied"))),
                operators={"x": "x"},
            ),
            (
                "Out nowhere. Facebook and Threads get late copies until 02:04; Zalo gets a late copy until 22:58. "
                "May be on Telegram: a person must look. Not on partner: the platform refuses this content (400). "
                "Not on X: X refuses our account."
            ),
        ),
    ],
)
def test_summaries(outlook: Outlook, expected: str):
    assert summary(outlook, ZONE)["en"] == expected


def reasons_in_the_code() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(BROKER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Reason"), args=[ast.Constant(value=str()), *_]):
                    yield f"{path.relative_to(BROKER)}:{node.lineno}", node


def test_every_reason_the_code_gives_can_be_said():
    """Its key is in the catalogue, and where its arguments are written out they hold what the sentence needs."""
    wrong = []
    for where, call in reasons_in_the_code():
        key = ast.literal_eval(call.args[0])
        if key not in SENTENCES:
            wrong.append(f"{where}: {key} is not in the catalogue")
            continue
        match call.args[1:]:
            case [ast.Dict(keys=keys)] if all(keys):
                given_names = {ast.literal_eval(name) for name in keys if name}
            case []:
                given_names = set()
            case _:
                continue
        if missing := required(SENTENCES[key][0]) - given_names:
            wrong.append(f"{where}: {key} needs {sorted(missing)}")
    assert not wrong


def test_every_status_has_its_sentence():
    assert {f"status_{status}" for status in Status} <= SENTENCES.keys()


def test_names_are_keyed_as_channels_are_configured():
    assert all(re.fullmatch(r"[a-z_]+", name) for name in NAMES)


def test_what_is_remembered_is_told_apart_by_all_that_is_shown():
    def down(since: str, *channels: str, **more: object) -> str:
        args = {"what": "operator:meta", "since": since, "channels": list(channels), **more}
        return sentence(Reason("down", args), UTC)["en"]

    first = down("2026-11-20T22:58:01+00:00", "facebook", "instagram")
    assert down("2026-11-20T22:58:59+00:00", "facebook", "instagram") == first
    assert down("2026-11-20T22:59:00+00:00", "facebook", "instagram") == first.replace("22:58", "22:59")
    assert down("2026-11-20T22:58:01+00:00", "facebook") != first
    assert sentence(Reason("down", {"what": "meta"}), UTC)["en"] == "Meta is down"
    mine = sentence(Reason("down", {"what": "meta"}), UTC)
    mine["en"] = "scribbled on"
    assert sentence(Reason("down", {"what": "meta"}), UTC)["en"] == "Meta is down"


def test_a_list_of_what_is_no_name_is_shown_all_the_same():
    args = {"what": "meta", "channels": [{"name": "facebook"}, ["x"]]}
    assert sentence(Reason("down", args), UTC)["en"].startswith("Meta is down (")
