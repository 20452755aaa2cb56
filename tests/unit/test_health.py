"""Health: every row of table III, what opens and closes a breaker, and what holds in any order of evidence."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract import MediaNeeds, Path
from broker.model import MediaKind, Verb
from broker.outcome import (
    MEDIA_GONE,
    MEDIA_UNFIT,
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
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
)
from broker.rules.breaker import (
    EVIDENCE_FOR,
    Breaker,
    ChannelHealth,
    changes_at,
    is_known,
    is_open,
    may_try,
    observe,
    refuses_everything,
)
from broker.rules.domains import Member, Scope, comrades, siblings
from broker.rules.evidence import Evidence, Verdict, evidence
from broker.rules.health import View, shared_outage, view
from broker.rules.probing import is_returning, probe_at
from broker.values import replace
from tests.unit.builders import T0, at, profile, s

UP = Live("p1")
REFUSED = Unavailable(Fault.CONNECT, "connection refused")
ERROR_500 = Unavailable(Fault.SERVER, "500")
HANG = Uncertain(Fault.HANG, "no answer in time")
EXPIRED = Denied("expired")
META = profile(operator="meta", hosts=("graph.facebook.com",))
NEW = ChannelHealth()


def after(health: ChannelHealth, *seen: tuple[float, Verb, Finding], announcement: str = "a1") -> ChannelHealth:
    """Health after answers at these seconds."""
    for seconds, verb, outcome in seen:
        said = evidence(verb, outcome, announcement)
        if said is not None:
            health = observe(health, said, META, at(seconds))
    return health


def posted(*seen: tuple[float, Finding]) -> ChannelHealth:
    return after(NEW, *((seconds, Verb.PUBLISH, outcome) for seconds, outcome in seen))


def probed(health: ChannelHealth, *seen: tuple[float, Finding]) -> ChannelHealth:
    return after(health, *((seconds, Verb.PROBE, outcome) for seconds, outcome in seen))


# table III: what an answer says

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


# the breaker of one channel


def test_two_failures_within_a_minute_open_a_channel():
    assert not is_open(probed(NEW, (0, REFUSED)))
    assert is_open(probed(NEW, (0, REFUSED), (60, REFUSED)))
    assert not is_open(probed(NEW, (0, REFUSED), (60.001, REFUSED)))
    assert not is_open(probed(NEW, (0, REFUSED), (1, UP), (2, REFUSED)))


def test_one_denial_opens_at_once():
    denied = posted((0, EXPIRED))
    assert is_open(denied)
    assert denied.denied


def test_posts_outrank_probes():
    """Two failed posts in a row open it, however far apart and whatever the probe says in between."""
    health = probed(posted((0, ERROR_500)), *((n * 60, UP) for n in range(1, 30)))
    assert not is_open(health)
    health = after(health, (1800, Verb.PUBLISH, ERROR_500))
    assert is_open(health)
    passing = probed(health, *((1800 + n, UP) for n in range(1, 50)))
    assert is_open(passing), "only a post closes it"
    assert not is_open(after(passing, (1900, Verb.PUBLISH, UP)))


def test_a_success_between_two_failed_posts_keeps_it_closed():
    assert not is_open(posted((0, ERROR_500), (100, UP), (200, ERROR_500)))


def test_what_probes_opened_a_probe_closes():
    health = probed(NEW, (0, REFUSED), (1, REFUSED), (30, UP))
    assert (health.breaker, health.recovered_at) == (Breaker.CLOSED, at(30))


@pytest.mark.parametrize("verb", [Verb.PROBE, Verb.PUBLISH])
def test_a_channel_that_comes_and_goes_stays_down_for_a_minute_and_lets_one_post_try(verb: Verb):
    back = probed(NEW, (0, REFUSED), (1, REFUSED), (30, UP))
    again = probed(back, (35, REFUSED), (36, REFUSED))
    for seconds in (40, 95):
        held = after(again, (seconds, verb, UP))
        assert held.breaker is Breaker.HALF_OPEN
        assert may_try(held, at(seconds))
        assert after(held, (seconds + 1, verb, REFUSED)).breaker is Breaker.OPEN
    assert not is_open(after(again, (97, verb, UP)))
    assert not is_open(after(probed(back, (95, REFUSED), (96, REFUSED)), (100, verb, UP)))


def test_what_probes_opened_a_probe_closes_even_after_one_failed_or_refused_post():
    for before in (posted((0, ERROR_500)), posted((0, Rejected("368")))):
        assert not is_open(probed(before, (3600, REFUSED), (3601, REFUSED), (3700, UP)))


def test_a_probe_does_not_undo_a_failed_post():
    health = probed(posted((0, ERROR_500)), (1, REFUSED), (30, UP))
    assert not is_open(health)
    assert is_open(after(health, (300, Verb.PUBLISH, ERROR_500)))


def test_a_denied_post_is_not_undone_by_a_probe_that_only_reads():
    health = probed(posted((0, EXPIRED)), (20, UP), (40, UP))
    assert is_open(health)


def test_an_account_that_the_probe_shut_out_is_back_when_the_probe_is():
    assert not is_open(probed(NEW, (0, EXPIRED), (900, UP)))


def test_after_failed_posts_trials_come_after_1_5_and_15_minutes_then_every_15():
    health, now, waits = probed(posted((0, ERROR_500), (1, ERROR_500)), (2, UP)), at(1), []
    for _ in range(5):
        assert health.trial_at is not None
        waits.append((health.trial_at - now).total_seconds() / 60)
        assert not may_try(health, health.trial_at - s(1))
        assert may_try(health, health.trial_at)
        now = health.trial_at
        health = after(health, ((now - T0).total_seconds(), Verb.PUBLISH, ERROR_500))
    assert waits == [1, 5, 15, 15, 15]


def test_posts_that_were_in_flight_when_it_opened_are_no_trials():
    health = posted(*((n / 10, ERROR_500) for n in range(8)))
    assert health.trial_at == at(0.1) + s(60)


def test_no_trial_while_the_probe_fails_too_and_one_when_it_passes():
    health = probed(posted((0, ERROR_500), (1, ERROR_500)), (5, REFUSED))
    assert not may_try(health, at(10_000))
    health = probed(health, (20, UP))
    assert health.breaker is Breaker.HALF_OPEN
    assert may_try(health, at(20))
    assert not may_try(after(health, (21, Verb.PUBLISH, ERROR_500)), at(22))


def test_a_dead_handle_is_no_post_that_succeeded():
    health = posted((0, ERROR_500), (1, ERROR_500))
    assert is_open(after(health, (2, Verb.PUBLISH, Absent())))


def test_one_code_on_three_announcements_in_a_row_means_that_it_refuses_everything():
    def refused(*announcements: str, code: str = "368") -> ChannelHealth:
        health = NEW
        for name in announcements:
            health = after(health, (0, Verb.PUBLISH, Rejected(code)), announcement=name)
        return health

    assert not refuses_everything(refused("a1", "a2"))
    assert not refuses_everything(refused("a1", "a2", "a2", "a1"))
    assert not refuses_everything(after(refused("a1", "a2"), (0, Verb.PUBLISH, Rejected("100")), announcement="a3"))
    assert not refuses_everything(
        after(refused("a1", "a2"), (0, Verb.PUBLISH, UP), (0, Verb.PUBLISH, Rejected("368")), announcement="a3")
    )
    everything = refused("a1", "a2", "a3")
    assert (everything.refused, is_open(everything)) == (("a1", "a2", "a3"), True)
    assert is_open(probed(everything, (5, UP)))
    assert not is_open(after(everything, (60, Verb.PUBLISH, UP)))


def test_an_operator_is_not_blamed_for_a_channel_that_refuses_everything():
    """Not even if that channel had a blip of another kind some time before."""
    known = seen(EVERYONE, (0, "facebook", ERROR_500), (1, "facebook", UP))
    for name in ("a1", "a2", "a3"):
        said = evidence(Verb.PUBLISH, Rejected("368"), name)
        assert said is not None
        facebook = known["tvd/facebook"]
        known["tvd/facebook"] = replace(facebook, health=observe(facebook.health, said, META, at(500)))
    known = seen(known.values(), (510, "threads", ERROR_500))
    found = view(known, at(510))
    assert downs(found) == {"facebook": (Scope.CHANNEL, "tvd/facebook")}
    assert found.down["tvd/facebook"].cause is Cause.CONTENT


def test_a_throttle_slows_the_channel():
    assert posted((1, Throttled(s(30)))).slow_until == at(31)


# when it is probed


def probes(health: ChannelHealth, seconds: float, **changes: Any) -> float:
    shared = changes.pop("shared_outage", False)
    due = probe_at(health, profile(**changes), at(seconds), shared_outage=shared)
    return (due - T0).total_seconds()


def test_probed_at_once_then_by_the_profile():
    assert probes(NEW, 7) == 7
    assert probes(probed(NEW, (0, UP)), 1) == 60
    assert probes(probed(NEW, (0, UP)), 1, probe_every=s(900)) == 900


def test_a_failure_asks_once_more_at_once():
    assert probes(probed(NEW, (0, REFUSED)), 0) == 1
    assert probes(after(probed(NEW, (0, UP)), (30, Verb.PUBLISH, REFUSED)), 30) == 31


def test_a_second_answer_that_says_nothing_does_not_ask_without_pause():
    asked = probed(NEW, (0, REFUSED), (1, Throttled(s(5))))
    assert probes(asked, 2) == 61


def test_open_breakers_are_probed_after_5_s_doubling_to_60():
    health, now, waits = probed(NEW, (0, REFUSED), (1, REFUSED)), 1.0, []
    for _ in range(6):
        due = probes(health, now)
        waits.append(due - now)
        health, now = probed(health, (due, REFUSED)), due
    assert waits == [5, 10, 20, 40, 60, 60]


def test_a_denied_account_is_probed_every_quarter_of_an_hour_but_in_a_shared_outage_like_any():
    denied = probed(NEW, (0, EXPIRED))
    assert probes(denied, 1) == 900
    assert probes(denied, 1, shared_outage=True) == 5
    assert probes(denied, 1, probe_every=s(2)) == 30, "demos and tests shorten it"


def test_a_platform_that_asks_us_to_wait_is_waited_for_but_not_for_a_day():
    assert probes(probed(NEW, (0, Throttled(s(300)))), 1) == 300
    assert probes(probed(NEW, (0, Throttled(timedelta(days=1)))), 1) == 60 + 900


# domains

FACEBOOK = Member("tvd/facebook", "tvd", profile(operator="meta", hosts=("graph.facebook.com",), login="page"), NEW)
INSTAGRAM = Member("tvd/instagram", "tvd", profile(operator="meta", hosts=("graph.instagram.com",)), NEW)
THREADS = Member("tvd/threads", "tvd", profile(operator="meta", hosts=("graph.threads.net",)), NEW)
X = Member("tvd/x", "tvd", profile(operator="x"), NEW)
YOUTUBE = Member("tvd/youtube", "tvd", profile(operator="google"), NEW)
ZALO = Member("tvd/zalo", "tvd", profile(operator="vng", country="VN", path=Path.DOMESTIC), NEW)
SITE = Member("tvd/site", "tvd", profile(operator="us", country="VN", own=True, path=Path.OWN), NEW)
EVERYONE = (FACEBOOK, INSTAGRAM, THREADS, X, YOUTUBE, ZALO, SITE)


def seen(members: Iterable[Member], *answers: tuple[float, str, Finding], verb: Verb = Verb.PROBE) -> dict[str, Member]:
    """Everyone's health after these answers: (second, channel's name, outcome)."""
    known = {m.key: m for m in members}
    for seconds, name, outcome in answers:
        member = known[f"tvd/{name}" if "/" not in name else name]
        said = evidence(verb, outcome, "a1")
        assert said is not None
        known[member.key] = replace(member, health=observe(member.health, said, member.profile, at(seconds)))
    return known


def downs(found: View) -> dict[str, tuple[Scope, str]]:
    return {key.removeprefix("tvd/"): (d.scope, d.what) for key, d in found.down.items()}


META_DOWN = dict.fromkeys(("facebook", "instagram", "threads"), (Scope.OPERATOR, "meta"))


@pytest.mark.parametrize("outcome", [REFUSED, ERROR_500, HANG])
def test_a_domain_opens_on_two_newly_failing_members_and_covers_all_its_channels(outcome: Finding):
    known = seen(EVERYONE, (0, "facebook", outcome), (5, "threads", outcome))
    assert downs(view(known, at(5))) == META_DOWN
    down = view(known, at(5)).down["tvd/instagram"]
    assert (down.since, down.cause) == (T0, Cause.OUTAGE)
    assert down.channels == ("tvd/facebook", "tvd/threads")
    assert shared_outage(down)


def test_a_blip_never_opens_anything():
    known = seen(EVERYONE, (0, "facebook", ERROR_500))
    assert downs(view(known, at(0))) == {}


def test_one_channel_that_fails_for_long_and_a_blip_beside_it_open_no_domain():
    known = seen(EVERYONE, *((n * 30, "facebook", ERROR_500) for n in range(20)), (600, "threads", ERROR_500))
    assert downs(view(known, at(600))) == {"facebook": (Scope.CHANNEL, "tvd/facebook")}


def test_evidence_counts_for_60_seconds():
    known = seen(EVERYONE, (0, "facebook", ERROR_500), (0, "threads", ERROR_500))
    assert downs(view(known, at(59.999))) == META_DOWN
    assert downs(view(known, at(60))) == {}


def test_a_domain_is_up_again_when_its_members_are():
    known = seen(EVERYONE, *((n, name, ERROR_500) for n in (0, 1) for name in ("facebook", "threads")))
    assert downs(view(known, at(1))) == META_DOWN
    assert downs(view(seen(known.values(), (30, "threads", UP)), at(30))) == {
        "facebook": (Scope.CHANNEL, "tvd/facebook")
    }
    assert view(seen(known.values(), (30, "threads", UP), (31, "facebook", UP)), at(31)) == View()


def test_members_that_wait_for_a_post_to_prove_them_hold_nobody_back():
    """Found by the simulation: nothing was left to be posted there, and a third channel's owed copies never went."""
    both = ("facebook", "threads")
    known = seen(EVERYONE, *((at_s, name, HANG) for at_s in (0, 1) for name in both), verb=Verb.PUBLISH)
    known = seen(known.values(), *((2, name, HANG) for name in both))
    assert downs(view(known, at(3))) == META_DOWN
    known = seen(known.values(), *((30, name, UP) for name in both))
    assert downs(view(known, at(31))) == {name: (Scope.CHANNEL, f"tvd/{name}") for name in both}


def test_server_errors_of_two_operators_are_no_matter_of_the_path():
    known = seen(EVERYONE, *((n, name, ERROR_500) for n in (0, 1) for name in ("x", "youtube")))
    assert {scope for scope, _ in downs(view(known, at(1))).values()} == {Scope.CHANNEL}


def test_silence_of_one_operator_is_no_matter_of_the_path():
    known = seen(EVERYONE, *((n, name, REFUSED) for n in (0, 1) for name in ("facebook", "threads")))
    assert downs(view(known, at(1))) == META_DOWN


def test_silence_of_two_operators_is_the_path_and_any_answer_on_it_refutes_that():
    known = seen(EVERYONE, (0, "x", REFUSED), (1, "facebook", REFUSED))
    assert downs(view(known, at(1))) == dict.fromkeys(
        ("facebook", "instagram", "threads", "x", "youtube"), (Scope.PATH, "international")
    )
    for answer in (UP, ERROR_500, EXPIRED, Throttled(s(5))):
        refuted = seen(known.values(), (2, "youtube", answer))
        assert Scope.PATH not in {scope for scope, _ in downs(view(refuted, at(2))).values()}
    unrefuted = seen(known.values(), (2, "youtube", HANG), (2, "zalo", UP))
    assert Scope.PATH in {scope for scope, _ in downs(view(unrefuted, at(2))).values()}


def test_a_host_is_shared_whoever_operates_what_runs_there():
    a = replace(X, profile=profile(operator="a", hosts=("shared.example",)))
    b = replace(YOUTUBE, profile=profile(operator="b", hosts=("shared.example",), path=Path.DOMESTIC))
    known = seen((a, b), (0, "x", REFUSED), (1, "youtube", REFUSED))
    assert set(downs(view(known, at(1))).values()) == {(Scope.HOST, "shared.example")}


# who is shut out


def test_one_login_that_is_shut_out_takes_the_channels_that_use_it():
    instagram = replace(INSTAGRAM, profile=replace(INSTAGRAM.profile, login="page", operator="other"))
    third = replace(THREADS, profile=replace(THREADS.profile, login="page"))
    known = seen((FACEBOOK, instagram, third), (0, "facebook", EXPIRED), (5, "instagram", EXPIRED))
    down = view(known, at(5)).down["tvd/threads"]
    assert (down.scope, down.what, down.cause) == (Scope.LOGIN, "page", Cause.ACCOUNT)


def test_two_logins_shut_out_within_a_minute_are_an_outage_of_the_operator():
    known = seen(EVERYONE, (0, "facebook", EXPIRED), (60, "threads", EXPIRED))
    assert downs(view(known, at(60))) == META_DOWN
    assert view(known, at(60)).down["tvd/facebook"].cause is Cause.OUTAGE
    apart = seen(EVERYONE, (0, "facebook", EXPIRED), (60.001, "threads", EXPIRED))
    assert downs(view(apart, at(61))).keys() == {"facebook", "threads"}
    assert view(apart, at(61)).down["tvd/facebook"].cause is Cause.ACCOUNT


def test_channels_without_a_shared_login_have_one_each():
    known = seen(EVERYONE, (0, "instagram", EXPIRED), (1, "threads", EXPIRED))
    assert downs(view(known, at(1))) == META_DOWN


def test_one_login_alone_is_never_an_outage_of_the_operator():
    threads = replace(THREADS, profile=replace(THREADS.profile, login="page"))
    known = seen((FACEBOOK, INSTAGRAM, threads), (0, "facebook", EXPIRED), (1, "threads", EXPIRED))
    assert downs(view(known, at(1))).keys() == {"facebook", "threads"}


def test_a_denial_counts_as_an_outage_where_the_operator_already_fails():
    known = seen(EVERYONE, (0, "facebook", ERROR_500), (5, "threads", EXPIRED))
    assert downs(view(known, at(5))) == META_DOWN


def of_agency(member: Member, agency: str, **changes: Any) -> Member:
    key = f"{agency}/{member.key.partition('/')[2]}"
    return replace(member, key=key, agency=agency, profile=replace(member.profile, **changes))


def test_outages_are_shared_by_all_agencies_denials_are_not():
    other = of_agency(THREADS, "vtx")
    outage = seen((FACEBOOK, THREADS, other), (0, "facebook", ERROR_500), (1, "threads", ERROR_500))
    assert view(outage, at(1)).down["vtx/threads"].scope is Scope.OPERATOR
    denied = seen((FACEBOOK, THREADS, other), (0, "facebook", EXPIRED))
    assert "vtx/threads" not in view(denied, at(1)).down


def test_no_agency_is_told_of_another_ones_channels():
    other = of_agency(THREADS, "vtx")
    known = seen(
        (FACEBOOK, INSTAGRAM, other), (0, "facebook", ERROR_500), (1, "vtx/threads", Unavailable(Fault.SERVER))
    )
    found = view(known, at(1)).down
    assert found["tvd/instagram"].channels == ("tvd/facebook",)
    assert (found["vtx/threads"].channels, found["vtx/threads"].detail) == (("vtx/threads",), "")


# our own network

INTERNATIONAL = ("facebook", "x", "youtube")


def cut_off(*answers: tuple[float, str, Finding]) -> View:
    silent = [(n, name, REFUSED) for n in (0, 1) for name in (*INTERNATIONAL, "zalo")]
    known = seen(EVERYONE, *silent, *answers)
    return view(known, at(max([1, *(seconds for seconds, _, _ in answers)])))


def test_rule_5_three_outside_operators_newly_silent_and_nobody_answering_are_our_own_network():
    found = cut_off()
    assert found.own_network_since == T0
    assert found.down == {}, "no channel is blamed"


@pytest.mark.parametrize("answer", [UP, ERROR_500, EXPIRED, Throttled(s(5)), Rejected("100")])
@pytest.mark.parametrize("name", ["zalo", "threads", "x"])
def test_rule_5_any_answer_from_outside_refutes_it(name: str, answer: Finding):
    assert cut_off((2, name, answer)).own_network_since is None


def test_rule_5_neither_our_own_site_nor_a_hang_is_an_answer_from_outside():
    assert cut_off((2, "site", UP)).own_network_since is not None
    assert cut_off((2, "threads", HANG)).own_network_since is not None


def test_rule_5_two_operators_or_server_errors_are_not_enough():
    two = seen(EVERYONE, *((n, name, REFUSED) for n in (0, 1) for name in ("x", "youtube")))
    assert view(two, at(1)).own_network_since is None
    errors = seen(EVERYONE, *((n, name, ERROR_500) for n in (0, 1) for name in (*INTERNATIONAL, "zalo")))
    assert view(errors, at(1)).own_network_since is None


def test_rule_5_who_failed_for_another_reason_stays_down():
    known = seen(EVERYONE, (-100, "threads", EXPIRED), *((0, name, REFUSED) for name in (*INTERNATIONAL, "zalo")))
    found = view(known, at(1))
    assert found.own_network_since is not None
    assert downs(found) == {"threads": (Scope.CHANNEL, "tvd/threads")}


def test_rule_5_witnesses_decide_where_there_are_too_few_operators():
    one = seen(EVERYONE, *((n, "facebook", REFUSED) for n in (0, 1)))
    assert view(one, at(1), witnesses_silent=True).own_network_since == T0
    assert view(one, at(1), witnesses_silent=False).own_network_since is None
    answered = seen(one.values(), (2, "zalo", UP))
    assert view(answered, at(2), witnesses_silent=True).own_network_since is None
    all_silent = seen(EVERYONE, *((n, name, REFUSED) for n in (0, 1) for name in (*INTERNATIONAL, "zalo")))
    assert view(all_silent, at(1), witnesses_silent=False).own_network_since is None


# who is asked


def test_a_failure_asks_one_sibling_of_each_domain_and_for_a_path_one_of_another_operator():
    known = {m.key: m for m in EVERYONE}
    assert siblings("tvd/facebook", known) == {"tvd/instagram", "tvd/x"}
    assert siblings("tvd/zalo", known) == set()
    assert siblings("tvd/x", known) == {"tvd/facebook"}


def test_a_recovered_channel_makes_its_comrades_worth_asking_but_nobody_else():
    known = {m.key: m for m in EVERYONE}
    assert {m.key for m in comrades("tvd/facebook", known)} == {"tvd/instagram", "tvd/threads"}
    assert not any(comrades("tvd/zalo", known))


def test_a_login_refused_in_an_outage_is_asked_about_like_any_while_its_comrades_return():
    down = seen(EVERYONE, *((n, name, REFUSED) for n in (0, 1) for name in ("facebook", "threads")))
    ending = seen(down.values(), (5, "threads", EXPIRED), (6, "facebook", UP))
    assert is_returning("tvd/threads", ending, at(10))
    assert not is_returning("tvd/threads", ending, at(6 + 901)), "by then it is the account"
    assert not is_returning("tvd/facebook", ending, at(10)), "nobody else has recovered"
    assert not is_returning("tvd/x", ending, at(10)), "what shares only the path returns alone"


# any order of evidence

EVIDENCES = st.sampled_from(
    [
        (verb, outcome)
        for verb in (Verb.PUBLISH, Verb.PROBE, Verb.FIND)
        for outcome in (UP, REFUSED, ERROR_500, HANG, EXPIRED, Throttled(s(20)), Rejected("1"), Rejected("2"), Absent())
    ]
)
HISTORIES = st.lists(st.tuples(st.floats(0, 400), EVIDENCES, st.sampled_from(["a1", "a2", "a3", "a4"])), max_size=25)


def history(steps: Any) -> tuple[ChannelHealth, datetime]:
    health, now = NEW, T0
    for wait, (verb, outcome), announcement in steps:
        now += s(wait)
        said = evidence(verb, outcome, announcement)
        assert said is not None
        health = observe(health, said, META, now)
    return health, now


@given(HISTORIES)
def test_stored_health_is_the_same_when_it_is_read_again(steps: Any):
    health, now = history(steps)
    again = msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(health))), ChannelHealth)
    assert again == health
    assert may_try(again, now + s(60)) == may_try(health, now + s(60))


@given(HISTORIES, st.sampled_from([s(2), s(60), s(900)]))
def test_after_recovery_every_breaker_closes_or_lets_a_post_try(steps: Any, probe_every: timedelta):
    health, now = history(steps)
    known = replace(META, probe_every=probe_every)
    for _ in range(70):
        if not is_open(health) or may_try(health, now):
            break
        now = max(now + s(60), probe_at(health, known, now))
        health = observe(health, Evidence(Verdict.UP, by_post=False), known, now)
    assert not is_open(health) or may_try(health, now)
    posted = observe(health, Evidence(Verdict.UP, by_post=True), known, now)
    assert not is_open(posted) or may_try(posted, now), "one that comes and goes stays half-open for a minute"
    assert not is_open(observe(posted, Evidence(Verdict.UP, by_post=True), known, now + s(61)))


def test_one_that_comes_and_goes_is_half_open_for_a_minute_and_then_closes():
    """Found by the property above: it opened again in the second of its recovery."""
    up = Evidence(Verdict.UP, by_post=True)
    flaps = NEW
    for outcome in (EXPIRED, UP, EXPIRED, UP):
        verb = Verb.PUBLISH if outcome is UP else Verb.FIND
        said = evidence(verb, outcome, "a1")
        assert said is not None
        flaps = observe(flaps, said, META, at(0))
    assert is_open(flaps)
    assert may_try(flaps, at(0))
    assert is_open(observe(flaps, up, META, at(59)))
    assert not is_open(observe(flaps, up, META, at(61)))


@given(HISTORIES)
def test_probes_never_follow_one_another_without_pause(steps: Any):
    health, now = history(steps)
    probed_now = observe(health, Evidence(Verdict.THROTTLED, by_post=False, wait=s(1)), META, now)
    assert probe_at(probed_now, META, now) > now


@given(HISTORIES)
def test_what_time_alone_changes_is_announced(steps: Any):
    """Between two moments that `changes_at` names, nothing changes by itself."""
    health, now = history(steps)
    member = {"tvd/x": Member("tvd/x", "tvd", META, health)}
    until = changes_at(health, now)
    last = until - s(0.001) if until else now + timedelta(days=2)
    assert view(member, now) == view(member, max(now, last))


@given(HISTORIES)
def test_a_success_of_a_post_always_closes(steps: Any):
    """But who opened within a minute of a recovery stays half-open for a minute: that one comes and goes."""
    health, now = history(steps)
    closed = observe(health, Evidence(Verdict.UP, by_post=True), META, now)
    opened, recovered, minute = health.opened_at, health.recovered_at, timedelta(seconds=60)
    comes_and_goes = bool(opened and recovered and opened - recovered < minute and now - opened < minute)
    expected = Breaker.HALF_OPEN if comes_and_goes else Breaker.CLOSED
    assert (closed.breaker, closed.failures, closed.post_failures, closed.refused) == (expected, 0, 0, ())


@given(st.lists(st.tuples(st.floats(0, 50), st.sampled_from(EVERYONE), EVIDENCES), max_size=20), st.randoms())
def test_the_view_does_not_depend_on_the_order_of_the_channels(steps: Any, rng: Any):
    now, known = T0, {m.key: m for m in EVERYONE}
    for wait, member, (verb, outcome) in steps:
        now += s(wait)
        said = evidence(verb, outcome, "a1")
        assert said is not None
        old = known[member.key]
        known[member.key] = replace(old, health=observe(old.health, said, old.profile, now))
    keys = list(known)
    rng.shuffle(keys)
    assert view({key: known[key] for key in keys}, now) == view(known, now)


@given(HISTORIES, st.floats(0, 2))
def test_what_is_called_known_would_change_nothing_but_times(steps: Any, later: float):
    health, now = history([*steps, (9, (Verb.PUBLISH, UP), "a5")])
    well, now = Evidence(Verdict.UP, by_post=True), now + s(later)
    assert is_known(health, well, now) == (later < 1 and not is_open(health))
    if is_open(health):
        return
    told = observe(health, well, META, now)
    assert replace(told, up_at=health.up_at, answered_at=health.answered_at) == health
    assert not is_known(observe(health, Evidence(Verdict.OUTAGE, by_post=True), META, now), well, now)


# our media host


def needing(**health: object) -> dict[str, Member]:
    """Instagram and TikTok, which show nothing without it, and Threads, which takes text as well."""
    must = MediaNeeds(images=10, card=MediaKind.IMAGE, by_url=True)
    profiles = {
        "instagram": replace(profile(operator="meta"), media=must),
        "tiktok": replace(profile(operator="bytedance"), media=must),
        "threads": replace(profile(operator="meta"), media=replace(must, card=None)),
    }
    return {name: Member(name, "tin", one, ChannelHealth(**health)) for name, one in profiles.items()}  # type: ignore[arg-type]


def failed_by_media(members: dict[str, Member], name: str, now: datetime) -> dict[str, Member]:
    seen = evidence(Verb.PUBLISH, Unavailable(Fault.MEDIA, "not fetched"))
    assert seen is not None
    m = members[name]
    return {**members, name: replace(m, health=observe(m.health, seen, m.profile, now))}


def test_a_media_host_that_failed_once_is_down_for_nobody():
    assert view(failed_by_media(needing(), "instagram", T0), T0).down == {}


@pytest.mark.parametrize("names", [("instagram", "tiktok"), ("instagram", "instagram"), ("threads", "threads")])
def test_a_media_host_that_failed_twice_takes_what_needs_it_and_blames_no_platform(names):
    members = needing()
    for n, name in enumerate(names):
        members = failed_by_media(members, name, T0 + timedelta(seconds=n))
    later = T0 + timedelta(seconds=2)
    seen = view(members, later)
    assert seen.down.keys() == {"instagram", "tiktok"}
    assert {(down.scope, down.what) for down in seen.down.values()} == {(Scope.MEDIA, "media_host")}
    assert not any(shared_outage(down) for down in seen.down.values())
    assert all(members[name].health.breaker is Breaker.CLOSED for name in members)
    over = T0 + timedelta(seconds=len(names) - 1) + EVIDENCE_FOR
    assert changes_at(members[names[-1]].health, later) == over
    assert view(members, over).down == {}


def test_another_agencys_media_host_is_another_one():
    members = {**needing(), "theirs": replace(needing()["instagram"], key="theirs", agency="bao")}
    for name in ("instagram", "tiktok"):
        members = failed_by_media(members, name, T0)
    assert "theirs" not in view(members, T0).down


def test_a_post_that_went_out_with_its_picture_shows_that_the_media_host_works():
    members = failed_by_media(failed_by_media(needing(), "instagram", T0), "instagram", T0)
    seen = evidence(Verb.PUBLISH, Live("1"))
    assert seen is not None
    m = members["instagram"]
    assert not is_known(m.health, seen, T0)
    after = {**members, "instagram": replace(m, health=observe(m.health, seen, m.profile, T0))}
    assert view(after, T0).down == {}
