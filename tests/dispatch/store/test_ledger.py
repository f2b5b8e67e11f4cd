"""What a run wrote, read afterwards; every proof is shown to be able to fail."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from dispatch.ports import StoreAway
from dispatch.store.ledger import Counts, Ledger, ledger

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]

SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
UNIT: Final = """
insert into unit (id, code, name, kind, juris, lon, lat, moves)
values ('u1', 'U1', '单元', 'village', 'gz', 113.4, 23.1, 'foot')
"""
PHONE: Final = """
with m as (insert into member (id, unit_id, name) values ('m1', 'u1', '队员') returning id)
select id from m
"""
DEVICE: Final = """
insert into device (id, unit_id, member_id, token_hash, head)
values ('d1', 'u1', 'm1', decode(repeat('00', 32), 'hex'), 9)
"""
INCIDENT: Final = """
insert into incident (id, kind, priority, lon, lat, given_lon, given_lat, given_datum, juris,
    title, status, called_at, opened_at, drill, level, mode, needs, ring_s, shortfall, arrived_at)
values ($1, 'theft', 2, 113.4, 23.1, 113.4, 23.1, 'wgs84', 'gz', '偷', $2,
    clock_timestamp() - $3::interval, clock_timestamp() - $3::interval, false, 'grid', 'auto', '[]',
    180, $4, clock_timestamp() - $5::interval)
"""
OFFER: Final = """
insert into offer (id, incident_id, unit_id, slot, state, eta_s, distance_m, quality, ring_s,
    sent_at, lapse_at, exp_at)
values ($1, $2, 'u1', 0, $3, 90, 80, 'straight_line', 180, clock_timestamp(), clock_timestamp(),
    clock_timestamp())
"""
TASK: Final = """
insert into assignment (id, incident_id, unit_id, slot, state, role, kind, eta_s, arrive_at,
    assigned_at, by, arrived_at, ended_at)
values ($1, $2, 'u1', 0, 'resolved', 'primary', 'offer', 90, clock_timestamp(),
    clock_timestamp() - $3::interval, 'm', clock_timestamp(), clock_timestamp())
"""
EVENT: Final = """
insert into event (type, by, via, at, unit_id) values ($1, 'engine', 'engine', now(), $2)
"""
MAIL: Final = """
insert into outbox (device_id, seq, incident_id, ref, at, expires_at, frame, superseded, acked_at)
values ('d1', $1, 'i1', 'o1', clock_timestamp() - $2::interval,
    clock_timestamp() + $3::interval, '{}', $4, $5)
"""


def ago(seconds: float) -> timedelta:
    """Return how long ago."""
    return timedelta(seconds=seconds)


@pytest_asyncio.fixture
async def rows(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that writes what a run would have written; one unit with a phone is there."""
    connection = await asyncpg.connect(database)
    for statement in (UNIT, PHONE, DEVICE):
        await connection.execute(statement)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def book(database: str) -> AsyncIterator[Ledger]:
    """The ledger of a run that began this year."""
    async with ledger(database, SINCE) as opened:
        yield opened


async def test_an_empty_run_has_nothing(book: Ledger) -> None:
    """No count, no proof against it."""
    assert await book.counts() == Counts()
    assert await book.unserved() == {}
    assert await book.opened() == {}
    assert await book.must_be_seen(0.0) == {}
    assert (await book.waiting(), await book.double_booked()) == (0, 0)


async def test_what_came_of_a_run_is_counted(rows: asyncpg.Connection, book: Ledger) -> None:
    """Incidents, open ones, offers, acceptances, arrivals and how soon."""
    await rows.execute(INCIDENT, "i1", "closed", ago(400), None, ago(230))
    await rows.execute(INCIDENT, "i2", "on_scene", ago(400), None, ago(120))
    await rows.execute(INCIDENT, "i3", "dispatching", ago(10), None, None)
    await rows.execute(OFFER, "o1", "i1", "accepted")
    await rows.execute(OFFER, "o2", "i2", "declined")
    await rows.execute(TASK, "a1", "i1", ago(390))
    counts = await book.counts()
    assert (counts.incidents, counts.open, counts.offers, counts.accepted) == (3, 2, 2, 1)
    assert (counts.arrived, counts.within_180_s, counts.within_300_s) == (1, 1, 2)
    assert set(await book.opened()) == {"i1", "i2", "i3"}


async def test_a_run_is_counted_from_its_start(rows: asyncpg.Connection, database: str) -> None:
    """What was there before is another's."""
    await rows.execute(INCIDENT, "i1", "open", ago(60), None, None)
    async with ledger(database, datetime(2100, 1, 1, tzinfo=UTC)) as later:
        assert await later.counts() == Counts()
        assert await later.opened() == {}


async def test_who_was_not_served_is_named_with_the_reason(
    rows: asyncpg.Connection, book: Ledger
) -> None:
    """Within a minute, or too late; what was called off does not count."""
    await rows.execute(INCIDENT, "i1", "open", ago(100), "off_duty", None)
    await rows.execute(INCIDENT, "i2", "responding", ago(100), None, None)
    await rows.execute(INCIDENT, "i3", "responding", ago(100), None, None)
    await rows.execute(INCIDENT, "i4", "cancelled", ago(100), None, None)
    await rows.execute(TASK, "a2", "i2", ago(41))
    await rows.execute(TASK, "a3", "i3", ago(39))
    assert await book.unserved() == {"i1": "off_duty", "i3": "no_answer"}


async def test_who_waits_yet_is_counted(rows: asyncpg.Connection, book: Ledger) -> None:
    """Younger than a minute, and nobody accepted."""
    await rows.execute(INCIDENT, "i1", "dispatching", ago(5), None, None)
    await rows.execute(INCIDENT, "i2", "dispatching", ago(65), None, None)
    await rows.execute(INCIDENT, "i3", "dispatching", ago(5), None, None)
    await rows.execute(TASK, "a3", "i3", ago(1))
    assert await book.waiting() == 1


async def test_a_unit_with_two_tasks_is_found_in_the_log(
    rows: asyncpg.Connection, book: Ledger
) -> None:
    """One after the other is no fault; one within the other is."""
    for event in ("assigned", "assignment_ended", "assigned"):
        await rows.execute(EVENT, event, "u1")
    await rows.execute(EVENT, "assigned", "u2")
    assert await book.double_booked() == 0
    await rows.execute(EVENT, "assigned", "u1")
    assert await book.double_booked() == 1


async def test_what_a_phone_must_have_seen_is_known(rows: asyncpg.Connection, book: Ledger) -> None:
    """Old enough, neither superseded nor expired; acknowledged or not."""
    hour, never = ago(3600), None
    for seq, age, left, superseded, acked in (
        (1, 60, hour, False, datetime(2026, 11, 1, tzinfo=UTC)),
        (2, 60, hour, False, never),
        (3, 60, hour, True, never),
        (4, 60, ago(-1), False, never),
        (5, 2, hour, False, never),
    ):
        await rows.execute(MAIL, seq, ago(age), left, superseded, acked)
    assert await book.must_be_seen(30.0) == {"d1": [1, 2]}
    assert await book.must_be_seen(0.0) == {"d1": [1, 2, 5]}


async def test_a_ledger_of_nowhere_says_so() -> None:
    """As every store does."""
    with pytest.raises(StoreAway):
        async with ledger("postgresql://kapok@127.0.0.1:1/kapok", SINCE):
            pass
