"""What the Graph API's answers mean."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._graph import ERRORS, UNNAMED_WAIT, Means, Refusal, classify, wait
from adapters._http import Answer
from broker.outcome import Denied, Rejected, Throttled, Uncertain

DOCS = Path(__file__).resolve().parents[2] / "docs" / "adapters"


def answer(body: object, status: int = 400, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(body).encode())


def refusal(code: int | str, subcode: int | None = None, status: int = 400, **rest: object) -> Refusal:
    error = {"message": "no", "code": code, **({"error_subcode": subcode} if subcode else {}), **rest}
    reply = classify(answer({"error": error}, status))
    assert isinstance(reply, Refusal)
    return reply


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        (1, None, Uncertain),
        (2, None, Uncertain),
        (506, None, Uncertain),
        (100, 1366051, Uncertain),
        (100, 1363047, Uncertain),
        (4, None, Throttled),
        (80001, None, Throttled),
        (9, 2207042, Throttled),
        (368, 1390008, Throttled),
        (190, None, Denied),
        (190, 463, Denied),
        (190, 999999, Denied),
        (102, None, Denied),
        (10, None, Denied),
        (200, None, Denied),
        (299, None, Denied),
        (10, 4279013, Denied),
        (368, 1404112, Denied),
        (2635, None, Denied),
        (4, 2207051, Rejected),
        (368, None, Rejected),
        (368, 77, Rejected),
        (100, None, Rejected),
        (300, None, Rejected),
        (1404102, None, Rejected),
        ("THREADS_API__LINK_LIMIT_EXCEEDED", None, Rejected),
        ("SOMETHING_NEW", None, Rejected),
    ],
)
def test_an_error_is_judged_by_its_code_and_never_by_its_status(code, subcode, kind):
    for status in (200, 400, 401, 403, 500, 503):
        assert isinstance(refusal(code, subcode, status).outcome, kind), status


def test_a_refusal_names_its_code_and_the_platforms_words():
    outcome = refusal(368, 77, message="The\naction  is disallowed").outcome
    assert outcome == Rejected("368/77", "blocked for policy: The action is disallowed")


@pytest.mark.parametrize(("code", "kind"), [(100, Uncertain), (12345, Uncertain), (190, Denied), (4, Throttled)])
def test_what_the_platform_calls_transient_judges_no_content(code, kind):
    assert isinstance(refusal(code, is_transient=True).outcome, kind)


def test_a_missing_proof_is_about_the_account():
    outcome = refusal(100, message="API calls from the server require an appsecret_proof argument").outcome
    assert isinstance(outcome, Denied)
    assert "app_secret" in outcome.detail


def test_a_repeated_token_is_masked():
    error = {"error": {"code": 1234, "message": "what is EAAB123?"}}
    reply = classify(answer(error), "EAAB123")
    assert isinstance(reply, Refusal)
    assert "EAAB123" not in repr(reply)


NAMES = st.sampled_from(["id", "error", "code", "error_subcode", "message", "is_transient"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner, max_size=3),
)


@given(st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()), st.integers(100, 599))
def test_no_answer_is_too_strange(body, status):
    reply = classify(Answer(status, {}, body))
    if isinstance(reply, dict):
        assert 200 <= status < 300
        assert reply.get("error") is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ({"1098": [{"type": "pages", "estimated_time_to_regain_access": 7}]}, 420),
        ({"1098": [{"estimated_time_to_regain_access": 2}, {"estimated_time_to_regain_access": 30}]}, 1800),
        ({"1098": [{"estimated_time_to_regain_access": 10**12}]}, 86400),
        ({"1098": [{"estimated_time_to_regain_access": 1e400}]}, 86400),
        ({"1098": [{"estimated_time_to_regain_access": 0}]}, UNNAMED_WAIT.total_seconds()),
        ({"1098": [{"estimated_time_to_regain_access": "soon"}]}, UNNAMED_WAIT.total_seconds()),
        ({"1098": [{"call_count": 100}]}, UNNAMED_WAIT.total_seconds()),
        ({}, UNNAMED_WAIT.total_seconds()),
        ([], UNNAMED_WAIT.total_seconds()),
    ],
)
def test_minutes_of_the_usage_header_become_a_wait(value, seconds):
    assert wait({"X-Business-Use-Case-Usage": json.dumps(value)}) == timedelta(seconds=seconds)


@given(st.text(max_size=60))
def test_no_usage_header_is_too_strange(value):
    assert timedelta(seconds=1) <= wait({"X-Business-Use-Case-Usage": value}) <= timedelta(hours=24)


def test_every_denial_says_what_to_do():
    assert not [code for code, meaning in ERRORS.items() if meaning.means is Means.DENIED and ":" not in meaning.say]


def test_every_code_is_documented():
    text = (DOCS / "meta.md").read_text(encoding="utf-8")
    codes = {code for code in ERRORS if not (code.isdecimal() and 200 <= int(code) < 300)} | {"200-299"}
    assert not sorted(code for code in codes if f"`{code}`" not in text)
