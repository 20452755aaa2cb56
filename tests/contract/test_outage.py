"""An operator that is down, on real sockets: what stands in and when, what is left alone, what it does to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.threads import ThreadsEmulator
from adapters.emulators.webhook import WebhookEmulator
from broker.core import Broker
from broker.outcome import Live
from broker.settings import load, load_adapters
from broker.wiring import open_broker

STORY = {"headline": "Bão số 9 đổi hướng", "body": "Tâm bão cách bờ 120 km.", "route": "breaking"}
HOOK = 'adapter = "webhook"\nallow_http = true\nallow_private = true\nlook_back = "0s"'


@dataclass
class Newsroom:
    broker: Broker
    facebook: FacebookEmulator
    threads: ThreadsEmulator
    portal: WebhookEmulator
    partner: WebhookEmulator

    async def until(self, reference: str, holds: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The deliveries' states, as soon as `holds` of them."""
        async with asyncio.timeout(60):
            if holds(states := await self.states(reference)):
                return states
            async for _ in self.broker.follow("agency", reference):
                if holds(states := await self.states(reference)):
                    return states
        raise AssertionError(f"nothing more happens to {await self.states(reference)}")

    async def announce(self) -> str:
        """Its reference."""
        return (await self.broker.announce("agency", STORY, by="newsroom")).report.reference

    async def states(self, reference: str) -> dict[str, str]:
        return {d.channel: d.state.value for d in (await self.broker.get("agency", reference)).deliveries}

    def asked_of_meta(self, step: str = "publish") -> int:
        return len(self.facebook.log.asked(step)) + len(self.threads.log.asked(step))


@asynccontextmanager
async def newsroom(folder: Path, *, stand_in_after: str, total_timeout: str = "10s") -> AsyncIterator[Newsroom]:
    """Facebook and a portal are posted to; Threads, then a partner, stand in for Facebook."""
    async with (
        FacebookEmulator(lag=(0, 0)) as facebook,
        ThreadsEmulator(lag=(0, 0)) as threads,
        WebhookEmulator(lag=(0, 0)) as portal,
        WebhookEmulator(lag=(0, 0)) as partner,
    ):
        path = folder / "loa.toml"
        path.write_text(
            f"""
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
[channels]
facebook = {{ page_id = "1098", token = "page-token", base_url = "{facebook.base_url}", \
probe_every = "1s", total_timeout = "{total_timeout}" }}
threads = {{ user_id = "2468", token = "threads-token", base_url = "{threads.base_url}", probe_every = "1s" }}
[channels.portal]
url = "{portal.base_url}/portal"
operator = "portal"
country = "VN"
{HOOK}
[channels.partner]
url = "{partner.base_url}/partner"
operator = "partner"
country = "VN"
{HOOK}
[routes.breaking]
post_to = ["facebook", "portal"]
stand_ins = {{ facebook = ["threads", "partner"] }}
stand_in_after = "{stand_in_after}"
start_by = "2h"
goal = {{ operators = 2, within = "1h" }}
""",
            encoding="utf-8",
        )
        async with open_broker(load(path, {}, load_adapters())) as broker:
            yield Newsroom(broker, facebook, threads, portal, partner)


async def is_down(room: Newsroom) -> None:
    """Until the broker knows by its probes."""
    async with asyncio.timeout(60):
        while {c.state for c in await room.broker.channels("agency") if c.operator == "meta"} != {"down"}:
            await room.broker.probe("agency", "facebook")
            await room.broker.probe("agency", "threads")


async def test_stand_ins_start_at_once_and_nothing_is_tried_where_it_is_known_to_be_down(tmp_path: Path) -> None:
    async with newsroom(tmp_path, stand_in_after="1h") as room:  # by its time alone no stand-in would start today
        await room.facebook.fail("refused")
        await room.threads.fail("refused")
        await is_down(room)
        reference = await room.announce()
        states = await room.until(reference, lambda s: s["partner"] == s["portal"] == "live")
        assert (states["facebook"], states["threads"]) == ("due", "standby")
        assert len(room.partner.log.copies(reference)) == 1
        [facebook] = [d for d in (await room.broker.get("agency", reference)).deliveries if d.channel == "facebook"]
        assert (facebook.attempt, room.asked_of_meta()) == (0, 0)
        await room.facebook.heal()
        await room.threads.heal()
        await room.until(reference, lambda s: s["facebook"] == "live")  # the late copy it was owed
    assert len(room.facebook.log.copies(reference)) == 1
    assert room.threads.log.copies(reference) == []


async def test_logged_out_answers_of_a_whole_operator_burn_no_token(tmp_path: Path) -> None:
    async with newsroom(tmp_path, stand_in_after="1h") as room:
        await room.facebook.fail("logged_out")
        await room.threads.fail("logged_out")
        await is_down(room)
        reference = await room.announce()
        await room.until(reference, lambda s: s["partner"] == s["portal"] == "live")
        await room.facebook.heal()
        await room.threads.heal()
        await room.until(reference, lambda s: s["facebook"] == "live")
        assert isinstance(await room.broker.probe("agency", "threads"), Live)
        assert [room.asked_of_meta(step) for step in ("refresh", "exchange", "token")] == [0, 0, 0]


async def test_what_is_not_known_to_be_down_is_stood_in_for_after_its_time(tmp_path: Path) -> None:
    """Facebook hangs and nobody knows it yet; everything else goes out while its attempt is under way."""
    async with newsroom(tmp_path, stand_in_after="1s", total_timeout="18s") as room:
        await room.facebook.fail("stall", step="publish")
        reference = await room.announce()
        await room.until(reference, lambda s: (s["facebook"], s["portal"]) == ("sending", "live"))
        states = await room.until(reference, lambda s: s["partner"] == "live")
        assert (states["facebook"], states["threads"]) == ("sending", "standby")  # Threads is Meta's too: it comes last
        for other in [await room.announce() for _ in range(5)]:
            await room.until(other, lambda s: s["portal"] == "live")
        assert (await room.states(reference))["facebook"] == "sending"
        await room.facebook.heal()
