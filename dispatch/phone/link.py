"""A websocket without a task: asyncio moves the bytes, the core of `websockets` reads them."""

import asyncio
from typing import Final, Protocol, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from schemas.wire import FRAME_OUT_MAX, SUBPROTOCOL

DIAL_WITHIN_S: Final = 10.0
WRITE_MAX: Final = 64 * 1024  # a phone that cannot get rid of this much is on a dead line
_SUBPROTOCOLS: Final = [Subprotocol(SUBPROTOCOL)]


class Listener(Protocol):
    """Whose line it is."""

    def line_made(self, link: "Link") -> None:
        """Take the line; nothing can be sent on it yet."""

    def line_open(self) -> None:
        """Take note that frames can be sent."""

    def line_heard(self, frame: bytes) -> None:
        """Take one text frame."""

    def line_lost(self, code: int | None, reason: str) -> None:
        """Take note that the line is gone; called once. No code: it broke."""


class Link(asyncio.Protocol):
    """One connection, from the handshake to its loss."""

    __slots__ = ("_listener", "_parts", "_transport", "_ws")

    def __init__(self, uri: WebSocketURI, listener: Listener) -> None:
        self._ws = ClientProtocol(uri, subprotocols=_SUBPROTOCOLS, max_size=FRAME_OUT_MAX)
        self._listener: Listener | None = listener
        self._transport: asyncio.WriteTransport | None = None
        self._parts: list[bytes] | None = None

    def send(self, frame: bytes) -> None:
        """Send a text frame; dropped when the line is not open, for then it will be said lost."""
        if self._ws.state is State.OPEN:
            self._ws.send_text(frame)
            self._flush()

    def close(self) -> None:
        """Say good-bye, and hang up."""
        if self._ws.state is State.OPEN:
            self._ws.send_close(1000)
            self._flush()
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """Hang up without a word: nobody listens."""
        if self._transport:
            self._transport.abort()

    # What asyncio calls. -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        transport = cast(asyncio.WriteTransport, transport)  # uvloop has no classes for it
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_MAX)
        if self._listener:
            self._listener.line_made(self)
        self._ws.send_request(self._ws.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Hand on the text frames; pings and good-byes are answered by the core."""
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            self._take(event)
        self._flush()
        if self._ws.close_expected() and self._transport:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the listener, with the code when the server gave one."""
        listener, self._listener = self._listener, None
        self._transport = None
        self._ws.parser.close()  # it holds the core that holds it: thousands would wait for gc
        if listener:
            close = self._ws.close_rcvd
            listener.line_lost(close.code if close else None, close.reason if close else "")

    def pause_writing(self) -> None:
        """Hang up: the other side takes nothing any more."""
        self.abort()

    # ---------------------------------------------------------------------------------------------

    def _take(self, event: object) -> None:
        if not self._listener:
            return
        if isinstance(event, Frame):
            self._take_frame(event, self._listener)
        elif isinstance(event, Response) and self._ws.handshake_exc is None:
            self._listener.line_open()

    def _take_frame(self, frame: Frame, listener: Listener) -> None:
        """Put fragments together; binary frames are none of this subprotocol."""
        if frame.opcode is Opcode.TEXT and frame.fin:
            listener.line_heard(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT:
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._parts is not None:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                whole, self._parts = b"".join(self._parts), None
                listener.line_heard(whole)

    def _flush(self) -> None:
        if not self._transport or self._transport.is_closing():
            return
        for data in self._ws.data_to_send():
            if data:
                self._transport.write(data)


async def dial(uri: WebSocketURI, listener: Listener, source: str | None = None) -> None:
    """Make a line, from the address `source` when given; raise OSError or TimeoutError.

    The listener is told of everything that follows.
    """
    async with asyncio.timeout(DIAL_WITHIN_S):
        await asyncio.get_running_loop().create_connection(
            lambda: Link(uri, listener),
            uri.host,
            uri.port,
            ssl=uri.secure or None,
            local_addr=(source, 0) if source else None,
        )
