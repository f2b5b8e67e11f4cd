"""The offer engine: how many, whom next, close on the best arrival (mission, rules 1 and 2)."""

from collections.abc import Iterable
from datetime import timedelta
from math import isfinite
from typing import Final

from dispatch.core.decision import Draft
from dispatch.core.events import Event
from dispatch.core.lifecycle import WANTS_UNITS, Trigger
from dispatch.core.matching import (
    PRIOR,
    Found,
    Reason,
    enough,
    p_arrived,
    p_somebody,
)
from schemas.base import Instant, UnitId
from schemas.incident import (
    Assignment,
    AssignmentState,
    Concern,
    Mode,
    Offer,
    OfferState,
    Role,
)
from schemas.plan import Plan
from schemas.wire import AssignEndWhy, OfferEndWhy

RINGS_S: Final = (180, 300)
SOONER_S: Final = 20
"""A take-over needs an arrival clearly sooner (protocol, section 9)."""
SEARCH_EVERY_S: Final = 10
RELEASE_GAIN_S: Final = 30
RELEASE_AWAY_S: Final = 60
GENTLE_FROM_PRIORITY: Final = 3
P_TOO_LOW: Final = 0.5

NOT_AGAIN: Final = frozenset({OfferState.OPEN, OfferState.LAPSED, OfferState.DECLINED})
LEFT_US: Final = frozenset(
    {AssignmentState.ABORTED, AssignmentState.NO_SHOW, AssignmentState.RELEASED}
)


def excluded(draft: Draft) -> frozenset[UnitId]:
    """Return the units not to be asked (again): being asked, said no, have the task, or left it.

    What was before a reopening bars nobody: it begins again.
    """
    asked = (o for o in draft.offers.values() if o.barred or o.state in NOT_AGAIN)
    left = (a for a in draft.tasks.values() if a.state in LEFT_US)
    told = {o.unit_id for o in asked if draft.counts(o.sent_at)}
    told |= {a.unit_id for a in left if draft.counts(a.assigned_at)}
    return frozenset(told | {a.unit_id for a in draft.live_tasks()})


def searches(draft: Draft) -> bool:
    """Say whether the engine asks units for this incident by itself."""
    return draft.incident.status in WANTS_UNITS and draft.incident.mode is Mode.AUTO


def top_up(draft: Draft) -> None:
    """Keep enough offers out for every free slot; widen an empty ring; say what is short."""
    if not searches(draft):
        return
    short = [reason for slot in draft.free_slots() if (reason := _fill(draft, slot))]
    _note_shortfall(draft, short[0] if short else None)


def outstanding(draft: Draft, slot: int) -> list[Offer]:
    """Return the offers of a slot that still ring."""
    return [o for o in draft.live_offers() if o.slot == slot and o.state is OfferState.OPEN]


def expected(draft: Draft, slot: int, by_s: float) -> float:
    """Return the chance that one of those asked for the slot is there `by_s` after now."""
    return _chance(draft, (o for o in draft.live_offers() if o.slot == slot), by_s)


def _chance(draft: Draft, asked: Iterable[Offer], by_s: float) -> float:
    return p_somebody(PRIOR * p_arrived(_eta_s(draft, o), by_s) for o in asked)


def _fill(draft: Draft, slot: int) -> str | None:
    """Ask for one slot; return why fewer than wanted could be asked."""
    reason = _ask(draft, slot)
    while reason and _thin(draft, slot) and _widen(draft, reason):
        reason = _ask(draft, slot)
    return reason


def _thin(draft: Draft, slot: int) -> bool:
    """Say whether too little rings: who was silent may answer yet, but is not waited for."""
    return _chance(draft, outstanding(draft, slot), draft.incident.ring_s) < P_TOO_LOW


def _ask(draft: Draft, slot: int) -> str | None:
    need, ring_s, plan = draft.incident.needs[slot], draft.incident.ring_s, draft.context.plan
    ringing = len(outstanding(draft, slot))
    room = plan.most - sum(o.slot == slot for o in draft.live_offers())
    if room <= 0:
        return None
    if plan.aim_p is None and ringing >= plan.k:
        return None
    found = draft.context.field.candidates(need, ring_s, excluded(draft))
    wanted = plan.k - ringing
    if plan.aim_p is not None:
        wanted = max(wanted, _aimed_at(draft, slot, found, room))
    chosen = found.candidates[: max(0, min(wanted, room))]
    for candidate in chosen:
        draft.ask(candidate, slot, ring_s)
    return why_short(found, ring_s) if len(chosen) < min(plan.k - ringing, room) else None


def horizons_s(plan: Plan) -> tuple[int, ...]:
    """Return by when somebody should be there: the plan's aim, else the rings wider than it."""
    return (plan.aim_s, *(ring_s for ring_s in RINGS_S if ring_s > plan.aim_s))


def _aimed_at(draft: Draft, slot: int, found: Found, room: int) -> int:
    """Return how many the aim of the plan asks for, beside those asked already."""
    plan = draft.context.plan
    return enough(
        found.candidates[:room],
        plan.aim_p or 0.0,
        horizons_s(plan),
        lambda by_s: expected(draft, slot, by_s),
    )


def why_short(found: Found, ring_s: int) -> str:
    """Say in a word why nobody (more) can be asked: the bar that stopped most, or an empty ring."""
    others = {r: n for r, n in found.left_out.items() if r is not Reason.ASKED_BEFORE}
    if others:
        return max(others, key=lambda r: others[r])
    return "all_asked" if found.left_out else f"no_unit_within_{ring_s}_s"


def _widen(draft: Draft, reason: str) -> bool:
    wider = next((ring for ring in RINGS_S if ring > draft.incident.ring_s), None)
    if wider is None:
        return False
    widen(draft, wider, reason)
    return True


def widen(draft: Draft, ring_s: int, reason: str) -> None:
    """Draw offers from a wider ring from now on."""
    draft.log(Event.WIDENED, before_s=draft.incident.ring_s, after_s=ring_s, reason=reason)
    draft.set(ring_s=ring_s)


def _note_shortfall(draft: Draft, reason: str | None) -> None:
    again = None if reason is None else draft.now + timedelta(seconds=SEARCH_EVERY_S)
    if reason != draft.incident.shortfall:
        event = Event.SHORTFALL if reason else Event.FOUND
        draft.log(event, reason=reason or draft.incident.shortfall)
    draft.set(shortfall=reason, search_at=again)


# Closing on the best arrival. ----------------------------------------------------------------


def _eta_s(draft: Draft, offer: Offer) -> float:
    """Return the newest ETA of an asked unit; the one it was asked with where none is known."""
    newest = draft.context.field.eta_s(offer.unit_id)
    return newest if isfinite(newest) else offer.eta_s


def arrival(draft: Draft, offer: Offer) -> tuple[float, Instant]:
    """Return seconds to go and the instant a unit would be there if it left now."""
    eta_s = _eta_s(draft, offer)
    return eta_s, draft.now + timedelta(seconds=eta_s)


def slot_for(draft: Draft, offer: Offer, arrive_at: Instant) -> int | None:
    """Return the slot an answer fills: a free one, else the one it can be at clearly sooner."""
    fits = [i for i in range(len(draft.incident.needs)) if _fits(draft, offer, i)]
    free = [i for i in draft.free_slots() if i in fits]
    if free:
        return offer.slot if offer.slot in free else free[0]
    beaten = [h for i in fits if (h := draft.holder(i)) and _beats(draft, arrive_at, h)]
    return max(beaten, key=lambda h: h.arrive_at).slot if beaten else None


def _fits(draft: Draft, offer: Offer, slot: int) -> bool:
    need = draft.incident.needs[slot]
    return slot == offer.slot or draft.context.field.capable(offer.unit_id, need)


def _beats(draft: Draft, arrive_at: Instant, holder: Assignment) -> bool:
    if holder.pinned or holder.arrived_at is not None:
        return False
    absent = Concern.NO_SHOW in holder.warned
    return absent or arrive_at <= _there_at(draft, holder) - timedelta(seconds=SOONER_S)


def _there_at(draft: Draft, holder: Assignment) -> Instant:
    """Return when a holder is there: as it was sent; one that went away, as it stands now."""
    eta_s = draft.context.field.eta_s(holder.unit_id)
    if Concern.RECEDING not in holder.warned or not isfinite(eta_s):
        return holder.arrive_at
    return max(holder.arrive_at, draft.now + timedelta(seconds=eta_s))


def overtake(draft: Draft, holder: Assignment) -> None:
    """Let the one overtaken go on as backup; it is released later, gently or not at all."""
    draft.change_task(holder, Event.BACKED_UP, role=Role.BACKUP)


def end_hopeless(draft: Draft) -> None:
    """End the offers that fit no free slot, and cannot be sooner than whoever holds the others."""
    for offer in draft.live_offers():
        if slot_for(draft, offer, arrival(draft, offer)[1]) is None:
            draft.end_offer(offer, Trigger.TAKE, Event.TAKEN, OfferEndWhy.TAKEN)


def promote_backups(draft: Draft) -> None:
    """Let the soonest backup hold its slot again when the one that overtook it is gone."""
    for slot in draft.free_slots():
        backups = [t for t in draft.live_tasks() if t.slot == slot]
        if backups:
            soonest = min(backups, key=lambda t: t.arrive_at)
            draft.change_task(soonest, Event.PROMOTED, alert=True, role=Role.PRIMARY)


def release_backups(draft: Draft) -> None:
    """Call back those overtaken once the sooner unit is there, or (priority 3, 4) moving."""
    for task in draft.live_tasks():
        holder = draft.holder(task.slot)
        if task.role is Role.BACKUP and holder and _may_go_home(draft, task, holder):
            draft.call_back(task, Trigger.OVERTAKE, AssignEndWhy.OVERTAKEN)


def _may_go_home(draft: Draft, task: Assignment, holder: Assignment) -> bool:
    if task.pinned or task.arrived_at is not None or _sent_home_before(draft, task):
        return False
    if holder.arrived_at is not None:
        return True
    gain_s = (task.arrive_at - holder.arrive_at).total_seconds()
    away_s = (task.arrive_at - draft.now).total_seconds()
    gentle = draft.incident.priority >= GENTLE_FROM_PRIORITY
    moving = holder.en_route_at is not None
    return gentle and moving and gain_s >= RELEASE_GAIN_S and away_s > RELEASE_AWAY_S


def _sent_home_before(draft: Draft, task: Assignment) -> bool:
    """Say whether this unit was overtaken here already: nobody is called back twice."""
    return any(
        a.unit_id == task.unit_id and a.state is AssignmentState.OVERTAKEN
        for a in draft.tasks.values()
        if draft.counts(a.assigned_at)
    )
