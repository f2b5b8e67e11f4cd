"""Stand-ins for what a test does not want to start: clocks, desks, lanes to phones."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from dispatch.auth import Grant, Keyring, Right
from dispatch.core import commands
from dispatch.core.errors import IdReuse, Invalid, NotFound
from dispatch.core.events import Entry, Event
from dispatch.core.lifecycle import INCIDENT, Trigger, advance
from dispatch.desk.alarms import Alarms
from dispatch.desk.answers import incident_view
from dispatch.desk.closures import Closures
from dispatch.desk.coverage import CityCoverage
from dispatch.desk.desk import Making
from dispatch.desk.notices import Notices
from dispatch.desk.outdated import Outdated
from dispatch.desk.parts import part_of
from dispatch.desk.ring_maps import RingMaps
from dispatch.desk.routes import DrawnWay, straight_way
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.ports import Answer, Logged, Once, Start
from dispatch.ports import Cursor as LogCursor
from dispatch.store.memory import MemoryStore
from geo.datum import point_to_wgs84
from geo.eta import Moves, Quality, StraightLine
from geo.jurisdiction import JurisdictionIndex, within
from geo.point import Box, Point
from schemas import wire
from schemas.actions import SplitIncident
from schemas.base import IncidentId, Instant, Record, UnitId
from schemas.incident import Case, Incident, Status
from schemas.rest import Candidates, CandidateView, OpenIncident, Position, UnitView
from schemas.rest import Place as GivenPlace
from schemas.unit import Link, UnitKind, UnitState

START: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
CADENCES: Final = {
    "available": wire.Cadence(60, 50, 30),
    "engaged": wire.Cadence(3, 10, 5),
}


class ManualClock:
    """A clock that goes when it is told to; its ids are UUIDv7 text, in order."""

    def __init__(self, at: Instant = START) -> None:
        self.at = at
        self.ids = 0
        self.traces = 0

    def now(self) -> Instant:
        """Return the instant it stands at."""
        return self.at

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)

    def new_id(self) -> str:
        """Return the next id."""
        self.ids += 1
        return f"019ab000-0000-7000-8000-{self.ids:012x}"

    def new_trace(self) -> str:
        """Return the next trace id."""
        self.traces += 1
        return f"{self.traces:032x}"


class FakeOutcome(Record, frozen=True, kw_only=True):
    """What a change was answered."""

    answer: Answer
    replayed: bool = False


class FakeDesk:
    """A desk that keeps its incidents in a dict, asks nobody, and remembers what it was given.

    `failure` is raised instead of any answer; `gate` holds changes back until it is set.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.keyring = Keyring()
        self.store = MemoryStore(self.clock.now)
        self.alarms = Alarms(store=self.store, clock=self.clock)
        self.notices = Notices(
            store=self.store, clock=self.clock, fleet=Fleet(StraightLine()), roster=Roster()
        )
        self.places = JurisdictionIndex(())
        self.outside = False
        model = StraightLine()
        self.closures = Closures(
            store=self.store, clock=self.clock, places=lambda: self.places, model=model
        )
        self.ring_maps = RingMaps(model)
        self.coverage = CityCoverage(
            clock=self.clock,
            fleet=Fleet(model),
            places=lambda: self.places,
            closed=lambda: self.closures.changes,
        )
        self.cases: dict[IncidentId, Case] = {}
        self.log: dict[IncidentId, list[Entry]] = {}
        self.answers: dict[tuple[str, str], tuple[bytes, Answer]] = {}
        self.fleet: list[UnitView] = []
        self.worse: list[str] = []
        self.parts = {"store": True, "fleet": True, "due": True}
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.waiting = asyncio.Event()
        self.received: list[Instant] = []
        self.asked: list[OpenIncident] = []
        self.meant: list[tuple[commands.Command, Right, str]] = []
        self.lines: list[Logged] = []
        self.drawn: DrawnWay | None = None

    async def open(
        self, body: OpenIncident, grant: Grant, once: Once, received_at: Instant
    ) -> FakeOutcome:
        """Keep a new incident."""
        await self._ready()
        if kept := self._kept(once):
            return kept
        self.received.append(received_at)
        case = Case(incident=self._incident(body, grant, received_at))
        return self._keep(once, case, 201, Event.REPORTED)

    async def act(
        self,
        incident_id: IncidentId,
        command: commands.Command | Making,
        grant: Grant,
        right: Right,
        once: Once,
        *,
        via: str = "api",
        expect: int | None = None,
    ) -> FakeOutcome:
        """Move an incident through the real table; note in `meant` what it was asked."""
        await self._ready()
        if kept := self._kept(once):
            return kept
        case = await self.case(incident_id, grant)
        incident = case.incident
        grant.require(right, incident.juris)
        if expect is not None and expect != incident.version:
            raise Outdated(incident.version, self.log[incident_id][-10:])
        made = command if isinstance(command, Record) else command(case, self.clock.now())
        self.meant.append((made, right, via))
        trigger = _trigger(made)
        status = advance(INCIDENT, incident.status, trigger) if trigger else incident.status
        moved = replace(incident, status=status, version=incident.version + 1)
        return self._keep(once, replace(case, incident=moved), 200, Event.STATUS)

    async def split(
        self,
        parent_id: IncidentId,
        body: SplitIncident,
        grant: Grant,
        once: Once,
        received_at: Instant,
        *,
        expect: int | None = None,
    ) -> FakeOutcome:
        """Keep a part of an incident as a new one."""
        await self._ready()
        if kept := self._kept(once):
            return kept
        parent = (await self.case(parent_id, grant)).incident
        if expect is not None and expect != parent.version:
            raise Outdated(parent.version)
        child = self._incident(part_of(parent, body), grant, received_at)
        return self._keep(once, Case(incident=child), 201, Event.REPORTED)

    def place(self, position: GivenPlace, scope: str | None) -> commands.Place:
        """Return the place; it belongs to whoever asks, unless it is `outside`."""
        if self.outside:
            raise Invalid("the position lies outside the city", path="$.position")
        there = point_to_wgs84(Point(position.lon, position.lat), position.datum)
        return commands.Place(
            lon=there.lon,
            lat=there.lat,
            given_lon=position.lon,
            given_lat=position.lat,
            given_datum=position.datum,
            juris=scope or "gz",
        )

    async def events(self, after: LogCursor, limit: int) -> list[Logged]:
        """Return lines of `lines`, numbered from 1."""
        self._fail()
        return self.lines[after.id : after.id + limit]

    async def log_end(self) -> LogCursor:
        """Return the number of the last line."""
        self._fail()
        return LogCursor(xid="0", id=len(self.lines))

    def epoch(self) -> str:
        """Return an epoch that never ends."""
        return "epoch-1"

    async def case(self, incident_id: IncidentId, grant: Grant) -> Case:
        """Return a case in scope."""
        await self._ready()
        case = self.cases.get(incident_id)
        if case is None or not within(case.incident.juris, grant.juris):
            raise NotFound("no such incident")
        return case

    async def incidents(
        self, grant: Grant, *, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]:
        """Return incidents in scope, newest first."""
        await self._ready()
        found = [
            case.incident
            for name, case in sorted(self.cases.items(), reverse=True)
            if (before is None or name < before)
            and (not status or case.incident.status in status)
            and within(case.incident.juris, grant.juris)
        ]
        return found[:limit]

    async def timeline(
        self, incident_id: IncidentId, grant: Grant, after: int, limit: int
    ) -> list[Entry]:
        """Return the log of a case in scope."""
        await self.case(incident_id, grant)
        return [entry for entry in self.log[incident_id] if entry.n > after][:limit]

    async def candidates(self, body: OpenIncident, grant: Grant) -> Candidates:
        """Return every unit as a candidate three minutes away."""
        self._fail()
        self.asked.append(body)
        self._incident(body, grant, self.clock.now())
        return Candidates(
            quality=Quality.STRAIGHT_LINE,
            ring_s=180,
            p_arrive=0.5,
            candidates=[_candidate(unit) for unit in self.fleet],
            left_out={},
            shortfall=None if self.fleet else "no_unit",
        )

    def units(
        self, grant: Grant, *, juris: str | None, box: Box | None, after: UnitId | None, limit: int
    ) -> list[UnitView]:
        """Return units in scope, by id."""
        self._fail()
        found = [
            unit
            for unit in sorted(self.fleet, key=lambda unit: unit.id)
            if (after is None or unit.id > after)
            and within(unit.jurisdiction, grant.juris)
            and (juris is None or within(unit.jurisdiction, juris))
            and (box is None or box.contains(Point(unit.position.lon, unit.position.lat)))
        ]
        return found[:limit]

    def unit(self, unit_id: UnitId, grant: Grant) -> UnitView:
        """Return a unit in scope."""
        self._fail()
        for unit in self.fleet:
            if unit.id == unit_id and within(unit.jurisdiction, grant.juris):
                return unit
        raise NotFound("no such unit")

    async def way(self, incident_id: IncidentId, unit_id: UnitId, grant: Grant) -> DrawnWay:
        """Return `drawn`, or a straight line from where a unit in scope stands."""
        incident = (await self.case(incident_id, grant)).incident
        unit = self.unit(unit_id, grant)
        start = Start(Point(unit.position.lon, unit.position.lat), unit.moves)
        return self.drawn or straight_way(start, Point(incident.lon, incident.lat))

    def ready(self) -> dict[str, bool]:
        """Return the parts as the test set them."""
        return dict(self.parts)

    def degraded(self) -> list[str]:
        """Return what the test set."""
        return list(self.worse)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def _ready(self) -> None:
        self.waiting.set()
        if self.gate is not None:
            await self.gate.wait()
        self._fail()

    def _kept(self, once: Once) -> FakeOutcome | None:
        digest, answer = self.answers.get((once.scope, once.id), (b"", None))
        if answer is None:
            return None
        if digest != once.digest:
            raise IdReuse("this id was used with another payload")
        return FakeOutcome(answer=answer, replayed=True)

    def _keep(self, once: Once, case: Case, status: int, event: Event) -> FakeOutcome:
        name = case.incident.id
        self.cases[name] = case
        log = self.log.setdefault(name, [])
        log.append(Entry(type=event, by=once.scope, via="api", at=self.clock.now(), n=len(log) + 1))
        body = msgspec.Raw(msgspec.json.encode(incident_view(case)))
        answer = Answer(status=status, body=body)
        self.answers[once.scope, once.id] = (once.digest, answer)
        return FakeOutcome(answer=answer)

    def _incident(self, body: OpenIncident, grant: Grant, at: Instant) -> Incident:
        if body.called_at is not None and body.called_at > at + timedelta(seconds=60):
            raise Invalid("called_at lies in the future", path="$.called_at")
        place = point_to_wgs84(Point(body.position.lon, body.position.lat), body.position.datum)
        return Incident(
            id=IncidentId(self.clock.new_id()),
            kind=body.kind,
            priority=body.priority,
            lon=place.lon,
            lat=place.lat,
            given_lon=body.position.lon,
            given_lat=body.position.lat,
            given_datum=body.position.datum,
            juris=grant.juris,
            title=body.title,
            status=Status.REPORTED,
            called_at=body.called_at or at,
            opened_at=at,
            drill=body.drill,
        )


def _trigger(command: commands.Command) -> Trigger | None:
    match command:
        case commands.Triage(accept=accept):
            return Trigger.OPEN if accept else Trigger.REJECT
        case commands.Cancel():
            return Trigger.CANCEL
        case commands.Resolve():
            return Trigger.RESOLVE
        case commands.CloseFile():
            return Trigger.CLOSE
        case commands.HandOver():
            return Trigger.HAND_OVER
        case commands.Reopen():
            return Trigger.REOPEN
        case _:
            return None


def _candidate(unit: UnitView) -> CandidateView:
    return CandidateView(
        unit_id=unit.id,
        code=unit.code,
        name=unit.name,
        kind=unit.kind,
        moves=unit.moves,
        slot=0,
        eta_s=170.0,
        distance_m=100.0,
        quality=Quality.STRAIGHT_LINE,
        ring_s=180,
        p=0.5,
        asked_24h=0,
        reasons=(),
    )


def unit_in_view(number: int, juris: str = "gz.huangpu", lon: float = 113.45) -> UnitView:
    """Return a unit as the desk shows it."""
    place = Position(lon=lon, lat=23.1)
    return UnitView(
        id=f"019ab000-0000-7000-9000-{number:012x}",
        code=f"u{number}",
        name=f"单元 {number}",
        kind=UnitKind.VILLAGE,
        jurisdiction=juris,
        state=UnitState.AVAILABLE,
        link=Link.ONLINE,
        moves=Moves.FOOT,
        capabilities=(),
        home=place,
        position=place,
        position_age_s=1.0,
        on_duty=2,
    )
