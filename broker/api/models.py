"""What the HTTP API takes and gives beyond what `broker.intake` and `broker.report` define."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, model_validator

from broker.intake import ALT_AT_MOST, Legal, Submission
from broker.model import Status
from broker.outcome import Absent, Denied, Finding, Live, Rejected, Throttled, Unavailable, Uncertain
from broker.report import AnnouncementReport, ChannelReport, EventReport, PreviewReport, Report
from broker.rules.text import legal, normal


class Given(BaseModel):
    """What a caller sends. Unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


def _written(text: str) -> str:
    if problem := legal(text):
        raise ValueError(problem)
    return normal(text)


Remark = Annotated[str, Field(max_length=500), AfterValidator(_written)]
Address = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s/]+\S*$"), AfterValidator(_written)]


class AnnouncementBody(Submission):
    """One announcement to be made; with `dry_run` only what its readers would see is answered."""

    model_config = ConfigDict(title="AnnouncementBody")

    dry_run: StrictBool = False


class WithdrawalBody(Given):
    """Why it is taken back; shown to the desk, never posted."""

    because: Remark | None = None


class ResolutionBody(Given):
    """What a person found out about a delivery."""

    live: StrictBool | None = None
    """Whether readers can see it; needed unless `gone` is said."""
    gone: StrictBool = False
    """Of a withdrawn announcement: it is not there, or not any more."""
    url: Address | None = None
    """Where it can be seen; only with `live`."""
    by: Annotated[Remark, Field(min_length=1, max_length=64)] | None = None
    """Who says so; the key's name unless said."""
    send_again: StrictBool = False
    """Not live, and to be sent once more."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.gone and (self.live or self.send_again):
            raise ValueError("what is gone is neither live nor sent again: say gone alone")
        if self.live is None and not self.gone:
            raise ValueError("say live = true or false: whether readers can see it")
        if self.live and self.send_again:
            raise ValueError("what is live is not sent again: leave send_again out, or say live = false")
        if self.url and not self.live:
            raise ValueError("a url can only be given for what is live")
        return self


class PauseBody(Given):
    """Why nothing more is to be sent there, and until when."""

    reason: Remark | None = None
    until: AwareDatetime | None = None
    """When it goes on by itself; else when somebody resumes it."""


class NoQuery(Given):
    """No parameters."""


class DryRunQuery(Given):
    dry_run: bool = False
    """Answer what readers would see; store and send nothing."""


class MediaQuery(Given):
    alt: Annotated[Legal, Field(max_length=ALT_AT_MOST)] = ""
    """What it shows, for readers who cannot see it; an announcement may say otherwise."""


class PageQuery(Given):
    before: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")] | None = None
    """Id of the last announcement of the page before: `next` of that page."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    status: Status | None = None
    """Only announcements with this status."""


class AfterQuery(Given):
    after: Annotated[int, Field(ge=0, le=2**53)] = 0
    """Number of the last event that is known; `Last-Event-ID` counts instead where both are given."""


class RecordQuery(Given):
    format: Literal["json", "html"] | None = None
    """`html`: one page to print or to keep; as `Accept` says unless given."""
    language: Literal["en", "vi"] | None = None
    """Of the page; the agency's unless said."""


class AnnouncementPage(Report):
    """Newest first."""

    announcements: list[AnnouncementReport]
    next: str | None
    """`before` for the next page; null on the last one."""


class EventList(Report):
    """Oldest first, at most 1,000."""

    events: list[EventReport]


class PreviewList(Report):
    """What each channel of the route would show."""

    previews: list[PreviewReport]


class ChannelList(Report):
    """In order of the configuration."""

    channels: list[ChannelReport]


class Verdict(StrEnum):
    """What a platform's answer to a probe or rehearsal amounts to."""

    WORKS = "works"
    DOWN = "down"
    DENIED = "denied"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNCLEAR = "unclear"


class AnswerReport(Report):
    """What a platform answered to a probe or rehearsal."""

    channel: str
    verdict: Verdict
    works: bool
    detail: str | None
    """What is wrong, in words; null when it works."""

    @classmethod
    def of(cls, channel: str, finding: Finding) -> Self:
        verdict, detail = _read(finding)
        works = verdict is Verdict.WORKS
        return cls(channel=channel, verdict=verdict, works=works, detail=None if works else detail)


def _read(finding: Finding) -> tuple[Verdict, str]:
    match finding:
        case Live() | Absent():
            return Verdict.WORKS, ""
        case Unavailable(fault, detail):
            return Verdict.DOWN, detail or fault.value
        case Denied(detail):
            return Verdict.DENIED, detail
        case Throttled(retry_after):
            return Verdict.THROTTLED, f"it asks to come again in {retry_after.total_seconds():.0f} s"
        case Rejected(code, detail):
            return Verdict.REFUSED, detail or code
        case Uncertain(fault, detail):
            return Verdict.UNCLEAR, detail or fault.value
        case _:
            return Verdict.UNCLEAR, "it answered, but not to the question"


class Health(Report):
    """The process answers."""

    status: str = "ok"
