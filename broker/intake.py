"""What an agency may hand in, checked: one model for the HTTP API, the command line and the library."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    ValidationError,
    model_validator,
)

from broker.errors import FieldProblem, InvalidInput
from broker.model import Draft, Urgency
from broker.rules.text import legal, normal

HEADLINE_AT_MOST = 300
BODY_AT_MOST = 50_000
LONGEST_LEAD = timedelta(days=366)


def _clean(text: str) -> str:
    if problem := legal(text):
        raise ValueError(problem)
    cleaned = normal(text)
    if not cleaned:
        raise ValueError("is empty: write something")
    return cleaned


Text = Annotated[str, AfterValidator(_clean)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Link = Annotated[HttpUrl, AfterValidator(str)]


class Submission(BaseModel):
    """One announcement as handed in. Unknown fields are an error: a misspelt `send_at` must not post at once."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, title="Announcement")

    headline: Annotated[Text, Field(max_length=HEADLINE_AT_MOST)]
    body: Annotated[Text, Field(max_length=BODY_AT_MOST)]
    route: Name | None = None
    external_id: Annotated[Text, Field(max_length=128)] | None = None
    author: Annotated[Text, Field(max_length=128)] | None = None
    link: Annotated[str, Field(max_length=2000)] | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "vi"
    translations: dict[str, dict[str, Text]] = Field(default_factory=dict)
    media: Annotated[list[str], Field(max_length=10)] = Field(default_factory=list)
    urgency: Urgency = Urgency.ROUTINE
    send_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    replaces: Name | None = None
    overrides: dict[str, Annotated[Text, Field(max_length=BODY_AT_MOST)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _link_is_an_address(self) -> Self:
        if self.link is not None:
            if problem := legal(self.link):
                raise ValueError(f"link {problem}")
            HttpUrl(self.link)
        return self

    def draft(self) -> Draft:
        return Draft(
            headline=self.headline,
            body=self.body,
            route=self.route,
            external_id=self.external_id,
            author=self.author,
            link=self.link,
            language=self.language,
            translations=self.translations,
            media=tuple(self.media),
            urgency=self.urgency,
            send_at=self.send_at and self.send_at.astimezone(UTC),
            expires_at=self.expires_at and self.expires_at.astimezone(UTC),
            replaces=self.replaces,
            overrides=self.overrides,
        )


def checked(body: Mapping[str, Any] | Submission, now: datetime) -> Draft:
    """The draft in `body`. Raises `InvalidInput` with the path of every field that is wrong and what to do."""
    try:
        submission = body if isinstance(body, Submission) else Submission.model_validate(body)
    except ValidationError as error:
        raise InvalidInput("The announcement was not accepted.", *problems(error)) from None
    draft = submission.draft()
    wrong = _wrong_times(draft, now)
    if wrong:
        raise InvalidInput("The announcement was not accepted.", *wrong)
    return draft


def problems(error: ValidationError) -> list[FieldProblem]:
    """Each problem with the field's dotted path; values are never repeated."""
    return [
        FieldProblem(".".join(str(part) for part in e["loc"]), _in_words(e["type"], e["msg"]))
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _in_words(kind: str, message: str) -> str:
    match kind:
        case "extra_forbidden":
            return "is not a known field: remove it or correct its name"
        case "missing":
            return "is missing: add it"
        case _:
            return message.removeprefix("Value error, ")


def _wrong_times(draft: Draft, now: datetime) -> list[FieldProblem]:
    wrong = []
    if draft.expires_at is not None and draft.expires_at <= now:
        wrong.append(FieldProblem("expires_at", "is in the past: nothing could be sent; give a later time"))
    if draft.send_at is not None and draft.send_at > now + LONGEST_LEAD:
        wrong.append(FieldProblem("send_at", "is more than a year ahead: give an earlier time"))
    if draft.expires_at is not None and draft.send_at is not None and draft.expires_at <= draft.send_at:
        wrong.append(FieldProblem("expires_at", "is not after send_at: give a later time"))
    return wrong
