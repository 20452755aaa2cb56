"""What others implement: adapters, and the small tools an adapter is handed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Protocol, Self

import aiohttp
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from broker.clock import Clock
from broker.model import Composed, MediaKind, Medium, Post, StepClass, Verb
from broker.outcome import Absent, Finding, Outcome, Rejected


class Unit(StrEnum):
    """How a platform counts a text."""

    CODE_POINTS = "code_points"
    UTF16 = "utf16"
    GRAPHEMES = "graphemes"
    BYTES = "bytes"
    EMOJI_BYTES = "emoji_bytes"
    """Graphemes, but an emoji counts as its UTF-8 bytes (Threads)."""


class Path(StrEnum):
    """The network path to a platform: what a cut sea cable takes with it."""

    INTERNATIONAL = "international"
    DOMESTIC = "domestic"
    OWN = "own"


class Readers(StrEnum):
    """Whether readers at home can open the platform."""

    HOME = "home"
    ABROAD = "abroad"


@dataclass(frozen=True, slots=True)
class TextLimit:
    limit: int
    unit: Unit = Unit.CODE_POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaNeeds:
    """What a platform takes beside text, and must have. Sizes in bytes and pixels."""

    images: int = 0
    """Most pictures in one post; 0: none."""
    videos: int = 0
    mixed: bool = False
    """Whether one post may show pictures and videos together."""
    card: MediaKind | None = None
    """A post without media is refused: Loa then makes a card of this kind. None: text alone will do."""
    mimes: frozenset[str] = frozenset({"image/jpeg", "video/mp4"})
    """What is not one of these is converted."""
    image_bytes: int = 8_000_000
    video_bytes: int = 1_000_000_000
    width: tuple[int, int] = (320, 2048)
    """Of pictures, from and to; larger ones are scaled down."""
    ratio: tuple[float, float] = (0.1, 10.0)
    """Width by height of pictures, from and to; others get a border."""
    by_url: bool = False
    """The platform fetches them itself: they need a public address, and our media host is a failure domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """A medium that can be sent: it lies on disk and, where a site serves it, at a public address."""

    path: FilePath
    url: str | None
    mime: str
    size_bytes: int
    width: int
    height: int
    duration: timedelta | None = None
    alt: str = ""


class Shelf(Protocol):
    """The agency's media folder."""

    async def ready(self, medium: Medium, needs: MediaNeeds) -> MediaFile | Outcome:
        """The file as `needs` has it: a card is made when it is first asked for, pictures are converted; then kept.

        `Rejected`: it cannot be made to fit, and why. `Unavailable(Fault.MEDIA)`: the folder cannot be written, or
        `needs.by_url` and there is no public address.
        """
        ...

    def address(self, medium: Medium) -> str | None:
        """Where anybody can see one that is kept; pure."""
        ...


class Unsuited(Exception):
    """`compose`: this announcement has nothing for this platform (no video, say); the text says what to add.

    A key of the catalogue of sentences says it in both languages. The delivery is skipped, and is no failure: no
    stand-in starts for it.
    """


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a publish, in order; `job.keep(handle)` moves to the next."""

    name: str
    after_uncertain: StepClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What an adapter declares about its platform. Every time and limit can be set per channel in the configuration."""

    adapter: str
    operator: str
    """The company behind the platform; an outage of one operator is assumed to take all its channels."""
    country: str
    """ISO 3166 code of the operator's country."""
    steps: tuple[Step, ...]
    hosts: tuple[str, ...] = ()
    login: str | None = None
    """The identity that can be shut out, as far as several channels may share it."""
    path: Path = Path.INTERNATIONAL
    readers: Readers = Readers.HOME
    blocked_in: frozenset[str] = frozenset()
    """ISO 3166 codes of countries whose readers cannot open it: an agency there has its readers abroad."""
    own: bool = False
    """Our own site or people: does not count as an outside operator."""
    push: bool = False
    """Rings a phone: only in reserve unless a route says otherwise."""
    cost: str | None = None
    """What one announcement costs, in words; None: nothing."""
    text: TextLimit | None = None
    media: MediaNeeds = MediaNeeds()
    abilities: frozenset[Verb] = frozenset({Verb.PROBE})
    """Verbs offered beside `publish`; the engine asks for no others."""
    usual: timedelta = timedelta(seconds=3)
    """Usual time from sending to live."""
    settle_for: timedelta = timedelta(minutes=15)
    """How long after the last byte a list without our post proves nothing."""
    first_look: timedelta = timedelta(seconds=5)
    """From an uncertain answer to the first read-back; also how long a list usually lags."""
    look_back: timedelta | None = timedelta(seconds=30)
    """From live to the one read-back that finds silent drops; None: not looked."""
    pending_for: timedelta = timedelta(hours=1)
    key_lifetime: timedelta = timedelta(0)
    """How long the platform keeps our key (class A)."""
    probe_every: timedelta = timedelta(seconds=60)
    rehearse_every: timedelta = timedelta(days=7)
    """How often posting is proved where the platform allows it; 0: only when people ask."""
    connect_timeout: timedelta = timedelta(seconds=3)
    total_timeout: timedelta = timedelta(seconds=15)
    quick_retry: timedelta = timedelta(seconds=1)
    backoff: timedelta = timedelta(seconds=2)
    max_in_flight: int = 8
    rate_per_s: float = 5.0
    """Permits a second; also the burst, at least one."""

    def adjusted(self, settings: ChannelSettings) -> Self:
        """This profile with what the channel's configuration says otherwise."""
        changes = {name: value for name in _ADJUSTABLE if (value := getattr(settings, name)) is not None}
        return replace(self, **changes)

    def step_class(self, step: int) -> StepClass:
        return self.steps[min(step, len(self.steps) - 1)].after_uncertain


_AMOUNT = re.compile(r"(\d{1,7}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(value: object) -> object:
    """`"500ms"`, `"15s"`, `"10m"`, `"3h"`, `"1d"` as a timedelta; seconds and ISO 8601 are left to pydantic."""
    if isinstance(value, str) and (amount := _AMOUNT.fullmatch(value.strip())):
        return timedelta(**{_UNITS[amount[2] or "s"]: float(amount[1])})
    return value


def _usable(time: timedelta) -> timedelta:
    if not timedelta(0) <= time <= timedelta(days=3650):
        raise ValueError("must be a time from 0 to ten years")
    return time


def _some(time: timedelta) -> timedelta:
    if not time:
        raise ValueError("must be longer than 0 s")
    return time


Duration = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_usable)]
"""A time in the configuration, as `duration` reads it."""
Some = Annotated[Duration, AfterValidator(_some)]
"""One that is longer than nothing."""


class ChannelSettings(BaseModel):
    """Settings every channel understands; an adapter's own model derives from it. Unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    adapter: str = ""
    """Name of the entry point; the channel's own name unless said."""
    domestic: bool | None = None
    """Overrules the comparison of the operator's country with the agency's."""
    operator: str | None = None
    country: str | None = None
    token_of: Annotated[str | None, BeforeValidator(lambda name: name or None)] = None
    """Another channel of this agency with the same account: both use that channel's token, which may work only once."""
    hosts: tuple[str, ...] | None = None
    """Which hosts it depends on, where these are not the ones of its addresses (a proxy, an emulator)."""
    login: str | None = None
    readers: Readers | None = None
    path: Path | None = None
    push: bool | None = None
    usual: Duration | None = None
    settle_for: Duration | None = None
    first_look: Duration | None = None
    look_back: Duration | None = None
    pending_for: Duration | None = None
    key_lifetime: Duration | None = None
    probe_every: Some | None = None
    rehearse_every: Duration | None = None
    connect_timeout: Some | None = None
    total_timeout: Some | None = None
    quick_retry: Duration | None = None
    backoff: Duration | None = None
    max_in_flight: Annotated[int, Field(ge=1)] | None = None
    rate_per_s: Annotated[float, Field(gt=0)] | None = None


_ADJUSTABLE = tuple(ChannelSettings.model_fields.keys() - {"adapter", "domestic", "token_of"})


class GateClosed(Exception):
    """The run's lease is over, or the job was cancelled: nothing may leave this process."""


class Gate(Protocol):
    """Asked at the moment bytes leave, inside the write of the request's body."""

    @property
    def passed(self) -> bool:
        """Whether bytes may have left: after an error, False means `Unavailable`, True means `Uncertain`."""
        ...

    def enter(self) -> None:
        """Lets the bytes go or raises `GateClosed`."""
        ...


Keep = Callable[[str], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Job:
    """One question or one attempt for one delivery. Adapters read it and call `keep`; nothing else writes it."""

    announcement_id: str
    reference: str
    composed: Composed
    key: str
    """Idempotency key, the same for every attempt of this delivery."""
    attempt: int
    started_at: datetime
    gate: Gate
    store_handle: Keep = field(repr=False)
    step: int = 0
    handle: str | None = None
    """What `keep` stored last, also by an earlier attempt or an earlier process."""
    first_sent_at: datetime | None = None
    """Start of the first attempt that may have got through: lists must reach back beyond it."""
    platform_id: str | None = None
    url: str | None = None
    count: bool = False
    """`find` is to count copies: read the list even where an id is known, and name the younger ones in `Live.extra`."""
    neighbour: str | None = None
    """Platform id of a live post of ours near this one, which a complete list must show."""

    async def keep(self, handle: str) -> None:
        """Makes a finished step durable before the next one starts. Raises `GateClosed` on a lost lease."""
        await self.store_handle(handle)
        self.handle, self.step = handle, self.step + 1


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A token with what renews it. Never printed."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    issued_at: datetime | None = None
    expires_at: datetime | None = None


Refresh = Callable[[TokenPair], Awaitable[TokenPair | Outcome]]
"""Trades a pair for the next one, or says what went wrong; `Uncertain` when the old one may be burned."""


class Vault(Protocol):
    """Keeps one channel's rotating token durable; one refresher at a time over all processes."""

    async def pair(self, seed: TokenPair, refresh: Refresh) -> TokenPair:
        """The pair to use now. Refreshed first when half of its life is over and the operator is not failing."""
        ...

    async def refused(self, access: str, refresh: Refresh) -> TokenPair | None:
        """After the platform refused `access`: a newer pair, or None when there is none to be had."""
        ...

    async def replace(self, pair: TokenPair, seed: TokenPair) -> None:
        """From now on this pair counts, which a person has just obtained, and not `seed`, the configuration's.

        Durable before it returns.
        """
        ...


@dataclass(frozen=True, slots=True)
class Consent:
    """The secrets of one attempt to connect an account."""

    state: str = field(repr=False)
    """Must come back with the answer: it shows that the answer is to our question."""
    verifier: str = field(repr=False)
    """Of PKCE (RFC 7636): shows that whoever trades the code has asked for it."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a person does before they paste something back."""

    say: str
    url: str | None = None
    """To be opened in a browser; None: there is nothing to open."""
    secret: bool = False
    """What they paste is a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account somebody lets us use."""

    id: str
    name: str
    pair: TokenPair
    lacks: str | None = None
    """Why we could not post with it, and what to do; None: nothing is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """What the platform says of our account, as far as it tells."""

    account: str
    """Its name and id."""
    rights: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    """What is missing, and what to do."""
    mode: str | None = None
    """Of the app, where it decides who sees posts: `live` or `development`."""
    token_ends_at: datetime | None = None
    token_renews: bool = False
    """We renew it ourselves; else a person must connect the account again before it ends."""
    quota_used: int | None = None
    quota_total: int | None = None
    """Posts in 24 hours."""


class NotConnected(Exception):
    """An account cannot be connected; the text says why and what to do, and repeats nothing that was pasted."""


class Connector(Protocol):
    """Lets a person connect an account, and tells of it."""

    def invite(self, consent: Consent) -> Invitation:
        """What to do. Raises `NotConnected` when the configuration lacks what is needed."""
        ...

    async def accept(self, consent: Consent, pasted: str) -> Sequence[Account]:
        """The accounts that what was pasted lets us use, at least one. Raises `NotConnected`."""
        ...

    async def keep(self, account: Account) -> None:
        """From now on this account is used, also after a restart."""
        ...

    async def particulars(self) -> Particulars | Outcome:
        """Read-only."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the composition root hands to an adapter."""

    channel: str
    session: aiohttp.ClientSession
    clock: Clock
    vault: Vault
    agency: str = ""
    media: Shelf | None = None
    """None: the agency has no media folder, so posts name no media."""


class Adapter(Protocol):
    """One account on one platform. Holds no retry loop, no sleep, no global; raises only for a bug."""

    Settings: ClassVar[type[ChannelSettings]]
    profile: Profile

    def __init__(self, settings: Any, tools: Tools) -> None: ...

    @property
    def connector(self) -> Connector | None:
        """None: there is no account to connect."""
        ...

    def compose(self, post: Post) -> Composed:
        """Exactly what readers will see; pure.

        Raises `ValueError` with what to change if it cannot be composed, `Unsuited` if there is nothing to show here.
        """
        ...

    async def publish(self, job: Job) -> Outcome | Absent:
        """Takes the next step or steps, resuming at `job.step` with `job.handle`; `Absent`: the handle is dead."""
        ...

    async def confirm(self, job: Job) -> Finding:
        """Whether a `Pending` post has become public."""
        ...

    async def find(self, job: Job) -> Finding:
        """Whether an uncertain or live post can be read; by handle or id where there is one, else by list."""
        ...

    async def edit(self, job: Job) -> Outcome: ...

    async def delete(self, job: Job) -> Finding:
        """Takes `job.platform_id` away; `Absent` proves that it is gone."""
        ...

    async def probe(self) -> Outcome:
        """Read-only and cheap: `Live` means the account and platform answer."""
        ...

    async def rehearse(self) -> Outcome:
        """The fullest write that readers cannot see, removed afterwards; `Pending`: not done yet, call again."""
        ...

    async def close(self) -> None:
        """Releases what the adapter opened itself; the shared session is not its own."""
        ...


class AdapterBase:
    """Answers for verbs a platform does not offer; the profile declares which, so the engine never asks for these."""

    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings
    connector: Connector | None = None

    async def confirm(self, job: Job) -> Finding:
        return _not_offered(Verb.CONFIRM)

    async def find(self, job: Job) -> Finding:
        return _not_offered(Verb.FIND)

    async def edit(self, job: Job) -> Outcome:
        return _not_offered(Verb.EDIT)

    async def delete(self, job: Job) -> Finding:
        return _not_offered(Verb.DELETE)

    async def rehearse(self) -> Outcome:
        return _not_offered(Verb.REHEARSE)

    async def close(self) -> None:
        return None


def _not_offered(verb: Verb) -> Outcome:
    return Rejected("not_offered", f"this platform has no {verb}")


Registry = Mapping[str, type[Adapter]]
