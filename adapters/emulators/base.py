"""The frame of every emulator: a server on 127.0.0.1 that speaks a platform's protocol, keeps what it really took
in, and goes wrong when told to.

A platform emulator says which calls it serves and how its platform words its refusals:

    from adapters.emulators.http import WIRE, Call, HttpEmulator, Refused, Route

    class EchoEmulator(HttpEmulator):
        name = "echo"
        kinds = WIRE | SHAPED | {Kind.SILENT_DROP, Kind.EMPTY_LIST, Kind.LIST_LAG, Kind.REMOVE_LATER}

        def routes(self) -> Iterator[Route]:
            yield Route("POST", "/{page}/posts", "publish", self._publish, writes=True)
            yield Route("GET", "/{page}/posts", "list", self._list)

        async def _publish(self, call: Call) -> web.Response:
            if not call.params.get("text"):
                raise Refused(web.json_response({"error": "no text"}, status=400), verdict="no text")
            post = self.take_in(self.digits(15), call.params["text"], author=call.match["page"])
            return web.json_response({"id": post.id})

        async def _list(self, call: Call) -> web.Response:
            return web.json_response([post.text for post in self.posts_now()])

        def shape(self, fault: Fault, call: Call) -> web.Response:
            return web.json_response({"error": fault.kind}, status=400)

        @hook
        def rename_page(self, name: str) -> None: ...          # POST /echo/rename_page {"name": "..."}

A test uses it on real sockets, and judges by the platform's log:

    async with EchoEmulator(lag=(0, 0)) as echo:
        await echo.fail("stored_then_reset", step="publish", times=1)
        ...                                                     # talk to echo.base_url
        await echo.heal()
        assert len(echo.log.copies("TVD-7QK2F9")) == 1

The same emulators run as a process of their own with a control port: see `adapters.emulators.control`.
"""

import asyncio
import inspect
import random
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self, TypedDict, TypeVar

from adapters.emulators.door import Door, ProtocolFactory
from adapters.emulators.faults import CONNECTION, Fault, Faults, Kind
from adapters.emulators.log import Note, PlatformLog, Post, Request

_NOTICED = 0.005  # seconds: a client on the same loop sees that its idle connections were cut

Hook = TypeVar("Hook", bound=Callable[..., object])


def hook(method: Hook) -> Hook:
    """Offer a method by its name at the control port: its arguments come as a JSON object."""
    method.is_hook = True  # type: ignore[attr-defined]  # the mark that Emulator.hooks looks for
    return method


class Common(TypedDict, total=False):
    """What every emulator's constructor takes."""

    now: Callable[[], datetime]  # the wall clock; delays run on the event loop's own time
    seed: int
    lag: tuple[float, float]  # seconds until lists show a new post: at least, at most
    ports: Sequence[int]  # one for each host; default: any free ones


class Emulator(ABC):
    """State, log, faults and ports of one platform. `HttpEmulator` adds HTTP; another protocol supplies `protocol`."""

    name: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]] = ("api",)
    scheme: ClassVar[str] = "http"
    kinds: ClassVar[frozenset[Kind]] = CONNECTION
    greets_first: ClassVar[bool] = False

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seed: int = 0,
        lag: tuple[float, float] = (3.0, 8.0),
        ports: Sequence[int] = (),
    ) -> None:
        self.now = now
        self.random = random.Random(seed)
        self.lag = lag
        self.log = PlatformLog()
        self.faults = Faults(self.kinds, self.steps(), self.hosts, self._obey_faults)
        self._ports = ports or [0] * len(self.hosts)
        self._doors: dict[str, Door] = {}
        self._fronts: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = asyncio.Event()
        self._news = asyncio.Event()
        self._next_change: asyncio.TimerHandle | None = None

    @abstractmethod
    def steps(self) -> Mapping[str, bool]:
        """The platform's calls as steps, by name; True for those that write."""

    @abstractmethod
    def protocol(self, host: str) -> ProtocolFactory:
        """What serves a new connection to `host`."""

    # -- life

    async def start(self) -> None:
        """Listen. OSError when a given port is taken."""
        for host, port in zip(self.hosts, self._ports, strict=True):
            door = Door(self.protocol(host), self._strike(host), greets_first=self.greets_first)
            door.open(port)
            self._doors[host] = door

    async def stop(self) -> None:
        """End at once, whatever hangs."""
        if self._next_change is not None:
            self._next_change.cancel()
        self._let_go()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for door in self._doors.values():
            await door.close()
        self._doors.clear()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def base_urls(self) -> dict[str, str]:
        """Host name -> URL without a slash at its end, as clients should use it and as links lead there."""
        own = {host: f"{self.scheme}://127.0.0.1:{door.port}" for host, door in self._doors.items()}
        return own | self._fronts

    @property
    def base_url(self) -> str:
        """The URL of the first host."""
        return self.base_urls[self.hosts[0]]

    def port(self, host: str | None = None) -> int:
        return self._doors[host or self.hosts[0]].port

    # -- faults and hooks

    async def fail(self, kind: str, **rest: object) -> None:
        """Set a fault by its name and the fields of `Fault`. FaultError lists what can be set."""
        self.faults.add(Fault.of(kind, **rest))
        await asyncio.sleep(_NOTICED)

    async def heal(self) -> None:
        """Clear all faults; what hangs is reset."""
        self.faults.clear()
        await asyncio.sleep(_NOTICED)

    def hooks(self) -> dict[str, Callable[..., object]]:
        """The platform's own test hooks by name."""
        methods = inspect.getmembers(self, inspect.ismethod)
        return {name: method for name, method in methods if getattr(method, "is_hook", False)}

    def _strike(self, host: str) -> Callable[[], Kind | None]:
        def strike() -> Kind | None:
            fault = self.faults.take(CONNECTION, None, host)
            if fault is None:
                return None
            self.record("CONNECT", "", "connection", host).verdict = fault.kind
            return fault.kind

        return strike

    def _obey_faults(self) -> None:
        """Make doors and hanging calls follow the faults in force; again when one turns on or off by time."""
        for host, door in self._doors.items():
            door.obey(self.faults.connection(host))
        if not self.faults.active():
            self._let_go()
        if self._next_change is not None:
            self._next_change.cancel()
        wait = self.faults.next_change()
        if wait is not None:
            self._next_change = asyncio.get_running_loop().call_later(wait, self._obey_faults)

    def _let_go(self) -> None:
        self._waiting.set()
        self._waiting = asyncio.Event()

    async def hang(self) -> None:
        """Wait until the faults are cleared or the emulator stops."""
        await self._waiting.wait()

    def later(self, seconds: float, work: Callable[[], Coroutine[Any, Any, object] | None]) -> None:
        """Do `work` after a delay, unless the emulator has stopped by then."""

        async def run() -> None:
            await asyncio.sleep(seconds)
            if (coroutine := work()) is not None:
                await coroutine

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what the platform keeps

    async def until(self, condition: Callable[[PlatformLog], object], timeout: float = 60.0) -> None:
        """Wait until the log meets `condition`. TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while not condition(self.log):
                await self._news.wait()

    def tell(self) -> None:
        """Let `until` look at the log again."""
        self._news.set()
        self._news = asyncio.Event()

    def record(self, method: str, path: str, step: str, host: str) -> Request:
        """Enter a request into the log; the caller sets its verdict."""
        request = Request(self.now(), method, path, step, host)
        self.log.requests.append(request)
        self.tell()
        return request

    def note(self, what: str, detail: str = "") -> None:
        self.log.notes.append(Note(self.now(), what, detail))
        self.tell()

    def take_in(
        self,
        post_id: str,
        text: str,
        author: str,
        *,
        step: str = "publish",
        visible: bool = True,
        how: str = "api",
        **extra: object,
    ) -> Post:
        """Publish: the post enters the log, is listed after the platform's lag, and meets the faults for posts.

        A post that a `silent_drop` swallows is returned like any other but kept nowhere.
        """
        now = self.now()
        visible = visible and self.faults.take(Kind.INVISIBLE, step) is None
        lag = timedelta(seconds=self.random.uniform(*self.lag))
        post = Post(post_id, text, author, now, now + lag, how=how, visible=visible, extra=dict(extra))
        if self.faults.take(Kind.SILENT_DROP, step):
            self.note("silently dropped", post_id)
            return post
        self.log.taken.append(post)
        self.tell()
        if fault := self.faults.take(Kind.REMOVE_LATER, step):
            self.later(5.0 if fault.after is None else fault.after, lambda: self.take_down(post))
        return post

    def take_down(self, post: Post, by: str = "platform") -> None:
        """Remove a post that is up; nothing happens to one that is not."""
        if post.is_up:
            post.removed_at, post.removed_by = self.now(), by
            self.tell()

    def find_post(self, post_id: str) -> Post | None:
        """The post with this id that is still up."""
        return next((post for post in self.log.taken if post.id == post_id and post.is_up), None)

    def posts_now(self, step: str = "list") -> list[Post]:
        """What a list shows now, newest first: posts past their lag that are up, unless a fault empties the list."""
        if self.faults.take(Kind.EMPTY_LIST, step):
            return []
        now, fault = self.now(), self.faults.take(Kind.LIST_LAG, step)
        lag = None if fault is None else timedelta(seconds=60 if fault.after is None else fault.after)
        shown = [post for post in self.log.taken if post.is_up and now >= _listed_at(post, lag)]
        return sorted(shown, key=lambda post: post.posted_at)[::-1]

    def digits(self, length: int) -> str:
        """A decimal id of that length, as the seed has it."""
        return self.random.choice("123456789") + "".join(self.random.choices(string.digits, k=length - 1))

    @hook
    def reach_at(self, host: str, url: str) -> None:
        """Somebody stands before `host`: clients reach it at `url` from now on."""
        if host not in self._doors:
            raise LookupError(f"no host {host!r}: choose from {', '.join(self._doors)}")
        self._fronts[host] = url

    @hook
    def remove_post(self, post_id: str) -> None:
        """The platform takes a post away."""
        post = self.find_post(post_id)
        if post is None:
            raise LookupError(f"no post {post_id!r} is up")
        self.take_down(post)

    @hook
    def plant_post(self, post_id: str, text: str, author: str = "somebody else", seconds_ago: float = 0.0) -> None:
        """A post that is not ours appears in the list, at once: a reader quoting us, or the desk posting by hand."""
        posted_at = self.now() - timedelta(seconds=seconds_ago)
        self.log.taken.append(Post(post_id, text, author, posted_at, posted_at, how="planted"))


def _listed_at(post: Post, lag: timedelta | None) -> datetime:
    return post.listed_at if lag is None else post.posted_at + lag
