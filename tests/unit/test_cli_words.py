"""How the command line words what it shows."""

from datetime import UTC, datetime, timedelta

from broker.cli.show import clock_time


def test_a_time_of_another_day_has_its_date():
    now = datetime.now(UTC)
    noon = now.astimezone().replace(hour=12, minute=0, second=5)
    assert clock_time(noon.isoformat()) == "12:00:05"
    before = noon - timedelta(days=3)
    assert clock_time(before.isoformat()) == f"{before:%d.%m.%Y} 12:00"
    assert clock_time(None) == ""
