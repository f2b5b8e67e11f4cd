"""Builders of incidents, fields and whole stories of a case, on the real core."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import msgspec
import pytest

from dispatch.core import commands as c
from dispatch.core.decide import decide, open_case
from dispatch.core.decision import Actor, Context, Decision, Draft, Mail
from dispatch.core.errors import Refusal
from dispatch.core.events import Entry, Event
from dispatch.core.matching import PRIOR, Candidate, Found, Reason
from geo.datum import Datum
from geo.eta import Quality
from schemas.base import AssignmentId, DeviceId, IncidentId, Instant, OfferId, Record, UnitId
from schemas.incident import (
    Assignment,
    AssignmentState,
    Case,
    Incident,
    Offer,
    OfferState,
    Status,
)
from schemas.plan import IncidentKind, Need, Plan
from schemas.unit import Capability, UnitState
from schemas.wire import Reached

START: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
DESK: Final = Actor(by="operator-1", via="api")
NO_STEPS: Final = Plan()
"""Three offers at a time, 20 s each, a hard end after 300 s, and no ladder."""


def at(seconds: float) -> Instant:
    """Return an instant by its seconds after the call."""
    return START + timedelta(seconds=seconds)


def ids(first: int = 1) -> Callable[[], str]:
    """Return a maker of ids, UUIDv7 text, in order."""
    numbers = count(first)
    return lambda: f"019ab000-0000-7000-8000-{next(numbers):012x}"


def phone_of(unit_id: str) -> Actor:
    """Return a member of a unit at the one phone it has in these stories."""
    return Actor(by=f"member-of-{unit_id}", via="app", device_id=DeviceId(f"phone-of-{unit_id}"))


def incident(**facts: Any) -> Incident:
    """Return an incident somebody just called about; `facts` stand in for the usual ones."""
    usual: dict[str, Any] = {
        "id": IncidentId("i1"),
        "kind": IncidentKind.OTHER,
        "priority": 3,
        "lon": 113.45,
        "lat": 23.1,
        "given_lon": 113.45,
        "given_lat": 23.1,
        "given_datum": Datum.WGS84,
        "juris": "gz.huangpu",
        "title": "摔倒 / a fall",
        "status": Status.REPORTED,
        "called_at": START,
        "opened_at": START,
    }
    return Incident(**usual | facts)


def offer(name: str = "o1", **facts: Any) -> Offer:
    """Return an offer sent at the call, to the unit of the same number."""
    usual: dict[str, Any] = {
        "id": OfferId(name),
        "incident_id": IncidentId("i1"),
        "unit_id": UnitId(name.replace("o", "u")),
        "slot": 0,
        "state": OfferState.OPEN,
        "eta_s": 100.0,
        "distance_m": 140.0,
        "quality": Quality.STRAIGHT_LINE,
        "ring_s": 180,
        "sent_at": START,
        "lapse_at": at(20),
        "exp_at": at(300),
    }
    return Offer(**usual | facts)


def task(name: str = "a1", **facts: Any) -> Assignment:
    """Return a task assigned at the call, of the unit of the same number."""
    usual: dict[str, Any] = {
        "id": AssignmentId(name),
        "incident_id": IncidentId("i1"),
        "unit_id": UnitId(name.replace("a", "u")),
        "slot": 0,
        "state": AssignmentState.ASSIGNED,
        "eta_s": 100.0,
        "arrive_at": at(100),
        "assigned_at": START,
        "by": "member-of-u1",
    }
    return Assignment(**usual | facts)


class Standing(Record, frozen=True, kw_only=True):
    """A unit somewhere near; `bar` is why it may not be asked."""

    eta_s: float
    capabilities: tuple[Capability, ...] = ()
    accept_rate: float = PRIOR
    bar: Reason | None = None
    state: UnitState = UnitState.AVAILABLE
    age_s: float = 0.0


class NearbyUnits:
    """A field made of a list: units by name, with what each can and how far it is."""

    def __init__(self, units: Mapping[str, Standing | float]) -> None:
        self.units: dict[str, Standing] = {}
        for name, standing in units.items():
            self.put(name, standing)

    def put(self, name: str, standing: Standing | float) -> None:
        """Place a unit, or move it; a number is an ETA."""
        known = standing if isinstance(standing, Standing) else Standing(eta_s=standing)
        self.units[name] = known

    def candidates(self, need: Need, ring_s: int, excluded: frozenset[UnitId]) -> Found:
        """Return who in the ring may be asked, soonest first."""
        near = sorted((s.eta_s, name) for name, s in self.units.items() if s.eta_s <= ring_s)
        bars = {name: self._bar(UnitId(name), need, excluded) for _, name in near}
        left_out: dict[Reason, int] = {}
        for bar in bars.values():
            if bar:
                left_out[bar] = left_out.get(bar, 0) + 1
        free = tuple(self._candidate(name) for name, bar in bars.items() if bar is None)
        return Found(candidates=free, left_out=left_out)

    def eta_s(self, unit_id: UnitId) -> float:
        """Return where a unit is in seconds; inf where nobody knows."""
        standing = self.units.get(unit_id)
        return standing.eta_s if standing else float("inf")

    def capable(self, unit_id: UnitId, need: Need) -> bool:
        """Say whether a unit brings all that a need names."""
        standing = self.units.get(unit_id)
        return standing is not None and set(need.capabilities) <= set(standing.capabilities)

    def candidate(self, unit_id: UnitId) -> Candidate | None:
        """Return any unit as a candidate, wherever it is; None where it is not known."""
        return self._candidate(unit_id) if unit_id in self.units else None

    def state(self, unit_id: UnitId) -> UnitState | None:
        """Return what a unit is free for; None where it is not known."""
        standing = self.units.get(unit_id)
        return standing.state if standing else None

    def age_s(self, unit_id: UnitId) -> float:
        """Return how old a unit's position is; inf where nobody knows."""
        standing = self.units.get(unit_id)
        return standing.age_s if standing else float("inf")

    def _bar(self, unit_id: UnitId, need: Need, excluded: frozenset[UnitId]) -> Reason | None:
        if not self.capable(unit_id, need):
            return Reason.NOT_CAPABLE
        if unit_id in excluded:
            return Reason.ASKED_BEFORE
        return self.units[unit_id].bar

    def _candidate(self, name: str) -> Candidate:
        standing = self.units[name]
        return Candidate(
            unit_id=UnitId(name),
            eta_s=standing.eta_s,
            distance_m=standing.eta_s * 1.4,
            quality=Quality.STRAIGHT_LINE,
            accept_rate=standing.accept_rate,
        )


def crowd(number: int, eta_s: float = 60.0, apart_s: float = 1.0) -> NearbyUnits:
    """Return units u1, u2 … one second further each."""
    return NearbyUnits({f"u{n}": eta_s + apart_s * (n - 1) for n in range(1, number + 1)})


def context(
    now: Instant = START,
    field: NearbyUnits | None = None,
    plan: Plan = NO_STEPS,
    actor: Actor = DESK,
) -> Context:
    """Return a moment to decide in."""
    known = crowd(0) if field is None else field
    return Context(now=now, actor=actor, plan=plan, field=known, new_id=ids())


def draft(
    offers: tuple[Offer, ...] = (),
    tasks: tuple[Assignment, ...] = (),
    *,
    moment: Context | None = None,
    **facts: Any,
) -> Draft:
    """Return a draft on an open incident with these offers and tasks."""
    subject = incident(**{"status": Status.OPEN} | facts)
    case = Case(incident=subject, offers=offers, assignments=tasks)
    return Draft(case, moment or context())


class Story:
    """A case that goes on: each step is decided by the real core, and what came of it is kept."""

    def __init__(
        self,
        field: NearbyUnits,
        plan: Plan = NO_STEPS,
        *,
        late_s: float = 0,
        trusted: bool = True,
        **facts: Any,
    ) -> None:
        """Open a case `late_s` after the call."""
        self.field = field
        self.plan = plan
        self.now = at(late_s)
        self.new_id = ids()
        self.partial = False
        self.entries: list[Entry] = []
        self.mail: list[Mail] = []
        subject = incident(**{"needs": plan.needs, "ring_s": plan.ring_s} | facts)
        command = c.Open(incident=subject, trusted=trusted)
        self.last = self._keep(open_case(command, self._context(DESK)))

    # What happens. ---------------------------------------------------------------------------

    def pass_s(self, seconds: float) -> None:
        """Let time pass; nothing is decided."""
        self.now += timedelta(seconds=seconds)

    def do(self, command: c.Command, actor: Actor = DESK) -> Decision:
        """Decide a command on the case as it stands, and go on from there."""
        self.last = self._keep(decide(self.case, command, self._context(actor)))
        return self.last

    def refuses(self, command: c.Command, actor: Actor = DESK) -> Refusal:
        """Return why a command is refused; the case has to be what it was."""
        before = msgspec.json.encode(self.case)
        with pytest.raises(Refusal) as caught:
            decide(self.case, command, self._context(actor))
        assert msgspec.json.encode(self.case) == before
        return caught.value

    def wake(self, seconds: float = 0) -> Decision:
        """Let time pass, and a clock of the case come."""
        self.pass_s(seconds)
        return self.do(c.Wake())

    def wake_at_its_clocks(self, seconds: float) -> None:
        """Let time pass, and decide at every clock of the case in between, as the desk does."""
        until = self.now + timedelta(seconds=seconds)
        while self.last.wake_at and self.last.wake_at <= until:
            self.now = max(self.now, self.last.wake_at)
            self.do(c.Wake())
        self.now = until

    def accept(self, unit: str, *, tapped_s: float = 0, crew: tuple[str, ...] = ()) -> Decision:
        """Let a unit accept the offer it got last; it was tapped so many seconds ago."""
        tap = self.now - timedelta(seconds=tapped_s)
        asked = self.offer(unit)
        command = c.Accept(unit_id=asked.unit_id, offer_id=asked.id, at=tap, crew=crew)
        return self.do(command, phone_of(unit))

    def decline(self, unit: str, why: str = "") -> Decision:
        """Let a unit decline the offer it got last."""
        asked = self.offer(unit)
        command = c.Decline(unit_id=asked.unit_id, offer_id=asked.id, why=why)
        return self.do(command, phone_of(unit))

    def report(self, unit: str, reached: Reached, *, ago_s: float = 0, **words: str) -> Decision:
        """Let a unit say how far it has come, and since when."""
        since, own = self.now - timedelta(seconds=ago_s), self.task(unit)
        command = c.Report(unit_id=own.unit_id, task_id=own.id, reached=reached, at=since, **words)
        return self.do(command, phone_of(unit))

    def arrive(self, unit: str) -> Decision:
        """Let a unit reach the scene."""
        return self.report(unit, Reached.ARRIVED)

    # What stands. ----------------------------------------------------------------------------

    @property
    def incident(self) -> Incident:
        """Return the incident as it stands."""
        return self.case.incident

    @property
    def case(self) -> Case:
        """Return the case as it stands."""
        return self.last.case

    def offer(self, unit: str) -> Offer:
        """Return the offer a unit got last."""
        return [o for o in self.case.offers if o.unit_id == unit][-1]

    def task(self, unit: str) -> Assignment:
        """Return the task a unit got last."""
        return [a for a in self.case.assignments if a.unit_id == unit][-1]

    def asked(self, state: OfferState = OfferState.OPEN) -> list[str]:
        """Return the units whose offers are in a state, in the order they were asked."""
        return [o.unit_id for o in self.case.offers if o.state is state]

    def events(self) -> list[Event]:
        """Return the kinds of fact the last decision wrote down, in order."""
        return [entry.type for entry in self.last.entries]

    def entry(self, event: Event) -> Entry:
        """Return the first fact of a kind that the last decision wrote down."""
        return next(entry for entry in self.last.entries if entry.type is event)

    def post(self) -> list[tuple[str, str, DeviceId | None]]:
        """Return the last decision's mail: to whom, what and why, and which phone not."""
        return [(mail.unit_id, _said(mail), mail.not_to) for mail in self.last.mail]

    def _context(self, actor: Actor) -> Context:
        return Context(
            now=self.now,
            actor=actor,
            plan=self.plan,
            field=self.field,
            new_id=self.new_id,
            partial=self.partial,
        )

    def _keep(self, decision: Decision) -> Decision:
        self.entries += decision.entries
        self.mail += decision.mail
        return decision


def _said(mail: Mail) -> str:
    """Return a frame's type, with its reason where it has one."""
    tag = str(mail.frame.__struct_config__.tag)
    why = getattr(mail.frame, "why", None)
    return f"{tag} {why}" if why else tag
