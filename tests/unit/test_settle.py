"""`settle`: every row of the tables in docs/states.md, what time alone does, and what holds for any answer at all."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.contract import Step
from broker.engine.inbox import resolved
from broker.model import RESTING, Delivery, OnUnconfirmed, Reason, State, StepClass, Verb
from broker.outcome import (
    Absent,
    Cause,
    Denied,
    Fault,
    Finding,
    Hidden,
    Live,
    NotSeen,
    Pending,
    Rejected,
    Seen,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
)
from broker.rules.deadlines import as_found, asked_until, by_time, sent_until, time_limit
from broker.rules.delivery import (
    BEFORE_SENT,
    MOVES,
    Policy,
    begin,
    counts_copies,
    ended,
    keeps_its_words,
    lasts_at_most,
    unsent,
    verb_for,
)
from broker.rules.settle import REPEATS, concerns, settle
from broker.values import replace
from tests.unit.builders import ALL_VERBS, T0, at, delivery, policy, s

S = State
INVISIBLE, KEYED, HANDLE, LIST, NOTHING = StepClass
REFUSED = Unavailable(Fault.CONNECT, "connection refused")
LOST = Uncertain(Fault.SERVER, "no answer in time")
LIVE = Live("p9", "https://example.org/p9", Seen.PUBLIC)
HIDDEN = Hidden("switch the app to live mode")
LONG_AGO = T0 - timedelta(days=30)
FAILED_QUESTIONS = (REFUSED, Throttled(s(9)), Denied("expired"), LOST)
NOW = at(10)

# the publish table

PUBLISH: list[tuple[Finding, State, Cause | None, dict[str, Any]]] = [
    (LIVE, S.LIVE, None, {"platform_id": "p9", "url": "https://example.org/p9", "seen": Seen.PUBLIC, "live_at": NOW}),
    (Pending("h1", s(20)), S.PENDING, None, {"handle": "h1", "next_at": at(30), "tries": 0}),
    (Unfinished("h1", s(5)), S.DUE, None, {"handle": "h1", "next_at": at(15), "tries": 0}),
    (REFUSED, S.DUE, Cause.OUTAGE, {"tries": 1, "next_at": at(11)}),
    (Unavailable(Fault.SERVER, "503", s(70)), S.DUE, Cause.OUTAGE, {"tries": 1, "next_at": at(80)}),
    (Unavailable(Fault.SERVER, "", timedelta(days=900)), S.DUE, Cause.OUTAGE, {"next_at": NOW + timedelta(days=1)}),
    (Throttled(s(45)), S.DUE, Cause.LIMIT, {"tries": 0, "next_at": at(55)}),
    (Throttled(s(-45)), S.DUE, Cause.LIMIT, {"next_at": at(11)}),
    (Denied("expired"), S.DUE, Cause.ACCOUNT, {"tries": 0, "next_at": None}),
    (Rejected("368", "blocked"), S.FAILED, Cause.CONTENT, {"next_at": None}),
    (LOST, S.CHECKING, Cause.UNCLEAR, {"next_at": at(15), "first_sent_at": at(1), "tries": 1}),
    (Absent(), S.DUE, Cause.OUTAGE, {"handle": None, "step": 0, "tries": 1}),
    (Absent(removed=True), S.REMOVED, Cause.ACCOUNT, {"next_at": None}),
]


@pytest.mark.parametrize(("outcome", "state", "cause", "more"), PUBLISH, ids=lambda v: type(v).__name__)
def test_publish(outcome: Finding, state: State, cause: Cause | None, more: dict[str, Any]):
    after = settle(delivery(S.SENDING, handle="h0", step=1), Verb.PUBLISH, outcome, policy(), NOW)
    assert (after.state, after.cause) == (state, cause)
    assert {name: getattr(after, name) for name in more} == more
    assert after.reason is not None


AFTER_UNCERTAIN = [
    (INVISIBLE, S.DUE, Verb.PUBLISH),
    (KEYED, S.CHECKING, Verb.PUBLISH),
    (HANDLE, S.CHECKING, Verb.FIND),
    (LIST, S.CHECKING, Verb.FIND),
    (NOTHING, S.UNCONFIRMED, None),
]


@pytest.mark.parametrize(("step", "state", "verb"), AFTER_UNCERTAIN)
@pytest.mark.parametrize("outcome", [LOST, Uncertain(Fault.CRASH, "the broker was stopped")])
def test_after_uncertain(step: StepClass, state: State, verb: Verb | None, outcome: Uncertain):
    how = policy(step, key_lifetime=s(3600))
    after = settle(delivery(S.SENDING), Verb.PUBLISH, outcome, how, NOW)
    assert (after.state, verb_for(after, how)) == (state, verb)


def test_where_nobody_can_be_asked_a_persons_word_is_waited_for():
    how = policy(NOTHING, abilities=frozenset({Verb.PROBE}))
    waits = settle(delivery(S.SENDING), Verb.PUBLISH, Pending("h1", s(20)), how, NOW)
    assert waits.reason is not None
    assert (waits.state, waits.next_at, waits.reason.key) == (S.PENDING, None, "pending_person")
    assert by_time(waits, how, at(1 + 3600)).state is S.UNCONFIRMED


def test_what_people_have_to_do_is_said_as_soon_as_the_platform_says_it():
    taken = settle(delivery(S.SENDING, sent_at=T0), Verb.PUBLISH, Pending("h", s(1)), policy(), NOW)
    waiting = settle(taken, Verb.CONFIRM, Pending("h", s(1), "tap_draft"), policy(), NOW)
    silent = settle(waiting, Verb.CONFIRM, Pending("h", s(1)), policy(), NOW)
    said = [one.reason.args.get("why") for one in (taken, waiting, silent) if one.reason]
    assert said == [None, "tap_draft", "tap_draft"]


@pytest.mark.parametrize("step", [HANDLE, LIST])
def test_a_platform_that_offers_no_read_back_cannot_be_asked(step: StepClass):
    how = policy(step, abilities=frozenset({Verb.PROBE}))
    assert settle(delivery(S.SENDING), Verb.PUBLISH, LOST, how, NOW).state is S.UNCONFIRMED


def test_tries_are_spread_and_never_beyond_a_minute():
    d, waits = delivery(S.SENDING), []
    for _ in range(8):
        d = settle(d, Verb.PUBLISH, REFUSED, policy(), NOW)
        assert d.next_at is not None
        waits.append((d.next_at - NOW).total_seconds())
        d = begin(d, policy(), NOW)
    assert waits[0] == 1
    assert 1 <= waits[1] <= 4
    assert 2 <= waits[2] <= 8
    assert all(15 <= wait <= 60 for wait in waits[3:])


def test_two_deliveries_do_not_retry_in_step():
    both = [delivery(S.SENDING, name, tries=2, attempt=3) for name in ("facebook", "threads")]
    a, b = (settle(d, Verb.PUBLISH, REFUSED, policy(), NOW).next_at for d in both)
    assert a != b


def test_a_keyed_copy_that_may_be_out_stays_uncertain_until_its_key_is_answered():
    how = policy(KEYED, key_lifetime=s(3600))
    maybe_out = begin(delivery(S.CHECKING), how, at(5))
    for certain in (REFUSED, Throttled(s(5)), Denied("expired")):
        assert settle(maybe_out, Verb.PUBLISH, certain, how, NOW).state is S.CHECKING
    assert settle(maybe_out, Verb.PUBLISH, Rejected("409"), how, NOW).state is S.UNCONFIRMED
    assert settle(maybe_out, Verb.PUBLISH, LIVE, how, NOW).state is S.LIVE


def test_a_lost_invisible_step_may_not_claim_that_something_was_posted():
    after = settle(delivery(S.SENDING), Verb.PUBLISH, LOST, policy(INVISIBLE), NOW)
    assert after.reason is not None
    assert (after.reason.key, after.cause, after.tries) == ("unavailable", Cause.OUTAGE, 1)


def test_our_own_crash_in_an_invisible_step_is_no_failure_of_the_platform():
    crashed = Uncertain(Fault.CRASH, "the broker was stopped")
    after = settle(delivery(S.SENDING), Verb.PUBLISH, crashed, policy(INVISIBLE), NOW)
    assert (after.state, after.cause, after.tries, after.next_at) == (S.DUE, None, 0, NOW)


def test_a_crash_in_an_invisible_step_is_no_failure_and_hides_nothing():
    crash = Uncertain(Fault.CRASH, "the broker was stopped")
    after = settle(delivery(S.SENDING, tries=1), Verb.PUBLISH, crash, policy(INVISIBLE), NOW)
    assert after.reason is not None
    assert (after.reason.key, after.cause, after.tries, after.next_at) == ("interrupted", None, 1, NOW)


def test_a_keyed_copy_that_may_be_out_is_tried_again_after_a_denial():
    how = policy(KEYED, key_lifetime=s(3600))
    denied = settle(begin(delivery(S.CHECKING), how, at(5)), Verb.PUBLISH, Denied("expired"), how, NOW)
    assert denied.next_at is not None
    assert NOW < denied.next_at < NOW + s(600)


REPEAT = policy(NOTHING, on_unconfirmed=OnUnconfirmed.REPEAT)


def test_a_wanted_repeat_never_ends_as_if_nothing_could_be_public():
    wanted = settle(delivery(S.SENDING), Verb.PUBLISH, LOST, REPEAT, NOW)
    assert wanted.state is S.DUE
    assert by_time(wanted, REPEAT, REPEAT.useful_until).state is S.UNCONFIRMED
    repeated = begin(wanted, REPEAT, at(12))
    assert settle(repeated, Verb.PUBLISH, Rejected("400"), REPEAT, at(13)).state is S.UNCONFIRMED
    refused = settle(repeated, Verb.PUBLISH, REFUSED, REPEAT, at(13))
    assert by_time(refused, REPEAT, REPEAT.useful_until).state is S.UNCONFIRMED


# table I

BACK_TO_THEN = at(1) - BEFORE_SENT
SETTLED = at(1 + 15 * 60)
TABLE_I: list[tuple[Verb, Finding, State, dict[str, Any]]] = [
    (Verb.CONFIRM, LIVE, S.LIVE, {"platform_id": "p9"}),
    (Verb.CONFIRM, Pending("h2", s(30)), S.PENDING, {"handle": "h2", "next_at": at(40)}),
    (Verb.CONFIRM, Unfinished("h2", s(5)), S.DUE, {"handle": "h2", "next_at": at(15)}),
    (Verb.CONFIRM, Absent(), S.DUE, {"handle": None, "step": 0}),
    (Verb.CONFIRM, Absent(removed=True), S.REMOVED, {"cause": Cause.ACCOUNT, "next_at": None}),
    (Verb.CONFIRM, NotSeen(LONG_AGO), S.PENDING, {"handle": "h1"}),
    (Verb.CONFIRM, Rejected("policy"), S.FAILED, {"cause": Cause.CONTENT}),
    (Verb.CONFIRM, HIDDEN, S.PENDING, {"cause": Cause.ACCOUNT, "handle": "h1", "next_at": at(15)}),
    (Verb.FIND, LIVE, S.LIVE, {"platform_id": "p9"}),
    (Verb.FIND, Pending("h2", s(30)), S.PENDING, {"handle": "h2", "next_at": at(40)}),
    (Verb.FIND, Unfinished("h2", s(5)), S.DUE, {"handle": "h2", "next_at": at(15)}),
    (Verb.FIND, Absent(), S.DUE, {"handle": None, "step": 0, "first_sent_at": None}),
    (Verb.FIND, Absent(removed=True), S.REMOVED, {"cause": Cause.ACCOUNT, "next_at": None}),
    (Verb.FIND, NotSeen(LONG_AGO), S.CHECKING, {"handle": "h1"}),
    (Verb.FIND, Rejected("policy"), S.FAILED, {"cause": Cause.CONTENT}),
    (Verb.FIND, HIDDEN, S.CHECKING, {"cause": Cause.ACCOUNT, "handle": "h1", "next_at": at(15)}),
]


@pytest.mark.parametrize(("verb", "outcome", "state", "more"), TABLE_I, ids=lambda v: type(v).__name__)
def test_table_i(verb: Verb, outcome: Finding, state: State, more: dict[str, Any]):
    asked = delivery(S.PENDING if verb is Verb.CONFIRM else S.CHECKING, handle="h1", step=1)
    after = settle(asked, verb, outcome, policy(), NOW)
    assert after.state is state
    assert {name: getattr(after, name) for name in more} == more


@pytest.mark.parametrize("outcome", FAILED_QUESTIONS)
@pytest.mark.parametrize("verb", [Verb.CONFIRM, Verb.FIND])
def test_table_i_a_question_that_failed_is_asked_again_with_backoff(verb: Verb, outcome: Finding):
    d = delivery(S.PENDING if verb is Verb.CONFIRM else S.CHECKING)
    before, waits = d, []
    for _ in range(9):
        d = settle(d, verb, outcome, policy(), NOW)
        assert d.next_at is not None
        waits.append((d.next_at - NOW).total_seconds())
        assert (d.state, d.cause, d.reason, d.tries) == (before.state, before.cause, before.reason, before.tries)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600]


@pytest.mark.parametrize(("verb", "state"), [(Verb.CONFIRM, S.PENDING), (Verb.FIND, S.CHECKING)])
def test_table_i_a_copy_the_platform_lost_starts_over_with_the_waits_of_a_failed_try(verb: Verb, state: State):
    first = settle(delivery(state, handle="h1", first_sent_at=at(1)), verb, Absent(), policy(), NOW)
    assert (first.tries, first.next_at, first.first_sent_at) == (1, at(11), None)
    fourth = settle(delivery(state, handle="h1", tries=3), verb, Absent(), policy(), NOW)
    assert fourth.next_at is not None
    assert fourth.next_at > at(20)


def test_a_copy_no_list_showed_is_not_forgotten_when_a_later_one_is_proved_absent():
    again = delivery(S.CHECKING, handle="h2", first_sent_at=at(1), repeats=1)
    assert settle(again, Verb.FIND, Absent(), policy(), NOW).first_sent_at == at(1)


def test_an_attempt_by_handle_that_may_still_run_is_looked_for_before_its_delivery_ends():
    """A request that the platform runs late publishes what its handle calls unfinished until then."""
    how, lost = (
        policy(HANDLE),
        settle(delivery(S.SENDING, handle="h1", step=1), Verb.PUBLISH, LOST, policy(HANDLE), NOW),
    )
    early = settle(lost, Verb.FIND, Unfinished("h1", s(0)), how, at(60))
    late = settle(lost, Verb.FIND, Unfinished("h1", s(0)), how, at(2000))
    states = [ended(d, S.SKIPPED, Reason("not_needed"), how, at(2000)).state for d in (early, late)]
    assert (early.state, late.state, states) == (S.DUE, S.DUE, [S.CHECKING, S.SKIPPED])


def test_a_refusal_says_nothing_of_an_earlier_attempt_by_handle_that_may_still_run():
    how = policy(HANDLE)
    earlier = settle(delivery(S.SENDING, handle="h1"), Verb.PUBLISH, LOST, how, NOW)
    again = begin(settle(earlier, Verb.FIND, Unfinished("h1", s(0)), how, at(60)), how, at(61))
    refused = settle(again, Verb.PUBLISH, Rejected("policy"), how, at(62))
    assert refused.state is S.CHECKING
    assert settle(refused, Verb.FIND, Rejected("policy"), how, at(120)).state is S.FAILED
    over = begin(settle(refused, Verb.FIND, Unfinished("h1", s(0)), how, at(2000)), how, at(2001))
    assert settle(over, Verb.PUBLISH, Rejected("policy"), how, at(2002)).state is S.FAILED


NOT_SEEN = NotSeen(LONG_AGO, neighbour=False)
TWO_STEPS = (Step("create", INVISIBLE), Step("post", LIST))


@pytest.mark.parametrize("steps", [TWO_STEPS[1:], TWO_STEPS])
@pytest.mark.parametrize(
    ("repeats", "states"), [(1, [S.EXPIRED, S.SKIPPED, S.FAILED]), (2, [S.UNCONFIRMED, S.UNCONFIRMED, S.UNCONFIRMED])]
)
def test_two_attempts_that_no_list_showed_are_not_denied_whatever_ends_it(
    steps: tuple[Step, ...], repeats: int, states: list[State]
):
    """Found by simulation: lists that were empty for minutes hid both, and the delivery was called expired."""
    how = policy(steps=steps)
    due = delivery(S.DUE, first_sent_at=at(1), sent_at=at(1), repeats=repeats)
    ends = [
        by_time(due, how, how.useful_until),
        ended(due, S.SKIPPED, Reason("not_needed"), how, NOW),
        settle(begin(due, how, NOW), Verb.PUBLISH, Rejected("policy"), how, NOW),
    ]
    said = [d.reason.args.get("times") for d in ends if d.reason is not None]
    assert [d.state for d in ends] == states
    assert said == [2 if repeats == 2 else None] * 3


@pytest.mark.parametrize("state", [S.PENDING, S.CHECKING])
def test_who_could_not_be_asked_in_time_after_a_repeat_is_told_how_often_it_was_sent(state: State):
    d = by_time(delivery(state, repeats=1), policy(), at(10**6))
    assert d.reason is not None
    assert (d.state, d.reason.key, d.reason.args) == (S.UNCONFIRMED, "uncounted", {"times": 2})


def test_what_was_judged_after_attempts_nobody_can_ask_about_is_not_called_failed():
    pushed = settle(begin(settle(delivery(S.SENDING), Verb.PUBLISH, LOST, REPEAT, NOW), REPEAT, at(12)), Verb.PUBLISH,
                    Pending("h2", s(5)), REPEAT, at(13))  # fmt: skip
    assert settle(pushed, Verb.CONFIRM, Rejected("policy"), REPEAT, at(20)).state is S.UNCONFIRMED
    started_over = settle(pushed, Verb.CONFIRM, Absent(), REPEAT, at(20))
    assert by_time(started_over, REPEAT, REPEAT.useful_until).state is S.UNCONFIRMED


def test_after_a_repeat_nobody_claims_that_nothing_is_there():
    """Both requests may run later than any list was asked: a person must look."""
    repeated = delivery(S.CHECKING, first_sent_at=at(1), uncertain_at=at(1), repeats=1)
    how = policy(useful_until=at(3000))
    after = settle(repeated, Verb.FIND, NotSeen(BACK_TO_THEN), how, at(3600))
    assert after.reason is not None
    assert (after.state, after.reason.key, after.reason.args) == (S.UNCONFIRMED, "uncounted", {"times": 2})


def test_a_count_that_shows_no_copy_asks_for_the_known_one_by_its_id():
    """The platform may have taken it away since: no list would ever prove that."""
    counted = settle(
        delivery(S.LIVE, repeats=1, seen=Seen.ACCOUNT, live_at=at(0)), Verb.FIND, NOT_SEEN, policy(), at(61)
    )
    assert (counted.state, counts_copies(counted), counted.next_at) == (S.LIVE, False, at(66))
    assert settle(counted, Verb.FIND, Absent(), policy(), at(66)).state is S.REMOVED


@pytest.mark.parametrize("outcome", [NOT_SEEN, REFUSED, Live("p7", seen=Seen.ACCOUNT)])
def test_copies_that_could_not_be_counted_after_a_repeat_are_reported(outcome: Finding):
    d = settle(delivery(S.SENDING, repeats=1), Verb.PUBLISH, Live("p9"), policy(abilities=FINDS_ONLY), NOW)
    while d.next_at is not None:
        d = settle(d, Verb.FIND, outcome, policy(abilities=FINDS_ONLY), d.next_at)
    assert d.reason is not None
    assert (d.state, d.reason.key) == (S.LIVE, "uncounted")


@pytest.mark.parametrize("outcome", [Live("p1"), Live("p7"), Live("p1", extra=("p2",)), NOT_SEEN, REFUSED, HIDDEN])
def test_a_look_that_is_answered_after_the_withdrawal_sets_no_time(outcome: Finding):
    taken_back = replace(policy(), withdrawn=True)
    d = delivery(S.LIVE, repeats=1, seen=Seen.ACCOUNT, live_at=at(0), next_at=at(7))
    after = settle(d, Verb.FIND, outcome, taken_back, at(61))
    assert (after.state, after.next_at) == (S.LIVE, at(7))


def found(outcome: Finding, seconds: float = 3600, **changes: Any) -> State:
    return settle(delivery(S.CHECKING, **changes), Verb.FIND, outcome, policy(), at(seconds)).state


def test_not_seen_counts_only_when_the_list_has_settled_reaches_back_and_shows_our_neighbour():
    assert found(NotSeen(BACK_TO_THEN)) is S.DUE
    assert found(NotSeen(BACK_TO_THEN, neighbour=True)) is S.DUE
    assert found(NotSeen(BACK_TO_THEN, neighbour=False)) is S.CHECKING
    assert found(NotSeen(BACK_TO_THEN + s(0.001))) is S.CHECKING
    assert found(NotSeen(BACK_TO_THEN), (SETTLED - T0).total_seconds() - 0.001) is S.CHECKING


def test_not_seen_must_reach_back_beyond_the_first_attempt_that_may_have_got_through():
    later = {"first_sent_at": at(1), "sent_at": at(1800)}
    assert found(NotSeen(at(1800) - BEFORE_SENT), 7200, **later) is S.CHECKING
    assert found(NotSeen(BACK_TO_THEN), 7200, **later) is S.DUE


def test_not_seen_is_asked_once_more_exactly_when_the_list_has_settled():
    after = settle(delivery(S.CHECKING, asks=9), Verb.FIND, NotSeen(LONG_AGO), policy(), SETTLED - s(30))
    assert after.next_at == SETTLED


def test_after_two_repeats_a_person_is_asked():
    assert found(NotSeen(LONG_AGO), repeats=REPEATS - 1) is S.DUE
    assert found(NotSeen(LONG_AGO), repeats=REPEATS) is S.UNCONFIRMED


def test_a_list_settles_after_the_last_byte_not_after_the_first():
    d = settle(delivery(S.SENDING), Verb.PUBLISH, LOST, policy(), at(45))
    assert settle(d, Verb.FIND, NotSeen(LONG_AGO), policy(), at(45 + 900) - s(0.001)).state is S.CHECKING
    assert settle(d, Verb.FIND, NotSeen(LONG_AGO), policy(), at(45 + 900)).state is S.DUE


def test_not_seen_when_it_is_not_owed_any_more_is_not_sent_again():
    assert found(NotSeen(LONG_AGO), 3 * 3600 - 1) is S.DUE
    assert found(NotSeen(LONG_AGO), 3 * 3600) is S.SKIPPED


# live copies

FINDS_ONLY = frozenset({Verb.PROBE, Verb.FIND})


def test_a_live_copy_is_looked_back_at_once_and_then_left_alone():
    live = settle(delivery(S.SENDING), Verb.PUBLISH, LIVE, policy(), NOW)
    assert live.next_at == at(40)
    assert settle(live, Verb.FIND, Live("p9"), policy(), at(40)).next_at is None
    assert settle(live, Verb.FIND, NotSeen(LONG_AGO), policy(), at(40)).next_at is None


def test_no_look_back_without_the_ability_or_the_wish():
    for how in (policy(abilities=frozenset({Verb.PROBE})), policy(look_back=None)):
        assert settle(delivery(S.SENDING), Verb.PUBLISH, LIVE, how, NOW).next_at is None


def test_the_platform_took_it_away():
    gone = settle(delivery(S.LIVE), Verb.FIND, Absent(), policy(), NOW)
    assert (gone.state, gone.cause) == (S.REMOVED, Cause.ACCOUNT)
    assert settle(gone, Verb.PUBLISH, LIVE, policy(), NOW) == gone
    assert settle(gone, Verb.FIND, LIVE, policy(), NOW).state is S.LIVE


def test_a_live_copy_that_readers_cannot_see_is_removed_with_what_to_do():
    unseen = settle(delivery(S.LIVE), Verb.FIND, HIDDEN, policy(), NOW)
    assert unseen.reason is not None
    assert (unseen.state, unseen.cause, unseen.reason.key) == (S.REMOVED, Cause.ACCOUNT, "hidden")
    assert unseen.reason.args["detail"] == "switch the app to live mode"


@pytest.mark.parametrize("outcome", [*FAILED_QUESTIONS, Rejected("100"), Pending("h", s(5))])
def test_a_failed_look_back_is_repeated_a_few_times(outcome: Finding):
    d, looks = delivery(S.LIVE), 0
    while looks == 0 or d.next_at is not None:
        d = settle(d, Verb.FIND, outcome, policy(), NOW)
        looks += 1
        assert d.state is S.LIVE
        assert looks < 10


def test_after_a_repeat_the_copy_is_looked_back_at_then_copies_are_counted_at_one_and_ten_minutes():
    d = settle(delivery(S.SENDING, repeats=1), Verb.PUBLISH, Live("p9"), policy(abilities=FINDS_ONLY), NOW)
    assert (d.next_at, counts_copies(d)) == (NOW + s(30), False)
    d = settle(d, Verb.FIND, Live("p9", seen=Seen.ACCOUNT), policy(abilities=FINDS_ONLY), NOW + s(31))
    assert (d.next_at, counts_copies(d)) == (NOW + s(60), True)
    d = settle(d, Verb.FIND, Live("p9"), policy(abilities=FINDS_ONLY), NOW + s(61))
    assert d.next_at == NOW + s(600)
    d = settle(d, Verb.FIND, Live("p9", extra=("p10",)), policy(abilities=FINDS_ONLY), NOW + s(601))
    assert (d.next_at, d.extra) == (None, ("p10",))
    assert d.reason is not None
    assert (d.reason.key, d.reason.args["count"]) == ("two_copies", 2)


def test_a_question_that_fails_after_many_answers_is_asked_again_soon():
    """Found by the simulation: each answer "not yet" had counted, and the first failure waited for five minutes."""
    d = delivery(S.PENDING)
    for n in range(8):
        d = settle(d, Verb.CONFIRM, Pending("h", s(5)), policy(), at(5 * n))
    failed = settle(d, Verb.CONFIRM, LOST, policy(first_look=s(5)), at(40))
    assert failed.next_at == at(45)


def test_two_copies_that_are_found_at_once_are_told_of_where_none_can_be_deleted():
    """Found by the simulation: the first look showed both, and nobody was told."""
    d = settle(delivery(S.CHECKING, repeats=1), Verb.FIND, Live("p1", extra=("p2",)), policy(abilities=FINDS_ONLY), NOW)
    assert (d.state, d.platform_id, d.extra) == (S.LIVE, "p1", ("p2",))
    assert d.reason == Reason("two_copies", {"count": 2})


def test_the_younger_copy_is_deleted_where_the_platform_lets_us():
    d = settle(delivery(S.LIVE, repeats=1), Verb.FIND, Live("p1", extra=("p2",)), policy(), at(62))
    assert d.next_at == at(62)
    assert verb_for(d, policy()) is Verb.DELETE
    d = settle(d, Verb.DELETE, Absent(), policy(), at(63))
    assert (d.state, d.extra, d.next_at) == (S.LIVE, (), at(602))


@pytest.mark.parametrize("state", [S.LIVE, S.CHECKING])
def test_a_copy_that_an_adapter_counts_twice_is_never_deleted_as_its_own_second(state: State):
    """Found by kills: an article on the edge of two pages was called live, and deleted as the younger of two."""
    twice = Live("p1", extra=("p1", "p1"))
    d = settle(delivery(state, repeats=1), Verb.FIND, twice, policy(), at(62))
    assert (d.state, d.platform_id, d.extra) == (S.LIVE, "p1", ())
    assert verb_for(d, policy()) is Verb.FIND


def test_a_late_answer_that_names_another_copy_means_two():
    live = delivery(S.LIVE, repeats=1, url="https://example.org/p1")
    both = settle(live, Verb.PUBLISH, LIVE, policy(), NOW)
    assert (both.platform_id, both.extra, both.url) == ("p1", ("p9",), "https://example.org/p1")
    assert both.reason is not None
    assert both.reason.key == "two_copies"
    assert settle(live, Verb.PUBLISH, Live("p1"), policy(), NOW).extra == ()


def test_a_younger_copy_that_a_look_finds_gone_is_not_the_one_that_is_kept():
    """Looks ask for the youngest copy, as deletions do."""
    two = delivery(S.LIVE, extra=("p2",))
    after = settle(two, Verb.FIND, Absent(removed=True), policy(abilities=FINDS_ONLY), NOW)
    assert (after.state, after.platform_id, after.extra) == (S.LIVE, "p1", ())


def test_the_older_copy_is_kept_even_if_the_younger_was_known_first():
    d = settle(delivery(S.LIVE, repeats=1), Verb.FIND, Live("p0", extra=("p1",)), policy(), at(62))
    assert (d.platform_id, d.extra) == ("p0", ("p1",))


def test_a_younger_copy_that_cannot_be_deleted_does_not_stand_in_the_way_of_a_withdrawal():
    d = settle(delivery(S.LIVE, extra=("p2",)), Verb.DELETE, Rejected("10", "no right"), policy(), NOW)
    assert d.reason is not None
    assert (d.state, d.extra, d.reason.key) == (S.LIVE, (), "copy_delete_failed")


def test_a_deletion_does_not_deny_what_an_earlier_try_may_have_left():
    repeated = settle(delivery(S.LIVE, repeats=1), Verb.DELETE, Absent(), policy(), NOW)
    assert repeated.reason is not None
    assert (repeated.state, repeated.reason.key) == (S.WITHDRAWN, "deleted_one")
    left = settle(delivery(S.LIVE, repeats=1), Verb.DELETE, Rejected("10", "no right"), policy(), NOW)
    assert left.reason == Reason("delete_failed", {"detail": "no right", "times": 2})


def test_withdrawal_deletes():
    d = delivery(S.LIVE)
    assert verb_for(d, policy(), withdrawn=True) is Verb.DELETE
    assert settle(d, Verb.DELETE, Absent(), policy(), NOW).state is S.WITHDRAWN
    refused = settle(d, Verb.DELETE, Rejected("10", "no right"), policy(), NOW)
    assert (refused.state, refused.next_at) == (S.LIVE, None)
    assert refused.reason is not None
    assert refused.reason == Reason("delete_failed", {"detail": "no right"})
    for outcome in (REFUSED, Throttled(s(5)), LOST, LIVE):
        again = settle(d, Verb.DELETE, outcome, policy(), NOW)
        assert (again.state, again.next_at) == (S.LIVE, at(15))


# intent, time, verbs


def test_begin_is_the_durable_intent():
    d = begin(delivery(S.DUE, tries=1), policy(), NOW)
    assert (d.state, d.attempt, d.sent_at, d.tries) == (S.SENDING, 1, NOW, 1)
    assert d.next_at is not None
    assert d.next_at > NOW + policy().profile.total_timeout


@pytest.mark.parametrize("step", [LIST, KEYED])
def test_an_attempt_may_leave_while_it_is_useful_and_a_repeat_by_key_while_the_key_is_known(step: StepClass):
    how = policy(step, key_lifetime=s(600), settle_for=s(60))
    first = begin(delivery(S.DUE), how, NOW)
    assert sent_until(first, how) == how.useful_until
    assert sent_until(first, policy(step, key_lifetime=s(0))) == how.useful_until
    again = begin(delivery(S.CHECKING), how, NOW)
    assert sent_until(again, how) == (at(1 + 600 - 60) if step is KEYED else how.useful_until)


def test_silence_is_an_answer_only_when_every_step_had_its_time():
    """An attempt that is still running must not be settled behind its back: its next step could be public."""
    three = policy(steps=(Step("create", INVISIBLE), Step("wait", INVISIBLE), Step("publish", HANDLE)))
    d = begin(delivery(S.DUE), three, NOW)
    assert d.next_at is not None
    assert d.next_at > NOW + lasts_at_most(three.profile)
    assert lasts_at_most(three.profile) == 3 * lasts_at_most(policy().profile)


def test_unsent_goes_back_uncounted():
    d = unsent(begin(delivery(S.DUE, tries=1), policy(), NOW), policy(), NOW)
    assert (d.state, d.tries, d.next_at) == (S.DUE, 1, NOW + s(1))
    keyed = policy(KEYED, key_lifetime=s(3600))
    assert unsent(begin(delivery(S.CHECKING), keyed, NOW), keyed, NOW).state is S.CHECKING


@pytest.mark.parametrize("step", [KEYED, LIST])
@pytest.mark.parametrize("taken", [LOST, Uncertain(Fault.CRASH), Pending("n1", s(60))])
def test_words_that_a_platform_may_keep_under_a_key_stay_the_same_after_send_again(taken: Finding, step: StepClass):
    of = policy(step)
    sent = settle(begin(delivery(S.DUE), of, NOW), Verb.PUBLISH, taken, of, NOW)
    assert sent.state in (S.CHECKING, S.PENDING)
    again = resolved(sent, {"live": False, "send_again": True}, NOW)
    assert again.state is S.DUE
    refused = settle(begin(again, of, NOW), Verb.PUBLISH, REFUSED, of, NOW)
    assert [keeps_its_words(d, of.profile) for d in (again, refused)] == [step is KEYED] * 2


@pytest.mark.parametrize("answer", [REFUSED, Throttled(s(9)), Denied("expired")])
def test_words_that_no_platform_has_may_be_written_anew(answer: Finding):
    of = policy(KEYED)
    d = settle(begin(delivery(S.DUE), of, NOW), Verb.PUBLISH, answer, of, NOW)
    assert not keeps_its_words(d, of.profile)


def test_what_the_gate_holds_back_comes_again_ever_later():
    d, now, waits = delivery(S.DUE), NOW, []
    for _ in range(6):
        d = unsent(begin(d, policy(), now), policy(), now)
        assert d.next_at is not None
        waits.append(d.next_at - now)
        now = d.next_at
    assert waits == [s(1), s(2), s(4), s(8), s(15), s(15)]
    failed = settle(begin(d, policy(), now), Verb.PUBLISH, Unavailable(Fault.CONNECT), policy(), now)
    assert unsent(begin(failed, policy(), now), policy(), now).next_at == now + s(1)


BY_TIME: list[tuple[State, StepClass, dict[str, Any], float, State]] = [
    (S.DUE, LIST, {}, 3 * 3600, S.EXPIRED),
    (S.SENDING, LIST, {"next_at": at(60)}, 60, S.CHECKING),
    (S.SENDING, NOTHING, {"next_at": at(60)}, 60, S.UNCONFIRMED),
    (S.PENDING, LIST, {}, 1 + 3600, S.UNCONFIRMED),
    (S.CHECKING, LIST, {}, 3 * 3600, S.UNCONFIRMED),
    (S.CHECKING, LIST, {"sent_at": at(3 * 3600 - 60)}, 3 * 3600 - 60 + 15 * 60 + 10, S.UNCONFIRMED),
    (S.CHECKING, KEYED, {}, 1 + 1500 - 15 * 60, S.UNCONFIRMED),
]


@pytest.mark.parametrize(("state", "step", "more", "seconds", "then"), BY_TIME)
def test_by_time(state: State, step: StepClass, more: dict[str, Any], seconds: float, then: State):
    how, d = policy(step, key_lifetime=s(1500)), delivery(state, **more)
    assert time_limit(d, how) == at(seconds)
    assert by_time(d, how, at(seconds) - s(0.001)) is d
    assert by_time(d, how, at(seconds)).state is then


@pytest.mark.parametrize(("state", "verb"), [(S.CHECKING, Verb.FIND), (S.PENDING, Verb.CONFIRM)])
def test_a_copy_that_stays_hidden_goes_on_saying_what_to_do(state: State, verb: Verb):
    hidden = settle(delivery(state), verb, HIDDEN, policy(), NOW)
    ended = by_time(hidden, policy(), at(4 * 3600))
    assert (ended.state, ended.cause, ended.reason) == (S.UNCONFIRMED, Cause.ACCOUNT, hidden.reason)


@pytest.mark.parametrize("state", [*sorted(RESTING), S.STANDBY])
def test_time_alone_leaves_the_rest(state: State):
    d = delivery(state)
    assert by_time(d, policy(), at(10**7)) is d
    assert time_limit(d, policy()) is None


VERBS: list[tuple[State, StepClass, Verb | None]] = [
    (S.STANDBY, LIST, None),
    (S.DUE, LIST, Verb.PUBLISH),
    (S.SENDING, LIST, None),
    (S.PENDING, LIST, Verb.CONFIRM),
    (S.CHECKING, LIST, Verb.FIND),
    (S.CHECKING, HANDLE, Verb.FIND),
    (S.CHECKING, KEYED, Verb.PUBLISH),
    (S.LIVE, LIST, Verb.FIND),
    *((state, LIST, None) for state in sorted(RESTING - {S.LIVE})),
]


@pytest.mark.parametrize(("state", "step", "verb"), VERBS)
def test_what_is_asked_next(state: State, step: StepClass, verb: Verb | None):
    assert verb_for(delivery(state), policy(step)) is verb


@pytest.mark.parametrize("state", [S.PENDING, S.CHECKING, S.LIVE])
def test_nothing_is_asked_of_a_platform_that_does_not_offer_it(state: State):
    assert verb_for(delivery(state), policy(abilities=frozenset({Verb.PROBE})), withdrawn=True) is None


def test_what_expires_says_why_it_could_not_be_sent():
    assert by_time(delivery(S.DUE, cause=Cause.OUTAGE), policy(), at(3 * 3600)).cause is Cause.OUTAGE


def test_an_answer_denies_nothing_that_came_in_since_it_was_asked_for():
    checking, live = delivery(S.CHECKING), delivery(S.LIVE)
    said_live = concerns(Absent(), Verb.FIND, checking, live)
    assert (said_live, concerns(LIVE, Verb.FIND, checking, live)) == (False, True)
    assert concerns(Absent(), Verb.FIND, live, live)
    assert concerns(LOST, Verb.PUBLISH, delivery(S.SENDING), checking), "time may have called it lost before"
    assert not concerns(LOST, Verb.PUBLISH, delivery(S.SENDING), delivery(S.SENDING, attempt=2))


@pytest.mark.parametrize("verb", [Verb.PROBE, Verb.EDIT, Verb.REHEARSE])
def test_an_answer_about_something_else_shows_no_copy(verb: Verb):
    for state in State:
        d = delivery(state)
        assert settle(d, verb, LIVE, policy(), NOW) == d


DIAGRAM = re.compile(r"^    (\w+) --> (\w+)$", re.MULTILINE)


def test_the_diagram_in_the_docs_shows_the_allowed_moves():
    page = (Path(__file__).resolve().parents[2] / "docs/states.md").read_text(encoding="utf-8")
    shown = [(State(a), State(b)) for a, b in DIAGRAM.findall(page)]
    assert sorted(shown) == sorted((a, b) for a, targets in MOVES.items() for b in targets)


# any answer at all

seconds = st.floats(-10, 10**6, allow_nan=False).map(s)
handles = st.sampled_from(["h1", "h2"])
faults = st.sampled_from(Fault)
lives = st.builds(
    Live, st.sampled_from(["p1", "p2"]), st.none() | st.just("https://example.org/p"), st.none() | st.sampled_from(Seen)
)
failed_questions = st.one_of(
    st.builds(Unavailable, faults, st.just("refused"), st.none() | seconds),
    st.builds(Throttled, seconds),
    st.builds(Denied, st.just("expired")),
    st.builds(Uncertain, faults, st.just("lost")),
)
not_seen = st.builds(NotSeen, st.floats(-(10**4), 10**4).map(at), st.none() | st.booleans())
findings = st.one_of(
    lives,
    failed_questions,
    not_seen,
    st.builds(Pending, handles, seconds),
    st.builds(Unfinished, handles, seconds.map(lambda wait: max(wait, s(0)))),
    st.builds(Rejected, st.sampled_from(["100", "368"])),
    st.builds(Absent, st.booleans()),
    st.just(HIDDEN),
)
moments = st.floats(1, 4 * 3600).map(at)
policies = st.builds(
    policy,
    st.sampled_from(StepClass),
    on_unconfirmed=st.sampled_from(OnUnconfirmed),
    useful_until=st.sampled_from([at(600), at(3 * 3600)]),
    abilities=st.sets(st.sampled_from(sorted(ALL_VERBS))).map(frozenset),
    key_lifetime=st.sampled_from([s(0), s(600), s(3600)]),
    settle_for=st.sampled_from([s(30), s(900)]),
)
deliveries = st.builds(
    delivery,
    st.sampled_from(State),
    handle=st.none() | handles,
    tries=st.integers(0, 5),
    repeats=st.integers(0, 3),
    asks=st.integers(0, 12),
)


@given(deliveries, st.sampled_from(Verb), findings, policies, moments)
def test_moves_are_allowed_moves(d: Any, verb: Verb, outcome: Finding, how: Policy, now: Any):
    for after in (settle(d, verb, outcome, how, now), by_time(d, how, now)):
        assert after.state is d.state or after.state in MOVES[d.state]


@given(deliveries, st.sampled_from([v for v in Verb if v is not Verb.PUBLISH]), failed_questions, policies, moments)
def test_no_failed_question_changes_a_delivery(d: Any, verb: Verb, outcome: Finding, how: Policy, now: Any):
    after = settle(d, verb, outcome, how, now)
    assert (after.state, after.cause, after.tries, after.handle) == (d.state, d.cause, d.tries, d.handle)


@given(
    st.sampled_from([S.PENDING, S.CHECKING, S.LIVE, S.UNCONFIRMED]).map(delivery),
    st.sampled_from([v for v in Verb if v is not Verb.PUBLISH]),
    findings,
    policies,
    moments,
)
def test_no_question_makes_a_delivery_due_without_proof(d: Any, verb: Verb, outcome: Finding, how: Policy, now: Any):
    if settle(d, verb, outcome, how, now).state is S.DUE:
        assert isinstance(outcome, Absent | Unfinished | NotSeen)
        assert outcome != Absent(removed=True)
        assert (verb, d.state) in {(Verb.CONFIRM, S.PENDING), (Verb.FIND, S.CHECKING)}
        if isinstance(outcome, NotSeen):
            assert verb is Verb.FIND
            assert outcome.back_to <= d.first_sent_at - BEFORE_SENT
            assert outcome.neighbour is not False


@given(
    deliveries,
    st.sampled_from([Verb.PUBLISH, Verb.CONFIRM, Verb.FIND]),
    st.sampled_from(["p1", "p2"]),
    policies,
    moments,
)
def test_live_evidence_makes_live(d: Any, verb: Verb, platform_id: str, how: Policy, now: Any):
    after = settle(d, verb, Live(platform_id), how, now)
    if d.state is S.WITHDRAWN or (d.state is S.REMOVED and verb is not Verb.FIND):
        assert after == d
    else:
        assert after.state is S.LIVE


@given(deliveries, findings, policies, moments)
def test_final_means_final_until_somebody_sees_it(d: Any, outcome: Finding, how: Policy, now: Any):
    assume(d.state in RESTING - {S.LIVE} and not isinstance(outcome, Live))
    for verb in Verb:
        assert settle(d, verb, outcome, how, now) == d


@given(st.lists(st.tuples(findings, st.floats(1, 900)), max_size=12), policies)
def test_class_c_is_never_due_again_unless_the_route_says_so_and_then_once(answers: Any, how: Policy):
    how = Policy(policy(NOTHING).profile, how.on_unconfirmed, how.useful_until)
    d, now, after_uncertain = delivery(S.DUE), T0, 0
    for outcome, wait in answers:
        if d.state is not S.DUE:
            break
        now += s(wait)
        d = settle(begin(d, how, now), Verb.PUBLISH, outcome, how, now + s(1))
        after_uncertain += isinstance(outcome, Uncertain) and d.state is S.DUE
    assert after_uncertain <= (how.on_unconfirmed is OnUnconfirmed.REPEAT)


@given(st.lists(st.tuples(not_seen | failed_questions, st.floats(0.1, 600)), max_size=20), st.integers(1, 40))
def test_a_list_step_is_never_due_before_the_list_has_settled(answers: Any, took: int):
    how = policy(LIST)
    answered = at(1 + took)
    d = settle(begin(delivery(S.DUE), how, at(1)), Verb.PUBLISH, LOST, how, answered)
    now = answered
    for outcome, wait in answers:
        now += s(wait)
        d = settle(d, Verb.FIND, outcome, how, now)
        if d.state is not S.CHECKING:
            break
    if d.state is S.DUE:
        assert now >= answered + how.profile.settle_for


@given(deliveries, policies, moments)
def test_who_asks_has_an_end(d: Any, how: Policy, now: Any):
    """Whatever is not at rest, nor a stand-by, has a moment at which time alone moves it."""
    assume(d.state not in RESTING | {S.STANDBY})
    limit = time_limit(d, how)
    assert limit is not None
    assert by_time(d, how, max(limit, now)).state is not d.state
    if d.state is S.CHECKING:
        assert limit == asked_until(d, how)


@pytest.mark.parametrize("stamp", ["first_sent_at", "sent_at", "uncertain_at"])
def test_a_key_whose_age_a_clock_that_was_set_back_hides_is_not_used_again(stamp: str):
    """Also when it was set back less than the key's age: then only its later uses lie ahead."""
    ahead: dict[str, Any] = {stamp: at(3600)}
    keyed = delivery(S.CHECKING, **ahead)
    assert by_time(keyed, policy(KEYED, key_lifetime=s(7200)), NOW).state is S.UNCONFIRMED
    assert by_time(keyed, policy(LIST), NOW) is keyed


def taken_over(d: Delivery, step: StepClass, *, clock_set_back: bool = False) -> Delivery:
    """As a run that began a minute ago finds it."""
    return as_found(d, policy(step), NOW - s(60), NOW, clock_set_back=clock_set_back)


@pytest.mark.parametrize("state", [S.DUE, S.CHECKING, S.PENDING])
@pytest.mark.parametrize("clock_set_back", [True, False])
def test_what_an_earlier_run_left_in_doubt_is_no_older_than_the_run_that_finds_it(state: State, clock_set_back: bool):
    """Its answer came in an hour ago, if the wall clock was not set since: nobody knows."""
    left = delivery(state, first_sent_at=at(-3600), sent_at=at(-3600), uncertain_at=at(-3600))
    taken = taken_over(left, LIST, clock_set_back=clock_set_back)
    assert taken == replace(left, uncertain_at=NOW - s(60)), "nothing else; a key is as old as its first use"
    own = delivery(state, uncertain_at=NOW - s(5))
    assert taken_over(own, LIST, clock_set_back=clock_set_back) == own


def test_what_was_never_in_doubt_or_has_ended_is_taken_as_it_is():
    for untouched in (
        delivery(S.DUE),
        delivery(S.LIVE, uncertain_at=at(-60)),
        delivery(S.SKIPPED, uncertain_at=at(-60)),
    ):
        assert taken_over(untouched, KEYED, clock_set_back=True) is untouched


def test_nothing_is_sent_again_by_a_key_after_the_clock_was_set_back():
    checking = delivery(S.CHECKING, first_sent_at=at(-60), sent_at=at(-60), uncertain_at=at(-60))
    assert taken_over(checking, KEYED, clock_set_back=True).state is S.UNCONFIRMED
    assert taken_over(checking, KEYED).state is S.CHECKING
    assert taken_over(checking, LIST, clock_set_back=True).state is S.CHECKING
