"""A unit is what its crew, its offers and its assignments make of it, by the steps of its table."""

from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from dispatch.core import commands as c
from dispatch.core.errors import Conflict
from dispatch.core.lifecycle import ENDED, OPEN_OFFER, OVER, UNIT
from schemas import wire
from schemas.base import UnitId, ms
from schemas.unit import UnitState
from tests.machines.machine import Repeating
from tests.machines.office import DEVICES, UNITS, refused_for_nothing

CANNOT: Final = {UnitState.OFF, UnitState.DISABLED, UnitState.ENGAGED}
"""Who is that can neither be asked nor sent."""
units = st.sampled_from(UNITS)


class Units(Repeating):
    """Three units, whose people come and go while somebody wants them."""

    @initialize()
    def begin(self) -> None:
        """A call that the engine leaves to people."""
        self.incident = self.office.call(priority=3)
        self.states = {unit: self.office.unit_state(unit) for unit in UNITS}

    @rule()
    def call(self) -> None:
        """Somebody calls, where the last call is over."""
        if self.office.case(self.incident).incident.status in OVER:
            self.incident = self.office.call(priority=3)

    @rule(unit=units, order=st.booleans())
    def want(self, unit: str, order: bool) -> None:
        """A person asks a unit, or sends it, free or not."""
        before = self.states[unit]
        command = (c.Order if order else c.Ask)(unit_id=UnitId(unit))
        reply = self.office.act(self.incident, command)
        if before in CANNOT:
            assert isinstance(reply.said, Conflict)
            assert refused_for_nothing(reply)
        elif reply.refused is None and order:
            assert self.office.unit_state(unit) is UnitState.ENGAGED
        elif reply.refused is None:
            # One that could not be there sooner than who holds the slot is told so at once.
            newest = self.office.case(self.incident).offers[-1]
            rings = newest.state in OPEN_OFFER
            asked = UnitState.OFFERED if rings else UnitState.AVAILABLE
            assert self.office.unit_state(unit) in {asked, UnitState.PAUSED}

    @rule(unit=units, answer=st.sampled_from(wire.Answer))
    def reply(self, unit: str, answer: wire.Answer) -> None:
        """A unit that is asked answers."""
        for offer in list(self.office.store._offers.values()):
            if offer.unit_id == unit and offer.state in OPEN_OFFER:
                now = ms(self.office.clock.now())
                new_id = self.office.clock.new_id()
                frame = wire.OfferReply(id=new_id, oid=offer.id, rev=1, at=now, r=answer)
                self.office.say(f"{unit.replace('u', 'd')}a", frame)
                return

    @rule(unit=units)
    def release(self, unit: str) -> None:
        """A unit may go home."""
        for task in list(self.office.store._tasks.values()):
            if task.unit_id == unit and task.state not in ENDED:
                self.office.act(task.incident_id, c.Release(task_id=task.id, why="x"))

    @rule(device=st.sampled_from(DEVICES), call=st.sampled_from(wire.DutyCall))
    def clock(self, device: str, call: wire.DutyCall) -> None:
        """A member comes or goes."""
        if self.states[f"u{device[1]}"] is not UnitState.DISABLED:
            self.office.clock_in(device, call)

    @rule(unit=units, off=st.booleans())
    def register(self, unit: str, off: bool) -> None:
        """A registrar takes a unit out, or back in."""
        before = self.states[unit]
        reply = (self.office.disable if off else self.office.enable)(unit)
        legal = before not in {UnitState.ENGAGED, UnitState.DISABLED}
        if legal if off else before is UnitState.DISABLED:
            assert reply.refused is None
            assert self.office.unit_state(unit) is (UnitState.DISABLED if off else UnitState.OFF)
        else:
            assert isinstance(reply.said, Conflict)
            assert refused_for_nothing(reply)

    @rule(seconds=st.sampled_from([0, 20, 60, 302]))
    def wait(self, seconds: int) -> None:
        """Time passes, and clocks come."""
        self.office.pass_by(seconds)

    @invariant()
    def it_walks_its_table(self) -> None:
        """Memory says what the store says; from what it was to what it is there is a way."""
        self.office.run(self.office.loops.reread_freed())
        self.office.check_memory()
        now = {unit: self.office.unit_state(unit) for unit in UNITS}
        for unit, state in now.items():
            was = getattr(self, "states", now)[unit]
            assert state in WAYS[was], f"{was} -> {state}"
        self.states = now


def _ways() -> dict[Any, set[Any]]:
    """Return where a unit can be after one request: a step, and what its end makes due at once."""
    return {
        state: {state, *steps.values(), *(to for on in steps.values() for to in UNIT[on].values())}
        for state, steps in UNIT.items()
    }


WAYS: Final = _ways()
TestUnits = Units.TestCase
TestUnits.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
