"""How fast one channel may be used now (docs/failover.md, "Pacer"). Pure; the pacer keeps the counts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from broker.contract import Profile

WINDOW_S = 1.0


def allowed_in_flight(profile: Profile, clean_rounds: int | None, *, down: bool, may_try: bool) -> int:
    """Permits that may be out at once: none while down, one on trial, doubling with each clean round after an outage.

    `clean_rounds` is None when the channel has not failed since it was last at full speed.
    """
    if down:
        return 1 if may_try else 0
    if clean_rounds is None:
        return profile.max_in_flight
    return int(min(2 ** min(clean_rounds, 16), profile.max_in_flight))


@dataclass(slots=True)
class RateWindow:
    """Never more than `rate` permits in any second (or one in 1/rate seconds); counts permits by monotonic time."""

    rate_per_s: float
    _given: deque[float] = field(default_factory=deque)
    _most: int = field(init=False)
    _span: float = field(init=False)

    def __post_init__(self) -> None:
        self._most = max(1, int(self.rate_per_s))
        self._span = max(WINDOW_S, 1 / self.rate_per_s)

    def wait(self, now: float) -> float:
        """Seconds until a permit may be given; 0: now."""
        if len(self._given) < self._most:
            return 0.0
        return max(0.0, self._given[0] + self._span - now)

    def give(self, now: float) -> None:
        self._given.append(now)
        while len(self._given) > self._most:
            self._given.popleft()
