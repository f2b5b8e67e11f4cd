"""What is old goes, whole and a little at a time; what is younger cannot be made to go."""

from datetime import datetime, timedelta
from typing import Final

import asyncpg
import pytest

from dispatch.desk.retention import INCIDENTS_MOST, LEASE, WORK, Retention
from dispatch.settings import KEEP_DAYS_LEAST
from dispatch.store.connection import connected
from dispatch.store.retention import ONE_AT_A_TIME, PLACES_KEPT
from tests.dispatch.desk.station import Station, sql

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]

KEEP: Final = timedelta(days=400)
LEFT: Final = """
select (select count(*) from incident) as incidents, (select count(*) from offer) as offers,
       (select count(*) from assignment) as assignments, (select count(*) from event) as lines,
       (select count(*) from alarm) as alarms
"""
AGE: Final = """
alter table event disable trigger user;
update event set at = '{at}', written_at = '{at}';
update incident set id = '00' || substr(id, 3), opened_at = '{at}',
    ended_at = case when ended_at is not null then timestamptz '{at}' end;
alter table event enable trigger user;
"""
LOOSE: Final = """
alter table {table} drop constraint {table}_incident_id_fkey;
alter table {table} add foreign key (incident_id) references incident on update cascade;
"""
TABLES: Final = ("offer", "assignment", "event", "due", "alarm")


def retention(station: Station) -> Retention:
    """The job, as the service runs it."""
    return Retention(station.desk, station.store, KEEP)


async def left(station: Station) -> dict[str, int]:
    """Return how many rows there are of what is kept for long."""
    (row,) = await sql(station.dsn, LEFT)
    return dict(row)


async def age(station: Station, days: int, now: datetime | None = None) -> None:
    """Let everything be so old, ids too."""
    at = (now or station.clock.now()) - timedelta(days=days)
    async with connected(station.dsn) as connection:
        for table in TABLES:
            await connection.execute(LOOSE.format(table=table))
        await connection.execute(AGE.format(at=at))


async def over(station: Station) -> str:
    """Let an incident be accepted, and called off; return its id."""
    case = await station.open()
    await station.accept(case)
    await station.cancel(case)
    return str(case.incident.id)


async def test_what_ended_long_ago_goes_whole(station: Station) -> None:
    """The incident, its offers, assignments and lines; what is open stays, however old."""
    await over(station)
    open_since = await station.open()
    await age(station, 401)
    before = await left(station)
    await retention(station).run()
    after = await left(station)
    assert (before["incidents"], after["incidents"]) == (2, 1)
    assert after["assignments"] == 0 < before["assignments"]
    lines = await sql(station.dsn, "select distinct incident_id from event")
    assert [row["incident_id"][2:] for row in lines] == [open_since.incident.id[2:]]


async def test_what_is_younger_stays(station: Station) -> None:
    """By a day."""
    await over(station)
    await age(station, 399)
    before = await left(station)
    await retention(station).run()
    assert await left(station) == before


async def test_the_database_keeps_half_a_year_whatever_it_is_told(station: Station) -> None:
    """A line of the log cannot be deleted before, by anybody."""
    await over(station)
    now = (await station.store.time()).at
    await age(station, KEEP_DAYS_LEAST - 1, now)
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await sql(station.dsn, "delete from event")
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await station.store.retire(now, INCIDENTS_MOST)
    await age(station, KEEP_DAYS_LEAST + 1, now)
    assert await station.store.retire(now, INCIDENTS_MOST)


async def test_one_process_does_it_and_none_during_a_backup(station: Station) -> None:
    """Whose turn it is, is a row; a backup holds a lock that ends with it."""
    await over(station)
    await age(station, 401)
    before, now = await left(station), station.clock.now()
    await station.store.claim_turn(WORK, now + LEASE, now)
    await retention(station).run()
    assert await left(station) == before
    async with connected(station.dsn) as backup:
        await backup.execute("select pg_advisory_lock($1)", ONE_AT_A_TIME)
        assert await station.store.retire(now, INCIDENTS_MOST) is None
    assert await left(station) == before
    assert await station.store.retire(now, INCIDENTS_MOST)


async def test_no_more_goes_at_once_than_is_allowed(station: Station) -> None:
    """Nothing waits long for it."""
    for _ in range(3):
        await over(station)
    await age(station, 401)
    for remaining in (2, 1, 0):
        await station.store.retire(station.clock.now() - KEEP, 1)
        assert (await left(station))["incidents"] == remaining
    assert await station.store.retire(station.clock.now() - KEEP, 1) == 0


async def test_old_places_and_tokens_go(station: Station) -> None:
    """Where a unit was last month is nobody's business; it stands at its post again."""
    unit = station.issued[0].unit
    await sql(
        station.dsn,
        "insert into position values ($1, 113.3, 23.1, 5, $2)",
        unit,
        station.clock.now() - PLACES_KEPT - timedelta(days=1),
    )
    await retention(station).run()
    assert await sql(station.dsn, "select 1 from position") == []
