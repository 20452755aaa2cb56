"""What people are told, on virtual time: once per episode, no storm, nothing while our own network is down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from broker.rules.agency import Agency
from broker.values import replace
from tests.simulation.machine import Sabotage
from tests.simulation.platforms import Spell, Trouble
from tests.simulation.scenes import channel, news, scene
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.virtual import START
from tests.simulation.worlds import AGENCY, Blow, ChannelSpec, Kind, Strike, Submission

pytestmark = pytest.mark.quick

T = Trouble
DAY = 24 * 3600.0
WAYS = ("duty", "mail")
AGENCY_WITH_PEOPLE = Agency(
    key=AGENCY, name="Tin Ví Dụ", prefix="TVD", country="VN", zone=ZoneInfo("Asia/Ho_Chi_Minh"), language="en",
    keys=(), channels={}, alerts=WAYS, witnesses=(), routes={},
)  # fmt: skip


def told(
    channels: Sequence[ChannelSpec],
    *submissions: Submission,
    strikes: Sequence[Strike] = (),
    ways: dict[str, tuple[Spell, ...]] | None = None,
    language: str = "en",
    **profile: Any,
) -> tuple[dict[str, list[tuple[float, str]]], Outcome]:
    """By way: when, and the first line of what people were told. `profile`: of the ways."""
    alerting = [channel(name, Kind.NOTHING, *(ways or {}).get(name, ()), **profile) for name in WAYS]
    names = tuple(spec.name for spec in channels)
    world = scene([*channels, *alerting], *submissions, strikes=strikes, post_to=names)
    extra = {"agencies": {AGENCY: replace(AGENCY_WITH_PEOPLE, language=language)}}
    outcome = simulate(world, Sabotage(extra=extra))
    assert outcome.bugs == []
    return {way: [_said(c.made_at - START, c.text) for c in outcome.platforms[way].copies] for way in WAYS}, outcome


def _said(at: timedelta, text: str) -> tuple[float, str]:
    return at.total_seconds(), text.split("\n")[0]


def once(found: dict[str, list[tuple[float, str]]]) -> list[str]:
    """What was said, which must be the same both ways."""
    first, second = ([text for _, text in found[way]] for way in WAYS)
    assert first == second
    return first


def meta(*spells: Spell) -> list[ChannelSpec]:
    return [channel(name, Kind.LIST, *spells, operator="meta") for name in ("facebook", "threads")]


ZALO, X = channel("zalo", Kind.LIST, operator="vng"), channel("x", Kind.LIST)


def test_an_outage_is_told_once_and_its_end_once_however_many_announcements_it_hits():
    found, _ = told([*meta(Spell(T.REFUSED, 0, 300)), ZALO, X], *(news(n, 30 + 40 * n) for n in range(8)))
    begins, ends = once(found)
    assert begins.startswith("Meta is down since")
    assert ends.startswith("Meta works again")
    assert 300 < found["duty"][1][0] < 400


@pytest.mark.parametrize("blow", [Blow.CRASH, Blow.RESTART])
@pytest.mark.parametrize("at", [40.0, 150.0, 301.0])
def test_a_restart_in_the_middle_tells_nobody_twice(blow: Blow, at: float):
    strikes = [Strike(blow, at, 5.0, 3)]
    found, outcome = told([*meta(Spell(T.REFUSED, 0, 300)), ZALO, X], news(0, 30), news(1, 200), strikes=strikes)
    assert len(outcome.lives) == 2
    assert [text.split(" since")[0].split(";")[0] for text in once(found)] == ["Meta is down", "Meta works again"]


def test_the_log_of_an_agency_without_ways_tells_it_once_as_well():
    extra = {"agencies": {AGENCY: replace(AGENCY_WITH_PEOPLE, alerts=())}}
    with capture_logs() as logged:
        simulate(scene([*meta(Spell(T.REFUSED, 0, 300)), ZALO, X], news(0, 30)), Sabotage(extra=extra))
    said = [entry["text"] for entry in logged if entry["event"] == "alert"]
    assert [text.split(" since")[0].split(";")[0] for text in said] == ["Meta is down", "Meta works again"]


def test_many_unconfirmed_copies_are_one_message():
    lost = Spell(T.ANSWER_LOST, 20, 60)
    found, _ = told([channel("telegram", Kind.NOTHING, lost), ZALO, X], *(news(n, 30 + n / 10) for n in range(15)))
    said = [text for text in once(found) if "nobody can tell" in text]
    assert len(said) <= 2, said
    assert "more" in said[-1] or said[-1].count("TVD-") <= 10


def test_a_shut_account_is_brought_to_mind_daily():
    shut = Spell(T.LOGGED_OUT, 0, 3 * DAY)
    seldom = timedelta(hours=1)
    channels = [channel("telegram", Kind.LIST, shut, probe_every=seldom), channel("x", Kind.LIST, probe_every=seldom)]
    found, _ = told(channels, news(0, 30), news(1, 1.2 * DAY), probe_every=seldom)
    said = [at for at, text in found["duty"] if "shut us out" in text]
    assert len(said) == 2
    assert round((said[1] - said[0]) / DAY, 2) == 1


def test_nobody_is_told_of_outages_while_our_own_network_is_down():
    dark = Spell(T.REFUSED, 100, 400)
    specs = [channel(name, Kind.LIST, dark) for name in ("meta", "vng", "google", "x")]
    found, _ = told(specs, news(0, 30), news(1, 900), ways=dict.fromkeys(WAYS, (dark,)))
    assert found == {way: [] for way in WAYS}


def test_what_is_left_to_a_person_after_a_withdrawal_is_told_once():
    able = channel("telegram", Kind.LIST).profile.abilities
    stubborn = channel("telegram", Kind.LIST, abilities=frozenset(v for v in able if v != "delete"))
    found, _ = told([stubborn, ZALO, X], news(0, 30, withdrawn_after=10), news(1, 300))
    begins = [text for text in once(found) if text.startswith("Withdrawn, and it is or may be still on Telegram")]
    assert len(begins) == 1


def test_people_are_told_in_their_language():
    found, _ = told([*meta(Spell(T.REFUSED, 0, 300)), ZALO, X], news(0, 30), news(1, 400), language="vi")
    assert all("Meta" in text and ("sự cố" in text) for text in once(found))
