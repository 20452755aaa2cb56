"""Pacing: the permits of one channel, in flight and by rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.rules.pacing import RateWindow, allowed_in_flight
from tests.unit.builders import profile

EIGHT = profile(max_in_flight=8)


@pytest.mark.parametrize(("rounds", "permits"), [(None, 8), (0, 1), (1, 2), (2, 4), (3, 8), (4, 8), (99, 8)])
def test_after_an_outage_one_in_flight_doubling_after_each_clean_round(rounds: int | None, permits: int):
    assert allowed_in_flight(EIGHT, rounds, down=False, may_try=False) == permits


@pytest.mark.parametrize("rounds", [None, 0, 5])
def test_none_while_down_and_one_on_trial(rounds: int | None):
    assert allowed_in_flight(EIGHT, rounds, down=True, may_try=False) == 0
    assert allowed_in_flight(EIGHT, rounds, down=True, may_try=True) == 1


@given(st.integers(1, 100), st.none() | st.integers(0, 100), st.booleans(), st.booleans())
def test_never_more_than_the_profile_allows(most: int, rounds: int | None, down: bool, may_try: bool):
    assert 0 <= allowed_in_flight(profile(max_in_flight=most), rounds, down=down, may_try=may_try) <= most


def given_at(rate_per_s: float, asked_at: list[float]) -> list[float]:
    """When permits are given to somebody who asks at these times and takes each as soon as it may."""
    window, given_times, now = RateWindow(rate_per_s), [], 0.0
    for at in sorted(asked_at):
        now = max(now, at)
        while (wait := window.wait(now)) > 0:
            now += wait
        window.give(now)
        given_times.append(now)
    return given_times


def test_the_burst_is_a_seconds_worth():
    assert given_at(5, [0.0] * 7) == [0, 0, 0, 0, 0, 1, 1]


def test_less_than_one_a_second_is_one_in_so_many_seconds():
    assert given_at(0.25, [0.0] * 3) == [0, 4, 8]


def test_who_asks_slowly_never_waits():
    assert given_at(2, [0, 0.5, 1, 1.5, 2]) == [0, 0.5, 1, 1.5, 2]


RATES = st.sampled_from([0.1, 0.5, 1.0, 1.5, 2.0, 5.0, 30.0])


@given(RATES, st.lists(st.floats(0, 20), max_size=60))
def test_never_above_the_rate_in_any_window(rate: float, asked_at: list[float]):
    times = given_at(rate, asked_at)
    most, span = max(1, int(rate)), max(1.0, 1 / rate)
    for first, later in zip(times, times[most:], strict=False):
        assert later - first >= span - 1e-9


@given(RATES, st.lists(st.floats(0, 20), max_size=60))
def test_a_permit_that_is_waited_for_is_given(rate: float, asked_at: list[float]):
    window, now = RateWindow(rate), 0.0
    for at in sorted(asked_at):
        now = max(now, at)
        wait = window.wait(now)
        assert 0 <= wait <= max(1.0, 1 / rate) + 1e-9
        assert window.wait(now + wait + 1e-9) == 0
        now += wait
        window.give(now)
