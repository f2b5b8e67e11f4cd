"""What a person at the desk decides about units: ask, order, withdraw, release, reassign, pin.

A person may always take over (mission, rule 13), so the ring, a stale fix or a missing capability
stop nobody here; what a unit cannot do is to be in two places, or to go while it is off duty.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from dispatch.core import commands as c
from dispatch.core.decision import Draft, Errand
from dispatch.core.errors import Conflict, Invalid, NotFound
from dispatch.core.events import Event
from dispatch.core.lifecycle import ENDED, OVER, Trigger
from dispatch.core.matching import Candidate
from dispatch.core.offers import overtake
from schemas.base import AssignmentId, UnitId
from schemas.incident import Assignment, Role, Status
from schemas.plan import Need
from schemas.unit import UnitState
from schemas.wire import AssignEndWhy, OfferEndWhy

NEEDS_MOST: Final = 8
FAR_S: Final = 3600.0
"""What is assumed of a unit so far away that no search reaches it."""
CANNOT: Final = frozenset({UnitState.OFF, UnitState.DISABLED, UnitState.ENGAGED})

Outcome = dict[str, Any]


def ask(draft: Draft, command: c.Ask) -> Outcome:
    """Offer the incident to one unit."""
    candidate = _free(draft, command.unit_id)
    if any(offer.unit_id == command.unit_id for offer in draft.live_offers()):
        raise Conflict("the unit is being asked already", state=UnitState.OFFERED)
    slot = _slot(draft, command.slot)
    _refuse_one_too_many(draft, slot)
    _open(draft)
    offer = draft.ask(_reachable(candidate), slot, draft.incident.ring_s)
    return {"offer": offer.id}


def order(draft: Draft, command: c.Order) -> Outcome:
    """Send one unit; it fills a free slot, takes over the slot named, or adds one."""
    candidate = _reachable(_free(draft, command.unit_id))
    slot = _slot(draft, command.slot)
    holder = draft.holder(slot)
    if holder is not None and command.slot is None:
        slot, holder = _one_more(draft, Need()), None
    _open(draft)
    if holder is not None:
        overtake(draft, holder)
    _answer_own_offers(draft, command.unit_id)
    task = draft.order(command.unit_id, slot, candidate.eta_s, Role.PRIMARY)
    return {"assignment": task.id}


def withdraw(draft: Draft, command: c.WithdrawOffer) -> Outcome:
    """Call an offer back."""
    offer = draft.offers.get(command.offer_id)
    if offer is None:
        raise NotFound("no such offer")
    draft.end_offer(offer, Trigger.WITHDRAW, Event.WITHDRAWN, OfferEndWhy.WITHDRAWN)
    draft.annotate(command.why, "")
    draft.bar(offer.id)
    return {}


def release(draft: Draft, command: c.Release) -> Outcome:
    """Send a unit home; the slot it held is filled anew."""
    draft.end_task(_live(draft, command.task_id), Trigger.RELEASE, AssignEndWhy.RELEASED)
    draft.annotate(command.why, "")
    return {}


def reassign(draft: Draft, command: c.Reassign) -> Outcome:
    """Send a unit to another incident, whose own decision gives it the order."""
    if command.to == draft.incident.id:
        raise Invalid("it is assigned to this incident already", path="$.to")
    task = _live(draft, command.task_id)
    draft.end_task(task, Trigger.REASSIGN, AssignEndWhy.REASSIGNED)
    draft.annotate(command.why, "")
    draft.errands.append(Errand(incident_id=command.to, kind="order", unit_id=task.unit_id))
    return {}


def pin(draft: Draft, command: c.Pin) -> Outcome:
    """Protect an assignment from being overtaken, or no longer."""
    task = _live(draft, command.task_id)
    draft.change_task(task, Event.PINNED, quiet=True, pinned=command.pinned)
    return {}


def _free(draft: Draft, unit_id: UnitId) -> Candidate:
    """Return a unit that can be asked or sent at all."""
    if draft.incident.status in OVER:
        raise Conflict("the incident is over", state=draft.incident.status)
    candidate = draft.context.field.candidate(unit_id)
    if candidate is None:
        raise NotFound("no such unit")
    state = draft.context.field.state(unit_id)
    if state in CANNOT:
        raise Conflict(f"the unit is {state}", state=state)
    if any(task.unit_id == unit_id for task in draft.live_tasks()):
        raise Conflict("the unit has this task already", state=UnitState.ENGAGED)
    return candidate


def _open(draft: Draft) -> None:
    """Open what was only reported: whoever asks or sends a unit has triaged it."""
    if draft.incident.status is Status.REPORTED:
        draft.move(Trigger.OPEN)


def _refuse_one_too_many(draft: Draft, slot: int) -> None:
    """Hold a person to the bound of the engine: so many units are asked for one slot at most."""
    most = draft.context.plan.most
    if sum(offer.slot == slot for offer in draft.live_offers()) >= most:
        raise Conflict(f"{most} units are being asked for the slot", state=draft.incident.status)


def _reachable(candidate: Candidate) -> Candidate:
    """Return the candidate with a number where its way is longer than any search goes."""
    if isfinite(candidate.eta_s):
        return candidate
    return Candidate(
        unit_id=candidate.unit_id,
        eta_s=FAR_S,
        distance_m=0.0,
        quality=candidate.quality,
        accept_rate=candidate.accept_rate,
        asked_24h=candidate.asked_24h,
        at_home=candidate.at_home,
    )


def _slot(draft: Draft, wished: int | None) -> int:
    """Return the slot wished for, else the first free one, else the first."""
    if wished is not None and not 0 <= wished < len(draft.incident.needs):
        raise Invalid("no such slot", path="$.slot")
    return wished if wished is not None else next(iter(draft.free_slots()), 0)


def _one_more(draft: Draft, need: Need) -> int:
    """Raise the need by one slot; return it."""
    if len(draft.incident.needs) >= NEEDS_MOST:
        raise Conflict(f"an incident has at most {NEEDS_MOST} slots", state=draft.incident.status)
    draft.set(needs=(*draft.incident.needs, need))
    return len(draft.incident.needs) - 1


def _answer_own_offers(draft: Draft, unit_id: UnitId) -> None:
    """End what the unit is being asked: it is sent."""
    for offer in draft.live_offers():
        if offer.unit_id == unit_id:
            draft.end_offer(offer, Trigger.WITHDRAW, Event.WITHDRAWN, OfferEndWhy.ANSWERED)


def _live(draft: Draft, task_id: AssignmentId) -> Assignment:
    task = draft.tasks.get(task_id)
    if task is None:
        raise NotFound("no such assignment")
    if task.state in ENDED:
        raise Conflict("the assignment has ended", state=task.state)
    return task


RULES: Final[Mapping[type, Callable[[Draft, Any], Outcome]]] = {
    c.Ask: ask,
    c.Order: order,
    c.WithdrawOffer: withdraw,
    c.Release: release,
    c.Reassign: reassign,
    c.Pin: pin,
}
