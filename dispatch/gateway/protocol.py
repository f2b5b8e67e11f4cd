"""uvicorn's websocket, with a small send buffer and a way to drop a phone that does not read.

ASGI knows no abort: a close frame waits behind whatever the peer does not read, and so does closing
the transport. Run uvicorn with `ws=UnitProtocol`; without it the file of a phone that does not read
stays open until its peer goes away.
"""

import socket
from asyncio.transports import BaseTransport
from http.client import SWITCHING_PROTOCOLS
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

SEND_BUFFER_BYTES: Final = 128 * 1024
ABORT: Final = "kapok.abort"
"""The ASGI extension: `scope["extensions"][ABORT]["abort"]()` drops the connection at once."""


class UnitProtocol(WebSocketsSansIOProtocol):
    """`websockets-sansio` that offers `ABORT`."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound what the kernel keeps for a phone: by default that may be 3 MB."""
        super().connection_made(transport)
        kernel: Any = transport.get_extra_info("socket")
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        """Offer the extension; the application starts to run only after this returns."""
        super().handle_connect(event)
        if self.response.status_code == SWITCHING_PROTOCOLS:
            extensions: Any = self.scope["extensions"]
            extensions[ABORT] = {"abort": self.transport.abort}
