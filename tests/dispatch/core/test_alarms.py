"""Who is told of what went wrong."""

from datetime import timedelta

import pytest

from dispatch.core import commands as c
from dispatch.core.alarms import (
    ACKNOWLEDGE_WITHIN_S,
    addressed,
    heard_entry,
    level_of,
    moved,
    raised,
    step_entry,
)
from dispatch.core.events import Entry, Event
from dispatch.core.plans import plan_for
from schemas.alarm import Alarm, AlarmId, AlarmKind
from schemas.base import IncidentId, UnitId
from schemas.plan import IncidentKind, Level, Rung
from schemas.wire import Assistance
from tests.dispatch.core.cases import START, Story, at, crowd, ids, incident, phone_of

GRID = "gz.huangpu.xiagang.c012.g0345"
NODES = [GRID, "gz.huangpu.xiagang.c012", "gz.huangpu.xiagang", "gz.huangpu", "gz"]


def alarm(addressee: str | None = None, **facts: object) -> Alarm:
    """Return an alarm in a grid."""
    given: dict[str, object] = {
        "id": AlarmId("al1"),
        "kind": AlarmKind.OPERATOR,
        "reason": "nobody comes",
        "juris": GRID,
        "raised_at": START,
        "incident_id": IncidentId("i1"),
        "addressee": addressee,
    }
    return Alarm(**{**given, **facts})  # type: ignore[arg-type]  # facts of a test


@pytest.mark.parametrize("present", NODES)
def test_an_alarm_goes_to_the_lowest_staffed_desk(present: str) -> None:
    """Whoever sits above it hears of it only later; other branches never."""
    staffed = {*NODES[NODES.index(present) :], "gz.tianhe"}
    to = addressed(alarm(), staffed, START)
    assert (to.addressee, to.level) == (present, level_of(present))
    assert to.reason == "the lowest desk with somebody at it"


def test_unacknowledged_it_climbs_from_desk_to_desk_and_stays_at_the_city() -> None:
    """Half a minute each; at the top there is nobody left to ask."""
    now, asked, here = START, [], alarm()
    while True:
        to = addressed(here, NODES, now)
        asked.append(to.addressee)
        here = moved(here, to)
        if to.next_at is None:
            break
        assert to.next_at == now + timedelta(seconds=ACKNOWLEDGE_WITHIN_S)
        now = to.next_at
    assert asked == NODES
    assert (here.addressee, here.level, here.next_at) == ("gz", Level.CITY, None)


def test_empty_desks_are_passed_over_and_the_reason_is_told() -> None:
    """In words, for the timeline."""
    to = addressed(alarm(GRID), {"gz.huangpu"}, START)
    assert to.addressee == "gz.huangpu"
    assert to.reason == f"not acknowledged at {GRID} in 30 s; the lowest desk with somebody at it"


def test_where_nobody_is_it_goes_to_the_city() -> None:
    """And waits there."""
    to = addressed(alarm(), set(), START)
    assert (to.addressee, to.next_at, to.reason) == ("gz", None, "nobody at any desk")


def test_the_levels_are_told_by_depth() -> None:
    """Five of them."""
    assert [level_of(node) for node in NODES] == list(Level)


def test_the_ladder_rings_at_its_steps() -> None:
    """Operator, police, street force, professionals; with the clock in the reason."""
    story = Story(crowd(0), plan_for(IncidentKind.OTHER, 3), drill=True)
    rung = []
    for _ in range(700):
        story.wake(1)
        rung += [(a.kind, a.reason, a.drill, a.next_at) for a in story.last.alarms]
    assert [kind for kind, *_ in rung] == [
        AlarmKind.OPERATOR,
        AlarmKind.POLICE,
        AlarmKind.STREET,
        AlarmKind.PROFESSIONALS,
    ]
    assert rung[0] == (
        AlarmKind.OPERATOR,
        "an operator is needed: not accepted 60 s after the call",
        True,
        at(60),
    )


def test_help_asked_for_on_the_scene_rings_once() -> None:
    """Not once more for the rung that it calls."""
    story = Story(crowd(3))
    story.accept("u1")
    words = c.Assist(
        unit_id=UnitId("u1"), task_id=story.task("u1").id, what=Assistance.POLICE, text="有刀"
    )
    story.do(words, phone_of("u1"))
    (rung,) = story.last.alarms
    assert (rung.kind, rung.reason) == (AlarmKind.ASSISTANCE, "police asked for on the scene: 有刀")
    assert (rung.unit_id, rung.juris) == ("u1", story.incident.juris)


def test_help_without_words_is_told_without_them() -> None:
    """What is asked for says enough."""
    data = {"what": Assistance.MEDICAL, "text": ""}
    entry = Entry(type=Event.ASSISTANCE, by="m", via="app", at=START, data=data)
    assert raised([entry], incident(), ids())[0].reason == "medical asked for on the scene"


def test_a_person_who_widens_the_ring_rings_nobody() -> None:
    """He knows."""
    story = Story(crowd(3))
    story.do(c.Escalate(rung=Rung.WIDEN, why="river"))
    assert not story.last.alarms
    story.do(c.Escalate(rung=Rung.POLICE, why="knife"))
    assert [a.kind for a in story.last.alarms] == [AlarmKind.POLICE]


def test_a_watchdogs_words_are_the_reason() -> None:
    """As they stand in the timeline."""
    entry = Entry(
        type=Event.UNSEEN, by="engine", via="engine", at=START, data={"reason": "not seen"}
    )
    (found,) = raised([entry], incident(), ids())
    assert (found.kind, found.reason) == (AlarmKind.UNSEEN, "not seen")


def test_each_step_is_a_line_of_the_timeline() -> None:
    """Which desk, why; and who took note, how soon, with what words."""
    to = addressed(alarm(), {"gz.huangpu"}, START)
    line = step_entry(alarm(), to, START)
    assert (line.type, line.by) == (Event.ALARM_ADDRESSED, "engine")
    assert line.data == {
        "alarm": "al1",
        "kind": "operator",
        "to": "gz.huangpu",
        "level": "district",
        "reason": "the lowest desk with somebody at it",
    }
    heard = heard_entry(alarm(), "key:k1", "我来", at(12.5))
    assert (heard.type, heard.by, heard.at) == (Event.ALARM_ACKNOWLEDGED, "key:k1", at(12.5))
    assert heard.data == {"alarm": "al1", "kind": "operator", "after_s": 12.5, "note": "我来"}
