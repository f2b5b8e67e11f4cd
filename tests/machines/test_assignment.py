"""An assignment goes forward only, each step once, and ends once, whoever reports it."""

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from dispatch.core import commands as c
from dispatch.core.decide import ORDER, REACHES
from dispatch.core.events import Entry, Event
from dispatch.core.lifecycle import ASSIGNMENT, ENDED, OVER, Trigger
from schemas import wire
from schemas.base import UnitId, ms
from schemas.incident import Assignment, AssignmentState
from tests.machines.machine import Repeating, picks
from tests.machines.office import UNITS, refused_for_nothing


class Assignments(Repeating):
    """Units that are ordered somewhere, and report what they like."""

    def __init__(self) -> None:
        """Begin before the call."""
        super().__init__()
        self.known: dict[str, AssignmentState] = {}

    @initialize()
    def call(self) -> None:
        """Somebody calls for two units, and there is another place to send one to."""
        self.incident = self.office.call(needs=2)
        self.refuge = self.office.call(priority=4)
        self.order("u1")

    @precondition(lambda self: self.over)
    @rule()
    def call_again(self) -> None:
        """Something else happens."""
        self.incident = self.office.call(needs=2)

    @property
    def over(self) -> bool:
        """Tell whether the incident is over."""
        return self.office.case(self.incident).incident.status in OVER

    @rule(unit=st.sampled_from(UNITS))
    def order(self, unit: str) -> None:
        """A unit is sent; one that is sent already, or for what is over, is not."""
        busy = UnitId(unit) in self.office.store._active
        reply = self.office.act(self.incident, c.Order(unit_id=UnitId(unit)))
        if busy or self.over:
            assert refused_for_nothing(reply)

    @rule(pick=picks, phone=st.sampled_from("ab"), reached=st.sampled_from(wire.Reached))
    def report(self, pick: int, phone: str, reached: wire.Reached) -> None:
        """A member says how far he has come, in any order, on a task of now or before."""
        if not (task := self._pick(pick)):
            return
        late = len(self._entries(task, Event.LATE))
        frame = wire.Progress(
            id=self.office.clock.new_id(),
            aid=task.id,
            s=reached,
            at=ms(self.office.clock.now()),
        )
        reply = self.office.say(f"d{task.unit_id[1]}{phone}", frame)
        trigger, wanted = REACHES[reached]
        after = self.office.store._tasks[task.id].state
        if task.state in ENDED:
            assert reply.said.result["late"]
            assert len(self._entries(task, Event.LATE)) == late + 1
        elif wanted in ORDER and ORDER.index(wanted) <= ORDER.index(task.state):
            assert reply.said.result == {"s": task.state}
        elif trigger not in ASSIGNMENT[task.state]:
            assert refused_for_nothing(reply)
        else:
            assert reply.said.result == {"s": wanted}
            assert after is ASSIGNMENT[task.state][trigger]
            return
        assert after is task.state

    @rule(pick=picks, trigger=st.sampled_from([Trigger.RELEASE, Trigger.REASSIGN]))
    def call_back(self, pick: int, trigger: Trigger) -> None:
        """A person sends a unit home, or elsewhere."""
        if not (task := self._pick(pick)) or task.incident_id == self.refuge:
            return
        commands: dict[Trigger, c.Command] = {
            Trigger.RELEASE: c.Release(task_id=task.id, why="x"),
            Trigger.REASSIGN: c.Reassign(task_id=task.id, to=self.refuge, why="x"),
        }
        closed = self.office.case(self.refuge).incident.status in OVER
        reply = self.office.act(task.incident_id, commands[trigger])
        after = self.office.store._tasks[task.id].state
        if trigger not in ASSIGNMENT[task.state] or (closed and trigger is Trigger.REASSIGN):
            assert refused_for_nothing(reply)
            assert after is task.state
        else:
            assert after is ASSIGNMENT[task.state][trigger]
        self.office.pass_by(0)

    @rule(pick=picks, pinned=st.booleans())
    def pin(self, pick: int, pinned: bool) -> None:
        """A person protects a unit from being overtaken, while it is sent."""
        if not (task := self._pick(pick)):
            return
        reply = self.office.act(task.incident_id, c.Pin(task_id=task.id, pinned=pinned))
        if task.state in ENDED:
            assert refused_for_nothing(reply)
        else:
            assert self.office.store._tasks[task.id].pinned is pinned

    @rule(seconds=st.sampled_from([0, 10, 30, 120, 700]))
    def wait(self, seconds: int) -> None:
        """Time passes; who does not come is given up."""
        self.office.pass_by(seconds)

    @invariant()
    def each_walks_its_table(self) -> None:
        """Never backwards, each step written once, the end too."""
        for task in self.office.store._tasks.values():
            was = self.known.get(task.id, AssignmentState.ASSIGNED)
            assert task.state in _after(was)
            self.known[task.id] = task.state
            states = [entry.data["state"] for entry in self._entries(task, Event.PROGRESSED)]
            assert len(states) == len(set(states))
            assert len(self._entries(task, Event.ASSIGNMENT_ENDED)) == (task.state in ENDED)
            assert (task.ended_at is not None) == (task.state in ENDED)

    @invariant()
    def nobody_is_sent_twice(self) -> None:
        """A unit has one active assignment at most, and memory knows it."""
        live = [t.unit_id for t in self.office.store._tasks.values() if t.state not in ENDED]
        assert len(live) == len(set(live))
        self.office.check_memory()

    def _pick(self, pick: int) -> Assignment | None:
        tasks = list(self.office.store._tasks.values())
        return tasks[-1 - pick % len(tasks)] if tasks else None

    def _entries(self, task: Assignment, kind: Event) -> list[Entry]:
        log = self.office.log(task.incident_id, kind)
        return [entry for entry in log if entry.data["assignment"] == task.id]


def _after(state: AssignmentState) -> set[AssignmentState]:
    """Return what can follow a state, by any number of steps; itself too."""
    found = {state}
    for onward in ASSIGNMENT[state].values():
        found |= _after(onward)
    return found


AFTER: Final = {state: _after(state) for state in ASSIGNMENT}
TestAssignments = Assignments.TestCase
TestAssignments.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
