"""What every adapter proves that publishes by a container: made first, published once it is ready.

A suite to inherit from, beside `tests/contract/adapter_suite.py`, whose emulator is a `ContainerEmulator`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters._containers import handle_of
from adapters.emulators.containers import Container, ContainerEmulator
from broker.model import Medium
from broker.outcome import Absent, Live, NotSeen, Pending, Throttled, Unavailable, Uncertain, Unfinished
from broker.values import replace
from tests.contract.adapter_suite import Handles
from tests.contract.bench import POST, Bench, Copy


def old(**ago: float) -> datetime:
    return datetime.now(UTC) - timedelta(**ago)


class Containers(Handles):
    """Half-done publishes, and the platform's quota of posts."""

    def containers(self, bench: Bench) -> dict[str, Container]:
        emulator = bench.emulator
        assert isinstance(emulator, ContainerEmulator)
        return emulator.containers

    async def half_done(self, bench: Bench, *media: Medium, **ago: float) -> tuple[Copy, Container]:
        """A copy whose container is made and not published."""
        await bench.emulator.fail("never_finish", step="create", times=1)
        copy = bench.copy(replace(POST, media=media))
        assert isinstance(await copy.publish(bench.adapter), Unfinished)
        [(container_id, container)] = self.containers(bench).items()
        copy.handle = handle_of(container_id, old(**ago))
        return copy, container

    async def test_a_container_that_is_not_ready_is_taken_up_later(self, bench):
        copy, container = await self.half_done(bench)
        assert (copy.step, bench.copies()) == (1, 0)
        container.ready_at = container.created_at
        assert isinstance(await copy.publish(bench.new_adapter()), Live)
        assert len(self.containers(bench)) == 1

    @pytest.mark.parametrize(("seconds", "wait"), [(0, 1), (40, 10), (240, 60)])
    async def test_a_slow_container_is_asked_less_and_less(self, bench, seconds, wait):
        copy, _ = await self.half_done(bench, seconds=seconds)
        for outcome in (await copy.publish(bench.adapter), await bench.settle(copy)):
            assert isinstance(outcome, Unfinished)
            assert abs(outcome.resume_after.total_seconds() - wait) < 2

    async def test_a_container_that_never_finishes_is_an_outage(self, bench):
        copy, _ = await self.half_done(bench, minutes=6)
        assert isinstance(await copy.publish(bench.adapter), Unavailable)

    async def test_an_expired_container_was_not_published(self, bench):
        copy, container = await self.half_done(bench)
        container.created_at = old(hours=25)
        assert await bench.settle(copy) == Absent()

    async def test_an_unknown_container_proves_nothing(self, bench):
        copy = await bench.lost()
        copy.handle = handle_of("18999999999999999", old())
        assert isinstance(await bench.settle(copy), Live)
        other = bench.copy(replace(POST, reference="TVD-ZZ2222", short_link="https://tin.example/l/TVD-ZZ2222"))
        other.handle, other.step = copy.handle, 1
        assert isinstance(await bench.settle(other), NotSeen)
        assert isinstance(await other.publish(bench.adapter), Uncertain)
        assert len(bench.log.posts) == 1

    async def test_a_published_container_is_pending_until_it_is_listed(self, bench):
        copy = await bench.lost()
        await bench.emulator.fail("list_lag", after=60)
        assert isinstance(await copy.publish(bench.new_adapter()), Pending)
        assert isinstance(await bench.adapter.confirm(copy.job()), Pending)
        await bench.emulator.heal()
        confirmed = await bench.adapter.confirm(copy.job())
        assert isinstance(confirmed, Live)
        assert [post.id for post in bench.log.posts] == [confirmed.platform_id]

    async def test_without_a_container_nothing_was_published(self, bench):
        assert await bench.settle(bench.copy()) == Absent()

    async def test_a_lost_permalink_costs_nothing(self, bench):
        await bench.emulator.fail("html_503", step="get")
        copy = bench.copy()
        outcome = await copy.publish(bench.adapter)
        assert isinstance(outcome, Live)
        assert (outcome.url, bench.copies()) == (None, 1)

    async def test_a_used_up_quota_is_waited_for(self, bench):
        bench.emulator.quota = 0
        copy = bench.copy()
        assert isinstance(await copy.publish(bench.adapter), Throttled)
        bench.emulator.quota = 1
        assert isinstance(await copy.publish(bench.adapter), Live)

    async def test_an_unexplained_refusal_is_explained_by_the_quota(self, bench):
        bench.emulator.quota = 0
        await bench.emulator.fail("policy", step="publish")
        assert isinstance(await bench.copy().publish(bench.adapter), Throttled)

    async def test_a_refusal_whose_container_cannot_be_read_stays_open(self, bench):
        await bench.emulator.fail("policy", step="publish")
        copy, container = await self.half_done(bench)
        container.ready_at = container.created_at
        await bench.emulator.fail("html_503", step="status", every=2)
        assert isinstance(await copy.publish(bench.adapter), Uncertain)
