"""A desk over a real store, a clock that goes when told, and phones that do what a test says."""

from collections.abc import Sequence
from typing import Any, Final, Self, cast

import asyncpg
import msgspec
from prometheus_client import CollectorRegistry

from dispatch.auth import Grant, Keyring, Right, Role
from dispatch.cli.city import IssuedPhone
from dispatch.core import commands
from dispatch.desk.desk import Desk, Outcome
from dispatch.desk.loops import Loops
from dispatch.desk.phones import Phones
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.ports import Identity, Once, Sealed
from dispatch.store.postgres import PostgresStore
from dispatch.telemetry import Metrics
from geo.datum import Datum
from geo.eta import StraightLine
from geo.point import Point
from schemas import wire
from schemas.base import DeviceId, IncidentId, KeyId, UnitId, ms
from schemas.incident import Case
from schemas.plan import IncidentKind
from schemas.rest import IncidentView, NeedBody, OpenIncident, Place
from tests.fakes import ManualClock

DISPATCHER: Final = Grant(key_id=KeyId("k1"), role=Role.DISPATCHER, juris="gz")
STRANGER: Final = Grant(key_id=KeyId("k2"), role=Role.DISPATCHER, juris="gz.tianhe")
FEED: Final = Grant(key_id=KeyId("k3"), role=Role.API_FEED, juris="gz")
REGISTRAR: Final = Grant(key_id=KeyId("k4"), role=Role.REGISTRAR, juris="gz")


class Lane:
    """What was handed to phones, in order."""

    def __init__(self) -> None:
        self.pushed: list[Sealed] = []
        self.closed: list[tuple[str, int]] = []

    def push(self, sealed: Sequence[Sealed]) -> None:
        """Note frames."""
        self.pushed += sealed

    def close_unit(self, unit_id: UnitId, code: int) -> None:
        """Note a unit cut off."""
        self.closed.append((unit_id, code))

    def close_device(self, device_id: DeviceId, code: int) -> None:
        """Note a phone cut off."""
        self.closed.append((device_id, code))


class Counted:
    """A pool that notes each statement it is asked for."""

    def __init__(self, pool: object, seen: list[str]) -> None:
        self._pool = pool
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._pool, name)

        def noted(*args: Any, **options: Any) -> Any:
            if name.startswith(("fetch", "exec")):
                self._seen.append(args[0])
            return method(*args, **options)

        return noted


class Station:
    """One process: its desk, its loops, its phones, and the store they share."""

    def __init__(
        self, store: PostgresStore, clock: ManualClock, issued: Sequence[IssuedPhone]
    ) -> None:
        self.dsn = ""
        self.statements: list[str] = []
        self.store = PostgresStore(
            cast("Any", Counted(store._desk, self.statements)),
            cast("Any", Counted(store._side, self.statements)),
            cast("Any", Counted(store._pulse, self.statements)),
        )
        self.clock = clock
        self.issued = issued
        self.lane = Lane()
        self.metrics = Metrics()
        self.registry: CollectorRegistry = self.metrics.registry
        self.desk = Desk(
            store=self.store,
            clock=clock,
            fleet=Fleet(StraightLine()),
            board=Board(),
            roster=Roster(),
            keyring=Keyring(),
            metrics=self.metrics,
        )
        self.desk.send_through(self.lane)
        self.phones = Phones(self.desk, "epoch")
        self.loops = Loops(self.desk, self.phones)

    @classmethod
    async def start(cls, dsn: str, clock: ManualClock, issued: Sequence[IssuedPhone]) -> Self:
        """Start a process: it recovers what is on disk."""
        station = cls(await PostgresStore.open(dsn), clock, issued)
        station.dsn = dsn
        await station.desk.recover()
        station.statements.clear()
        return station

    # Incidents. ------------------------------------------------------------------------------

    def body(self, near: int = 0, **facts: Any) -> OpenIncident:
        """Return a call from where phone n's unit has its post; anybody on duty may go."""
        given: dict[str, Any] = {
            "kind": IncidentKind.THEFT,
            "priority": 2,
            "position": Place(
                lon=self.issued[near].lon, lat=self.issued[near].lat, datum=Datum.WGS84
            ),
            "title": "有人偷电瓶",
            "drill": False,
            "needs": [NeedBody()],
        }
        return OpenIncident(**{**given, **facts})

    def once(self, command: str = "", digest: bytes = b"same") -> Once:
        """Return the id of a command by the dispatcher's key."""
        return Once(scope="key:k1", id=command or self.clock.new_id(), digest=digest)

    async def answered(
        self, body: OpenIncident, once: Once | None = None, grant: Grant = DISPATCHER
    ) -> Outcome:
        """Open an incident; return what the caller was told."""
        return await self.desk.open(body, grant, once or self.once(), self.clock.now())

    async def open(self, near: int = 0, **facts: Any) -> Case:
        """Open an incident near a unit's post; return its case."""
        outcome = await self.answered(self.body(near, **facts))
        return await self.case(view(outcome).id)

    async def case(self, incident_id: str) -> Case:
        """Return a case as it is on disk."""
        return await self.desk.case(IncidentId(incident_id), DISPATCHER)

    async def cancel(self, case: Case) -> Outcome:
        """Call an incident off."""
        return await self.desk.act(
            case.incident.id, commands.Cancel(why="误报"), DISPATCHER, Right.CANCEL, self.once()
        )

    # Phones. ---------------------------------------------------------------------------------

    async def anybody(self, number: int = 0) -> Identity:
        """Return phone n of the city."""
        return await self.phones.identify(self.issued[number].token)

    def home(self, number: int = 0) -> Point:
        """Return where phone n's unit has its post."""
        return Point(self.issued[number].lon, self.issued[number].lat)

    async def phone(self, unit_id: str) -> Identity:
        """Return the phone of a unit."""
        token = next(p.token for p in self.issued if p.unit == unit_id)
        return await self.phones.identify(token)

    async def say(self, unit_id: str, frame: wire.UnitCommand) -> wire.Ok | wire.Err:
        """Let the phone of a unit say something."""
        return await self.phones.command(await self.phone(unit_id), frame)

    def yes(self, offer_id: str, command: str = "") -> wire.OfferReply:
        """Return the tap on yes."""
        return wire.OfferReply(
            id=command or self.clock.new_id(),
            oid=offer_id,
            rev=1,
            at=ms(self.clock.now()),
            r=wire.Answer.ACCEPT,
        )

    async def accept(self, case: Case, place: int = 0) -> wire.Ok | wire.Err:
        """Let the unit of a case's n-th offer accept."""
        offer = case.offers[place]
        return await self.say(offer.unit_id, self.yes(offer.id))

    def clock_out(self, duty: wire.DutyCall = wire.DutyCall.OFF) -> wire.SetDuty:
        """Return a clock-out, or another duty."""
        return wire.SetDuty(id=self.clock.new_id(), s=duty)

    async def pass_by(self, seconds: float) -> int:
        """Let time pass, then run what has come; return how much that was."""
        self.clock.advance(seconds)
        return await self.loops.run_due()


def view(outcome: Outcome) -> IncidentView:
    """Return the case a caller was answered."""
    return msgspec.json.decode(outcome.answer.body, type=IncidentView)


async def sql(dsn: str, statement: str, *values: object) -> list[asyncpg.Record]:
    """Ask the database itself."""
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()
