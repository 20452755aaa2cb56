"""When a channel is probed."""

from datetime import timedelta
from typing import Any

from hypothesis import given

from broker.model import Verb
from broker.outcome import Throttled
from broker.rules.breaker import ChannelHealth, observe
from broker.rules.evidence import Evidence, Verdict
from broker.rules.probing import is_returning, probe_at
from tests.unit.answers import EVERYONE, EXPIRED, HISTORIES, META, NEW, REFUSED, UP, after, history, probed, seen
from tests.unit.builders import T0, at, profile, s


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


def test_a_login_refused_in_an_outage_is_asked_about_like_any_while_its_comrades_return():
    down = seen(EVERYONE, *((n, name, REFUSED) for n in (0, 1) for name in ("facebook", "threads")))
    ending = seen(down.values(), (5, "threads", EXPIRED), (6, "facebook", UP))
    assert is_returning("tvd/threads", ending, at(10))
    assert not is_returning("tvd/threads", ending, at(6 + 901)), "by then it is the account"
    assert not is_returning("tvd/facebook", ending, at(10)), "nobody else has recovered"
    assert not is_returning("tvd/x", ending, at(10)), "what shares only the path returns alone"


@given(HISTORIES)
def test_probes_never_follow_one_another_without_pause(steps: Any):
    health, now = history(steps)
    probed_now = observe(health, Evidence(Verdict.THROTTLED, by_post=False, wait=s(1)), META, now)
    assert probe_at(probed_now, META, now) > now
