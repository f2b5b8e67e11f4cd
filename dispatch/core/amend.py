"""What changes an incident itself: correct, supplement, merge, hand over, reopen, escalate, own."""

from collections.abc import Callable, Mapping
from itertools import takewhile
from math import isfinite
from typing import Any, Final

from msgspec.structs import asdict, replace

from dispatch.core import commands as c
from dispatch.core.decision import Draft, Errand
from dispatch.core.errors import Conflict, Invalid
from dispatch.core.events import Event
from dispatch.core.ladder import raise_level
from dispatch.core.lifecycle import OVER, Trigger
from dispatch.core.offers import RINGS_S
from dispatch.core.plans import plan_for
from schemas.incident import Incident
from schemas.plan import Need, Rung
from schemas.unit import Capability
from schemas.wire import AssignEndWhy, Assistance, OfferEndWhy

NOTE_MOST: Final = 2000
NEEDS_MOST: Final = 8
ALARMS: Final = frozenset({"place", "kind", "priority"})
"""A change of these rings again on the phones it concerns."""
PLANNED_BY: Final = frozenset({"kind", "priority"})
"""A change of these is a change of the plan, and so of the ladder."""

Outcome = dict[str, Any]


def corrected(incident: Incident, command: c.Correct) -> Incident:
    """Return the incident as it should have been taken down."""
    changes = {k: v for k, v in asdict(command).items() if v is not None and k != "place"}
    if command.place is not None:
        changes |= asdict(command.place)
    return replace(incident, **changes)


def correct(draft: Draft, command: c.Correct) -> Outcome:
    """Correct the incident; units are measured and ranked anew at once."""
    _refuse_when_over(draft)
    given = {name for name, value in asdict(command).items() if value is not None}
    if not given:
        raise Invalid("nothing to correct", path="$")
    if command.needs is not None:
        _refuse_held_slots(draft, len(command.needs))
    before = draft.incident
    _refuse_old_revision(before, command)
    draft.incident = corrected(before, command)
    if given & PLANNED_BY:
        draft.set(step=_steps_taken(draft, before))
    draft.log(Event.CORRECTED, before=_told(before, given), after=_told(draft.incident, given))
    _tell(draft, alert=bool(given & ALARMS), moved="place" in given)
    return {}


def supplement(draft: Draft, command: c.Supplement) -> Outcome:
    """Add what became known; whoever is asked or sent reads it."""
    note = "\n".join(part for part in (draft.incident.note, command.note) if part)
    if len(note) > NOTE_MOST:
        raise Invalid(f"the note would have more than {NOTE_MOST} characters", path="$.note")
    draft.set(note=note)
    draft.log(Event.SUPPLEMENTED, note=command.note)
    _tell(draft, alert=False)
    return {}


def merge(draft: Draft, command: c.Merge) -> Outcome:
    """End this incident in favour of another; whoever is on the way is ordered there."""
    if command.into == draft.incident.id:
        raise Invalid("an incident cannot be merged into itself", path="$.into")
    draft.move(Trigger.MERGE, ended_at=draft.now, merged_into=command.into)
    draft.log(Event.MERGED, into=command.into)
    for offer in draft.live_offers():
        draft.end_offer(offer, Trigger.WITHDRAW, Event.WITHDRAWN, OfferEndWhy.WITHDRAWN)
    for task in draft.live_tasks():
        draft.end_task(task, Trigger.REASSIGN, AssignEndWhy.REASSIGNED)
        draft.errands.append(Errand(incident_id=command.into, kind="order", unit_id=task.unit_id))
    return {}


def note_split(draft: Draft, command: c.NoteSplit) -> Outcome:
    """Note that a part of this is an incident of its own."""
    draft.log(Event.SPLIT, child=command.child)
    return {}


def hand_over(draft: Draft, command: c.HandOver) -> Outcome:
    """Let somebody else take it on; our units turn round."""
    draft.move(Trigger.HAND_OVER, ended_at=draft.now)
    draft.log(Event.HANDED_OVER, to=command.to, why=command.why)
    return {}


def reopen(draft: Draft, command: c.Reopen) -> Outcome:
    """Begin again: every slot is free, every clock of the ladder starts now."""
    draft.move(
        Trigger.REOPEN,
        reopened_at=draft.now,
        step=0,
        ring_s=draft.context.plan.ring_s,
        arrived_at=None,
        resolved_at=None,
        ended_at=None,
        result=None,
    )
    draft.log(Event.REOPENED, why=command.why)
    return {}


def escalate(draft: Draft, command: c.Escalate) -> Outcome:
    """Take a step of the ladder because a person says so."""
    _refuse_when_over(draft)
    if command.rung is Rung.WIDEN:
        draft.set(ring_s=max(RINGS_S))
    draft.log(Event.ESCALATED, rung=command.rung, reason=command.why)
    raise_level(draft, command.rung)
    return {}


def own(draft: Draft, command: c.Own) -> Outcome:
    """Let somebody answer for the incident."""
    draft.log(Event.OWNED, before=draft.incident.owner, after=command.owner)
    draft.set(owner=command.owner)
    return {}


def set_mode(draft: Draft, command: c.SetMode) -> Outcome:
    """Let the engine ask, or people."""
    _refuse_when_over(draft)
    draft.log(Event.MODE, before=draft.incident.mode, after=command.mode)
    draft.set(mode=command.mode)
    return {}


MORE: Final[Mapping[Assistance, Need]] = {
    Assistance.MORE_UNITS: Need(),
    Assistance.MEDICAL: Need(role="first_aid", capabilities=(Capability.FIRST_AID,)),
    Assistance.FIRE: Need(role="fire", capabilities=(Capability.EXTINGUISHER,)),
}
CALLS: Final[Mapping[Assistance, Rung]] = {
    Assistance.MORE_UNITS: Rung.OPERATOR,
    Assistance.MEDICAL: Rung.PROFESSIONALS,
    Assistance.FIRE: Rung.PROFESSIONALS,
    Assistance.POLICE: Rung.POLICE,
    Assistance.EQUIPMENT: Rung.OPERATOR,
}


def assist(draft: Draft, command: c.Assist) -> Outcome:
    """Raise the need as a unit on the task asks, and say so to whoever has to help."""
    task = draft.task_of(command.task_id, command.unit_id)
    _refuse_when_over(draft)
    what = command.what
    room = NEEDS_MOST - len(draft.incident.needs)
    if what in MORE:
        more = (MORE[what],) * min(command.n, room)
        draft.set(needs=(*draft.incident.needs, *more))
    draft.log(
        Event.ASSISTANCE,
        task.unit_id,
        assignment=task.id,
        what=what,
        n=command.n,
        text=command.text,
    )
    draft.log(Event.ESCALATED, rung=CALLS[what], reason=f"{what} asked for on the scene")
    return {"needs": len(draft.incident.needs)}


# What they share. --------------------------------------------------------------------------------


def _refuse_when_over(draft: Draft) -> None:
    if draft.incident.status in OVER:
        raise Conflict("the incident is over", state=draft.incident.status)


def _refuse_old_revision(incident: Incident, command: c.Correct) -> None:
    """Refuse what an outside system corrected before something that is known already."""
    if command.ext_rev is None or incident.ext_rev is None:
        return
    if command.ext_rev <= incident.ext_rev:
        raise Conflict(f"revision {incident.ext_rev} is known already", state=incident.status)


def _refuse_held_slots(draft: Draft, slots: int) -> None:
    """Refuse to take away a slot that somebody holds."""
    held = [task for task in draft.live_tasks() if task.slot >= slots]
    if held:
        raise Conflict("somebody holds a slot that would go", state=draft.incident.status)


def _steps_taken(draft: Draft, before: Incident) -> int:
    """Return how many steps of the ladder now in force need not be taken any more."""
    ladder = plan_for(before.kind, before.priority).steps
    taken = {step.rung for step in ladder[: before.step]}
    return sum(1 for _ in takewhile(lambda step: step.rung in taken, draft.context.plan.steps))


def _told(incident: Incident, names: set[str]) -> Outcome:
    """Return the corrected fields for the log; a place by its coordinates."""
    fields = asdict(incident)
    told = {name: fields[name] for name in names if name in fields}
    if "place" in names:
        told |= {"lon": incident.lon, "lat": incident.lat, "juris": incident.juris}
    if "needs" in told:
        told["needs"] = [asdict(need) for need in incident.needs]
    return told


def _tell(draft: Draft, *, alert: bool, moved: bool = False) -> None:
    """Tell whoever is asked or sent; who is too far from the corrected place is asked no more."""
    for offer in draft.live_offers():
        eta_s = draft.context.field.eta_s(offer.unit_id)
        too_far = moved and eta_s > max(RINGS_S)
        if too_far or offer.slot >= len(draft.incident.needs):
            draft.end_offer(offer, Trigger.WITHDRAW, Event.WITHDRAWN, OfferEndWhy.WITHDRAWN)
        else:
            draft.renew_offer(offer, alert=alert, eta_s=eta_s if isfinite(eta_s) else None)
    for task in draft.live_tasks():
        draft.renew_task(task, alert=alert)


RULES: Final[Mapping[type, Callable[[Draft, Any], Outcome]]] = {
    c.Correct: correct,
    c.Supplement: supplement,
    c.Merge: merge,
    c.NoteSplit: note_split,
    c.HandOver: hand_over,
    c.Reopen: reopen,
    c.Escalate: escalate,
    c.Own: own,
    c.SetMode: set_mode,
    c.Assist: assist,
}
