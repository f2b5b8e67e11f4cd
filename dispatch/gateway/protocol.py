"""uvicorn's websocket with a shorter way in and out, a small send buffer, and a way to drop it.

By ASGI a frame wakes a task on its way in and starts one on its way out, and reading is paused and
resumed around each: that is most of what a location costs. `LINE` hands a frame over in the turn of
the loop in which it came, and writes one at once while the socket takes it. A piece that is one
whole frame does not go through the library's parser, where that waits for a frame to begin. A phone
that says very much in one piece is heard by turns, through the queue, so that others are heard too.

ASGI knows no abort: a close frame waits behind whatever the peer does not read, and so does closing
the transport. Run uvicorn with `ws=UnitProtocol`; without it all of this goes the usual way, and
the file of a phone that does not read stays open until its peer goes away.
"""

import socket
from asyncio.transports import BaseTransport
from collections.abc import Callable
from http.client import SWITCHING_PROTOCOLS
from typing import Any, Final, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

from dispatch.gateway.limits import BREATH_FRAMES
from dispatch.gateway.whole import awaits_frame, whole_text

SEND_BUFFER_BYTES: Final = 128 * 1024
LINE: Final = "kapok.line"
"""The ASGI extension: `scope["extensions"][LINE]` is the socket's `Line`."""
Hear = Callable[[str], None]


class Line(Protocol):
    """A socket without detours."""

    def hear_by(self, hear: Hear | None) -> None:
        """Hand text frames to `hear` as they come; `receive` gets the others, and all of None.

        From here on the scope is empty: an open socket needs none.
        """
        ...

    def takes(self) -> bool:
        """Tell whether a frame can be written now; else `send` waits for that, or knows why not."""
        ...

    def write(self, text: str) -> None:
        """Write a text frame, where `takes` says so."""
        ...

    def abort(self) -> None:
        """Drop the connection at once."""
        ...


class UnitProtocol(WebSocketsSansIOProtocol):
    """`websockets-sansio` that offers `LINE`."""

    _hear: Hear | None = None
    _heard = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound what the kernel keeps for a phone: by default that may be 3 MB."""
        super().connection_made(transport)
        kernel: Any = transport.get_extra_info("socket")
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the parser, which holds what holds it: thousands would wait for gc."""
        super().connection_lost(exc)
        self.conn.parser.close()

    def handle_connect(self, event: Request) -> None:
        """Offer the extension; the application starts to run only after this returns."""
        super().handle_connect(event)
        if self.response.status_code == SWITCHING_PROTOCOLS:
            extensions: Any = self.scope["extensions"]
            extensions[LINE] = self

    def data_received(self, data: bytes) -> None:
        """Take what came in one piece: a whole text frame at once, all else by the library."""
        text = self._whole(data)
        if text is not None and self._hear is not None:
            self._hear(text)
            return
        self._heard = 0
        super().data_received(data)

    def _whole(self, data: bytes) -> str | None:
        if self._hear is None or not awaits_frame(self.conn) or not self.queue.empty():
            return None
        return whole_text(data, self.config.ws_max_size)

    def send_receive_event_to_app(self) -> None:
        """Hand a text frame over at once, unless others wait or this piece had its share."""
        straight = self._hear is not None and self.curr_msg_data_type == "text"
        if not straight or self._heard >= BREATH_FRAMES or not self.queue.empty():
            super().send_receive_event_to_app()
            return
        self._heard += 1
        self._hand_over()

    def _hand_over(self) -> None:
        text = _text(self.frames)
        if text is None or self.close_sent or self._hear is None:
            super().send_receive_event_to_app()
            return
        self.frames = []
        self._hear(text)

    # The extension. ------------------------------------------------------------------------------

    def hear_by(self, hear: Hear | None) -> None:
        """Hand text frames to `hear` as they come; `receive` gets the others, and all of None."""
        self._hear = hear
        self._let_go()

    def _let_go(self) -> None:
        """Empty what was said to let the phone in: nobody reads it again, and it is 6 KB a phone.

        The library's parser holds the request for as long as the socket is open.
        """
        self.request.headers.clear()
        self.response.headers.clear()
        scope: Any = self.scope
        scope.clear()

    def takes(self) -> bool:
        """Tell whether a frame can be written now; else `send` waits for that, or knows why not."""
        over = self.disconnected or self.close_sent or self.transport.is_closing()
        return self.writable.is_set() and self.conn.state is State.OPEN and not over

    def write(self, text: str) -> None:
        """Write a text frame, where `takes` says so."""
        self.conn.send_text(text.encode())
        self.transport.write(b"".join(self.conn.data_to_send()))

    def abort(self) -> None:
        """Drop the connection at once."""
        self.transport.abort()


def _text(frames: list[bytes]) -> str | None:
    """Return the text of a frame that came in some parts; None where it is no UTF-8."""
    try:
        return (frames[0] if len(frames) == 1 else b"".join(frames)).decode()
    except UnicodeDecodeError:
        return None
