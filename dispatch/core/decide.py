"""One function per command: a case, a command, a moment in; changes and an answer out."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from dispatch.core import amend, direct
from dispatch.core import commands as c
from dispatch.core.decision import ENGINE, EXPIRY_GRACE_S, Context, Decision, Draft
from dispatch.core.errors import Conflict, Refusal, Stale, Taken
from dispatch.core.events import Event
from dispatch.core.ladder import climb, next_wake
from dispatch.core.lifecycle import ENDED, OVER, Trigger, advance
from dispatch.core.lifecycle import OFFER as OFFER_TABLE
from dispatch.core.offers import (
    arrival,
    end_hopeless,
    overtake,
    promote_backups,
    release_backups,
    slot_for,
    top_up,
)
from dispatch.core.watch import watch
from schemas.base import Instant
from schemas.incident import Assignment, Case, Concern, Offer, OfferState, Role
from schemas.incident import AssignmentState as A
from schemas.incident import Status as S
from schemas.wire import AssignEndWhy, OfferEndWhy, Reached

ANSWER_LIFE_S: Final = 90
"""An answer tapped longer ago is not meant any more (protocol, section 3)."""
OPENS_AT_ONCE: Final = 2
"""Priorities up to this one never wait for triage."""

Outcome = dict[str, Any]


def open_case(command: c.Open, context: Context) -> Decision:
    """Begin a case; ask at once unless a person has to look first."""
    case = Case(incident=command.incident)
    draft = Draft(case, context, new=True)
    draft.log(Event.REPORTED, source=case.incident.source, priority=case.incident.priority)
    if command.trusted or case.incident.priority <= OPENS_AT_ONCE:
        draft.move(Trigger.OPEN)
    outcome: Outcome = {"iid": case.incident.id}
    if command.taken_on is not None:
        task = draft.order(command.taken_on, 0, 0.0, Role.PRIMARY, seen=True)
        outcome["aid"] = task.id
    return settle(draft, outcome)


def decide(case: Case, command: c.Command, context: Context) -> Decision:
    """Decide one command on one case. A refusal that changes nothing is raised."""
    draft = Draft(case, context)
    refusal: Refusal | None = None
    outcome: Outcome = {}
    try:
        outcome = RULES[type(command)](draft, command)
    except Refusal as error:
        if not draft.entries:
            raise
        refusal = error
    return settle(draft, outcome, refusal)


def settle(draft: Draft, outcome: Outcome, refusal: Refusal | None = None) -> Decision:
    """Draw the consequences: statuses, backups, hopeless offers, new offers, the next clock."""
    draft.actor = ENGINE
    advance_incident(draft)
    if draft.incident.status in OVER:
        stand_down(draft)
    else:
        climb(draft)
        watch(draft)
        promote_backups(draft)
        release_backups(draft)
        top_up(draft)
        end_hopeless(draft)
        advance_incident(draft)
    return draft.decision(next_wake(draft), outcome, refusal)


def stand_down(draft: Draft) -> None:
    """Call back whoever is still asked or sent for an incident that is over."""
    for offer in draft.live_offers():
        draft.end_offer(offer, Trigger.WITHDRAW, Event.WITHDRAWN, OfferEndWhy.WITHDRAWN)
    for task in draft.live_tasks():
        draft.end_task(task, Trigger.RELEASE, AssignEndWhy.RELEASED)
    if draft.incident.search_at is not None:
        draft.set(search_at=None)


# The incident follows its offers and assignments, one row of the table at a time. ---------------


def advance_incident(draft: Draft) -> None:
    """Move the incident to where its offers and assignments say it is."""
    while (step := _step(draft)) is not None:
        trigger, changes = step
        draft.move(trigger, **changes)


def _step(draft: Draft) -> tuple[Trigger, Outcome] | None:
    rule = FOLLOWS.get(draft.incident.status)
    return rule(draft) if rule else None


def _from_open(draft: Draft) -> tuple[Trigger, Outcome] | None:
    if draft.live_tasks():
        return Trigger.ANSWERED, {}
    return (Trigger.OFFER, {}) if draft.live_offers() else None


def _from_dispatching(draft: Draft) -> tuple[Trigger, Outcome] | None:
    if draft.live_tasks():
        return Trigger.ANSWERED, {}
    return None if draft.live_offers() else (Trigger.NOBODY, {})


def _from_responding(draft: Draft) -> tuple[Trigger, Outcome] | None:
    if any(t.arrived_at for t in draft.live_tasks()) or _all_resolved(draft):
        return Trigger.ARRIVE, {}
    return None if draft.live_tasks() else (Trigger.EMPTIED, {})


def _from_on_scene(draft: Draft) -> tuple[Trigger, Outcome] | None:
    if _all_resolved(draft):
        return Trigger.RESOLVE, {"resolved_at": draft.now}
    if any(t.controlled_at for t in draft.live_tasks()):
        return Trigger.CONTROL, {}
    return None if draft.live_tasks() else (Trigger.EMPTIED, {})


def _from_controlled(draft: Draft) -> tuple[Trigger, Outcome] | None:
    return (Trigger.RESOLVE, {"resolved_at": draft.now}) if _all_resolved(draft) else None


def _all_resolved(draft: Draft) -> bool:
    return bool(draft.filled_before()) and not draft.live_tasks()


FOLLOWS: Final[Mapping[S, Callable[[Draft], tuple[Trigger, Outcome] | None]]] = {
    S.OPEN: _from_open,
    S.DISPATCHING: _from_dispatching,
    S.RESPONDING: _from_responding,
    S.ON_SCENE: _from_on_scene,
    S.CONTROLLED: _from_controlled,
}


# The commands. -----------------------------------------------------------------------------------


def triage(draft: Draft, command: c.Triage) -> Outcome:
    """Open or reject what was reported."""
    if command.accept:
        draft.move(Trigger.OPEN)
        draft.log(Event.OPENED, why=command.why)
    else:
        draft.move(Trigger.REJECT, ended_at=draft.now)
        draft.log(Event.REJECTED, why=command.why)
    return {}


def accept(draft: Draft, command: c.Accept) -> Outcome:
    """Honour an answer, late or not, unless others arrive sooner."""
    offer = draft.offer_to(command.offer_id, command.unit_id)
    advance(OFFER_TABLE, offer.state, Trigger.ACCEPT)
    if draft.now - command.at > timedelta(seconds=ANSWER_LIFE_S):
        raise Stale("answered too long ago; ask the person again", path="at", state=offer.state)
    eta_s, arrive_at = arrival(draft, offer)
    slot = slot_for(draft, offer, arrive_at)
    if slot is None:
        draft.end_offer(offer, Trigger.TAKE, Event.TAKEN, OfferEndWhy.TAKEN)
        raise Taken("other units arrive sooner", state=OfferState.TAKEN)
    if holder := draft.holder(slot):
        overtake(draft, holder)
    draft.move_offer(offer, Trigger.ACCEPT, Event.ACCEPTED, late=offer.state is OfferState.LAPSED)
    task = draft.assign(offer, slot, eta_s, command.crew)
    draft.tell_colleagues(offer)
    return {"aid": task.id, "rev": task.rev, "changed": _changed_since(offer, command)}


def _changed_since(offer: Offer, command: c.Accept) -> list[str]:
    """Name what the acceptor could not know when he tapped."""
    return ["lapsed"] if offer.state is OfferState.LAPSED and command.at > offer.lapse_at else []


def decline(draft: Draft, command: c.Decline) -> Outcome:
    """Take a no; somebody else is asked in the same decision."""
    offer = draft.offer_to(command.offer_id, command.unit_id)
    draft.move_offer(offer, Trigger.DECLINE, Event.DECLINED, why=command.why)
    draft.tell_colleagues(offer)
    return {"rev": offer.rev}


def see_offer(draft: Draft, command: c.SeeOffer) -> Outcome:
    """Note the first time a human saw the offer."""
    offer = draft.offer_to(command.offer_id, command.unit_id)
    if offer.seen_at is None:
        draft.see_offer(offer)
    return {"rev": offer.rev}


def see_task(draft: Draft, command: c.SeeTask) -> Outcome:
    """Note the first time a human saw the task."""
    task = draft.task_of(command.task_id, command.unit_id)
    if task.seen_at is None:
        draft.change_task(task, Event.TASK_SEEN, quiet=True, seen_at=draft.now)
    return {"rev": task.rev}


REACHES: Final[Mapping[Reached, tuple[Trigger, A]]] = {
    Reached.EN_ROUTE: (Trigger.DEPART, A.EN_ROUTE),
    Reached.ARRIVED: (Trigger.ARRIVE, A.ARRIVED),
    Reached.CONTROLLED: (Trigger.CONTROL, A.CONTROLLED),
    Reached.RESOLVED: (Trigger.RESOLVE, A.RESOLVED),
    Reached.ABORTED: (Trigger.ABORT, A.ABORTED),
}
GPS: Final = "gps"
FROM_THE_SCENE: Final = frozenset({Reached.ARRIVED, Reached.CONTROLLED, Reached.RESOLVED})
ORDER: Final = (A.ASSIGNED, A.EN_ROUTE, A.ARRIVED, A.CONTROLLED, A.RESOLVED)


def report(draft: Draft, command: c.Report) -> Outcome:
    """Take a step of the task; the furthest member counts, and a fact that comes late is kept."""
    task = draft.task_of(command.task_id, command.unit_id)
    trigger, reached = REACHES[command.reached]
    if task.state in ENDED:
        draft.log(Event.LATE, task.unit_id, assignment=task.id, reached=reached, note=command.note)
        return {"s": task.state, "late": True}
    if command.reached in FROM_THE_SCENE:
        task = _confirmed(draft, task)
    if reached in ORDER and ORDER.index(reached) <= ORDER.index(task.state):
        return {"s": task.state}
    at = min(draft.now, max(task.assigned_at, command.at))
    _take_step(draft, command, trigger, at)
    return {"s": draft.tasks[task.id].state}


def _confirmed(draft: Draft, task: Assignment) -> Assignment:
    """Take a person's word from the scene for what only fixes said before."""
    if Concern.UNCONFIRMED not in task.warned:
        return task
    left = tuple(concern for concern in task.warned if concern is not Concern.UNCONFIRMED)
    return draft.change_task(task, Event.CONFIRMED, warned=left)


def located(draft: Draft, command: c.Located) -> Outcome:
    """Take a step that fixes prove; the unit is asked to confirm that it is there."""
    task = draft.task_of(command.task_id, command.unit_id)
    trigger, reached = REACHES[command.reached]
    if task.state in ENDED or ORDER.index(reached) <= ORDER.index(task.state):
        raise Conflict("the unit has come further already", state=task.state)
    times = _times(task, command.reached, min(draft.now, max(task.assigned_at, command.at)))
    there = command.reached is Reached.ARRIVED
    noticed = (*task.warned, Concern.UNCONFIRMED) if there else task.warned
    draft.move_task(task, trigger, warned=noticed, **times)
    draft.annotate("", "", proof=GPS)
    _first(draft, **times)
    return {"s": reached}


ENDS: Final[Mapping[Reached, AssignEndWhy]] = {
    Reached.RESOLVED: AssignEndWhy.RESOLVED,
    Reached.ABORTED: AssignEndWhy.ABORTED,
}


def _take_step(draft: Draft, command: c.Report, trigger: Trigger, at: Instant) -> None:
    task = draft.tasks[command.task_id]
    if why := ENDS.get(command.reached):
        draft.end_task(task, trigger, why)
    else:
        times = _times(task, command.reached, at)
        draft.move_task(task, trigger, **times)
        _first(draft, **times)
    if command.note or command.outcome:
        draft.annotate(command.note, command.outcome)


def _times(task: Assignment, reached: Reached, at: Instant) -> dict[str, Instant]:
    """Return the times a step tells: its own; who arrives without a word was on his way."""
    times = {f"{reached}_at": at}
    if reached is Reached.ARRIVED:
        times["en_route_at"] = task.en_route_at or at
    return times


def _first(draft: Draft, **times: Any) -> None:
    """Keep the earliest of each of the four firsts."""
    known = {name: getattr(draft.incident, name) for name in times}
    draft.set(**{n: min(at, known[n]) if known[n] else at for n, at in times.items()})


def cancel(draft: Draft, command: c.Cancel) -> Outcome:
    """Call the incident off, and with it whoever is asked or sent."""
    draft.move(Trigger.CANCEL, ended_at=draft.now)
    draft.log(Event.CANCELLED, why=command.why)
    for offer in draft.live_offers():
        draft.end_offer(offer, Trigger.CANCEL, Event.OFFER_CANCELLED, OfferEndWhy.CANCELLED)
    for task in draft.live_tasks():
        draft.end_task(task, Trigger.CANCEL, AssignEndWhy.CANCELLED)
    return {}


def resolve(draft: Draft, command: c.Resolve) -> Outcome:
    """Settle the matter on a person's word; whoever is not there yet turns round."""
    draft.move(Trigger.RESOLVE, resolved_at=draft.now)
    draft.log(Event.RESOLVED, note=command.note)
    for task in draft.live_tasks():
        if task.arrived_at is None:
            draft.end_task(task, Trigger.RELEASE, AssignEndWhy.RELEASED)
        else:
            draft.end_task(task, Trigger.RESOLVE, AssignEndWhy.RESOLVED)
    return {}


def close(draft: Draft, command: c.CloseFile) -> Outcome:
    """Close the file with a result code."""
    draft.move(Trigger.CLOSE, ended_at=draft.now, result=command.result)
    draft.log(Event.CLOSED, result=command.result, note=command.note)
    return {}


def wake(draft: Draft, _: c.Wake) -> Outcome:
    """Let every offer lapse or expire whose clock has come; the ladder and the search follow."""
    grace = timedelta(seconds=EXPIRY_GRACE_S)
    for offer in draft.live_offers():
        if offer.exp_at + grace <= draft.now:
            draft.end_offer(offer, Trigger.EXPIRE, Event.EXPIRED, OfferEndWhy.EXPIRED)
        elif offer.state is OfferState.OPEN and offer.lapse_at <= draft.now:
            draft.move_offer(offer, Trigger.LAPSE, Event.LAPSED)
    return {}


def unit_gone(draft: Draft, command: c.UnitGone) -> Outcome:
    """End the offers of a unit that went elsewhere, or whose last member left."""
    for offer in draft.live_offers():
        if offer.unit_id != command.unit_id:
            continue
        if command.engaged:
            draft.end_offer(offer, Trigger.WITHDRAW, Event.WITHDRAWN, OfferEndWhy.WITHDRAWN)
        else:
            draft.end_offer(offer, Trigger.DECLINE, Event.DECLINED, OfferEndWhy.WITHDRAWN)
    return {}


RULES: Final[Mapping[type, Callable[[Draft, Any], Outcome]]] = {
    c.Triage: triage,
    c.Accept: accept,
    c.Decline: decline,
    c.SeeOffer: see_offer,
    c.SeeTask: see_task,
    c.Report: report,
    c.Located: located,
    c.Cancel: cancel,
    c.Resolve: resolve,
    c.CloseFile: close,
    c.Wake: wake,
    c.UnitGone: unit_gone,
    **amend.RULES,
    **direct.RULES,
}
