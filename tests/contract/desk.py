"""What an adapter is handed in these tests: tools, a post, a job with its gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from broker.clock import Clock, SystemClock
from broker.contract import Adapter, GateClosed, Job, Refresh, TokenPair, Tools
from broker.model import Composed, Post

REFERENCE = "TVD-7QK2F9"
POST = Post(
    announcement_id="0195f0c2-7a11-7cc3-98d4-000000000017",
    reference=REFERENCE,
    headline="Bão số 9 đổi hướng",
    body="Tâm bão cách bờ 120 km.\n\nGió giật cấp 12 <script>alert('x')</script> & mưa lớn.",
    agency="Tin Ví Dụ",
    language="vi",
    written_at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
    author="Nguyễn Văn A",
)


@dataclass(slots=True)
class DeskGate:
    """A gate that a test can close."""

    is_open: bool = True
    passed: bool = False

    def enter(self) -> None:
        if not self.is_open:
            raise GateClosed
        self.passed = True


class DeskClock(SystemClock):
    """The machine's clock, set to a time of the test's choice."""

    def __init__(self, at: datetime = POST.written_at) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> None:
        self.at += timedelta(**by)


NO_TOKEN = "this adapter has no rotating token to ask for"


class NoVault:
    """For adapters without rotating tokens: one that asks for a token fails its test."""

    async def pair(self, seed: TokenPair, refresh: Refresh) -> TokenPair:
        raise AssertionError(NO_TOKEN)

    async def refused(self, access: str, refresh: Refresh) -> TokenPair | None:
        raise AssertionError(NO_TOKEN)

    async def replace(self, pair: TokenPair, seed: TokenPair) -> None:
        raise AssertionError(NO_TOKEN)


def tools(session: aiohttp.ClientSession, clock: Clock | None = None, channel: str = "partner") -> Tools:
    return Tools(channel=channel, session=session, clock=clock or SystemClock(), vault=NoVault(), agency=POST.agency)


def job_for(
    adapter: Adapter, post: Post = POST, *, gate: DeskGate | None = None, composed: Composed | None = None, **rest: Any
) -> Job:
    """A job as the engine makes it: text composed once, the same key in every attempt."""

    async def keep(handle: str) -> None: ...

    given: Mapping[str, Any] = {
        "announcement_id": post.announcement_id,
        "reference": post.reference,
        "composed": composed or adapter.compose(post),
        "key": f"{post.announcement_id}-partner",
        "attempt": 1,
        "started_at": post.written_at,
        "gate": gate or DeskGate(),
        "store_handle": keep,
        **rest,
    }
    return Job(**given)
