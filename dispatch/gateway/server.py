"""`GET /v1/ws/unit` as one ASGI callable: bytes in, bytes out, and who may knock."""

from collections.abc import Collection
from typing import Any, Final

from dispatch.gateway.app_version import Oldest
from dispatch.gateway.connection import Connection, Message, Receive, Say, farewell
from dispatch.gateway.hub import Hub
from dispatch.gateway.limits import BEFORE_HELLO_MAX, PART_WITHIN_S, Porch, spread_s
from dispatch.gateway.phones import Phones
from dispatch.gateway.protocol import LINE, Line
from dispatch.gateway.session import NO_APPS, Part, parting
from schemas.wire import SUBPROTOCOL, Close

UNIT_PATH: Final = "/v1/ws/unit"


class UnitSocket:
    """Lets phones in and hands each its connection.

    `origins` are the web pages that may open the socket; an app sends no Origin and is let in.
    `before_hello_max` bounds the sockets of one address whose token is not known yet, `oldest` the
    versions of apps.
    """

    def __init__(
        self,
        phones: Phones,
        hub: Hub,
        *,
        origins: Collection[str] = (),
        before_hello_max: int = BEFORE_HELLO_MAX,
        part_within_s: float = PART_WITHIN_S,
        oldest: Oldest = NO_APPS,
    ) -> None:
        self._phones, self._hub = phones, hub
        self._origins = frozenset(origins)
        self._porch = Porch(before_hello_max)
        self._part_within_s = part_within_s
        self._oldest = oldest

    async def __call__(self, scope: Message, receive: Receive, say: Say) -> None:
        """Serve one socket until it is closed."""
        try:
            await receive()
            await self._meet(scope, receive, say)
        except OSError:
            # The peer went away before we had answered: there is nobody to tell.
            return

    async def _meet(self, scope: Message, receive: Receive, say: Say) -> None:
        if not self._welcome_here(scope):
            self._hub.stats.refused_origin += 1
            await say({"type": "websocket.close", "code": 1008})
            return
        common = SUBPROTOCOL in scope["subprotocols"]
        await say({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if common else None})
        if not common:
            await self._send_off(say, parting(Close.PROTOCOL))
            return
        await self._let_in(scope, receive, say)

    async def _let_in(self, scope: Message, receive: Receive, say: Say) -> None:
        if self._hub.draining:
            await self._send_off(say, parting(Close.DRAINING, spread_s(self._phones.online())))
            return
        address = _address(scope)
        if not self._porch.enter(address):
            await self._send_off(say, parting(Close.OVERLOADED, self._hub.later_s()))
            return
        connection = Connection(
            self._phones,
            self._hub,
            receive,
            say,
            porch=self._porch,
            address=address,
            part_within_s=self._part_within_s,
            line=_line(scope),
            oldest=self._oldest,
        )
        await connection.serve()

    def _welcome_here(self, scope: Message) -> bool:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        return all(origin.decode("latin-1") in self._origins for origin in origins)

    async def _send_off(self, say: Say, part: Part) -> None:
        self._hub.stats.closes[part.code] += 1
        await say(farewell(part))


def _address(scope: Message) -> str:
    client: Any = scope.get("client")
    return str(client[0]) if client else ""


def _line(scope: Message) -> Line | None:
    line: Line | None = scope.get("extensions", {}).get(LINE)
    return line
