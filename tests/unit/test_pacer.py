"""The pacer's order between what is in memory and what waits in the store."""

from __future__ import annotations

from broker.clock import SystemClock
from broker.engine.pacer import REFILL, Pacer, Permit
from broker.outcome import Cause
from broker.rules.domains import Scope
from broker.rules.health import Down
from broker.store import DueRef
from broker.values import replace
from tests.unit.builders import T0, profile


class Channel:
    """A channel at full speed, one attempt at a time; what went out, and how often the store was asked."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.asked = 0
        self._permits: list[Permit] = []
        self.pacer = Pacer(profile(rate_per_s=10_000, max_in_flight=1), SystemClock(), self._send, self._fetch)

    def _send(self, ref: DueRef, permit: Permit) -> bool:
        self.sent.append(ref.announcement_id)
        self._permits.append(permit)
        return True

    def _fetch(self, pacer: Pacer) -> None:
        self.asked += 1

    def answer(self, count: int) -> None:
        """The platform takes that many, one after the other."""
        for _ in range(count):
            self._permits.pop().give_back(clean=True)


def refs(name: str, count: int, *, urgent: bool = False) -> list[DueRef]:
    return [DueRef(f"{name}{number}", "facebook", urgent, T0) for number in range(count)]


async def test_urgent_ones_in_the_store_go_before_routine_ones_in_memory():
    channel = Channel()
    for ref in refs("routine", 5):
        channel.pacer.offer(ref, fresh=True)
    first = refs("urgent", REFILL, urgent=True)
    channel.pacer.refilled(first)
    for ref in first:
        channel.pacer.offer(ref, fresh=True)
    before = channel.asked
    channel.answer(REFILL)
    assert channel.sent[1:] == [ref.announcement_id for ref in first], "the one in flight had gone before"
    channel.answer(1)
    assert channel.asked == before + 1, "the page was full: there may be more"
    channel.pacer.refilled(refs("more", 3, urgent=True))
    for ref in refs("more", 3, urgent=True):
        channel.pacer.offer(ref, fresh=True)
    channel.answer(4)
    assert channel.sent[-5:] == ["routine1", "more0", "more1", "more2", "routine2"]
    assert channel.asked == before + 1, "that was all: nothing is asked again while something waits in memory"


async def test_a_trial_waits_until_it_is_decided_which_late_copies_are_wanted():
    channel, down = Channel(), Down(Scope.CHANNEL, "default/facebook", T0, Cause.OUTAGE, ("default/facebook",))
    channel.pacer.health_changed(down)
    for ref in refs("owed", 6):
        channel.pacer.offer(ref, fresh=False)
    before = channel.asked
    channel.pacer.health_changed(replace(down, half_open=True))
    assert (channel.sent, channel.asked) == ([], before + 1)
    channel.pacer.forget("owed0")  # given up: five are newer
    channel.pacer.sifted()
    assert channel.sent == ["owed1"]
    channel.pacer.health_changed(replace(down, half_open=True))
    channel.answer(1)
    assert channel.sent == ["owed1", "owed2"], "what is decided stays decided while it is on trial"
