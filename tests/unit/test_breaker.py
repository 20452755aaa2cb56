"""What opens and closes the breaker of one channel, in any order of evidence."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model import Verb
from broker.outcome import Absent, Rejected, Throttled
from broker.rules.breaker import Breaker, ChannelHealth, is_known, is_open, may_try, observe, refuses_everything
from broker.rules.evidence import Evidence, Verdict, evidence
from broker.rules.probing import probe_at
from broker.values import replace
from tests.unit.answers import ERROR_500, EXPIRED, HISTORIES, META, NEW, REFUSED, UP, after, history, posted, probed
from tests.unit.builders import T0, at, s


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


def test_a_throttle_slows_the_channel():
    assert posted((1, Throttled(s(30)))).slow_until == at(31)


# any order of evidence


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
def test_a_success_of_a_post_always_closes(steps: Any):
    """But who opened within a minute of a recovery stays half-open for a minute: that one comes and goes."""
    health, now = history(steps)
    closed = observe(health, Evidence(Verdict.UP, by_post=True), META, now)
    opened, recovered, minute = health.opened_at, health.recovered_at, timedelta(seconds=60)
    comes_and_goes = bool(opened and recovered and opened - recovered < minute and now - opened < minute)
    expected = Breaker.HALF_OPEN if comes_and_goes else Breaker.CLOSED
    assert (closed.breaker, closed.failures, closed.post_failures, closed.refused) == (expected, 0, 0, ())


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
