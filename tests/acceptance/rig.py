"""One broker under test: its folder, its lives one after the other on the same store, and a client that never gives up.

async with platforms(*CHANNELS) as (control, found):
    async with Rig(folder, control, found) as rig:
        await rig.start(crash_at="intent.durable:2")
        rig.submit(10)
        await rig.restarted()                       # waits for the crash, starts the next life
        assert (await rig.verdict()).faults == []   # by the platforms' logs and the answers the client got
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import signal
import socket
import sys
import time
from collections.abc import Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from adapters.emulators.control import ControlClient
from broker.model import RESTING
from tests.acceptance.processes import PATIENCE_S, ForkedLife, Life, Platforms, processor_s, send, started
from tests.acceptance.verdict import Verdict, judge

KEY = "loa_acceptance-0123456789"
CHANNELS = {
    "facebook": "facebook",
    "zalo": "zalo",
    "threads": "threads",
    "partner": "webhook",
    "telegram": "telegram",
    "people": "smtp",
}
"""Channel -> adapter: by list, by list, by handle, keyed, and two that cannot be asked."""
SLOWER = {
    "instagram": "instagram",
    "tiktok": "tiktok",
    "youtube": "youtube",
    "vneid": "vneid",
    "pictures": "tiktok",
    "zalo_push": "zalo_push",
}
"""Where a post is worked on, or looked at by people, before it is shown: three by handle, one keyed, TikTok's pictures,
which a list may show and none proves absent, and one that cannot be asked."""
EMULATED = tuple(CHANNELS.values())
MANY = 1_000_000
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    **{name: {"lag": [0.05, 0.3]} for name in ("facebook", "threads", "telegram", "smtp", "webhook")},
    "zalo": {"lag": [0.05, 0.3], "ready_after": 0.2},
    "instagram": {"lag": [0.05, 0.3], "quota": MANY, "calls_per_hour": MANY},
    "tiktok": {"lag": [0.05, 0.3], "ready_after": 0.2, "posts_a_day": MANY, "calls_a_minute": {}},
    "youtube": {"lag": [0.05, 0.3], "processed_after": 0.2, "inserts": MANY, "units": MANY},
    "vneid": {"lag": [0.05, 0.3], "decides_after": 0.1, "delivers_after": 0.1},
    "zalo_push": {"lag": [0.05, 0.3], "ready_after": 0, "moderated_after": 0.2, "broadcasts": MANY},
}
"""Quotas are those of an account that may post as much as a test does; lists lag and videos are worked on."""
TIMES: Mapping[str, Any] = {
    "probe_every": "1h",
    "rate_per_s": 1000,
    "total_timeout": "10s",
    "connect_timeout": "5s",
    "settle_for": "1500ms",
    "first_look": "200ms",
    "look_back": "1s",
    "quick_retry": "100ms",
    "backoff": "200ms",
}
"""Shorter than in production, so that a test need not wait for a quarter of an hour; but for time limits, which only a
machine that is very busy comes near to: a sound platform that is taken for a dead one would spoil every count."""
OWN: Mapping[str, Mapping[str, Any]] = {
    "zalo": {"access_token": "zalo-access", "cover_url": "http://127.0.0.1:9/cover.jpg"},
    "partner": {"url": "https://partner.example/hooks/loa", "country": "VN", "operator": "partner"},
    "people": {"host": "smtp.example", "sender": "tin@tin.example", "recipients": ["desk@tin.example"], "push": False},
    "pictures": {"token_of": "tiktok", "operator": "pictures", "login": "pictures", "hosts": ["pictures.example"]},
    "zalo_push": {"access_token": "zalo-access", "cover_url": "http://127.0.0.1:9/cover.jpg", "pending_for": "5s"},
}
"""`pictures` are posted with the token of `tiktok`, and must not take it along when they are in trouble."""


@dataclass(slots=True)
class Submission:
    """One announcement as its client knows it."""

    token: str
    """In the headline, and nowhere else."""
    answered: dict[str, Any] | None = None
    answered_at: float = 0.0
    accepted: asyncio.Event = field(default_factory=asyncio.Event)
    refusals: list[int] = field(default_factory=list)
    """HTTP statuses of answers that were no acceptance."""
    withdrawn: bool = False
    withdrawn_at: float | None = None


class Rig:
    """Starts, kills and asks one broker."""

    def __init__(
        self,
        folder: Path,
        control: ControlClient,
        found: Platforms,
        *,
        seed: int = 0,
        named: Mapping[str, str] = CHANNELS,
        times: Mapping[str, Any] | None = None,
        channels: Mapping[str, Mapping[str, Any]] | None = None,
        routes: Mapping[str, Mapping[str, Any]] | None = None,
        media: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`named`: its channels and their adapters; `times` and `channels` change settings of all and of single ones;
        `environment` goes to every life."""
        self.folder, self.control, self.named = folder, control, named
        self.random = random.Random(seed)
        self.port = free_port()
        self.log = folder / "broker.log"
        self.config = folder / "loa.toml"
        self.disk = folder / "disk"
        self.disk.mkdir(exist_ok=True)
        self.store = self.disk / "loa.db"
        self.environment = dict(environment or {})
        self.submissions: list[Submission] = []
        self.life: Life | None = None
        self.lives = 0
        self.back_in_s: list[float] = []
        """From a start to the first answer that says `ready`; not of the first, which begins with all imports."""
        self.worked_s: list[float] = []
        """Processor time that it had used by then, which hardly grows when others keep the machine busy."""
        self._clients: set[asyncio.Task[None]] = set()
        settings = {name: self._channel(name, found, times, channels) for name in named}
        self.config.write_text(as_toml(self._settings(settings, routes or {}, media or {})), encoding="utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _channel(
        self,
        name: str,
        found: Platforms,
        times: Mapping[str, Any] | None,
        channels: Mapping[str, Mapping[str, Any]] | None,
    ) -> dict[str, Any]:
        adapter = self.named[name]
        own = {**OWN.get(name, {}), **(channels or {}).get(name, {})}
        return {"adapter": adapter, **TIMES, **(times or {}), **found[adapter]["settings"], **own}

    def _settings(
        self,
        channels: Mapping[str, Mapping[str, Any]],
        routes: Mapping[str, Mapping[str, Any]],
        media: Mapping[str, Any],
    ) -> dict[str, Any]:
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        scopes = ["send", "read", "operate"]
        return {
            "server": {"listen": f"127.0.0.1:{self.port}"},
            "store": {"url": f"sqlite:///{self.store}"},
            "agency": {
                "name": "Tin Ví Dụ",
                "prefix": "TVD",
                "keys": [{"name": "test", "sha256": digest, "scopes": scopes}],
            },
            "channels": channels,
            "media": media,
            "routes": {"default": {"post_to": list(channels)}, **routes},
        }

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=PATIENCE_S / 2), headers={"Authorization": f"Bearer {KEY}"}
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if self.life is not None and not self.life.is_over:
            send(self.life, signal.SIGKILL)
            await self.life.ended()
        await self._session.close()
        if error is not None:
            print(f"-- the broker's last words ({self.log}):\n{self.words()[-3000:]}", file=sys.stderr)

    # -- lives

    async def start(
        self,
        *,
        crash_at: str = "",
        sabotage: str = "",
        cold: bool = False,
        wrapped: Collection[str] = (),
        wait: bool = True,
    ) -> Life:
        """The next life. `cold`: the command `loa serve` itself; `wrapped`: that command under another, as strace."""
        assert self.life is None or self.life.is_over
        begun = time.monotonic()
        environment = {"LOA_CRASH_AT": crash_at, "LOA_SABOTAGE": sabotage, **self.environment}
        self.lives += 1
        if wrapped or cold:
            program = [sys.executable, "-m", "tests.acceptance.runner", str(self.config)]
            if cold:
                program = [sys.executable, "-m", "broker", "serve", "--config", str(self.config)]
                environment = self.environment
            self.life = await started([*wrapped, *program], environment, self.log)
        else:
            self.life = ForkedLife(self.config, environment, self.log)
        if not wait:
            return self.life
        if await self.ready():
            self._is_back(self.life, time.monotonic() - begun)
        elif not (crash_at or wrapped):
            raise RuntimeError(f"the broker does not start:\n{self.words()[-2000:]}")
        return self.life

    def _is_back(self, life: Life, seconds: float) -> None:
        if self.lives > 1:
            self.back_in_s.append(seconds)
            with suppress(OSError):  # it may have died meanwhile
                self.worked_s.append(processor_s(life.pid))

    async def ready(self, within: float = PATIENCE_S) -> bool:
        """Waits until it takes announcements; False if it ended before."""
        assert self.life is not None
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.life.is_over:
                return False
            if (await self._ask("GET", "/readyz"))[0] == 200:
                return True
            await asyncio.sleep(0.01)
        raise TimeoutError(f"the broker is not ready within {within} s:\n{self.words()[-2000:]}")

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends the signal and waits for the end of this life."""
        assert self.life is not None
        send(self.life, number)
        return await self.life.ended()

    async def end_of_life(self, within: float) -> int:
        """The exit code of a life that ends by itself. TimeoutError if it does not."""
        assert self.life is not None
        if not await self.died(within):
            raise TimeoutError(f"the broker still runs after {within} s")
        return await self.life.ended()

    async def died(self, within: float) -> bool:
        """Whether this life ends by itself in time."""
        assert self.life is not None
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.life.is_over:
                return True
            await asyncio.sleep(0.01)
        return False

    def words(self) -> str:
        """What all lives so far said."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    # -- the client

    def submit(self, count: int = 1, route: str = "default", media: Sequence[str] = ()) -> list[Submission]:
        """Clients that hand in one announcement each, and repeat it with the same key until it is accepted."""
        made = [Submission(f"n{len(self.submissions) + i:05}-{self.random.getrandbits(24):06x}") for i in range(count)]
        self.submissions += made
        for one in made:
            self._begin(self._hand_in(one, route, media))
        return made

    def take_back(self, one: Submission) -> None:
        """A client that withdraws it as soon as it is accepted, and repeats that until it is answered."""
        self._begin(self._withdraw(one))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        client = asyncio.create_task(work)
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def upload(self, content: bytes) -> str:
        """A picture or video for announcements to come, by its name."""
        async with self._session.post(f"{self.url}/v1/media", data=content) as response:
            answer = await response.json()
            assert response.status == 201, answer
            return str(answer["name"])

    async def _hand_in(self, one: Submission, route: str, media: Sequence[str]) -> None:
        body = {
            "headline": f"Tin {one.token}",
            "body": "Tâm bão cách bờ 120 km, gió giật cấp 15.",
            "route": route,
            "media": list(media),
        }
        while one.answered is None:
            status, answer = await self._ask("POST", "/v1/announcements", body, {"Idempotency-Key": one.token})
            if status == 202:
                one.answered, one.answered_at = answer, time.time()
                one.accepted.set()
            else:
                one.refusals += [status] if status else []
                await asyncio.sleep(0.03)

    async def accepted(self, within: float = PATIENCE_S) -> None:
        """Waits until all clients have what they want."""
        async with asyncio.timeout(within):
            while self._clients:
                await asyncio.wait(self._clients)

    async def _withdraw(self, one: Submission) -> None:
        await one.accepted.wait()
        assert one.answered is not None
        while not one.withdrawn:
            status, _ = await self._ask("POST", f"/v1/announcements/{one.answered['id']}/withdrawal", {})
            one.withdrawn = status == 200
            if not one.withdrawn:
                await asyncio.sleep(0.03)
        one.withdrawn_at = time.time()

    async def report(self, one: Submission) -> dict[str, Any] | None:
        """Where it stands; None if the broker does not know it."""
        assert one.answered is not None
        status, answer = await self._ask("GET", f"/v1/announcements/{one.answered['id']}")
        assert status in (200, 404), (status, answer)
        return answer if status == 200 else None

    async def events(self, announcement_id: str) -> list[dict[str, Any]]:
        status, answer = await self._ask("GET", f"/v1/announcements/{announcement_id}/events")
        assert status == 200, (status, answer)
        found: list[dict[str, Any]] = answer["events"]
        return found

    async def settled(self, within: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Waits until no delivery moves any more; the reports of all accepted announcements that are known."""
        deadline, done = time.monotonic() + within, list[dict[str, Any]]()
        for one in (each for each in self.submissions if each.answered):
            while True:
                report = await self.report(one)
                if report is None:
                    break
                moving = [d for d in report["deliveries"] if d["state"] not in RESTING]
                if not moving:
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{one.token} is not settled: {[(d['channel'], d['state']) for d in moving]}")
                await asyncio.sleep(0.05)
            if report:
                done.append(report)
        return done

    async def verdict(self, within: float = PATIENCE_S) -> Verdict:
        """Waits until everything is settled, then compares what the platforms took with what the client was told."""
        await self.accepted(within)
        reports = await self.settled(within)
        events = {report["id"]: await self.events(report["id"]) for report in reports}
        logs = {channel: await self.control.log(name) for channel, name in self.named.items()}
        return judge(self.submissions, reports, events, logs)

    async def _ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON; (0, None) when there was no answer."""
        try:
            status, _, answer = await self.ask(method, path, body, headers)
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            return 0, None
        return status, answer

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers and JSON of one answer. Raises what the client raises when there is none."""
        async with self._session.request(method, self.url + path, json=body, headers=headers) as response:
            text = await response.read()
            answer = json.loads(text) if text and "json" in response.content_type else None
            return response.status, response.headers, answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_toml(tree: Mapping[str, Any]) -> str:
    """Tables of tables; JSON's scalars and lists are TOML's too, but for objects in lists."""
    lines: list[str] = []

    def write(prefix: str, table: Mapping[str, Any]) -> None:
        lines.append(f"[{prefix}]" if prefix else "")
        inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
        lines.extend(f"{key} = {_value(value)}" for key, value in table.items() if key not in inner)
        for key, value in inner.items():
            write(f"{prefix}.{key}" if prefix else key, value)

    write("", tree)
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
