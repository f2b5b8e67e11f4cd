"""What every store promises about trace ids, tried on each of them."""

import asyncpg
import pytest

from dispatch.core.events import Entry, Event
from dispatch.ports import Cursor, MemberChange
from dispatch.store.pools import encoded
from dispatch.store.postgres import PostgresStore
from dispatch.trace import traced
from schemas.base import DeviceId, MemberId
from tests.contract.town import OFF, OK, ONE, TWO, Town, once
from tests.fakes import START

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

OPENED, TAKEN, LATER = "a" * 32, "b" * 32, "c" * 32


async def traces(town: Town) -> list[tuple[str, str]]:
    """Return what the log has: each line's type, and the work it was written by."""
    return [(e.entry.type, e.entry.trace) for e in await town.store.events(Cursor(), 100)]


async def test_a_decision_is_written_under_the_work_it_was_made_by(town: Town) -> None:
    """All its lines, in the timeline, in the log, and in what an asker is told of it."""
    with traced(OPENED):
        case = await town.open()
    with traced(TAKEN):
        await town.accept(case)
    log = await town.store.timeline(case.incident.id, 0, 100)
    assert {entry.trace for entry in log} == {OPENED, TAKEN}
    since = await town.store.since(case.incident.id, 1, 100)
    assert {entry.trace for entry in since} == {TAKEN}
    assert [t for _, t in await traces(town)] == [entry.trace for entry in log]


async def test_what_no_work_has_an_id_for_has_none(town: Town) -> None:
    """As what was written before there were any; and none is left from the work before."""
    with traced(OPENED):
        case = await town.open()
    before = len(await town.events(case))
    await town.accept(case)
    log = await town.store.timeline(case.incident.id, before, 100)
    assert {entry.trace for entry in log} == {""}


async def test_facts_beside_decisions_have_it_too(town: Town) -> None:
    """Duty, deliveries, what is registered."""
    with traced(OPENED):
        await town.open()
    with traced(TAKEN):
        await town.clock_in(1, OFF)
    with traced(LATER):
        await town.told("d2", 1)
        entry = Entry(
            type=Event.REFUSED, by="member:m1", via="app", at=town.clock.now(), unit_id=ONE
        )
        change = MemberChange(
            member_id=MemberId("m1"), new=False, changes={"consent": None}, entry=entry
        )
        await town.store.register_member(change, once("1"), OK)
        revoked = Entry(type=Event.DEVICE_REVOKED, by="key:k1", via="api", at=town.clock.now())
        await town.store.revoke_device(DeviceId("d1"), revoked, once("2"), OK)
    written = dict(await traces(town))
    assert written[Event.DUTY] == TAKEN
    assert {written[e] for e in (Event.DELIVERED, Event.REFUSED, Event.DEVICE_REVOKED)} == {LATER}


async def test_what_a_decision_means_for_another_incident_is_of_its_work(town: Town) -> None:
    """Whoever does it later does it under the same id; a wake is of nobody's."""
    first, second = await town.open([ONE]), await town.open([ONE, TWO])
    with traced(TAKEN):
        await town.accept(first)
    town.clock.advance(3600)
    due = await town.store.claim_due(100, town.clock.now())
    left = {d.kind: d.trace for d in due if d.incident_id == second.incident.id}
    assert left == {"unit_engaged": TAKEN, "wake": ""}


@pytest.mark.postgres
async def test_a_build_that_knows_no_traces_writes_on(database: str) -> None:
    """As it did before: what it writes has none, and the others read it."""
    connection, store = await asyncpg.connect(database), await PostgresStore.open(database)
    said = {"type": "duty_changed", "by": "m1", "via": "app", "at": START, "data": {}}
    await connection.execute("select note_event($1::jsonb)", encoded(said))
    (logged,) = await store.events(Cursor(), 10)
    assert (logged.entry.type, logged.entry.trace) == (Event.DUTY, "")
    await store.close()
    await connection.close()
