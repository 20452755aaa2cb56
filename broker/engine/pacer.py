"""One pacer per channel hands out permits: rate, attempts in flight, urgent first, new and old in turn.

A pacer keeps references, not deliveries: what waits here waits in the store as well, so a full memory or a restart
loses nothing. A parked delivery has no timer; `refill` finds it by index when its channel works again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.clock import Clock
from broker.contract import Profile
from broker.rules.health import Down
from broker.rules.pacing import RateWindow, allowed_in_flight
from broker.store import DueRef

REFILL = 100
"""References fetched from the store at a time."""


@dataclass(slots=True)
class Permit:
    """The right to make one attempt on one channel; given back exactly once."""

    pacer: Pacer
    trial: bool
    given_back: bool = False

    def give_back(self, *, clean: bool | None = None) -> None:
        """`clean`: whether the attempt succeeded; None when nothing was sent."""
        if not self.given_back:
            self.given_back = True
            self.pacer.returned(clean)


class Pacer:
    """Paces one channel. `send` starts an attempt for a reference that got its permit; `fetch` asks for a refill."""

    def __init__(
        self,
        profile: Profile,
        clock: Clock,
        send: Callable[[DueRef, Permit], bool],
        fetch: Callable[[Pacer], None],
    ) -> None:
        self._profile, self._clock, self._send, self._fetch = profile, clock, send, fetch
        self._lanes: tuple[OrderedDict[str, DueRef], ...] = (OrderedDict(), OrderedDict(), OrderedDict())
        self._window, self._begun = RateWindow(profile.rate_per_s), RateWindow(profile.rate_per_s)
        self._in_flight = 0
        self._clean_rounds: int | None = None
        self._clean_in_round = 0
        self._old_next = False
        self._timer: asyncio.TimerHandle | None = None
        self._slow_until = 0.0
        self.paused = False
        self.held = False
        """Class C sends wait while our own network is suspected."""
        self.down: Down | None = None
        self.backlog = True
        """The store may hold due deliveries that are not in memory."""
        self._more_urgent = False
        """The store may hold urgent ones beyond those of the last refill."""
        self._urgent_ran_out = False
        """The last of that refill's urgent ones has gone: routine ones must not go before those in the store."""
        self._is_sifted = True
        """Late copies that nobody wants any more were given up since the channel came back."""

    # what comes in

    def offer(self, ref: DueRef, *, fresh: bool) -> None:
        """Queues a reference; `fresh` ones take turns with those that have waited for the channel."""
        if any(ref.announcement_id in lane for lane in self._lanes):
            return
        lane = 0 if ref.urgent else 1 if fresh else 2
        self._lanes[lane][ref.announcement_id] = ref
        self.pump()

    def forget(self, announcement_id: str) -> None:
        for lane in self._lanes:
            lane.pop(announcement_id, None)

    def health_changed(self, down: Down | None) -> None:
        """A channel that was down starts again with one in flight, doubling after each clean round.

        Nothing goes, no trial either, before a refill has decided which late copies are still wanted.
        """
        tried, tries = _is_on_trial(self.down), _is_on_trial(down)
        is_back = self.down is not None and down is None
        if is_back:
            self._clean_rounds, self._clean_in_round = 0, 0
        if is_back or tries:
            self.backlog = True
        if is_back or (tries and not tried):
            self._is_sifted = False
        self.down = down
        self.pump()

    def slow_down(self, wait_s: float) -> None:
        """The platform asked us to come later: everything for this channel waits, then begins with one in flight."""
        self._slow_until = max(self._slow_until, self._now() + wait_s)
        self._clean_rounds, self._clean_in_round = 0, 0

    def refilled(self, refs: Sequence[DueRef]) -> None:
        """Takes in what a refill found, urgent ones first: a full page may not have been all of them."""
        is_full = len(refs) == REFILL
        self.backlog = is_full and self.waiting + self._in_flight > 0
        self._more_urgent = is_full and refs[-1].urgent

    def sifted(self) -> None:
        """What is still wanted of what waited for the channel may go."""
        self._is_sifted = True
        self.pump()

    # permits

    def try_permit(self) -> Permit | None:
        """A permit at once, if nothing waits before; for deliveries that are born `sending`."""
        waiting = any(self._lanes) or self._timer is not None
        return None if waiting or self.down is not None or not self._free() else self._give()

    def pump(self) -> None:
        """Gives permits as long as there are any; asks for a refill when one is needed, or waits for the window."""
        self._ask_for_more()
        while any(self._lanes) and self._free():
            ref, permit = self._take(), self._give()
            if not self._send(ref, permit):
                permit.give_back()
            self._ask_for_more()
        self._wait_for_the_window()

    def returned(self, clean: bool | None) -> None:
        self._in_flight -= 1
        if clean is False and self._clean_rounds is not None:
            self._clean_rounds, self._clean_in_round = 0, 0
        elif clean:
            self._count_clean()
        self.pump()

    async def turn(self) -> None:
        """Waits until an attempt that got its permit may begin: intents are durable after different times, so permits
        that were given a second apart may come to use at once."""
        while (wait := self._begun.wait(self._now())) > 0:
            await self._clock.sleep(wait)
        self._begun.give(self._now())

    @property
    def recovers(self) -> bool:
        """Its channel is down, or was and is not yet at full speed: what waits for it may be late copies."""
        return self.down is not None or self._clean_rounds is not None

    @property
    def stopped(self) -> bool:
        """Nothing may begin, whoever has a permit: paused, or held."""
        return self.paused or self.held

    @property
    def waiting(self) -> int:
        return sum(len(lane) for lane in self._lanes)

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def stop(self) -> None:
        self.paused = True
        if self._timer:
            self._timer.cancel()
            self._timer = None

    # inside

    def _allowed(self) -> int:
        down, may_try = self.down is not None, _is_on_trial(self.down)
        return allowed_in_flight(self._profile, self._clean_rounds, down=down, may_try=may_try)

    def _free(self) -> bool:
        waits = self.stopped or not self._is_sifted
        return not waits and self._in_flight < self._allowed() and self._wait_s() <= 0

    def _ask_for_more(self) -> None:
        wants_more = self.backlog and (self._urgent_ran_out or not (any(self._lanes) and self._is_sifted))
        if wants_more and self._allowed() > self._in_flight and not self.stopped:
            self.backlog = self._urgent_ran_out = False
            self._fetch(self)

    def _wait_s(self) -> float:
        now = self._now()
        return max(self._window.wait(now), self._slow_until - now)

    def _give(self) -> Permit:
        self._in_flight += 1
        self._window.give(self._now())
        return Permit(self, trial=self.down is not None)

    def _take(self) -> DueRef:
        """Urgent first; new and old in turn. A trial takes the oldest owed copy, never a new urgent one."""
        urgent, new, old = self._lanes
        if self.down is not None:
            order = (old, new, urgent)
        else:
            order = (urgent, old, new) if self._old_next else (urgent, new, old)
            self._old_next = not self._old_next
        lane = next(filter(None, order))
        ref = lane.popitem(last=False)[1]
        self._urgent_ran_out |= lane is urgent and not urgent and self._more_urgent
        return ref

    def _count_clean(self) -> None:
        if self._clean_rounds is None:
            return
        self._clean_in_round += 1
        if self._clean_in_round >= 2**self._clean_rounds:
            self._clean_rounds, self._clean_in_round = self._clean_rounds + 1, 0
            if 2**self._clean_rounds >= self._profile.max_in_flight:
                self._clean_rounds = None

    def _wait_for_the_window(self) -> None:
        if self._timer is None and any(self._lanes) and (wait := self._wait_s()) > 0:
            self._timer = asyncio.get_running_loop().call_later(wait, self._window_open)

    def _window_open(self) -> None:
        self._timer = None
        self.pump()

    def _now(self) -> float:
        return self._clock.monotonic()


def _is_on_trial(down: Down | None) -> bool:
    return down is not None and down.half_open
