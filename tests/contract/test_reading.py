"""What every store promises of reading, tried on each of them."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from dispatch.core.commands import Cancel, CloseFile, Decline, Resolve
from dispatch.core.events import Entry, Event
from dispatch.ports import Cursor, Logged
from schemas.base import IncidentId
from schemas.unit import Position
from schemas.wire import Reached
from tests.contract.town import (
    KEY,
    OFF,
    OK,
    ONE,
    THREE,
    TWO,
    Town,
    members,
    once,
    places,
    step,
    units,
)

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]


async def test_a_timeline_is_read_in_pages(town: Town) -> None:
    """Oldest first, numbered from 1 without gaps, with what was decided."""
    decision = town.opening([ONE, TWO])
    await town.commit(decision)
    incident_id = decision.case.incident.id
    whole = await town.store.timeline(incident_id, 0, 100)
    assert [replace(entry, n=0) for entry in whole] == [_as_json(e) for e in decision.entries]
    assert [entry.n for entry in whole] == list(range(1, len(whole) + 1))
    assert await town.store.timeline(incident_id, 1, 2) == whole[1:3]
    assert await town.store.timeline(incident_id, len(whole), 2) == []
    assert await town.store.timeline(IncidentId("i404"), 0, 2) == []


async def test_incidents_are_read_in_pages_newest_first(town: Town) -> None:
    """The last of a page names where the next begins."""
    ids = [(await town.open([])).incident.id for _ in range(5)]
    page = await town.store.incidents("gz", [], None, 2)
    rest = await town.store.incidents("gz", [], page[-1].id, 10)
    assert [i.id for i in page + rest] == ids[::-1]
    assert page[0] == (await town.case(ids[-1])).incident


async def test_incidents_can_be_of_some_statuses(town: Town) -> None:
    """None named is all."""
    await town.open([ONE])
    await town.act(await town.open([TWO]), Cancel(why="误报"))
    await town.open([])
    assert [i.status for i in await town.store.incidents("gz", [], None, 9)] == [
        "open",
        "cancelled",
        "dispatching",
    ]
    some = await town.store.incidents("gz", ["open", "cancelled"], None, 9)
    assert [i.status for i in some] == ["open", "cancelled"]


async def test_a_scope_ends_at_a_label(town: Town) -> None:
    """gz.hp holds gz.hp and what lies under it, never gz.hpx."""
    paths = ("gz", "gz.hp", "gz.hp.xg", "gz.hp0", "gz.hpx", "gz.hpx.a", "gz.ho.hp", "h.gz.hp")
    for path in paths:
        await town.open([], juris=path)

    async def under(scope: str) -> set[str]:
        return {i.juris for i in await town.store.incidents(scope, [], None, 99)}

    assert await under("gz.hp") == {"gz.hp", "gz.hp.xg"}
    assert await under("gz.hpx") == {"gz.hpx", "gz.hpx.a"}
    assert await under("gz") == set(paths) - {"h.gz.hp"}
    assert await under("gz.h") == set()


async def test_active_cases_are_those_not_over(town: Town) -> None:
    """What a process needs to go on after a start, whole."""
    waiting = await town.open([])
    asked = await town.open([ONE])
    held = await town.accept(await town.open([TWO]), TWO)
    await town.act(await town.open([THREE]), Cancel(why="误报"))
    there = await town.accept(await town.open([THREE]), THREE)
    there = await town.act(there, step(town, there, Reached.ARRIVED))
    await town.act(await town.act(there, Resolve()), CloseFile(result="done"))
    assert await town.store.active_cases() == [waiting, asked, held]


async def test_an_offer_and_a_task_name_their_incident(town: Town) -> None:
    """What is not known names none."""
    case = await town.accept(await town.open())
    offer, task = case.offers[0].id, case.assignments[0].id
    assert await town.store.incident_of(offer=offer) == case.incident.id
    assert await town.store.incident_of(assignment=task) == case.incident.id
    assert await town.store.incident_of(offer=task) is None
    assert await town.store.incident_of(assignment=offer) is None


async def test_a_declined_offer_is_counted_and_not_a_yes(town: Town) -> None:
    """The unit's own acceptance rate is made of both."""
    case = await town.open()
    await town.act(case, Decline(unit_id=ONE, offer_id=case.offers[0].id, why="在忙"))
    (row,) = await town.store.unit_rows(town.clock.now(), [ONE])
    assert (row.offers, row.accepts, row.open_offers) == (1, 0, 0)


async def test_a_position_never_goes_back(town: Town) -> None:
    """An older one is not written over a newer one; each unit has one."""
    newer = Position(unit_id=ONE, lon=113.5, lat=23.25, acc_m=8.0, at=town.clock.now())
    older = replace(newer, lon=113.0, at=newer.at - timedelta(seconds=1))
    await town.store.checkpoint([newer, replace(older, unit_id=TWO)])
    await town.store.checkpoint([older, replace(newer, unit_id=TWO)])
    await town.store.checkpoint([replace(newer, lon=113.0)])
    await town.store.checkpoint([])
    rows = await town.store.unit_rows(town.clock.now())
    assert [r.position for r in rows] == [newer, replace(newer, unit_id=TWO), None]


async def test_crews_are_read_without_their_numbers(town: Town) -> None:
    """All, or those of some units, by unit and id."""
    named = [replace(member, tel="") for member in members()]
    assert await town.store.crews() == named
    assert await town.store.crews([THREE, ONE]) == named[:2] + named[4:]


async def test_phones_are_known_by_the_hash_of_their_token(town: Town) -> None:
    """A look-up of another says no."""
    identity = await town.store.identify(b"\x03" * 32)
    assert identity is not None
    assert (identity.device_id, identity.unit_id, identity.member_id) == ("d3", TWO, "m3")
    assert (identity.juris, identity.head, identity.acked) == ("gz.hp", 0, 0)
    assert await town.store.identify(b"\x09" * 32) is None
    assert dict(await town.store.identities())[b"\x03" * 32] == identity
    assert len(await town.store.identities()) == 6


async def test_keys_in_force_are_read(town: Town) -> None:
    """With what they may do, by their hash."""
    assert await town.store.keys() == [KEY]


async def test_jurisdictions_are_read_by_path(town: Town) -> None:
    """With their ground."""
    city, district = await town.store.jurisdictions()
    assert [(j.path, j.name) for j in (city, district)] == [("gz", "广州"), ("gz.hp", "黄埔")]
    assert district.polygon.equals(places()[0].polygon)


async def test_what_is_registered_has_a_number_that_grows(town: Town) -> None:
    """With a unit that changed; never with a decision, a message or a duty."""
    before = await town.store.registered()
    case = await town.accept(await town.open())
    await town.told("d1", 2)
    await town.clock_in(2, OFF)
    await town.act(case, Cancel(why="误报"))
    assert await town.store.registered() == before
    one, *_ = units()
    await town.register([replace(one, name="新名")])
    assert await town.store.registered() > before
    (row,) = await town.store.unit_rows(town.clock.now(), [ONE])
    assert (row.unit.name, row.offers) == ("新名", 1)


async def test_the_log_is_read_by_cursor(town: Town) -> None:
    """Every line once, an incident's in its order, duties too; a cursor names where one was."""
    case = await town.open()
    await town.clock_in(2, OFF)
    await town.told("d1", 1)
    whole = await _whole_log(town, 1 + len(await town.events(case)))
    mine = [line.entry for line in whole if line.incident_id == case.incident.id]
    assert mine == await town.store.timeline(case.incident.id, 0, 100)
    (duty,) = [line.entry for line in whole if line.incident_id is None]
    assert (duty.type, duty.by, duty.unit_id, duty.n) == (Event.DUTY, "m2", ONE, 0)
    assert duty.data == {"wanted": "off", "duty": "off"}
    assert await town.store.events(whole[1].cursor, 2) == whole[2:4]
    assert await town.store.events(whole[-1].cursor, 2) == []


async def test_a_day_later_answers_and_settled_mail_are_forgotten(town: Town) -> None:
    """What waits and is not over stays; a limit is kept."""
    await town.store.remember(once("c1"), OK, town.clock.now())
    await town.store.remember(once("c2"), OK, town.clock.now())
    case = await town.accept(await town.open(), device="d1")
    await town.told("d1", 1)
    town.clock.advance(24 * 3600 - 1)
    assert await town.store.forget(town.clock.now(), 100) == 0
    town.clock.advance(2)
    await town.store.remember(once("c3"), OK, town.clock.now())
    await town.open([THREE])
    assert await town.store.forget(town.clock.now(), 1) == 2
    assert await town.store.forget(town.clock.now(), 100) == 1 + 4
    assert await town.store.forget(town.clock.now(), 100) == 0
    loaded = [await town.store.load(None, once(f"c{n}")) for n in (1, 2, 3)]
    assert [each.answer is None for each in loaded] == [True, True, False]
    assert [row.seq for row in await town.mail("d5")] == [1]
    await town.act(case, Cancel(why="误报"))
    assert [row.seq for row in await town.mail("d2")] == [4]


async def _whole_log(town: Town, lines: int) -> list[Logged]:
    """Return the log once it is so long: a line is read when all that runs is above it."""
    for _ in range(100):
        whole = await town.store.events(Cursor(), 1000)
        if len(whole) >= lines:
            break
        await asyncio.sleep(0.05)
    assert len(whole) == lines
    return whole


def _as_json(entry: Entry) -> Entry:
    return replace(entry, data=msgspec.json.decode(msgspec.json.encode(entry.data)))
