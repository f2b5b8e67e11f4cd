"""One process of the service, from the desk to the unit socket, without bytes; it may be killed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, cast

import structlog

from dispatch.auth import Keyring
from dispatch.desk.desk import Desk
from dispatch.desk.joining import OtherBus
from dispatch.desk.loops import Loops
from dispatch.desk.peers import Peers
from dispatch.desk.phones import Phones
from dispatch.gateway.connection import Message
from dispatch.gateway.hub import AWAY_S, Hub
from dispatch.gateway.server import UnitSocket
from dispatch.gateway.twin import Twin
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.ports import Clock, Node, NodeId, Store, StoreAway
from dispatch.telemetry import Metrics
from geo.eta import StraightLine
from tests.simulation.distant_bus import DistantBus
from tests.simulation.distant_store import DistantStore
from tests.simulation.line import Line

log = structlog.get_logger()

BEAT_S: Final = 2.0
SLOW_BEATS: Final = 5
"""Between two readings of who is asked or engaged; as in the loops."""
PEERS_S: Final = 1.5
"""Between two looks at the other processes."""
RARE_LOOKS: Final = 6
"""Between two readings of who holds which phone; as in the loops."""
JOIN_AGAIN_S: Final = 1.0
PREFIX: Final = "kapok.simulation"
METRICS: Final = Metrics()
"""What is counted is not what is tested: one book for all."""
MakeHub = Callable[[Phones], Hub]
MakePeers = Callable[..., Peers]
MakeBoard = Callable[[], Board]


class Server:
    """A process: built from the store as it is on disk, and gone without a word."""

    def __init__(
        self,
        store: DistantStore,
        bus: DistantBus,
        clock: Clock,
        *,
        make_hub: MakeHub = Hub,
        make_peers: MakePeers = Peers,
        make_board: MakeBoard = Board,
    ) -> None:
        self.store, self.bus = store, bus
        self.up = False
        self._clock = clock
        self._make_hub, self._make_peers, self._make_board = make_hub, make_peers, make_board
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._lines: dict[Line, None] = {}
        self._beats = self._looks = 0

    async def start(self) -> None:
        """Recover, be one of the processes, then run."""
        store = cast("Store", self.store)  # every method of a store is there, further away
        self.desk = Desk(
            store=store,
            clock=self._clock,
            fleet=Fleet(StraightLine()),
            board=self._make_board(),
            roster=Roster(),
            keyring=Keyring(),
            metrics=METRICS,
        )
        await self.desk.recover()
        self.phones = Phones(self.desk, await store.epoch())
        self.hub = self._make_hub(self.phones)
        self.phones.presence.speak_through(self.hub)
        self.desk.send_through(self.hub)
        self.peers = self._make_peers(
            self.desk, self.phones, self.hub, bus=self.bus, node=self._node(), prefix=PREFIX
        )
        self.loops = Loops(self.desk, self.phones)
        self.socket = UnitSocket(self.phones, self.hub)
        self.twin = Twin(self.phones)
        await self._join()
        self.up = True
        self.spawn(self._beat())
        self.spawn(self._due())
        self.spawn(self._look())
        self.spawn(self._tick())
        self.spawn(self.hub._sweep_on(BEAT_S))

    def _node(self) -> Node:
        now = self._clock.now()
        return Node(id=NodeId(self._clock.new_id()), host="here", pid=1, started_at=now)

    async def _join(self) -> None:
        while True:
            try:
                await self.peers.join()
            except OtherBus:
                await asyncio.sleep(JOIN_AGAIN_S)
            else:
                return

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that ends with the process at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def serve(self, line: Line) -> None:
        """Take a connection."""
        self._lines[line] = None
        task = self.spawn(self.socket(line.scope, partial(self._receive, line), line.say))
        task.add_done_callback(lambda _: self._lines.pop(line, None))

    async def _receive(self, line: Line) -> Message:
        message = await line.receive()
        await self.store.awake.wait()
        return message

    def pause(self) -> None:
        """Stop: nothing is heard, nothing begins, until it goes on."""
        self.bus.deaf = True
        self.store.awake.clear()

    def go_on(self) -> None:
        """Run again; what came meanwhile is heard now."""
        self.store.awake.set()
        self.bus.wake()

    def kill(self) -> None:
        """End without a word: no task goes on, nothing reaches the store any more."""
        self.up = False
        self.store.cut = True
        self.bus.cut()
        for task in (*self._tasks, *self.hub._tasks, *self.peers.elsewhere.tasks):
            task.cancel()
        for line in tuple(self._lines):
            line.die()

    async def catch_up(self) -> None:
        """Do at once what the next beats would."""
        for work in self._works():
            await work()
        await self.phones.flush_acks()
        await self.loops.reread_freed()
        self.hub.caught_up()

    @property
    def works(self) -> bool:
        """Tell whether a call of the store is under way."""
        return self.store.calls > 0

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await self.store.awake.wait()
            self._beats += 1
            await self._done(self.phones.flush_acks)
            await self._done(self.loops.reread_freed)
            if self._beats % SLOW_BEATS == 0:
                await self._done(self.loops.compare_states)
                await self._done(self.loops.keep_positions)
            await self._done(self.loops.run_due)

    async def _due(self) -> None:
        """Run what a decision has made due at once."""
        while True:
            await self.desk.poke.wait()
            await self.store.awake.wait()
            self.desk.poke.clear()
            await self._done(self.loops.run_due)

    async def _look(self) -> None:
        """Do what ties this process to the others."""
        while True:
            await asyncio.sleep(PEERS_S)
            await self.store.awake.wait()
            for work in self._works():
                await self._done(work)

    def _works(self) -> list[Callable[[], Awaitable[None]]]:
        self._looks += 1
        rare = self._looks % RARE_LOOKS == 0
        return [work for every_s, work in self.peers.beats() if every_s <= PEERS_S or rare]

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            slept_at = loop.time()
            await asyncio.sleep(BEAT_S)
            await self.store.awake.wait()
            was_away = loop.time() - slept_at > BEAT_S + AWAY_S
            (self.hub.wait if was_away else self.hub.tick)(loop.time())

    async def _done(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except StoreAway:
            return
        except Exception:
            log.exception("loop_failed")
