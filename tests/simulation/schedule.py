"""One seed's story: trouble for a while, then calm, then everybody is asked what he knows."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final

from dispatch.bus.local import Wire
from dispatch.desk.peers import Peers
from dispatch.gateway.hub import Hub
from dispatch.live.board import Board
from dispatch.phone.behaviour import Habits
from dispatch.store.memory import MemoryStore
from geo.datum import Datum
from schemas.plan import IncidentKind
from schemas.wire import Assist, Assistance, DutyCall, Report, SetDuty
from tests.simulation.checks import check
from tests.simulation.dice import Dice
from tests.simulation.distant_bus import DistantBus
from tests.simulation.distant_store import DistantStore
from tests.simulation.handset import Handset
from tests.simulation.ledger import Broken, Ledger
from tests.simulation.people import People
from tests.simulation.server import Server
from tests.simulation.town import Holder, settle_in
from tests.simulation.virtual_time import LoopClock, VirtualTimeLoop
from tests.simulation.weather import CALM, Weather, drawn

TROUBLE_S: Final = (20.0, 50.0)
CALM_S: Final = 13.0
"""Longer than a reading of who is asked or engaged, and than a phone needs to come back."""
CALM_SPELLS: Final = 3
BREAK_S: Final = 1.5
ROUNDS_MOST: Final = 50
RUSH_S: Final = 0.2
"""Within so much time half of all changes are asked for: they meet."""
STEP_S: Final = 0.05
STEPS_MOST: Final = 200
DOWN_S: Final = (0.5, 6.0)
SPLIT_S: Final = (0.5, 25.0)
PAUSE_S: Final = (1.0, 15.0)
TRACE_LINES: Final = 80
WATCH_S: Final = 2.0
HELD_TWICE_S: Final = 16.0
"""So long two processes may hold a phone at once: till the next look at who is bound where."""

MakeStore = Callable[..., MemoryStore]


class Schedule:
    """The parts, and what happens to them."""

    def __init__(
        self,
        seed: int,
        loop: VirtualTimeLoop,
        make_store: MakeStore,
        weather: Weather | None,
        processes: int | None,
        **made: Any,
    ) -> None:
        self.seed = seed
        self.dice = Dice(seed, "schedule")
        self.weather = weather or drawn(Dice(seed, "weather"))
        self.clock = LoopClock(loop)
        self.store = make_store(self.clock.now)
        self.ledger = Ledger()
        self.wire = Wire()
        number = self.dice.pick((1, 1, 2, 3))
        self.servers: list[Server | None] = [None] * (processes or number)
        self.handsets: list[Handset] = []
        self._loop, self._made = loop, made
        self._processes = 0
        self._starting = [asyncio.Lock() for _ in self.servers]
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Let it all happen, then check."""
        holders = await settle_in(self.store, Dice(self.seed, "town"))
        for place in range(len(self.servers)):
            await self._start(place)
        self.people = People(
            store=self.store,
            server=self._any_server,
            clock=self.clock,
            dice=Dice(self.seed, "people"),
            weather=lambda: self.weather,
            ledger=self.ledger,
        )
        self.handsets = [self._handset(n, holder) for n, holder in enumerate(holders)]
        for handset in self.handsets:
            handset.phone.dial_at(handset.now_ms() + 1000 * self.dice.roll())
        trouble_s = self.dice.between(*TROUBLE_S)
        self._plan(holders, trouble_s)
        if len(self.servers) > 1:
            self._at(WATCH_S, self._watch)
        await asyncio.sleep(trouble_s)
        await self._come_to_rest()
        if self.ledger.broken:
            raise self.ledger.broken
        await check(self)

    async def _come_to_rest(self) -> None:
        self.weather = CALM
        for server in self.servers:
            if server is not None:
                server.go_on()
                server.bus.heal()
        for place in range(len(self.servers)):
            await self._start(place)
        for handset in self.handsets:
            handset.leave_tunnel()
        await asyncio.sleep(BREAK_S)
        for _ in range(CALM_SPELLS):
            for handset in self.handsets:
                handset.come_back()
            await asyncio.sleep(CALM_S / CALM_SPELLS)
        for handset in self.handsets:
            handset.stop()
        for _ in range(ROUNDS_MOST):
            decided = self.ledger.decisions
            for server in self.servers:
                if server is not None:
                    await server.catch_up()
            await self._pause()
            if decided == self.ledger.decisions:
                return
        raise Broken("it never comes to rest")

    async def _pause(self) -> None:
        await asyncio.sleep(STEP_S)
        for _ in range(STEPS_MOST):
            if not self._moves():
                return
            await asyncio.sleep(STEP_S)
        raise Broken("it is never quiet")

    def _moves(self) -> bool:
        """Tell whether anything is being said, written or decided."""
        working = any(server is not None and server.works for server in self.servers)
        return working or self.people.busy > 0 or any(h.under_way for h in self.handsets)

    async def end(self) -> None:
        """Kill what still runs."""
        for server in self.servers:
            if server is not None:
                server.kill()
        for task in self._tasks:
            task.cancel()
        everybody = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*everybody, return_exceptions=True)

    # What happens when. --------------------------------------------------------------------------

    def _plan(self, holders: list[Holder], trouble_s: float) -> None:
        dice = self.dice
        for _ in range(dice.pick((1, 1, 2, 2, 3))):
            near = dice.pick(holders).home
            self._at(dice.between(0, trouble_s * 0.5), partial(self.people.open, near))
        rush_s = dice.between(5, trouble_s)
        for _ in range(dice.pick((0, 1, 3, 6))):
            at_s = dice.pick((rush_s + dice.roll() * RUSH_S, dice.between(1, trouble_s)))
            self._at(at_s, self.people.change)
        for _ in range(dice.pick((0, 1, 2))):
            self._at(dice.between(1, trouble_s), self._whim)
        for _ in range(self.weather.crashes):
            self._at(dice.between(3, trouble_s), self._crash)
        for _ in range(self.weather.restarts):
            self._at(dice.between(3, trouble_s), self._restart)
        for _ in range(self.weather.splits):
            self._at(dice.between(3, trouble_s), self._split)
        for _ in range(self.weather.pauses):
            self._at(dice.between(3, trouble_s), self._pause_one)

    def _at(self, at_s: float, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def later() -> None:
            await asyncio.sleep(at_s)
            await what()

        task = self._loop.create_task(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _whim(self) -> None:
        """Let some member clock, report something, or ask for help."""
        handset = self.dice.pick(self.handsets)
        new_id = handset.new_id
        tasks = list(handset.phone.session.hand.tasks)
        words = f"w{new_id()}"
        whims: list[Callable[[], None]] = [
            lambda: handset.say(SetDuty(id=new_id(), s=self.dice.pick(tuple(DutyCall)))),
            lambda: handset.say(SetDuty(id=new_id(), s=self.dice.pick(tuple(DutyCall)))),
            lambda: handset.say(
                Report(
                    id=new_id(),
                    kind=IncidentKind.THEFT,
                    pri=self.dice.pick((1, 2, 3)),
                    d=Datum.WGS84,
                    lon=113.45,
                    lat=23.1,
                    text=words,
                    self_=self.dice.chance(0.5),
                )
            ),
        ]
        if tasks:
            what = self.dice.pick(tuple(Assistance))
            help_ = Assist(id=new_id(), aid=tasks[0], what=what, text=words)
            whims += [lambda: handset.say(help_)] * 2
        self.dice.pick(whims)()

    async def _restart(self) -> None:
        self.dice.pick(self.handsets).restart()

    async def _crash(self) -> None:
        """Kill a process; a new one takes its place after a while."""
        place = int(self.dice.between(0, len(self.servers)))
        server = self.servers[place]
        if server is None:
            return
        self.ledger.note(self._loop.time(), f"server {place} is killed")
        self.servers[place] = None
        server.kill()
        await asyncio.sleep(self.dice.between(*DOWN_S))
        await self._start(place)

    async def _split(self) -> None:
        """Cut a process off from the others for a while."""
        server = self._any_server()
        if server is None:
            return
        self.ledger.note(self._loop.time(), "cut off from the bus", self.servers.index(server))
        server.bus.cut()
        await asyncio.sleep(self.dice.between(*SPLIT_S))
        if server.up:
            server.bus.heal()

    async def _watch(self) -> None:
        """Look that no phone is held by two processes for long."""
        since_s: dict[str, float] = {}
        while True:
            running = [s for s in self.servers if s is not None and not s.bus.deaf]
            held = Counter(device for server in running for device in server.hub._seats)
            now_s = self._loop.time()
            since_s = {d: since_s.get(d, now_s) for d, n in held.items() if n > 1}
            late = [d for d, at_s in since_s.items() if now_s - at_s > HELD_TWICE_S]
            if late and self.ledger.broken is None:
                self.ledger.broken = Broken(f"held twice for long: devices={late}")
            await asyncio.sleep(WATCH_S)

    async def _pause_one(self) -> None:
        """Stop a process for a while."""
        server = self._any_server()
        if server is None:
            return
        self.ledger.note(self._loop.time(), "does not run", self.servers.index(server))
        server.pause()
        await asyncio.sleep(self.dice.between(*PAUSE_S))
        self.ledger.note(self._loop.time(), "runs again")
        server.go_on()

    # Who there is. -------------------------------------------------------------------------------

    async def _start(self, place: int) -> None:
        """Start a process, where there is none and none is starting."""
        async with self._starting[place]:
            if self.servers[place] is None:
                self.servers[place] = await self._started()
                self.ledger.note(self._loop.time(), f"server {place} is up")

    async def _started(self) -> Server:
        self._processes += 1
        number = self._processes
        store = DistantStore(
            self.store,
            Dice(self.seed, f"store {number}"),
            lambda: self.weather,
            self.ledger.committed,
        )
        bus = DistantBus(self.wire, Dice(self.seed, f"bus {number}"), lambda: self.weather)
        server = Server(store, bus, self.clock, **self._made)
        await server.start()
        return server

    def _any_server(self) -> Server | None:
        up = [server for server in self.servers if server is not None]
        return self.dice.pick(up) if up else None

    def _server_for(self, unit_number: int, dice: Dice) -> Server | None:
        """Return where a line leads: mostly to the same process."""
        if dice.chance(self.weather.roams):
            return dice.pick(self.servers)
        return self.servers[unit_number % len(self.servers)]

    def _handset(self, n: int, holder: Holder) -> Handset:
        dice = Dice(self.seed, holder.device)
        unit_number = int(holder.unit[1:])
        return Handset(
            holder.device,
            holder.member,
            holder.home,
            holder.moves,
            server=lambda: self._server_for(unit_number, dice),
            clock=self.clock,
            dice=dice,
            weather=lambda: self.weather,
            ledger=self.ledger,
            habits=Habits(
                accept=dice.pick((0.5, 0.7, 0.95)),
                decline=0.05,
                see_s=dice.pick((1.0, 3.0)),
                decide_s=dice.pick((1.0, 4.0, 25.0)),
                turnout_s=dice.pick((2.0, 10.0)),
                control_s=4.0,
                resolve_s=4.0,
            ),
        )


def run(
    seed: int,
    make_store: MakeStore = MemoryStore,
    *,
    weather: Weather | None = None,
    processes: int | None = None,
    make_hub: Callable[..., Hub] = Hub,
    make_peers: Callable[..., Peers] = Peers,
    make_board: Callable[..., Board] = Board,
) -> Ledger:
    """Run one seed's schedule; raise `Broken`, with its story, where something is not as it must.

    The same seed tells the same story.
    """
    loop = VirtualTimeLoop()
    schedule = Schedule(
        seed,
        loop,
        make_store,
        weather,
        processes,
        make_hub=make_hub,
        make_peers=make_peers,
        make_board=make_board,
    )
    loop.set_exception_handler(lambda _, facts: schedule.ledger.faults.append(str(facts)))
    try:
        loop.run_until_complete(schedule.run())
    except Broken as broken:
        story = "\n".join(schedule.ledger.trace[-TRACE_LINES:])
        raise Broken(f"seed {seed}: {broken}\n{story}") from broken
    finally:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(schedule.end())
        loop.close()
    return schedule.ledger
