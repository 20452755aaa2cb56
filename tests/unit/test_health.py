"""What is down: domains, logins, our own network and our media host, from what is known of channels."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract import MediaNeeds, Path
from broker.model import MediaKind, Verb
from broker.outcome import Cause, Fault, Finding, Live, Rejected, Throttled, Unavailable
from broker.rules.breaker import EVIDENCE_FOR, Breaker, ChannelHealth, changes_at, is_known, observe
from broker.rules.domains import Member, Scope
from broker.rules.evidence import evidence
from broker.rules.health import View, shared_outage, view
from broker.values import replace
from tests.unit.answers import (
    ERROR_500,
    EVERYONE,
    EVIDENCES,
    EXPIRED,
    FACEBOOK,
    HANG,
    HISTORIES,
    INSTAGRAM,
    META,
    REFUSED,
    THREADS,
    UP,
    YOUTUBE,
    X,
    history,
    seen,
)
from tests.unit.builders import T0, at, profile, s


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


def test_members_whose_trial_nobody_makes_hold_nobody_back():
    """Found: posts of two failed, none was left to try them again, and what a third owed expired."""
    known = seen(
        EVERYONE, *((n, name, ERROR_500) for n in (0, 1) for name in ("facebook", "threads")), verb=Verb.PUBLISH
    )
    known = seen(known.values(), *((2, name, UP) for name in ("facebook", "threads")))
    trial_at = known["tvd/facebook"].health.trial_at
    assert trial_at is not None
    assert downs(view(known, trial_at + s(60))) == META_DOWN, "a trial is under way, if there is a post for it"
    assert downs(view(known, trial_at + s(120))).keys() == {"facebook", "threads"}


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


# any order of evidence


@given(HISTORIES)
def test_what_time_alone_changes_is_announced(steps: Any):
    """Between two moments that `changes_at` names, nothing changes by itself."""
    health, now = history(steps)
    member = {"tvd/x": Member("tvd/x", "tvd", META, health)}
    until = changes_at(health, now)
    last = until - s(0.001) if until else now + timedelta(days=2)
    assert view(member, now) == view(member, max(now, last))


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
