"""The composition root: the one file that names concrete classes."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from litestar import Litestar

from dispatch.api.app import build
from dispatch.api.measured import VERB, Measured
from dispatch.auth import Keyring
from dispatch.bus.host import is_dead, node_of
from dispatch.bus.local import LocalBus
from dispatch.bus.nats import NatsBus
from dispatch.clock import SystemClock, jitter, new_code, new_token
from dispatch.desk.canary import EVERY_S as CANARY_EVERY_S
from dispatch.desk.canary import Canary
from dispatch.desk.desk import Desk
from dispatch.desk.loops import Beat, Loops
from dispatch.desk.peers import Peers
from dispatch.desk.phones import Phones
from dispatch.desk.queues import Queues
from dispatch.desk.register import Register
from dispatch.desk.retention import EVERY_S as RETENTION_EVERY_S
from dispatch.desk.retention import Retention
from dispatch.desk.room import EVERY_S as ROOM_EVERY_S
from dispatch.desk.room import RoomWatch
from dispatch.desk.split import EVERY_S as SPLIT_EVERY_S
from dispatch.desk.split import Split
from dispatch.desk.the_hour import TheHour, read_hours
from dispatch.desk.timekeeper import Timekeeper
from dispatch.gateway.app_version import oldest_of
from dispatch.gateway.hub import Hub
from dispatch.gateway.inside import inside
from dispatch.gateway.server import UnitSocket
from dispatch.gateway.told import Told
from dispatch.gateway.twin import Twin
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.room import Room
from dispatch.live.roster import Roster
from dispatch.ports import Bus, Clock
from dispatch.push.lane import Lane
from dispatch.push.target import Target
from dispatch.push.webhook import Webhook
from dispatch.push.worker import Worker
from dispatch.router.valhalla import Valhalla
from dispatch.settings import Settings, bus_servers
from dispatch.store.ballast import MB, Ballast, free_bytes
from dispatch.store.postgres import PostgresStore
from dispatch.telemetry import Metrics, Stalls
from geo.eta import EtaModel, StraightLine
from geo.road_eta import RoadNetwork
from geo.roads import file as road_file

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

UNIT_SOCKET: Final = "/v1/ws/unit"
TOLD_EVERY_S: Final = 1.0
QUEUES_EVERY_S: Final = 5.0
HOUR_EVERY_S: Final = 30.0
ALONE: Final = "0"
"""The name of the first of a machine's processes, or of the only one."""
DEFAULTS: Final = Settings(canary="off", ballast_mb=0)
"""Of a service inside another program: nothing happens in it that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: its desk, its phones, and the application that serves both."""

    desk: Desk
    phones: Phones
    hub: Hub
    peers: Peers
    loops: Loops
    app: App


@asynccontextmanager
async def service(
    dsn: str, settings: Settings = DEFAULTS, bus: Bus | None = None, name: str = ALONE
) -> AsyncIterator[Service]:
    """Recover everything from the store, run the desk's loops, and stop in the reverse order.

    Its measurements have the label `worker` with its `name`.

    Raises:
        OtherBus: another process works on this store, and does not hear this one.
    """
    store = await PostgresStore.open(dsn)
    try:
        async with _bus(settings, bus) as words:
            built = await _recovered(store, settings, words, name)
            async with _running(store, built, settings):
                yield built
    finally:
        await store.close()


@asynccontextmanager
async def _running(store: PostgresStore, built: Service, settings: Settings) -> AsyncIterator[None]:
    """Be one of the processes of this store, and do all that is done by itself."""
    async with (
        _joined(built.peers),
        _advised(built, settings),
        _woken(store, built, settings) as wakes,
        asyncio.TaskGroup() as group,
    ):
        built.loops.start(group)
        running = (built.hub.run(), Stalls(built.desk.metrics).run(), *wakes)
        own = [group.create_task(work) for work in running]
        try:
            yield
        finally:
            built.loops.stop()
            for task in own:
                task.cancel()
            await built.phones.flush_acks()


@asynccontextmanager
async def _bus(settings: Settings, given: Bus | None) -> AsyncIterator[Bus]:
    """Yield the bus that is given, else the site's, else one on which this process is alone."""
    servers = bus_servers(settings.bus_url)
    if given is not None or not servers:
        yield given or LocalBus()
        return
    async with NatsBus.open(servers, name=f"kapok-{os.getpid()}") as bus:
        yield bus


@asynccontextmanager
async def _woken(
    store: PostgresStore, built: Service, settings: Settings
) -> AsyncIterator[list[Coroutine[None, None, None]]]:
    """Put the worker that wakes phones behind the desk, where there is a webhook; yield its run."""
    if settings.push_url is None or settings.push_secret is None:
        yield []
        return
    desk, phones = built.desk, built.phones
    target = Target.of(settings.push_url, settings.push_allow)
    async with Webhook(target, settings.push_secret, lambda: phones.epoch, desk.clock) as webhook:
        worker = Worker(
            store=store,
            clock=desk.clock,
            sender=webhook,
            metrics=desk.metrics,
            jitter=jitter,
            asleep=phones.sleepers.asleep,
            settle_acks=phones.flush_acks,
            unit_changed=desk.reread.add,
            sms_per_hour=settings.sms_per_hour,
        )
        phones.sleepers.wake_through(worker.hurry)
        desk.send_through(Lane(built.hub, phones.sleepers.look))
        yield [worker.run()]


@asynccontextmanager
async def _joined(peers: Peers) -> AsyncIterator[None]:
    """Be one of the processes of this store, and take leave of them at the end."""
    await peers.join()
    try:
        yield
    finally:
        await peers.leave()


async def _recovered(store: PostgresStore, settings: Settings, bus: Bus, name: str) -> Service:
    """Build the parts and fill memory from what is on disk."""
    clock, metrics = SystemClock(), Metrics()
    timekeeper = Timekeeper(store, clock, metrics)
    await timekeeper.start()
    desk = await _desk(store, settings, clock, metrics)
    desk.ahead_s = timekeeper.ahead_s
    watch = _room_watch(desk, settings)
    store.tell_full(watch.told_full)
    await watch.look()
    await desk.recover()
    phones = Phones(desk, await store.epoch(), new_token=new_token)
    hub = Hub(phones, metrics.stage_took, jitter)
    phones.presence.speak_through(hub)
    desk.send_through(hub)
    peers = await _peers(desk, phones, hub, store, bus)
    loops, oldest = Loops(desk, phones), oldest_of(settings.oldest_apps)
    socket = UnitSocket(phones, hub, oldest=oldest)
    beats = (
        *timekeeper.beats(),
        *peers.beats(),
        (ROOM_EVERY_S, watch.look),
        *_looks(desk, phones, hub, store),
        *await _by_settings(desk, socket, store, settings),
    )
    for seconds, work in beats:
        loops.also(seconds, work)
    await loops.reread_keys()
    measured = Measured(name, metrics.registry, partial(peers.ask_near, VERB))
    peers.answer(VERB, measured.own)
    rest = build(
        desk,
        measured=measured,
        twin=Twin(phones, oldest),
        register=Register(desk, new_code=new_code, new_token=new_token),
    )
    return Service(
        desk=desk,
        phones=phones,
        hub=hub,
        peers=peers,
        loops=loops,
        app=_routed(rest, socket),
    )


async def _desk(
    store: PostgresStore, settings: Settings, clock: SystemClock, metrics: Metrics
) -> Desk:
    """Return a desk that knows the roads, and nothing else yet."""
    fleet = Fleet(_model(settings), wakes=settings.push_url is not None)
    await asyncio.to_thread(fleet.warm)
    return Desk(
        store=store,
        clock=clock,
        fleet=fleet,
        board=Board(),
        roster=Roster(),
        keyring=Keyring(),
        metrics=metrics,
        room=Room(settings.ballast_mb * MB, lambda work: metrics.room_refusals.labels(work).inc()),
    )


async def _peers(desk: Desk, phones: Phones, hub: Hub, store: PostgresStore, bus: Bus) -> Peers:
    """Return what ties this process to the others of its installation."""
    return Peers(
        desk,
        phones,
        hub,
        bus=bus,
        node=node_of(desk.clock),
        prefix=f"kapok.{await store.installation()}",
        dead=is_dead,
    )


def _looks(desk: Desk, phones: Phones, hub: Hub, store: PostgresStore) -> list[Beat]:
    """Return what looks after the service itself, whatever its settings."""
    return [
        (SPLIT_EVERY_S, Split(desk).look),
        (TOLD_EVERY_S, Told(hub, desk.metrics).tell),
        (QUEUES_EVERY_S, Queues(desk, phones, store.backlog).look),
    ]


async def _by_settings(
    desk: Desk, socket: UnitSocket, store: PostgresStore, settings: Settings
) -> list[Beat]:
    """Return what is done where a site wants it, and how it wants it."""
    keep = timedelta(days=settings.keep_days)
    beats: list[Beat] = [(RETENTION_EVERY_S, Retention(desk, store, keep).run)]
    if hour := _hour(settings, desk.fleet.model, desk.clock):
        await hour.follow()
        beats.append((HOUR_EVERY_S, hour.follow))
    if settings.canary == "on":
        beats.append((CANARY_EVERY_S, Canary(desk, partial(inside, socket), new_token).run))
    return beats


def _room_watch(desk: Desk, settings: Settings) -> RoomWatch:
    """Return what looks at the disks of the database, where they are ours, and of its archive."""
    if not settings.ballast_mb:
        return RoomWatch(desk)
    ballast = Ballast(settings.data, settings.ballast_mb * MB)
    archive = settings.archive
    return RoomWatch(
        desk,
        store_bytes=ballast.room_bytes,
        archive_bytes=partial(free_bytes, archive) if archive else None,
        archive_least_bytes=ballast.size_bytes,
    )


def _model(settings: Settings) -> EtaModel:
    """Return who tells arrival times: the roads, where there are any."""
    return RoadNetwork(road_file.load(settings.roads)) if settings.roads else StraightLine()


def _hour(settings: Settings, model: EtaModel, clock: Clock) -> TheHour | None:
    """Return what follows the site's hours; None where it has none, or no roads."""
    if settings.road_hours is None or not isinstance(model, RoadNetwork):
        return None
    return TheHour(model, read_hours(settings.road_hours), clock)


@asynccontextmanager
async def _advised(built: Service, settings: Settings) -> AsyncIterator[None]:
    """Let the desk ask the site's own router, where it has one."""
    if settings.router_url is None:
        yield
        return
    async with Valhalla(settings.router_url) as router:
        built.desk.routes.ask(router)
        yield


def _routed(rest: Litestar, socket: UnitSocket) -> App:
    """Put the unit socket beside the REST application, in one ASGI callable."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        unit = scope["type"] == "websocket" and scope["path"] == UNIT_SOCKET
        if unit:
            await socket(scope, receive, send)
        else:
            await rest(scope, receive, send)  # type: ignore[arg-type]  # ASGI maps, more narrowly typed

    return app
