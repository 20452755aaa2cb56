"""What happened to an announcement, as a list and as a stream that can be taken up again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from broker.api import Options
from tests.contract.api.newsroom import BAO, FULL, TIN, Newsroom, newsroom

STREAM = {"Accept": "text/event-stream"}
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream, as a browser takes it apart; `id` and `type` None for mere comments."""

    lines: tuple[str, ...]

    def field(self, name: str) -> str | None:
        found = [line.partition(":")[2].removeprefix(" ") for line in self.lines if line.partition(":")[0] == name]
        return "\n".join(found) if found else None

    @property
    def data(self) -> Any:
        return json.loads(self.field("data") or "null")


@asynccontextmanager
async def following(room: Newsroom, any_id: str, **headers: str) -> AsyncIterator[AsyncIterator[Message]]:
    url = f"{room.server.url}/v1/announcements/{any_id}/events"
    given = {**STREAM, "Authorization": f"Bearer {FULL[TIN]}", **headers}
    timeout = aiohttp.ClientTimeout(total=10)
    async with room.session.get(url, headers=given, timeout=timeout) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        yield messages(response)


async def messages(response: aiohttp.ClientResponse) -> AsyncIterator[Message]:
    lines: list[str] = []
    async for raw in response.content:
        line = raw.decode().removesuffix("\n")
        if line:
            lines.append(line)
        else:
            yield Message(tuple(lines))
            lines = []


async def numbered(stream: AsyncIterator[Message]) -> list[Message]:
    return [message async for message in stream if message.field("id")]


async def test_a_list_goes_on_after_a_number(room):
    said = await room.announce()
    await room.closed(said["id"])
    events = (await room.get(f"/v1/announcements/{said['id']}/events")).json["events"]
    assert [one["n"] for one in events] == list(range(1, len(events) + 1))
    assert {one["kind"] for one in events} >= {"sending", "live", "goal_met", "status"}
    rest = (await room.get(f"/v1/announcements/{said['id']}/events?after=2")).json["events"]
    assert rest == events[2:]


async def test_a_stream_tells_the_same_as_the_list_and_ends(room):
    said = await room.announce()
    async with following(room, said["id"]) as stream:
        told = [message async for message in stream]
    events = (await room.get(f"/v1/announcements/{said['id']}/events")).json["events"]
    assert [message.data for message in told if message.field("id")] == events
    assert [int(m.field("id") or 0) for m in told if m.field("id")] == [one["n"] for one in events]
    assert [m.field("event") for m in told if m.field("id")] == [one["kind"] for one in events]
    assert told[-1].field("event") == "end"


async def test_a_stream_is_taken_up_where_it_was_cut(room):
    said = await room.announce()
    await room.closed(said["id"])
    async with following(room, said["id"]) as stream:
        everything = await numbered(stream)
    for last in range(len(everything) + 1):
        async with following(room, said["id"], **{"Last-Event-ID": str(last)}) as stream:
            assert await numbered(stream) == everything[last:]


async def test_a_follower_hears_at_once(room):
    said = await room.announce(send_at=LATER)
    known = len((await room.get(f"/v1/announcements/{said['id']}/events")).json["events"])
    async with following(room, said["id"], **{"Last-Event-ID": str(known)}) as stream:
        await anext(stream)
        withdrawal = asyncio.create_task(room.post(f"/v1/announcements/{said['id']}/withdrawal"))
        kinds = [message.field("event") for message in [await anext(stream) for _ in range(3)]]
        assert "withdrawn" in kinds
        await withdrawal


@pytest.mark.parametrize("last", ["-1", "two", "1.5", "٣", "9" * 30])
async def test_a_number_that_is_none_is_refused(room, last):
    headers = {**STREAM, "Last-Event-ID": last}
    said = await room.announce()
    answer = await room.get(f"/v1/announcements/{said['id']}/events", headers=headers)
    assert (answer.status, answer.code) == (400, "bad_request")


async def test_a_foreign_stream_does_not_exist(room):
    said = await room.announce()
    answer = await room.get(f"/v1/announcements/{said['id']}/events", headers=STREAM, key=FULL[BAO])
    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_silent_stream_shows_that_it_lives(tmp_path):
    async with newsroom(tmp_path, Options(heartbeat_s=0.02)) as room:
        said = await room.announce(send_at=LATER)
        async with following(room, said["id"]) as stream:
            comments = 0
            while comments < 3:
                comments += (await anext(stream)).lines == (": still here",)


async def test_streams_are_bounded(tmp_path):
    async with newsroom(tmp_path, Options(streams_at_most=1)) as room:
        said = await room.announce(send_at=LATER)
        path = f"/v1/announcements/{said['id']}/events"
        async with following(room, said["id"]) as stream:
            await anext(stream)
            answer = await room.get(path, headers=STREAM)
            assert (answer.status, answer.code) == (503, "overloaded")
            assert int(answer.headers["Retry-After"]) > 0
            assert (await room.get(path)).status == 200
            metrics = (await room.get("/metrics")).body.decode()
            assert "loa_event_streams 1.0" in metrics


async def test_a_caller_that_leaves_frees_its_place(tmp_path):
    async with newsroom(tmp_path, Options(streams_at_most=1, heartbeat_s=0.02)) as room:
        said = await room.announce(send_at=LATER)
        for _ in range(3):
            async with following(room, said["id"]) as stream:
                await anext(stream)
            async with asyncio.timeout(60):
                while "loa_event_streams 0.0" not in (await room.get("/metrics")).body.decode():
                    pass


async def test_a_server_that_stops_ends_its_streams_unfinished(room):
    said = await room.announce(send_at=LATER)
    async with following(room, said["id"]) as stream:
        await anext(stream)
        room.server.stop.set()
        rest = [message async for message in stream]
    await asyncio.wait_for(asyncio.shield(room.server.task), 5)
    assert all(message.field("event") != "end" for message in rest)
