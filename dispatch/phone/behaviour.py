"""What a simulated person does: sees, decides, sets out, arrives, resolves, walks home."""

import math
from bisect import insort
from collections.abc import Callable
from enum import IntEnum, auto
from typing import Final, NamedTuple

import numpy as np

from dispatch.phone.heard import Offer, Task
from dispatch.phone.news import (
    AskAgain,
    Assigned,
    News,
    OfferChanged,
    Offered,
    OfferEnded,
    TaskChanged,
    TaskEnded,
    Welcomed,
)
from geo.datum import Datum, point_from_wgs84, point_to_wgs84
from geo.distance import metres
from geo.eta import PACES, TURNOUT_S, Moves
from geo.point import Box, Point
from schemas.base import Record
from schemas.wire import (
    Answer,
    AssignSeen,
    Cadence,
    FixRow,
    OfferReply,
    OfferSeen,
    Progress,
    Reached,
    UnitCommand,
)

NEVER: Final = math.inf
FIX_EVERY_MIN_S: Final = 1.0  # protocol: loc at most once a second
ACCURACY_M: Final = 8.0
ROAM_M: Final = 300.0


class Habits(Record, frozen=True, kw_only=True):
    """How people are: shares of all offers, of all people, and mean seconds of each step.

    Who neither accepts nor declines lets the offer ring. Who roams walks about the home post for
    as long as there is nothing to do.
    """

    accept: float = 0.6
    decline: float = 0.2
    roam: float = 0.0
    see_s: float = 4.0
    decide_s: float = 3.0
    turnout_s: float = TURNOUT_S
    control_s: float = 60.0
    resolve_s: float = 120.0


class Step(IntEnum):
    """What a person does next about an offer or a task."""

    SEE = auto()
    DECIDE = auto()
    NOTE = auto()
    DEPART = auto()
    ARRIVE = auto()
    CONTROL = auto()
    RESOLVE = auto()


class Todo(NamedTuple):
    """A step, when, and for which offer or task."""

    at_ms: float
    step: Step
    ref: str


class Leg(NamedTuple):
    """A straight way, walked evenly; the detour is in its time."""

    start: Point
    end: Point
    depart_ms: float
    arrive_ms: float

    def at(self, now_ms: float) -> Point:
        """Return the place on the way, its end once arrived."""
        if now_ms >= self.arrive_ms:
            return self.end
        share = max(0.0, (now_ms - self.depart_ms) / (self.arrive_ms - self.depart_ms))
        lon, lat = self.start
        return Point(lon + share * (self.end.lon - lon), lat + share * (self.end.lat - lat))


REPORTS: Final = {
    Step.DEPART: Reached.EN_ROUTE,
    Step.ARRIVE: Reached.ARRIVED,
    Step.CONTROL: Reached.CONTROLLED,
    Step.RESOLVE: Reached.RESOLVED,
}
FIRST: Final = {"en_route": Step.ARRIVE, "arrived": Step.CONTROL, "controlled": Step.RESOLVE}
"""Where to go on with a task that somebody else has begun."""


class Kit(NamedTuple):
    """What all people of a process share: their habits, the dice, and where ids come from."""

    habits: Habits
    dice: np.random.Generator
    new_id: Callable[[], str]


class Rung(NamedTuple):
    """An offer as it stands, and when it was first heard."""

    rev: int
    at_ms: float


class Person:
    """One person: a place, a way of moving, and what is to be done next."""

    __slots__ = (
        "_datum",
        "_fix_ms",
        "_here",
        "_home",
        "_kit",
        "_leg",
        "_moves",
        "_offers",
        "_todo",
        "roams",
        "rung_ms",
        "task",
    )

    def __init__(self, home: Point, moves: Moves, kit: Kit, datum: Datum = Datum.WGS84) -> None:
        self._home = self._here = home
        self._moves, self._kit, self._datum = moves, kit, datum
        self._leg: Leg | None = None
        self._offers: dict[str, Rung] = {}
        self._todo: list[Todo] = []
        self._fix_ms: float | None = None
        self.task: Task | None = None
        self.rung_ms = 0.0
        self.roams = kit.habits.roam > 0 and kit.dice.random() < kit.habits.roam

    def place(self, now_ms: float) -> Point:
        """Return where the person is, WGS-84."""
        return self._leg.at(now_ms) if self._leg else self._here

    def at_post(self, now_ms: float) -> bool:
        """Tell whether the person stands at the home post."""
        return self.place(now_ms) == self._home

    @property
    def step_due_ms(self) -> float:
        """Return when `act` is wanted."""
        return self._todo[0].at_ms if self._todo else NEVER

    def due_ms(self, cadence: Cadence) -> float:
        """Return when `act` or `fix` is wanted."""
        return min(self.step_due_ms, self._next_fix_ms(cadence))

    # What the person hears. ----------------------------------------------------------------------

    def learn(self, news: News, now_ms: float) -> None:
        """Take what the phone tells."""
        match news:
            case Welcomed():
                self._fix_ms = None
            case Offered(offer):
                self._ring(offer, now_ms)
            case OfferChanged(offer, _):
                self._know(offer, now_ms)
            case OfferEnded(oid, _):
                self._offers.pop(oid, None)
                self._forget(oid)
            case AskAgain(oid):
                self._later(Step.DECIDE, oid, now_ms, self._kit.habits.decide_s)
            case Assigned(task):
                self._begin(task, now_ms)
            case TaskChanged(task, _):
                self._turn(task, now_ms)
            case TaskEnded(aid, _):
                self._stop(aid, now_ms)
            case _:
                pass

    def _ring(self, offer: Offer, now_ms: float) -> None:
        self._know(offer, now_ms)
        if self.task is None:
            self._later(Step.SEE, offer.oid, now_ms, self._kit.habits.see_s)

    def _know(self, offer: Offer, now_ms: float) -> None:
        known = self._offers.get(offer.oid)
        self._offers[offer.oid] = Rung(offer.rev, known.at_ms if known else now_ms)

    def _begin(self, task: Task, now_ms: float) -> None:
        if self.task is not None:
            return
        rung = self._offers.get(task.oid or "")
        self.rung_ms = rung.at_ms if rung else self.rung_ms or now_ms
        self.task = task
        self._todo.clear()
        self._later(Step.NOTE, task.aid, now_ms, 1.0)
        step = FIRST.get(task.s or "", Step.DEPART)
        if step is Step.ARRIVE:
            self._set_out(task, now_ms)
        elif step is Step.DEPART:
            self._at(Step.DEPART, task.aid, now_ms + self._kit.habits.turnout_s * 1000)
        else:
            self._later(step, task.aid, now_ms, self._kit.habits.resolve_s)

    def _turn(self, task: Task, now_ms: float) -> None:
        """Go on to where the scene is now."""
        before = self.task
        if before is None or before.aid != task.aid:
            return
        self.task = task
        on_the_way = any(todo.step is Step.ARRIVE for todo in self._todo)
        if on_the_way and _scene(before) != _scene(task):
            self._todo = [todo for todo in self._todo if todo.step is not Step.ARRIVE]
            self._set_out(task, now_ms)

    def _stop(self, aid: str, now_ms: float) -> None:
        """Let go of a task, and go home."""
        if self.task is None or self.task.aid != aid:
            return
        self.task, self.rung_ms = None, 0.0
        self._todo.clear()
        if not self.at_post(now_ms):
            self._go(self._home, now_ms)

    # What the person does. -----------------------------------------------------------------------

    def act(self, now_ms: float) -> list[UnitCommand]:
        """Do what is due; return what the phone shall say, in order."""
        if self.roams and self.task is None and self._leg is None:
            self._go(self._somewhere(), now_ms)
        said: list[UnitCommand] = []
        while self._todo and self._todo[0].at_ms <= now_ms:
            todo = self._todo.pop(0)
            said += self._do(todo, now_ms)
        return said

    def fix(self, now_ms: float, cadence: Cadence) -> FixRow | None:
        """Return a position when one is due."""
        if self._leg and now_ms >= self._leg.arrive_ms:
            self._leg = None
        if self._next_fix_ms(cadence) > now_ms:
            return None
        if self._fix_ms is None and self.at_post(now_ms):
            # The centre knows the home post: thousands need not report it in one second.
            self._fix_ms = now_ms - self._kit.dice.random() * self._fix_every_ms(cadence)
            return None
        self._fix_ms = now_ms
        lon, lat = point_from_wgs84(self.place(now_ms), self._datum)
        return FixRow(now_ms, round(lon, 6), round(lat, 6), ACCURACY_M)

    def _do(self, todo: Todo, now_ms: float) -> list[UnitCommand]:
        new_id = self._kit.new_id
        match todo.step:
            case Step.SEE:
                self._later(Step.DECIDE, todo.ref, now_ms, self._kit.habits.decide_s)
                return [OfferSeen(id=new_id(), oid=todo.ref)]
            case Step.DECIDE:
                return self._decide(todo.ref, now_ms)
            case Step.NOTE:
                rev = self.task.rev if self.task else 1
                return [AssignSeen(id=new_id(), aid=todo.ref, rev=rev)]
            case Step.DEPART | Step.ARRIVE | Step.CONTROL | Step.RESOLVE:
                self._advance(todo.step, now_ms)
                return [Progress(id=new_id(), aid=todo.ref, s=REPORTS[todo.step], at=now_ms)]

    def _decide(self, oid: str, now_ms: float) -> list[UnitCommand]:
        habits, dice = self._kit.habits, self._kit.dice.random()
        rung = self._offers.get(oid)
        if rung is None or self.task or dice >= habits.accept + habits.decline:
            return []
        answer = Answer.ACCEPT if dice < habits.accept else Answer.DECLINE
        if answer is Answer.ACCEPT:
            self.rung_ms = rung.at_ms
        return [OfferReply(id=self._kit.new_id(), oid=oid, rev=rung.rev, at=now_ms, r=answer)]

    def _advance(self, step: Step, now_ms: float) -> None:
        task, habits = self.task, self._kit.habits
        if task is None:
            return
        if step is Step.DEPART:
            self._set_out(task, now_ms)
        elif step is Step.ARRIVE:
            self._later(Step.CONTROL, task.aid, now_ms, habits.control_s)
        elif step is Step.CONTROL:
            self._later(Step.RESOLVE, task.aid, now_ms, habits.resolve_s)

    def _set_out(self, task: Task, now_ms: float) -> None:
        self._at(Step.ARRIVE, task.aid, self._go(_scene(task), now_ms))

    def _go(self, end: Point, now_ms: float) -> float:
        """Walk straight to a place; return when it is reached."""
        start, pace = self.place(now_ms), PACES[self._moves]
        road_m = metres(start, end) * pace.detour
        self._leg = Leg(start, end, now_ms, now_ms + max(1.0, road_m / pace.speed_mps * 1000))
        self._here = end
        return self._leg.arrive_ms

    def _somewhere(self) -> Point:
        """Return a place about the home post."""
        box = Box.around(self._home, ROAM_M)
        dice = self._kit.dice
        return Point(dice.uniform(box.west, box.east), dice.uniform(box.south, box.north))

    # Deadlines. ----------------------------------------------------------------------------------

    def _later(self, step: Step, ref: str, now_ms: float, mean_s: float) -> None:
        """Do it after a time that people differ in: half to three halves of the mean."""
        self._at(step, ref, now_ms + (0.5 + self._kit.dice.random()) * mean_s * 1000)

    def _at(self, step: Step, ref: str, at_ms: float) -> None:
        insort(self._todo, Todo(at_ms, step, ref))

    def _forget(self, ref: str) -> None:
        self._todo = [todo for todo in self._todo if todo.ref != ref]

    def _next_fix_ms(self, cadence: Cadence) -> float:
        if cadence.every_s <= 0:
            return NEVER
        return -NEVER if self._fix_ms is None else self._fix_ms + self._fix_every_ms(cadence)

    def _fix_every_ms(self, cadence: Cadence) -> float:
        """Return the time between fixes: `every_s`, or as long as `move_m` takes on the way."""
        pace = PACES[self._moves]
        walk_s = cadence.move_m * pace.detour / pace.speed_mps if self._leg else 0.0
        every_s = min(cadence.every_s, walk_s) if walk_s else cadence.every_s
        return max(every_s, FIX_EVERY_MIN_S) * 1000


def _scene(task: Task) -> Point:
    """Return the scene of a task in WGS-84; a datum we do not know is taken for that."""
    scene = Point(task.inc.lon, task.inc.lat)
    return point_to_wgs84(scene, Datum(task.d)) if task.d in set(Datum) else scene
