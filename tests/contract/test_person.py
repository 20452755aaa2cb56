"""A person who posts by hand: the suite, what is theirs alone, and the way to `live` in a whole broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import pytest
from pydantic import ValidationError

import loa
from adapters.emulators.faults import Kind
from adapters.emulators.person import PersonEmulator
from adapters.person import PersonAdapter, PersonSettings
from broker.contract import Unsuited
from broker.library import configured
from broker.model import State, Verb
from broker.outcome import Fault, Pending, Unavailable
from broker.rules.evidence import evidence
from broker.settings.show import shown
from broker.values import replace
from broker.wiring import open_broker
from tests.contract.adapter_suite import AdapterSuite, Expected
from tests.contract.bench import POST, Bench

SECRET = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
VIA = {"adapter": "telegram", "token": SECRET, "chat_id": "-1001"}
SETTINGS = {"platform": "Instagram", "operator": "meta", "country": "US", "via": VIA}
DESK = {**SETTINGS, "desk_url": "https://loa.tin.example/desk/"}


class TestPerson(AdapterSuite):
    adapter = PersonAdapter
    emulator = PersonEmulator
    settings: ClassVar = SETTINGS
    steps: ClassVar = {"hand": "publish"}
    secrets: ClassVar = ()
    done = Pending
    is_public = False
    tls_fault = Fault.WAY
    exempt: ClassVar = {
        Kind.ERROR_IN_200: "a hook's answer is its status",
        Kind.EXPIRED: "a hook's address has no end",
        Kind.REVOKED: "a hook that is gone says 410, as when it is suspended",
    }
    otherwise: ClassVar = {
        **dict.fromkeys((Kind.LOGGED_OUT, Kind.NO_PERMISSION, Kind.SUSPENDED), Expected(Unavailable)),
        # A hook's 2xx is taken at its word: if it lied, nobody confirms, and that is told.
        **dict.fromkeys((Kind.GARBAGE_200, Kind.EMPTY_200, Kind.TRUNCATED_JSON), Expected(Pending)),
    }

    async def test_a_post_is_published_once_and_word_for_word(self, bench):
        copy = await bench.live()
        [message] = bench.log.taken
        assert message.text.endswith(f"\n\n{copy.composed.text}")
        assert bench.copies() == 0
        bench.emulator.post_by_hand(message.id)
        assert bench.copies() == 1

    async def test_pictures_are_named_by_their_address(self, bench, host):
        picture = host.picture()
        copy = bench.copy(replace(POST, media=(picture,)))
        assert isinstance(await copy.publish(bench.adapter), Pending)
        [message] = bench.log.taken
        assert f"Kèm theo:\n{host.shelf.url}/{picture.name}\n\n" in message.text

    async def test_a_platform_of_pictures_gets_the_card(self, bench, host):
        adapter = bench.new_adapter(picture=True)
        card = host.picture("Bão số 9")
        composed = adapter.compose(replace(POST, card=card))
        assert composed.media == (card,)
        assert f"{host.shelf.url}/{card.name}" in composed.parts["phone.body"]
        with pytest.raises(Unsuited):
            adapter.compose(POST)

    async def test_a_probe_tells_what_is_wrong(self, bench, connection_fault):
        """A hook tells no more than that it is there."""
        await bench.emulator.fail(connection_fault)
        assert isinstance(await bench.against(connection_fault).probe(), Unavailable)

    async def test_no_failure_of_the_way_speaks_about_the_platform(self, bench, any_fault):
        """Two such channels would else take the platform down for those that post by themselves."""
        await bench.emulator.fail(any_fault)
        for verb, outcome in (
            (Verb.PUBLISH, await bench.copy().publish(bench.against(any_fault))),
            (Verb.PROBE, await bench.against(any_fault).probe()),
        ):
            if isinstance(outcome, Unavailable):
                assert outcome.fault is Fault.WAY
                assert evidence(verb, outcome) is None


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with PersonEmulator() as emulator, aiohttp.ClientSession() as session:
        yield Bench(PersonAdapter, DESK, "publish", emulator, session, Pending)


def phone(bench: Bench, **changes: Any) -> str:
    return bench.adapter.compose(replace(POST, **changes)).parts["phone."]


# -- what the person reads


async def test_the_message_says_what_to_do_where_and_how_to_tell(bench):
    message = phone(bench)
    assert message.startswith("Đăng tin dưới đây lên Instagram bằng tay.")
    assert f"https://loa.tin.example/desk/announcements/{POST.reference}" in message
    assert "Nhận hai lần, đăng một lần" in message
    assert phone(bench, language="en").startswith("Post the text below on Instagram by hand.")
    without = bench.new_adapter(desk_url=None).compose(POST).parts["phone."]
    assert f"loa resolve {POST.reference} test live --url" in without


async def test_readers_see_the_text_alone(bench):
    composed = bench.adapter.compose(replace(POST, override="Tin riêng.", late_mark="Viết lúc 22:58"))
    assert composed.text.splitlines()[0] == "Viết lúc 22:58"
    assert "bằng tay" not in composed.text
    assert composed.text in composed.parts["phone."]
    assert composed.parts["phone."].count("Viết lúc 22:58") == 1


async def test_the_platforms_limit_counts_for_the_text_and_the_ways_for_the_message(bench):
    long = replace(POST, body="Nước dâng nhanh ở hạ lưu. " * 400)
    short = bench.new_adapter(text_limit=300).compose(long)
    assert short.length <= 300
    assert "300" in (short.cut or "")
    by_telegram = PersonAdapter(PersonSettings.model_validate(SETTINGS), bench.adapter._tools).compose(long)
    assert by_telegram.text.endswith(str(POST.short_link)), "readers lose nothing"
    assert "for the phone" in (by_telegram.cut or "")


# -- settings


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"via": {"adapter": "zalo"}}, "smtp, telegram, webhook"),
        ({"via": "telegram"}, "smtp, telegram, webhook"),
        ({"via": {"adapter": "telegram", "token": SECRET}}, "chat_id: Field required"),
        ({"via": {**VIA, "colour": "red"}}, "colour: Extra inputs"),
        ({"operator": ""}, "operator"),
        ({"country": "Vietnam"}, "country"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(changes, problem):
    with pytest.raises(ValidationError, match=problem) as refused:
        PersonSettings.model_validate({**SETTINGS, **changes})
    assert SECRET not in str(refused.value)


def test_what_fails_together_is_the_platform_and_the_way(bench):
    profile = PersonAdapter(PersonSettings.model_validate(SETTINGS), bench.adapter._tools).profile
    assert (profile.operator, profile.country, profile.push) == ("meta", "US", True)
    assert profile.hosts == ("api.telegram.org",)
    assert profile.login == "telegram bot 110201543"


# -- in a whole broker


def settings(folder: Path, url: str) -> Path:
    path = folder / "loa.toml"
    path.write_text(
        f"""
[store]
url = "sqlite:///{folder}/loa.db"
[agency]
name = "Tin Ví Dụ"
prefix = "TVD"
[channels.by_hand]
adapter = "person"
platform = "Instagram"
operator = "meta"
country = "US"
via = {{ adapter = "webhook", form = "chat", url = "{url}/hooks/S3CRET", allow_private = true }}
[routes.breaking]
post_to = ["by_hand"]
goal = {{ operators = 1, domestic = 0, within = "60s" }}
""",
        encoding="utf-8",
    )
    return path


async def test_it_counts_when_a_person_says_where_it_is_and_not_before(tmp_path: Path):
    async with PersonEmulator() as emulator, open_broker(configured(settings(tmp_path, emulator.base_url))) as broker:
        accepted = await broker.announce("agency", {"headline": "Bão số 9", "body": "Sơ tán.", "route": "breaking"})
        async for event in broker.follow("agency", accepted.report.id):
            if event.kind == "pending":
                break
        waiting = await broker.get("agency", accepted.report.id)
        assert waiting.goal.have.operators == []
        url = "https://www.instagram.com/p/abc"
        said = await broker.resolve("agency", waiting.reference, "by_hand", live=True, url=url, by="Lan")
        [delivery] = said.deliveries
        assert (delivery.state, delivery.url) == (State.LIVE, url)
        assert said.goal.have.operators == ["meta"]
        assert len(emulator.log.taken) == 1


def test_the_way_is_shown_without_its_secrets(tmp_path: Path):
    told = str(shown(configured(settings(tmp_path, "http://127.0.0.1:9"))))
    assert "S3CRET" not in told
    with pytest.raises(loa.ConfigError, match="via"):
        configured(settings(tmp_path, "gopher://127.0.0.1:9"))
