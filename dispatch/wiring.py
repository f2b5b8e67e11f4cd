"""The composition root: the one file that names concrete classes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from litestar import Litestar

from dispatch.api.app import build
from dispatch.auth import Keyring
from dispatch.clock import SystemClock
from dispatch.desk.desk import Desk
from dispatch.desk.loops import Loops
from dispatch.desk.phones import Phones
from dispatch.gateway.hub import Hub
from dispatch.gateway.server import UnitSocket
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.store.postgres import PostgresStore
from dispatch.telemetry import Metrics
from geo.eta import StraightLine

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

UNIT_SOCKET: Final = "/v1/ws/unit"


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: its desk, its phones, and the application that serves both."""

    desk: Desk
    phones: Phones
    hub: Hub
    loops: Loops
    app: App


@asynccontextmanager
async def service(dsn: str) -> AsyncIterator[Service]:
    """Recover everything from the store, run the desk's loops, and stop in the reverse order."""
    store = await PostgresStore.open(dsn)
    try:
        built = await _recovered(store)
        async with asyncio.TaskGroup() as group:
            built.loops.start(group)
            sockets = group.create_task(built.hub.run())
            try:
                yield built
            finally:
                built.loops.stop()
                sockets.cancel()
                await built.phones.flush_acks()
    finally:
        await store.close()


async def _recovered(store: PostgresStore) -> Service:
    """Build the parts and fill memory from what is on disk."""
    clock = SystemClock()
    before = clock.now()
    database_now = await store.now()
    clock.set(database_now, round_trip_s=(clock.now() - before).total_seconds())
    metrics, keyring, roster, board = Metrics(), Keyring(), Roster(), Board()
    fleet = Fleet(StraightLine())
    desk = Desk(
        store=store,
        clock=clock,
        fleet=fleet,
        board=board,
        roster=roster,
        keyring=keyring,
        metrics=metrics,
    )
    await desk.recover()
    phones = Phones(desk, await store.epoch())
    hub = Hub(phones)
    desk.send_through(hub)
    loops = Loops(desk, phones, clock.set)
    await loops.reread_keys()
    rest = build(desk, registry=metrics.registry)
    return Service(
        desk=desk,
        phones=phones,
        hub=hub,
        loops=loops,
        app=_routed(rest, UnitSocket(phones, hub)),
    )


def _routed(rest: Litestar, socket: UnitSocket) -> App:
    """Put the unit socket beside the REST application, in one ASGI callable."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        unit = scope["type"] == "websocket" and scope["path"] == UNIT_SOCKET
        if unit:
            await socket(scope, receive, send)
        else:
            await rest(scope, receive, send)  # type: ignore[arg-type]  # ASGI maps, more narrowly typed

    return app
