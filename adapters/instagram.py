"""Pictures and reels of one Instagram account: a container that nobody sees, then its publication.

Source: Meta's pages on Instagram's content publishing, its limits, error codes and tokens (v25.0), read 2026-11-22.
Instagram takes no text alone and fetches pictures and videos itself, so our media host is one of its failure domains.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from adapters._containers import ContainerAdapter, ContainerSettings, failure
from adapters._files import files_of
from adapters._graph import GONE, Graph, Refusal
from adapters._meta_accounts import InstagramConnector
from broker.contract import Job, MediaFile, MediaNeeds, Profile, Step, TextLimit, TokenPair, Tools
from broker.model import Composed, MediaKind, Post, StepClass, Verb
from broker.outcome import Absent, Fault, Finding, Live, Outcome, Unavailable
from broker.rules.media import chosen
from broker.rules.text import compose_text

LIMIT = TextLimit(2200)
MOST = {"hashtags": 30, "mentions": 20}
MEDIA = MediaNeeds(
    images=10,
    videos=1,
    card=MediaKind.IMAGE,
    image_bytes=8_000_000,
    video_bytes=300_000_000,
    width=(320, 1440),
    ratio=(0.8, 1.91),
    by_url=True,
)
BY_FACEBOOK = "https://graph.facebook.com"

_MARKS = {"hashtags": re.compile(r"#\w+"), "mentions": re.compile(r"@\w+")}
_CODE = re.compile(r"\b2207\d{3}\b")


class InstagramSettings(ContainerSettings):
    """`[channels.NAME]` of an Instagram account: professional, so public."""

    flavour: Literal["instagram", "facebook"] = "instagram"
    """By which login the token came: Instagram's own needs no Page; Facebook's can delete, and falls with Facebook."""
    base_url: str = Field("https://graph.instagram.com", pattern=r"^https?://[^/]+/?$")
    oauth_url: str = Field("https://www.instagram.com", pattern=r"^https?://[^/]+/?$")
    trade_url: str = Field("https://api.instagram.com", pattern=r"^https?://[^/]+/?$")
    """Where a code becomes a token."""
    version: str = Field("v25.0", pattern=r"^v\d+\.\d+$")

    @model_validator(mode="before")
    @classmethod
    def _by_flavour(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"base_url": BY_FACEBOOK, **given} if given.get("flavour") == "facebook" else given

    @model_validator(mode="after")
    def _knows_its_account(self) -> InstagramSettings:
        if self.flavour == "facebook" and self.user_id is None:
            raise ValueError("user_id: Facebook's login does not tell which Instagram account is meant")
        return self

    @property
    def seed(self) -> TokenPair:
        """Facebook's token names no end."""
        return super().seed if self.flavour == "instagram" else replace(super().seed, issued_at=None, expires_at=None)


class InstagramAdapter(ContainerAdapter):
    """One account."""

    Settings: ClassVar[type[InstagramSettings]] = InstagramSettings
    grant, edge, status, text = "ig", "media", ("status_code", "status"), "caption"

    def __init__(self, settings: InstagramSettings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self.profile = _profile(settings)
        self._graph = Graph(settings, tools, self.profile, settings.user_id or "me", self._token)
        self._account = InstagramConnector(settings, tools, self._graph, self._pair, settings.trade_url)
        self.connector = self._account if settings.flavour == "instagram" else None

    def compose(self, post: Post) -> Composed:
        composed = replace(compose_text(post, LIMIT), media=chosen(post, MEDIA))
        for name, most in MOST.items():
            if (found := len(_MARKS[name].findall(composed.text))) > most:
                raise ValueError(f"{found} {name} in one text: Instagram takes {most}, leave the others out")
        return composed

    async def probe(self) -> Outcome:
        """The quota's call, since it wants the right to publish."""
        match await self._account.read_quota():
            case Refusal(code=code) if code == GONE:
                return self._graph.unknown()
            case Refusal(outcome):
                return outcome
            case {"data": [{"quota_usage": int()}, *_]}:
                return Live(self._graph.node)
            case _:
                return Unavailable(Fault.SERVER, "a quota that nobody can read")

    async def used(self) -> tuple[int, int] | tuple[None, None]:
        return await self._account.quota()

    async def _create(self, job: Job) -> str | Outcome:
        files = await files_of(job, MEDIA, self._tools)
        if not isinstance(files, list):
            return files
        made = await self._container(job, files)
        return made.outcome if isinstance(made, Refusal) else made

    def _source(self, file: MediaFile) -> dict[str, str]:
        if file.mime.startswith("video/"):
            return {"media_type": "REELS", "video_url": f"{file.url}"}
        return {"image_url": f"{file.url}", "alt_text": file.alt}

    def _failed(self, why: str) -> Finding:
        code = _CODE.search(why)
        return failure(code[0], why) if code else Absent()


def _profile(settings: InstagramSettings) -> Profile:
    deletes = {Verb.DELETE} if settings.flavour == "facebook" else set()
    return Profile(
        adapter="instagram",
        operator="meta",
        country="US",
        login=settings.app,
        hosts=(settings.host,),
        steps=(Step("create", StepClass.INVISIBLE), Step("publish", StepClass.HANDLE)),
        text=LIMIT,
        media=MEDIA,
        abilities=frozenset({Verb.PROBE, Verb.CONFIRM, Verb.FIND}) | deletes,
        usual=timedelta(seconds=10),
    ).adjusted(settings)
