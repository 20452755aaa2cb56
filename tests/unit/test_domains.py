"""Who is asked when a channel fails or recovers."""

from broker.rules.domains import comrades, siblings
from tests.unit.answers import EVERYONE


def test_a_failure_asks_one_sibling_of_each_domain_and_for_a_path_one_of_another_operator():
    known = {m.key: m for m in EVERYONE}
    assert siblings("tvd/facebook", known) == {"tvd/instagram", "tvd/x"}
    assert siblings("tvd/zalo", known) == set()
    assert siblings("tvd/x", known) == {"tvd/facebook"}


def test_a_recovered_channel_makes_its_comrades_worth_asking_but_nobody_else():
    known = {m.key: m for m in EVERYONE}
    assert {m.key for m in comrades("tvd/facebook", known)} == {"tvd/instagram", "tvd/threads"}
    assert not any(comrades("tvd/zalo", known))
