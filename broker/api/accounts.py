"""What the HTTP API takes and gives when accounts are connected, asked about, and after a restore."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from broker.api.models import AnswerReport, Given
from broker.contract import Account, Invitation, Particulars
from broker.outcome import Outcome
from broker.report import Report


class ConnectionBody(Given):
    """Nothing: ask what to do. `pasted`: the person's answer. `account`: the one to use."""

    pasted: Annotated[SecretStr, Field(max_length=8000)] | None = None
    """The address of the page where the browser landed, or the bot's token. Kept nowhere."""
    account: Annotated[str, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_step(self) -> Self:
        if self.pasted is not None and self.account is not None:
            raise ValueError("one step at a time: give `pasted` or `account`")
        return self


class Step(StrEnum):
    CONSENT = "consent"
    """Open `url`, then send what `say` asks for as `pasted`."""
    CHOOSE = "choose"
    """Send the id of one of `accounts` as `account`."""
    CONNECTED = "connected"


class AccountChoice(Report):
    id: str
    name: str
    lacks: str | None
    """Why we could not post with it, and what to do; null: nothing is missing."""


class ConnectionReport(Report):
    """How far connecting an account has come."""

    channel: str
    step: Step
    say: str | None = None
    url: str | None = None
    secret: bool = False
    """What is to be pasted is a token: do not show it."""
    accounts: tuple[AccountChoice, ...] = ()
    answer: AnswerReport | None = None
    """Once connected: what the platform answers to a probe with this account."""

    @classmethod
    def asked(cls, channel: str, invitation: Invitation) -> Self:
        said = {"say": invitation.say, "url": invitation.url, "secret": invitation.secret}
        return cls.model_validate({"channel": channel, "step": Step.CONSENT, **said})

    @classmethod
    def to_choose(cls, channel: str, accounts: Sequence[Account]) -> Self:
        return cls(channel=channel, step=Step.CHOOSE, accounts=tuple(map(_choice, accounts)))

    @classmethod
    def connected(cls, channel: str, account: Account, answer: AnswerReport) -> Self:
        return cls(channel=channel, step=Step.CONNECTED, accounts=(_choice(account),), answer=answer)


def _choice(account: Account) -> AccountChoice:
    return AccountChoice(id=account.id, name=account.name, lacks=account.lacks)


class AccountReport(Report):
    """What the platform says of our account, as far as it tells."""

    channel: str
    works: bool
    detail: str | None = None
    """Why nothing could be learned; null when something was."""
    account: str | None = None
    rights: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    """What is missing, and what to do."""
    mode: str | None = None
    """Of the app, where it decides who sees posts: `live` or `development`."""
    token_ends_at: datetime | None = None
    token_renews: bool = False
    """Loa renews it by itself."""
    quota_used: int | None = None
    quota_total: int | None = None
    """Posts in 24 hours."""

    @classmethod
    def of(cls, channel: str, told: Particulars | Outcome) -> Self:
        if not isinstance(told, Particulars):
            return cls(channel=channel, works=False, detail=AnswerReport.of(channel, told).detail)
        return cls(
            channel=channel,
            works=not told.lacks,
            account=told.account,
            rights=told.rights,
            lacks=told.lacks,
            mode=told.mode,
            token_ends_at=told.token_ends_at,
            token_renews=told.token_renews,
            quota_used=told.quota_used,
            quota_total=told.quota_total,
        )


class RestorationBody(Given):
    """What becomes of announcements that are older than the backup."""

    older: Literal["send", "skip"]
    """`send`: they go on where the backup left them; `skip`: nothing of them is sent again."""


class Restoration(Report):
    backup_at: datetime | None
    """When the backup was taken about which nobody has decided yet: nothing is sent. Null: there is none."""
