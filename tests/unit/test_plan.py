"""`plan`: the failover rules of docs/failover.md, rule by rule, then what holds for any case at any time."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract import Readers, Step
from broker.engine.restoring import not_resent
from broker.model import RESTING, Case, Delivery, Goal, OnUnconfirmed, Reason, Role, State, Status, StepClass, Verb
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
from broker.rules.breaker import ChannelHealth, observe
from broker.rules.delivery import MOVES, begin, verb_for
from broker.rules.domains import Member, Scope
from broker.rules.evidence import evidence
from broker.rules.failover import give_up_late_copy, is_class_c, plan
from broker.rules.health import View, view
from broker.rules.sentences import sentence
from broker.rules.settle import settle
from broker.rules.standing import Channels, events, left_up, reach
from broker.rules.timing import policy_for
from broker.values import replace
from tests.examples import FEW
from tests.unit.builders import (
    AGENCY,
    ALL_VERBS,
    META_DOWN,
    NEWSROOM,
    T0,
    UP,
    accepted,
    at,
    down,
    having,
    route,
    s,
    started,
    states,
    tuned,
)

S = State
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
WAIT, REPEAT = OnUnconfirmed.WAIT, OnUnconfirmed.REPEAT
NO_RESERVE = Goal(0, 0, s(60))


def planned(case: Case, seconds: float = 0, health: View = UP, channels: Channels = NEWSROOM) -> Case:
    return plan(case, channels, health, at(seconds)).case


def starts(case: Case, seconds: float = 0, health: View = UP, channels: Channels = NEWSROOM) -> set[str]:
    """Channels that `plan` starts now."""
    return started(case, planned(case, seconds, health, channels))


def said(case: Case, name: str) -> Reason:
    reason = case.deliveries[name].reason
    assert reason is not None
    return reason


def breaking(**changes: Any) -> Case:
    return accepted(route(goal=NO_RESERVE, **changes))


# rule 1: all post_to channels start at once; one that is known to be down waits parked


def test_rule_1_every_post_to_channel_is_due_at_once_and_nothing_else():
    case = planned(accepted())
    assert {name for name, state in states(case).items() if state is S.DUE} == set(route().post_to)
    assert set(states(case).values()) == {S.DUE, S.STANDBY}


def test_rule_1_a_channel_known_down_waits_parked_and_its_stand_in_starts_at_once():
    case = planned(accepted(), 0, META_DOWN)
    facebook = case.deliveries["facebook"]
    assert (facebook.state, facebook.cause, facebook.attempt) == (S.DUE, Cause.OUTAGE, 0)
    assert said(case, "facebook").key == "parked_down"
    assert said(case, "facebook").args["until"] == (T0 + timedelta(hours=3)).isoformat()
    assert states(case)["zalo_push"] is S.DUE
    assert states(case)["threads"] is S.STANDBY


def test_a_clock_that_was_set_back_does_not_call_back_what_has_begun():
    """Else a keyed copy would be sent again an hour later, when the platform has forgotten its key."""
    begun = having(accepted(send_at=at(3600)), facebook={"state": S.SENDING, "attempt": 1, "sent_at": at(3600)})
    decided = plan(begun, NEWSROOM, View(), at(60))
    assert decided.case.announcement.status is not Status.SCHEDULED
    assert decided.wake_at != at(3600)


def test_rule_1_an_announcement_for_later_waits_for_its_time():
    case = accepted(send_at=at(3600))
    early = plan(case, NEWSROOM, META_DOWN, at(3599))
    assert (started(case, early.case), early.wake_at, early.case.announcement.status) == (
        set(),
        at(3600),
        Status.SCHEDULED,
    )
    assert starts(replace_facebook(case, tries=2), 3600 + 1) == {"zalo_push"}


def replace_facebook(case: Case, **changes: Any) -> Case:
    """Facebook otherwise, and zalo not yet carrying, so that its stand-ins are asked for."""
    return having(case, facebook=changes)


# rule 2: stand-ins, in order

NOW_CAUSES: list[tuple[str, dict[str, Any]]] = [
    ("denied", {"cause": Cause.ACCOUNT, "reason": Reason("denied", {"detail": "expired"})}),
    ("rejected", {"state": S.FAILED, "reason": Reason("rejected", {"code": "368", "detail": ""})}),
    ("uncertain", {"state": S.CHECKING, "first_sent_at": at(1), "reason": Reason("uncertain", {"detail": "lost"})}),
    ("unconfirmed", {"state": S.UNCONFIRMED, "reason": Reason("unconfirmed_nothing")}),
    ("a wanted repeat", {"first_sent_at": at(1), "cause": Cause.UNCLEAR, "reason": Reason("repeat_wanted")}),
    ("a keyed repeat", {"state": S.SENDING, "first_sent_at": at(1)}),
    ("removed", {"state": S.REMOVED, "reason": Reason("removed")}),
    ("second unavailable", {"tries": 2, "cause": Cause.OUTAGE, "reason": Reason("unavailable", {"detail": "refused"})}),
    ("third try under way", {"state": S.SENDING, "tries": 2}),
    ("throttled beyond the limit", {"cause": Cause.LIMIT, "next_at": at(16), "reason": Reason("throttled")}),
    (
        "a retry beyond the limit",
        {"tries": 1, "cause": Cause.OUTAGE, "next_at": at(70), "reason": Reason("unavailable")},
    ),
    ("its channel is gone", {"state": S.SKIPPED, "cause": Cause.ACCOUNT, "reason": Reason("channel_gone")}),
]


@pytest.mark.parametrize("changes", [c for _, c in NOW_CAUSES], ids=[n for n, _ in NOW_CAUSES])
def test_rule_2_a_stand_in_starts_now(changes: dict[str, Any]):
    assert starts(having(breaking(), youtube=changes), 2) == {"tiktok"}


NOT_YET: list[tuple[str, dict[str, Any]]] = [
    ("not sent", {}),
    ("sending", {"state": S.SENDING, "next_at": at(60)}),
    ("one quick retry", {"tries": 1, "cause": Cause.OUTAGE, "next_at": at(3), "reason": Reason("unavailable")}),
    ("throttled within the limit", {"cause": Cause.LIMIT, "next_at": at(14), "reason": Reason("throttled")}),
    ("sending after a throttle", {"state": S.SENDING, "cause": Cause.LIMIT, "next_at": at(60)}),
    ("taken, not public", {"state": S.PENDING, "sent_at": at(1), "next_at": at(5)}),
    ("prepared", {"handle": "h1", "next_at": at(30), "reason": Reason("unfinished")}),
    ("live", {"state": S.LIVE}),
]


@pytest.mark.parametrize("changes", [c for _, c in NOT_YET], ids=[n for n, _ in NOT_YET])
def test_rule_2_no_stand_in_starts_while_there_is_hope(changes: dict[str, Any]):
    assert starts(having(breaking(), youtube=changes), 14.9) == set()


def test_rule_2_otherwise_when_stand_in_after_is_over():
    waiting = having(breaking(), youtube={"state": S.SENDING, "next_at": at(60)}, facebook=S.LIVE)
    assert starts(waiting, 14.999) == set()
    assert starts(waiting, 15) == {"tiktok"}
    assert said(planned(waiting, 15), "tiktok").key == "start_slow"
    assert starts(replace_plan(waiting, stand_in_after=s(5)), 5) == {"tiktok"}


def replace_plan(case: Case, **changes: Any) -> Case:
    new = replace(case.announcement.plan, **changes)
    return Case(replace(case.announcement, plan=new), case.deliveries)


@pytest.mark.parametrize(
    "changes", [{"state": S.PENDING, "sent_at": at(1)}, {"handle": "h1"}], ids=["taken", "prepared"]
)
def test_rule_2_what_makes_progress_has_its_usual_time_if_that_is_longer(changes: dict[str, Any]):
    slow = tuned(youtube={"usual": s(120)})
    case = having(breaking(), facebook=S.LIVE, youtube=changes)
    assert starts(case, 119, channels=slow) == set()
    assert starts(case, 120, channels=slow) == {"tiktok"}
    stuck = having(breaking(), facebook=S.LIVE, youtube={"state": S.SENDING, "next_at": at(300)})
    assert starts(stuck, 15, channels=slow) == {"tiktok"}


def test_rule_2_stand_ins_start_in_order_one_at_a_time():
    order = route(stand_ins={"youtube": ("tiktok", "threads", "sms")}, reserve=(), goal=NO_RESERVE)
    case = having(accepted(order), youtube=S.FAILED)
    for seconds, name in ((1, "tiktok"), (2, "threads"), (3, "sms")):
        assert starts(case, seconds) == {name}
        case = planned(case, seconds)
        assert starts(case, seconds + 0.5) == set()
        case = having(case, **{name: {"state": S.FAILED}})
    assert starts(case, 4) == set()


def test_rule_2_stand_ins_on_another_operator_come_first():
    case = having(breaking(stand_ins={"facebook": ("threads", "tiktok")}), facebook={"tries": 2, "cause": Cause.OUTAGE})
    assert starts(case, 2) == {"tiktok"}
    used_up = having(case, tiktok=S.FAILED)
    assert starts(used_up, 2) == {"threads"}


def test_rule_2_an_operator_that_failed_elsewhere_comes_last_too():
    case = having(breaking(stand_ins={"youtube": ("threads", "tiktok")}), youtube=S.FAILED)
    assert starts(case, 1) == {"threads"}
    assert starts(having(case, instagram={"tries": 2}), 1) == {"tiktok"}


def test_rule_2_a_channel_that_already_carries_it_serves_by_its_own_copy():
    case = breaking(stand_ins={"facebook": ("zalo", "tiktok")})
    in_trouble = having(case, facebook={"tries": 2})
    assert starts(in_trouble, 2) == set(), "zalo is under way itself"
    assert starts(having(in_trouble, zalo=S.LIVE), 2) == set()
    assert starts(having(in_trouble, zalo=S.FAILED), 2) == {"tiktok"}


def test_rule_2_a_copy_under_way_on_an_operator_that_failed_is_not_waited_for():
    case = breaking(post_to=("facebook", "threads"), stand_ins={"facebook": ("threads", "tiktok")})
    assert starts(having(case, facebook={"tries": 2}, threads=S.SENDING), 2) == {"tiktok"}


def test_rule_2_a_live_copy_serves_wherever_it_stands_in_the_order():
    case = breaking(stand_ins={"facebook": ("tiktok", "threads")})
    assert starts(having(case, facebook=S.FAILED, threads=S.LIVE), 2) == set()


def test_rule_2_a_live_copy_on_a_channel_that_is_down_serves_nobody():
    case = having(breaking(stand_ins={"facebook": ("threads", "tiktok")}), threads=S.LIVE)
    assert starts(case, 2, META_DOWN) == {"tiktok"}


def test_rule_2_no_second_stand_in_because_the_order_changed():
    """tiktok went first while Meta had failed; that Meta recovers does not call for threads."""
    case = having(breaking(stand_ins={"youtube": ("threads", "tiktok")}), youtube=S.FAILED, tiktok=S.SENDING)
    assert starts(case, 3) == set()


def test_rule_2_stand_ins_that_are_down_are_passed_over_and_named():
    case = having(breaking(stand_ins={"youtube": ("threads", "tiktok")}), youtube=S.FAILED)
    after = planned(case, 2, META_DOWN)
    assert started(case, after) == {"tiktok"}
    assert said(after, "tiktok").args["passed_over"] == ["threads"]


def test_rule_2_a_stand_in_whose_channel_goes_down_is_passed_over_while_it_waits():
    case = having(breaking(stand_ins={"youtube": ("threads", "tiktok")}), youtube=S.FAILED, threads=S.DUE)
    assert starts(case, 2, META_DOWN) == {"tiktok"}
    assert "until" not in said(planned(case, 2, META_DOWN), "threads").args, "a stand-in owes no late copy"


def test_rule_2_slow_stand_ins_start_without_stopping_the_walk():
    slow = tuned(tiktok={"usual": s(600)})
    order = breaking(stand_ins={"youtube": ("tiktok", "threads", "zalo_push")})
    case = having(order, youtube=S.FAILED)
    assert starts(case, 1, channels=slow) == {"tiktok", "threads"}
    case = having(planned(case, 1, channels=slow), tiktok={"state": S.PENDING, "sent_at": at(1)})
    assert starts(case, 2, channels=slow) == set()
    assert starts(having(case, threads={"state": S.FAILED}), 2, channels=slow) == {"zalo_push"}


def test_rule_2_a_half_open_stand_in_runs_beside_the_next_one():
    """Only a post closes its breaker: passed over for ever, it would never be used again."""
    case = having(breaking(stand_ins={"youtube": ("threads", "tiktok")}), youtube=S.FAILED)
    assert starts(case, 2, down("threads", half_open=True)) == {"threads", "tiktok"}


def test_rule_2_wait_means_no_stand_in_for_what_may_be_public():
    for state in (S.CHECKING, S.UNCONFIRMED):
        assert starts(having(breaking(on_unconfirmed=WAIT), youtube=state, facebook=S.LIVE), 100) == set()
        assert starts(having(breaking(on_unconfirmed=REPEAT), youtube=state), 1) == {"tiktok"}


def test_rule_2_a_removed_post_gets_a_stand_in_that_was_let_go():
    case = planned(having(accepted(), **dict.fromkeys(route().post_to, S.LIVE)), 5)
    assert states(case)["tiktok"] is S.SKIPPED
    assert starts(having(case, youtube=S.REMOVED), 40) == {"tiktok"}
    assert starts(having(case, youtube=S.REMOVED), 600) == set(), "not after start_by"


def test_rule_2_what_people_skipped_after_a_restore_is_no_stand_in():
    """Found by reading: it was started for what they had left unconfirmed."""
    case = having(accepted(), youtube=S.SENDING, zalo=S.LIVE)
    assert starts(having(case, youtube=S.UNCONFIRMED), 40) >= {"tiktok"}
    assert starts(not_resent(case), 40) == set()


def test_rule_2_the_reason_says_who_is_down_who_is_passed_over_and_for_whom():
    case = breaking(stand_ins={"facebook": ("threads", "tiktok")})
    reason = said(planned(case, 0, META_DOWN), "tiktok")
    assert reason.key == "start_stand_in_down"
    assert (reason.args["what"], reason.args["passed_over"], reason.args["for_channel"]) == (
        "meta",
        ["threads"],
        "facebook",
    )
    assert reason.args["channels"] == ["facebook", "instagram", "threads"]


# rule 3: the goal


def only(*names: str, **changes: Any) -> Case:
    """A case whose only channels are these, each standing by in reserve, with one `post_to` channel that failed."""
    plan = route(post_to=("facebook",), stand_ins={}, reserve=names, **changes)
    return having(accepted(plan), facebook=S.FAILED)


def test_rule_3_nothing_louder_starts_before_half_of_the_time():
    case = only("zalo", "tiktok")
    assert starts(case, 29.999) == set()
    assert starts(case, 30) == {"zalo", "tiktok"}


COUNTS: list[tuple[str, State, bool]] = [
    ("zalo", S.LIVE, True),
    ("zalo", S.UNCONFIRMED, False),
    ("zalo", S.PENDING, False),
    ("zalo", S.CHECKING, False),
    ("zalo", S.SENDING, False),
    ("site", S.LIVE, False),
    ("telegram", S.LIVE, False),
]


@pytest.mark.parametrize(("name", "state", "counts"), COUNTS)
def test_rule_3_the_goal_counts_live_copies_on_outside_operators_that_home_readers_can_open(
    name: str, state: State, counts: bool
):
    case = accepted(route(post_to=(name,), stand_ins={}, reserve=(), goal=Goal(1, 0, s(60))))
    after = planned(having(case, **{name: state}), 5)
    assert (after.announcement.met_at == at(5)) == counts
    assert (after.announcement.status is Status.REACHED) == counts


def test_rule_3_operators_are_counted_not_channels():
    case = having(accepted(), facebook=S.LIVE, instagram=S.LIVE, zalo=S.FAILED)
    assert planned(case, 5).announcement.met_at is None
    assert planned(having(case, zalo=S.LIVE), 5).announcement.met_at == at(5)
    assert planned(having(case, youtube=S.LIVE), 5).announcement.met_at is None, "nobody domestic"


def test_rule_3_what_can_still_be_live_in_time_counts_at_half_and_not_at_three_quarters():
    goal = Goal(2, 1, s(300))
    case = having(accepted(route(post_to=("facebook", "zalo"), stand_ins={}, goal=goal)), facebook=S.LIVE)
    sending = having(case, zalo={"state": S.SENDING, "started_at": at(146), "next_at": at(300)})
    assert starts(sending, 150) == set()
    pending = having(case, zalo={"state": S.PENDING, "sent_at": at(1), "started_at": at(1)})
    slow = tuned(zalo={"usual": s(280)})
    assert starts(pending, 224, channels=slow) == set()
    assert starts(pending, 225, channels=slow) == {"email"}


def test_rule_3_what_cannot_be_live_in_time_does_not_count_at_half():
    goal = Goal(2, 1, s(300))
    case = having(accepted(route(post_to=("facebook", "zalo"), stand_ins={}, goal=goal)), facebook=S.LIVE)
    moderated = having(case, zalo={"state": S.PENDING, "sent_at": at(1)})
    assert starts(moderated, 150, channels=tuned(zalo={"usual": s(600)})) == {"email"}


def test_rule_3_stand_ins_go_before_reserve_and_domestic_ones_first_when_one_is_missing():
    plan_of_it = route(post_to=("facebook", "youtube"), stand_ins={"youtube": ("tiktok", "zalo_push")})
    case = having(accepted(plan_of_it), facebook=S.LIVE, youtube={"state": S.SENDING, "started_at": at(25)})
    assert starts(case, 30) == {"zalo_push"}
    assert starts(having(case, zalo_push=S.FAILED), 30) == {"email"}
    both_missing = having(accepted(route(post_to=("facebook",), stand_ins={"facebook": ("tiktok", "zalo_push")})))
    assert starts(having(both_missing, facebook=S.LIVE), 30) == {"zalo_push"}
    nobody_at_home = replace_plan(case, goal=Goal(3, 0, s(60)))
    assert starts(nobody_at_home, 30) == {"tiktok"}


def test_rule_3_only_what_is_missing_is_started():
    goal = Goal(2, 1, s(60))
    case = having(only("email", "sms", "tiktok", goal=goal), facebook=S.LIVE)
    assert starts(case, 30) == {"email"}
    assert starts(having(only("tiktok", "email", goal=Goal(1, 0, s(60)))), 30) == {"tiktok"}


def test_rule_3_a_second_look_starts_nothing_more():
    case, begun = only("email", "sms", "tiktok", "youtube", goal=Goal(1, 0, s(60))), set()
    for seconds in (30, 30, 30.1, 31, 40, 44):
        after = planned(case, seconds)
        begun |= started(case, after)
        case = after
    assert begun == {"email"}


@pytest.mark.parametrize("seconds", [30, 45, 59, 60, 61, 300, 599])
def test_rule_3_one_at_a_time_even_when_the_goals_time_is_nearly_or_long_over(seconds: float):
    case = only("email", "sms", "tiktok", "youtube", goal=Goal(1, 0, s(60)))
    assert starts(case, seconds) == {"email"}
    assert starts(planned(case, seconds), seconds + 0.5) == set()


def test_rule_3_it_goes_on_when_what_it_started_fails_or_is_slow():
    case, order = only("email", "sms", "tiktok", goal=Goal(1, 0, s(60))), []
    for seconds, end in ((30, {"state": S.FAILED}), (46, {"state": S.SENDING, "next_at": at(600)}), (61, {})):
        after = planned(case, seconds)
        [name] = started(case, after)
        order.append(name)
        case = having(after, **{name: end})
    assert order == ["email", "sms", "tiktok"]


def test_rule_3_slow_channels_are_started_last_and_do_not_count():
    slow = tuned(email={"usual": s(600)})
    assert starts(only("email", "sms", goal=Goal(1, 0, s(60))), 30, channels=slow) == {"sms"}
    assert starts(only("email", "sms", goal=Goal(2, 0, s(60))), 30, channels=slow) == {"email", "sms"}


def test_rule_3_slow_channels_do_not_stop_the_search():
    slow = tuned(email={"usual": s(600)}, sms={"usual": s(600)})
    case = planned(only("email", "sms", goal=Goal(1, 0, s(60))), 30, channels=slow)
    assert states(case)["email"] is states(case)["sms"] is S.DUE


def test_rule_3_a_channel_that_is_down_is_not_started_and_a_half_open_one_does_not_count():
    case = only("email", "sms", goal=Goal(1, 0, s(60)))
    assert starts(case, 30, down("email")) == {"sms"}
    assert starts(case, 30, down("sms", half_open=True)) == {"email"}
    assert starts(case, 30, down("email", half_open=True)) == {"sms"}
    assert starts(only("email", goal=Goal(1, 0, s(60))), 30, down("email", half_open=True)) == {"email"}


def test_rule_3_the_goal_is_saved_again_when_a_removal_undoes_it():
    case = planned(having(accepted(), **dict.fromkeys(route().post_to, S.LIVE)), 5)
    assert case.announcement.met_at == at(5)
    gone = planned(having(case, zalo=S.REMOVED), 40)
    assert started(case, gone) == {"zalo_push"}
    assert (gone.announcement.status, gone.announcement.met_at) == (Status.OPEN, at(5))


def test_rule_3_a_removal_that_finds_everything_at_rest_is_made_good_at_once():
    """Found: nothing was under way, so nobody looked again at half of the time."""
    case = planned(having(accepted(route(post_to=("zalo", "facebook"), stand_ins={})), zalo=S.LIVE, facebook=S.LIVE), 5)
    gone = having(case, facebook=S.REMOVED)
    assert starts(gone, 10) == {"email"}
    assert starts(having(gone, zalo=S.PENDING), 10) == set(), "what is under way is waited for until half of the time"


def test_rule_3_a_copy_that_nobody_has_read_back_before_its_platform_failed_is_not_counted_on():
    """Found: one was dropped in silence, and that came to light when it was too late to start anything."""
    case = having(accepted(route(post_to=("zalo", "facebook"), stand_ins={})), zalo=S.LIVE, facebook=S.LIVE)
    assert planned(case, 40, META_DOWN).announcement.status is Status.REACHED
    assert starts(case, 40, META_DOWN) == {"email"}
    assert starts(case, 40) == set()
    assert starts(having(case, facebook={"seen": Seen.ACCOUNT}), 40, META_DOWN) == set()
    for nobody_looks in ({"look_back": None}, {"abilities": ALL_VERBS - {Verb.FIND}}):
        assert starts(case, 40, META_DOWN, tuned(facebook=nobody_looks)) == set()


def test_rule_3_reserve_that_is_not_sent_yet_is_let_go_when_the_goal_holds():
    case = having(accepted(), facebook=S.LIVE, zalo=S.LIVE, sms={"state": S.DUE, "started_at": at(30)})
    assert states(planned(case, 31))["sms"] is S.SKIPPED


# rule 4: late copies


def test_rule_4_late_copies_are_owed_by_post_to_channels_only():
    case = having(accepted(), youtube=S.DUE, tiktok=S.DUE)
    after = planned(case, 600)
    assert (states(after)["youtube"], states(after)["tiktok"]) == (S.DUE, S.EXPIRED)
    assert states(planned(after, 3 * 3600 - 1))["youtube"] is S.DUE
    assert states(planned(after, 3 * 3600))["youtube"] is S.EXPIRED


def test_rule_4_never_means_that_a_failed_channel_owes_nothing_once_somebody_carries_it():
    case = having(breaking(late_copies=None), facebook=S.LIVE, tiktok=S.LIVE)
    after = planned(having(case, youtube={"tries": 2, "cause": Cause.OUTAGE}), 5)
    assert (states(after)["youtube"], said(after, "youtube").args) == (S.SKIPPED, {"channel": "tiktok"})
    assert states(planned(case, 5))["youtube"] is S.DUE, "it has not failed, it only waits for its turn"


def test_rule_4_never_lets_nobody_go_whom_the_goal_needs():
    case = having(accepted(route(late_copies=None, stand_ins={"zalo": ("tiktok",)})), facebook=S.LIVE, tiktok=S.LIVE)
    failing = having(case, zalo={"tries": 2, "cause": Cause.OUTAGE})
    assert states(planned(failing, 5))["zalo"] is S.DUE, "no other channel is domestic"


def test_rule_4_whom_never_let_go_is_called_back_when_the_goal_is_undone():
    """Found: what the goal held by was dropped in silence, and nothing was left to start."""
    case = accepted(route(late_copies=None, goal=Goal(3, 1, s(60)), reserve=()))
    case = having(case, site=S.LIVE, facebook=S.LIVE, instagram=S.LIVE, zalo=S.LIVE, tiktok=S.LIVE)
    let_go = planned(having(case, youtube={"tries": 2, "cause": Cause.OUTAGE}), 5)
    assert said(let_go, "youtube").key == "served_by"
    undone = having(let_go, tiktok=S.REMOVED)
    assert starts(undone, 40) == {"youtube"}
    assert said(planned(undone, 40), "youtube").key == "start_goal"
    assert starts(undone, 40, down("youtube")) == set()
    assert starts(undone, 600) == set(), "not after start_by"
    assert starts(having(undone, tiktok=S.LIVE), 40) == set(), "the goal holds"


def test_rule_4_a_stand_in_that_is_not_sent_yet_is_let_go_when_another_carries_it():
    """Its own channel was down; when that comes back, nobody needs a second stand-in any more."""
    case = having(accepted(route(stand_ins={"youtube": ("threads", "tiktok")})), youtube=S.FAILED, zalo=S.LIVE)
    case = having(case, facebook=S.LIVE, threads={"state": S.DUE, "started_at": at(3)})
    assert states(planned(case, 5, META_DOWN))["threads"] is S.DUE
    served = planned(having(case, tiktok=S.LIVE), 6)
    assert (states(served)["threads"], said(served, "threads").args) == (S.SKIPPED, {"channel": "tiktok"})


def test_rule_4_stand_ins_are_released_when_all_they_serve_is_live():
    case = planned(having(accepted(), **dict.fromkeys(route().post_to, S.LIVE)), 5)
    assert {states(case)[name] for name in ("threads", "zalo_push", "tiktok", "email", "sms")} == {S.SKIPPED}
    assert said(case, "tiktok").key == "not_needed"


def test_rule_4_what_was_needed_but_came_too_late_is_not_called_unneeded():
    after = planned(accepted(), 600)
    assert said(after, "tiktok").key == "start_by_over"


def test_rule_4_a_late_copy_is_given_up_for_the_newest_five():
    parked = having(planned(accepted(), 0, META_DOWN), zalo=S.LIVE)
    given_up = give_up_late_copy(parked, "facebook", 5)
    assert (states(given_up)["facebook"], said(given_up, "facebook").key) == (S.SKIPPED, "newest_five")


KEPT: list[tuple[str, dict[str, Any]]] = [
    ("it may be public", {"facebook": {"first_sent_at": at(1)}}),
    ("it is prepared", {"facebook": {"handle": "h1"}}),
    ("it is nowhere else", {"zalo": {"state": S.SENDING}}),
]


@pytest.mark.parametrize("changes", [c for _, c in KEPT], ids=[n for n, _ in KEPT])
def test_rule_4_a_late_copy_is_not_given_up_when(changes: dict[str, Any]):
    case = having(having(planned(accepted(), 0, META_DOWN), zalo=S.LIVE), **changes)
    assert give_up_late_copy(case, "facebook", 5) == case


# rule 5: our own network

CUT_OFF = View({}, own_network_since=T0)


def test_rule_5_the_walk_goes_on_while_our_own_network_is_suspected():
    case = having(breaking(), youtube={"tries": 2, "cause": Cause.OUTAGE, "reason": Reason("unavailable")})
    after = planned(case, 3, CUT_OFF)
    assert started(case, after) == {"tiktok"}


def test_rule_5_what_does_not_answer_then_is_not_blamed():
    case = having(breaking(), youtube={"tries": 1, "cause": Cause.OUTAGE, "reason": Reason("unavailable")})
    youtube = planned(case, 3, CUT_OFF).deliveries["youtube"]
    assert (youtube.cause, youtube.reason) == (Cause.OWN_NETWORK, Reason("own_network"))


# taken back


def withdrawn(case: Case, seconds: float = 10) -> Case:
    return Case(replace(case.announcement, withdrawn_at=at(seconds), withdrawn_because="sai giờ"), case.deliveries)


def replaced(case: Case) -> Case:
    return Case(replace(case.announcement, replaced_by="TVD-NEW"), case.deliveries)


@pytest.mark.parametrize("take_back", [withdrawn, replaced])
def test_nothing_unsent_is_sent_after_a_withdrawal_or_replacement(take_back: Any):
    case = having(accepted(), facebook=S.SENDING, zalo=S.LIVE, youtube={"tries": 2})
    after = planned(take_back(case), 11, META_DOWN)
    assert {name for name, state in states(after).items() if state is S.SKIPPED} == {
        *NEWSROOM.keys() - {"facebook", "zalo", "telegram"}
    }
    assert states(after)["facebook"] is S.SENDING


def test_what_is_replaced_before_its_time_never_goes_out():
    after = planned(replaced(accepted(send_at=at(3600))), 10)
    assert set(states(after).values()) == {S.SKIPPED}
    assert after.announcement.status is Status.WITHDRAWN
    assert after.announcement.closed_at == at(10)


def test_a_replacement_leaves_what_is_live():
    after = planned(replaced(having(accepted(), zalo=S.LIVE, facebook=S.LIVE)), 11)
    assert (after.deliveries["zalo"].next_at, states(after)["zalo"]) == (None, S.LIVE)


def test_a_withdrawal_deletes_what_is_live_once():
    case = withdrawn(having(accepted(), zalo=S.LIVE))
    after = planned(case, 11)
    zalo = after.deliveries["zalo"]
    assert (zalo.next_at, said(after, "zalo").key) == (at(11), "deleting")
    refused = having(after, zalo={"next_at": None, "reason": Reason("delete_failed")})
    assert planned(refused, 12).deliveries["zalo"] == refused.deliveries["zalo"]


def test_a_withdrawal_finds_a_copy_that_turns_up_late():
    case = planned(withdrawn(having(accepted(), zalo=S.CHECKING)), 11)
    zalo = case.deliveries["zalo"]
    policy = policy_for(case.announcement, zalo, NEWSROOM["zalo"])
    assert verb_for(zalo, policy, withdrawn=True) is Verb.FIND
    found = having(case, zalo=settle(zalo, Verb.FIND, Live("p1"), policy, at(20)))
    assert said(planned(found, 20), "zalo").key == "deleting"


def test_a_keyed_copy_is_not_sent_again_after_a_withdrawal():
    keyed = tuned(zalo={"steps": (Step("post", StepClass.KEYED),), "key_lifetime": s(3600)})
    case = withdrawn(having(accepted(), zalo=S.CHECKING))
    assert states(planned(case, 11, channels=keyed))["zalo"] is S.UNCONFIRMED


def test_deletions_are_tried_as_long_after_a_withdrawal_as_posts_after_an_announcement():
    case = withdrawn(having(accepted(), zalo=S.LIVE), 86_400)
    zalo = planned(case, 86_400).deliveries["zalo"]
    until = policy_for(case.announcement, zalo, NEWSROOM["zalo"]).useful_until
    assert until == at(86_400) + timedelta(hours=3)


def test_a_platform_that_cannot_delete_is_left_to_a_person():
    cannot = tuned(zalo={"abilities": frozenset({Verb.PROBE, Verb.FIND})})
    after = planned(withdrawn(having(accepted(), zalo=S.LIVE)), 11, channels=cannot)
    assert (after.deliveries["zalo"].next_at, said(after, "zalo").key) == (None, "delete_unsupported")


def test_who_takes_a_repeated_copy_away_hears_that_there_may_be_another():
    """Found by simulation: nobody counts copies after a withdrawal, and the first of two came out then."""
    cannot = tuned(zalo={"abilities": frozenset({Verb.PROBE, Verb.FIND})})
    case = withdrawn(having(having(accepted(), zalo=S.LIVE), zalo={"repeats": 1}))
    assert said(planned(case, 11, channels=cannot), "zalo").args["times"] == 2


@pytest.mark.parametrize(
    "outcome",
    [Uncertain(Fault.SERVER, "lost"), Live("p1"), Live("p1", extra=("p2",)), NotSeen(T0), Hidden("switch it")],
)
@pytest.mark.parametrize("can", [ALL_VERBS, ALL_VERBS - {Verb.DELETE}])
def test_a_look_that_is_answered_after_the_withdrawal_keeps_no_copy_up_and_no_case_open(outcome: Finding, can: Any):
    """Found: a copy that only a person can delete kept its case open for ever, another was never deleted."""
    channels = tuned(zalo={"abilities": can})
    case = planned(withdrawn(having(having(accepted(), zalo=S.LIVE), zalo={"next_at": at(5)})), 11, channels=channels)
    zalo = case.deliveries["zalo"]
    looked = settle(zalo, Verb.FIND, outcome, policy_for(case.announcement, zalo, channels["zalo"]), at(20))
    after = planned(having(case, zalo=looked), 20, channels=channels).deliveries["zalo"]
    deletes = Verb.DELETE in can
    assert after.state is S.LIVE
    assert after.reason is not None
    assert after.reason.key == ("deleting" if deletes else "delete_unsupported")
    assert (after.next_at is not None and after.next_at <= at(20)) if deletes else after.next_at is None


@pytest.mark.parametrize(("can", "key"), [(ALL_VERBS, "deleting"), (frozenset({Verb.FIND}), "delete_unsupported")])
def test_a_withdrawal_leaves_no_hidden_copy_to_show_by_itself_later(can: Any, key: str):
    channels = tuned(zalo={"abilities": can})
    hidden = having(having(accepted(), zalo=S.REMOVED), zalo={"reason": Reason("hidden", {"detail": "switch it"})})
    after = planned(withdrawn(hidden), 11, channels=channels)
    assert (states(after)["zalo"], said(after, "zalo").key) == (S.LIVE, key)
    taken_away = having(hidden, zalo={"reason": Reason("removed")})
    assert states(planned(withdrawn(taken_away), 11, channels=channels))["zalo"] is S.REMOVED


def test_a_look_that_the_platform_does_not_offer_any_more_keeps_no_case_open():
    resting = having(accepted(route(post_to=("zalo",), stand_ins={}, reserve=(), goal=NO_RESERVE)), zalo=S.LIVE)
    looks = having(resting, zalo={"next_at": at(40)})
    cannot = tuned(zalo={"abilities": frozenset({Verb.PROBE})})
    assert planned(looks, 11).announcement.closed_at is None
    assert planned(looks, 11, channels=cannot).announcement.closed_at == at(11)


def test_a_wanted_repeat_that_is_withdrawn_is_not_called_unsent():
    repeat = accepted(route(post_to=("telegram",), stand_ins={}, reserve=(), on_unconfirmed=REPEAT, goal=NO_RESERVE))
    case = having(repeat, telegram={"first_sent_at": at(1), "attempt": 1, "repeats": 1})
    assert states(planned(withdrawn(case), 11))["telegram"] is S.UNCONFIRMED


def test_hours_of_silence_are_settled_in_one_decision():
    invisible = tuned(zalo={"steps": (Step("create", StepClass.INVISIBLE),)})
    silent = having(accepted(), zalo={"state": S.SENDING, "sent_at": at(1), "next_at": at(46)})
    assert states(planned(silent, 4 * 3600, channels=invisible))["zalo"] is S.EXPIRED


def test_what_expires_before_start_by_starts_nothing_afterwards():
    case = having(accepted(expires_at=at(40)), youtube=S.FAILED)
    assert starts(case, 40) == set()
    assert set(states(planned(case, 40)).values()) == {S.FAILED, S.EXPIRED, S.SKIPPED}


GONE: list[tuple[State, State]] = [
    (S.STANDBY, S.SKIPPED),
    (S.DUE, S.SKIPPED),
    (S.SENDING, S.UNCONFIRMED),
    (S.PENDING, S.UNCONFIRMED),
    (S.CHECKING, S.UNCONFIRMED),
    (S.LIVE, S.LIVE),
]


@pytest.mark.parametrize(("state", "then"), GONE)
def test_a_channel_that_is_no_longer_configured(state: State, then: State):
    without = {name: channel for name, channel in NEWSROOM.items() if name != "zalo"}
    case = having(accepted(), zalo=state)
    after = plan(case, without, UP, at(2))
    assert states(after.case)["zalo"] is then
    assert after == plan(after.case, without, UP, at(2))


# status, late, events, waking

ALL_LIVE = dict.fromkeys(route().post_to, S.LIVE)


def test_the_goal_is_late_when_it_is_met_after_its_time_or_not_at_all():
    assert not planned(accepted(), 59.999).announcement.late
    assert planned(accepted(), 60).announcement.late
    assert not planned(having(accepted(), **ALL_LIVE), 60).announcement.late
    assert planned(having(accepted(), **ALL_LIVE), 60.001).announcement.late


def test_the_goal_is_missed_as_soon_as_nothing_can_meet_it():
    lost = accepted(route(post_to=("facebook",), stand_ins={}, reserve=()))
    after = planned(having(lost, facebook=S.FAILED), 2)
    assert (after.announcement.late, after.announcement.status) == (True, Status.NOWHERE)
    assert after.announcement.closed_at == at(2)


def test_a_withdrawal_does_not_unmiss_the_goal():
    missed = planned(accepted(), 60)
    assert planned(withdrawn(missed, 61), 61).announcement.late
    assert not planned(withdrawn(accepted(), 10), 600).announcement.late


def test_met_at_is_a_recorded_fact():
    case = planned(having(accepted(), **ALL_LIVE), 5)
    assert planned(having(case, zalo=S.REMOVED), 70).announcement.met_at == at(5)


STATUS: list[tuple[dict[str, State], float, Status]] = [
    ({}, 59, Status.OPEN),
    ({}, 60, Status.NOWHERE),
    ({"zalo": S.LIVE}, 60, Status.PARTLY),
    ({"site": S.LIVE}, 60, Status.PARTLY),
    (ALL_LIVE, 5, Status.REACHED),
]


@pytest.mark.parametrize(("changes", "seconds", "status"), STATUS)
def test_status(changes: dict[str, State], seconds: float, status: Status):
    assert planned(having(accepted(), **changes), seconds).announcement.status is status


def test_complete_means_every_post_to_channel():
    assert planned(having(accepted(), **ALL_LIVE), 5).announcement.complete
    assert not planned(having(accepted(), **{**ALL_LIVE, "site": S.SENDING}), 5).announcement.complete


UNSUITED: dict[str, Any] = {"state": S.SKIPPED, "reason": Reason("unsuited", {"why": "add_video"})}


def test_what_has_nothing_to_show_needs_no_stand_in_and_is_not_waited_for():
    case = having(breaking(), youtube=UNSUITED)
    assert starts(case, 30) == starts(having(breaking(), youtube=S.LIVE), 30)
    live = having(having(case, **ALL_LIVE), youtube=UNSUITED)
    assert planned(live, 5).announcement.complete
    assert states(planned(live, 5))["tiktok"] is S.SKIPPED
    assert not planned(having(live, site=S.SENDING), 5).announcement.complete


def test_what_has_nothing_to_show_never_stands_in():
    case = having(breaking(), threads=UNSUITED, facebook={"state": S.REMOVED, "reason": Reason("removed")})
    assert starts(case, 5) == {"zalo_push"}
    everywhere = dict.fromkeys(route().post_to, UNSUITED)
    assert not planned(having(breaking(), **everywhere), 5).announcement.complete


def test_a_live_copy_with_a_look_back_ahead_keeps_the_case_open():
    case = having(accepted(), **ALL_LIVE)
    case = having(case, zalo={"next_at": at(32)})
    open_ = plan(case, NEWSROOM, UP, at(5))
    assert (open_.wake_at, open_.case.announcement.closed_at) == (at(32), None)
    looked = planned(having(case, zalo={"next_at": None}), 33)
    assert looked.announcement.closed_at == at(33)
    assert planned(looked, 50).announcement.closed_at == at(33)


def test_a_question_that_is_overdue_neither_spins_nor_sleeps_for_ever():
    case = having(accepted(), **ALL_LIVE)
    case = having(case, zalo={"next_at": at(32)})
    wakes = [plan(case, NEWSROOM, UP, at(seconds)).wake_at for seconds in (32, 33, 91.9, 92)]
    assert wakes == [at(92), at(92), at(92), at(152)]


def test_a_parked_delivery_has_no_timer_of_its_own():
    case = planned(accepted(), 700, META_DOWN)
    assert plan(case, NEWSROOM, META_DOWN, at(700)).wake_at == T0 + timedelta(hours=3)


def test_events_tell_each_change_once():
    before = accepted()
    after = planned(having(before, youtube={"tries": 2, "cause": Cause.OUTAGE, "reason": Reason("unavailable")}), 2)
    told = events(before, after, at(2))
    assert [(e.n, e.kind, e.channel) for e in told] == [(1, "due", "youtube"), (2, "due", "tiktok")]
    assert events(after, planned(after, 3), at(3)) == ()


def test_views_that_alternate_do_not_fill_the_events():
    views = [META_DOWN, down("facebook"), down("facebook", cause=Cause.ACCOUNT), UP]
    case, told = accepted(), 0
    for step in range(60):
        after = planned(case, step / 10, views[step % len(views)])
        told += len([e for e in events(case, after, at(step)) if e.channel == "facebook"])
        case = after
    assert told <= 6


def test_a_wider_domain_is_said_and_not_taken_back():
    case = planned(accepted(), 1, down("facebook"))
    assert said(case, "facebook").args["what"] == "facebook"
    case = planned(case, 2, META_DOWN)
    assert said(case, "facebook").args["what"] == "meta"
    assert said(planned(case, 3, down("facebook")), "facebook").args["what"] == "meta"


def test_is_class_c_also_where_read_back_is_not_offered():
    mute = tuned(zalo={"abilities": frozenset({Verb.PROBE})})
    zalo = accepted().deliveries["zalo"]
    assert is_class_c(zalo, mute["zalo"])
    assert not is_class_c(zalo, NEWSROOM["zalo"])
    assert is_class_c(zalo, NEWSROOM["telegram"])


# the worked example of docs/failover.md

META = ("facebook", "instagram", "threads")


def probed(members: dict[str, Member], seconds: float, outcome: Finding, *names: str) -> dict[str, Member]:
    said = evidence(Verb.PROBE, outcome)
    assert said is not None
    old = [members[NEWSROOM[name].key] for name in names]
    return members | {m.key: replace(m, health=observe(m.health, said, m.profile, at(seconds))) for m in old}


def test_5_march_2024():
    """T0 is 22:58:00, the announcement comes six minutes later."""
    members = {c.key: Member(c.key, AGENCY, c.profile, ChannelHealth()) for c in NEWSROOM.values()}
    refused = Unavailable(Fault.CONNECT, "connection refused")
    members = probed(members, 0, refused, "facebook")
    assert view(members, at(0)).down == {}
    members = probed(members, 1, refused, "facebook", "instagram")
    meta_down = view(members, at(1))
    assert set(meta_down.down) == {NEWSROOM[name].key for name in META}

    case = accepted(accepted_at=at(360))
    now = planned(case, 360, meta_down)
    assert started(case, now) == {"zalo_push"}
    assert sentence(said(now, "zalo_push"), HANOI, channel="zalo_push")["en"] == (
        "Meta is down since 22:58 (Facebook and Instagram): Threads passed over, zalo_push carries it for Facebook"
    )
    assert said(now, "facebook").key == said(now, "instagram").key == "parked_down"
    assert states(now)["threads"] is S.STANDBY

    now = planned(having(now, site=S.LIVE, zalo_push=S.LIVE), 361, meta_down)
    now = planned(having(now, zalo=S.LIVE), 363, meta_down)
    assert now.announcement.met_at is None
    now = planned(having(now, youtube=S.LIVE), 365, meta_down)
    assert now.announcement.met_at == at(365)
    assert {name for name, state in states(now).items() if state is S.SKIPPED} == {"email", "sms", "tiktok"}
    assert said(planned(now, 960, meta_down), "threads").key == "start_by_over"

    back = 93 * 60
    members = probed(members, back, Live("me"), *META)
    assert view(members, at(back)) == UP
    owed = planned(planned(now, 960, meta_down), back, UP)
    assert {name for name, state in states(owed).items() if state is S.DUE} == {"facebook", "instagram"}
    done = planned(having(owed, facebook=S.LIVE, instagram=S.LIVE), back + 5)
    assert (done.announcement.complete, done.announcement.late) == (True, False)


# any case at any time

ROUTES = st.builds(
    route,
    on_unconfirmed=st.sampled_from(OnUnconfirmed),
    late_copies=st.sampled_from([None, s(1800), timedelta(hours=3)]),
    stand_in_after=st.sampled_from([s(5), s(15)]),
    start_by=st.sampled_from([s(120), s(600)]),
    goal=st.builds(Goal, st.integers(0, 3), st.integers(0, 2), st.sampled_from([s(60), s(300)])),
    stand_ins=st.sampled_from(
        [
            {"facebook": ("threads", "zalo_push"), "youtube": ("tiktok",)},
            {"facebook": ("zalo", "threads", "tiktok"), "youtube": ("tiktok", "zalo_push"), "zalo": ("threads",)},
        ]
    ),
)
VIEWS = st.sampled_from(
    [
        UP,
        META_DOWN,
        CUT_OFF,
        down("facebook"),
        down("threads", half_open=True),
        down("zalo", "zalo_push", scope=Scope.OPERATOR, what="vng", cause=Cause.ACCOUNT),
    ]
)
CHANNELS = st.builds(
    lambda slow, look, stay: tuned(
        tuned(**{name: {"usual": s(600), "look_back": look} for name in slow}),
        **{name: {"abilities": ALL_VERBS - {Verb.DELETE}} for name in stay},
    ),
    st.sets(st.sampled_from(["zalo", "threads", "tiktok", "email"]), max_size=3),
    st.sampled_from([None, s(30)]),
    st.sets(st.sampled_from(["zalo", "facebook", "youtube"]), max_size=2),
)
KNOWN = st.one_of(
    st.just((None, None)),
    st.sampled_from(
        [
            (Cause.OUTAGE, Reason("unavailable", {"detail": "refused"})),
            (Cause.ACCOUNT, Reason("denied", {"detail": "expired"})),
            (Cause.LIMIT, Reason("throttled", {})),
            (Cause.UNCLEAR, Reason("uncertain", {"detail": "lost"})),
        ]
    ),
)


@st.composite
def any_case(draw: st.DrawFn) -> Case:
    case = accepted(draw(ROUTES), expires_at=draw(st.sampled_from([None, None, at(90)])))
    changed = {}
    for name, d in case.deliveries.items():
        state = draw(st.sampled_from([s for s in State if s is not S.STANDBY or d.role is not Role.POST_TO]))
        cause, reason = draw(KNOWN) if state not in (S.LIVE, S.STANDBY) else (None, None)
        more: dict[str, Any] = {"tries": draw(st.integers(0, 3)), "cause": cause, "reason": reason}
        if state is not S.SENDING:
            ahead = state in (S.DUE, S.PENDING, S.CHECKING, S.LIVE)
            more["next_at"] = draw(st.sampled_from([None, at(2), at(9), at(40)])) if ahead else None
        changed[name] = replace(having(case, **{name: state}).deliveries[name], **more)
    case = Case(case.announcement, changed)
    return draw(st.sampled_from([case, case, case, withdrawn(case, 3), replaced(case)]))


MOMENTS = st.sampled_from([3, 5, 15, 30, 31, 45, 60, 90, 120, 599, 600, 1800, 3 * 3600]).map(at)


@given(any_case(), CHANNELS, VIEWS, MOMENTS)
def test_plan_is_idempotent(case: Case, channels: Channels, health: View, now: datetime):
    once = plan(case, channels, health, now)
    assert plan(once.case, channels, health, now) == once
    assert events(once.case, plan(once.case, channels, health, now).case, now) == ()


def allowed(before: State, after: State) -> bool:
    """In one move, or by an attempt that time settled and a second decision on it."""
    return before is after or after in MOVES[before] or any(after in MOVES[between] for between in MOVES[before])


@given(any_case(), CHANNELS, VIEWS, MOMENTS)
def test_moves_of_plan_are_allowed_moves(case: Case, channels: Channels, health: View, now: datetime):
    after = plan(case, channels, health, now).case
    for name, d in case.deliveries.items():
        moved = states(after)[name]
        assert allowed(d.state, moved)
        assert d.state not in RESTING or moved is d.state or (d.state, moved) == (S.SKIPPED, S.DUE)


@given(any_case(), CHANNELS, VIEWS, MOMENTS)
def test_nothing_starts_too_late_or_after_it_was_taken_back(
    case: Case, channels: Channels, health: View, now: datetime
):
    after = plan(case, channels, health, now).case
    a, limit = case.announcement, case.announcement.plan.start_by
    ends = min(T0 + limit, a.draft.expires_at or T0 + limit)
    if a.withdrawn_at or a.replaced_by or now >= ends:
        assert not started(case, after)
    if a.withdrawn_at or a.replaced_by or (a.draft.expires_at and now >= a.draft.expires_at):
        assert not {S.DUE, S.STANDBY} & set(states(after).values())


@given(any_case(), CHANNELS, VIEWS, MOMENTS)
def test_nothing_starts_on_a_channel_that_is_down(case: Case, channels: Channels, health: View, now: datetime):
    begun = started(case, plan(case, channels, health, now).case)
    assert not {n for n in begun if (d := health.down.get(channels[n].key)) is not None and not d.half_open}


@given(any_case(), CHANNELS, VIEWS, MOMENTS)
def test_no_louder_channel_than_the_goal_needs(case: Case, channels: Channels, health: View, now: datetime):
    after = plan(case, channels, health, now).case
    goal = case.announcement.plan.goal
    begun = {n for n in started(case, after) if case.deliveries[n].role is Role.RESERVE}
    known = {n for n, d in case.deliveries.items() if d.seen or channels[n].key not in health.down}
    unseen = {n for n in case.deliveries.keys() - known if channels[n].profile.look_back is not None}
    live = [d for n, d in case.deliveries.items() if d.state is S.LIVE and n not in unseen]
    operators, domestic = reach(live, channels)
    if len(operators) >= goal.operators and len(domestic) >= goal.domestic:
        assert not begun
    fast = {n for n in begun if channels[n].profile.usual <= s(5)}
    assert len(fast) <= max(goal.operators - len(operators), goal.domestic - len(domestic), 0)


@given(any_case(), CHANNELS, VIEWS)
@FEW
def test_every_state_reaches_a_resting_one_by_time_alone(case: Case, channels: Channels, health: View):
    now = at(3)
    for _ in range(120):
        made = plan(case, channels, health, now)
        case = made.case
        if all(d.state in RESTING for d in case.deliveries.values()):
            return
        assert made.wake_at is not None
        assert made.wake_at > now
        assert case.announcement.closed_at is None
        now = made.wake_at
    pytest.fail("it never comes to rest")


# a whole announcement, with whatever answers


def answers(rng: random.Random, verb: Verb, now: datetime) -> Finding:
    failures: list[Finding] = [Uncertain(Fault.SERVER, "lost"), Unavailable(Fault.CONNECT, "refused"), Throttled(s(9))]
    good: list[Finding] = [Live(f"p{rng.randrange(3)}"), Pending("h", s(20)), Unfinished("h", s(2))]
    bad: list[Finding] = [Denied("expired"), Rejected("368"), Absent(), *failures]
    if verb is Verb.FIND:
        bad += [NotSeen(now - timedelta(days=1)), NotSeen(now), Absent(removed=True), Hidden("switch it")]
    return rng.choice([*good, *bad])


def lives(seed: int, case: Case, channels: Channels) -> Iterator[tuple[Case, Case, datetime]]:
    """Drives one case as the engine would, with random answers, views and delays: every decision, before and after."""
    rng, now = random.Random(seed), T0
    views = [UP, UP, META_DOWN, down("facebook"), down("tiktok", half_open=True), CUT_OFF]
    withdrawn_after = rng.choice([None, None, rng.uniform(1, 900)])
    asked: dict[str, Verb] = {}
    for _ in range(1500):
        before = case
        if withdrawn_after and now >= at(withdrawn_after) and not case.announcement.withdrawn_at:
            case = withdrawn(case, (now - T0).total_seconds())
        case = acted(rng, case, channels, now, asked)
        made = plan(case, channels, rng.choice(views), now)
        case = made.case
        yield before, case, now
        if made.wake_at is None and not asked:
            return
        soon = now + s(rng.choice([0.2, 1, 5, 30]))
        wake_at = made.wake_at or soon
        now = min(wake_at, soon) if asked or rng.random() < 0.4 else wake_at
    pytest.fail("it never comes to rest")


def acted(rng: random.Random, case: Case, channels: Channels, now: datetime, asked: dict[str, Verb]) -> Case:
    """Some of what is ready is sent, asked or answered; what is in flight is answered or stays silent."""
    for name, d in case.deliveries.items():
        policy = policy_for(case.announcement, d, channels[name])
        if rng.random() < 0.3:
            continue
        if (verb := Verb.PUBLISH if d.state is S.SENDING else asked.pop(name, None)) is not None:
            changed = settle(d, verb, answers(rng, verb, now), policy, now)
        else:
            changed = _asked_or_begun(case, d, policy, now, asked)
        assert changed.state is d.state or changed.state in MOVES[d.state]
        case = having(case, **{name: changed})
    return case


def _asked_or_begun(case: Case, d: Delivery, policy: Any, now: datetime, asked: dict[str, Verb]) -> Delivery:
    ready = d.state is S.DUE if d.next_at is None else d.next_at <= now
    verb = verb_for(d, policy, withdrawn=case.announcement.withdrawn_at is not None) if ready else None
    if verb is Verb.PUBLISH:
        return begin(d, policy, now)
    if verb is not None:
        asked[d.channel] = verb
    return d


@given(st.integers(0, 2**32), ROUTES, CHANNELS)
@FEW
def test_a_whole_announcement_keeps_the_rules(seed: int, plan_of_it: Any, channels: Channels):
    case = accepted(plan_of_it)
    sends: dict[str, int] = {}
    for before, after, now in lives(seed, case, channels):
        for name, d in after.deliveries.items():
            was = before.deliveries[name]
            if d.attempt > was.attempt:
                sends[name] = sends.get(name, 0) + 1
                assert was.state in (S.DUE, S.CHECKING)
                assert not before.announcement.withdrawn_at
            if was.state is S.UNCONFIRMED:
                assert d.state in (S.UNCONFIRMED, S.LIVE), "a question under way may still see it, and nothing else"
            if channels[name].profile.readers is Readers.ABROAD and d.state is S.UNCONFIRMED:
                assert d.repeats <= 1
        assert after.announcement.wake_at is None or after.announcement.wake_at > now
        case = after
    assert all(d.state in RESTING for d in case.deliveries.values())
    assert case.announcement.closed_at is not None
    if case.announcement.withdrawn_at:
        assert all(left_up(case.announcement, d) for d in case.deliveries.values() if d.state is S.LIVE)
