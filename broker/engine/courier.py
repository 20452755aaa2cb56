"""Takes one attempt or one question to an adapter and brings back its outcome; never raises, never repeats."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import structlog

from broker.contract import Gate, GateClosed, Job, Profile
from broker.engine.channels import Station
from broker.engine.lease import AttemptGate, Lease
from broker.model import Announcement, Delivery, Verb
from broker.outcome import Fault, Finding, Rejected, Unavailable, Uncertain
from broker.rules.delivery import counts_copies, lasts_at_most

log = structlog.get_logger("loa.courier")


class Courier:
    """Runs adapters under the gate and a time limit. `gate_switch` off is a sabotage for tests only."""

    def __init__(self, lease: Lease, *, gate_switch: bool = True) -> None:
        self._lease, self._gate_switch = lease, gate_switch

    def job(
        self,
        announcement: Announcement,
        delivery: Delivery,
        gate: Gate,
        keep: Callable[[str], Awaitable[None]],
        neighbour: str | None = None,
    ) -> Job:
        return Job(
            announcement_id=announcement.id,
            reference=announcement.reference,
            composed=delivery.composed,
            key=delivery.key,
            attempt=delivery.attempt,
            started_at=delivery.sent_at or announcement.accepted_at,
            gate=gate,
            store_handle=keep,
            step=delivery.step,
            handle=delivery.handle,
            first_sent_at=delivery.first_sent_at or delivery.sent_at,
            platform_id=delivery.extra[-1] if delivery.extra else delivery.platform_id,
            url=delivery.url,
            neighbour=neighbour,
            count=counts_copies(delivery),
        )

    def gate(self, profile: Profile, until: datetime | None = None) -> AttemptGate:
        """The gate of one attempt, which begins to leave before `until`, or of one question."""
        return AttemptGate(self._lease, profile.total_timeout, until=until, always_open=not self._gate_switch)

    async def publish(self, station: Station, job: Job) -> Finding | None:
        """The outcome of one attempt; None when the gate refused: provably nothing left, and it is not counted."""
        try:
            async with asyncio.timeout(lasts_at_most(station.channel.profile).total_seconds()):
                return await station.adapter.publish(job)
        except GateClosed:
            return None if not job.gate.passed else Uncertain(Fault.CRASH, "stopped in the middle of it")
        except TimeoutError:
            return _lost(job, Fault.HANG, "no answer in time")
        except Exception as error:
            _log_bug(station, "publish", error)
            return _lost(job, Fault.SERVER, f"internal error ({type(error).__name__})")

    async def ask(self, station: Station, verb: Verb, job: Job) -> Finding:
        """The answer to confirm, find or delete; a question that fails changes nothing."""
        call = {
            Verb.CONFIRM: station.adapter.confirm,
            Verb.FIND: station.adapter.find,
            Verb.DELETE: station.adapter.delete,
        }
        try:
            async with asyncio.timeout(4 * station.channel.profile.total_timeout.total_seconds()):
                return await call[verb](job)
        except GateClosed:
            return Unavailable(Fault.CRASH, "this run's lease is over")
        except TimeoutError:
            return Uncertain(Fault.HANG, "no answer in time")
        except Exception as error:
            _log_bug(station, verb.value, error)
            return Uncertain(Fault.CRASH, f"internal error ({type(error).__name__})")

    async def probe(self, station: Station) -> Finding:
        return await self._try_out(station, Verb.PROBE, station.adapter.probe, 2)

    async def rehearse(self, station: Station) -> Finding:
        return await self._try_out(station, Verb.REHEARSE, station.adapter.rehearse, 4)

    async def _try_out(
        self, station: Station, verb: Verb, call: Callable[[], Awaitable[Finding]], timeouts: int
    ) -> Finding:
        try:
            async with asyncio.timeout(timeouts * station.channel.profile.total_timeout.total_seconds()):
                return await call()
        except TimeoutError:
            return Uncertain(Fault.HANG, "no answer in time")
        except Exception as error:
            _log_bug(station, verb.value, error)
            return Rejected("bug", f"internal error ({type(error).__name__})")


def _lost(job: Job, fault: Fault, detail: str) -> Finding:
    return Uncertain(fault, detail) if job.gate.passed else Unavailable(fault, detail)


def _log_bug(station: Station, verb: str, error: Exception) -> None:
    """Says where, not what: an exception's text may quote a request, and with it a token."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    log.error("adapter_bug", channel=station.key, verb=verb, error=type(error).__name__, where=where)
