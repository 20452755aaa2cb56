"""What the simulation has found, each as the smallest world that shows it (one more is in test_killed.py)."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from broker.contract import Job
from broker.engine.calls import P, T
from broker.engine.changes import unchanged
from broker.engine.engine import Engine
from broker.errors import StoreError, StoreFull
from broker.model import Case, State
from broker.outcome import Absent
from broker.outcome import Outcome as Answer
from broker.store import Accept, Operation, Result, Run
from broker.values import replace
from tests.simulation.machine import Disk, Life, Sabotage
from tests.simulation.oracles import judge
from tests.simulation.platforms import ScriptedAdapter, Spell, Trouble
from tests.simulation.scenes import channel, news, scene
from tests.simulation.simulation import Outcome, simulate
from tests.simulation.virtual import START
from tests.simulation.worlds import Blow, Kind, Strike, World

pytestmark = pytest.mark.quick


def play(world: World) -> Outcome:
    """The run of this world, in which nothing may be wrong."""
    outcome = simulate(world)
    assert [str(finding) for finding in judge(outcome)] == []
    return outcome


@pytest.mark.parametrize("kind", [Kind.LIST, Kind.NOTHING, Kind.HANDLE, Kind.KEYED])
@pytest.mark.parametrize("after_s", [0.0, 0.2])
def test_what_was_withdrawn_while_an_attempt_connects_does_not_leave(kind: Kind, after_s: float):
    slow_to_connect = {"latency_s": 1.0}
    outcome = play(scene([channel("meta", kind, nature=slow_to_connect)], news(withdrawn_after=after_s)))
    assert outcome.platforms["meta"].copies == []


def test_what_was_replaced_while_an_attempt_connects_does_not_leave():
    slow_to_connect = {"latency_s": 1.0}
    world = scene([channel("meta", Kind.LIST, nature=slow_to_connect)], news(0, 30), news(1, 30.2, replaces=0))
    assert len(play(world).platforms["meta"].copies) == 1


def test_what_was_replaced_does_not_go_on_after_a_frozen_broker_said_so():
    """On a slow disk, frozen between the commit and what the replacement does to the old one's second step."""
    two_steps = channel("meta", Kind.PREPARED_LIST)
    frozen = Strike(Blow.FREEZE, 30.4, 20.0, 1)
    play(replace(scene([two_steps], news(0, 30), news(1, 30.15, replaces=0), strikes=[frozen]), disk_s=0.15))


def test_attempts_keep_the_rate_however_long_their_intents_take_to_the_disk():
    world = scene([channel("meta", Kind.LIST, rate_per_s=1.0)], *(news(n, 30 + n / 100) for n in range(6)))
    play(replace(world, disk_s=0.3))


def test_what_was_replaced_stays_so_when_the_broker_dies_after_the_commit():
    down = Spell(Trouble.REFUSED, 0, 200)
    killed = Strike(Blow.CRASH_AFTER_COMMIT, 100.0, 5.0, 1)
    world = scene([channel("meta", Kind.LIST, down)], news(0, 90), news(1, 100.1, replaces=0), strikes=[killed])
    assert [copy.text.split("\n")[0] for copy in play(world).platforms["meta"].copies] == ["Tin số 1"]


def test_a_clock_that_was_set_back_over_a_restart_holds_nothing_up():
    down, killed = Spell(Trouble.REFUSED, 0, 110), Strike(Blow.CRASH, 100, 5.0, 1)
    world = scene([channel("meta", Kind.LIST, down), channel("x", Kind.LIST)], news(0, 99.9), strikes=[killed])
    outcome = play(replace(world, clock_jumps=(0, -3600)))
    assert outcome.lasted_s < 900
    assert [len(platform.copies) for platform in outcome.platforms.values()] == [1, 1]


def test_a_copy_that_was_sent_again_and_dropped_is_found_missing():
    dropped, killed = Spell(Trouble.SILENT_DROP, 0, 900), Strike(Blow.CRASH_SENT, 25, 5.0, 1)
    world = scene([channel("meta", Kind.LIST, dropped)], strikes=[killed], late_copies=timedelta(minutes=20))
    [case] = play(world).cases.values()
    assert case.deliveries["meta"].state is State.REMOVED


def test_when_our_own_network_is_cut_off_nothing_is_tried_again_and_again():
    cut_off = Spell(Trouble.REFUSED, 25, 600)
    outside = [channel(name, Kind.LIST, cut_off) for name in ("meta", "google", "x", "vng")]
    outcome = play(scene(outside))
    assert [len(platform.copies) for platform in outcome.platforms.values()] == [1, 1, 1, 1]
    assert max(len(platform.begun) for platform in outcome.platforms.values()) <= 3


def test_the_own_site_gets_its_copy_when_it_answers_though_our_network_is_cut_off():
    outside = [channel(name, Kind.LIST, Spell(Trouble.REFUSED, 25, 600)) for name in ("meta", "google", "x", "vng")]
    site = channel("site", Kind.SITE, Spell(Trouble.REFUSED, 25, 200), operator="own")
    outcome = play(scene([*outside, site], late_copies=timedelta(minutes=20)))
    [copy] = outcome.platforms["site"].copies
    assert copy.made_at < START + timedelta(seconds=300)


@pytest.mark.parametrize("hangs_up_after", [0.0, 0.001, 0.1])
def test_a_client_that_hangs_up_takes_no_permit_with_it(hangs_up_after: float):
    one_at_a_time = channel("meta", Kind.LIST, max_in_flight=1)
    first, second = news(0, 30, hangs_up_after=hangs_up_after), news(1, 40)
    [platform] = play(replace(scene([one_at_a_time], first, second), disk_s=0.3)).platforms.values()
    assert len(platform.copies) == 2
    assert max(copy.made_at for copy in platform.copies) < START + timedelta(seconds=45)


def test_a_full_disk_takes_no_permit_with_it():
    one_at_a_time, full = channel("meta", Kind.LIST, max_in_flight=1), Strike(Blow.DISK_FULL, 29, 8, 1)
    [platform] = play(scene([one_at_a_time], news(0, 30), news(1, 50), strikes=[full])).platforms.values()
    assert len(platform.copies) == 2


@pytest.mark.parametrize("rate_per_s", [0.5, 5.0])
def test_of_the_copies_owed_after_an_outage_only_the_newest_five_go(rate_per_s: float):
    down, elsewhere = Spell(Trouble.REFUSED, 0, 400), channel("vng", Kind.LIST)
    world = scene(
        [channel("meta", Kind.HANDLE, down, rate_per_s=rate_per_s), elsewhere],
        *(news(n, 150 + 10 * n) for n in range(9)),
    )
    assert len(play(world).platforms["meta"].copies) == 5


@pytest.mark.parametrize(("disk_s", "latency_s", "at"), [(1.0, 0.1, 30.1), (0.002, 2.0, 29.9)])
def test_what_has_its_permit_when_the_desk_pauses_a_channel_waits_too(disk_s: float, latency_s: float, at: float):
    """Found: accepted while the pause was on its way to the disk, it was sent after the desk was told; so was what
    was connecting then."""
    paused = channel("meta", Kind.LIST, Spell(Trouble.PAUSED, 30, 60), nature={"latency_s": latency_s})
    [platform] = play(replace(scene([paused], news(at=at)), disk_s=disk_s)).platforms.values()
    assert [copy.made_at > START + timedelta(seconds=60) for copy in platform.copies] == [True]


@pytest.mark.parametrize(("disk_s", "latency_s"), [(2.0, 0.1), (0.002, 4.0)])
def test_what_expires_on_its_way_to_the_disk_or_while_it_connects_does_not_leave(disk_s: float, latency_s: float):
    world = scene([channel("meta", Kind.LIST, nature={"latency_s": latency_s})], news(expires_after=1.0))
    outcome = play(replace(world, disk_s=disk_s))
    [case] = outcome.cases.values()
    assert (case.deliveries["meta"].state, outcome.platforms["meta"].copies) == (State.EXPIRED, [])


def test_a_run_that_was_frozen_past_its_lease_confirms_no_pause_to_the_desk():
    paused, frozen = Spell(Trouble.PAUSED, 45, 100), Strike(Blow.FREEZE, 25, 40, 1)
    [platform] = play(scene([channel("meta", Kind.LIST, paused)], news(at=75), strikes=[frozen])).platforms.values()
    assert [copy.made_at > START + timedelta(seconds=100) for copy in platform.copies] == [True]


def test_a_run_that_was_frozen_past_its_lease_ends_no_pause_of_the_next_one():
    spells = Spell(Trouble.PAUSED, 20, 30), Spell(Trouble.PAUSED, 62, 110)
    strikes = Strike(Blow.FREEZE, 25, 42, 1), Strike(Blow.RESTART, 72, 3, 1)
    [platform] = play(scene([channel("meta", Kind.LIST, *spells)], news(at=85), strikes=strikes)).platforms.values()
    assert [copy.made_at > START + timedelta(seconds=110) for copy in platform.copies] == [True]


def test_withdrawals_in_the_middle_of_attempts_are_no_failures_of_the_platform():
    in_two_steps = channel("meta", Kind.PREPARED_LIST, nature={"latency_s": 1.0})
    taken_back = [news(n, 30 + 8 * n, withdrawn_after=2.0) for n in range(2)]
    [platform] = play(scene([in_two_steps], *taken_back, news(2, 50))).platforms.values()
    assert [copy.made_at < START + timedelta(seconds=60) for copy in platform.copies] == [True]


def test_a_platform_that_asks_us_to_wait_is_left_alone_with_all_announcements():
    world = scene([channel("meta", Kind.LIST, Spell(Trouble.THROTTLED, 0, 60))], *(news(n, 30 + n) for n in range(4)))
    [platform] = play(world).platforms.values()
    assert len(platform.refusals) <= 2
    assert len(platform.copies) == 4


def test_what_waits_for_moderation_is_asked_about_when_the_platform_is_back():
    down, slow = Spell(Trouble.REFUSED, 35, 230), {"moderation_s": 40.0}
    world = scene([channel("meta", Kind.MODERATED, down, nature=slow, pending_for=timedelta(minutes=5))])
    [case] = play(world).cases.values()
    assert case.deliveries["meta"].state is State.LIVE


def test_a_keyed_repeat_waits_too_while_our_own_network_is_cut_off():
    lost, cut_off = Spell(Trouble.HANGS, 25, 50), Spell(Trouble.REFUSED, 50, 900)
    outside = [channel(name, Kind.KEYED, lost, cut_off) for name in ("meta", "google", "x", "vng")]
    outcome = play(scene(outside, late_copies=timedelta(minutes=30)))
    assert max(len(platform.begun) for platform in outcome.platforms.values()) <= 6


class LateLease(Disk):
    """For some seconds it has no room for the one write that renews the lease."""

    def renew_run(self, run_id: str, lease: timedelta) -> Run | None:
        if 25 < self._clock.monotonic() < 50:
            raise StoreFull("the disk is full")
        return super().renew_run(run_id, lease)


def test_attempts_wait_for_a_lease_that_is_renewed_late():
    """Found by reasoning: intents that the gate refused were written again at once, thousands of them."""
    world = scene([channel("meta", Kind.LIST, rate_per_s=1000, total_timeout=timedelta(seconds=15))], news(0, 40))
    outcome = simulate(world, Sabotage(disk=LateLease))
    assert [str(finding) for finding in judge(outcome)] == []
    [case] = outcome.cases.values()
    assert case.deliveries["meta"].state is State.LIVE
    assert case.deliveries["meta"].attempt <= 6


def test_what_is_prepared_goes_out_with_the_words_it_was_prepared_with():
    """A mark of lateness that only the store got: the copy was not to be found by its words any more."""
    ready_after_a_quarter_of_an_hour = channel("meta", Kind.HANDLE, nature={"container_s": 1000.0})
    [case] = play(scene([ready_after_a_quarter_of_an_hour], late_copies=timedelta(minutes=30))).cases.values()
    assert case.deliveries["meta"].state is State.LIVE


def test_a_key_that_nobody_can_tell_the_age_of_is_not_used_again():
    """The clock was set back less than the key's age, so that no use of it lies ahead; the ended run's lease does."""
    lost, down = Spell(Trouble.FAILS_AFTER, 25, 60), Spell(Trouble.REFUSED, 60, 640)
    keyed = channel("meta", Kind.KEYED, lost, down, nature={"keeps_keys_s": 600.0})
    world = scene([keyed], strikes=[Strike(Blow.CRASH, 400, 5.0, 1)], late_copies=timedelta(minutes=30))
    [case] = play(replace(world, clock_jumps=(0, -300))).cases.values()
    assert case.deliveries["meta"].state is State.UNCONFIRMED


@pytest.mark.parametrize("kind", [Kind.LIST, Kind.MODERATED])
def test_a_clock_set_forward_over_a_restart_ends_no_wait_for_a_request_that_runs_late(kind: Kind):
    """A campaign found it: the withdrawn delivery was called skipped, and its request ran a minute later."""
    late = channel("meta", kind, Spell(Trouble.RUNS_LATER, 20, 200), nature={"runs_later_s": 80.0})
    killed = [Strike(Blow.CRASH, at, 3.0, 1) for at in (32, 50)]
    world = replace(scene([late], news(0, 30, withdrawn_after=15), strikes=killed), clock_jumps=(0, 0, 300))
    [case] = play(world).cases.values()
    assert case.deliveries["meta"].state is State.WITHDRAWN


def test_a_trial_of_a_channel_whose_account_is_refused_may_meet_an_outage_that_nobody_knows_of():
    """An oracle expected it to be known: but such a channel is asked every quarter of an hour only."""
    shut, failing = Spell(Trouble.POSTS_LOGGED_OUT, 25, 170), Spell(Trouble.HTML_500, 208, 800)
    outcome = play(scene([channel("meta", Kind.LIST, shut, failing), channel("vng", Kind.LIST)], news(0), news(1, 100)))
    assert [len(platform.copies) for platform in outcome.platforms.values()] == [2, 2]


class Unread(Disk):
    """Cannot tell the neighbours of a post for some seconds."""

    def live_neighbour(self, agency: str, channel: str, since: datetime, not_id: str) -> str | None:
        if self._clock.monotonic() < 60:
            raise StoreError("the store could not be read")
        return super().live_neighbour(agency, channel, since, not_id)


def test_a_question_whose_neighbour_cannot_be_read_is_asked_later():
    """Found by reasoning: its channel stayed busy with that announcement until the next start."""
    world = scene([channel("meta", Kind.LIST, Spell(Trouble.ANSWER_LOST, 25, 40))])
    outcome = simulate(world, Sabotage(disk=Unread))
    assert [str(finding) for finding in judge(outcome)] == []
    [case] = outcome.cases.values()
    assert case.deliveries["meta"].state is State.LIVE


def test_a_login_refused_in_an_outage_is_not_the_last_to_hear_that_it_is_over():
    """Found in the demo: once a comrade was back, its refused login was asked about at the pace of a shut account."""
    outage = Spell(Trouble.HTML_500, 40, 100)
    logged_out = Spell(Trouble.LOGGED_OUT, 60, 150)
    specs = [
        channel("meta0", Kind.HANDLE, outage, operator="meta"),
        channel("meta1", Kind.HANDLE, outage, operator="meta"),
        channel("meta2", Kind.HANDLE, Spell(Trouble.HTML_500, 40, 60), logged_out, operator="meta"),
    ]
    outcome = play(scene(specs, news(0, 70.0)))
    [late] = outcome.platforms["meta2"].copies
    assert (late.made_at - START).total_seconds() < 300


def test_who_answers_again_has_its_operators_others_asked_at_once():
    """Each of them is asked at a pace of its own, which has grown over the outage."""
    outages = {f"meta{n}": Spell(Trouble.REFUSED, 25 + 47 * n, 1000) for n in range(3)}
    specs = [channel(name, Kind.LIST, outage, operator="meta") for name, outage in outages.items()]
    outcome = play(scene([*specs, channel("vng", Kind.LIST)], news(0, 300.0), late_copies=timedelta(minutes=30)))
    made = [copy.made_at for spec in specs for copy in outcome.platforms[spec.name].copies]
    assert len(made) == len(specs)
    assert max(made) - min(made) < timedelta(seconds=1)


class AnsweredMeanwhile(ScriptedAdapter):
    """An earlier attempt's answer comes in while this one is between its steps."""

    lives: ClassVar[list[Life]] = []

    async def publish(self, job: Job) -> Answer | Absent:
        async def keep(handle: str) -> None:
            dispatcher = self.lives[-1].engine.dispatcher
            dispatcher.tell(job.announcement_id, lambda case, now: _live(case))
            await job.store_handle(handle)

        return await super().publish(replace(job, store_handle=keep))


def _live(case: Case) -> Case:
    meta = case.deliveries["meta"]
    return case.having([replace(meta, state=State.LIVE, platform_id="earlier", next_at=None)])


def test_an_attempt_whose_delivery_went_live_meanwhile_ends_between_its_steps():
    """Found by reading: its handle was not kept, it was told so by nobody, and made a second copy."""
    world = scene([channel("meta", Kind.HANDLE)])
    outcome = simulate(world, Sabotage(adapter=AnsweredMeanwhile, started=AnsweredMeanwhile.lives.append))
    assert outcome.platforms["meta"].copies == []


def test_a_run_that_is_over_does_not_say_that_something_is_replaced():
    """A campaign found it: the next run looked into its inbox some seconds later, and sent the old one meanwhile."""
    slow = channel("meta", Kind.HANDLE, nature={"container_s": 30.0})
    frozen = Strike(Blow.FREEZE, 28.0, 25.0, 1)
    play(scene([slow], news(0, 27.5), news(1, 35.0, replaces=0), strikes=[frozen]))


class SweptAtOnce(Disk):
    """The sweep has looked right between the commit of an accept and its answer."""

    lives: ClassVar[list[Life]] = []

    def commit(self, operations: Sequence[Operation]) -> list[Result]:
        results = super().commit(operations)
        for case in self.load([each.case.announcement.id for each in operations if isinstance(each, Accept)]):
            asyncio.get_running_loop().call_soon(self._held, case)
        return results

    def _held(self, case: Case) -> None:
        dispatcher = self.lives[-1].engine.dispatcher
        dispatcher.hold(case)
        dispatcher.tell(case.announcement.id, unchanged)


def test_what_is_being_accepted_is_not_read_back_from_the_store_beside_it():
    """A campaign found it, at the thaw of a frozen run: its sweep took in what was stored and not yet in memory; two
    copies of the case were decided about, and the older one's count of events made all later writes fail."""
    world = scene([channel("meta", Kind.KEYED), channel("telegram", Kind.LIST)])
    outcome = simulate(world, Sabotage(disk=SweptAtOnce, started=SweptAtOnce.lives.append))
    assert [str(finding) for finding in judge(outcome)] == []
    [events] = outcome.events.values()
    assert "checking" not in {event.kind for event in events}, "nothing of it is taken for an ended run's"


class OwnedIsOld(Engine):
    """What the store says it owns is some seconds old when it is heard, as it is by milliseconds with threads."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.call = self._late

    async def _late(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        answer = function(*args, **kwargs)
        if function == self.store.owned:
            await self.clock.sleep(5)
        return answer


@pytest.mark.parametrize("begun_at", [68.0, 64.8], ids=["while it reads", "before, on a slow disk"])
def test_what_is_accepted_while_the_sweep_reads_is_not_taken_for_lost(begun_at: float):
    """Found by reading: it was dropped with its gates closed, and taken up a minute later as an ended run's."""
    slow = channel("meta", Kind.NOTHING, nature={"latency_s": 6.0})
    outcome = simulate(replace(scene([slow], news(0, begun_at)), disk_s=0.5), Sabotage(engine=OwnedIsOld))
    assert [str(finding) for finding in judge(outcome)] == []
    [case] = outcome.cases.values()
    assert case.deliveries["meta"].state is State.LIVE


@pytest.mark.parametrize("left", [State.SENDING, State.CHECKING])
def test_what_a_run_whose_clock_was_set_back_finds_in_flight_is_not_sent_again_by_its_key(left: State):
    """A campaign found it: what was in flight was asked about again, an hour later, when the key was forgotten."""
    lives: list[Life] = []
    outcome = simulate(scene([channel("meta", Kind.KEYED)]), Sabotage(started=lives.append))
    [case], [life] = outcome.cases.values(), lives
    changes, in_doubt = life.engine.dispatcher._changes, replace(case.deliveries["meta"], state=left)
    changes.clock_set_back = True
    found = changes.after_crash(case.having([in_doubt]), life.clock.now())
    assert found.deliveries["meta"].state is State.UNCONFIRMED


def test_keys_are_trusted_again_when_all_is_decided_that_the_other_clock_left():
    """A campaign found it: the run after the next asked a person, as long as the store knew the run with that clock."""
    lost = Spell(Trouble.ANSWER_LOST, 299, 320)
    strikes = [Strike(Blow.CRASH, 20, 5.0, 1), Strike(Blow.CRASH_SENT, 300, 5.0, 1)]
    scheduled, caught = news(0, 10, send_after=4000), news(1, 300)
    world = scene([channel("meta", Kind.KEYED, lost)], scheduled, caught, strikes=strikes)
    cases = play(replace(world, clock_jumps=(0, -3600, -3600))).cases.values()
    assert [case.deliveries["meta"].state for case in cases] == [State.LIVE, State.LIVE]


def test_a_question_that_waits_in_the_store_is_asked_soon_when_its_channel_answers_again():
    """It was asked when a wait that had grown in the outage was over: up to ten minutes later."""
    lost, down = Spell(Trouble.ANSWER_LOST, 0, 35), Spell(Trouble.REFUSED, 35, 700)
    world = scene([channel("meta", Kind.LIST, lost, down)], news(0, 30), news(1, 690))
    first, _ = sorted(play(replace(world, held_at_most=1)).cases.values(), key=lambda case: case.announcement.id)
    live_at = first.deliveries["meta"].live_at
    assert live_at is not None
    assert live_at < START + timedelta(seconds=800)


@pytest.mark.parametrize("full_for", [0.0, 200.0])
def test_late_copies_that_an_ended_run_owed_are_made_when_their_channel_works_again(full_for: float):
    """They were made an hour before the end of their time, when their announcement was first claimed."""
    strikes = [Strike(Blow.CRASH, 1000, 5.0, 1), *([Strike(Blow.DISK_FULL, 1990, full_for, 1)] if full_for else ())]
    down = Spell(Trouble.REFUSED, 0, 2000)
    [case] = play(scene([channel("meta", Kind.LIST, down), channel("x", Kind.LIST)], strikes=strikes)).cases.values()
    live_at = case.deliveries["meta"].live_at
    assert live_at is not None
    assert live_at < START + timedelta(seconds=2100 + full_for)


def test_whom_never_let_go_is_called_back_when_a_silent_drop_undoes_the_goal():
    """Seed 93722: it was still preparing its post when the goal held by a copy that was never shown."""
    dropped = channel("meta", Kind.LIST, Spell(Trouble.SILENT_DROP, 0, 400))
    prepares = channel("vng", Kind.HANDLE, nature={"container_s": 8.0})
    world = scene(
        [dropped, channel("google", Kind.LIST), prepares, channel("site", Kind.SITE)],
        post_to=("meta", "google", "vng"),
        stand_ins={"vng": ("site",)},
        domestic=0,
        late_copies=None,
    )
    [case] = play(world).cases.values()
    assert case.deliveries["vng"].state is State.LIVE
