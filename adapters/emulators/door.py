"""One listening port of an emulator, which can really be closed, swallow connections, or reset them."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import cast
from weakref import WeakSet

from adapters.emulators.faults import Kind

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class Door:
    """A TCP port on 127.0.0.1 that hands connections to `protocol`, unless `strike()` names a connection fault.

    `strike` is asked once for each connection and so may count. With `greets_first` (SMTP) a reset comes at once,
    since the client would wait for our first word.
    """

    def __init__(
        self, protocol: ProtocolFactory, strike: Callable[[], Kind | None], *, greets_first: bool = False
    ) -> None:
        self._protocol = protocol
        self._strike = strike
        self._greets_first = greets_first
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._held: set[socket.socket] = set()
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        self._frozen: set[asyncio.Transport] = set()
        self._arrivals: set[asyncio.Task[None]] = set()
        self.port = 0

    def open(self, port: int = 0) -> None:
        """Take `port` for good (0: any free one) and listen on it. OSError when somebody else has it."""
        if port:
            _check_free(port)
        self._reserved = _bound(port)
        self.port = self._reserved.getsockname()[1]
        self._listen()

    def obey(self, kind: Kind | None) -> None:
        """Make the door behave as the connection fault in force says; None: as a sound one."""
        match kind:
            case Kind.REFUSED:
                self._shut()
                self._cut()
                return
            case Kind.BLACK_HOLE:
                self._freeze()
            case Kind.TLS_RESET:
                self._cut()
            case _:
                self._thaw()
        self._listen()

    async def close(self) -> None:
        """Let go of the port and of every connection, at once."""
        self._shut()
        self._cut()
        for task in self._arrivals:
            task.cancel()
        await asyncio.gather(*self._arrivals, return_exceptions=True)
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = _bound(self.port)
            self._listener.listen(256)
            self._listener.setblocking(False)
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _shut(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _cut(self) -> None:
        for transport in list(self._transports):
            reset(transport)
        self._thaw()

    def _freeze(self) -> None:
        for transport in self._transports:
            if not transport.is_closing():
                transport.pause_reading()
                self._frozen.add(transport)

    def _thaw(self) -> None:
        for transport in self._frozen:
            reset(transport)
        self._frozen.clear()
        for connection in list(self._held):
            self._reset(connection)

    def _accept(self) -> None:
        assert self._listener is not None
        with suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._receive(connection)

    def _receive(self, connection: socket.socket) -> None:
        kind = self._strike()
        if kind is None:
            arrival = asyncio.get_running_loop().create_task(self._admit(connection))
            self._arrivals.add(arrival)
            arrival.add_done_callback(self._arrivals.discard)
            return
        self._held.add(connection)
        if kind is not Kind.BLACK_HOLE:
            self._reset_at_first_byte(connection)

    async def _admit(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(self._protocol, connection)
        self._transports.add(transport)

    def _reset_at_first_byte(self, connection: socket.socket) -> None:
        if self._greets_first:
            self._reset(connection)
        else:
            asyncio.get_running_loop().add_reader(connection, self._reset, connection)

    def _reset(self, connection: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(connection)
        self._held.discard(connection)
        _linger_off(connection)
        connection.close()


def reset(transport: asyncio.BaseTransport | None) -> None:
    """End a connection by TCP reset, unsent bytes thrown away."""
    if transport is not None and not transport.is_closing():
        _linger_off(transport.get_extra_info("socket"))
        cast("asyncio.WriteTransport", transport).abort()  # uvloop's transports are no subclass


def _linger_off(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _bound(port: int) -> socket.socket:
    """A socket bound to `port`. By reuse one socket keeps the port reserved while the listening one is closed."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound


def _check_free(port: int) -> None:
    """Reuse would let two processes of one user share a port, so ask first without it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
