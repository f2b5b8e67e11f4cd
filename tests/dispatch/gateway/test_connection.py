"""One socket, from the inside: what no client can bring about at will."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from dispatch.gateway import Hub, UnitSocket
from schemas.base import UnitId
from schemas.wire import SUBPROTOCOL, Close
from tests.dispatch.gateway.conftest import HELLO, Gateway, until
from tests.dispatch.gateway.test_server import seen
from tests.memory_phones import MemoryPhones, phone

pytestmark = pytest.mark.asyncio

Message = MutableMapping[str, Any]


class Line:
    """The server's side of a socket in memory: `come` is what the phone said, `gone` what it got.

    `fault` is raised by every send; `open` is cleared to let sends hang.
    """

    def __init__(self, hub: Hub, socket: UnitSocket) -> None:
        self.hub, self.socket = hub, socket
        self.come: asyncio.Queue[Message | Exception] = asyncio.Queue()
        self.gone: list[Message] = []
        self.fault: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.come.put_nowait({"type": "websocket.connect"})

    async def serve(self) -> None:
        """Be served until the end. No address, no extensions: as behind a Unix socket."""
        scope: Message = {"type": "websocket", "headers": [], "subprotocols": [SUBPROTOCOL]}
        await self.socket(scope, self._receive, self._send)

    def say(self, frame: dict[str, Any]) -> None:
        """Let the phone say something."""
        text = msgspec.json.encode(frame).decode()
        self.come.put_nowait({"type": "websocket.receive", "text": text, "bytes": None})

    def hang_up(self) -> None:
        """Let the phone go."""
        self.come.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def _receive(self) -> Message:
        message = await self.come.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def _send(self, message: Message) -> None:
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        self.gone.append(message)


@pytest_asyncio.fixture
async def line() -> AsyncIterator[Line]:
    """A socket of a service that knows d1."""
    phones = MemoryPhones([phone()])
    hub = Hub(phones)
    yield Line(hub, UnitSocket(phones, hub, part_within_s=0.01))
    await until(lambda: not hub._tasks)
    assert hub.stats.sockets == 0


async def known(line: Line) -> asyncio.Task[None]:
    """Start to serve, say hello and be welcomed."""
    serving = asyncio.create_task(line.serve())
    line.say(HELLO | {"tok": "d1"})
    await until(lambda: len(line.gone) == 2)
    return serving


@pytest.mark.parametrize("fault", [OSError(), RuntimeError()], ids=["asgi", "uvicorn"])
async def test_a_peer_that_is_gone_cannot_be_told(line: Line, fault: Exception) -> None:
    """A failed goodbye is no fault of ours."""
    serving = await known(line)
    line.fault = fault
    line.hub.close_unit(UnitId("u1"), Close.UNIT_DISABLED)
    await until(lambda: not line.hub._tasks)
    line.hang_up()
    await serving
    assert [message["type"] for message in line.gone] == ["websocket.accept", "websocket.send"]


async def test_nothing_is_written_to_a_peer_that_is_gone(line: Line) -> None:
    """One failed send is enough to know."""
    serving = await known(line)
    line.fault = OSError()
    for _ in range(3):
        line.say({"t": "ping", "ts": 1})
        await until(line.come.empty)
    await until(lambda: not line.hub._tasks)
    line.hang_up()
    await serving
    assert line.hub.stats.frames_out == 1


async def test_a_peer_that_goes_before_it_is_accepted_is_nobody(line: Line) -> None:
    """Nothing was promised."""
    line.fault = OSError()
    await line.serve()
    assert line.hub.stats.accepted == 0


async def test_the_servers_own_stop_is_obeyed(line: Line) -> None:
    """A cancelled socket is cancelled, and leaves its seat."""
    serving = await known(line)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert line.hub.stats.phones == 0


async def test_a_socket_is_closed_once(line: Line) -> None:
    """Whoever closes first gives the code."""
    serving = await known(line)
    draining = asyncio.create_task(line.hub.drain(1.0))
    await asyncio.sleep(0)
    line.hub.tick(asyncio.get_running_loop().time() + 1000.0)
    (socket,) = line.hub._sockets
    socket.close(Close.INTERNAL)
    await until(lambda: len(line.gone) == 3)
    line.hang_up()
    await serving
    assert await draining
    assert line.gone[-1]["code"] == Close.DRAINING
    assert line.hub.stats.closes == {Close.DRAINING: 1}


async def test_a_fault_behind_a_send_that_hangs_ends_too(line: Line) -> None:
    """The goodbye waits its time and no longer."""
    serving = await known(line)
    line.open.clear()
    line.say({"t": "ping", "ts": 1})
    await until(lambda: any(socket.writing_since for socket in line.hub._writing))
    line.come.put_nowait(ZeroDivisionError())
    await serving
    assert line.hub.stats.closes == {Close.INTERNAL: 1}
    line.open.set()


async def test_an_answer_that_comes_after_the_goodbye_is_not_written(gateway: Gateway) -> None:
    """The command is done; its answer is read by the next socket, under the same id."""
    line = await gateway.known()
    gateway.phones.free.clear()
    await line.say(seen(1))
    await line.ask({"t": "ping", "ts": 1})
    gateway.hub.close_unit(UnitId("u1"), Close.UNIT_DISABLED)
    gateway.phones.free.set()
    await until(lambda: gateway.phones.commands)
    assert (await line.parted())[0] == Close.UNIT_DISABLED
