"""The outcome of one command, and the draft it is worked out on."""

from collections.abc import Callable
from datetime import timedelta
from math import isfinite
from typing import Any, Final, Protocol

from msgspec.structs import replace

from dispatch.core.alarms import raised
from dispatch.core.errors import NotFound, Refusal
from dispatch.core.events import Entry, Event
from dispatch.core.frames import assign_frame, assign_update, offer_frame, offer_update
from dispatch.core.lifecycle import ASSIGNMENT, ENDED, INCIDENT, OFFER, OPEN_OFFER, Trigger, advance
from dispatch.core.matching import Candidate, Found
from schemas.alarm import Alarm
from schemas.base import (
    AssignmentId,
    DeviceId,
    IncidentId,
    Instant,
    OfferId,
    Record,
    UnitId,
)
from schemas.incident import (
    Assignment,
    AssignmentKind,
    AssignmentState,
    Case,
    Incident,
    Offer,
    OfferState,
    Role,
)
from schemas.plan import Need, Plan
from schemas.unit import UnitState
from schemas.wire import (
    AssignEnd,
    AssignEndWhy,
    OfferEnd,
    OfferEndWhy,
    ReliableFrame,
)

EXPIRY_GRACE_S: Final = 2
"""An answer already on its way when an offer ends is still heard (protocol, section 9)."""


class Actor(Record, frozen=True, kw_only=True):
    """Who decides, and by what way (app, api, radio, voice, engine)."""

    by: str
    via: str
    device_id: DeviceId | None = None


ENGINE: Final = Actor(by="engine", via="engine")


class Field(Protocol):
    """What memory knows around one incident at one moment: a hint, never the arbiter."""

    def candidates(self, need: Need, ring_s: int, excluded: frozenset[UnitId]) -> Found:
        """Return who in the ring may be asked, best first."""

    def eta_s(self, unit_id: UnitId) -> float:
        """Return a unit's newest ETA; inf where it is too far or not known."""

    def capable(self, unit_id: UnitId, need: Need) -> bool:
        """Say whether a unit brings all that a need names."""

    def candidate(self, unit_id: UnitId) -> Candidate | None:
        """Return any unit as a candidate, wherever it is; None where it is not known."""

    def state(self, unit_id: UnitId) -> UnitState | None:
        """Return what a unit is free for; None where it is not known."""

    def age_s(self, unit_id: UnitId) -> float:
        """Return how old a unit's position is; inf where only its home post is known."""


class Context(Record, frozen=True, kw_only=True):
    """The moment a command is decided in.

    `partial`: not all that phones say comes here now; nobody is called back by what is seen so.
    """

    now: Instant
    actor: Actor
    plan: Plan
    field: Field
    new_id: Callable[[], str]
    partial: bool = False


class Mail(Record, frozen=True, kw_only=True):
    """A reliable frame for the on-duty phones of a unit; `not_to` has its answer already."""

    unit_id: UnitId
    ref: str
    at: Instant
    expires_at: Instant
    frame: ReliableFrame
    not_to: DeviceId | None = None


class Errand(Record, frozen=True, kw_only=True):
    """What a decision on one incident means for another: done by that one's own clock."""

    incident_id: IncidentId
    kind: str
    unit_id: UnitId


class Decision(Record, frozen=True, kw_only=True):
    """What a command changes: rows, log entries, mail, the next wake-up; and what it answers.

    `unsure` are the units to be asked where they are: a question that is not kept. `put_off` says
    that somebody would have been called back, were the picture not partial.
    """

    before: Case | None
    case: Case
    entries: tuple[Entry, ...]
    mail: tuple[Mail, ...]
    wake_at: Instant | None
    result: dict[str, Any]
    refusal: Refusal | None = None
    errands: tuple[Errand, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    unsure: tuple[UnitId, ...] = ()
    put_off: bool = False

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Return the offers that are new or other than before."""
        known = {o.id: o for o in self.before.offers} if self.before else {}
        return tuple(o for o in self.case.offers if known.get(o.id) is not o)

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """Return the assignments that are new or other than before."""
        known = {a.id: a for a in self.before.assignments} if self.before else {}
        return tuple(a for a in self.case.assignments if known.get(a.id) is not a)


MAIL_LIFE: Final = timedelta(hours=24)


class Draft:
    """A case being changed. Every change logs itself and addresses the mail it means."""

    def __init__(self, case: Case, context: Context, *, new: bool = False) -> None:
        self.before = None if new else case
        self.context = context
        self.now = context.now
        self.actor = context.actor
        self.incident: Incident = case.incident
        self.offers: dict[OfferId, Offer] = {o.id: o for o in case.offers}
        self.tasks: dict[AssignmentId, Assignment] = {a.id: a for a in case.assignments}
        self.entries: list[Entry] = []
        self.mail: list[Mail] = []
        self.errands: list[Errand] = []
        self.unsure: list[UnitId] = []
        self.put_off = False

    # What stands. ----------------------------------------------------------------------------

    def live_offers(self) -> list[Offer]:
        """Return the offers that may still be answered, in the order they were sent."""
        return [o for o in self.offers.values() if o.state in OPEN_OFFER]

    def live_tasks(self) -> list[Assignment]:
        """Return the assignments that have not ended."""
        return [a for a in self.tasks.values() if a.state not in ENDED]

    def holder(self, slot: int) -> Assignment | None:
        """Return the assignment that fills the slot."""
        held = (a for a in self.live_tasks() if a.slot == slot and a.role is Role.PRIMARY)
        return next(held, None)

    def free_slots(self) -> list[int]:
        """Return the slots nobody fills, in order."""
        done = self.filled_before()
        return [
            i for i in range(len(self.incident.needs)) if self.holder(i) is None and i not in done
        ]

    def filled_before(self) -> frozenset[int]:
        """Return the slots whose holder has finished its task."""
        resolved = (a for a in self.tasks.values() if a.state is AssignmentState.RESOLVED)
        return frozenset(a.slot for a in resolved if self.counts(a.assigned_at))

    def counts(self, began: Instant) -> bool:
        """Say whether what began then is of the incident as it goes on, not as it was reopened."""
        return self.incident.reopened_at is None or began >= self.incident.reopened_at

    def offer_to(self, offer_id: OfferId, unit_id: UnitId) -> Offer:
        """Return the unit's own offer; another unit's is as unknown as one that never was."""
        offer = self.offers.get(offer_id)
        if offer is None or offer.unit_id != unit_id:
            raise NotFound("no such offer", path="oid")
        return offer

    def task_of(self, task_id: AssignmentId, unit_id: UnitId) -> Assignment:
        """Return the unit's own assignment; another unit's is as unknown as one that never was."""
        task = self.tasks.get(task_id)
        if task is None or task.unit_id != unit_id:
            raise NotFound("no such assignment", path="aid")
        return task

    # What changes. ---------------------------------------------------------------------------

    def log(self, event: Event, unit_id: UnitId | None = None, **data: Any) -> None:
        """Write an entry of the log, at the context's moment, by whoever acts now."""
        by, via = self.actor.by, self.actor.via
        self.entries.append(
            Entry(type=event, by=by, via=via, at=self.now, unit_id=unit_id, data=data)
        )

    def set(self, **changes: Any) -> None:
        """Change the incident's row."""
        self.incident = replace(self.incident, **changes)

    def move(self, trigger: Trigger, **changes: Any) -> None:
        """Take the incident one step through its table."""
        was = self.incident.status
        self.set(status=advance(INCIDENT, was, trigger), **changes)
        self.log(Event.STATUS, before=was, after=self.incident.status, trigger=trigger)

    def ask(self, candidate: Candidate, slot: int, ring_s: int) -> Offer:
        """Offer the incident to a unit."""
        plan = self.context.plan
        offer = Offer(
            id=OfferId(self.context.new_id()),
            incident_id=self.incident.id,
            unit_id=candidate.unit_id,
            slot=slot,
            state=OfferState.OPEN,
            eta_s=round(candidate.eta_s, 1),
            distance_m=round(candidate.distance_m, 1),
            quality=candidate.quality,
            ring_s=ring_s,
            sent_at=self.now,
            lapse_at=self.now + timedelta(seconds=plan.ttl_s),
            exp_at=self.now + timedelta(seconds=plan.exp_s),
        )
        self.offers[offer.id] = offer
        self.log(
            Event.OFFERED,
            offer.unit_id,
            offer=offer.id,
            slot=slot,
            eta_s=offer.eta_s,
            ring_s=ring_s,
            quality=offer.quality,
            **({"told_by": candidate.told_by} if candidate.told_by else {}),
        )
        self._send(
            offer.unit_id, offer.id, offer_frame(self.incident, offer, self.now), offer.exp_at
        )
        return offer

    def move_offer(self, offer: Offer, trigger: Trigger, event: Event, **data: Any) -> Offer:
        """Take an offer one step through its table; nothing is mailed."""
        state = advance(OFFER, offer.state, trigger)
        ended = None if state in OPEN_OFFER else self.now
        moved = replace(offer, state=state, ended_at=ended)
        self.offers[offer.id] = moved
        self.log(event, offer.unit_id, offer=offer.id, before=offer.state, **data)
        return moved

    def see_offer(self, offer: Offer) -> None:
        """Note that a human saw the offer."""
        self.offers[offer.id] = replace(offer, seen_at=self.now)
        self.log(Event.SEEN, offer.unit_id, offer=offer.id)

    def bar(self, offer_id: OfferId) -> None:
        """Keep the engine from asking this unit again: a person has called it back."""
        self.offers[offer_id] = replace(self.offers[offer_id], barred=True)

    def annotate(self, note: str, outcome: str, **more: str) -> None:
        """Keep a member's own words beside the step just logged, and what else proves it."""
        last = self.entries[-1]
        words = {"note": note, "outcome": outcome, **more}
        said = {key: word for key, word in words.items() if word}
        self.entries[-1] = replace(last, data={**last.data, **said})

    def renew_offer(self, offer: Offer, *, alert: bool, eta_s: float | None = None) -> None:
        """Tell a unit that is being asked what is new of the incident, or of its way there."""
        newest = offer.eta_s if eta_s is None else round(eta_s, 1)
        renewed = replace(offer, rev=offer.rev + 1, eta_s=newest)
        self.offers[offer.id] = renewed
        frame = offer_update(self.incident, renewed, alert=alert)
        self._send(offer.unit_id, offer.id, frame, offer.exp_at)

    def end_offer(self, offer: Offer, trigger: Trigger, event: Event, why: OfferEndWhy) -> None:
        """End an offer and tell the unit."""
        self.move_offer(offer, trigger, event)
        self._send(offer.unit_id, offer.id, OfferEnd(oid=offer.id, why=why))

    def assign(
        self,
        offer: Offer,
        slot: int,
        eta_s: float,
        crew: tuple[str, ...],
    ) -> Assignment:
        """Turn an answered offer into the unit's task."""
        task = Assignment(
            id=AssignmentId(self.context.new_id()),
            incident_id=self.incident.id,
            unit_id=offer.unit_id,
            offer_id=offer.id,
            slot=slot,
            state=AssignmentState.ASSIGNED,
            kind=AssignmentKind.OFFER,
            eta_s=round(eta_s, 1),
            arrive_at=self.now + timedelta(seconds=eta_s),
            assigned_at=self.now,
            by=self.context.actor.by,
            ring_s=offer.ring_s,
            crew=crew,
        )
        self._begin(task)
        return task

    def order(
        self, unit_id: UnitId, slot: int, eta_s: float, role: Role, *, seen: bool = False
    ) -> Assignment:
        """Give a unit the task without asking it; `seen` where it gave it to itself."""
        task = Assignment(
            id=AssignmentId(self.context.new_id()),
            incident_id=self.incident.id,
            unit_id=unit_id,
            slot=slot,
            state=AssignmentState.ASSIGNED,
            kind=AssignmentKind.ORDER,
            role=role,
            eta_s=round(eta_s, 1),
            arrive_at=self.now + timedelta(seconds=eta_s),
            assigned_at=self.now,
            by=self.context.actor.by,
            seen_at=self.now if seen else None,
        )
        self._begin(task)
        return task

    def _begin(self, task: Assignment) -> None:
        self.tasks[task.id] = task
        self.log(
            Event.ASSIGNED,
            task.unit_id,
            assignment=task.id,
            offer=task.offer_id,
            slot=task.slot,
            eta_s=task.eta_s,
        )
        self._send(task.unit_id, task.id, assign_frame(self.incident, task))

    def change_task(
        self,
        task: Assignment,
        event: Event,
        *,
        alert: bool = False,
        quiet: bool = False,
        **changes: Any,
    ) -> Assignment:
        """Change a task's row; its phones are told, but for the one that said so itself."""
        changed = replace(task, rev=task.rev + 1, **changes)
        self.tasks[task.id] = changed
        self.log(event, task.unit_id, assignment=task.id, state=changed.state, role=changed.role)
        if not quiet:
            frame = assign_update(self.incident, changed, alert=alert)
            self._send(task.unit_id, task.id, frame, not_to=self.context.actor.device_id)
        return changed

    def renew_task(self, task: Assignment, *, alert: bool) -> None:
        """Tell a unit on its way what is new of the incident, and reckon its arrival anew."""
        changes: dict[str, Any] = {}
        eta_s = self.context.field.eta_s(task.unit_id)
        if task.arrived_at is None and isfinite(eta_s):
            changes = {"eta_s": round(eta_s, 1), "arrive_at": self.now + timedelta(seconds=eta_s)}
        renewed = replace(task, rev=task.rev + 1, **changes)
        self.tasks[task.id] = renewed
        self._send(task.unit_id, task.id, assign_update(self.incident, renewed, alert=alert))

    def move_task(self, task: Assignment, trigger: Trigger, **changes: Any) -> Assignment:
        """Take a task one step through its table without ending it."""
        state = advance(ASSIGNMENT, task.state, trigger)
        return self.change_task(task, Event.PROGRESSED, state=state, **changes)

    def end_task(
        self, task: Assignment, trigger: Trigger, why: AssignEndWhy, **changes: Any
    ) -> Assignment:
        """End a task and tell the unit."""
        state = advance(ASSIGNMENT, task.state, trigger)
        ended = replace(task, state=state, rev=task.rev + 1, ended_at=self.now, **changes)
        self.tasks[task.id] = ended
        self.log(Event.ASSIGNMENT_ENDED, task.unit_id, assignment=task.id, why=why)
        self._send(task.unit_id, task.id, AssignEnd(aid=task.id, why=why))
        return ended

    def call_back(self, task: Assignment, trigger: Trigger, why: AssignEndWhy) -> None:
        """End a task by what is seen; while not all is seen that is put off."""
        if self.context.partial:
            self.put_off = True
        else:
            self.end_task(task, trigger, why)

    def tell_colleagues(self, offer: Offer) -> None:
        """Stop the other phones of the unit from ringing: one of them has answered."""
        frame = OfferEnd(oid=offer.id, why=OfferEndWhy.ANSWERED)
        self._send(offer.unit_id, offer.id, frame, not_to=self.context.actor.device_id)

    def _send(
        self,
        unit_id: UnitId,
        ref: str,
        frame: ReliableFrame,
        expires_at: Instant | None = None,
        not_to: DeviceId | None = None,
    ) -> None:
        self.mail.append(
            Mail(
                unit_id=unit_id,
                ref=ref,
                at=self.now,
                expires_at=expires_at or self.now + MAIL_LIFE,
                frame=frame,
                not_to=not_to,
            )
        )

    # The outcome. ----------------------------------------------------------------------------

    def decision(
        self,
        wake_at: Instant | None,
        result: dict[str, Any] | None = None,
        refusal: Refusal | None = None,
    ) -> Decision:
        """Return everything that was changed, as one value."""
        return Decision(
            before=self.before,
            case=Case(
                incident=replace(self.incident, version=self.incident.version + 1),
                offers=tuple(self.offers.values()),
                assignments=tuple(self.tasks.values()),
            ),
            entries=tuple(self.entries),
            mail=tuple(self.mail),
            wake_at=wake_at,
            result=result or {},
            errands=tuple(self.errands),
            alarms=raised(self.entries, self.incident, self.context.new_id),
            refusal=refusal,
            unsure=tuple(self.unsure),
            put_off=self.put_off,
        )
