"""Every row of table III: what an answer says about the channel it came from."""

import pytest

from broker.model import Verb
from broker.outcome import (
    MEDIA_GONE,
    MEDIA_UNFIT,
    Absent,
    Fault,
    Finding,
    Hidden,
    NotSeen,
    Pending,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
)
from broker.rules.breaker import is_open
from broker.rules.evidence import Verdict, evidence
from tests.unit.answers import ERROR_500, EXPIRED, NEW, UP, after, posted, probed
from tests.unit.builders import T0, at, s

EVIDENCE: list[tuple[Verb, Finding, Verdict | None]] = [
    *((Verb.PUBLISH, outcome, Verdict.UP) for outcome in (UP, Pending("h", s(5)), Unfinished("h", s(5)))),
    *((Verb.FIND, outcome, Verdict.UP) for outcome in (UP, Absent(), NotSeen(T0))),
    (Verb.PUBLISH, Uncertain(Fault.DUPLICATE, "posted already"), Verdict.UP),
    *((Verb.PROBE, Unavailable(fault), Verdict.OUTAGE) for fault in (Fault.DNS, Fault.CONNECT, Fault.TLS)),
    *((Verb.PUBLISH, Uncertain(fault), Verdict.OUTAGE) for fault in (Fault.NO_BYTE, Fault.SERVER, Fault.HANG)),
    (Verb.PUBLISH, EXPIRED, Verdict.DENIED),
    (Verb.PUBLISH, Throttled(s(5)), Verdict.THROTTLED),
    (Verb.PUBLISH, Rejected("368"), Verdict.REFUSED),
    (Verb.PUBLISH, Unavailable(Fault.MEDIA, "our own host"), Verdict.MEDIA),
    (Verb.PUBLISH, Rejected(MEDIA_GONE, "the file is gone"), None),
    (Verb.PUBLISH, Rejected(MEDIA_UNFIT, "the video is too large"), None),
    (Verb.PUBLISH, Uncertain(Fault.CRASH, "our own end"), None),
]


@pytest.mark.parametrize(("verb", "outcome", "verdict"), EVIDENCE, ids=lambda v: str(v)[:40])
def test_table_iii_what_an_answer_says(verb: Verb, outcome: Finding, verdict: Verdict | None):
    said = evidence(verb, outcome, "a1")
    assert (said.verdict if said else None) is verdict
    assert said is None or said.by_post is (verb is Verb.PUBLISH)


def test_table_iii_a_copy_that_readers_cannot_see_speaks_of_posting_and_no_probe_contradicts_it():
    shut = after(NEW, (5, Verb.FIND, Hidden("switch the app to live mode")))
    assert (is_open(shut), shut.denied, shut.detail) == (True, True, "switch the app to live mode")
    assert is_open(probed(shut, (10, UP)))
    assert not is_open(after(shut, (70, Verb.PUBLISH, UP)))


@pytest.mark.parametrize("outcome", [UP, Throttled(s(5)), EXPIRED, Rejected("368"), ERROR_500])
def test_table_iii_any_answer_means_that_host_and_path_are_up(outcome: Finding):
    assert posted((5, outcome)).answered_at == at(5)


@pytest.mark.parametrize("fault", [Fault.DNS, Fault.CONNECT, Fault.TLS, Fault.NO_BYTE, Fault.HANG])
def test_table_iii_silence_is_no_answer(fault: Fault):
    assert posted((5, Uncertain(fault))).answered_at is None


@pytest.mark.parametrize("outcome", [Throttled(s(5)), Rejected("368"), Unavailable(Fault.MEDIA)])
def test_table_iii_throttles_content_and_our_media_open_nothing(outcome: Finding):
    assert not is_open(posted((1, outcome), (2, outcome), (3, outcome)))
