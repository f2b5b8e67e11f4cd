"""Whatever happens to a case, in whatever order: what always holds of it."""

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dispatch.core import commands as c
from dispatch.core.decide import decide, open_case
from dispatch.core.decision import Actor, Context, Decision
from dispatch.core.errors import Refusal
from dispatch.core.events import Event
from dispatch.core.lifecycle import ENDED, OPEN_OFFER, OVER, WANTS_UNITS
from dispatch.core.plans import plan_for
from schemas.base import IncidentId, UnitId
from schemas.incident import Assignment, Case, Mode, Offer, Role, Status
from schemas.plan import IncidentKind, Need, Plan, Rung
from schemas.unit import Capability
from schemas.wire import Assistance, Reached
from tests.dispatch.core.cases import (
    DESK,
    START,
    NearbyUnits,
    Standing,
    context,
    ids,
    incident,
    phone_of,
)

KINDS = [IncidentKind.OTHER, IncidentKind.CROWD, IncidentKind.CARDIAC_ARREST]
BOTH = (Capability.AED, Capability.FIRST_AID)
IDS_A_DECISION = 1000
NEXT = {
    "assigned": Reached.EN_ROUTE,
    "en_route": Reached.ARRIVED,
    "arrived": Reached.CONTROLLED,
    "controlled": Reached.RESOLVED,
}

etas = st.floats(5, 320)
capabilities = st.sampled_from([BOTH, BOTH, BOTH[:1], BOTH[1:], ()])
standings = st.builds(Standing, eta_s=etas, capabilities=capabilities)
picks = st.integers(0, 99)


class Histories(RuleBasedStateMachine):
    """A case among moving units: people answer, report, give up, and time passes."""

    def __init__(self) -> None:
        """Begin before the call."""
        super().__init__()
        self.now = START
        self.plan = Plan()
        self.field = NearbyUnits({})
        self.decisions = 0
        self.last: Decision | None = None
        self.woken = False

    @property
    def case(self) -> Case:
        """Return the case as it stands."""
        assert self.last is not None
        return self.last.case

    # What happens. ---------------------------------------------------------------------------

    @initialize(
        units=st.lists(standings, max_size=25) | st.lists(standings, min_size=5, max_size=25),
        kind=st.sampled_from(KINDS),
        priority=st.integers(1, 4),
        mode=st.sampled_from([Mode.AUTO, Mode.AUTO, Mode.AUTO, Mode.MANUAL]),
        trusted=st.booleans(),
        late_s=st.sampled_from([0, 0, 90]),
    )
    def call(
        self,
        units: list[Standing],
        kind: IncidentKind,
        priority: int,
        mode: Mode,
        trusted: bool,
        late_s: int,
    ) -> None:
        """Somebody calls."""
        self.field = NearbyUnits({f"u{n}": unit for n, unit in enumerate(units)})
        self.plan = plan_for(kind, priority)
        self.now += timedelta(seconds=late_s)
        facts = incident(kind=kind, priority=priority, mode=mode, needs=self.plan.needs)
        command = c.Open(incident=facts, trusted=trusted)
        self.last = open_case(command, self.moment(DESK))
        assert same(self.last, open_case(command, self.moment(DESK)))
        self.decisions += 1

    @precondition(lambda self: self.case.incident.status in {Status.REPORTED, Status.OPEN})
    @rule(accept=st.sampled_from([True, True, True, False]))
    def triage(self, accept: bool) -> None:
        """A person looks."""
        self.step(c.Triage(accept=accept))

    @precondition(lambda self: self.case.offers)
    @rule(pick=picks, tapped_s=st.sampled_from([0, 0, 0, 5, 89, 91]))
    def accept(self, pick: int, tapped_s: float) -> None:
        """A unit says yes, to an offer old or new."""
        offer = self.pick_offer(pick)
        tap = self.now - timedelta(seconds=tapped_s)
        command = c.Accept(unit_id=offer.unit_id, offer_id=offer.id, at=tap)
        self.step(command, phone_of(offer.unit_id))

    @precondition(lambda self: self.case.offers)
    @rule(pick=picks)
    def decline(self, pick: int) -> None:
        """A unit says no, to an offer old or new."""
        offer = self.pick_offer(pick)
        command = c.Decline(unit_id=offer.unit_id, offer_id=offer.id)
        self.step(command, phone_of(offer.unit_id))

    @precondition(lambda self: bool(live_offers(self.case)))
    @rule(pick=picks)
    def see(self, pick: int) -> None:
        """A human sees an offer."""
        offer = self.pick_offer(pick)
        command = c.SeeOffer(unit_id=offer.unit_id, offer_id=offer.id)
        self.step(command, phone_of(offer.unit_id))

    @precondition(lambda self: len(self.case.assignments) > 0)
    @rule(pick=picks, reached=st.sampled_from(Reached), ago_s=st.integers(-10, 200))
    def progress(self, pick: int, reached: Reached, ago_s: int) -> None:
        """A unit says how far it has come, in any order."""
        task = self.case.assignments[pick % len(self.case.assignments)]
        since = self.now - timedelta(seconds=ago_s)
        command = c.Report(unit_id=task.unit_id, task_id=task.id, reached=reached, at=since)
        self.step(command, phone_of(task.unit_id))

    @precondition(lambda self: bool(live_tasks(self.case)))
    @rule(pick=picks)
    def go_on(self, pick: int) -> None:
        """A unit takes its next step."""
        tasks = live_tasks(self.case)
        task = tasks[pick % len(tasks)]
        command = c.Report(
            unit_id=task.unit_id, task_id=task.id, reached=NEXT[task.state], at=self.now
        )
        self.step(command, phone_of(task.unit_id))

    @rule(seconds=st.sampled_from([0, 1, 10, 20, 21, 60, 120, 302]))
    def wake(self, seconds: int) -> None:
        """Time passes, and a clock comes."""
        self.now += timedelta(seconds=seconds)
        self.step(c.Wake())

    @precondition(lambda self: bool(live_offers(self.case)))
    @rule(pick=picks, engaged=st.booleans())
    def unit_gone(self, pick: int, engaged: bool) -> None:
        """A unit that was asked goes elsewhere, or home."""
        self.step(c.UnitGone(unit_id=self.pick_offer(pick).unit_id, engaged=engaged))

    @precondition(lambda self: self.field.units)
    @rule(pick=picks, standing=standings)
    def move(self, pick: int, standing: Standing) -> None:
        """A unit moves; nothing is decided."""
        names = sorted(self.field.units)
        self.field.put(names[pick % len(names)], standing)

    @precondition(lambda self: self.case.incident.status is not Status.REPORTED)
    @precondition(lambda self: bool(self.field.units))
    @rule(pick=picks, order=st.booleans(), slot=st.sampled_from([None, None, 0, 1]))
    def send(self, pick: int, order: bool, slot: int | None) -> None:
        """A person asks a unit, or sends it, whatever the ranking says."""
        names = sorted(self.field.units)
        unit_id = UnitId(names[pick % len(names)])
        command = c.Order if order else c.Ask
        self.step(command(unit_id=unit_id, slot=slot))

    @precondition(lambda self: len(self.case.assignments) > 0)
    @rule(pick=picks, what=st.sampled_from(["release", "reassign", "pin", "unpin", "assist"]))
    def direct(self, pick: int, what: str) -> None:
        """A person moves a unit, or a unit asks for more."""
        task = self.case.assignments[-1 - pick % len(self.case.assignments)]
        words: dict[str, c.Command] = {
            "release": c.Release(task_id=task.id, why="x"),
            "reassign": c.Reassign(task_id=task.id, to=IncidentId("i2"), why="x"),
            "pin": c.Pin(task_id=task.id, pinned=True),
            "unpin": c.Pin(task_id=task.id, pinned=False),
            "assist": c.Assist(
                unit_id=task.unit_id, task_id=task.id, what=Assistance.MORE_UNITS, n=2
            ),
        }
        self.step(words[what])

    @precondition(lambda self: len(self.case.offers) > 0)
    @rule(pick=picks)
    def withdraw(self, pick: int) -> None:
        """A person calls an offer back."""
        self.step(c.WithdrawOffer(offer_id=self.pick_offer(pick).id, why="x"))

    @rule(
        command=st.sampled_from(
            [
                c.Correct(priority=1),
                c.Correct(priority=4),
                c.Correct(needs=(Need(), Need())),
                c.Correct(needs=(Need(),)),
                c.Supplement(note="x"),
                c.Escalate(rung=Rung.WIDEN, why="x"),
                c.Own(owner="operator-1"),
                c.SetMode(mode=Mode.AUTO),
                c.SetMode(mode=Mode.MANUAL),
                c.Reopen(why="x"),
            ]
        )
    )
    def amend(self, command: c.Command) -> None:
        """A person corrects what was taken down, or takes over."""
        self.step(command)

    @precondition(lambda self: self.decisions > 15)
    @rule(pick=st.integers(0, 14))
    def settle(self, pick: int) -> None:
        """Now and then a person calls it off, settles it, or closes the file."""
        words: dict[int, c.Command] = {
            0: c.Cancel(why="x"),
            1: c.Resolve(),
            2: c.CloseFile(result="done"),
            3: c.Merge(into=IncidentId("i2")),
            4: c.HandOver(to="110", why="x"),
        }
        if command := words.get(pick):
            self.step(command)

    # What always holds. ----------------------------------------------------------------------

    @invariant()
    def nobody_is_in_two_places(self) -> None:
        """Never two primaries in a slot, never two tasks, or a task and an offer, of a unit."""
        tasks = live_tasks(self.case)
        slots = [task.slot for task in tasks if task.role is Role.PRIMARY]
        assert len(slots) == len(set(slots))
        busy = [task.unit_id for task in tasks] + [o.unit_id for o in live_offers(self.case)]
        assert len(busy) == len(set(busy))

    @invariant()
    def the_offers_of_a_slot_are_bounded(self) -> None:
        """Open and lapsed, at most twelve."""
        slots = [offer.slot for offer in live_offers(self.case)]
        assert all(slots.count(slot) <= self.plan.most for slot in slots)
        assert all(0 <= slot < len(self.case.incident.needs) for slot in slots)

    @invariant()
    def the_incident_is_where_its_offers_and_tasks_say(self) -> None:
        """Nobody is asked or sent for what is over."""
        status = self.case.incident.status
        tasks, offers = bool(live_tasks(self.case)), bool(live_offers(self.case))
        if status in OVER or status is Status.REPORTED:
            assert not tasks
            assert not offers
        elif status is Status.DISPATCHING:
            assert offers
            assert not tasks
        elif status is Status.OPEN:
            assert not offers
            assert not tasks
        elif status in {Status.RESPONDING, Status.ON_SCENE}:
            assert tasks

    @invariant()
    def who_wants_units_wakes(self) -> None:
        """A case with a free slot never sleeps, and no clock rings twice for the same."""
        assert self.last is not None
        held = {t.slot for t in live_tasks(self.case) if t.role is Role.PRIMARY}
        done = {t.slot for t in self.case.assignments if t.state == "resolved"}
        free = set(range(len(self.case.incident.needs))) - held - done
        known = self.case.incident
        if known.status in WANTS_UNITS and known.mode is Mode.AUTO and free:
            assert self.last.wake_at is not None
        if known.status in OVER:
            assert self.last.wake_at is None
        if self.woken:
            assert self.last.wake_at is None or self.last.wake_at > self.now

    # How a step is taken. --------------------------------------------------------------------

    def step(self, command: c.Command, actor: Actor = DESK) -> None:
        """Decide, twice; compare with before; go on from there."""
        before = self.case
        outcome = self.outcome(command, actor)
        assert same(outcome, self.outcome(command, actor))
        if isinstance(outcome, Refusal):
            return
        self.check(before, outcome)
        self.last, self.woken = outcome, isinstance(command, c.Wake)
        self.decisions += 1

    def outcome(self, command: c.Command, actor: Actor) -> Decision | Refusal:
        """Decide, or be refused."""
        try:
            return decide(self.case, command, self.moment(actor))
        except Refusal as refusal:
            return refusal

    def check(self, before: Case, decision: Decision) -> None:
        """Hold a decision against the case it was made on."""
        after = decision.case
        assert decision.before is before
        assert after.incident.version == before.incident.version + 1
        self.check_log(decision)
        offers = {o.id: o for o in after.offers}
        tasks = {a.id: a for a in after.assignments}
        for offer in before.offers:
            assert offer.state in OPEN_OFFER or offers[offer.id] == seen(offer, offers[offer.id])
        for task in before.assignments:
            assert task.state not in ENDED or tasks[task.id] == seen(task, tasks[task.id])
        reopened = after.incident.reopened_at != before.incident.reopened_at
        for name in ("en_route_at", "arrived_at", "controlled_at"):
            earlier, later = getattr(before.incident, name), getattr(after.incident, name)
            assert reopened or earlier is None or later <= earlier

    def check_log(self, decision: Decision) -> None:
        """Every entry is a fact of this moment; every letter goes to a unit of this case."""
        concerned = {o.unit_id for o in decision.case.offers}
        concerned |= {a.unit_id for a in decision.case.assignments}
        refs = {o.id for o in decision.case.offers} | {a.id for a in decision.case.assignments}
        for entry in decision.entries:
            assert isinstance(entry.type, Event)
            assert entry.at == self.now
            assert entry.by
            assert entry.unit_id is None or entry.unit_id in concerned
        for mail in decision.mail:
            assert mail.unit_id in concerned
            assert mail.ref in refs
            assert mail.at == self.now

    def moment(self, actor: Actor) -> Context:
        """Return the moment; asked again before a decision, it is the same one."""
        usual = context(self.now, self.field, self.plan, actor)
        first = 1 + self.decisions * IDS_A_DECISION
        return Context(**{**fields(usual), "new_id": ids(first)})

    def pick_offer(self, pick: int) -> Offer:
        """Return one of the offers, the newest most often."""
        offers = live_offers(self.case) or list(self.case.offers)
        return offers[-1 - pick % len(offers)] if pick < 80 else self.case.offers[0]


def fields(value: Any) -> dict[str, Any]:
    """Return a struct's facts by name."""
    return {name: getattr(value, name) for name in value.__struct_fields__}


def same(one: Decision | Refusal, other: Decision | Refusal) -> bool:
    """Say whether two outcomes are the same, refusals by their words."""
    if isinstance(one, Decision) and isinstance(other, Decision):
        facts = [{**fields(d), "refusal": repr(d.refusal)} for d in (one, other)]
        return facts[0] == facts[1]
    return repr(one) == repr(other)


def seen(ended: Any, later: Any) -> Any:
    """Return what ended as it would be if it was seen since: that may still be noted."""
    known = {**fields(ended), "seen_at": later.seen_at, "rev": later.rev}
    return type(ended)(**known)


def live_offers(case: Case) -> list[Offer]:
    """Return the offers that may be answered."""
    return [offer for offer in case.offers if offer.state in OPEN_OFFER]


def live_tasks(case: Case) -> list[Assignment]:
    """Return the tasks that have not ended."""
    return [task for task in case.assignments if task.state not in ENDED]


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_unit_nobody_asked_is_no_concern() -> None:
    """The simplest history: a call in the middle of nowhere, and somebody passing by."""
    history = Histories()
    history.call([], IncidentKind.OTHER, 3, Mode.AUTO, trusted=True, late_s=0)
    history.step(c.UnitGone(unit_id=UnitId("u9"), engaged=True))
    history.who_wants_units_wakes()
    assert history.case.incident.version == 2
