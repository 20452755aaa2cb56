"""The store's contract: what is written together, what is guarded by what, and what can be read.

One `commit` is one durable transaction. Writes are *operations* (frozen values); the engine's writer collects them
into batches. Every `Save` is guarded by the announcement's owner and epoch and by each delivery's state and attempt: a
guard that fails writes nothing of that operation and answers `Lost`. Times are stored as integer microseconds since
1970, UTC.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol, Self

from msgspec import Struct

from broker.contract import TokenPair
from broker.model import Announcement, Case, Delivery, Event, State, Status
from broker.outcome import Cause


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The caller's key with a digest of the body it came with; unique per agency, kept 24 h."""

    key: str
    digest: str


class Accept(Struct, frozen=True):
    """One new announcement: row, deliveries with composed text, first events, idempotency record, all or nothing."""

    case: Case
    events: tuple[Event, ...]
    idempotency: IdempotencyRecord | None = None
    tells: InboxEntry | None = None
    """What it says about another announcement: that it replaces it."""


class Change(Struct, frozen=True):
    """A delivery's new row, guarded by the state and attempt it had."""

    delivery: Delivery
    was: State
    attempt: int
    recomposed: bool = True
    """False spares the store the composed text: it is the one already kept."""

    @classmethod
    def of(cls, old: Delivery, new: Delivery) -> Self:
        return cls(new, old.state, old.attempt, recomposed=new.composed is not old.composed)


class Save(Struct, frozen=True):
    """What one decision changes of one announcement."""

    announcement: Announcement
    """The new row; `owner` and `epoch` are the guard, never changed by a Save."""
    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    inbox_done: tuple[int, ...] = ()
    """Inbox entries this decision settles; removed in the same transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEntry:
    """Something any process may tell the owner: evidence, a receipt, a person's word, a withdrawal."""

    announcement_id: str
    channel: str | None
    attempt: int | None
    kind: str
    """`outcome`, `resolution`, `withdrawal`, `replaced`, `reopen`."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0
    """Given by the store; 0 before it is inserted."""


@dataclass(frozen=True, slots=True)
class SaveBreaker:
    """A channel's health as JSON-ready data; kept so that a restart in an outage burns nothing."""

    channel_key: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SaveSetting:
    """A small named fact (`paused:agency/facebook`, an alert's episode); `data` None removes it."""

    key: str
    data: Mapping[str, Any] | None


Operation = Accept | Save | InboxEntry | SaveBreaker | SaveSetting


def row_of(operation: Operation) -> Hashable:
    """What an operation changes, for telling whether two concern the same; None if it only adds."""
    match operation:
        case Save(announcement):
            return announcement.id
        case Accept(case):
            return case.announcement.id
        case SaveBreaker(key) | SaveSetting(key):
            return type(operation), key
        case InboxEntry():
            return None


@dataclass(frozen=True, slots=True)
class Done:
    """Durable. Also the answer to a write found done by an earlier, unacknowledged commit."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The guard did not match: another run owns the announcement, or the row is not as expected."""

    why: str


@dataclass(frozen=True, slots=True)
class Exists:
    """An `Accept` met an earlier one: by the same idempotency key or the same external id."""

    announcement_id: str
    same_body: bool
    by: str
    """`idempotency_key`, `external_id`, or `reference`: taken by chance, choose another and accept again."""


@dataclass(frozen=True, slots=True)
class Broken:
    """This operation alone cannot be written (a data error); the rest of its batch was."""

    error: str


Result = Done | Lost | Exists | Broken


@dataclass(frozen=True, slots=True)
class Run:
    """One life of one broker process."""

    id: str
    lease_until: datetime
    set_back: bool = False
    """At its begin the clock showed less than an earlier run had seen: nobody knows how far it was set back."""


@dataclass(frozen=True, slots=True)
class DueRef:
    """A delivery waiting for its channel, as the pacer orders them."""

    announcement_id: str
    channel: str
    urgent: bool
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A vault entry. `parent` names the tokens it descends from, newest first, by their fingerprints' beginnings."""

    pair: TokenPair
    parent: str | None
    intent_at: datetime | None
    """Set while a refresh is under way whose answer is not recorded."""


RESTORED = "restored:"
"""Settings of a store that comes from a backup, one an agency: when that was taken. Gone once people have decided."""

KEY_LIFETIME = timedelta(hours=24)
"""How long an idempotency key is remembered."""


def fingerprint(pair: TokenPair) -> str:
    """Names the token a pair is renewed by, without giving it away."""
    return sha256((pair.refresh or pair.access).encode()).hexdigest()


class Store(Protocol):
    """Synchronous; called from the writer's thread (`commit` and the run's calls) and from readers' threads (the rest).

    Raises `StoreInUse` at open, `StoreFull` when the disk is full (nothing of the batch was written), `StoreError`
    for everything after which nothing may be acknowledged (an fsync error).
    """

    def open(self) -> None:
        """Takes the store, migrates it forward. SQLite: raises `StoreInUse` if another process has it."""
        ...

    def close(self) -> None: ...

    def now(self) -> datetime:
        """The clock leases are measured by."""
        ...

    def release_ballast(self) -> bool:
        """Frees the space held back for results, once the disk is full; False if there is none (left)."""
        ...

    def renew_ballast(self) -> bool:
        """Holds the space back again; False while the disk is too full for that."""
        ...

    # writes, one thread

    def commit(self, operations: Sequence[Operation]) -> list[Result]:
        """Writes all in one durable transaction, as if one after the other; one result per operation."""
        ...

    def tidy(self) -> None:
        """Does now what a later `commit` would have to do first: called when nobody waits for one."""
        ...

    def begin_run(self, run_id: str, lease: timedelta) -> Run:
        """Registers a run. SQLite: ends every earlier run at once, because the file's lock proves it is gone."""
        ...

    def renew_run(self, run_id: str, lease: timedelta) -> Run | None:
        """Extends the lease; None when the run was ended by another."""
        ...

    def forget_clocks(self, run_id: str) -> bool:
        """This run has decided everything it took over: that an earlier one's clock was ahead matters no longer, unless
        that run still owns what may be out. Whether it matters for none; then a later run is not `set_back` by it."""
        ...

    def end_run(self, run_id: str) -> None:
        """Gives all its announcements back at once."""
        ...

    def claim(self, run_id: str, now: datetime, limit: int) -> list[Case]:
        """Takes open announcements (`closed_at` null) whose owner is null or an ended run: owner set, epoch grown.

        Oldest `wake_at` first; only those with `wake_at` null or <= now + 1 h are worth holding, the rest stay until
        due. For the announcements of an ended run *now* is at least the end of its lease: the clock may have been set
        back since, and what it had in flight must not wait until the clock has caught up.
        """
        ...

    def adopt(self, run_id: str, announcement_ids: Sequence[str]) -> list[Case]:
        """Takes these, closed ones too, unless a living run owns them: for late evidence and a person's word."""
        ...

    def release(self, run_id: str, announcement_ids: Sequence[str]) -> None:
        """Gives these back: owner null, epoch kept."""
        ...

    # reads, any thread

    def load(self, announcement_ids: Sequence[str]) -> list[Case]: ...

    def owned(self, run_id: str) -> set[str]:
        """Ids of open announcements this run owns, for the ownership sweep."""
        ...

    def unfinished(self, agency: str, until: datetime) -> list[str]:
        """Ids of the agency's open announcements accepted up to then, whoever owns them, oldest first."""
        ...

    def woken(self, run_id: str, now: datetime, limit: int) -> list[str]:
        """Ids this run owns with `wake_at` <= now, oldest first (for cases not held in memory)."""
        ...

    def due(self, agency: str, channel: str, now: datetime, limit: int) -> list[DueRef]:
        """Deliveries in `due` with `next_at` null or <= now, urgent first, then oldest; by index."""
        ...

    def in_question(self, agency: str, channel: str, after: str, limit: int) -> list[str]:
        """Ids of announcements with a `pending` or `checking` delivery on this channel, from `after` on; by index."""
        ...

    def inbox(self, run_id: str, limit: int) -> list[InboxEntry]:
        """Entries for announcements that this run owns, or that are closed (any run may settle those), oldest first."""
        ...

    def find(self, agency: str, any_id: str) -> str | None:
        """Our id of an announcement, by our id, its reference or its external id; None if this agency has none."""
        ...

    def idempotent(self, agency: str, key: str) -> tuple[str, str] | None:
        """(announcement id, digest) remembered for this key."""
        ...

    def announcements(
        self, agency: str, *, status: Status | None = None, before: str | None = None, limit: int = 50
    ) -> list[Case]:
        """Newest first, keyset by id (ids sort by time)."""
        ...

    def events(self, announcement_id: str, after: int = 0, limit: int = 1000) -> list[Event]: ...

    def live_neighbour(self, agency: str, channel: str, since: datetime, not_id: str) -> str | None:
        """Platform id of the delivery of this channel that went live last, at or after `since`: for the list check."""
        ...

    def owed(self, agency: str, channel: str) -> list[str]:
        """Ids of announcements with a `post_to` delivery in `due` on this channel, newest first."""
        ...

    def breakers(self) -> dict[str, Mapping[str, Any]]: ...

    def setting(self, key: str) -> Mapping[str, Any] | None: ...

    def settings(self, prefix: str) -> dict[str, Mapping[str, Any]]: ...

    # the vault: small guarded writes of their own, any thread

    def token(self, slot: str) -> Token | None: ...

    def put_token(self, slot: str, token: Token, *, parent: str | None) -> bool:
        """Compare-and-set: stored only if the slot is empty or its present refresh token's fingerprint is `parent`."""
        ...

    def mark_refresh(self, slot: str, *, parent: str, at: datetime, stale: datetime | None = None) -> bool:
        """Makes the intent to trade the token with fingerprint `parent` durable.

        False if the slot holds another token by now, or an intent younger than `stale` (None: any intent).
        """
        ...

    def counts(self) -> Mapping[tuple[str, str, State, Cause | None], int]:
        """Open deliveries by (agency, channel, state, cause), for metrics."""
        ...

    def prune(self, before: datetime) -> int:
        """Forgets idempotency records older than this; returns how many."""
        ...
