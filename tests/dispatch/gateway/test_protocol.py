"""What is heard of a stream, however the network cuts it into pieces."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

import pytest
from websockets.frames import Frame, Opcode

from tests.dispatch.gateway.conftest import PING, Gateway

pytestmark = pytest.mark.asyncio
LONG: Final = "远" * 60
SAID: Final = ["one", LONG, "in parts", "two", "three"]


def masked(kind: Opcode, body: bytes, *, fin: bool = True) -> bytes:
    """Return a frame as a phone sends it."""
    return Frame(kind, body, fin=fin).serialize(mask=True)


FRAMES: Final = (
    masked(Opcode.TEXT, b"one"),
    masked(Opcode.TEXT, LONG.encode()),
    masked(Opcode.TEXT, b"in ", fin=False),
    masked(Opcode.PING, b"!"),
    masked(Opcode.CONT, b"parts"),
    masked(Opcode.TEXT, b"two"),
    masked(Opcode.TEXT, b"three"),
)
STREAM: Final = b"".join(FRAMES)


def cuts() -> Iterator[tuple[int, ...]]:
    """Yield where to cut: everywhere once, at the ends of frames, into single octets."""
    yield from ((cut,) for cut in range(len(STREAM)))
    yield tuple(accumulate(map(len, FRAMES)))
    yield tuple(range(len(STREAM)))


async def test_the_same_is_heard_however_it_is_cut(gateway: Gateway) -> None:
    """In its order, each once; what lies between two frames is nobody's."""
    await gateway.known()
    (protocol,) = gateway.server.server_state.connections
    line: Any = protocol
    for at in cuts():
        heard: list[str] = []
        line.hear_by(heard.append)
        for begin, end in zip((0, *at), (*at, len(STREAM)), strict=True):
            line.data_received(STREAM[begin:end])
        assert heard == SAID, at


async def test_what_let_a_phone_in_is_let_go(gateway: Gateway) -> None:
    """It is a quarter of what an idle phone costs; the conversation goes on without it."""
    phone = await gateway.known()
    (protocol,) = gateway.server.server_state.connections
    line: Any = protocol
    assert (len(line.request.headers), len(line.response.headers), line.scope) == (0, 0, {})
    assert (await phone.ask(PING))["t"] == "pong"
