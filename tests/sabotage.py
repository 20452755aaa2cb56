"""Every safety test has a switch that takes away what it tests, and is red with it. This is the table of those of real
parts and processes, which tests/unit/test_sabotage.py holds to what there is; those of the simulation are `CASES` in
tests/simulation/sabotage.py and `PARTS` in tests/simulation/test_programme.py. `make test` and `make faults` turn all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One switch and the test that it turns red."""

    switch: str
    """A name in `tests.acceptance.runner` (for real processes), or an argument of the part that has the switch."""
    takes_away: str
    test: str
    """Path and name: the test runs with the switch, and asserts that harm is done."""


TABLE = (
    Sabotage(
        "acknowledge_first",
        "2xx only after the commit",
        "tests/acceptance/test_crash.py::test_accepted_means_durable",
    ),
    Sabotage(
        "crash_is_due",
        "what a crash found in flight is checked, not sent again",
        "tests/acceptance/test_crash.py::test_what_was_sent_and_not_recorded_is_not_sent_again",
    ),
    Sabotage(
        "gate",
        "no byte leaves without a lease",
        "tests/acceptance/test_stop.py::test_a_broker_frozen_past_its_lease_posts_nothing_before_it_owns_it_again",
    ),
    Sabotage(
        "hasty",
        "no repeat on a timeout",
        "tests/acceptance/test_ambiguous.py::test_a_broker_that_guesses_posts_twice",
    ),
    Sabotage(
        "rash",
        "a list without our post is no proof",
        "tests/acceptance/test_ambiguous.py::test_a_broker_that_guesses_posts_twice",
    ),
    Sabotage(
        "blind",
        "uncertain posts are read back",
        "tests/acceptance/test_ambiguous.py::test_a_broker_that_guesses_posts_twice",
    ),
    Sabotage(
        "forgetful",
        "a repeat goes by the handle or the key of the first attempt",
        "tests/acceptance/test_ambiguous.py::test_a_broker_that_guesses_posts_twice",
    ),
    Sabotage(
        "naive_clock",
        "the broker's clock ignores jumps of the wall clock",
        "tests/acceptance/test_clock.py::test_a_broker_that_follows_the_wall_clock_waits_for_an_hour",
    ),
    Sabotage(
        "synchronous_off",
        "every commit is synced",
        "tests/acceptance/test_power.py::test_without_syncs_a_power_cut_loses_what_was_acknowledged",
    ),
    Sabotage(
        "unwatched",
        "a process whose loop stands still ends itself",
        "tests/acceptance/test_restart.py::test_a_broker_that_hangs_ends_itself_and_goes_on_after_a_new_start",
    ),
    Sabotage(
        "row_twice",
        "a row occurs once in a batch",
        "tests/unit/test_writer.py::test_sabotage_a_row_twice_in_a_batch_is_seen",
    ),
    Sabotage(
        "guarded",
        "a token replaces only its own parent",
        "tests/contract/test_vault.py::test_a_pair_that_comes_too_late_replaces_nobody_elses",
    ),
)
