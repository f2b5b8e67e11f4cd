"""What a process holds in memory: filled from the store at start, and read again; a hint only."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from datetime import timedelta
from typing import Final

from dispatch.auth import Keyring
from dispatch.core.decision import Actor, Context
from dispatch.core.hidden import is_hidden
from dispatch.core.plans import plan_for
from dispatch.desk.alarms import Alarms
from dispatch.desk.closures import Closures
from dispatch.desk.coverage import CityCoverage
from dispatch.desk.in_flight import InFlight
from dispatch.desk.notices import Notices
from dispatch.desk.ring_maps import RingMaps
from dispatch.desk.routes import Routes
from dispatch.desk.turns import Turns
from dispatch.desk.voice import Voice
from dispatch.desk.words import EVERYWHERE
from dispatch.live.board import Board
from dispatch.live.field import FleetField
from dispatch.live.fleet import Fleet
from dispatch.live.rings import NOBODY, Rings
from dispatch.live.room import Level, Room
from dispatch.live.roster import Roster
from dispatch.live.told import Told
from dispatch.ports import Clock, Outbound, Sealed, Store
from dispatch.telemetry import Metrics
from geo.jurisdiction import Jurisdiction, JurisdictionIndex
from geo.point import Point
from schemas.base import DeviceId, IncidentId, Instant, UnitId
from schemas.incident import Case, Incident, Status
from schemas.unit import UnitRow
from schemas.wire import Close

LOOKING: Final = frozenset({Status.OPEN, Status.DISPATCHING})
DOUBTED: Final = timedelta(seconds=10)
"""So long after a commit without an answer nobody is sent here, unless another gets through."""
NO_EPOCH: Final = "-"
"""Of a desk without phones: it lives no longer than its store."""
SLICE: Final = 1000
"""Units held against memory in one turn of the loop: some 5 ms."""
READS_MOST: Final = 3
"""How often a unit that changes under a reader is read again at once."""


class Nowhere:
    """The lane of a process without phones."""

    def push(self, sealed: Sequence[Sealed]) -> None:
        """Leave the frames to the outbox."""

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Close nothing."""

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Close nothing."""


async def _awake() -> None:
    """Be awake: nothing has slept."""


class Picture:
    """Units, crews, cases and places as last read or committed; the store is right."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        fleet: Fleet,
        board: Board,
        roster: Roster,
        keyring: Keyring,
        metrics: Metrics,
        room: Room | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.fleet = fleet
        self.board = board
        self.roster = roster
        self.places = JurisdictionIndex(())
        self._jurisdictions: Sequence[Jurisdiction] = ()
        self.keyring = keyring
        self.metrics = metrics
        self.room = room or Room()
        self.archive_room = True
        self.soon: set[IncidentId] = set()
        self.put_off: set[IncidentId] = set()
        self.reread: set[UnitId] = set()
        self.unsure: set[IncidentId] = set()
        self.poke = asyncio.Event()
        self.in_flight = InFlight()
        self.notices = Notices(
            store=store,
            clock=clock,
            fleet=fleet,
            roster=roster,
            decisions=self.in_flight,
            room=self.room,
        )
        self.alarms = Alarms(store=store, clock=clock)
        self.ring_maps = RingMaps(fleet.model)
        self.closures = Closures(
            store=store, clock=clock, places=lambda: self.places, model=fleet.model
        )
        self.coverage = CityCoverage(
            clock=clock,
            fleet=fleet,
            places=lambda: self.places,
            closed=lambda: self.closures.changes,
        )
        self.routes = Routes(fleet=fleet, clock=clock, metrics=metrics)
        self.registered = -1
        self.store_answers = True
        self.commit_failed_at: Instant | None = None
        self.partial = False
        self._outbound: Outbound = Nowhere()
        self._voice: Voice | None = None
        self._assign: Callable[[Iterable[DeviceId]], None] = lambda _: None
        self._rouse: Callable[[], Awaitable[None]] = _awake
        self._turns = Turns()
        self.alive: Callable[[], bool] = lambda: True
        self.epoch: Callable[[], str] = lambda: NO_EPOCH
        self.ahead_s: Callable[[], float] = lambda: 0.0
        self.changed: Callable[[Iterable[UnitId]], None] = lambda _: None
        self.rings = Rings()
        self.locate: Callable[[Iterable[UnitId]], None] = lambda _: None
        self.reread_all: Callable[[], None] = lambda: None
        self.found_out: Callable[[Iterable[UnitId]], None] = lambda _: None

    def ready(self) -> dict[str, bool]:
        """Return what has to be true before anybody may rely on this process."""
        return {"store": self.store_answers, "commits": self._commits(), "clocks": self.alive()}

    def _commits(self) -> bool:
        """Say whether commits get through: a store may answer reads, and wait with each commit."""
        failed_at = self.commit_failed_at
        return failed_at is None or self.clock.now() - failed_at > DOUBTED

    def degraded(self) -> list[str]:
        """Return what is not as it should be, though this process may be relied upon."""
        parts = {
            "picture": self.partial,
            "room": self.room.level is not Level.AMPLE,
            "archive_room": not self.archive_room,
        }
        return [name for name, lacking in parts.items() if lacking]

    # Read from the store. --------------------------------------------------------------------

    async def recover(self) -> None:
        """Fill memory from what is on disk."""
        cases = await self.store.active_cases()
        self.board.load(cases)
        await self.notices.recover()
        self.alarms.look()
        await self.closures.recover()
        await self.read_registered()
        for case in cases:
            self._ring(case)

    async def read_registered(self) -> None:
        """Take places, units, members and phones as they are registered; cut off the revoked."""
        self.registered = await self.store.registered()
        self._take_places(await self.store.jurisdictions())
        with self.in_flight.watching() as changed:
            now = self.clock.now()
            rows = await self.store.unit_rows(now)
            if self.fleet.begins(rows):
                await self._take_others(rows, changed)
            else:
                self.fleet.load(rows, now.timestamp())
                self.reread |= {UnitId(i) for i in changed if i in self.fleet}
        gone = self.roster.load(await self.store.identities(), await self.store.crews())
        for device_id in gone:
            self._outbound.close_device(device_id, Close.DEVICE_REVOKED)
        self.reread_all()

    def _take_places(self, jurisdictions: Sequence[Jurisdiction]) -> None:
        """Take the jurisdictions, where they are others: their index is dear."""
        if jurisdictions != self._jurisdictions:
            self.places, self._jurisdictions = JurisdictionIndex(jurisdictions), jurisdictions

    async def _take_others(self, rows: Sequence[UnitRow], changed: Container[str]) -> None:
        """Take units that are new or others than memory has them, some at a time.

        All anew stops the loop for half a second in a city of 23,334.
        """
        for start in range(0, len(rows), SLICE):
            for row in rows[start : start + SLICE]:
                if row.unit.id not in self.fleet:
                    self.fleet.add(row)
                elif row.unit.id not in changed and not self.fleet.holds(row):
                    self.fleet.put(row)
            await asyncio.sleep(0)

    async def renewed(self, unit_ids: Sequence[UnitId]) -> None:
        """Take units that were changed here on disk; other processes do so too."""
        await self.refresh(unit_ids)
        self.tell_changed(unit_ids)

    def tell_changed(self, unit_ids: Sequence[UnitId]) -> None:
        """Let other processes read units again."""
        if self._voice is not None and unit_ids:
            unit = self.fleet.unit(unit_ids[0])
            self._voice.changed(unit.juris if unit else EVERYWHERE, unit_ids)

    async def refresh(self, unit_ids: Sequence[UnitId]) -> None:
        """Take units and their crews as the store has them; later word on one is waited for."""
        wanted = frozenset(unit_ids)
        for _ in range(READS_MOST):
            with self.in_flight.watching() as changed:
                rows = await self.store.unit_rows(self.clock.now(), sorted(wanted))
                members = await self.store.crews(sorted(wanted))
            self._take([r for r in rows if r.unit.id not in changed])
            self.roster.put(m for m in members if m.unit_id not in changed)
            wanted = frozenset(wanted & changed)
            if not wanted:
                break
        self.reread |= wanted
        self.changed(unit_ids)

    def _take(self, rows: Iterable[UnitRow]) -> None:
        """Take units as they were read; what was read before that is known to be older."""
        for row in rows:
            with self.in_flight.changing([row.unit.id]):
                if row.unit.id in self.fleet:
                    self.fleet.put(row)

    def take(self, case: Case) -> None:
        """Take a case as the store has it, unless memory holds a later one."""
        incident_id = case.incident.id
        before = self.board.units(incident_id)
        self.board.put(case)
        told = before | self.board.units(incident_id)
        self.changed(told | self._ring(case))
        self.found_out(told)

    def _ring(self, case: Case) -> set[UnitId]:
        """Note who stands inside the ring of a case; return whose situation is another by it."""
        return self.rings.put(case.incident.id, self._inside(case.incident))

    def _inside(self, incident: Incident) -> frozenset[UnitId]:
        """Return who stands inside the ring of an incident that looks for units."""
        if incident.status not in LOOKING or is_hidden(incident.juris):
            return NOBODY
        place = Point(incident.lon, incident.lat)
        near = self.fleet.reach(place, self.clock.now().timestamp(), incident.ring_s)
        return self.fleet.ids(near.within(incident.ring_s)[0])

    async def catch_up(self) -> None:
        """Read again what may have been committed without an answer: cases, units, streams."""
        while self.unsure:
            incident_id = min(self.unsure)
            case = (await self.store.load(incident_id, None)).case
            await self.read_registered()
            if case is not None:
                self.board.put(case)
            self.unsure.discard(incident_id)
            if self._voice is not None:
                self._voice.leave_gap()

    def look_again(self) -> None:
        """Decide again where somebody would have been called back, had the picture been whole."""
        put_off, self.put_off = self.put_off, set()
        self.soon.update(i for i in put_off if self.board.case(i) is not None)
        self.poke.set()

    # Other processes. ------------------------------------------------------------------------

    def tell_through(self, voice: Voice) -> None:
        """Say to other processes what is done here, from now on."""
        self._voice = voice
        self.notices.tell_through(voice.posted, voice.leave_gap)

    def assign_through(self, assign: Callable[[Iterable[DeviceId]], None]) -> None:
        """Name phones that were sent something to this, from now on; it never waits."""
        self._assign = assign

    def rouse_by(self, rouse: Callable[[], Awaitable[None]]) -> None:
        """Wait for this before anything is decided: memory may have slept."""
        self._rouse = rouse

    # The way to phones. ----------------------------------------------------------------------

    def send_through(self, outbound: Outbound) -> None:
        """Hand committed frames to this lane from now on; until then they wait in the outbox."""
        self._outbound = outbound
        self.notices.send_through(outbound)

    def cut_off(self, device_id: DeviceId) -> None:
        """Close the socket of a phone that is revoked, or enrolled anew."""
        self._outbound.close_device(device_id, Close.DEVICE_REVOKED)

    def cut_off_unit(self, unit_id: UnitId) -> None:
        """Close the sockets of a unit that is disabled."""
        self._outbound.close_unit(unit_id, Close.UNIT_DISABLED)

    # What a decision goes by. ----------------------------------------------------------------

    def _context(self, incident: Incident, actor: Actor, told: Told | None = None) -> Context:
        """Return what a decision goes by; what a router told of another place does not count."""
        now = self.clock.now()
        place = Point(incident.lon, incident.lat)
        heard = told if told is not None and told.place == place else None
        return Context(
            now=now,
            actor=actor,
            plan=plan_for(incident.kind, incident.priority),
            field=FleetField(
                self.fleet,
                place,
                now.timestamp(),
                hidden=is_hidden(incident.juris),
                told=heard,
            ),
            new_id=self.clock.new_id,
            partial=self.partial,
        )
