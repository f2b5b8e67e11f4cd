"""Who knocks is let in by turns."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, cast

import pytest
import pytest_asyncio

from dispatch.gateway.door import Door, Knock
from dispatch.gateway.turns import Turns
from tests.dispatch.gateway.conftest import Gateway, until

pytestmark = pytest.mark.asyncio

MANY: Final = 5


class Heard(asyncio.Protocol):
    """Keeps what it hears."""

    def __init__(self, rooms: "Rooms") -> None:
        self._rooms = rooms

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it in."""
        self._rooms.inside.append(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self._rooms.heard.append(data)


@dataclass
class Rooms:
    """What is behind the door."""

    turns: Turns = field(default_factory=Turns)
    inside: list[asyncio.Transport] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)

    def knock(self) -> Knock:
        """Return what takes a connection first."""
        return Knock(self.turns, lambda: Heard(self))


@pytest_asyncio.fixture
async def rooms() -> AsyncIterator[Rooms]:
    """Empty rooms; who is in is put out at the end."""
    made = Rooms()
    yield made
    for transport in made.inside:
        transport.close()
    await asyncio.sleep(0)


class Full(socket.socket):
    """A listener of a process that has no file left, once."""

    asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        """Refuse the first."""
        self.asked += 1
        if self.asked == 1:
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


async def test_what_is_said_before_its_turn_is_heard_then(rooms: Rooms) -> None:
    """All of it, in order, in one piece."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        door = Door(listener, rooms.knock)
        door.open()
        _, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"GET / ")
        await until(lambda: rooms.heard)
        writer.write(b"HTTP/1.1")
        await until(lambda: len(rooms.heard) == 2)
        assert rooms.heard == [b"GET / ", b"HTTP/1.1"]
        door.close()
        writer.close()
        await writer.wait_closed()


async def test_who_says_nothing_costs_no_protocol(rooms: Rooms) -> None:
    """And who goes before his turn gets none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        door = Door(listener, rooms.knock, per_turn=2)
        door.open()
        lines = [await asyncio.open_connection(*listener.getsockname()) for _ in range(MANY)]
        for _, writer in lines:
            writer.close()
            await writer.wait_closed()
        assert rooms.inside == []
        door.close()


async def test_who_is_gone_when_his_turn_comes_gets_none(rooms: Rooms) -> None:
    """What he said is nobody's any more."""
    knock = rooms.knock()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: knock, ours)
    knock.data_received(b"GET ")
    knock.data_received(b"/")
    assert len(rooms.turns) == 1
    transport.abort()
    await until(lambda: not rooms.turns)
    assert rooms.inside == []
    theirs.close()


async def test_a_door_without_files_opens_again(
    rooms: Rooms, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who knocks waits in the kernel's queue meanwhile; the log says why."""
    with Full() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        door = Door(listener, rooms.knock, again_after_s=0.01)
        door.open()
        _, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"hello")
        await until(lambda: rooms.heard)
        assert rooms.heard == [b"hello"]
        assert "EMFILE" in capsys.readouterr().out
        door.close()
        writer.close()
        await writer.wait_closed()


async def test_who_stands_there_at_the_last_call_is_let_in(rooms: Rooms) -> None:
    """He would be cut off else; who comes later waits for somebody else to open."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        door = Door(listener, rooms.knock)
        door.open()
        with (
            socket.create_connection(listener.getsockname()) as there,
            socket.create_connection(listener.getsockname()) as silent,
        ):
            door.last_call()
            door.close()
            there.sendall(b"GET / ")
            with socket.create_connection(listener.getsockname()) as late:
                late.sendall(b"GET /late")
                await until(lambda: rooms.heard)
            silent.sendall(b"POST / ")
            await until(lambda: len(rooms.heard) == 2)
        assert rooms.heard == [b"GET / ", b"POST / "]


async def test_a_server_that_is_told_to_stop_lets_nobody_in(gateway: Gateway) -> None:
    """Who is in is served on until it is told to go."""
    line = await gateway.known()
    assert (await line.ask({"t": "ping", "ts": 1}))["t"] == "pong"
    gateway.server.close_doors()
    host, port = gateway.url.split("/")[2].split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await line.ask({"t": "ping", "ts": 2}))["t"] == "pong"
    assert gateway.hub.stats.accepted == 1
    writer.close()
    await writer.wait_closed()
