"""People are told of what is down, by ways that are not, whatever else fails."""

from datetime import UTC, datetime

from broker.contract import Profile
from broker.outcome import Cause
from broker.rules.episodes import Kind, of_health, ways
from broker.rules.health import ChannelHealth, Down, Member, Scope, View

SINCE = datetime(2024, 3, 5, 15, 0, tzinfo=UTC)
META, DUTY, SECOND = (Profile(adapter=name, operator=name, country="US", steps=()) for name in ("meta", "chat", "mail"))
MEMBERS = {"tin/facebook": Member("tin/facebook", "tin", META, ChannelHealth())}
ALERTS = [("tin/duty", DUTY), ("tin/second", SECOND)]


def down(*keys: str) -> View:
    return View({key: Down(Scope.CHANNEL, key, SINCE, Cause.OUTAGE, (key,)) for key in keys})


def test_a_way_of_alerting_that_is_down_silences_no_other():
    view = down("tin/duty", "tin/facebook")
    (episode,) = of_health("tin", MEMBERS, view).values()
    assert (episode.kind, episode.subject, episode.since) == (Kind.OUTAGE, "meta", SINCE)
    assert ways(episode, ALERTS, view) == ["tin/second"]


def test_another_agency_is_told_nothing():
    assert of_health("other", MEMBERS, down("tin/facebook")) == {}


def test_a_doubtful_way_is_better_than_silence():
    view = down("tin/duty", "tin/second", "tin/facebook")
    (episode,) = of_health("tin", MEMBERS, view).values()
    assert ways(episode, ALERTS, view) == ["tin/duty", "tin/second"]
    assert ways(episode, [("tin/page", META)], down("tin/facebook")) == ["tin/page"]
