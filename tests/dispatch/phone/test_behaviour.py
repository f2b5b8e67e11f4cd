"""What a simulated person does, step by step."""

from itertools import count

import msgspec
import numpy as np
import pytest

from dispatch.phone import heard
from dispatch.phone.behaviour import Habits, Kit, Leg, Person
from dispatch.phone.cadence import DEFAULTS, Situation
from dispatch.phone.news import (
    AskAgain,
    Assigned,
    OfferChanged,
    Offered,
    OfferEnded,
    TaskChanged,
    TaskEnded,
)
from dispatch.phone.timers import NEVER
from geo.datum import Datum, point_to_wgs84
from geo.distance import metres
from geo.eta import PACES, Moves
from geo.point import Point
from schemas.incident import AssignmentState
from schemas.wire import AssignFrame, OfferFrame, UnitCommand
from tests.dispatch.phone.script import NOW_MS, offer, task, text

HOME = Point(113.3, 23.1)
SCENE = Point(113.31, 23.1)
WAY_S = metres(HOME, SCENE) * PACES[Moves.FOOT].detour / PACES[Moves.FOOT].speed_mps


def person(habits: Habits | None = None, datum: Datum = Datum.WGS84) -> Person:
    """Return somebody on foot at home, with the same luck every time."""
    ids = count(1)
    kit = Kit(habits or Habits(accept=1.0), np.random.default_rng(7), lambda: f"{next(ids):032d}")
    return Person(HOME, Moves.FOOT, kit, datum)


def held_offer(frame: OfferFrame) -> heard.Offer:
    """Return an offer as a phone holds it."""
    return msgspec.json.decode(text(frame), type=heard.Offer)


def held_task(frame: AssignFrame) -> heard.Task:
    """Return a task as a phone holds it."""
    return msgspec.json.decode(text(frame), type=heard.Task)


def live(who: Person, until_ms: float) -> list[tuple[float, UnitCommand]]:
    """Let the person act whenever it is due; return what was said, and the seconds from NOW_MS."""
    found = []
    while who.step_due_ms <= until_ms:
        now_ms = who.step_due_ms
        found += [((now_ms - NOW_MS) / 1000, command) for command in who.act(now_ms)]
    return found


def steps(said: list[tuple[float, UnitCommand]]) -> list[str]:
    """Return what was said, by its kind and step."""
    return [str(getattr(one, "s", getattr(one, "r", type(one).__name__))) for _, one in said]


def test_an_accepting_person_sees_then_accepts_the_newest_rev() -> None:
    """Between half and three halves of the habits' seconds."""
    who = person()
    who.learn(Offered(held_offer(offer(rev=1))), NOW_MS)
    who.learn(OfferChanged(held_offer(offer(rev=3)), alert=False), NOW_MS + 1)
    said = live(who, NOW_MS + 60_000)
    assert steps(said) == ["OfferSeen", "accept"]
    assert 2.0 <= said[0][0] <= 6.0
    assert said[0][0] + 1.5 <= said[1][0] <= said[0][0] + 4.5
    assert getattr(said[1][1], "rev", None) == 3


@pytest.mark.parametrize(
    ("habits", "does"),
    [
        (Habits(accept=0.0, decline=1.0), ["OfferSeen", "decline"]),
        (Habits(accept=0.0, decline=0.0), ["OfferSeen"]),
    ],
)
def test_others_decline_or_keep_silent(habits: Habits, does: list[str]) -> None:
    """By their shares."""
    who = person(habits)
    who.learn(Offered(held_offer(offer())), NOW_MS)
    assert steps(live(who, NOW_MS + 60_000)) == does


def test_shares_are_those_of_the_habits() -> None:
    """Six in ten accept, two decline, two stay silent."""
    who = person(Habits())
    for n in range(1000):
        who.learn(Offered(held_offer(offer(f"o{n}"))), NOW_MS)
    does = steps(live(who, NOW_MS + 60_000))
    assert 550 < does.count("accept") < 650
    assert 160 < does.count("decline") < 240


def test_who_is_asked_again_decides_again() -> None:
    """The first answer was too old to be sent."""
    who = person()
    who.learn(Offered(held_offer(offer())), NOW_MS)
    live(who, NOW_MS + 60_000)
    who.learn(AskAgain("o1"), NOW_MS + 61_000)
    assert steps(live(who, NOW_MS + 120_000)) == ["accept"]


def test_an_ended_offer_is_not_answered() -> None:
    """Nor seen."""
    who = person()
    who.learn(Offered(held_offer(offer())), NOW_MS)
    who.learn(OfferEnded("o1", "taken"), NOW_MS)
    assert live(who, NOW_MS + 60_000) == []


def test_a_task_is_gone_through_from_turnout_to_the_end() -> None:
    """Straight to the scene, at the way's speed with its detour."""
    who = person()
    who.learn(Assigned(held_task(task())), NOW_MS)
    said = live(who, NOW_MS + 3_600_000)
    assert steps(said) == ["AssignSeen", "en_route", "arrived", "controlled", "resolved"]
    assert said[1][0] == 30.0
    assert said[2][0] - said[1][0] == pytest.approx(WAY_S, abs=0.01)
    assert who.place(NOW_MS + 3_600_000) == SCENE
    who.learn(TaskEnded("a1", "resolved"), NOW_MS + 3_600_000)
    assert who.task is None
    assert not who.at_post(NOW_MS + 3_600_000)
    assert who.at_post(NOW_MS + 3_600_000 + WAY_S * 1000 + 1)


@pytest.mark.parametrize(
    ("state", "does"),
    [
        (AssignmentState.EN_ROUTE, ["AssignSeen", "arrived", "controlled", "resolved"]),
        (AssignmentState.ARRIVED, ["AssignSeen", "controlled", "resolved"]),
        (AssignmentState.CONTROLLED, ["AssignSeen", "resolved"]),
    ],
)
def test_a_task_begun_before_is_gone_on_with(state: AssignmentState, does: list[str]) -> None:
    """After a new start of the app."""
    who = person()
    who.learn(Assigned(held_task(task(s=state))), NOW_MS)
    assert steps(live(who, NOW_MS + 3_600_000)) == does


def test_an_overtaken_person_turns_back_at_once() -> None:
    """From where it is."""
    who = person()
    who.learn(Assigned(held_task(task())), NOW_MS)
    half_ms = NOW_MS + 30_000 + WAY_S * 500
    live(who, half_ms)
    middle = who.place(half_ms)
    who.learn(TaskEnded("a1", "overtaken"), half_ms)
    assert metres(HOME, middle) == pytest.approx(metres(HOME, SCENE) / 2, rel=0.01)
    assert live(who, half_ms + 3_600_000) == []
    assert who.at_post(half_ms + WAY_S * 500 + 100)


def test_a_scene_that_moves_is_followed() -> None:
    """The way goes on from where the person is."""
    who = person()
    first = held_task(task())
    who.learn(Assigned(first), NOW_MS)
    live(who, NOW_MS + 60_000)
    inc = msgspec.structs.replace(first.inc, lon=HOME.lon, lat=HOME.lat)
    who.learn(TaskChanged(msgspec.structs.replace(first, rev=2, inc=inc), True), NOW_MS + 60_000)
    arrived = next(
        at for at, one in live(who, NOW_MS + 3_600_000) if steps([(at, one)]) == ["arrived"]
    )
    assert arrived == pytest.approx(90.0, abs=0.1)


def test_who_has_a_task_answers_no_offer() -> None:
    """And takes no second task; the end of a stranger's is nothing."""
    who = person()
    who.learn(Offered(held_offer(offer("o2"))), NOW_MS)
    who.learn(Assigned(held_task(task())), NOW_MS)
    who.learn(Offered(held_offer(offer("o3"))), NOW_MS)
    who.learn(Assigned(held_task(task("a2"))), NOW_MS)
    who.learn(TaskChanged(held_task(task("a2", rev=2)), alert=False), NOW_MS)
    who.learn(TaskEnded("a2", "resolved"), NOW_MS)
    assert steps(live(who, NOW_MS + 29_000)) == ["AssignSeen"]
    assert who.task is not None
    assert who.task.aid == "a1"


def test_thousands_at_home_do_not_report_in_one_second() -> None:
    """The first report of who stands at the post is spread over every_s."""
    policy = DEFAULTS[Situation.FIXED]
    who = person()
    assert who.fix(NOW_MS, policy) is None
    assert NOW_MS < who.due_ms(policy) <= NOW_MS + 300_000
    assert who.fix(who.due_ms(policy), policy) is not None


def test_reports_come_by_time_and_by_metres() -> None:
    """Whatever is sooner; never more than one a second; nothing when the policy says nothing."""
    who = person()
    who.learn(Assigned(held_task(task())), NOW_MS)
    live(who, NOW_MS + 40_000)
    now_ms = NOW_MS + 40_000
    assert who.fix(now_ms, DEFAULTS[Situation.AVAILABLE]) is not None
    metres_s = 50 * PACES[Moves.FOOT].detour / PACES[Moves.FOOT].speed_mps
    wait_ms = who.due_ms(DEFAULTS[Situation.AVAILABLE]) - now_ms
    assert wait_ms == pytest.approx(metres_s * 1000)
    assert who.fix(now_ms + 999, DEFAULTS[Situation.ENGAGED]) is None
    assert person().due_ms(DEFAULTS[Situation.OFF]) == NEVER


def test_who_has_arrived_reports_by_time_only() -> None:
    """Metres count on the way."""
    who = person()
    who.learn(Assigned(held_task(task())), NOW_MS)
    live(who, NOW_MS + 31_000)
    there_ms = NOW_MS + 31_000 + WAY_S * 1000
    assert who.fix(there_ms, DEFAULTS[Situation.AVAILABLE]) is not None
    assert who.due_ms(DEFAULTS[Situation.AVAILABLE]) <= there_ms
    live(who, there_ms)
    wait_ms = 60_000
    assert who.fix(there_ms + wait_ms - 1, DEFAULTS[Situation.AVAILABLE]) is None
    assert who.fix(there_ms + wait_ms, DEFAULTS[Situation.AVAILABLE]) is not None


def test_positions_are_reported_in_the_phones_datum() -> None:
    """Phones in China know GCJ-02."""
    who = person(datum=Datum.GCJ02)
    who.learn(Assigned(held_task(task())), NOW_MS)
    live(who, NOW_MS + 40_000)
    row = who.fix(NOW_MS + 40_000, DEFAULTS[Situation.ENGAGED])
    assert row is not None
    there = point_to_wgs84(Point(row.lon, row.lat), Datum.GCJ02)
    assert metres(there, who.place(NOW_MS + 40_000)) < 0.2


def test_a_scene_in_gcj02_is_gone_to_where_it_is() -> None:
    """The frame names its datum."""
    shifted = msgspec.structs.replace(held_task(task()), d="gcj02")
    who = person()
    who.learn(Assigned(shifted), NOW_MS)
    live(who, NOW_MS + 3_600_000)
    assert metres(who.place(NOW_MS + 3_600_000), point_to_wgs84(SCENE, Datum.GCJ02)) < 0.01


def test_a_leg_is_walked_evenly() -> None:
    """Before it begins one is at its start, after it at its end."""
    leg = Leg(HOME, SCENE, 1000.0, 3000.0)
    assert leg.at(0.0) == HOME
    assert leg.at(2000.0).lon == pytest.approx((HOME.lon + SCENE.lon) / 2)
    assert leg.at(9000.0) == SCENE
