"""By when which channel is to be looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from broker.engine.monitor import Agenda

NOW = datetime(2024, 3, 5, 14, 0, tzinfo=UTC)
SOON, LATER = NOW + timedelta(seconds=5), NOW + timedelta(seconds=60)


def test_only_what_is_due_is_taken_out() -> None:
    agenda = Agenda()
    agenda.put("facebook", SOON)
    agenda.put("zalo", LATER)
    assert agenda.due(NOW) == set()
    assert agenda.due(SOON) == {"facebook"}
    assert agenda.due(SOON) == set()
    assert agenda.next() == [LATER]


def test_the_latest_word_counts() -> None:
    agenda = Agenda()
    agenda.put("facebook", SOON)
    agenda.put("facebook", LATER)
    assert agenda.next() == [LATER]
    assert agenda.due(SOON) == set()
    agenda.put("zalo", SOON)
    agenda.drop("zalo")
    assert agenda.due(LATER) == {"facebook"}
    assert agenda.next() == []
