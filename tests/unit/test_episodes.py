"""What people should know of, from health and from cases; and by which ways they are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract import Path, Profile
from broker.model import Case, Delivery, Reason, State, Status
from broker.outcome import Cause
from broker.rules.breaker import ChannelHealth
from broker.rules.domains import Member, Scope, domains
from broker.rules.episodes import NAMED, WAYS, Episode, Kind, of_case, of_health, same_fate, ways
from broker.rules.health import Down, View
from broker.rules.sentences import sentence
from broker.values import replace
from tests.unit.builders import AGENCY, T0, accepted, at, delivery, profile, route

VN = ZoneInfo("Asia/Ho_Chi_Minh")
META = {name: profile(operator="meta") for name in ("facebook", "threads")}
BY_OPERATOR = Down(Scope.OPERATOR, "meta", T0, Cause.OUTAGE, ("tvd/facebook", "tvd/threads"))


def members(profiles: Mapping[str, Profile], agency: str = AGENCY) -> dict[str, Member]:
    return {f"{agency}/{name}": Member(f"{agency}/{name}", agency, p, ChannelHealth()) for name, p in profiles.items()}


def test_two_channels_of_one_operator_are_one_episode():
    down = dict.fromkeys(members(META), BY_OPERATOR)
    [episode] = of_health(AGENCY, members(META), View(down)).values()
    assert (episode.kind, episode.subject, episode.channels) == (Kind.OUTAGE, "meta", ("facebook", "threads"))
    assert {(Scope.OPERATOR, "meta"), (Scope.CHANNEL, "tvd/threads")} <= episode.domains


@pytest.mark.parametrize(
    ("cause", "kind", "subject"),
    [
        (Cause.OUTAGE, Kind.OUTAGE, "meta"),
        (Cause.ACCOUNT, Kind.ACCOUNT, "facebook"),
        (Cause.CONTENT, Kind.REFUSES, "facebook"),
    ],
)
def test_the_cause_decides_what_is_told(cause: Cause, kind: Kind, subject: str):
    down = Down(Scope.CHANNEL, "tvd/facebook", T0, cause, ("tvd/facebook",))
    [episode] = of_health(AGENCY, members(META), View({"tvd/facebook": down})).values()
    assert (episode.kind, episode.subject) == (kind, subject)


def test_nothing_is_told_of_others_nor_while_our_own_network_is_down():
    known = members(META) | members(META, "bvd")
    down = {key: BY_OPERATOR for key in known if key.startswith("bvd/")}
    assert of_health(AGENCY, known, View(down)) == {}
    assert of_health("bvd", known, View(down, own_network_since=T0)) == {}


def case(one: Delivery, **announcement: Any) -> Case:
    made = accepted(route(post_to=("facebook",), stand_ins={}, reserve=()))
    return Case(replace(made.announcement, **announcement), {"facebook": one})


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (case(delivery(State.LIVE)), set()),
        (case(delivery(State.UNCONFIRMED)), {(Kind.UNCONFIRMED, "facebook")}),
        (case(delivery(State.REMOVED)), {(Kind.REMOVED, "facebook")}),
        (case(delivery(State.FAILED), status=Status.NOWHERE), {(Kind.NOWHERE, "")}),
        (case(delivery(State.FAILED), status=Status.PARTLY), {(Kind.PARTLY, "")}),
        (case(delivery(State.FAILED), status=Status.NOWHERE, replaced_by="TVD-AAAAAA"), set()),
        (case(delivery(State.REMOVED), withdrawn_at=at(9)), set()),
        (case(delivery(State.UNCONFIRMED), withdrawn_at=at(9)), {(Kind.LEFT_UP, "facebook")}),
        (case(delivery(State.LIVE, reason=Reason("deleting")), withdrawn_at=at(9)), set()),
        (
            case(delivery(State.LIVE, reason=Reason("deleting"), asks=5), withdrawn_at=at(9)),
            {(Kind.LEFT_UP, "facebook")},
        ),
        (case(delivery(State.LIVE, reason=Reason("delete_failed")), withdrawn_at=at(9)), {(Kind.LEFT_UP, "facebook")}),
    ],
)
def test_what_an_announcement_is_in_trouble_with(made: Case, found: set[tuple[Kind, str]]):
    assert of_case(made) == found


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_that_it_begins_and_that_it_ends(kind: Kind):
    detail: str | Reason = Reason("token_ends", {"channel": "threads", "days": 6}) if kind is Kind.TOKEN else "code 190"
    references = tuple(f"TVD-{n:06}" for n in range(30)) if kind in (Kind.PARTLY, Kind.UNCONFIRMED) else ()
    episode = Episode(
        agency=AGENCY, kind=kind, subject="threads", since=T0, detail=detail, references=references or ("TVD-7QK2F9",)
    )
    for reason in (episode.begins(), episode.ends()):
        said = sentence(reason, VN)
        assert said["en"]
        assert said["en"] != said["vi"] != ""
        assert not said["en"].startswith(("Alert_", "alert_"))
    if references:
        assert sentence(episode.begins(), VN)["en"].count("TVD-") == NAMED
        assert "and 20 more" in sentence(episode.begins(), VN)["en"]
    if kind is Kind.TOKEN:
        assert "in 6 days" in sentence(episode.begins(), VN)["en"]


OPERATORS, HOSTS, PATHS = ("meta", "vng", "mail", "chat"), ("a.example", "b.example", "c.example"), tuple(Path)
PROFILES = st.builds(
    lambda operator, host, login, path: profile(operator=operator, hosts=(host,), login=login, path=path),
    st.sampled_from(OPERATORS),
    st.sampled_from(HOSTS),
    st.sampled_from((None, "one", "two")),
    st.sampled_from(PATHS),
)
ALERTS = st.lists(PROFILES, min_size=1, max_size=5).map(lambda ps: [(f"tvd/way{n}", p) for n, p in enumerate(ps)])
DOMAINS = st.frozensets(
    st.one_of(
        st.tuples(st.just(Scope.OPERATOR), st.sampled_from(OPERATORS)),
        st.tuples(st.just(Scope.HOST), st.sampled_from(HOSTS)),
        st.tuples(st.just(Scope.PATH), st.sampled_from([p.value for p in PATHS])),
    ),
    max_size=3,
)


@given(ALERTS, DOMAINS, st.frozensets(st.integers(0, 4)))
def test_ways_share_nothing_with_what_they_report_as_long_as_one_does_not(alerts, reported, broken):
    episode = Episode(agency=AGENCY, kind=Kind.OUTAGE, subject="meta", since=T0, domains=reported)
    down = {f"tvd/way{n}": replace(BY_OPERATOR, channels=()) for n in broken}
    chosen = ways(episode, alerts, View(down))
    by_key = dict(alerts)
    assert 1 <= len(chosen) <= WAYS
    apart = [key for key, p in alerts if key not in down and not reported & set(domains(p))]
    if apart:
        assert set(chosen) <= set(apart)
        assert len(chosen) == min(WAYS, len({by_key[key].operator for key in apart}))
    elif set(by_key) - set(down):
        assert not set(chosen) & set(down)
    assert len({by_key[key].operator for key in chosen}) == len(chosen)


@given(ALERTS)
def test_a_fate_that_all_ways_share_is_named(alerts):
    assert set(same_fate(alerts)) == {d for d in domains(alerts[0][1]) if all(d in set(domains(p)) for _, p in alerts)}
