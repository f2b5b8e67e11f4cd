"""The desk: every change is loaded, decided, committed, applied and then sent, in this order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from itertools import islice
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from dispatch.auth import Grant, Keyring, Right, rights
from dispatch.core.amend import corrected
from dispatch.core.commands import (
    Command,
    Correct,
    Merge,
    NoteSplit,
    Open,
    Order,
    Place,
    Reassign,
    UnitGone,
    Wake,
)
from dispatch.core.decide import decide, open_case
from dispatch.core.decision import ENGINE, Actor, Context, Decision
from dispatch.core.errors import (
    Conflict,
    Forbidden,
    IdReuse,
    Invalid,
    NotFound,
    Overloaded,
    Refusal,
    Unavailable,
)
from dispatch.core.events import Entry, Event
from dispatch.core.lifecycle import OVER
from dispatch.core.plans import plan_for
from dispatch.desk import answers
from dispatch.desk.alarms import Alarms
from dispatch.desk.notices import Notices
from dispatch.desk.outdated import Outdated
from dispatch.desk.parts import part_of
from dispatch.desk.preview import preview
from dispatch.live.board import Board
from dispatch.live.field import FleetField
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.ports import (
    AlreadyAnswered,
    Answer,
    Clock,
    Cursor,
    Due,
    Loaded,
    Logged,
    Once,
    Outbound,
    Sealed,
    StaleCase,
    Store,
    StoreAway,
    UnitTaken,
)
from dispatch.telemetry import Metrics
from geo.datum import point_to_wgs84
from geo.jurisdiction import JurisdictionIndex, within
from geo.point import Box, Point
from schemas.actions import SplitIncident
from schemas.alarm import AlarmKind
from schemas.base import DeviceId, IncidentId, Instant, Record, UnitId
from schemas.incident import Case, Incident, Status
from schemas.plan import Need
from schemas.rest import Candidates, OpenIncident, UnitView
from schemas.rest import Place as GivenPlace
from schemas.wire import Close

RACES_MOST: Final = 6
AWAY_S: Final = 3.0
AWAY_PAUSE_S: Final = 0.1
CALL_EARLY: Final = timedelta(seconds=60)
CALL_OLD: Final = timedelta(hours=24)
SOON_MOST: Final = 20

SINCE_MOST: Final = 10
API: Final = "api"

Render = Callable[[Decision], Answer]
Making = Callable[[Case, Instant], Command]
"""Says what is meant once the case is there: whose offer it is, and when."""
NOTHING: Final = Answer(status=answers.DONE, body=msgspec.Raw(b"null"))


class Outcome(Record, frozen=True, kw_only=True):
    """What a command was answered, and whether it had been answered before."""

    answer: Answer
    replayed: bool = False


class Nowhere:
    """The lane of a process without phones."""

    def push(self, sealed: Sequence[Sealed]) -> None:
        """Leave the frames to the outbox."""

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Close nothing."""

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Close nothing."""


class Desk:
    """Decides. Memory ranks, the store arbitrates: what it refuses is decided again."""

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
    ) -> None:
        self.store = store
        self.clock = clock
        self.fleet = fleet
        self.board = board
        self.roster = roster
        self.places = JurisdictionIndex(())
        self.keyring = keyring
        self.metrics = metrics
        self.soon: set[IncidentId] = set()
        self.reread: set[UnitId] = set()
        self.unsure: set[IncidentId] = set()
        self.poke = asyncio.Event()
        self.notices = Notices(store=store, clock=clock, fleet=fleet, roster=roster)
        self.alarms = Alarms(store=store, clock=clock)
        self.registered = -1
        self.store_answers = True
        self._outbound: Outbound = Nowhere()
        self._turns: WeakValueDictionary[IncidentId, asyncio.Lock] = WeakValueDictionary()
        self.alive: Callable[[], bool] = lambda: True
        self.changed: Callable[[Iterable[UnitId]], None] = lambda _: None
        self.reread_all: Callable[[], None] = lambda: None

    async def clock_failed(self, incident_id: IncidentId) -> None:
        """Tell a desk that an incident cannot be decided; once, until somebody has taken note."""
        case = self.board.case(incident_id)
        if case is not None:
            await self.alarms.ring(
                AlarmKind.CLOCK,
                "a clock of the incident failed; a person has to see to it",
                case.incident.juris,
                incident_id=incident_id,
            )

    def cut_off(self, device_id: DeviceId) -> None:
        """Close the socket of a phone that is revoked, or enrolled anew."""
        self._outbound.close_device(device_id, Close.DEVICE_REVOKED)

    def cut_off_unit(self, unit_id: UnitId) -> None:
        """Close the sockets of a unit that is disabled."""
        self._outbound.close_unit(unit_id, Close.UNIT_DISABLED)

    def send_through(self, outbound: Outbound) -> None:
        """Hand committed frames to this lane from now on; until then they wait in the outbox."""
        self._outbound = outbound
        self.notices.send_through(outbound)

    # Commands. -------------------------------------------------------------------------------

    async def open(
        self, body: OpenIncident, grant: Grant, once: Once, received_at: Instant
    ) -> Outcome:
        """Open an incident, ask the first units, and answer with the whole case."""
        if Right.OPEN not in rights(grant):
            grant.require(Right.REPORT)
        incident = self.incident(body, grant.role, grant.juris, received_at)
        command = Open(incident=incident, trusted=Right.OPEN in rights(grant))
        return await self.begin(command, _actor(grant), once, answers.created)

    async def begin(self, command: Open, actor: Actor, once: Once, render: Render) -> Outcome:
        """Begin a case, once."""

        def decided(_: Loaded) -> Decision:
            return open_case(command, self._context(command.incident, actor))

        return await self._run(None, decided, once, render)

    async def act(
        self,
        incident_id: IncidentId,
        command: Command | Making,
        grant: Grant,
        right: Right,
        once: Once,
        *,
        via: str = API,
        expect: int | None = None,
    ) -> Outcome:
        """Carry out a person's command on an incident of his jurisdiction.

        Raises:
            Outdated: the incident has another version than `expect`; nothing was changed.
        """
        grant.require(right)
        actor = _actor(grant, via)
        if isinstance(command, Merge | Reassign):
            kept = await self._before(incident_id, grant, once)
            if kept.answer is not None:
                return _replay(kept, kept.answer)
            await self._require_open(_other(command), grant)
        try:
            return await self.carry_out(
                incident_id, command, actor, once, answers.changed, grant=grant, expect=expect
            )
        except Outdated as outdated:
            raise await self._explained(incident_id, outdated) from None

    async def carry_out(
        self,
        incident_id: IncidentId,
        command: Command | Making,
        actor: Actor,
        once: Once,
        render: Render,
        *,
        grant: Grant | None = None,
        expect: int | None = None,
    ) -> Outcome:
        """Carry out a command once; raise its refusal when it changes nothing."""

        def decided(loaded: Loaded) -> Decision:
            case = _in_scope(loaded.case, grant)
            _require_version(case, expect)
            meant = command if isinstance(command, Record) else command(case, self.clock.now())
            incident = case.incident
            if isinstance(meant, Correct):
                incident = corrected(incident, meant)
            return decide(case, meant, self._context(incident, actor))

        return await self._run(incident_id, decided, once, render)

    async def split(
        self,
        parent_id: IncidentId,
        body: SplitIncident,
        grant: Grant,
        once: Once,
        received_at: Instant,
        *,
        expect: int | None = None,
    ) -> Outcome:
        """Open a part of an incident as one of its own, and note it on the first.

        One id covers both: what a crash left half done is completed by the same request again.
        """
        grant.require(Right.CHANGE_INCIDENTS)
        kept = await self._before(parent_id, grant, once)
        if kept.answer is not None:
            outcome = _replay(kept, kept.answer)
        else:
            outcome = await self._part(kept, body, grant, once, received_at, expect)
        child = msgspec.json.decode(outcome.answer.body, type=_Named)
        await self.carry_out(
            parent_id,
            NoteSplit(child=IncidentId(child.id)),
            _actor(grant),
            msgspec.structs.replace(once, scope=f"{once.scope}:split"),
            answers.changed,
            grant=grant,
        )
        return outcome

    async def _part(
        self,
        kept: Loaded,
        body: SplitIncident,
        grant: Grant,
        once: Once,
        received_at: Instant,
        expect: int | None,
    ) -> Outcome:
        case = _in_scope(kept.case, grant)
        parent = case.incident
        try:
            _require_version(case, expect)
        except Outdated as outdated:
            raise await self._explained(parent.id, outdated) from None
        if parent.status in OVER:
            raise Conflict("the incident is over", state=parent.status)
        child = msgspec.structs.replace(
            self.incident(part_of(parent, body), grant.role, grant.juris, received_at),
            called_at=parent.called_at,
        )
        return await self.begin(
            Open(incident=child, trusted=True), _actor(grant), once, answers.created
        )

    async def _before(self, incident_id: IncidentId, grant: Grant, once: Once) -> Loaded:
        """Look at a case of the asker's jurisdiction, and at the answer he had."""
        with _available():
            loaded = await self.store.load(incident_id, once)
        _in_scope(loaded.case, grant)
        return loaded

    async def _require_open(self, incident_id: IncidentId, grant: Grant) -> None:
        """Refuse to send anybody to an incident that is over, or none of the asker's."""
        with _available():
            case = _in_scope((await self.store.load(incident_id, None)).case, grant)
        if case.incident.status in OVER:
            raise Conflict("the other incident is over", state=case.incident.status)

    async def _explained(self, incident_id: IncidentId, outdated: Outdated) -> Outdated:
        with _available():
            entries = await self.store.recent(incident_id, SINCE_MOST)
        return Outdated(outdated.version, entries)

    async def tick(self, due: Due) -> None:
        """Do what a clock asks for."""
        command = _meant(due)

        def decided(loaded: Loaded) -> Decision:
            case = _in_scope(loaded.case, None)
            return decide(case, command, self._context(case.incident, ENGINE))

        await self._run(due.incident_id, decided, None, None, due_id=due.id)

    # Looks. ----------------------------------------------------------------------------------

    def incident(
        self, body: OpenIncident, source: str, scope: str | None, received_at: Instant
    ) -> Incident:
        """Return the incident a body describes; refuse what cannot be."""
        called_at = body.called_at or received_at
        if called_at > received_at + CALL_EARLY:
            raise Invalid("called_at lies in the future", path="$.called_at")
        if called_at < received_at - CALL_OLD:
            raise Invalid("called_at is more than 24 h ago", path="$.called_at")
        place = self.place(body.position, scope)
        plan = plan_for(body.kind, body.priority)
        return Incident(
            id=IncidentId(self.clock.new_id()),
            kind=body.kind,
            priority=body.priority,
            lon=place.lon,
            lat=place.lat,
            given_lon=place.given_lon,
            given_lat=place.given_lat,
            given_datum=place.given_datum,
            juris=place.juris,
            title=body.title,
            status=Status.REPORTED,
            called_at=min(called_at, received_at),
            opened_at=received_at,
            address=body.address,
            note=body.note,
            source=body.source or source,
            ext_id=body.ext_id,
            ext_rev=body.ext_rev,
            drill=body.drill,
            needs=_needs(body) or plan.needs,
            ring_s=plan.ring_s,
        )

    def place(self, position: GivenPlace, scope: str | None) -> Place:
        """Return a position in WGS-84 with its jurisdiction; refuse what lies outside."""
        given = Point(position.lon, position.lat)
        here = point_to_wgs84(given, position.datum)
        juris = self.places.deepest(here)
        if juris is None:
            raise Invalid("the position lies outside the city", path="$.position")
        if scope is not None and not within(juris.path, scope):
            raise Forbidden("the position lies outside your jurisdiction")
        return Place(
            lon=here.lon,
            lat=here.lat,
            given_lon=given.lon,
            given_lat=given.lat,
            given_datum=position.datum,
            juris=juris.path,
        )

    async def case(self, incident_id: IncidentId, grant: Grant) -> Case:
        """Return a case of the asker's jurisdiction, as it is on disk."""
        grant.require(Right.SEE_INCIDENTS)
        with _available():
            loaded = await self.store.load(incident_id, None)
        return _in_scope(loaded.case, grant)

    async def incidents(
        self, grant: Grant, *, status: Sequence[str], before: IncidentId | None, limit: int
    ) -> list[Incident]:
        """Return incidents of the asker's jurisdiction, newest first."""
        grant.require(Right.SEE_INCIDENTS)
        with _available():
            return await self.store.incidents(grant.juris, status, before, limit)

    async def events(self, after: Cursor, limit: int) -> list[Logged]:
        """Return the log above a cursor, of all jurisdictions; nothing later comes below it."""
        with _available():
            return await self.store.events(after, limit)

    async def log_end(self) -> Cursor:
        """Return where the log ends now."""
        with _available():
            return await self.store.tail()

    async def timeline(
        self, incident_id: IncidentId, grant: Grant, after: int, limit: int
    ) -> list[Entry]:
        """Return what happened to an incident, oldest first."""
        await self.case(incident_id, grant)
        with _available():
            return await self.store.timeline(incident_id, after, limit)

    def candidates(self, body: OpenIncident, grant: Grant) -> Candidates:
        """Return who would be asked; nothing is sent."""
        if Right.OPEN not in rights(grant):
            grant.require(Right.SEE_UNITS)
        incident = self.incident(body, grant.role, grant.juris, self.clock.now())
        return preview(incident, self._context(incident, _actor(grant)), self.fleet)

    def units(
        self, grant: Grant, *, juris: str | None, box: Box | None, after: UnitId | None, limit: int
    ) -> list[UnitView]:
        """Return units of the asker's jurisdiction, ordered by id."""
        grant.require(Right.SEE_UNITS)
        now = self.clock.now()
        inside = self.fleet.inside(box, now.timestamp()) if box else None
        chosen = (
            unit
            for unit in self.fleet.after(after)
            if within(unit.juris, grant.juris)
            and (juris is None or within(unit.juris, juris))
            and (inside is None or unit.id in inside)
        )
        return [answers.unit_view(self.fleet, unit, now) for unit in islice(chosen, limit)]

    def unit(self, unit_id: UnitId, grant: Grant) -> UnitView:
        """Return one unit of the asker's jurisdiction."""
        grant.require(Right.SEE_UNITS)
        unit = self.fleet.unit(unit_id)
        if unit is None:
            raise NotFound("no such unit")
        grant.require(Right.SEE_UNITS, unit.juris)
        return answers.unit_view(self.fleet, unit, self.clock.now())

    def ready(self) -> dict[str, bool]:
        """Return what has to be true before anybody may rely on this process."""
        return {"store": self.store_answers, "clocks": self.alive()}

    # The one way to change anything. ---------------------------------------------------------

    async def _run(
        self,
        incident_id: IncidentId | None,
        decided: Callable[[Loaded], Decision],
        once: Once | None,
        render: Render | None,
        *,
        due_id: int | None = None,
    ) -> Outcome:
        async with self._turn(incident_id):
            deadline = self.clock.now() + timedelta(seconds=AWAY_S)
            late: Refusal = Overloaded("too many decisions on this incident at once")
            for race in range(RACES_MOST):
                try:
                    return await self._attempt(incident_id, decided, once, render, due_id)
                except StaleCase as stale:
                    # An incident that exists may be this very command's, sent twice: look again.
                    if incident_id is None and race > 0:
                        raise Conflict("an incident of this source and ext_id exists") from stale
                except AlreadyAnswered:
                    continue
                except UnitTaken as taken:
                    self.reread.update(taken.unit_ids)
                    raise Conflict("the unit has another task", state="engaged") from taken
                except StoreAway as away:
                    late = Unavailable("the store does not answer; try again")
                    if self.clock.now() >= deadline:
                        raise late from away
                    await asyncio.sleep(AWAY_PAUSE_S)
        raise late

    async def _attempt(
        self,
        incident_id: IncidentId | None,
        decided: Callable[[Loaded], Decision],
        once: Once | None,
        render: Render | None,
        due_id: int | None,
    ) -> Outcome:
        loaded = await self.store.load(incident_id, once)
        if loaded.answer is not None:
            return _replay(loaded, loaded.answer)
        began_s = self.clock.now().timestamp()
        decision = decided(loaded)
        answer = render(decision) if render else NOTHING
        sealed = await self._commit(decision, once, answer, due_id)
        self.metrics.commit_s.observe(self.clock.now().timestamp() - began_s)
        self._apply(decision, sealed)
        return Outcome(answer=answer)

    async def _commit(
        self, decision: Decision, once: Once | None, answer: Answer, due_id: int | None
    ) -> Sequence[Sealed]:
        """Commit; where nobody can tell whether it happened, memory is to be read again."""
        try:
            return await self.store.commit(decision, once, answer, self.clock.now(), due_id)
        except StoreAway:
            self.unsure.add(decision.case.incident.id)
            raise

    async def catch_up(self) -> None:
        """Read again what may have been committed without an answer: cases, units, streams."""
        while self.unsure:
            incident_id = min(self.unsure)
            case = (await self.store.load(incident_id, None)).case
            await self.read_registered()
            if case is not None:
                self.board.put(case)
            self.unsure.discard(incident_id)

    async def recover(self) -> None:
        """Fill memory from what is on disk."""
        self.board.load(await self.store.active_cases())
        await self.notices.recover()
        self.alarms.look()
        await self.read_registered()

    async def read_registered(self) -> None:
        """Take places, units, members and phones as they are registered; cut off the revoked."""
        self.registered = await self.store.registered()
        self.places = JurisdictionIndex(await self.store.jurisdictions())
        now = self.clock.now()
        self.fleet.load(await self.store.unit_rows(now), now.timestamp())
        gone = self.roster.load(await self.store.identities(), await self.store.crews())
        for device_id in gone:
            self._outbound.close_device(device_id, Close.DEVICE_REVOKED)
        self.reread_all()

    async def refresh(self, unit_ids: Sequence[UnitId]) -> None:
        """Take units and their crews as the store has them."""
        rows = await self.store.unit_rows(self.clock.now(), unit_ids)
        for row in rows:
            if row.unit.id in self.fleet:
                self.fleet.put(row)
        self.roster.put(await self.store.crews(unit_ids))
        self.changed(unit_ids)

    def _apply(self, decision: Decision, sealed: Sequence[Sealed]) -> None:
        """Make visible what is now on disk."""
        self.board.put(decision.case)
        self.fleet.fold(decision.entries)
        for letter in sealed:
            self.roster.sealed(letter.device_id, letter.seq)
        self._outbound.push(sealed)
        self.changed({entry.unit_id for entry in decision.entries if entry.unit_id})
        self.metrics.decided(decision)
        if decision.alarms:
            self.alarms.look()
        self._look_ahead(decision.entries)

    def _look_ahead(self, entries: Iterable[Entry]) -> None:
        """Wake the due loop where a decision means something for other incidents."""
        for entry in entries:
            if entry.type is Event.ASSIGNMENT_ENDED and entry.unit_id:
                self.reread.add(entry.unit_id)
                self.soon.update(self.board.waiting()[:SOON_MOST])
        self.poke.set()

    @asynccontextmanager
    async def _turn(self, incident_id: IncidentId | None) -> AsyncIterator[None]:
        """Let decisions of this process on one incident follow each other."""
        if incident_id is None:
            yield
            return
        lock = self._turns.setdefault(incident_id, asyncio.Lock())
        async with lock:
            yield

    def _context(self, incident: Incident, actor: Actor) -> Context:
        now = self.clock.now()
        place = Point(incident.lon, incident.lat)
        return Context(
            now=now,
            actor=actor,
            plan=plan_for(incident.kind, incident.priority),
            field=FleetField(self.fleet, place, now.timestamp()),
            new_id=self.clock.new_id,
        )


def _meant(due: Due) -> Command:
    """Return the command a clock, or another incident's decision, asks for."""
    if not due.unit_id:
        return Wake()
    if due.kind == "order":
        return Order(unit_id=due.unit_id)
    return UnitGone(unit_id=due.unit_id, engaged=due.kind == "unit_engaged")


def _needs(body: OpenIncident) -> tuple[Need, ...]:
    """Return the needs a caller states, as the store gives them back."""
    return tuple(Need(role=n.role, capabilities=n.capabilities) for n in body.needs or ())


def _in_scope(case: Case | None, grant: Grant | None) -> Case:
    if case is None:
        raise NotFound("no such incident")
    if grant is not None and not within(case.incident.juris, grant.juris):
        raise NotFound("no such incident")
    return case


def _replay(loaded: Loaded, answer: Answer) -> Outcome:
    if not loaded.same_payload:
        raise IdReuse("this id was used with another payload")
    return Outcome(answer=answer, replayed=True)


def _actor(grant: Grant, via: str = API) -> Actor:
    return Actor(by=f"key:{grant.key_id}", via=via)


def _other(command: Merge | Reassign) -> IncidentId:
    return command.into if isinstance(command, Merge) else command.to


def _require_version(case: Case, expect: int | None) -> None:
    if expect is not None and case.incident.version != expect:
        raise Outdated(case.incident.version)


class _Named(msgspec.Struct):
    id: str


@contextmanager
def _available() -> Iterator[None]:
    """Say honestly that a look needs the store."""
    try:
        yield
    except StoreAway as away:
        raise Unavailable("the store does not answer; try again") from away
