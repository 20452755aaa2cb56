"""The configuration's keys: one frozen tree. Channels are raw here; each adapter's own model reads its own."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints

from broker import look
from broker.contract import Duration, Some, duration
from broker.look import Look
from broker.media.kinds import Unfit, kind_of
from broker.model import MediaKind, OnUnconfirmed
from broker.rules.agency import Scope

SQLITE = "sqlite:///"
HIGHEST_PORT = 65_535


def _like(pattern: str, hint: str) -> AfterValidator:
    """Text that matches `pattern` as a whole; `hint` says what it should be."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(hint)
        return text

    return AfterValidator(check)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no time zone: write a name such as Asia/Ho_Chi_Minh") from error
    return name


def _host_and_port(text: str) -> str:
    if not re.fullmatch(r"\S+:\d{1,5}", text) or int(text.rpartition(":")[2]) > HIGHEST_PORT:
        raise ValueError("is no address: write host and port, such as 127.0.0.1:8080")
    return text


def _or_none(value: object) -> object:
    """A variable cannot unset a key, but it can be empty."""
    return value or None


def _colour(value: object) -> look.Colour:
    return value if isinstance(value, look.Colour) else look.Colour.read(str(value))


def _picture(path: Path | None) -> Path | None:
    if path is None:
        return None
    try:
        kind = kind_of(path)
    except (OSError, Unfit):
        kind = None
    if kind is not MediaKind.IMAGE:
        raise ValueError("is no picture that can be read: name a PNG, JPEG or WebP file")
    return path.resolve()


def _late_copies(value: object) -> object:
    return None if value == "never" else duration(value)


Name = Annotated[
    str,
    _like(r"(?!.*__)[a-z][a-z0-9_-]{0,39}", "is no name: use small letters, digits, - and single _, as in zalo_push"),
]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Address = Annotated[str, AfterValidator(_host_and_port)]
PublicUrl = Annotated[
    str,
    _like(
        r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:]+\](:\d{1,5})?",
        "is no address of ours: write scheme and host only, such as https://loa.tin.example",
    ),
]


WebAddress = Annotated[
    str, _like(r"https?://[^\s/?#]+(/[^\s?#]*)?", "is no web address: write it like https://tin.example/l/media")
]
Colour = Annotated[look.Colour, PlainValidator(_colour)]
_USUAL = Look()


class Section(BaseModel):
    """One table of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServerSection(Section):
    """`[server]`: the HTTP API."""

    listen: Address = "127.0.0.1:8080"
    """Host and port; port 0 takes a free one."""
    public_url: PublicUrl | None = None
    """Where people reach the desk's pages: alerts then carry a link to them, and sessions are for https only."""
    body_limit_bytes: Annotated[int, Field(ge=1024)] = 1 << 20
    """Largest request that is read."""
    drain_for: Duration = timedelta(seconds=10)
    """How long requests and sends in flight may finish when the process is asked to stop."""

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class StoreSection(Section):
    """`[store]`: where announcements are kept."""

    url: Annotated[
        str, _like(rf"{SQLITE}.+", f"is no store this version knows: write {SQLITE} and the path of a file")
    ] = f"{SQLITE}loa.db"
    """`sqlite:///` and a path, relative to the working directory."""

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix(SQLITE))


class KeySection(Section):
    """One of `[agency] keys`."""

    name: Text
    sha256: Annotated[str, _like(r"[0-9a-f]{64}", "is no SHA-256: take the 64 digits that `loa key new` prints")]
    """Digest of the key; `loa key new` makes both."""
    scopes: frozenset[Scope] = frozenset({Scope.SEND, Scope.READ})


class ColoursSection(Section):
    """`colours` of `[agency]`: those of its headline cards."""

    background: Colour = _USUAL.background
    text: Colour = _USUAL.text
    accent: Colour = _USUAL.accent


class AgencySection(Section):
    """`[agency]`: who announces."""

    name: Text
    prefix: Annotated[str, _like(r"[A-Z]{2,5}", "is no prefix: use two to five capital letters, such as TVD")]
    """Begins every reference: TVD gives TVD-7QK2F9."""
    country: Annotated[str, _like(r"[A-Z]{2}", "is no country: use its two letters, such as VN")] = "VN"
    """Where readers are at home."""
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Ho_Chi_Minh"
    language: Annotated[str, _like(r"vi|en", "is no language Loa speaks: use vi or en")] = "vi"
    alerts: tuple[Name, ...] = ()
    """Channels of people who are called when something is wrong; never used for posts."""
    witnesses: tuple[Address, ...] = ()
    """Outside addresses that show whether our own network is cut off."""
    keys: tuple[KeySection, ...] = ()
    colours: ColoursSection = Field(default_factory=ColoursSection)
    logo: Annotated[Path | None, AfterValidator(_picture)] = None
    """Shown on headline cards: a PNG, JPEG or WebP file."""

    @property
    def look(self) -> Look:
        of = self.colours
        return Look(background=of.background, text=of.text, accent=of.accent, logo=self.logo)


class MediaSection(Section):
    """`[media]`: pictures and videos. An agency with a site needs none of it: they lie in the site's folder."""

    folder: Annotated[Path | None, BeforeValidator(_or_none)] = None
    """Where they are kept; the folder `media` of the site unless said."""
    url: Annotated[WebAddress | None, BeforeValidator(_or_none)] = None
    """Public address of that folder, such as https://tin.example/l/media, from which platforms fetch."""
    image_bytes: Annotated[int, Field(ge=100_000, le=200_000_000)] = 20_000_000
    """Largest picture that is taken in."""
    image_pixels: Annotated[int, Field(ge=1_000_000, le=100_000_000)] = 50_000_000
    video_bytes: Annotated[int, Field(ge=1_000_000, le=2_000_000_000)] = 500_000_000
    """Largest video that is taken in."""
    keep_free_bytes: Annotated[int, Field(ge=0)] = 500_000_000
    """Room on the disk that pictures and videos never take: announcements need it."""
    fetch_within: Some = timedelta(seconds=20)
    """How long a picture or video that an announcement names by its address may take to arrive."""
    allow_private: bool = False
    """Whether such addresses may lie in our own network; else somebody who may send could look around in it."""


class GoalSection(Section):
    """`goal` of a route: on so many outside operators, so many of them domestic, within this time."""

    operators: Annotated[int, Field(ge=0)] | None = None
    domestic: Annotated[int, Field(ge=0)] | None = None
    within: Some | None = None


class RouteSection(Section):
    """`[routes.NAME]`: a named plan."""

    post_to: tuple[Name, ...]
    stand_ins: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    reserve: tuple[Name, ...] = ()
    stand_in_after: Duration | None = None
    start_by: Duration = timedelta(minutes=10)
    late_copies: Annotated[Duration | None, BeforeValidator(_late_copies)] = timedelta(hours=3)
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.STAND_IN
    goal: GoalSection = Field(default_factory=GoalSection)


class Group(Section):
    """Everything of one agency: at the top level, or under `[agencies.NAME]` with the same keys."""

    agency: AgencySection
    media: MediaSection = Field(default_factory=MediaSection)
    channels: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    routes: dict[Name, RouteSection] = Field(default_factory=dict)


class Settings(Section):
    """The whole configuration of one process."""

    server: ServerSection = Field(default_factory=ServerSection)
    store: StoreSection = Field(default_factory=StoreSection)
    agencies: dict[Name, Group]
    """The one agency of a flat configuration is called `agency`."""
