"""Three units, six phones, and decisions of the real core on them: what every store is tried on."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

import msgspec
import shapely
from msgspec.structs import replace

from dispatch.core.commands import Accept, Command, Open, Report
from dispatch.core.decide import decide, open_case
from dispatch.core.decision import Actor, Context, Decision
from dispatch.core.matching import Candidate, Found
from dispatch.core.plans import plan_for
from dispatch.ports import Answer, DutyChange, Key, Loaded, Once, Outbox, Sealed, Store
from geo.datum import Datum
from geo.eta import Quality
from geo.jurisdiction import Jurisdiction
from schemas.base import DeviceId, IncidentId, KeyId, MemberId, UnitId
from schemas.incident import Case, Incident, Offer, Status
from schemas.plan import IncidentKind, Need
from schemas.unit import Capability, Device, Duty, Member, Unit, UnitKind, UnitState
from schemas.wire import Reached, ReliableFrame
from tests.fakes import ManualClock

ONE, TWO, THREE = UnitId("u1"), UnitId("u2"), UnitId("u3")
ON, PAUSED, OFF = Duty.ON, Duty.PAUSED, Duty.OFF
Asks = Iterable[UnitId]
DUTIES: Final = (ON, ON, ON, PAUSED, ON, OFF)
OK: Final = Answer(status=200, body=msgspec.Raw(b'{"t":"ok"}'))
NO: Final = Answer(status=409, body=msgspec.Raw(b'{"t":"err"}'))
_frame: Final[msgspec.json.Decoder[ReliableFrame]] = msgspec.json.Decoder(ReliableFrame)


def units() -> list[Unit]:
    """Return the three units; the last needs both of its crew."""
    return [
        Unit(
            id=UnitId(f"u{n}"),
            code=f"U{n}",
            name=f"单元 {n}",
            kind=UnitKind.VILLAGE,
            juris="gz.hp",
            lon=113.4,
            lat=23.1,
            capabilities=(Capability.AED,),
            min_crew=2 if n == 3 else 1,
        )
        for n in (1, 2, 3)
    ]


def members() -> list[Member]:
    """Return two members a unit: both on duty, one paused, one at home."""
    return [
        Member(
            id=MemberId(f"m{n}"),
            unit_id=UnitId(f"u{(n + 1) // 2}"),
            name=f"队员 {n}",
            tel="13800000000",
            leader=n % 2 == 1,
            duty=duty,
        )
        for n, duty in enumerate(DUTIES, 1)
    ]


def devices() -> list[Device]:
    """Return a phone for each member: d1 is m1's."""
    return [
        Device(
            id=DeviceId(f"d{n}"),
            unit_id=UnitId(f"u{(n + 1) // 2}"),
            member_id=MemberId(f"m{n}"),
            token_hash=bytes([n]) * 32,
        )
        for n in range(1, len(DUTIES) + 1)
    ]


def places() -> list[Jurisdiction]:
    """Return a city and a district, in no order."""
    return [
        Jurisdiction(path="gz.hp", name="黄埔", polygon=shapely.box(113.4, 23.0, 113.6, 23.2)),
        Jurisdiction(path="gz", name="广州", polygon=shapely.box(113.0, 22.5, 114.0, 24.0)),
    ]


KEY: Final = Key(id=KeyId("k1"), name="feed", role="api_feed", juris="gz", hash=b"k" * 32)


class Register(Protocol):
    """Whatever changes what is registered."""

    async def __call__(self, units: Sequence[Unit]) -> None:
        """Add units, or change them."""


class Around:
    """A field of some units, all as near, in the order they are named."""

    def __init__(self, asks: Asks) -> None:
        self._asks = tuple(asks)

    def candidates(self, need: Need, ring_s: int, excluded: frozenset[UnitId]) -> Found:
        """Return who is not excluded."""
        return Found(candidates=tuple(self.candidate(u) for u in self._asks if u not in excluded))

    def candidate(self, unit_id: UnitId) -> Candidate:
        """Return a minute and a half."""
        return Candidate(
            unit_id=unit_id, eta_s=90.5, distance_m=80.0, quality=Quality.STRAIGHT_LINE
        )

    def state(self, unit_id: UnitId) -> UnitState:
        """Say it is free."""
        return UnitState.AVAILABLE

    def eta_s(self, unit_id: UnitId) -> float:
        """Return a minute and a half."""
        return 90.5

    def age_s(self, unit_id: UnitId) -> float:
        """Say that it was heard just now."""
        return 0.0

    def capable(self, unit_id: UnitId, need: Need) -> bool:
        """Say yes."""
        return True


class Town:
    """A store, and somebody who decides on what is in it."""

    def __init__(self, store: Store, register: Register) -> None:
        self.store = store
        self.register = register
        self.clock = ManualClock()
        self._numbers = 0

    # Decisions, not yet committed. -----------------------------------------------------------

    def opening(self, asks: Asks = (ONE,), **facts: Any) -> Decision:
        """Return the opening of a new incident; `asks` are the units near it."""
        self._numbers += 1
        incident = replace(_incident(self.clock, self._numbers), **facts)
        return open_case(Open(incident=incident, trusted=True), self._context(asks))

    def decision(
        self,
        case: Case,
        command: Command,
        *,
        asks: Asks = (),
        device: str | None = None,
    ) -> Decision:
        """Return what a command means for a case."""
        return decide(case, command, self._context(asks, device))

    def acceptance(self, case: Case, unit: UnitId = ONE, device: str | None = None) -> Decision:
        """Return what a unit's yes means."""
        offer = self.offer(case, unit)
        yes = Accept(unit_id=unit, offer_id=offer.id, at=self.clock.now(), crew=("m1",))
        return self.decision(case, yes, device=device)

    def offer(self, case: Case, unit: UnitId = ONE) -> Offer:
        """Return the newest offer of a case to a unit."""
        return [o for o in case.offers if o.unit_id == unit][-1]

    # Commits. --------------------------------------------------------------------------------

    async def commit(self, decision: Decision, *, due: int | None = None) -> list[Sealed]:
        """Commit a decision nobody asked for by an id."""
        return await self.store.commit(decision, None, None, self.clock.now(), due)

    async def open(self, asks: Asks = (ONE,), **facts: Any) -> Case:
        """Open an incident and return its case as the store has it."""
        decision = self.opening(asks, **facts)
        await self.commit(decision)
        return await self.case(decision.case.incident.id)

    async def accept(self, case: Case, unit: UnitId = ONE, device: str | None = None) -> Case:
        """Let a unit accept; return the case afterwards."""
        await self.commit(self.acceptance(case, unit, device))
        return await self.case(case.incident.id)

    async def act(
        self,
        case: Case,
        command: Command,
        *,
        asks: Asks = (),
        device: str | None = None,
    ) -> Case:
        """Carry out a command; return the case afterwards."""
        await self.commit(self.decision(case, command, asks=asks, device=device))
        return await self.case(case.incident.id)

    async def clock_in(
        self, number: int, duty: Duty, command: str = "", answer: Answer = OK
    ) -> Duty:
        """Let member number n clock; return the duty in force."""
        change = DutyChange(
            device_id=DeviceId(f"d{number}"),
            unit_id=UnitId(f"u{(number + 1) // 2}"),
            member_id=MemberId(f"m{number}"),
            duty=duty,
            at=self.clock.now(),
        )
        return await self.store.set_duty(change, once(command or self.clock.new_id()), answer)

    # Looks. ----------------------------------------------------------------------------------

    async def case(self, incident_id: IncidentId) -> Case:
        """Return a case that is there."""
        found = (await self.store.load(incident_id, None)).case
        assert found is not None
        return found

    async def mail(self, device: str, after: int = 0, limit: int = 100) -> list[Outbox]:
        """Return what waits for a phone."""
        return await self.store.outbox(DeviceId(device), after, limit, self.clock.now())

    async def tags(self, device: str) -> list[str]:
        """Return the types of the frames that wait for a phone, in order."""
        return [str(type(f).__struct_config__.tag) for f in frames(await self.mail(device))]

    async def events(self, case: Case) -> list[tuple[int, str]]:
        """Return an incident's log, in short."""
        log = await self.store.timeline(case.incident.id, 0, 1000)
        return [(entry.n, entry.type.value) for entry in log]

    async def duties(self) -> list[Duty]:
        """Return the members' duties, in order."""
        return [member.duty for member in await self.store.crews()]

    async def claim(self, limit: int = 100) -> list[tuple[str, str, str | None]]:
        """Claim what has come: incident, kind, unit."""
        rows = await self.store.claim_due(limit, self.clock.now())
        return [(row.incident_id, row.kind, row.unit_id) for row in rows]

    async def told(self, device: str, seq: int) -> None:
        """Let a phone acknowledge."""
        await self.store.acknowledge({DeviceId(device): seq}, self.clock.now())

    def _context(self, asks: Asks, device: str | None = None) -> Context:
        return Context(
            now=self.clock.now(),
            actor=Actor(
                by="member:m1", via="app", device_id=None if device is None else DeviceId(device)
            ),
            plan=plan_for(IncidentKind.THEFT, 2),
            field=Around(asks),
            new_id=self.clock.new_id,
        )


def once(command: str, digest: bytes = b"same") -> Once:
    """Return the id of a command, as phone d1 sends it."""
    return Once(scope="device:d1", id=command, digest=digest)


def frames(mail: Sequence[Outbox]) -> list[ReliableFrame]:
    """Return the frames of outbox rows."""
    return [_frame.decode(row.frame) for row in mail]


def step(town: Town, case: Case, reached: Reached) -> Report:
    """Return what the unit of a case's first task says: how far it has come."""
    task = case.assignments[0]
    return Report(unit_id=task.unit_id, task_id=task.id, reached=reached, at=town.clock.now())


def body(loaded: Loaded) -> Any:
    """Return what was answered to a command that is kept."""
    assert loaded.answer is not None
    return msgspec.json.decode(loaded.answer.body)


def _incident(clock: ManualClock, number: int) -> Incident:
    return Incident(
        id=IncidentId(f"i{number:03}"),
        kind=IncidentKind.THEFT,
        priority=2,
        lon=113.4,
        lat=23.1,
        given_lon=113.41,
        given_lat=23.11,
        given_datum=Datum.GCJ02,
        juris="gz.hp",
        title="有人偷电瓶",
        status=Status.REPORTED,
        called_at=clock.now() - timedelta(seconds=5),
        opened_at=clock.now(),
    )
