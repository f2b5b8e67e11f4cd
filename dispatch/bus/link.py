"""One connection to one NATS server, used once: what ends is replaced, never mended.

The library does the protocol; three of its habits are changed here. It would hand each
subscription's messages to a task of their own, which loses the order among subscriptions: they are
taken where they are read. And it would send name and password in the clear to whoever answers at
an address of `tls` without asking for it. And its ping would overtake what was sent before it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from nats.aio.client import PING_PROTO, Client
from nats.aio.msg import Msg
from nats.errors import Error

from dispatch.bus.address import Address
from dispatch.ports import BODY_MOST

log = structlog.get_logger()

STEP_S: Final = 1.0
"""How long connecting, greeting and the handshake may each take."""
LEAVE_S: Final = 0.25
UNSENT_BYTES: Final = 256 * 1024
"""What the library holds before whoever sends has to wait for the network."""
FLUSH_S: Final = 1.0
NEVER_S: Final = 10**9
"""The library does not ping by itself: whoever uses it does, and more often."""
NOBODY: Final = "503"

Arrive = Callable[[str, str, bytes, bool], None]
"""Takes subject, where to answer, body, and whether it says that nobody listens."""


class NotFit(Error):
    """The server that answers is not one we may or can use."""


class Link(Client):
    """A connection that nobody hears himself on, and that does not come back by itself."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address
        self._arrivals = dict[int, Arrive]()
        self._is_barred = False
        self.ended = asyncio.Event()
        self.why: Exception | None = None
        """What went wrong last."""

    async def join(self, name: str) -> None:
        """Connect as `name`.

        Raises:
            OSError, TimeoutError, nats.errors.Error: as it says.
        """
        await self.connect(
            servers=[self._address.url],
            user=self._address.user if self._address.password is not None else None,
            password=self._address.password,
            token=self._address.token,
            name=name,
            no_echo=True,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            ping_interval=NEVER_S,
            connect_timeout=STEP_S,  # type: ignore[arg-type] # fractions are fine
            pending_size=UNSENT_BYTES,
            flush_timeout=FLUSH_S,
            error_cb=self._note,
            closed_cb=self._end,
        )
        if not self._server_info.get("headers"):
            raise NotFit("it does not tell when nobody listens: leave out no_header_support")
        if self.max_payload < BODY_MOST:
            raise NotFit(f"it takes {self.max_payload} bytes at most: set max_payload to 1MB")

    async def listen(self, pattern: str, arrive: Arrive) -> None:
        """Hand what fits to `arrive`, in the order it comes, whatever else is listened to."""
        self._arrivals[self._sid + 1] = arrive
        await self.subscribe(pattern)

    async def ping(self, pong: "asyncio.Future[bool]") -> None:
        """Ask the server itself, behind all that was sent before; nobody may cancel `pong`.

        The library's own ping overtakes what it has not written yet.
        """
        self._pongs.append(pong)
        await self._send_command(PING_PROTO)
        await self._flush_pending()

    async def leave(self) -> None:
        """Close, without waiting for a server that does not read."""
        with suppress(Exception):
            async with asyncio.timeout(LEAVE_S):
                await self.close()
        self.cut()

    def cut(self) -> None:
        """Drop the connection with all that is still to be sent."""
        writer: asyncio.StreamWriter | None = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    # --- what the library calls ---------------------------------------------------------------

    async def _note(self, error: Exception) -> None:
        self.why = error
        if "permissions violation" in str(error).lower() and not self._is_barred:
            self._is_barred = True
            log.error("bus_barred", why=str(error))

    async def _end(self) -> None:
        self.ended.set()

    def _connect_command(self) -> bytes:
        if self._address.is_tls and not self._server_info.get("tls_required"):
            raise NotFit("it does not require TLS, and its address says tls")
        return super()._connect_command()

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg | None:
        """Hand over a message; None, so that the library does not queue it once more."""
        arrive = self._arrivals.get(sid)
        if arrive is not None:
            nobody = headers is not None and headers.get("Status") == NOBODY
            arrive(subject.decode(), reply.decode(), data, nobody)
        return None
