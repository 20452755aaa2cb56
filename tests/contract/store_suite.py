"""What every store does. A test class derives from `StoreSuite` and gives the fixture `store`: open and empty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.contract import TokenPair
from broker.model import Case, Event, Reason, Role, State, Status, Urgency
from broker.outcome import Cause
from broker.store import (
    Accept,
    Broken,
    Change,
    Done,
    DueRef,
    Exists,
    InboxEntry,
    Lost,
    Operation,
    Result,
    Save,
    SaveBreaker,
    SaveSetting,
    Store,
    Token,
    fingerprint,
)
from broker.values import replace
from tests.contract.store_samples import (
    AGENCY,
    NOON,
    HandClock,
    accept,
    case,
    identity,
    moved,
    save,
)
from tests.contract.store_values import any_case, any_events
from tests.examples import FEW

SHARED = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)
PROPERTY = settings(FEW, suppress_health_check=[*FEW.suppress_health_check, *SHARED])
LEASE = timedelta(seconds=30)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
BAD_TEXTS = ("a\0b", "\ud800")


def ids(cases: Sequence[Case]) -> list[str]:
    return [case.announcement.id for case in cases]


def stored(store: Store, case: Case) -> Case:
    [found] = store.load([case.announcement.id])
    return found


def mine(case: Case) -> Case:
    """The case as the run `r1` has it."""
    return Case(replace(case.announcement, owner="r1", epoch=1), case.deliveries)


class StoreSuite:
    @pytest.fixture
    def clock(self) -> HandClock:
        return HandClock()

    @pytest.fixture
    def accepted(self, store: Store) -> Case:
        """A stored case that run `r1` owns, in epoch 1."""
        store.begin_run("r1", LEASE)
        one = mine(case())
        assert store.commit([accept(one)]) == [Done()]
        return one

    # what is written is what is read

    @PROPERTY
    @given(data=st.data())
    def test_any_legal_case_comes_back_as_it_was_accepted_and_saved(self, store: Store, data: st.DataObject):
        before, after = data.draw(any_case()), data.draw(any_case())
        before_events, after_events = data.draw(any_events(1)), data.draw(any_events(3))
        assert store.commit([Accept(before, before_events)]) == [Done()]
        assert stored(store, before) == before
        after = self._onto(before, after)
        changes = tuple(
            Change(new, old.state, old.attempt)
            for old, new in zip(before.deliveries.values(), after.deliveries.values(), strict=True)
        )
        assert store.commit([Save(after.announcement, changes, after_events)]) == [Done()]
        assert stored(store, before) == after
        assert store.events(before.announcement.id) == [*before_events, *after_events]

    def _onto(self, before: Case, after: Case) -> Case:
        """What is for ever of `before`, everything else of `after`."""
        kept = {"id", "agency", "reference", "draft", "plan", "accepted_at", "owner", "epoch"}
        announcement = replace(after.announcement, **{name: getattr(before.announcement, name) for name in kept})
        pairs = zip(before.deliveries.values(), after.deliveries.values(), strict=False)
        deliveries = {
            old.channel: replace(new, channel=old.channel, announcement_id=old.announcement_id) for old, new in pairs
        }
        return Case(announcement, {**before.deliveries, **deliveries})

    def test_deliveries_keep_the_order_of_the_route(self, store: Store):
        one = case(1, "zalo", "site", "facebook", delivery={"position": 0})
        store.commit([accept(one)])
        assert list(stored(store, one).deliveries) == ["zalo", "site", "facebook"]

    def test_cases_are_loaded_in_the_order_asked_for_without_the_unknown(self, store: Store):
        store.commit([accept(case(n)) for n in (1, 2, 3)])
        assert ids(store.load([identity(3), "unknown", identity(1)])) == [identity(3), identity(1)]
        assert store.load([]) == []

    def test_a_text_composed_anew_replaces_the_one_of_accept(self, store: Store, accepted: Case):
        anew = replace(accepted.deliveries["site"].composed, text="Bão số 5 (viết lúc 12:00)")
        after = moved(accepted, "site", composed=anew)
        store.commit([save(accepted, after)])
        assert stored(store, accepted) == after
        later = moved(after, "site", asks=1)
        store.commit([save(after, later)])
        assert stored(store, accepted) == later

    def test_events_are_paged_by_number(self, store: Store):
        events = tuple(Event(n=n, at=NOON, kind="noted", channel="site", reason=Reason("k")) for n in range(1, 8))
        store.commit([Accept(case(), events)])
        assert store.events(identity(1), after=2, limit=3) == list(events[2:5])
        assert store.events(identity(2)) == []

    def test_announcements_are_paged_newest_first(self, store: Store):
        store.commit([accept(case(n, status=Status.REACHED if n % 2 else Status.OPEN)) for n in range(1, 8)])
        store.commit([accept(case(8, agency="another"))])
        first = store.announcements(AGENCY, limit=3)
        assert ids(first) == [identity(n) for n in (7, 6, 5)]
        assert ids(store.announcements(AGENCY, before=identity(5))) == [identity(n) for n in (4, 3, 2, 1)]
        reached = store.announcements(AGENCY, status=Status.REACHED, before=identity(7), limit=2)
        assert ids(reached) == [identity(5), identity(3)]

    # accepting once

    def test_the_same_accept_twice_is_one_announcement(self, store: Store):
        assert store.commit([accept(case(), "key")]) == [Done()]
        assert store.commit([accept(case(), "key")]) == [Done()]
        assert len(store.announcements(AGENCY)) == 1

    def test_an_idempotency_key_is_remembered_with_its_body(self, store: Store):
        store.commit([accept(case(1), "key", "d1")])
        same, other = store.commit([accept(case(2), "key", "d1"), accept(case(3), "key", "d2")])
        assert same == Exists(identity(1), same_body=True, by="idempotency_key")
        assert other == Exists(identity(1), same_body=False, by="idempotency_key")
        assert store.idempotent(AGENCY, "key") == (identity(1), "d1")
        assert ids(store.announcements(AGENCY)) == [identity(1)]

    def test_two_accepts_with_one_key_in_one_batch_are_one_announcement(self, store: Store):
        results = store.commit([accept(case(1), "key"), accept(case(2), "key"), accept(case(3))])
        assert results == [Done(), Exists(identity(1), same_body=True, by="idempotency_key"), Done()]

    def test_a_key_belongs_to_one_agency(self, store: Store):
        assert store.commit([accept(case(1), "key"), accept(case(2, agency="another"), "key")]) == [Done(), Done()]
        assert store.idempotent("another", "key") == (identity(2), "d1")
        assert store.idempotent("third", "key") is None

    def test_a_key_is_forgotten_after_24_hours(self, store: Store, clock: HandClock):
        store.commit([accept(case(1), "key")])
        nearly = NOON + 24 * HOUR
        assert isinstance(store_one(store, accept(case(2, accepted_at=nearly), "key")), Exists)
        over = NOON + 24 * HOUR + 2 * SECOND
        clock.turn(24 * HOUR + 2 * SECOND)
        assert store.idempotent(AGENCY, "key") is None
        assert store.commit([accept(case(3, accepted_at=over), "key", "d2")]) == [Done()]
        assert store.idempotent(AGENCY, "key") == (identity(3), "d2")

    def test_prune_forgets_old_keys_only(self, store: Store):
        store.commit([accept(case(n), f"key {n}") for n in range(1, 11)])
        assert store.prune(NOON + 4 * SECOND) == 3
        assert [n for n in range(1, 11) if store.idempotent(AGENCY, f"key {n}")] == list(range(4, 11))
        assert store.prune(NOON) == 0

    def test_an_external_id_is_unique_per_agency(self, store: Store):
        first = case(1, draft={"external_id": "cms-1", "body": "Tin"})
        store.commit([accept(first)])
        same = case(2, draft={"external_id": "cms-1", "body": "Tin"})
        other = case(3, draft={"external_id": "cms-1", "body": "Tin khác"})
        elsewhere = case(4, draft={"external_id": "cms-1"}, agency="another")
        assert store.commit([accept(same), accept(other), accept(elsewhere)]) == [
            Exists(identity(1), same_body=True, by="external_id"),
            Exists(identity(1), same_body=False, by="external_id"),
            Done(),
        ]

    def test_a_reference_taken_by_chance_is_told(self, store: Store):
        store.commit([accept(case(1))])
        taken = case(2, reference=case(1).announcement.reference)
        assert store.commit([accept(taken)]) == [Exists(identity(1), same_body=False, by="reference")]

    def test_an_announcement_is_found_by_each_of_its_names_by_its_agency_only(self, store: Store):
        one = case(1, draft={"external_id": "cms-1"})
        store.commit([accept(one)])
        names = [identity(1), one.announcement.reference, "cms-1"]
        assert [store.find(AGENCY, name) for name in names] == [identity(1)] * 3
        assert [store.find("another", name) for name in names] == [None] * 3
        assert store.find(AGENCY, "cms-2") is None

    # guards

    def test_a_save_changes_the_case_and_notes_its_events(self, store: Store, accepted: Case):
        after = moved(accepted, "site", state=State.SENDING, attempt=1)
        assert store.commit([save(accepted, after)]) == [Done()]
        assert stored(store, accepted) == after
        assert [event.kind for event in store.events(accepted.announcement.id)] == ["accepted", "noted"]

    @pytest.mark.parametrize("fields", [{"owner": "r2"}, {"epoch": 0}, {"epoch": 2}, {"owner": None}])
    def test_another_owner_or_epoch_loses(self, store: Store, accepted: Case, fields: dict[str, Any]):
        after = moved(accepted, "site", state=State.SENDING, attempt=1)
        stale = replace(save(accepted, after), announcement=replace(after.announcement, **fields))
        self._loses(store, accepted, stale)

    @pytest.mark.parametrize(("was", "attempt"), [(State.SENDING, 0), (State.DUE, 1)])
    def test_another_state_or_attempt_loses(self, store: Store, accepted: Case, was: State, attempt: int):
        after = moved(accepted, "site", state=State.LIVE, attempt=1)
        [change] = save(accepted, after).changes
        self._loses(
            store, accepted, replace(save(accepted, after), changes=(replace(change, was=was, attempt=attempt),))
        )

    def test_one_guard_that_fails_keeps_all_of_its_operation_back(self, store: Store, accepted: Case):
        after = moved(moved(accepted, "site", state=State.SENDING), "facebook", state=State.LIVE)
        site, facebook = save(accepted, after).changes
        self._loses(
            store, accepted, replace(save(accepted, after), changes=(site, replace(facebook, was=State.FAILED)))
        )

    def test_an_unknown_announcement_or_channel_loses(self, store: Store, accepted: Case):
        unknown = mine(case(99))
        [result] = store.commit([save(unknown, moved(unknown, "site", asks=1))])
        assert isinstance(result, Lost)
        after = moved(accepted, "site", asks=1)
        [change] = save(accepted, after).changes
        elsewhere = replace(change, delivery=replace(change.delivery, channel="unknown"))
        self._loses(store, accepted, replace(save(accepted, after), changes=(elsewhere,)))

    def test_an_event_number_that_is_taken_by_another_loses(self, store: Store, accepted: Case):
        after = moved(accepted, "site", asks=1)
        taken = (Event(n=1, at=NOON, kind="another"),)
        self._loses(store, accepted, replace(save(accepted, after), events=taken))

    def _loses(self, store: Store, accepted: Case, operation: Save) -> None:
        """It answers `Lost` and writes nothing, and its neighbours in the batch are written."""
        before = store.events(accepted.announcement.id)
        first, lost, last = store.commit([accept(case(2)), operation, accept(case(3))])
        assert isinstance(lost, Lost)
        assert accepted.announcement.id in lost.why or operation.announcement.id in lost.why
        assert (first, last) == (Done(), Done())
        assert stored(store, accepted) == accepted
        assert store.events(accepted.announcement.id) == before

    def test_a_save_whose_acknowledgement_was_lost_is_done(self, store: Store, accepted: Case):
        after = moved(accepted, "site", state=State.SENDING, attempt=1)
        assert store.commit([save(accepted, after)]) == [Done()]
        assert store.commit([save(accepted, after)]) == [Done()]
        assert len(store.events(accepted.announcement.id)) == 2

    def test_a_repeated_save_loses_once_the_row_has_moved_on(self, store: Store, accepted: Case):
        sending = moved(accepted, "site", state=State.SENDING, attempt=1)
        live = moved(sending, "site", state=State.LIVE)
        store.commit([save(accepted, sending)])
        store.commit([save(sending, live)])
        assert isinstance(store_one(store, save(accepted, sending)), Lost)
        assert stored(store, accepted) == live

    def test_two_saves_of_one_announcement_in_a_batch_are_written_in_order(self, store: Store, accepted: Case):
        sending = moved(accepted, "site", state=State.SENDING, attempt=1)
        live = moved(sending, "site", state=State.LIVE)
        assert store.commit([save(accepted, sending), save(sending, live)]) == [Done(), Done()]
        assert stored(store, accepted) == live

    @PROPERTY
    @given(data=st.data())
    def test_a_batch_does_what_its_operations_do_one_by_one(
        self, empty_store: Callable[[], Store], data: st.DataObject
    ):
        together, singly = empty_store(), empty_store()
        for store in (together, singly):
            store.begin_run("r1", LEASE)
        for batch in data.draw(batches()):
            assert together.commit(batch) == [store_one(singly, operation) for operation in batch]
        every = [identity(n) for n in range(4)]
        assert together.load(every) == singly.load(every)
        assert [together.events(each) for each in every] == [singly.events(each) for each in every]

    # what cannot be written

    @pytest.mark.parametrize("bad", BAD_TEXTS)
    @pytest.mark.parametrize("place", ["headline", "channel", "key", "event", "reason", "composed", "external_id"])
    def test_text_that_is_none_breaks_its_operation_only(self, store: Store, bad: str, place: str):
        assert store.commit([accept(case(1)), broken_accept(place, bad), accept(case(3))]) == [
            Done(),
            AnyBroken(),
            Done(),
        ]
        assert ids(store.load([identity(n) for n in (1, 2, 3)])) == [identity(1), identity(3)]

    @pytest.mark.parametrize("bad", BAD_TEXTS)
    def test_text_that_is_none_breaks_a_save_or_an_entry(self, store: Store, accepted: Case, bad: str):
        entry = InboxEntry(announcement_id=identity(1), channel=None, attempt=None, kind="outcome", payload={"x": bad})
        saved = save(accepted, moved(accepted, "site", platform_id=bad))
        facts: list[Operation] = [
            SaveSetting("k", {"x": bad}),
            SaveSetting(bad, {}),
            SaveSetting(bad, None),
            SaveBreaker(bad, {}),
        ]
        assert store.commit([saved, entry, *facts]) == [AnyBroken()] * 6
        assert stored(store, accepted) == accepted

    def test_the_letters_of_an_escaped_nul_are_text_like_any_other(self, store: Store):
        one = case(1, draft={"body": r"a\u0000b \\u0000"})
        assert store.commit([accept(one)]) == [Done()]
        assert stored(store, one) == one

    def test_a_number_that_is_too_large_or_an_entry_for_nobody_breaks(self, store: Store):
        huge = accept(case(2, epoch=2**70))
        entry = InboxEntry(announcement_id="unknown", channel=None, attempt=None, kind="outcome")
        assert store.commit([accept(case(1)), huge, entry]) == [Done(), AnyBroken(), AnyBroken()]

    def test_an_empty_commit_is_none(self, store: Store):
        assert store.commit([]) == []

    # runs

    def test_a_run_is_renewed_until_another_begins(self, store: Store, clock: HandClock):
        assert store.begin_run("r1", LEASE).lease_until == NOON + LEASE
        clock.turn(10 * SECOND)
        renewed = store.renew_run("r1", LEASE)
        assert renewed is not None
        assert renewed.lease_until == NOON + 10 * SECOND + LEASE
        store.end_run("r1")
        assert store.renew_run("r1", LEASE) is None

    def test_claim_takes_what_nobody_living_owns(self, store: Store):
        store.begin_run("r1", LEASE)
        store.commit([accept(case(1)), accept(mine(case(2))), accept(case(3, closed_at=NOON))])
        [claimed] = store.claim("r1", NOON, 10)
        assert claimed == Case(replace(case(1).announcement, owner="r1", epoch=1), case(1).deliveries)
        assert store.claim("r1", NOON, 10) == []
        store.end_run("r1")
        store.begin_run("r2", LEASE)
        adopted = store.claim("r2", NOON, 10)
        assert {c.announcement.id: (c.announcement.owner, c.announcement.epoch) for c in adopted} == {
            identity(1): ("r2", 2),
            identity(2): ("r2", 2),
        }

    def test_the_earlier_epoch_loses(self, store: Store, accepted: Case):
        store.end_run("r1")
        store.begin_run("r2", LEASE)
        store.claim("r2", NOON, 10)
        [result] = store.commit([save(accepted, moved(accepted, "site", state=State.LIVE))])
        assert isinstance(result, Lost)
        assert "r2" in result.why

    def test_claim_takes_those_that_wake_first_and_leaves_those_that_sleep_long(self, store: Store):
        store.begin_run("r1", LEASE)
        wakes = {1: NOON + 2 * HOUR, 2: NOON + SECOND, 3: None, 4: NOON - HOUR, 5: NOON + HOUR}
        store.commit([accept(case(n, wake_at=at)) for n, at in wakes.items()])
        assert ids(store.claim("r1", NOON, 2)) == [identity(3), identity(4)]
        assert ids(store.claim("r1", NOON, 10)) == [identity(2), identity(5)]
        assert store.claim("r1", NOON, 10) == []

    def test_what_an_ended_run_held_is_claimed_although_the_clock_was_set_back(self, store: Store, clock: HandClock):
        store.begin_run("r1", LEASE)
        store.commit([accept(case(1, owner="r1", epoch=1, wake_at=clock.now() + SECOND))])
        clock.turn(-2 * HOUR)
        store.begin_run("r2", LEASE)
        assert ids(store.claim("r2", clock.now(), 10)) == [identity(1)]

    def test_a_run_knows_whether_the_clock_was_set_back_since_another(self, store: Store, clock: HandClock):
        assert not store.begin_run("r1", LEASE).set_back
        clock.turn(SECOND)
        assert not store.begin_run("r2", LEASE).set_back
        clock.turn(-2 * SECOND)
        assert store.begin_run("r3", LEASE).set_back

    def test_a_clock_that_was_set_back_is_remembered_until_all_it_left_is_decided(self, store: Store, clock: HandClock):
        store.begin_run("r1", LEASE)
        store.commit([accept(case(1, owner="r1", epoch=1, delivery={"state": State.CHECKING}))])
        clock.turn(-2 * HOUR)
        assert store.begin_run("r2", LEASE).set_back
        assert not store.forget_clocks("r2"), "what may be out is not claimed"
        store.claim("r2", clock.now(), 10)
        for n in (3, 4, 5):
            clock.turn(SECOND)
            assert store.begin_run(f"r{n}", LEASE).set_back, "however often a run ends before it has decided"
        store.claim("r5", clock.now(), 10)
        assert store.forget_clocks("r5")
        clock.turn(SECOND)
        assert not store.begin_run("r6", LEASE).set_back

    def test_many_ended_runs_are_claimed_from_in_order(self, store: Store):
        for n in range(1, 5):
            store.begin_run(f"r{n}", LEASE)
            store.commit([accept(case(n, owner=f"r{n}", epoch=1, wake_at=NOON - n * SECOND))])
            store.end_run(f"r{n}")
        store.begin_run("r9", LEASE)
        assert ids(store.claim("r9", NOON, 3)) == [identity(4), identity(3), identity(2)]

    def test_what_is_released_can_be_claimed_in_a_new_epoch(self, store: Store, accepted: Case):
        store.release("another", [identity(1)])
        assert store.owned("r1") == {identity(1)}
        store.release("r1", [identity(1)])
        assert store.owned("r1") == set()
        assert stored(store, accepted).announcement.epoch == 1
        [again] = store.claim("r1", NOON, 10)
        assert again.announcement.epoch == 2

    def test_adopt_takes_closed_ones_too_but_from_no_living_run(self, store: Store, accepted: Case):
        closed = case(2, owner="r0", epoch=4, closed_at=NOON)
        store.commit([accept(closed)])
        [mine_already, adopted] = store.adopt("r1", [identity(1), identity(2), "unknown"])
        assert mine_already == accepted
        assert (adopted.announcement.owner, adopted.announcement.epoch) == ("r1", 5)
        assert store.adopt("r2", [identity(1), identity(2)]) == []
        assert store.commit([save(adopted, moved(adopted, "site", state=State.LIVE))]) == [Done()]

    def test_a_run_that_is_over_takes_nothing(self, store: Store):
        store.begin_run("r1", LEASE)
        store.commit([accept(case(1)), accept(case(2, closed_at=NOON))])
        store.end_run("r1")
        assert store.claim("r1", NOON, 10) == []
        assert store.adopt("r1", [identity(1), identity(2)]) == []

    def test_a_run_that_is_over_claims_nothing_not_even_what_it_accepted_itself(self, store: Store):
        """It has it in memory: a second copy from the store would be decided about beside it."""
        store.begin_run("r1", LEASE)
        store.begin_run("r2", LEASE)
        store.commit([accept(case(1, owner="r1", epoch=1)), accept(case(2))])
        assert store.claim("r1", NOON, 10) == []
        assert ids(store.claim("r2", NOON, 10)) == [identity(1), identity(2)]

    def test_what_a_forgotten_run_accepted_is_claimed(self, store: Store):
        for n in (1, 2, 3):
            store.begin_run(f"r{n}", LEASE)
            store.end_run(f"r{n}")
        store.commit([accept(case(n, owner=f"r{n}", epoch=1)) for n in (1, 2)])
        store.begin_run("r4", LEASE)
        store.commit([accept(case(4, owner="r4", epoch=1))])
        assert ids(store.claim("r4", NOON, 10)) == [identity(1), identity(2)]

    def test_owned_and_woken_tell_of_open_announcements(self, store: Store):
        store.begin_run("r1", LEASE)
        wakes = {1: NOON, 2: None, 3: NOON - SECOND, 4: NOON + SECOND}
        store.commit([accept(case(n, owner="r1", wake_at=at)) for n, at in wakes.items()])
        store.commit(
            [accept(case(5, owner="r1", wake_at=NOON, closed_at=NOON)), accept(case(6, owner="r2", wake_at=NOON))]
        )
        assert store.owned("r1") == {identity(n) for n in (1, 2, 3, 4)}
        assert store.woken("r1", NOON, 10) == [identity(3), identity(1)]
        assert store.woken("r1", NOON, 1) == [identity(3)]

    def test_unfinished_tells_of_what_is_open_whoever_owns_it(self, store: Store):
        store.commit([accept(case(n, owner=owner)) for n, owner in ((1, "r1"), (2, None), (3, "r2"))])
        store.commit([accept(case(4, closed_at=NOON)), accept(case(5, agency="other"))])
        assert store.unfinished(AGENCY, NOON + 2 * SECOND) == [identity(1), identity(2)]

    # channels

    def test_due_gives_the_urgent_first_then_the_oldest(self, store: Store):
        urgent = {"urgency": Urgency.URGENT}
        store.commit([accept(case(1)), accept(case(2, draft=urgent)), accept(case(3)), accept(case(4, draft=urgent))])
        found = store.due(AGENCY, "site", NOON, 10)
        assert [(ref.announcement_id, ref.urgent) for ref in found] == [
            (identity(2), True),
            (identity(4), True),
            (identity(1), False),
            (identity(3), False),
        ]
        assert found[0] == DueRef(identity(2), "site", True, NOON + 2 * SECOND)
        assert store.due(AGENCY, "site", NOON, 3) == found[:3]

    def test_due_gives_only_what_may_go_now_on_this_channel(self, store: Store):
        store.commit(
            [
                accept(case(1, delivery={"next_at": NOON})),
                accept(case(2, delivery={"next_at": NOON + SECOND})),
                accept(case(3, delivery={"state": State.SENDING})),
                accept(case(4, "zalo")),
                accept(case(5, agency="another")),
            ]
        )
        assert [ref.announcement_id for ref in store.due(AGENCY, "site", NOON, 10)] == [identity(1)]
        assert len(store.due(AGENCY, "site", NOON + SECOND, 10)) == 2

    def test_due_follows_the_state(self, store: Store, accepted: Case):
        sending = moved(accepted, "site", state=State.SENDING, attempt=1)
        store.commit([save(accepted, sending)])
        assert store.due(AGENCY, "site", NOON, 10) == []
        parked = moved(sending, "site", state=State.DUE, next_at=None)
        store.commit([save(sending, parked)])
        assert len(store.due(AGENCY, "site", NOON, 10)) == 1

    def test_in_question_are_the_pending_and_checking_of_a_channel_page_by_page(self, store: Store):
        states = (State.PENDING, State.CHECKING, State.DUE, State.LIVE, State.CHECKING)
        store.commit([accept(case(n, delivery={"state": state})) for n, state in enumerate(states, 1)])
        store.commit([accept(case(6, "zalo", delivery={"state": State.PENDING}))])
        assert store.in_question(AGENCY, "site", "", 9) == [identity(n) for n in (1, 2, 5)]
        assert store.in_question(AGENCY, "site", identity(1), 1) == [identity(2)]
        assert store.in_question("another", "site", "", 9) == []

    def test_owed_are_copies_of_post_to_that_are_due_newest_first(self, store: Store):
        store.commit([accept(case(n)) for n in (1, 2, 3)])
        store.commit(
            [accept(case(4, delivery={"role": Role.STAND_IN})), accept(case(5, delivery={"state": State.LIVE}))]
        )
        assert store.owed(AGENCY, "site") == [identity(n) for n in (3, 2, 1)]

    def test_the_live_neighbour_is_the_newest_since(self, store: Store):
        live = {n: {"state": State.LIVE, "platform_id": f"p{n}", "live_at": NOON + n * SECOND} for n in (1, 2, 3)}
        store.commit([accept(case(n, delivery=fields)) for n, fields in live.items()])
        store.commit([accept(case(4, delivery={"state": State.REMOVED, "platform_id": "p4", "live_at": NOON + HOUR}))])
        assert store.live_neighbour(AGENCY, "site", NOON, identity(9)) == "p3"
        assert store.live_neighbour(AGENCY, "site", NOON + 2 * SECOND, identity(3)) == "p2"
        assert store.live_neighbour(AGENCY, "site", NOON + 4 * SECOND, identity(9)) is None
        assert store.live_neighbour("another", "site", NOON, identity(9)) is None

    def test_counts_are_of_open_deliveries(self, store: Store):
        down = {"cause": Cause.OUTAGE}
        store.commit([accept(case(1, "site")), accept(case(2, "site", delivery=down)), accept(case(3, "site"))])
        store.commit([accept(case(4, "site", closed_at=NOON)), accept(case(5, "site", delivery={"state": State.LIVE}))])
        assert store.counts() == {
            (AGENCY, "site", State.DUE, None): 2,
            (AGENCY, "site", State.DUE, Cause.OUTAGE): 1,
        }

    # the inbox

    def test_an_entry_stays_until_a_decision_settles_it(self, store: Store, accepted: Case):
        entry = InboxEntry(
            announcement_id=identity(1), channel="site", attempt=1, kind="outcome", payload={"url": "https://x"}
        )
        other = replace(entry, channel=None, attempt=None, kind="withdrawal")
        assert store.commit([entry, other]) == [Done(), Done()]
        first, second = store.inbox("r1", 10)
        assert (replace(first, id=0), replace(second, id=0)) == (entry, other)
        assert store.inbox("r1", 1) == [first]
        assert store.commit([save(accepted, moved(accepted, "site", state=State.LIVE), [first.id])]) == [Done()]
        assert store.inbox("r1", 10) == [second]

    def test_a_lost_decision_settles_nothing(self, store: Store, accepted: Case):
        store.commit([InboxEntry(announcement_id=identity(1), channel=None, attempt=None, kind="withdrawal")])
        [entry] = store.inbox("r1", 10)
        stale = save(accepted, moved(accepted, "site", asks=1), [entry.id])
        assert isinstance(store_one(store, replace(stale, announcement=replace(stale.announcement, epoch=9))), Lost)
        assert store.inbox("r1", 10) == [entry]

    def test_a_run_sees_entries_for_its_own_and_for_closed_announcements(self, store: Store):
        store.begin_run("r1", LEASE)
        store.commit([accept(case(1, owner="r1")), accept(case(2, owner="r2")), accept(case(3, closed_at=NOON))])
        store.commit(
            [InboxEntry(announcement_id=identity(n), channel=None, attempt=None, kind="reopen") for n in (3, 2, 1)]
        )
        assert [entry.announcement_id for entry in store.inbox("r1", 10)] == [identity(3), identity(1)]

    # small facts

    def test_breakers_and_settings_are_kept_replaced_and_removed(self, store: Store):
        store.commit([SaveBreaker("tvd/site", {"state": "open"}), SaveSetting("paused:tvd/a", {"by": "desk"})])
        store.commit([SaveBreaker("tvd/site", {"state": "closed"}), SaveSetting("paused:tvd/b", {})])
        store.commit([SaveSetting("pausee", {"x": 1}), SaveSetting("other", {"n": [1, None, "ô"]})])
        assert store.breakers() == {"tvd/site": {"state": "closed"}}
        assert store.settings("paused:") == {"paused:tvd/a": {"by": "desk"}, "paused:tvd/b": {}}
        assert store.setting("other") == {"n": [1, None, "ô"]}
        store.commit([SaveSetting("paused:tvd/a", None), SaveSetting("unknown", None)])
        assert (store.setting("paused:tvd/a"), list(store.settings("paused:"))) == (None, ["paused:tvd/b"])

    def test_the_last_of_several_writes_of_a_fact_holds(self, store: Store):
        store.commit(
            [SaveSetting("k", {"n": 1}), SaveSetting("k", {"n": 2}), SaveBreaker("b", {}), SaveBreaker("b", {"n": 3})]
        )
        assert (store.setting("k"), store.breakers()) == ({"n": 2}, {"b": {"n": 3}})
        store.commit([SaveSetting("k", None), SaveSetting("k", {"n": 4})])
        assert store.setting("k") == {"n": 4}
        store.commit([SaveSetting("k", {"n": 5}), SaveSetting("k", None)])
        assert store.setting("k") is None

    # the vault

    def test_a_token_is_replaced_only_by_a_child_of_the_one_kept(self, store: Store):
        first, second, third = (Token(TokenPair(f"a{n}", f"r{n}", NOON, NOON + HOUR), None, None) for n in (1, 2, 3))
        assert store.token("zalo") is None
        assert store.put_token("zalo", first, parent=None)
        child = replace(second, parent=fingerprint(first.pair))
        assert store.put_token("zalo", child, parent=fingerprint(first.pair))
        assert not store.put_token("zalo", third, parent=fingerprint(first.pair))
        assert not store.put_token("zalo", third, parent=None)
        assert store.put_token("zalo", child, parent=fingerprint(first.pair)), "an acknowledgement was lost"
        assert store.token("zalo") == child
        assert "r2" not in repr(store.token("zalo"))

    def test_of_two_refreshers_one_wins(self, store: Store):
        seed = Token(TokenPair("a", "r"), None, None)
        store.put_token("zalo", seed, parent=None)
        start = Barrier(2)

        def refresh(name: str) -> bool:
            start.wait(5)
            return store.put_token("zalo", Token(TokenPair(name, name), None, None), parent=fingerprint(seed.pair))

        with ThreadPoolExecutor(2) as threads:
            won = dict(zip("xy", threads.map(refresh, "xy"), strict=True))
        assert sorted(won.values()) == [False, True]
        kept = store.token("zalo")
        assert kept is not None
        assert won[kept.pair.access]

    def test_an_intent_to_refresh_stands_until_it_is_stale_or_the_token_changes(self, store: Store):
        seed = Token(TokenPair("a", "r"), None, None)
        parent = fingerprint(seed.pair)
        assert not store.mark_refresh("zalo", parent=parent, at=NOON), "there is no token yet"
        store.put_token("zalo", seed, parent=None)
        assert not store.mark_refresh("zalo", parent="another", at=NOON)
        assert store.mark_refresh("zalo", parent=parent, at=NOON)
        assert store.token("zalo") == replace(seed, intent_at=NOON)
        later = NOON + HOUR
        assert not store.mark_refresh("zalo", parent=parent, at=later)
        assert not store.mark_refresh("zalo", parent=parent, at=later, stale=NOON - SECOND)
        assert store.mark_refresh("zalo", parent=parent, at=later, stale=NOON)
        child = Token(TokenPair("b", "s"), parent, None)
        assert store.put_token("zalo", child, parent=parent)
        assert store.token("zalo") == child


class AnyBroken:
    """Equals any `Broken` that says something."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Broken) and bool(other.error)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "Broken(...)"


def broken_accept(place: str, bad: str) -> Accept:
    """An accept of announcement 2 with a text that is none in one place."""
    good = accept(case(2), "key")
    match place:
        case "headline" | "external_id":
            return accept(case(2, draft={place: bad}))
        case "channel":
            return accept(case(2, bad))
        case "key":
            return accept(case(2), bad)
        case "composed":
            composed = replace(good.case.deliveries["site"].composed, text=bad)
            return accept(case(2, delivery={"composed": composed}))
        case "event":
            return replace(good, events=(Event(n=1, at=NOON, kind=bad),))
        case _:
            return replace(good, events=(Event(n=1, at=NOON, kind="k", reason=Reason("k", {"x": bad})),))


def store_one(store: Store, operation: Operation) -> Result:
    [result] = store.commit([operation])
    return result


def batches() -> st.SearchStrategy[list[list[Operation]]]:
    """Operations that often get in each other's way: few announcements, keys, states."""
    numbers = st.integers(0, 3)
    accepts = st.builds(
        lambda n, m, key, digest: accept(mine(case(n, reference=f"TVD-{m}")), key, digest),
        numbers,
        numbers,
        st.sampled_from([None, "k1", "k2"]),
        st.sampled_from(["d1", "d2"]),
    )
    states = st.sampled_from([State.DUE, State.SENDING, State.LIVE])
    saves = st.builds(lambda n, was, to, count: _save(n, was, to, count), numbers, states, states, st.integers(1, 3))
    return st.lists(st.lists(accepts | saves, max_size=6), min_size=1, max_size=4)


def _save(number: int, was: State, to: State, event: int) -> Save:
    before = mine(case(number, delivery={"state": was}))
    after = moved(before, "site", state=to)
    return (
        replace(save(before, after), events=(Event(n=event, at=NOON, kind=str(to)),))
        if was != to
        else Save(after.announcement)
    )
