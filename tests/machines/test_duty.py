"""Members clock in, pause and clock out as their table lets them, and as no other way."""

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from dispatch.core import commands as c
from dispatch.core.events import Event
from dispatch.core.lifecycle import DUTY, ENDED, Trigger
from schemas.base import MemberId, UnitId
from schemas.unit import Duty
from schemas.wire import DutyCall
from tests.machines.machine import Repeating
from tests.machines.office import DEVICES, UNITS, refused_for_nothing

STEPS: Final = {
    DutyCall.ON: (Trigger.CREW_ON, Duty.ON),
    DutyCall.PAUSE: (Trigger.CREW_PAUSED, Duty.PAUSED),
    DutyCall.OFF: (Trigger.CREW_OFF, Duty.OFF),
}


FEW: Final = DEVICES[:3]
"""Two of one unit, and one of another: enough to meet, few enough to do all."""


class Duties(Repeating):
    """Six members of three units, some of which are sent somewhere now and then."""

    def __init__(self) -> None:
        """Begin with the leaders on duty."""
        super().__init__()
        self.duties = {d: Duty.ON if d.endswith("a") else Duty.OFF for d in DEVICES}
        self.leaves: dict[str, Duty] = {}
        self.incident = self.office.call(priority=3)

    @rule(device=st.sampled_from(FEW), call=st.sampled_from(DutyCall))
    def clock(self, device: str, call: DutyCall) -> None:
        """A member clocks, possible or not."""
        trigger, wanted = STEPS[call]
        before = self.duties[device]
        clockings = self._clockings(device)
        reply = self.office.clock_in(device, call)
        if wanted is not before and trigger not in DUTY[before]:
            assert refused_for_nothing(reply)
            return
        assert reply.refused is None
        assert self._clockings(device) == clockings + 1
        if wanted is not Duty.ON and self._engaged(f"u{device[1]}"):
            self.leaves[device] = wanted
            return
        self.leaves.pop(device, None)
        self.duties[device] = wanted

    @precondition(lambda self: self.office.case(self.incident).incident.status != "cancelled")
    @rule(unit=st.sampled_from(UNITS))
    def send(self, unit: str) -> None:
        """A unit is ordered somewhere, if it can go."""
        self.office.act(self.incident, c.Order(unit_id=UnitId(unit)))

    @rule()
    def release(self) -> None:
        """Everybody may go home: who clocked out meanwhile leaves now."""
        for task in self.office.case(self.incident).assignments:
            if task.state not in ENDED:
                self.office.act(self.incident, c.Release(task_id=task.id, why="x"))
                for device in [d for d in self.leaves if d[1] == task.unit_id[1]]:
                    self.duties[device] = self.leaves.pop(device)
        self.office.run(self.office.loops.reread_freed())

    @rule()
    def go_on(self) -> None:
        """What is due is done: the offers of a crew that left are over."""
        self.office.pass_by(0)

    @invariant()
    def the_duties_are_as_the_table_says(self) -> None:
        """On disk and in memory."""
        for device, duty in self.duties.items():
            member = MemberId(f"m{device[1:]}")
            assert self.office.store._members[member].duty is duty
            assert self.office.desk.roster.duty(UnitId(f"u{device[1]}"), member) is duty

    @invariant()
    def nobody_leaves_who_did_not_clock(self) -> None:
        """Who will leave on release is who clocked out while he was engaged."""
        kept = {f"d{member[1:]}": duty for member, duty in self.office.store._leaves.items()}
        assert kept == self.leaves

    def _engaged(self, unit: str) -> bool:
        return UnitId(unit) in self.office.store._active

    def _clockings(self, device: str) -> int:
        log = self.office.store._log
        return sum(one.entry.type is Event.DUTY and one.entry.by == f"m{device[1:]}" for one in log)


TestDuties = Duties.TestCase
TestDuties.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
