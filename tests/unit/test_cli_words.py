"""How the command line words what it shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from broker.cli.show import clock_time, goal_told


def test_a_time_of_another_day_has_its_date():
    now = datetime.now(UTC)
    noon = now.astimezone().replace(hour=12, minute=0, second=5)
    assert clock_time(noon.isoformat()) == "12:00:05"
    before = noon - timedelta(days=3)
    assert clock_time(before.isoformat()) == f"{before:%d.%m.%Y} 12:00"
    assert clock_time(None) == ""


def test_a_goal_of_one_operator_is_in_the_singular():
    goal: dict[str, Any] = {"operators": 1, "domestic": 0, "by": None, "met_at": None, "have": {"operators": []}}
    assert goal_told({"goal": goal}).startswith("Goal (1 outside operator) ")
    assert goal_told({"goal": {**goal, "operators": 2, "domestic": 1}}).startswith("Goal (2 outside operators, 1 of")
