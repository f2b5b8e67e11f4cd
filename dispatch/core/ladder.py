"""The escalation ladder: at which clock a response widens, and when a case wakes next.

Clocks start at the call (mission, rule 12), so an incident that comes late by a slow feed escalates
at once.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from dispatch.core.decision import EXPIRY_GRACE_S, Draft
from dispatch.core.events import Event
from dispatch.core.lifecycle import WANTS_UNITS
from dispatch.core.offers import searches, widen
from dispatch.core.watch import times as watch_times
from schemas.base import Instant
from schemas.incident import OfferState
from schemas.plan import Level, Rung, Step

PUT_OFF_S: Final = 10
"""Who would be called back by a whole picture is looked at again so soon."""
LEVELS: Final[Mapping[Rung, Level]] = {
    Rung.POLICE: Level.STREET,
    Rung.STREET: Level.STREET,
    Rung.PROFESSIONALS: Level.DISTRICT,
}

WIDTH: Final = tuple(Level)
"""The levels of command, the widest last."""

UNTIL: Final[Mapping[str, Callable[[Draft], bool]]] = {
    "accepted": lambda draft: bool(draft.live_tasks()),
    "arrived": lambda draft: draft.incident.arrived_at is not None,
}


def climb(draft: Draft) -> None:
    """Take every step of the ladder whose clock has come."""
    while (step := next_step(draft)) and step_at(draft, step) <= draft.now:
        draft.set(step=draft.incident.step + 1)
        if not UNTIL[step.until](draft):
            take(draft, step)


def next_step(draft: Draft) -> Step | None:
    """Return the step to be taken next, while units are still wanted."""
    steps = draft.context.plan.steps
    if draft.incident.status not in WANTS_UNITS or draft.incident.step >= len(steps):
        return None
    return steps[draft.incident.step]


def step_at(draft: Draft, step: Step) -> Instant:
    """Return the instant a step is due."""
    began = draft.incident.reopened_at or draft.incident.called_at
    return began + timedelta(seconds=step.after_s)


def take(draft: Draft, step: Step) -> None:
    """Take one step, and say why in words."""
    reason = f"not {step.until} {step.after_s} s after the call"
    if step.ring_s is not None:
        if step.ring_s > draft.incident.ring_s and draft.free_slots():
            widen(draft, step.ring_s, reason)
        return
    draft.log(Event.ESCALATED, rung=step.rung, reason=reason if step.after_s else "life at stake")
    raise_level(draft, step.rung)


def raise_level(draft: Draft, rung: Rung) -> None:
    """Give command to the level a rung calls, unless a wider one has it already."""
    levels = (LEVELS.get(rung, Level.GRID), draft.incident.level)
    draft.set(level=max(levels, key=WIDTH.index))


def next_wake(draft: Draft) -> Instant | None:
    """Return the nearest instant at which the case has something to do by itself."""
    grace = timedelta(seconds=EXPIRY_GRACE_S)
    live = draft.live_offers()
    times = [o.lapse_at for o in live if o.state is OfferState.OPEN]
    times += [o.exp_at + grace for o in live]
    if step := next_step(draft):
        times.append(step_at(draft, step))
    if draft.incident.search_at and searches(draft):
        times.append(draft.incident.search_at)
    if draft.put_off:
        times.append(draft.now + timedelta(seconds=PUT_OFF_S))
    times += watch_times(draft)
    return min(times, default=None)
