"""Faults: what an emulator can be told to do wrong, as plain values that also travel as JSON.

Fault(Kind.STORED_THEN_RESET, step="publish", times=1)     the next publish is stored, its answer lost
Fault(Kind.LOGGED_OUT, step="writes")                      every write, until cleared
Fault(Kind.HTML_503, lasting=20)                           twenty seconds
Fault(Kind.REFUSED, up=5, down=5)                          flaps: five seconds up, five refused, and so on
Fault(Kind.THROTTLED, every=3, after=30)                   each third call; "come back in 30 s"
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Self


class Kind(StrEnum):
    """Every fault there is. An emulator may support fewer; it says which when asked for another."""

    # The connection: no request is ever read, so these know hosts but no steps.
    REFUSED = "refused"  # the listening socket is closed; the same port opens again afterwards
    BLACK_HOLE = "black_hole"  # TCP connects, nothing is read or answered
    TLS_RESET = "tls_reset"  # reset at the client's first bytes

    # The exchange: the request was read.
    RESET_BEFORE = "reset_before"  # reset, not processed
    STALL = "stall"  # no answer, never processed
    STORED_THEN_RESET = "stored_then_reset"  # processed, then reset before the answer
    STORED_THEN_STALL = "stored_then_stall"  # processed, no answer
    RUN_LATER = "run_later"  # no answer; processed `after` seconds (40) later
    HTML_500 = "html_500"
    HTML_503 = "html_503"
    GARBAGE_200 = "garbage_200"
    EMPTY_200 = "empty_200"
    TRUNCATED_JSON = "truncated_json"  # processed; the answer ends in the middle
    SLOW_DRIP = "slow_drip"  # processed; the answer comes byte by byte, `after` seconds (0.5) apart

    # The platform's own words: each emulator knows how its platform says this.
    SERVER_ERROR = "server_error"
    ERROR_IN_200 = "error_in_200"
    THROTTLED = "throttled"  # `after`: seconds until it may be tried again
    LOGGED_OUT = "logged_out"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NO_PERMISSION = "no_permission"
    POLICY = "policy"  # this content is refused
    SUSPENDED = "suspended"

    # Behaviour: the call itself succeeds.
    SILENT_DROP = "silent_drop"  # success with an id, nothing is published
    EMPTY_LIST = "empty_list"
    LIST_LAG = "list_lag"  # lists show posts only `after` seconds (60) after they were made
    NEVER_FINISH = "never_finish"  # processing goes on for ever
    REFUSE_LATER = "refuse_later"  # taken, then refused by those who look at it
    INVISIBLE = "invisible"  # kept, and shown to nobody but its makers
    REMOVE_LATER = "remove_later"  # the platform takes the post away `after` seconds (5) after it was made

    # Short names for two well-known disasters.
    PASS_PROBES_REFUSE_POSTS = "pass_probes_refuse_posts"  # noqa: S105 - no password; = server_error on writes
    LOSE_REFRESH_ANSWER = "lose_refresh_answer"  # = stored_then_reset on the step "token"


CONNECTION = frozenset({Kind.REFUSED, Kind.BLACK_HOLE, Kind.TLS_RESET})
EXCHANGE = frozenset(
    {
        Kind.RESET_BEFORE,
        Kind.STALL,
        Kind.STORED_THEN_RESET,
        Kind.STORED_THEN_STALL,
        Kind.RUN_LATER,
        Kind.HTML_500,
        Kind.HTML_503,
        Kind.GARBAGE_200,
        Kind.EMPTY_200,
        Kind.TRUNCATED_JSON,
        Kind.SLOW_DRIP,
    }
)
SHAPED = frozenset(
    {
        Kind.SERVER_ERROR,
        Kind.ERROR_IN_200,
        Kind.THROTTLED,
        Kind.LOGGED_OUT,
        Kind.EXPIRED,
        Kind.REVOKED,
        Kind.NO_PERMISSION,
        Kind.POLICY,
        Kind.SUSPENDED,
    }
)
BEHAVIOUR = frozenset(
    {
        Kind.SILENT_DROP,
        Kind.EMPTY_LIST,
        Kind.LIST_LAG,
        Kind.NEVER_FINISH,
        Kind.REFUSE_LATER,
        Kind.INVISIBLE,
        Kind.REMOVE_LATER,
    }
)
_SHORT_FOR = {
    Kind.PASS_PROBES_REFUSE_POSTS: (Kind.SERVER_ERROR, "writes"),
    Kind.LOSE_REFRESH_ANSWER: (Kind.STORED_THEN_RESET, "token"),
}


class FaultError(ValueError):
    """The fault cannot be set; the text lists what can."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, until it is used up, over or cleared."""

    kind: Kind
    step: str | None = None  # a step of the emulator, "writes", "reads", or None for every call
    host: str | None = None  # one of the emulator's hosts, or None for all
    times: int | None = None  # how often (connections, for connection faults); None: no limit
    every: int = 1  # only each n-th matching call
    lasting: float | None = None  # seconds from now; None: until cleared
    up: float = 0.0  # with `down`: flapping, healthy for `up` seconds first
    down: float = 0.0
    after: float | None = None  # the fault's own delay in seconds, see `Kind`
    stored: bool = False  # for faults that answer: process the request first

    @classmethod
    def of(cls, kind: str, **rest: object) -> Self:
        """A fault from its name and fields, as a test or the control port says it; FaultError names what is wrong."""
        known = {f.name for f in fields(cls)} - {"kind"}
        if unknown := sorted(rest.keys() - known):
            raise FaultError(f"unknown field {unknown[0]!r} of a fault: choose from {', '.join(sorted(known))}")
        if kind not in list(Kind):
            raise FaultError(f"unknown fault {kind!r}: choose one of {', '.join(Kind)}")
        return cls(Kind(kind), **rest)._checked()  # type: ignore[arg-type]  # _checked looks at every field

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """The fault that `to_json` wrote, or FaultError."""
        rest = dict(data)
        kind = rest.pop("kind", None)
        if not isinstance(kind, str):
            raise FaultError(f'a fault needs a "kind": one of {", ".join(Kind)}')
        return cls.of(kind, **rest)

    def to_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    def _checked(self) -> Self:
        for name in ("step", "host"):
            _check(getattr(self, name) is None or isinstance(getattr(self, name), str), name, "a string or null")
        for name in ("lasting", "after", "up", "down"):
            _check(_is_seconds(getattr(self, name)), name, "seconds, 0 or more")
        _check(self.times is None or _is_count(self.times), "times", "1 or more, or null for no limit")
        _check(_is_count(self.every), "every", "1 or more")
        _check(isinstance(self.stored, bool), "stored", "true or false")
        return self


def _check(is_good: bool, name: str, wanted: str) -> None:
    if not is_good:
        raise FaultError(f"{name!r} of a fault must be {wanted}")


def _is_seconds(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(slots=True)
class _Armed:
    """A fault with its use so far. Times are loop times."""

    fault: Fault
    since: float
    seen: int = 0
    used: int = 0

    def is_on(self, now: float) -> bool:
        return not self.is_over(now) and self._phase(now) >= self.fault.up

    def is_over(self, now: float) -> bool:
        fault = self.fault
        used_up = fault.times is not None and self.used >= fault.times
        return used_up or (fault.lasting is not None and now >= self.since + fault.lasting)

    def matches(self, step: str | None, is_write: bool, host: str | None) -> bool:
        fault = self.fault
        return fault.host in (None, host) and fault.step in (None, step, "writes" if is_write else "reads")

    def next_change(self, now: float) -> float:
        """Seconds until it turns on, off or is over by time alone; infinite when it never does."""
        fault = self.fault
        end = self.since + fault.lasting - now if fault.lasting is not None else float("inf")
        if not fault.down:
            return end
        phase = self._phase(now)
        return min(end, (fault.up if phase < fault.up else fault.up + fault.down) - phase)

    def _phase(self, now: float) -> float:
        fault = self.fault
        return (now - self.since) % (fault.up + fault.down) if fault.down else fault.up


@dataclass(slots=True)
class Faults:
    """The faults of one emulator, in the order they were set; the first that matches is taken."""

    kinds: frozenset[Kind]
    steps: Mapping[str, bool]  # name -> does it write?
    hosts: Sequence[str]
    on_change: Callable[[], None]
    _armed: list[_Armed] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Arm `fault` from now on. FaultError if this emulator has no such fault, step or host."""
        if fault.kind in _SHORT_FOR:
            kind, step = _SHORT_FOR[fault.kind]
            fault = replace(fault, kind=kind, step=fault.step or step)
        self._check(fault)
        self._armed.append(_Armed(fault, _loop_time()))
        self.on_change()

    def clear(self) -> None:
        self._armed.clear()
        self.on_change()

    def active(self) -> list[Fault]:
        """The faults not yet used up or over; a flapping one counts also while it is up."""
        now = _loop_time()
        self._armed = [armed for armed in self._armed if not armed.is_over(now)]
        return [armed.fault for armed in self._armed]

    def take(self, kinds: frozenset[Kind] | Kind, step: str | None, host: str | None = None) -> Fault | None:
        """The fault of these kinds that strikes this call, used once by it. Behaviour has no host."""
        now, wanted = _loop_time(), kinds if isinstance(kinds, frozenset) else frozenset({kinds})
        for armed in self._armed:
            if armed.fault.kind not in wanted or not armed.is_on(now):
                continue
            if not armed.matches(step, self.steps.get(step or "", False), host):
                continue
            armed.seen += 1
            if armed.seen % armed.fault.every == 0:
                armed.used += 1
                return armed.fault
        return None

    def connection(self, host: str) -> Kind | None:
        """The connection fault now in force on `host`; asking does not use it."""
        now = _loop_time()
        for armed in self._armed:
            if armed.fault.kind in CONNECTION and armed.is_on(now) and armed.fault.host in (None, host):
                return armed.fault.kind
        return None

    def next_change(self) -> float | None:
        """Seconds until a connection fault turns on or off by time alone."""
        now = _loop_time()
        waits = [a.next_change(now) for a in self._armed if a.fault.kind in CONNECTION and not a.is_over(now)]
        soonest = min(waits, default=float("inf"))
        return None if soonest == float("inf") else soonest

    def _check(self, fault: Fault) -> None:
        if fault.kind not in self.kinds:
            raise FaultError(f"this emulator has no fault {str(fault.kind)!r}: choose one of {_names(self.kinds)}")
        if fault.step not in (None, "writes", "reads", *self.steps):
            raise FaultError(f"unknown step {fault.step!r}: choose one of {_names(self.steps)}, writes, reads, or none")
        if fault.host not in (None, *self.hosts):
            raise FaultError(f"unknown host {fault.host!r}: choose one of {_names(self.hosts)}, or none")
        if fault.kind in BEHAVIOUR and fault.host is not None:
            raise FaultError(f"{str(fault.kind)!r} happens behind all hosts: leave 'host' out")
        if fault.kind in CONNECTION and fault.step is not None:
            raise FaultError(f"{str(fault.kind)!r} strikes before a request is read, so it cannot be limited to a step")
        if fault.kind is Kind.REFUSED and (fault.times is not None or fault.every != 1):
            raise FaultError("a closed socket counts no calls: limit 'refused' by 'lasting' or 'up' and 'down'")


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
