"""One channel's rotating token: kept durable, renewed by age, by one at a time, and never lightly.

A refresh token often works once, so a renewal whose answer is lost may leave us with nothing but the access token we
have. Hence: the intent is durable before the renewal leaves, the new pair before it is used; nothing is renewed while
the operator fails, for its logged-out answers are part of the outage; and with an intent that has no result we go on
with the access token, call the desk, and try the old refresh token only when there is nothing left to lose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from broker.clock import Clock
from broker.contract import Refresh, TokenPair
from broker.engine.calls import Call
from broker.errors import StoreError
from broker.model import Reason
from broker.outcome import Denied, Outcome, Rejected, Throttled, Unavailable, Uncertain, bounded
from broker.store import Store, Token, fingerprint

PATIENCE = timedelta(minutes=2)
"""An intent younger than this may still get its answer; an older one is lost."""
AGAIN = timedelta(minutes=1)
AGAIN_REFUSED = timedelta(minutes=15)
AGAIN_UNSAVED = timedelta(seconds=10)
WARN_BEFORE, LAST_PART = timedelta(days=7), 1 / 4
"""People hear of the end of a token a week before, but not before the last quarter of its life."""
NEARLY_OVER = 20
"""A token is nearly over when a twentieth of its life is left (of Zalo's 25 h: 75 min)."""
REMEMBERED = 200
"""So many earlier tokens are known by name, so that an old configuration does not replace a newer token."""
_WAITS, _WAIT_S = 10, 0.5

log = structlog.get_logger("loa.vault")


class TokenVault:
    """The vault of one channel (`broker.contract.Vault`). `slot` names its row in the store: `agency/channel`."""

    def __init__(
        self,
        store: Store,
        slot: str,
        clock: Clock,
        call: Call,
        *,
        operator_failing: Callable[[], bool],
        on_trouble: Callable[[Reason], None],
    ) -> None:
        self._store, self._slot, self._clock, self._call = store, slot, clock, call
        self._operator_failing, self._on_trouble = operator_failing, on_trouble
        self._token: Token | None = None
        self._unsaved: tuple[Token, str] | None = None
        self._renewal: asyncio.Task[Token] | None = None
        self._own_intent: datetime | None = None
        self._not_before: datetime | None = None
        self._told: set[str] = set()
        self._trouble: Reason | None = None

    async def pair(self, seed: TokenPair, refresh: Refresh) -> TokenPair:
        """The pair to use now, renewed first when that is due and possible; its `access` is "" if there is none yet."""
        token = self._token or await self._first(seed)
        if token.intent_at:  # another process may have its answer by now
            token = await self._read(token)
        if self._is_due(token):
            token = await self._renewed(token.pair.access, refresh, refused=False)
        return token.pair

    async def refused(self, access: str, refresh: Refresh) -> TokenPair | None:
        """After the platform refused `access`: a newer pair, or None when there is none to be had."""
        token = self._token
        if token is None or token.pair.access == access:
            token = await self._renewed(access, refresh, refused=True)
        return token.pair if token.pair.access not in ("", access) else None

    async def replace(self, pair: TokenPair, seed: TokenPair) -> None:
        """A person's new pair. A renewal under way goes on and finds that its parent is no more."""
        await self._first(seed)
        while True:
            held = await self._call(self._store.token, self._slot)
            token, parent = _child(held, pair), fingerprint(held.pair) if held else None
            if await self._call(self._store.put_token, self._slot, token, parent=parent):
                break
        self._unsaved, self._not_before = None, None
        self._told.clear()
        self._trouble = None
        self._token = token
        log.info("token_replaced", slot=self._slot, expires_at=pair.expires_at)

    @property
    def ends_at(self) -> datetime | None:
        """When the token we have ends, as far as that is known."""
        return self._token.pair.expires_at if self._token else None

    def trouble(self) -> Reason | None:
        """What people should know of the token: it cannot be renewed, or its end is near and nothing has put it off."""
        if self._trouble is not None or self._token is None or self.ends_at is None:
            return self._trouble
        left = self.ends_at - self._clock.now()
        early = self._token.pair.issued_at is not None and self._left(self._token.pair) > LAST_PART
        if left > WARN_BEFORE or early:
            return None
        return self._reason("token_ends", {"days": max(left, timedelta(0)).days})

    async def close(self) -> None:
        """Waits for a renewal under way: its answer must not be lost. Before the session and the store are closed."""
        if self._renewal:
            await asyncio.gather(self._renewal, return_exceptions=True)
        if self._unsaved:
            await self._keep(*self._unsaved)

    # what is in the store

    async def _first(self, seed: TokenPair) -> Token:
        """The stored token, or the configuration's if there is none or a person has put a new one there."""
        held = await self._call(self._store.token, self._slot)
        if not (seed.access or seed.refresh):  # an account that is connected, or will be, and not configured
            return held or Token(seed, None, None)
        if held is None or _name(seed) not in {_name(held.pair), *_ancestors(held)}:
            parent = fingerprint(held.pair) if held else None
            await self._call(self._store.put_token, self._slot, _child(held, seed), parent=parent)
            held = await self._call(self._store.token, self._slot)
        self._token = held or Token(seed, None, None)
        return self._token

    async def _read(self, known: Token) -> Token:
        self._token = await self._call(self._store.token, self._slot) or known
        return self._token

    async def _keep(self, token: Token, parent: str) -> Token:
        """The new token, once it is durable; until then the old one."""
        self._unsaved = (token, parent)
        try:
            stored = await self._call(self._store.put_token, self._slot, token, parent=parent)
        except StoreError as error:
            self._wait(AGAIN_UNSAVED)
            self._tell("token_unsaved", detail=str(error))
            return self._token or token
        self._unsaved = None
        if not stored:  # a person has put in another one meanwhile
            return await self._read(token)
        self._token, self._not_before = token, None
        self._told.clear()
        self._trouble = None
        log.info("token_renewed", slot=self._slot, expires_at=token.pair.expires_at)
        return token

    # when to renew

    def _is_due(self, token: Token) -> bool:
        """By age, at half of its life; nearly at its end if the refresh token may be burned."""
        if not (token.pair.access or token.pair.refresh):
            return False
        if self._is_lost(token):
            self._tell("token_lost", until=token.pair.expires_at)
        if self._unsaved:
            return not self._is_waiting()
        part = 1 / NEARLY_OVER if token.intent_at else 1 / 2
        return self._may_try() and (not token.pair.access or self._left(token.pair) < part)

    def _is_lost(self, token: Token) -> bool:
        """A renewal began whose answer nobody has."""
        return not self._unsaved and token.intent_at is not None and self._clock.now() >= token.intent_at + PATIENCE

    def _left(self, pair: TokenPair) -> float:
        """The part of its life that is left; all of it when its times are not known."""
        if pair.issued_at is None or pair.expires_at is None or pair.expires_at <= pair.issued_at:
            return 1.0
        return (pair.expires_at - self._clock.now()) / (pair.expires_at - pair.issued_at)

    def _may_try(self) -> bool:
        return not self._is_waiting() and not self._operator_failing()

    def _is_waiting(self) -> bool:
        return self._not_before is not None and self._clock.now() < self._not_before

    def _wait(self, time: timedelta) -> None:
        self._not_before = self._clock.now() + time

    # renewing

    async def _renewed(self, access: str, refresh: Refresh, refused: bool) -> Token:
        """One renewal serves all who wait, and outlives them: its answer must not be lost with a cancelled job."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(access, refresh, refused), name=f"renew {self._slot}")
        return await asyncio.shield(self._renewal)

    async def _renew(self, access: str, refresh: Refresh, refused: bool) -> Token:
        if self._unsaved:
            return await self._keep(*self._unsaved)
        token = await self._read(self._token or Token(TokenPair(access), None, None))
        if refused and self._is_anothers(token.intent_at):
            token = await self._awaited(access)
        if token.pair.access != access or not (self._may_try() if refused else self._is_due(token)):
            return token
        try:
            return await self._traded(token, refresh) or (await self._awaited(access) if refused else token)
        except StoreError:  # without a durable intent nothing leaves
            self._wait(AGAIN_UNSAVED)
            return token

    async def _traded(self, token: Token, refresh: Refresh) -> Token | None:
        """The token after the attempt; None when another process is at it."""
        now, name = self._clock.now(), fingerprint(token.pair)
        self._own_intent = now
        mark = self._store.mark_refresh
        if not await self._call(mark, self._slot, parent=name, at=now, stale=now - PATIENCE):
            return None
        result = await refresh(token.pair)
        if isinstance(result, TokenPair):
            return await self._keep(_child(token, result), name)
        if not self._blame(token, result):  # the token was not traded: the intent is taken back
            await self._call(self._store.put_token, self._slot, token, parent=name)
        return await self._read(token)

    def _blame(self, token: Token, result: Outcome) -> bool:
        """Tells what kept us from renewing, and when to try again; True if the old refresh token may be burned."""
        match result:
            case Denied(detail) | Rejected(_, detail):
                self._wait(AGAIN_REFUSED)
                self._tell("token_refused", detail=detail)
            case Unavailable(retry_after=wait) | Throttled(retry_after=wait):
                self._wait(max(bounded(wait), AGAIN))
            case _:
                self._wait(PATIENCE)
                detail = result.detail if isinstance(result, Uncertain) else type(result).__name__
                self._tell("token_lost", detail=detail, until=token.pair.expires_at)
                return True
        return False

    def _is_anothers(self, intent_at: datetime | None) -> bool:
        is_young = intent_at is not None and self._clock.now() < intent_at + PATIENCE
        return is_young and intent_at != self._own_intent

    async def _awaited(self, access: str) -> Token:
        """What another process makes of `access`; the old token if that takes too long."""
        known = Token(TokenPair(access), None, None)
        for _ in range(_WAITS):
            if (known := await self._read(known)).pair.access != access:
                break
            await self._clock.sleep(_WAIT_S)
        return known

    def _tell(self, key: str, **args: object) -> None:
        """Once until a token is renewed: one call of the desk for one trouble."""
        if key not in self._told:
            self._told.add(key)
            self._trouble = self._reason(key, {name: value for name, value in args.items() if value})
            self._on_trouble(self._trouble)

    def _reason(self, key: str, args: Mapping[str, object]) -> Reason:
        """With the command that helps: there the channel goes by its own name, not by the one people know."""
        channel = self._slot.rpartition("/")[2]
        return Reason(key, {"channel": channel, "command": f"loa connect {channel}", **args})


def _name(pair: TokenPair) -> str:
    return fingerprint(pair)[:16]


def _ancestors(token: Token) -> list[str]:
    return (token.parent or "").split()


def _child(parent: Token | None, pair: TokenPair) -> Token:
    line = [_name(parent.pair), *_ancestors(parent)] if parent else []
    return Token(pair, " ".join(line[:REMEMBERED]) or None, None)
