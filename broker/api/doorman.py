"""Who may come in: API keys, their scopes and agencies, and the lock-out of those who guess."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from aiohttp import web

from broker.api.problems import LockedOut
from broker.clock import Clock
from broker.errors import Forbidden, Unauthorised
from broker.rules.agency import Agency, ApiKey, Scope

FAILURES_AT_MOST = 20
WINDOW = 60.0
SOURCES_KEPT = 10_000
LONGEST_KEY = 512

K = TypeVar("K")
V = TypeVar("V")

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A caller whose key is known."""

    agency: str
    key: ApiKey


@dataclass(slots=True)
class _Window:
    began: float
    failures: int = 0


class Doorman:
    """Lets callers in by their key.

    After 20 wrong keys within a minute nothing from that source is looked at until the minute is over, except keys that
    came from there and were right before: behind one proxy all callers share a source, and whoever guesses there must
    not be able to shut the desk out.
    """

    def __init__(self, agencies: Iterable[Agency], clock: Clock, proxies: Collection[str] = ()) -> None:
        """`proxies`: addresses whose X-Forwarded-For is believed."""
        self._visitors = {key.sha256: Visitor(agency.key, key) for agency in agencies for key in agency.keys}
        self._clock, self._proxies = clock, frozenset(proxies)
        self._failures: OrderedDict[str, _Window] = OrderedDict()
        self._welcome: OrderedDict[tuple[str, str], None] = OrderedDict()

    def admit(self, request: web.Request, scope: Scope) -> Visitor:
        """Raises `Unauthorised`, `Forbidden` or `LockedOut`. Keys are looked up by their digest: what that time
        may tell is about digests, from which nobody makes a key."""
        given = request.headers.getall("Authorization", [])
        if not given:
            raise Unauthorised("No API key came with the request.")
        visitor = self._let_in(request, _digest(given))
        if scope not in visitor.key.scopes:
            raise Forbidden(f"This call needs a key with the scope `{scope}`.")
        return visitor

    def sign_in(self, request: web.Request, key: str) -> Visitor:
        """As `admit`, by a key that a person typed in."""
        return self._let_in(request, _digest([f"Bearer {key}"]))

    def whose(self, sha256: str) -> Visitor | None:
        """Whose key this is; None once it is configured no more."""
        return self._visitors.get(sha256)

    def _let_in(self, request: web.Request, digest: str) -> Visitor:
        source = self.source(request)
        locked_for = self._locked_for(source)
        if locked_for and (source, digest) not in self._welcome:
            raise LockedOut(locked_for)
        visitor = self._visitors.get(digest)
        if visitor is None:
            self._failed(source)
            raise Unauthorised("The API key cannot be used.")
        _keep(self._welcome, (source, digest), None)
        return visitor

    def source(self, request: web.Request) -> str:
        """Whom failures are counted against: the peer, or whom a proxy of ours names; an IPv6 network as one."""
        address = request.remote or "local"
        if address in self._proxies and (named := request.headers.getall("X-Forwarded-For", [])):
            address = named[-1].rpartition(",")[2].strip()
        return _network(address)

    def _locked_for(self, source: str) -> int:
        """Seconds; 0 when the source is not locked out."""
        window = self._failures.get(source)
        if window is None or window.failures < FAILURES_AT_MOST:
            return 0
        left = window.began + WINDOW - self._clock.monotonic()
        return int(left) + 1 if left > 0 else 0

    def _failed(self, source: str) -> None:
        now = self._clock.monotonic()
        window = self._failures.get(source)
        if window is None or now - window.began >= WINDOW:
            window = _Window(now)
        window.failures += 1
        _keep(self._failures, source, window)


def _digest(given: list[str]) -> str:
    """SHA-256 of the one key that was sent; of several headers, or of another form, one that no key has."""
    bearer = _BEARER.fullmatch(given[0]) if len(given) == 1 and len(given[0]) <= LONGEST_KEY else None
    return hashlib.sha256(bearer[1].encode()).hexdigest() if bearer else ""


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> None:
    """Remembers the newest only: memory stays bounded whoever calls."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > SOURCES_KEPT:
        kept.popitem(last=False)


@lru_cache(maxsize=1024)
def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)
