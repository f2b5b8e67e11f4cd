"""One process of the service, from the desk to the unit socket, without bytes; it may be killed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, Final, cast

import structlog

from dispatch.auth import Keyring
from dispatch.desk.desk import Desk
from dispatch.desk.loops import Loops
from dispatch.desk.phones import Phones
from dispatch.gateway.hub import Hub
from dispatch.gateway.server import UnitSocket
from dispatch.gateway.twin import Twin
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.ports import Clock, Store, StoreAway
from dispatch.telemetry import Metrics
from geo.eta import StraightLine
from tests.simulation.distant_store import DistantStore
from tests.simulation.line import Line

log = structlog.get_logger()

BEAT_S: Final = 2.0
SLOW_BEATS: Final = 5
"""Between two readings of who is asked or engaged; as in the loops."""
RARE_BEATS: Final = 2
"""Between two readings of everything, where there is no bus."""
METRICS: Final = Metrics()
"""What is counted is not what is tested: one book for all."""
MakeHub = Callable[[Phones], Hub]


class Server:
    """A process: built from the store as it is on disk, and gone without a word.

    `shared`: others decide over the same store. There is no bus between processes, so each reads
    everything anew with every beat.
    """

    def __init__(
        self, store: DistantStore, clock: Clock, *, shared: bool, make_hub: MakeHub = Hub
    ) -> None:
        self.store = store
        self.up = False
        self._clock, self._shared, self._make_hub = clock, shared, make_hub
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._lines: dict[Line, None] = {}
        self._beats = 0

    async def start(self) -> None:
        """Recover, then run."""
        store = cast("Store", self.store)  # every method of a store is there, further away
        self.desk = Desk(
            store=store,
            clock=self._clock,
            fleet=Fleet(StraightLine()),
            board=Board(),
            roster=Roster(),
            keyring=Keyring(),
            metrics=METRICS,
        )
        await self.desk.recover()
        self.phones = Phones(self.desk, await store.epoch())
        self.hub = self._make_hub(self.phones)
        self.phones.presence.speak_through(self.hub)
        self.desk.send_through(self.hub)
        self.loops = Loops(self.desk, self.phones, lambda *_, **__: timedelta(0))
        self.socket = UnitSocket(self.phones, self.hub)
        self.twin = Twin(self.phones)
        self.up = True
        self.spawn(self._beat())
        self.spawn(self._due())
        self.spawn(self.hub.run(BEAT_S))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that ends with the process at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def serve(self, line: Line) -> None:
        """Take a connection."""
        self._lines[line] = None
        task = self.spawn(self.socket(line.scope, line.receive, line.say))
        task.add_done_callback(lambda _: self._lines.pop(line, None))

    def kill(self) -> None:
        """End without a word: no task goes on, nothing reaches the store any more."""
        self.up = False
        self.store.cut = True
        for task in (*self._tasks, *self.hub._tasks):
            task.cancel()
        for line in tuple(self._lines):
            line.die()

    async def catch_up(self) -> None:
        """Do at once what the next beats would."""
        if self._shared:
            await self.desk.recover()
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
            self._beats += 1
            if self._shared and self._beats % RARE_BEATS == 0:
                await self._done(self.desk.recover)
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
            self.desk.poke.clear()
            await self._done(self.loops.run_due)

    async def _done(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except StoreAway:
            return
        except Exception:
            log.exception("loop_failed")
