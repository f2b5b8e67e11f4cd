"""The desk beside a router over real HTTP: what it says goes first, and nobody waits for it."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio
import shapely
from msgspec.structs import replace

from dispatch.api import build
from dispatch.api.measured import Measured
from dispatch.auth import Grant, Keyring, Right, Role, token_hash
from dispatch.core import commands
from dispatch.core.events import Event
from dispatch.core.hidden import HIDDEN
from dispatch.core.turnout import later_s
from dispatch.desk import answers
from dispatch.desk.desk import Desk
from dispatch.desk.routes import ASKED_MOST, STARTS_MOST
from dispatch.desk.scope import actor_of
from dispatch.live.board import Board
from dispatch.live.fleet import Fleet
from dispatch.live.roster import Roster
from dispatch.ports import Once
from dispatch.router.valhalla import Valhalla
from dispatch.store.memory import MemoryStore
from dispatch.telemetry import Metrics
from geo.datum import Datum
from geo.eta import TURNOUT_S, Moves, Quality, StraightLine
from geo.jurisdiction import Jurisdiction
from geo.point import Point
from schemas.base import IncidentId, KeyId, MemberId, UnitId
from schemas.incident import Case
from schemas.plan import IncidentKind, Need
from schemas.rest import NeedBody, OpenIncident, Place
from schemas.unit import Capability, Duty, Member, Unit, UnitKind
from tests.dispatch.api.conftest import Api
from tests.dispatch.desk.station import view
from tests.dispatch.router.stand_in import Mood, StandIn, stand_in
from tests.fakes import FakeDesk, ManualClock

pytestmark = pytest.mark.asyncio

SCENE: Final = Point(113.45, 23.10)
ELSEWHERE: Final = Point(113.46, 23.11)
STEP: Final = 1e-3
"""Degrees between two units, about 100 m."""
METRES_PER_DEGREE: Final = 102_400
"""Of longitude, at the scene."""
PATIENT_S: Final = 5.0
GRANT: Final = Grant(key_id=KeyId("k1"), role=Role.COMMANDER, juris="gz")
NAME: Final = "valhalla"


def unit(name: str, east: float, capabilities: tuple[Capability, ...] = ()) -> Unit:
    """Return a unit on motorbikes, so many steps east of the scene."""
    return Unit(
        id=UnitId(name),
        code=name,
        name=name,
        kind=UnitKind.VILLAGE,
        juris="gz",
        lon=SCENE.lon + east * STEP,
        lat=SCENE.lat,
        moves=Moves.MOTORBIKE,
        capabilities=capabilities,
    )


WEST, EAST, FAR = unit("west", -1), unit("east", 1.2), unit("far", 2)


class Process:
    """A desk over a store in memory, and the router it may ask."""

    def __init__(self, server: StandIn, router: Valhalla) -> None:
        self.server = server
        self.router = router
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock.now)
        self.desk = Desk(
            store=self.store,
            clock=self.clock,
            fleet=Fleet(StraightLine(compiled=False)),
            board=Board(),
            roster=Roster(),
            keyring=Keyring(),
            metrics=Metrics(),
        )
        self.desk.routes.ask(router)
        self.desk.keyring.replace([(token_hash("kk_1"), GRANT)])

    async def settle(self, *units: Unit) -> None:
        """Register units with one member each, on duty."""
        await self.store.put_jurisdictions(
            [Jurisdiction("gz", "广州", shapely.box(113.0, 22.5, 114.0, 24.0))]
        )
        await self.store.put_units(units)
        await self.store.put_members(
            Member(id=MemberId(u.id), unit_id=u.id, name=u.name, duty=Duty.ON) for u in units
        )
        await self.desk.recover()

    def once(self) -> Once:
        """Return the id of a new command."""
        return Once(scope="key:k1", id=self.clock.new_id(), digest=b"")

    async def open(self, **facts: Any) -> Case:
        """Open an incident at the scene; return its case."""
        outcome = await self.desk.open(body(**facts), GRANT, self.once(), self.clock.now())
        return await self.case(view(outcome).id)

    async def act(self, case: Case, command: commands.Command) -> Case:
        """Let a person change an incident; return it as it is then."""
        name = case.incident.id
        await self.desk.act(name, command, GRANT, Right.CHANGE_INCIDENTS, self.once())
        return await self.case(name)

    async def case(self, name: str) -> Case:
        """Return a case as it is kept."""
        return await self.desk.case(IncidentId(name), GRANT)

    async def offered(self, case: Case) -> list[dict[str, Any]]:
        """Return what the log says of each offer."""
        log = await self.desk.timeline(case.incident.id, GRANT, 0, 200)
        return [{**e.data, "unit": e.unit_id} for e in log if e.type is Event.OFFERED]

    def sources(self, question: int) -> list[tuple[float, float]]:
        """Return the places a question asked about, and to which place."""
        _, asked = self.server.asked[question]
        return [(s["lon"], s["lat"]) for s in asked["sources"]]

    def target(self, question: int) -> Point:
        """Return the place a question asked the way to."""
        (there,) = self.server.asked[question][1]["targets"]
        return Point(there["lon"], there["lat"])

    def counted(self, outcome: str) -> float:
        """Return how many questions came to an outcome."""
        registry, labels = self.desk.metrics.registry, {"outcome": outcome}
        return registry.get_sample_value("kapok_router_questions_total", labels) or 0.0


def body(**facts: Any) -> OpenIncident:
    """Return a call from the scene; anybody on duty may go."""
    given: dict[str, Any] = {
        "kind": IncidentKind.THEFT,
        "priority": 2,
        "position": Place(lon=SCENE.lon, lat=SCENE.lat, datum=Datum.WGS84),
        "title": "有人偷电瓶",
        "drill": False,
        "needs": [NeedBody()],
    }
    return OpenIncident(**{**given, **facts})


def moved(there: Point) -> commands.Correct:
    """Return the word that it is somewhere else."""
    place = commands.Place(
        lon=there.lon,
        lat=there.lat,
        given_lon=there.lon,
        given_lat=there.lat,
        given_datum=Datum.WGS84,
        juris="gz",
    )
    return commands.Correct(place=place)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[StandIn]:
    """A router's server that answers; the scene lies on the far side of its river."""
    async with stand_in() as server:
        server.river = SCENE.lon
        yield server


@pytest_asyncio.fixture
async def process(server: StandIn) -> AsyncIterator[Process]:
    """A process with three units, whose router has so much time that a busy machine fails none."""
    async with Valhalla(server.url, PATIENT_S) as router:
        process = Process(server, router)
        await process.settle(WEST, EAST, FAR)
        yield process


# What it says goes first. ------------------------------------------------------------------------


async def test_units_are_ranked_by_the_routers_seconds(process: Process) -> None:
    """The nearest as the crow flies is across the river; turnout is added."""
    case = await process.open()
    assert [offer.unit_id for offer in case.offers] == [EAST.id, FAR.id, WEST.id]
    assert [offer.eta_s - TURNOUT_S for offer in case.offers] == [15.0, 25.0, 37.0]
    assert {offer.quality for offer in case.offers} == {Quality.NETWORK}


async def test_who_sets_out_later_arrives_later(process: Process) -> None:
    """By the router's word as by ours, and on the map too."""
    school = replace(unit("school", 1), kind=UnitKind.SCHOOL)
    await process.settle(school)
    shown = await process.desk.candidates(body(), GRANT)
    told = {c.unit_id: c.eta_s for c in shown.candidates}
    later = TURNOUT_S + later_s(UnitKind.SCHOOL)
    assert told[school.id] == later + 12
    case = await process.open()
    way = await process.desk.way(case.incident.id, school.id, GRANT)
    assert way.eta_s == pytest.approx(later + way.distance_m / 8.3)


async def test_the_router_is_named_on_the_event_and_in_the_timeline(process: Process) -> None:
    """As the console reads it over REST."""
    case = await process.open()
    api = Api.of(
        build(process.desk, measured=Measured("0", process.desk.metrics.registry)), FakeDesk()
    )
    async with api.client:
        path = f"/v1/incidents/{case.incident.id}/timeline"
        answer = await api.get(path, key="kk_1")
    told = [item["data"] for item in answer.json()["items"] if item["type"] == "offered"]
    assert [each["told_by"] for each in told] == [NAME] * 3


async def test_a_preview_shows_what_an_opening_would_do(process: Process) -> None:
    """The same units, by the same word."""
    shown = await process.desk.candidates(body(), GRANT)
    case = await process.open()
    assert [(c.unit_id, c.eta_s) for c in shown.candidates] == [
        (offer.unit_id, offer.eta_s) for offer in case.offers
    ]
    assert {c.told_by for c in shown.candidates} == {NAME}


async def test_whom_a_person_asks_comes_by_the_routers_word_too(process: Process) -> None:
    """The event names it, as of those the engine asks."""
    case = await process.open(kind=IncidentKind.THEFT, priority=4)
    await process.act(case, commands.WithdrawOffer(offer_id=case.offers[0].id, why="忙"))
    case = await process.act(case, commands.Ask(unit_id=case.offers[0].unit_id))
    assert {each["told_by"] for each in await process.offered(case)} == {NAME}


# Nobody waits for it. ----------------------------------------------------------------------------


async def decided_alone(process: Process) -> None:
    """Expect a decision by straight lines, which nobody has signed."""
    shown = await process.desk.candidates(body(), GRANT)
    assert [(c.unit_id, c.told_by) for c in shown.candidates] == [
        (each.id, None) for each in (WEST, EAST, FAR)
    ]
    case = await process.open()
    assert [offer.unit_id for offer in case.offers] == [WEST.id, EAST.id, FAR.id]
    assert {offer.quality for offer in case.offers} == {Quality.STRAIGHT_LINE}
    assert [each for each in await process.offered(case) if "told_by" in each] == []


@pytest.mark.parametrize("mood", [Mood.BROKEN, Mood.REFUSING, Mood.NONSENSE, Mood.SHORT])
async def test_what_it_does_not_say_is_reckoned_by_ourselves(process: Process, mood: Mood) -> None:
    """The decision is made all the same, and names nobody."""
    process.server.mood = mood
    await decided_alone(process)
    assert (process.counted("answered"), process.counted("away")) == (0, 2)


async def test_one_that_never_answers_holds_nothing_up(server: StandIn) -> None:
    """A decision waits for its bound and no longer: this server would take an hour."""
    server.mood = Mood.SLOW
    async with Valhalla(server.url) as hasty:
        process = Process(server, hasty)
        await process.settle(WEST, EAST, FAR)
        await decided_alone(process)
    assert process.counted("away") == 2


async def test_where_it_knows_no_way_for_anybody_we_reckon_ourselves(process: Process) -> None:
    """Its map may end where the city goes on."""
    process.server.mood = Mood.ISLAND
    await decided_alone(process)
    assert (process.counted("answered"), process.counted("away")) == (2, 0)


# What is asked. ----------------------------------------------------------------------------------


async def test_a_correction_asks_about_the_new_place(process: Process) -> None:
    """Units are measured and ranked anew from there."""
    case = await process.open()
    await process.act(case, moved(ELSEWHERE))
    assert [process.target(n) for n in range(2)] == [SCENE, ELSEWHERE]


async def test_what_was_told_of_another_place_does_not_count(process: Process) -> None:
    """The place has changed between the question and the decision."""
    opened = await process.open()
    told = await process.desk.routes.told(opened.incident, opened)
    assert told is not None
    assert told.place == SCENE
    case = await process.act(opened, moved(ELSEWHERE))
    seen = process.desk._context(case.incident, actor_of(GRANT), told).field
    found = seen.candidates(Need(), 1200, frozenset())
    assert {c.told_by for c in found.candidates} == {""}


async def test_holders_and_the_asked_are_asked_about_first(process: Process) -> None:
    """However many are nearer: all who are compared are compared by the same word."""
    held = unit("held", 60, (Capability.AED,))
    await process.settle(held)
    case = await process.open(needs=[NeedBody(capabilities=(Capability.AED,))])
    case = await process.act(case, commands.Order(unit_id=held.id))
    asked = await process.act(case, commands.Ask(unit_id=FAR.id, slot=0))
    crowd = [unit(f"u{n}", n / 100) for n in range(ASKED_MOST + 10)]
    await process.settle(*crowd)
    await process.desk.routes.told(replace(asked.incident, needs=(Need(),)), asked)
    sources = process.sources(-1)
    assert sources[:2] == [(round(u.lon, 6), u.lat) for u in (held, FAR)]
    assert len(sources) == 2 + ASKED_MOST


async def test_whom_a_person_names_is_asked_about(process: Process) -> None:
    """However far away, and so is the ETA it is watched by."""
    away = unit("away", 60)
    await process.settle(away, *(unit(f"u{n}", n / 100) for n in range(ASKED_MOST + 10)))
    case = await process.open()
    case = await process.act(case, commands.Order(unit_id=away.id))
    (task,) = case.assignments
    told = TURNOUT_S + 60 * STEP * METRES_PER_DEGREE / 8.3
    assert task.eta_s == pytest.approx(told, rel=0.01)


async def test_a_question_is_bounded(process: Process) -> None:
    """Whatever an incident needs; and each of its needs has its share."""
    needs = [NeedBody(capabilities=(each,)) for each in list(Capability)[:8]]
    crowd = [
        unit(f"{need.capabilities[0]}{n}", n / 100, need.capabilities)
        for need in needs
        for n in range(ASKED_MOST)
    ]
    await process.settle(*crowd)
    shown = await process.desk.candidates(body(needs=needs), GRANT)
    assert len(process.sources(-1)) == STARTS_MOST < len(crowd)
    assert {c.slot for c in shown.candidates if c.told_by == NAME} == set(range(len(needs)))


async def test_nobody_is_asked_about_nobody(process: Process) -> None:
    """No free unit will do, and so there is no question to count."""
    needs = [NeedBody(capabilities=(Capability.AED,))]
    assert (await process.open(needs=needs)).offers == ()
    assert process.server.asked == []
    assert process.counted("answered") == 0


async def test_the_services_own_incident_asks_no_router(process: Process) -> None:
    """What it learns would be of no use: its unit is at hand wherever it is."""
    await process.store.put_canary()
    await process.desk.read_registered()
    incident = replace(
        process.desk.incident(body(), "canary", "gz", process.clock.now()), juris=HIDDEN
    )
    await process.desk.begin(
        commands.Open(incident=incident, trusted=True),
        actor_of(GRANT),
        process.once(),
        answers.created,
    )
    kept = await process.store.load(incident.id, None)
    assert kept.case is not None
    assert [offer.unit_id for offer in kept.case.offers] == [UnitId(HIDDEN)]
    assert process.server.asked == []


async def test_questions_are_counted_by_what_came_of_them(process: Process) -> None:
    """Of a router that fails too often, a watch on this is the first to know."""
    await process.desk.candidates(body(), GRANT)
    process.server.mood = Mood.BROKEN
    await process.open()
    assert (process.counted("answered"), process.counted("away")) == (1, 1)


# The way on a map. -------------------------------------------------------------------------------


async def test_a_way_is_drawn_as_the_router_tells_it(process: Process) -> None:
    """From where the unit is, turnout included."""
    case = await process.open()
    way = await process.desk.way(case.incident.id, EAST.id, GRANT)
    assert (way.by, way.quality) == (NAME, Quality.NETWORK)
    assert [(round(p.lon, 6), p.lat) for p in way.line] == [(EAST.lon, EAST.lat), SCENE]
    assert way.eta_s == pytest.approx(TURNOUT_S + way.distance_m / 8.3)


async def test_where_it_tells_none_a_straight_line_is_drawn(process: Process) -> None:
    """And says so; the seconds are those a ranking without roads would go by."""
    process.server.mood = Mood.REFUSING
    shown = await process.desk.candidates(body(), GRANT)
    reckoned = next(c for c in shown.candidates if c.unit_id == EAST.id)
    case = await process.open()
    way = await process.desk.way(case.incident.id, EAST.id, GRANT)
    assert (way.by, way.quality, way.line[1]) == (None, Quality.STRAIGHT_LINE, SCENE)
    assert (way.eta_s, way.distance_m) == pytest.approx(
        (reckoned.eta_s, reckoned.distance_m), rel=0.01
    )


async def test_without_a_router_it_is_a_straight_line(process: Process) -> None:
    """Nothing is asked, nothing counted."""
    alone = Process(process.server, process.router)
    alone.desk.routes = type(alone.desk.routes)(
        fleet=alone.desk.fleet, clock=alone.clock, metrics=alone.desk.metrics
    )
    await alone.settle(WEST)
    case = await alone.open()
    assert (await alone.desk.way(case.incident.id, WEST.id, GRANT)).by is None
    assert (process.server.asked, alone.counted("away")) == ([], 0)
