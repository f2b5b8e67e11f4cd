"""Who would be asked for an incident nobody has opened: the same search without the sending."""

from dispatch.core.decision import Context
from dispatch.core.matching import Candidate, Found, enough, p_somebody
from dispatch.core.offers import RINGS_S, horizons_s, why_short
from dispatch.live.fleet import Fleet
from schemas.base import UnitId
from schemas.incident import Incident
from schemas.plan import Need, Plan
from schemas.rest import Candidates, CandidateView


def preview(incident: Incident, context: Context, fleet: Fleet) -> Candidates:
    """Return the first units of every slot, the chance of an arrival, and what is short."""
    plan, views, chances, short = context.plan, [], [], None
    left_out: dict[str, int] = {}
    ring_s, taken = incident.ring_s, set[UnitId]()
    for slot, need in enumerate(incident.needs):
        found, ring_s = _search(need, context, frozenset(taken), ring_s)
        chosen = found.candidates[: wanted(found, plan)]
        taken.update(c.unit_id for c in chosen)
        views += [_view(c, slot, ring_s, fleet, plan) for c in chosen]
        chances.append(p_somebody(c.p_by(plan.aim_s) for c in chosen))
        left_out = {str(reason): n for reason, n in found.left_out.items()} or left_out
        if len(chosen) < plan.k:
            short = short or why_short(found, ring_s)
    return Candidates(
        quality=next((view.quality for view in views), fleet.model.quality),
        ring_s=ring_s,
        p_arrive=round(min(chances, default=0.0), 3),
        candidates=views,
        left_out=left_out,
        shortfall=short,
        partial=context.partial,
    )


def wanted(found: Found, plan: Plan) -> int:
    """Return how many the plan asks at first."""
    if plan.aim_p is None:
        return plan.k
    asked_for = enough(found.candidates[: plan.most], plan.aim_p, horizons_s(plan), lambda _: 0.0)
    return min(plan.most, max(plan.k, asked_for))


def _search(
    need: Need, context: Context, taken: frozenset[UnitId], ring_s: int
) -> tuple[Found, int]:
    """Search the ring; an empty one is skipped at once."""
    found = context.field.candidates(need, ring_s, taken)
    for wider in RINGS_S:
        if found.candidates or wider <= ring_s:
            continue
        ring_s = wider
        found = context.field.candidates(need, ring_s, taken)
    return found, ring_s


def _view(candidate: Candidate, slot: int, ring_s: int, fleet: Fleet, plan: Plan) -> CandidateView:
    unit = fleet.unit(candidate.unit_id)
    assert unit is not None, "a candidate comes from the fleet"  # noqa: S101 - the search names known units only
    return CandidateView(
        unit_id=unit.id,
        code=unit.code,
        name=unit.name,
        kind=unit.kind,
        moves=unit.moves,
        slot=slot,
        eta_s=round(candidate.eta_s, 1),
        distance_m=round(candidate.distance_m, 1),
        quality=candidate.quality,
        ring_s=ring_s,
        p=round(candidate.p_by(plan.aim_s), 3),
        asked_24h=candidate.asked_24h,
        reasons=("home_post",) if candidate.at_home else ("fresh_fix",),
        told_by=candidate.told_by or None,
    )
