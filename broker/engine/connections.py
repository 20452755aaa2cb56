"""Connecting accounts: the question a person was given, the accounts their answer lets us use, and the one they chose.

Questions and accounts that were not chosen are kept in memory only, for a quarter of an hour.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from broker.clock import Clock
from broker.contract import Account, Connector, Consent, Invitation, NotConnected, Particulars
from broker.engine.channels import Stations
from broker.engine.writer import Lane, Writer
from broker.outcome import Outcome
from broker.store import SaveSetting

ACCOUNT = "account:"
OPEN_FOR = timedelta(minutes=15)
_STATE_BYTES, _VERIFIER_BYTES = 24, 32

log = structlog.get_logger("loa.connections")


@dataclass(frozen=True, slots=True)
class Connected:
    """The account of a channel, as people know it."""

    id: str
    name: str
    at: datetime


@dataclass(slots=True)
class _Question:
    consent: Consent
    until: datetime
    accounts: Sequence[Account] = ()


@dataclass(slots=True)
class Connections:
    """The accounts of one store. Secrets are drawn from the operating system: they must not be guessed."""

    stations: Stations
    writer: Writer
    clock: Clock
    _known: dict[str, Connected] = field(default_factory=dict)
    _open: dict[str, _Question] = field(default_factory=dict)

    def load(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        """`stored`: the settings under `ACCOUNT`."""
        for key, data in stored.items():
            known = Connected(data["id"], data["name"], datetime.fromisoformat(data["at"]))
            self._known[key.removeprefix(ACCOUNT)] = known

    def account(self, key: str) -> Connected | None:
        return self._known.get(key)

    def offers(self, key: str) -> bool:
        return self.stations[key].adapter.connector is not None

    def invite(self, key: str) -> Invitation:
        """What to do; a question asked before counts no more. Raises `NotConnected`."""
        consent = Consent(secrets.token_urlsafe(_STATE_BYTES), secrets.token_urlsafe(_VERIFIER_BYTES))
        invitation = self._connector(key).invite(consent)
        self._open[key] = _Question(consent, self.clock.now() + OPEN_FOR)
        return invitation

    async def accept(self, key: str, pasted: str) -> Sequence[Account]:
        """The accounts to choose from. Raises `NotConnected`; then the question stays open."""
        question = self._question(key)
        question.accounts = await self._connector(key).accept(question.consent, pasted)
        return question.accounts

    async def choose(self, key: str, account_id: str) -> Account:
        """From now on the channel uses this account, also after a restart. Raises `NotConnected`."""
        accounts = {one.id: one for one in self._question(key).accounts}
        if account_id not in accounts:
            there_are = ", ".join(accounts) or "none: paste the answer first"
            raise NotConnected(f"There is no such account to choose; there are: {there_are}.")
        chosen = accounts[account_id]
        await self._connector(key).keep(chosen)
        del self._open[key]
        known = self._known[key] = Connected(chosen.id, chosen.name, self.clock.now())
        data = {"id": known.id, "name": known.name, "at": known.at.isoformat()}
        await self.writer.write(SaveSetting(ACCOUNT + key, data), Lane.OUTCOMES)
        log.info("connected", channel=key, account=chosen.id)
        return chosen

    async def particulars(self, key: str) -> Particulars | Outcome:
        """What the platform says of our account now."""
        return await self._connector(key).particulars()

    def _connector(self, key: str) -> Connector:
        connector = self.stations[key].adapter.connector
        assert connector is not None, "asked for with `offers`"
        return connector

    def _question(self, key: str) -> _Question:
        question = self._open.get(key)
        if question is None or question.until < self.clock.now():
            raise NotConnected("Nobody was asked, or it is too long ago: start again.")
        return question
