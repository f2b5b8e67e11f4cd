"""The listening socket: who knocks is let in by turns, so that a storm delays nobody else.

A server that takes all who knock at once does nothing else meanwhile: a thousand handshakes are a
third of a second in which no offer is written (bench/gateway). So a few connections are accepted in
a turn of the loop, the others wait in the kernel's queue; and a few handshakes are made in a turn,
for those accepted before may all speak at once.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import structlog
import uvicorn

from dispatch.gateway.patience import Patience
from dispatch.gateway.turns import Turns

log = structlog.get_logger()

PER_TURN: Final = 64
"""Connections taken in one turn of the loop; without their handshake they cost little."""
AGAIN_AFTER_S: Final = 1.0
"""How long nobody is let in after there was no file, or no memory, for one more."""
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


Make = Callable[[], asyncio.Protocol]


class Knock(asyncio.Protocol):
    """A connection before its turn: what it says is kept for the protocol that it gets then."""

    __slots__ = ("_make", "_said", "_transport", "_turns")

    def __init__(self, turns: Turns, make: Make) -> None:
        self._turns = turns
        self._make = make
        self._said: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    @property
    def is_half(self) -> bool:
        """Whether nothing was said yet; who waits for his turn has done his part."""
        return not self._said

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop has no classes for it

    def data_received(self, data: bytes) -> None:
        """Ask for a turn; hold on to what comes until then."""
        self._said.append(data)
        if len(self._said) == 1:
            self._turns.soon(self._come_in)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._transport = None

    def _come_in(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        protocol = self._make()
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        protocol.data_received(b"".join(self._said))


class Door:
    """Accepts connections for as long as it is open."""

    def __init__(
        self,
        listener: socket.socket,
        make: Make,
        per_turn: int = PER_TURN,
        again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        self._listener = listener
        self._make = make
        self._per_turn, self._again_after_s = per_turn, again_after_s
        self._loop = asyncio.get_running_loop()
        self._entering: set[asyncio.Task[Any]] = set()
        self._later: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Let in who knocks."""
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._turn)

    def last_call(self) -> None:
        """Let in who stands there already, as many as in any other turn."""
        self._turn()

    def close(self) -> None:
        """Let nobody in; who is in stays."""
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._listener)

    def _turn(self) -> None:
        try:
            for _ in range(self._per_turn):
                self._let_in(self._listener.accept()[0])
        except OSError as error:
            # Most often nobody else is there, or he has gone again.
            if error.errno in _FULL:
                self._wait(error)

    def _let_in(self, line: socket.socket) -> None:
        line.setblocking(False)
        entering = self._loop.create_task(self._enter(line))
        self._entering.add(entering)
        entering.add_done_callback(self._entering.discard)

    async def _enter(self, line: socket.socket) -> None:
        try:
            transport, _ = await self._loop.connect_accepted_socket(self._make, line)
            Patience(transport)
        except OSError:
            line.close()

    def _wait(self, error: OSError) -> None:
        log.error("door_closed", error=errno.errorcode[error.errno or 0])
        self._loop.remove_reader(self._listener)
        self._later = self._loop.call_later(self._again_after_s, self.open)


class Server(uvicorn.Server):
    """uvicorn that lets in by turns, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.turns = Turns()
        self._doors: tuple[Door, ...] = ()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals: phones are told to go before the server stops."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open a door at each socket."""
        await super().startup(sockets=[])
        self._doors = tuple(Door(listener, self._knock) for listener in sockets or ())
        for door in self._doors:
            door.open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the doors, then do as uvicorn does."""
        self.close_doors()
        await super().shutdown(sockets)

    def close_doors(self) -> None:
        """Let in who stands there already, then nobody any more; who is in stays."""
        doors, self._doors = self._doors, ()
        for door in doors:
            door.last_call()
            door.close()

    def _knock(self) -> asyncio.Protocol:
        return Knock(self.turns, self._protocol)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # uvicorn's own call: its type names no arguments
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made
