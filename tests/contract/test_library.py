"""The library as a newsroom tool uses it: real platforms' emulators, a real store, both forms."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

import loa
from adapters.emulators.facebook import FacebookEmulator
from adapters.emulators.webhook import WebhookEmulator

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STORY = {"headline": "Bão số 9 đổi hướng", "body": "Tâm bão cách bờ 120 km.", "urgency": "urgent"}


def settings(folder: Path, partner: str) -> Path:
    path = folder / "loa.toml"
    path.write_text(
        f"""
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
[channels.partner]
adapter = "webhook"
url = "{partner}/hooks/loa"
secret = "{SECRET}"
country = "VN"
allow_http = true
allow_private = true
""",
        encoding="utf-8",
    )
    return path


async def test_an_announcement_goes_out_and_tells_its_way(tmp_path: Path) -> None:
    async with WebhookEmulator(secrets=[SECRET]) as partner:
        async with loa.Broker.open(settings(tmp_path, partner.base_url)) as broker:
            receipt = await broker.announce(**STORY, idempotency_key="k1")
            kinds = [event.kind async for event in until_met(broker, receipt.report.id)]
            report = await broker.get(receipt.report.reference)
        assert kinds[0] == "accepted"
        assert report.status == "reached"
        assert len(partner.log.copies(report.reference)) == 1


async def until_met(broker: loa.Broker, announcement_id: str):
    async for event in broker.follow(announcement_id):
        yield event
        if event.kind == "goal_met":
            return


async def test_following_ends_when_the_last_look_back_found_nothing_new(tmp_path: Path) -> None:
    async with FacebookEmulator(lag=(0, 0)) as fb, WebhookEmulator(secrets=[SECRET]) as partner:
        path = settings(tmp_path, partner.base_url)
        with path.open("a", encoding="utf-8") as more:
            more.write("""[channels.facebook]
page_id = "1098"
token = "page-token"
look_back = "300ms"
""")
            more.write(f'base_url = "{fb.base_url}"\n')
        async with loa.Broker.open(path) as broker, asyncio.timeout(60):
            receipt = await broker.announce(**STORY)
            events = [event async for event in broker.follow(receipt.report.id)]
    assert {e.channel for e in events if e.kind == "live"} == {"facebook", "partner"}
    assert "get" in [request.step for request in fb.log.requests]


async def test_the_same_key_gives_the_same_announcement_after_a_restart(tmp_path: Path) -> None:
    async with WebhookEmulator(secrets=[SECRET]) as partner:
        path = settings(tmp_path, partner.base_url)
        async with loa.Broker.open(path) as broker:
            first = await broker.announce(**STORY, idempotency_key="k1")
        async with loa.Broker.open(path) as broker:
            again = await broker.announce(**STORY, idempotency_key="k1")
            with pytest.raises(loa.Conflict):
                await broker.announce(**{**STORY, "body": "khác"}, idempotency_key="k1")
    assert again.repeated
    assert again.report.id == first.report.id
    assert len(partner.log.copies(first.report.reference)) == 1


async def test_a_second_process_is_told_that_the_store_is_in_use(tmp_path: Path) -> None:
    async with WebhookEmulator(secrets=[SECRET]) as partner:
        path = settings(tmp_path, partner.base_url)
        async with loa.Broker.open(path):
            with pytest.raises(loa.StoreInUse, match="in use by another process"):
                async with loa.Broker.open(path):
                    pass


async def test_bad_input_names_the_field(tmp_path: Path) -> None:
    async with WebhookEmulator(secrets=[SECRET]) as partner, loa.Broker.open(settings(tmp_path, partner.base_url)) as b:
        with pytest.raises(loa.InvalidInput) as caught:
            await b.announce(headline="Bão\0", body="", urgncy="urgent")
    assert {f.path for f in caught.value.fields} == {"headline", "body", "urgncy"}
    assert not partner.log.requests or partner.log.posts == []


BARE = """
import loa, sys
with loa.BlockingBroker(sys.argv[1]) as broker:
    receipt = broker.announce(headline="Tin", body="Bài")
    broker.settled(receipt.report.id)
print("done")
"""


def test_a_program_that_says_nothing_of_logs_has_its_stdout_for_itself(tmp_path: Path) -> None:
    path = settings(tmp_path, "http://127.0.0.1:9")
    with path.open("a", encoding="utf-8") as more:
        more.write('[routes.default]\npost_to = ["partner"]\nlate_copies = "never"\nstart_by = "3s"\n')
        more.write('goal = { operators = 1, within = "2s" }\n')
    command = [sys.executable, "-c", BARE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "done\n"
    assert "event='channel_down'" in done.stderr


@contextmanager
def partner_beside() -> Iterator[WebhookEmulator]:
    """An emulator on a loop of its own, because a blocking tool has none."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    emulator = WebhookEmulator(secrets=[SECRET])
    asyncio.run_coroutine_threadsafe(emulator.start(), loop).result(5)
    try:
        yield emulator
    finally:
        asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_blocking_form_does_the_same(tmp_path: Path) -> None:
    with partner_beside() as partner, loa.BlockingBroker(settings(tmp_path, partner.base_url)) as broker:
        receipt = broker.announce(**STORY)
        assert any(event.kind == "goal_met" for event in broker.follow(receipt.report.id) if event.kind == "goal_met")
        assert broker.get(receipt.report.id).status == "reached"
        assert [p.channel for p in broker.preview(**STORY)] == ["partner"]
        assert [c.name for c in broker.channels()] == ["partner"]
        assert len(partner.log.copies(receipt.report.reference)) == 1
