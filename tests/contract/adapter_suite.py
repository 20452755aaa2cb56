"""One suite for all adapters: every outcome is provoked for real by the platform's emulator and judged by its log.

A new adapter gets all of it by naming its emulator and what it offers:

    class TestEcho(Lists, Deletes):
        adapter = EchoAdapter
        emulator = EchoEmulator
        settings: ClassVar = {"page": "1098", "token": "t0ken"}
        steps: ClassVar = {"post": "publish"}              # step of the profile -> step of the emulator

What its platform does otherwise goes into `otherwise`, with the reason beside it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import aiohttp
import pytest

from adapters.emulators.base import Emulator
from adapters.emulators.faults import CONNECTION, Kind
from broker.contract import GateClosed, TextLimit
from broker.model import Post, StepClass, Verb
from broker.outcome import (
    Absent,
    Denied,
    Fault,
    Finding,
    Hidden,
    Live,
    NotSeen,
    Pending,
    Rejected,
    Seen,
    Throttled,
    Unavailable,
    Uncertain,
    Unfinished,
)
from broker.values import replace
from tests.contract.bench import IMPATIENCE, LATER, OTHER, POST, Bench, Copy, LeaseGate
from tests.contract.certificates import Certificate
from tests.contract.media_host import MediaHost

COUNTED = ("a", "ễ", "e\u0302\u0303", "中", "𝔞", "🌀", "👩‍👩‍👧", "🇻🇳", "#️⃣")
"""Letters that are one by some counts and many by others: code points, UTF-16 units, graphemes, bytes, emoji bytes."""

ALIKE = frozenset({Kind.STORED_THEN_STALL, Kind.RUN_LATER})
"""What differs from `STALL` only in what is published; left out where nothing is."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a publish answers to a fault, and how many copies readers see by then or shortly after."""

    answer: type[Finding]
    copies: int = 0


EXPECTED: Mapping[Kind, Expected] = {
    Kind.REFUSED: Expected(Unavailable),
    Kind.BLACK_HOLE: Expected(Uncertain),
    Kind.TLS_RESET: Expected(Uncertain),  # on plain HTTP the request has left by then
    Kind.RESET_BEFORE: Expected(Uncertain),
    Kind.STALL: Expected(Uncertain),
    Kind.STORED_THEN_RESET: Expected(Uncertain, copies=1),
    Kind.STORED_THEN_STALL: Expected(Uncertain, copies=1),
    Kind.RUN_LATER: Expected(Uncertain, copies=1),
    Kind.HTML_500: Expected(Uncertain),
    Kind.HTML_503: Expected(Uncertain),
    Kind.GARBAGE_200: Expected(Uncertain),
    Kind.EMPTY_200: Expected(Uncertain),
    Kind.TRUNCATED_JSON: Expected(Uncertain, copies=1),
    Kind.SLOW_DRIP: Expected(Uncertain, copies=1),
    Kind.SERVER_ERROR: Expected(Uncertain),
    Kind.ERROR_IN_200: Expected(Uncertain),
    Kind.THROTTLED: Expected(Throttled),
    Kind.LOGGED_OUT: Expected(Denied),
    Kind.EXPIRED: Expected(Denied),
    Kind.REVOKED: Expected(Denied),
    Kind.NO_PERMISSION: Expected(Denied),
    Kind.SUSPENDED: Expected(Denied),
    Kind.POLICY: Expected(Rejected),
}
"""For a step of which something public may come; where nothing can, `Uncertain` is `Unavailable`, without a copy."""


def numbered(number: int) -> Post:
    """An announcement of its own."""
    reference = f"TVD-CRASH{number}"
    short_link = f"https://tin.example/l/{reference}"
    return replace(
        POST, announcement_id=f"{POST.announcement_id[:-1]}{number}", reference=reference, short_link=short_link
    )


class AdapterSuite:
    """What every adapter must do."""

    provokes: ClassVar[frozenset[Kind]] = frozenset(EXPECTED)
    """The faults this part of the suite sets."""
    adapter: ClassVar[Any]
    emulator: ClassVar[type[Emulator]]
    settings: ClassVar[Mapping[str, object]]
    steps: ClassVar[Mapping[str, str]]
    """Step of the profile -> the emulator's name for the call, in order; the last one makes the post public."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Arguments of the emulator beside `lag`."""
    otherwise: ClassVar[Mapping[Kind, Expected]] = {}
    """Where this platform differs from `EXPECTED`."""
    at: ClassVar[Mapping[Kind, str]] = {}
    """Faults that this platform has at another call of a publish than the one that is tried."""
    exempt: ClassVar[Mapping[Kind, str]] = {}
    """Faults that this platform cannot have, each with the reason."""
    done: ClassVar[type[Finding]] = Live
    """What a publish comes to when all goes well; `Pending` where no program can ask for more."""
    is_public: ClassVar[bool] = True
    """Whether a good publish puts a copy before readers; not where a person does that."""
    has_address: ClassVar[bool] = True
    """Whether a public copy has an address that readers can open."""
    no_limit: ClassVar[str | None] = None
    """Why no text is too long for this platform."""
    tls_fault: ClassVar[Fault] = Fault.TLS
    shortest_wait: ClassVar[float] = 120
    """Seconds that a publish waits when the platform asks for 120; less only where it has no way to ask."""
    secrets: ClassVar[tuple[str, ...]] = ("token", "app_secret", "secret", "password")

    @classmethod
    def first_step(cls) -> str:
        return next(iter(cls.steps.values()))

    @classmethod
    def public_step(cls) -> str:
        return list(cls.steps.values())[-1]

    @classmethod
    def expected(cls, kind: Kind) -> Expected:
        return cls.otherwise.get(kind, EXPECTED[kind])

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Only the faults that the emulator can do."""
        known = [kind for kind in EXPECTED if kind in self.emulator.kinds]
        calls = [kind for kind in known if kind not in CONNECTION]
        wanted = {
            "any_fault": [kind for kind in known if kind not in ALIKE],
            "connection_fault": [kind for kind in known if kind in CONNECTION],
            "call_fault": calls,
            "plain_fault": [kind for kind in calls if kind not in ALIKE],
            "doubtful_fault": [kind for kind in calls if self.expected(kind).answer is Uncertain],
            "sure_fault": [kind for kind in calls if self.expected(kind).answer not in (Uncertain, self.done)],
        }
        for name in wanted.keys() & set(metafunc.fixturenames):
            metafunc.parametrize(name, wanted[name], ids=str)
        if "step" in metafunc.fixturenames:
            metafunc.parametrize("step", list(self.steps))

    @pytest.fixture
    async def bench(self, host: MediaHost) -> AsyncIterator[Bench]:
        async with self.emulator(lag=(0, 0), **self.options) as emulator, aiohttp.ClientSession() as session:
            yield Bench(self.adapter, self.settings, self.public_step(), emulator, session, self.done, host)

    @pytest.fixture
    async def impostor(self, certificate: Certificate) -> AsyncIterator[str]:
        """The address of a server whose certificate nobody trusts."""

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(converse, "127.0.0.1", ssl=certificate.for_server())
        async with server:
            yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    # -- the profile

    async def test_the_suite_covers_what_the_profile_offers(self, bench):
        profile = bench.adapter.profile
        assert [step.name for step in profile.steps] == list(self.steps)
        offered = {part.__dict__["verb"] for part in type(self).__mro__ if "verb" in part.__dict__}
        assert offered == profile.abilities - {Verb.PROBE, Verb.CONFIRM}

    def test_no_fault_is_left_out_without_a_reason(self):
        wanted = frozenset[Kind]().union(*(part.__dict__.get("provokes", ()) for part in type(self).__mro__))
        assert wanted - self.emulator.kinds == self.exempt.keys()
        assert all(self.exempt.values())

    async def test_settings_and_adapter_show_no_secret(self, bench):
        shown = repr(bench.adapter.Settings(**self.settings)) + repr(vars(bench.adapter))
        assert not [name for name in self.secrets if str(self.settings.get(name, "\0")) in shown]

    # -- composing

    async def test_a_text_carries_the_reference_and_fits(self, bench):
        limit = bench.adapter.profile.text
        for body in ("", "Ngắn.", "Nước dâng nhanh ở hạ lưu. 🌀 " * 900):
            composed = bench.copy(replace(POST, body=body)).composed
            assert POST.reference in composed.text
            assert limit is None or composed.length <= limit.limit
            assert bool(composed.cut) == (len(body) > 100 and limit is not None)

    @pytest.mark.parametrize("letters", COUNTED, ids=ascii)
    async def test_the_platform_takes_the_longest_text_by_its_own_count(self, bench, letters):
        copy = await bench.live(replace(POST, headline=letters * 400, body=f"{letters * 9} " * 1200))
        assert bench.copies() == self.is_public
        assert copy.composed.length <= (bench.adapter.profile.text or TextLimit(sys.maxsize)).limit

    async def test_a_text_that_is_too_long_after_all_is_the_contents_fault(self, bench):
        """The platform counts otherwise than we think: nothing is published, and nobody is blamed but the text."""
        if self.no_limit:
            assert bench.adapter.profile.text is None
            return
        copy, more = bench.copy(), "a" * 70_000
        parts = {name: f"{text} {more}" for name, text in copy.composed.parts.items()}
        copy.composed = replace(copy.composed, text=f"{copy.composed.text} {more}", parts=parts)
        assert isinstance(await copy.publish_to_the_end(bench.adapter), Rejected)
        assert not bench.log.taken

    # -- publishing

    async def test_a_post_is_published_once_and_word_for_word(self, bench):
        copy = await bench.live()
        [post] = bench.log.copies(POST.reference)
        assert (post.id, post.text, post.is_up) == (copy.platform_id or copy.handle, copy.composed.text, True)
        assert bool(copy.url) == self.has_address

    async def test_a_wrong_certificate_stops_everything(self, bench, impostor):
        """Somebody else answers for the platform: no byte of ours leaves, and it speaks about the host alone."""
        adapter = bench.new_adapter(base_url=impostor)
        for outcome in (await bench.copy().publish(adapter), await adapter.probe()):
            assert isinstance(outcome, Unavailable)
            assert outcome.fault is self.tls_fault
        assert not bench.log.requests

    @pytest.mark.parametrize("durable", [False, True], ids=["before", "after"])
    async def test_a_crash_around_any_step_makes_no_second_copy(self, bench, durable):
        """The process ends right before or after each handle is durable, and last before the outcome is."""
        for kept in range(1, 10):
            post = numbered(kept)
            copy = bench.copy(post)
            came_so_far = await copy.crash_at(kept, durable=durable, adapter=bench.new_adapter())
            found = await copy.take_up(bench.new_adapter())
            assert found is None or isinstance(found, self.done)
            assert bench.copies(post) == self.is_public or (found is None and not bench.copies(post))
            if not came_so_far:
                return
        pytest.fail("a publish of ten steps")

    async def test_a_connection_fault_is_told_apart(self, bench, connection_fault):
        first = next(iter(self.steps))
        await bench.emulator.fail(connection_fault)
        outcome = await bench.copy().publish(bench.against(connection_fault))
        is_harmless = self.is_invisible(bench, first)
        assert isinstance(outcome, Unavailable if is_harmless else self.expected(connection_fault).answer)
        await self._check(bench, outcome, copies=0)

    async def test_a_fault_in_a_step_is_told_apart(self, bench, step, call_fault):
        at = self.at.get(call_fault, self.steps[step])
        await bench.emulator.fail(call_fault, step=at, after=LATER if call_fault is Kind.RUN_LATER else None)
        expected, copy = self.expected(call_fault), bench.copy()
        outcome = await copy.publish_to_the_end(bench.against(call_fault))
        if expected.answer is Uncertain and self.is_invisible(bench, step):
            expected = Expected(Unavailable)
        assert isinstance(outcome, expected.answer)
        await self._check(bench, outcome, expected.copies)

    def is_invisible(self, bench: Bench, step: str) -> bool:
        """Nothing public can come of this step."""
        number = list(self.steps).index(step)
        return bench.adapter.profile.step_class(number) is StepClass.INVISIBLE

    async def _check(self, bench: Bench, outcome: Finding, copies: int) -> None:
        """The platform's log must agree, and nobody may learn a secret from the answer."""
        if copies:
            await bench.emulator.until(lambda log: log.copies(POST.reference))
        assert bench.copies() == copies
        assert not [name for name in self.secrets if str(self.settings.get(name, "\0")) in repr(outcome)]
        if isinstance(outcome, Denied | Unavailable | Uncertain):
            assert outcome.detail
        if isinstance(outcome, Throttled):
            assert timedelta(seconds=1) <= outcome.retry_after <= timedelta(hours=24)

    async def test_what_was_certainly_not_published_is_published_by_the_next_attempt(self, bench, step, sure_fault):
        await bench.emulator.fail(sure_fault, step=self.at.get(sure_fault, self.steps[step]), times=1)
        copy = bench.copy()
        assert not isinstance(await copy.publish_to_the_end(bench.adapter), Live | Uncertain)
        await bench.emulator.heal()
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter()), self.done)
        assert bench.copies() == self.is_public

    async def test_a_limit_is_kept_for_as_long_as_the_platform_says(self, bench):
        """In its own form: a header in seconds, a field in minutes, or its documents where the answer names no time."""
        await bench.emulator.fail(Kind.THROTTLED, step=self.first_step(), after=120)
        outcome = await bench.copy().publish(bench.adapter)
        assert isinstance(outcome, Throttled)
        assert outcome.retry_after >= timedelta(seconds=self.shortest_wait)
        assert not bench.log.taken

    async def test_nothing_leaves_through_a_closed_gate(self, bench):
        with pytest.raises(GateClosed):
            await bench.copy().publish(bench.adapter, gate=LeaseGate(is_open=False))
        assert not [request for name in self.steps.values() for request in bench.log.asked(name)]

    # -- probing

    async def test_a_sound_platform_passes_the_probe(self, bench):
        assert isinstance(await bench.adapter.probe(), Live)
        assert not bench.log.taken

    async def test_a_probe_tells_what_is_wrong(self, bench, any_fault):
        await bench.emulator.fail(any_fault)
        answer = self.expected(any_fault).answer
        outcome = await bench.against(any_fault).probe()
        assert isinstance(outcome, answer if answer in (Throttled, Denied) else Unavailable | Rejected)
        assert not bench.log.taken


class ReadsBack(AdapterSuite):
    """For adapters with `find`: an uncertain copy is settled, and never by guessing."""

    verb = Verb.FIND
    provokes = frozenset({Kind.LIST_LAG, Kind.EMPTY_LIST, Kind.SILENT_DROP, Kind.INVISIBLE})

    async def test_a_live_post_is_read_back(self, bench):
        copy = await bench.live()
        found = await bench.settle(copy)
        assert isinstance(found, Live)
        assert (found.platform_id, found.seen) == (copy.platform_id, Seen.ACCOUNT)
        assert found.url

    async def test_an_uncertain_copy_is_settled_as_the_log_has_it(self, bench, doubtful_fault):
        copy = await bench.lost(kind=doubtful_fault)
        found = await bench.settle(copy)
        if bench.copies():
            assert isinstance(found, Live)
            assert [post.id for post in bench.log.copies(POST.reference)] == [found.platform_id]
        else:
            assert isinstance(found, Absent | NotSeen | Unfinished)
            assert not isinstance(found, NotSeen) or found.back_to <= copy.first_sent_at - timedelta(seconds=60)

    async def test_a_request_that_ran_late_is_found(self, bench):
        await bench.emulator.fail(Kind.RUN_LATER, step=self.public_step(), times=1, after=LATER)
        copy = bench.copy()
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter(IMPATIENCE)), Uncertain)
        assert not isinstance(await bench.settle(copy), Live)
        await bench.emulator.until(lambda log: log.copies(POST.reference))
        assert isinstance(await bench.settle(copy), Live)

    async def test_a_question_that_fails_proves_nothing(self, bench, any_fault):
        copy = await bench.lost()
        await bench.emulator.fail(any_fault)
        found = await bench.against(any_fault).find(copy.job())
        assert isinstance(found, Unavailable | Throttled | Denied)

    async def test_a_list_that_lags_proves_no_absence(self, bench):
        copy = await bench.lost()
        await bench.emulator.fail(Kind.LIST_LAG, after=60)
        assert self.is_open_or_true(bench, await bench.settle(copy))
        await bench.emulator.heal()
        assert isinstance(await bench.settle(copy), Live)

    async def test_an_empty_list_proves_no_absence(self, bench):
        neighbour = await bench.live(OTHER)
        copy = await bench.lost()
        await bench.emulator.fail(Kind.EMPTY_LIST)
        found = await bench.adapter.find(copy.job(neighbour=neighbour.platform_id))
        assert self.is_open_or_true(bench, found)
        assert not isinstance(found, NotSeen) or found.neighbour is False

    def is_open_or_true(self, bench: Bench, found: Finding) -> bool:
        """Nothing is proved by what a list does not show; a handle may prove more than the list."""
        by_handle = bench.adapter.profile.steps[-1].after_uncertain is StepClass.HANDLE
        if by_handle and isinstance(found, Live):
            return [post.id for post in bench.log.copies(POST.reference)] == [found.platform_id]
        return isinstance(found, NotSeen | Pending)

    async def test_others_who_quote_us_are_not_us(self, bench):
        neighbour = await bench.live(OTHER)
        [account] = {post.author for post in bench.log.posts}
        text = bench.copy().composed.text
        bench.emulator.plant_post("1098_17100", f"Theo Tin Ví Dụ: {text}", author=account)
        bench.emulator.plant_post("1098_17101", text, author=account, seconds_ago=3600)
        bench.emulator.plant_post("1098_17102", text)
        found = await bench.adapter.find(
            (await bench.lost(kind=Kind.RESET_BEFORE)).job(neighbour=neighbour.platform_id)
        )
        assert not isinstance(found, Live)
        assert getattr(found, "neighbour", True) is True

    async def test_a_silent_drop_is_found_or_never_called_live(self, bench):
        await bench.emulator.fail(Kind.SILENT_DROP)
        copy = bench.copy()
        outcome = await copy.publish_to_the_end(bench.adapter)
        assert bench.copies() == 0
        assert isinstance(outcome, Live | Pending)
        assert isinstance(await bench.settle(copy), Absent if isinstance(outcome, Live) else Pending)

    async def test_what_readers_cannot_see_does_not_stay_live(self, bench):
        if Kind.INVISIBLE in self.exempt:
            return
        await bench.emulator.fail(Kind.INVISIBLE)
        copy = bench.copy()
        outcome = await copy.publish_to_the_end(bench.adapter)
        found = await bench.settle(copy) if isinstance(outcome, Live) else outcome
        assert isinstance(found, Denied | Hidden)
        assert found.detail
        assert bench.copies() == 0

    async def test_a_lost_copy_that_readers_cannot_see_is_told_as_such(self, bench):
        if Kind.INVISIBLE in self.exempt:
            return
        await bench.emulator.fail(Kind.INVISIBLE)
        found = await bench.settle(await bench.lost())
        assert isinstance(found, Hidden)
        assert found.detail

    async def test_a_removal_is_found(self, bench):
        copy = await bench.live()
        bench.emulator.remove_post(copy.platform_id)
        assert isinstance(await bench.settle(copy), Absent)

    # -- the list, which is asked for copies even where an id is known

    async def test_a_copy_behind_many_posts_is_found_in_the_list(self, bench):
        copy = await bench.lost()
        [account] = {post.author for post in bench.log.posts}
        for number in range(250):
            bench.emulator.plant_post(f"1098_{number:05}", f"Tin {number}", author=account)
        assert isinstance(await bench.new_adapter().find(copy.job(count=True)), Live)

    async def test_copies_are_counted_oldest_first(self, bench):
        first = await bench.lost()
        await bench.live(OTHER)
        second = await bench.live()
        second.first_sent_at = first.first_sent_at
        older, younger = bench.log.copies(POST.reference)
        found = await bench.adapter.find(second.job(count=True))
        assert isinstance(found, Live)
        assert (found.platform_id, found.extra) == (older.id, (younger.id,))

    async def test_the_neighbour_is_looked_for(self, bench):
        neighbour = await bench.live(OTHER)
        copy = await bench.lost(kind=Kind.RESET_BEFORE)
        for wanted, seen in ((neighbour.platform_id, True), ("1098_404", False), (None, None)):
            found = await bench.adapter.find(copy.job(neighbour=wanted, count=True))
            assert isinstance(found, NotSeen)
            assert found.neighbour is seen


class Lists(ReadsBack):
    """For steps of class B by list."""

    async def test_the_step_that_makes_it_public_is_by_list(self, bench):
        assert bench.adapter.profile.steps[-1].after_uncertain is StepClass.LIST


class Handles(ReadsBack):
    """For steps of class B by handle: every half-done publish is finished, once, whoever takes it up."""

    async def test_the_step_that_makes_it_public_is_by_handle(self, bench):
        assert bench.adapter.profile.steps[-1].after_uncertain is StepClass.HANDLE

    async def test_a_half_done_publish_is_resumed_by_its_handle(self, bench):
        await bench.emulator.fail(Kind.HTML_503, step=self.public_step(), times=1)
        copy = bench.copy()
        assert isinstance(await copy.publish_to_the_end(bench.adapter), Uncertain)
        assert copy.handle
        assert isinstance(await bench.settle(copy), Unfinished)
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter()), Live)
        assert len(bench.log.asked(self.first_step())) == 1
        assert bench.copies() == 1

    async def test_a_published_handle_is_not_published_again(self, bench):
        copy = await bench.lost()
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter()), Live)
        assert bench.copies() == 1
        assert len(bench.log.asked(self.public_step())) == 1

    async def test_a_late_run_and_a_resumed_one_make_one_copy(self, bench):
        await bench.emulator.fail(Kind.RUN_LATER, step=self.public_step(), times=1, after=LATER)
        copy = bench.copy()
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter(IMPATIENCE)), Uncertain)
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter()), Live)
        await asyncio.gather(*bench.emulator._tasks)  # the request that ran late has run
        assert bench.copies() == 1


class Keyed(AdapterSuite):
    """For steps of class A: the same bytes with the same key count once, however often they are sent."""

    async def test_the_step_that_makes_it_public_is_keyed(self, bench):
        profile = bench.adapter.profile
        assert profile.steps[-1].after_uncertain is StepClass.KEYED
        assert profile.key_lifetime > timedelta(0)

    async def test_what_was_uncertain_is_sent_again_and_counts_once(self, bench, doubtful_fault):
        copy = await bench.lost(kind=doubtful_fault)
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter()), self.done)
        assert bench.copies() == 1

    async def test_a_late_run_and_a_repeat_make_one_copy(self, bench):
        await bench.emulator.fail(Kind.RUN_LATER, step=self.public_step(), times=1, after=LATER)
        copy = bench.copy()
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter(IMPATIENCE)), Uncertain)
        assert isinstance(await copy.publish_to_the_end(bench.new_adapter()), self.done)
        await asyncio.gather(*bench.emulator._tasks)  # the request that ran late has run
        assert bench.copies() == 1


class Confirms(AdapterSuite):
    """For platforms that take a post and show it later, by their own work: never live before it is."""

    provokes = frozenset({Kind.NEVER_FINISH, Kind.REFUSE_LATER})

    async def held(self, bench: Bench) -> Copy:
        """A copy that the platform has taken and never shows."""
        await bench.emulator.fail(Kind.NEVER_FINISH, step=self.public_step(), times=1)
        copy = bench.copy()
        assert isinstance(await copy.publish(bench.adapter), Pending)
        assert bench.copies() == 0
        return copy

    async def test_what_the_platform_does_not_show_stays_pending(self, bench):
        copy = await self.held(bench)
        for adapter in (bench.adapter, bench.new_adapter()):
            found = await copy.confirm(adapter)
            assert isinstance(found, Pending)
            assert timedelta(0) < found.check_after <= timedelta(hours=1)

    async def test_a_question_about_a_pending_copy_that_fails_proves_nothing(self, bench, any_fault):
        copy = await self.held(bench)
        await bench.emulator.fail(any_fault)
        found = await copy.confirm(bench.against(any_fault))
        is_verdict = any_fault is Kind.POLICY and isinstance(found, Rejected)  # some platforms judge in this answer
        assert is_verdict or isinstance(found, Unavailable | Throttled | Denied | Pending)

    async def test_a_refusal_that_comes_later_is_told(self, bench):
        await bench.emulator.fail(Kind.REFUSE_LATER, step=self.public_step(), times=1)
        refused = await bench.copy().publish_to_the_end(bench.adapter)
        assert isinstance(refused, Rejected)
        assert refused.detail
        assert bench.copies() == 0


class Deletes(AdapterSuite):
    """For adapters with `delete`: gone is what cannot be read any more."""

    verb = Verb.DELETE

    async def test_a_post_is_deleted_and_proved_gone(self, bench):
        copy = await bench.live()
        assert await bench.adapter.delete(copy.job()) == Absent()
        assert [post.removed_by for post in bench.log.posts] == ["owner"]
        assert await bench.adapter.delete(copy.job()) == Absent()

    async def test_a_delete_that_fails_proves_nothing(self, bench, any_fault):
        copy = await bench.live()
        await bench.emulator.fail(any_fault, **({} if any_fault in CONNECTION else {"step": "delete"}))
        outcome = await bench.against(any_fault).delete(copy.job())
        assert not isinstance(outcome, Absent | Live | NotSeen)

    async def test_a_delete_that_changed_nothing_is_seen(self, bench):
        """The platform says yes and keeps the post: no proof."""
        copy = await bench.live()
        await bench.emulator.fail(Kind.LOGGED_OUT, step="get")
        assert isinstance(await bench.adapter.delete(copy.job()), Denied)


class Edits(AdapterSuite):
    """For adapters with `edit`."""

    verb = Verb.EDIT

    async def test_a_post_is_edited_in_place(self, bench):
        copy = await bench.live()
        copy.composed = bench.copy(replace(POST, body="Đã sửa: trước 17 giờ.")).composed
        assert isinstance(await bench.adapter.edit(copy.job()), Live)
        assert [post.text for post in bench.log.visible] == [copy.composed.text]

    async def test_an_edit_that_fails_is_told_apart(self, bench, plain_fault):
        copy = await bench.live()
        await bench.emulator.fail(plain_fault, step="edit")
        outcome = await bench.against(plain_fault).edit(copy.job())
        assert isinstance(outcome, self.expected(plain_fault).answer)


class Rehearses(AdapterSuite):
    """For adapters with `rehearse`: as much of a write as readers cannot see."""

    verb = Verb.REHEARSE

    async def test_a_rehearsal_shows_readers_nothing(self, bench):
        assert isinstance(await bench.adapter.rehearse(), Live)
        assert not bench.log.posts
        assert not [post for post in bench.log.taken if post.is_up]
        assert bench.log.asked(self.first_step())

    async def test_a_rehearsal_finds_what_would_stop_a_post(self, bench, plain_fault):
        await bench.emulator.fail(plain_fault, step=self.first_step())
        outcome = await bench.against(plain_fault).rehearse()
        assert not isinstance(outcome, Live)
        assert not bench.log.posts
