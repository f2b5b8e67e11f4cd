"""The watchdogs over units that were sent: unseen, not moving, not coming, silent.

After rule 6 of the mission. Each clock is looked at once, and what it finds is noticed once
(`Assignment.warned`):

- An order nobody has seen rings a desk; a little later one more unit is asked.
- A unit whose newest ETA has not fallen since it was sent is not moving. That is written down at
  first; later, unless it stands near the scene, it counts as a no-show: one more unit is asked,
  and whoever accepts takes its slot. In the end its task is over.
- Nothing heard from a scene rings a desk, and one more unit is wanted there.

Until a unit is there it is also looked at again and again:

- One whose ETA has grown is going away: its arrival is reckoned anew, and who would be there
  clearly sooner is asked.
- One whose fix is too old is asked where it is, at every look; that is written down once.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from msgspec.structs import replace

from dispatch.core.decision import Draft
from dispatch.core.events import Event
from dispatch.core.lifecycle import WANTS_UNITS, Trigger
from dispatch.core.offers import SOONER_S, excluded, searches
from schemas.base import Instant
from schemas.incident import Assignment, AssignmentKind, Concern
from schemas.plan import Need, Watch
from schemas.wire import AssignEndWhy

NEARER_S: Final = 10.0
"""An ETA that fell by less is not a step towards the scene: a fix is that wrong."""
FARTHER_S: Final = 30.0
"""An ETA that grew by so much is no detour any more."""
THERE_M: Final = 150.0
NEEDS_MOST: Final = 8


class Clock(NamedTuple):
    """When a task is looked at, by what, and what is done when that finds something."""

    concern: Concern
    seconds: Callable[[Watch], int]
    applies: Callable[[Assignment], bool]
    finds: Callable[[Draft, Assignment], bool]
    event: Event
    words: str
    again: bool = False


def _waits_to_be_seen(task: Assignment) -> bool:
    unseen = task.seen_at is None and task.en_route_at is None and task.arrived_at is None
    return unseen and task.kind is AssignmentKind.ORDER


def _on_the_way(task: Assignment) -> bool:
    return task.arrived_at is None


def _on_scene(task: Assignment) -> bool:
    return task.arrived_at is not None


def _always(_draft: Draft, _task: Assignment) -> bool:
    return True


def not_nearer(draft: Draft, task: Assignment) -> bool:
    """Tell whether a unit's newest ETA is no better than the one it was sent with."""
    return draft.context.field.eta_s(task.unit_id) > task.eta_s - NEARER_S


def absent(draft: Draft, task: Assignment) -> bool:
    """Tell whether fresh fixes show a unit that has not moved and is not near the scene."""
    seen = draft.context.field.candidate(task.unit_id)
    if seen is None or seen.at_home or seen.distance_m <= THERE_M:
        return False
    return not_nearer(draft, task)


def receding(draft: Draft, task: Assignment) -> bool:
    """Tell whether a fix that is not too old shows a unit going away from the scene."""
    return not unsure(draft, task) and (
        draft.context.field.eta_s(task.unit_id) > task.eta_s + FARTHER_S
    )


def unsure(draft: Draft, task: Assignment) -> bool:
    """Tell whether a unit's fix is too old to say where it is."""
    rules = draft.context.plan.watch
    return rules is not None and draft.context.field.age_s(task.unit_id) > rules.unsure_s


CLOCKS: Final = (
    Clock(
        Concern.UNSEEN,
        lambda w: w.unseen_s,
        _waits_to_be_seen,
        _always,
        Event.UNSEEN,
        "order not seen in {s} s",
    ),
    Clock(
        Concern.NO_SHOW,
        lambda w: w.unheard_s,
        _waits_to_be_seen,
        _always,
        Event.NO_SHOW,
        "order not seen in {s} s; one more unit is asked",
    ),
    Clock(
        Concern.STILL,
        lambda w: w.still_s,
        _on_the_way,
        not_nearer,
        Event.STILL,
        "not moving {s} s after it was sent",
    ),
    Clock(
        Concern.NO_SHOW,
        lambda w: w.no_show_s,
        _on_the_way,
        absent,
        Event.NO_SHOW,
        "not moving {s} s after it was sent; one more unit is asked",
    ),
    Clock(
        Concern.SILENT,
        lambda w: w.silent_s,
        _on_scene,
        _always,
        Event.SILENT,
        "nothing heard from the scene for {s} s; one more unit is wanted",
    ),
    Clock(
        Concern.RECEDING,
        lambda w: w.look_s,
        _on_the_way,
        receding,
        Event.RECEDING,
        "farther away than when it was sent; its arrival is reckoned anew",
        again=True,
    ),
    Clock(
        Concern.UNSURE,
        lambda w: w.unsure_s,
        _on_the_way,
        unsure,
        Event.UNSURE,
        "no fix for {s} s; its phones are asked where it is",
        again=True,
    ),
)


def watch(draft: Draft) -> None:
    """Look at every unit that was sent whose clock has come."""
    rules = draft.context.plan.watch
    if rules is None or draft.incident.status not in WANTS_UNITS:
        return
    for task in draft.live_tasks():
        for clock in CLOCKS:
            _look(draft, draft.tasks[task.id], clock, clock.seconds(rules))
        _locate(draft, draft.tasks[task.id], rules)
        _give_up(draft, draft.tasks[task.id], rules)


def _look(draft: Draft, task: Assignment, clock: Clock, seconds: int) -> None:
    if clock.concern in task.warned or not clock.applies(task):
        return
    if _since(task) + timedelta(seconds=seconds) <= draft.now and clock.finds(draft, task):
        draft.tasks[task.id] = replace(task, warned=(*task.warned, clock.concern))
        reason = clock.words.format(s=seconds)
        draft.log(clock.event, task.unit_id, assignment=task.id, reason=reason)
        _respond(draft, task, clock.concern)


def _respond(draft: Draft, task: Assignment, concern: Concern) -> None:
    """Ask one more unit where one is missing; want one more where a scene is silent."""
    if concern is Concern.NO_SHOW and searches(draft):
        need, ring_s = draft.incident.needs[task.slot], draft.incident.ring_s
        found = draft.context.field.candidates(need, ring_s, excluded(draft))
        for candidate in found.candidates[:1]:
            draft.ask(candidate, task.slot, ring_s)
    if concern is Concern.RECEDING:
        _reckon_anew(draft, task)
    if concern is Concern.SILENT and len(draft.incident.needs) < NEEDS_MOST:
        draft.set(needs=(*draft.incident.needs, Need()))


def _reckon_anew(draft: Draft, task: Assignment) -> None:
    """Expect a unit when it can be there, and ask whoever would be there clearly sooner."""
    draft.renew_task(draft.tasks[task.id], alert=False)
    if not searches(draft):
        return
    need, ring_s = draft.incident.needs[task.slot], draft.incident.ring_s
    later_s = draft.tasks[task.id].eta_s - SOONER_S
    found = draft.context.field.candidates(need, ring_s, excluded(draft))
    for candidate in found.candidates[:1]:
        if candidate.eta_s <= later_s:
            draft.ask(candidate, task.slot, ring_s)


def _locate(draft: Draft, task: Assignment, rules: Watch) -> None:
    """Ask a unit on its way where it is, once its fix is too old."""
    looks = task.arrived_at is None and _since(task) + timedelta(seconds=rules.look_s) <= draft.now
    if looks and unsure(draft, task):
        draft.unsure.append(task.unit_id)


def _give_up(draft: Draft, task: Assignment, rules: Watch) -> None:
    """End the task of a unit that never came, as far as it can be seen."""
    if Concern.NO_SHOW not in task.warned or task.arrived_at is not None or task.pinned:
        return
    late = draft.now >= _since(task) + timedelta(seconds=rules.given_up_s)
    if late and not_nearer(draft, task):
        draft.call_back(task, Trigger.NO_SHOW, AssignEndWhy.NO_SHOW)


def _since(task: Assignment) -> Instant:
    """Return when a task's clocks began: with its last word from the scene, else when it was sent.

    A correction of the place measures the way anew, and so begins them anew.
    """
    if task.arrived_at is not None:
        return task.controlled_at or task.arrived_at
    return max(task.assigned_at, task.arrive_at - timedelta(seconds=task.eta_s))


def times(draft: Draft) -> Iterator[Instant]:
    """Yield when the next looks are due, all of them after now."""
    rules = draft.context.plan.watch
    if rules is None or draft.incident.status not in WANTS_UNITS:
        return
    for task in draft.live_tasks():
        looks = [
            c.seconds(rules)
            for c in CLOCKS
            if c.concern not in task.warned and c.applies(task) and not c.again
        ]
        if Concern.NO_SHOW in task.warned and task.arrived_at is None:
            looks.append(rules.given_up_s)
        for seconds in looks:
            if (at := _since(task) + timedelta(seconds=seconds)) > draft.now:
                yield at
        if task.arrived_at is None:
            yield from _next_look(draft, task, rules)


def _next_look(draft: Draft, task: Assignment, rules: Watch) -> Iterator[Instant]:
    """Yield when a unit on its way is looked at again; never after it would be given up."""
    looked = max(0, int((draft.now - _since(task)).total_seconds() // rules.look_s))
    seconds = (looked + 1) * rules.look_s
    if seconds <= rules.given_up_s:
        yield _since(task) + timedelta(seconds=seconds)
