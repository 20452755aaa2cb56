"""What an agency may hand in, checked: one model for the HTTP API, the command line and the library."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from broker.errors import FieldProblem, InvalidInput
from broker.model import Announcement, Draft, Role, Urgency
from broker.rules.text import legal, normal
from broker.rules.timing import useful_for

HEADLINE_AT_MOST = 300
BODY_AT_MOST = 50_000
MEDIA_AT_MOST = 10
ALT_AT_MOST = 1000
LONGEST_LEAD = timedelta(days=366)


def _clean(text: str) -> str:
    if problem := legal(text):
        raise ValueError(problem)
    cleaned = normal(text)
    if not cleaned:
        raise ValueError("is empty: write something")
    return cleaned


def _legal(text: str) -> str:
    if problem := legal(text):
        raise ValueError(problem)
    return text


def _written(value: object) -> object:
    """Numbers, and text that could be one, are no times: a slip of the pen must not send at once."""
    if isinstance(value, datetime) or (isinstance(value, str) and _TIME.match(value)):
        return value
    raise ValueError(_NO_TIME)


def _of_our_time(at: datetime) -> datetime:
    """So far from either end of the calendar that every zone has a time for it."""
    if not 1970 <= at.year <= 9000:
        raise ValueError(_NO_TIME)
    return at


def _in_utc(at: datetime | None, zone: tzinfo) -> datetime | None:
    """A time without an offset is one of the agency's zone."""
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _web(text: str) -> str:
    try:
        HttpUrl(_legal(text))
    except ValueError:
        raise ValueError("is no web address: write it like https://tin.example/article") from None
    return text


_NO_TIME = "is no time: write it like 2026-11-22T10:00:00+07:00"
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:")

Text = Annotated[str, AfterValidator(_clean)]
Legal = Annotated[str, AfterValidator(_legal)]
Name = Annotated[Legal, Field(min_length=1, max_length=64)]
When = Annotated[datetime, BeforeValidator(_written), AfterValidator(_of_our_time)]
Link = Annotated[str, Field(max_length=2000), AfterValidator(_web)]


def _or_text(schema: dict[str, Any]) -> None:
    """For the description of the API: the object, or a text."""
    whole = dict(schema)
    schema.clear()
    schema |= {"title": whole["title"], "anyOf": [{"type": "string", "maxLength": 2000}, whole]}


class Attachment(BaseModel):
    """A picture or video. Instead of the object its address or name alone will do."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, json_schema_extra=_or_text
    )

    url: Link | None = None
    """Where Loa fetches it, once, when the announcement is handed in."""
    upload: Annotated[Legal, Field(max_length=64)] | None = None
    """The name that `POST /v1/media` answered."""
    alt: Annotated[Legal, Field(max_length=ALT_AT_MOST)] = ""
    """What it shows, for readers who cannot see it."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return {"url": value} if "://" in value else {"upload": value}

    @model_validator(mode="after")
    def _one(self) -> Attachment:
        if (self.url is None) == (self.upload is None):
            raise ValueError("must have `url` or `upload`, one of the two")
        return self

    @property
    def source(self) -> str:
        return self.url or self.upload or ""


class Submission(BaseModel):
    """One announcement as handed in. Unknown fields are an error: a misspelt `send_at` must not post at once."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, title="Announcement"
    )

    headline: Annotated[Text, Field(max_length=HEADLINE_AT_MOST)]
    body: Annotated[Text, Field(max_length=BODY_AT_MOST)]
    route: Name | None = None
    """A route of the configuration; `default` unless said."""
    external_id: Annotated[Text, Field(max_length=128)] | None = None
    """Your own id; one announcement each."""
    author: Annotated[Text, Field(max_length=128)] | None = None
    link: Link | None = None
    """Your own article about it."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "vi"
    translations: dict[Name, dict[Name, Text]] = Field(default_factory=dict)
    media: Annotated[list[Attachment], Field(max_length=MEDIA_AT_MOST)] = Field(default_factory=list)
    """Pictures and videos, in the order in which they are shown: an address, the name of an upload, or an object."""
    urgency: Urgency = Urgency.ROUTINE
    send_at: When | None = None
    """When it goes out; at once unless said. Without an offset from UTC: by the agency's time zone."""
    expires_at: When | None = None
    """When nothing more is sent of it."""
    replaces: Name | None = None
    """An earlier announcement, by any of its ids: its unsent copies are ended."""
    overrides: dict[Name, Annotated[Text, Field(max_length=BODY_AT_MOST)]] = Field(default_factory=dict)
    """By channel: your own text for it instead of headline and body."""

    def draft(self, zone: tzinfo) -> Draft:
        return Draft(
            headline=self.headline,
            body=self.body,
            route=self.route,
            external_id=self.external_id,
            author=self.author,
            link=self.link,
            language=self.language,
            translations=self.translations,
            media=tuple(attached.source for attached in self.media),
            alts={attached.source: attached.alt for attached in self.media if attached.alt},
            urgency=self.urgency,
            send_at=_in_utc(self.send_at, zone),
            expires_at=_in_utc(self.expires_at, zone),
            replaces=self.replaces,
            overrides=self.overrides,
        )


def checked(body: Mapping[str, Any] | Submission, now: datetime, zone: tzinfo = UTC) -> Draft:
    """The draft in `body`; its times without an offset are those of `zone`.

    Raises `InvalidInput` with the path of every field that is wrong and what to do.
    """
    try:
        submission = body if isinstance(body, Submission) else Submission.model_validate(body)
    except ValidationError as error:
        raise InvalidInput("The announcement was not accepted.", *problems(error)) from None
    draft = submission.draft(zone)
    wrong = [*_wrong_times(draft, now), *_twice(draft.media)]
    if wrong:
        raise InvalidInput("The announcement was not accepted.", *wrong)
    return draft


def problems(error: ValidationError) -> list[FieldProblem]:
    """Each problem with the field's dotted path; values are never repeated."""
    return [
        FieldProblem(".".join(str(part) for part in e["loc"] if part != "[key]"), _in_words(e))
        for e in error.errors(include_url=False, include_input=False)
    ]


_TELLING: Mapping[str, str] = {
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "enum": "must be {expected}",
    "extra_forbidden": "is not a known field: remove it or correct its name",
    "greater_than_equal": "must be at least {ge}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
    "missing": "is missing: add it",
    "model_type": "must be an object",
    "string_pattern_mismatch": "is not of the form {pattern}",
    "string_too_long": "is too long: at most {max_length}",
    "string_too_short": "is empty: write something",
    "string_unicode": "must be text in UTF-8",
    "string_type": "must be text",
    "too_long": "is too long: at most {max_length}",
    "too_short": "is empty: write something",
}
"""Our words for pydantic's kinds of error, with what it says of the rule that was broken."""


def _in_words(error: ErrorDetails) -> str:
    said = _TELLING.get(error["type"])
    return said.format(**error.get("ctx", {})) if said else error["msg"].removeprefix("Value error, ")


def in_time(announcement: Announcement) -> None:
    """Raises `InvalidInput` when nothing of it would ever be sent.

    Not a part of `checked`: what was accepted in time is answered the same when it is handed in again later.
    """
    now, draft = announcement.accepted_at, announcement.draft
    if draft.expires_at is not None and draft.expires_at <= now:
        wrong = FieldProblem("expires_at", "is in the past: nothing could be sent; give a later time")
    elif useful_for(announcement, Role.POST_TO) <= now:
        wrong = FieldProblem("send_at", "is so long ago that nothing would be sent; leave it out to send at once")
    else:
        return
    raise InvalidInput("The announcement was not accepted.", wrong)


def _twice(media: Sequence[str]) -> list[FieldProblem]:
    return [
        FieldProblem(f"media.{n}", "is named twice: name it once") for n, one in enumerate(media) if one in media[:n]
    ]


def _wrong_times(draft: Draft, now: datetime) -> list[FieldProblem]:
    wrong = []
    if draft.send_at is not None and draft.send_at > now + LONGEST_LEAD:
        wrong.append(FieldProblem("send_at", "is more than a year ahead: give an earlier time"))
    if draft.expires_at is not None and draft.send_at is not None and draft.expires_at <= draft.send_at:
        wrong.append(FieldProblem("expires_at", "is not after send_at: give a later time"))
    return wrong
