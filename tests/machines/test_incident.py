"""An incident walks where its table lets it: whatever is asked of it, by whom and when."""

from collections.abc import Callable
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from dispatch.auth import Right
from dispatch.core import commands as c
from dispatch.core.errors import Conflict
from dispatch.core.events import Event
from dispatch.core.lifecycle import ENDED, INCIDENT, OPEN_OFFER, Trigger
from schemas.base import IncidentId
from schemas.incident import Status
from schemas.wire import Reached
from tests.machines.machine import Machine
from tests.machines.office import COMMANDER, FEED, refused_for_nothing

ASKED: Final[dict[Trigger, Callable[[IncidentId], c.Command]]] = {
    Trigger.OPEN: lambda _: c.Triage(accept=True),
    Trigger.REJECT: lambda _: c.Triage(accept=False),
    Trigger.RESOLVE: lambda _: c.Resolve(),
    Trigger.CLOSE: lambda _: c.CloseFile(result="done"),
    Trigger.REOPEN: lambda _: c.Reopen(why="x"),
    Trigger.CANCEL: lambda _: c.Cancel(why="x"),
    Trigger.MERGE: lambda refuge: c.Merge(into=refuge),
    Trigger.HAND_OVER: lambda _: c.HandOver(to="110", why="x"),
}
"""What a person asks for, by the trigger it pulls."""
RIGHTS: Final = {Trigger.CANCEL: Right.CANCEL, Trigger.CLOSE: Right.CLOSE}
NEXT: Final = {
    "assigned": Reached.EN_ROUTE,
    "en_route": Reached.ARRIVED,
    "arrived": Reached.CONTROLLED,
    "controlled": Reached.RESOLVED,
}


class Incidents(Machine):
    """One incident, and another that others are merged into."""

    @initialize(trusted=st.booleans())
    def begin(self, trusted: bool) -> None:
        """Somebody calls; a feed's lower priorities wait for triage."""
        self.refuge = self.office.call(priority=4)
        self._call(trusted=trusted)

    def _call(self, *, trusted: bool) -> None:
        self.incident = self.office.call(priority=3, grant=COMMANDER if trusted else FEED)

    @property
    def status(self) -> Status:
        """Return where the incident stands."""
        return self.office.case(self.incident).incident.status

    @precondition(lambda self: not INCIDENT[self.status])
    @rule(trusted=st.booleans())
    def call(self, trusted: bool) -> None:
        """It is over for good: somebody calls about something else."""
        self._call(trusted=trusted)

    # Two of three requests keep it going, or it would be called off before anything happens.
    @rule(
        trigger=st.sampled_from(
            [*ASKED, Trigger.OPEN, Trigger.RESOLVE, Trigger.RESOLVE, Trigger.CLOSE, Trigger.REOPEN]
        )
    )
    def ask(self, trigger: Trigger) -> None:
        """A person asks for a step, possible or not."""
        before, walked = self.status, len(self._walk())
        right = RIGHTS.get(trigger, Right.ORDER)
        reply = self.office.act(self.incident, ASKED[trigger](self.refuge), right)
        if trigger not in INCIDENT[before]:
            assert isinstance(reply.said, Conflict)
            assert refused_for_nothing(reply)
            return
        assert reply.refused is None
        step = self._walk()[walked]
        assert step == (before, trigger.value, INCIDENT[before][trigger])

    @rule(pick=st.integers(0, 2))
    def accept(self, pick: int) -> None:
        """A unit that is asked says yes, by radio."""
        offers = [o for o in self.office.case(self.incident).offers if o.state in OPEN_OFFER]
        if offers:
            offer = offers[pick % len(offers)]
            now = self.office.clock.now()
            yes = c.Accept(unit_id=offer.unit_id, offer_id=offer.id, at=now)
            self.office.act(self.incident, yes)

    @rule()
    def go_on(self) -> None:
        """A unit that was sent takes its next step."""
        for task in self.office.case(self.incident).assignments:
            if task.state not in ENDED:
                step = c.Report(
                    unit_id=task.unit_id,
                    task_id=task.id,
                    reached=NEXT[task.state],
                    at=self.office.clock.now(),
                )
                self.office.act(self.incident, step)
                return

    @rule(seconds=st.sampled_from([0, 10, 20, 60, 302]))
    def wait(self, seconds: int) -> None:
        """Time passes, and clocks come."""
        self.office.pass_by(seconds)

    @invariant()
    def it_walks_its_table(self) -> None:
        """Each step is one the table holds from where the last one led."""
        status = Status.REPORTED
        for before, trigger, after in self._walk():
            assert before is status
            assert INCIDENT[before][Trigger(trigger)] is after
            status = after
        assert self.status is status

    @invariant()
    def memory_follows(self) -> None:
        """What people are shown is what is on disk."""
        self.office.check_memory()

    def _walk(self) -> list[tuple[Status, str, Status]]:
        return [
            (Status(e.data["before"]), e.data["trigger"], Status(e.data["after"]))
            for e in self.office.log(self.incident, Event.STATUS)
        ]


TestIncidents = Incidents.TestCase
TestIncidents.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
