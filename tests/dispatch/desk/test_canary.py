"""The service's own incident: it goes the whole way, and nobody sees it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from dispatch import wiring
from dispatch.auth import Right
from dispatch.bus.local import LocalBus, Wire
from dispatch.clock import new_token
from dispatch.core.commands import Cancel
from dispatch.core.errors import NotFound
from dispatch.core.hidden import HIDDEN
from dispatch.desk import canary as canaries
from dispatch.desk.canary import GRANT, STAGES, Canary
from dispatch.desk.canary_phone import CanaryPhone, Line, Refused
from dispatch.desk.scope import actor_of
from dispatch.gateway import UnitSocket
from dispatch.gateway.inside import inside
from dispatch.ports import Cursor, Once
from dispatch.settings import Settings
from geo.jurisdiction import within
from schemas.base import IncidentId, UnitId
from schemas.incident import Case, Status
from schemas.unit import UnitState
from schemas.wire import AssignSeen
from tests.cities import small_city
from tests.dispatch.desk.station import DISPATCHER, REGISTRAR, sql
from tests.dispatch.test_wiring import opened, seeded

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
CITY = small_city(40)
CANARY = UnitId(HIDDEN)


def canary(running: wiring.Service) -> Canary:
    """Return a canary that goes in by the gateway's own door."""
    return Canary(running.desk, partial(inside, UnitSocket(running.phones, running.hub)), new_token)


@asynccontextmanager
async def nobody() -> AsyncIterator[Line]:
    """Find the door shut."""
    raise ConnectionError("nobody there")
    yield  # type: ignore[unreachable]  # what makes it a generator


async def minute(dsn: str, running: wiring.Service, one: Canary) -> Case:
    """Let the next minute's canary fly; return its case."""
    await sql(dsn, "update turn set until = now() - interval '1 second'")
    await one.run()
    (last,) = await running.desk.incidents(GRANT, status=[], before=None, limit=1)
    return await running.desk.case(last.id, GRANT)


def count(running: wiring.Service, name: str, **labels: str) -> float:
    """Return what a metric stands at."""
    return running.desk.metrics.registry.get_sample_value(name, labels) or 0.0


def _owner(work: object) -> object:
    return getattr(work, "__self__", None)


async def test_it_goes_through_every_stage(database: str) -> None:
    """Each is on disk, and measured; its unit is free for the next one."""
    await seeded(database, CITY)
    async with wiring.service(database) as running:
        one = canary(running)
        await one.run()
        case = await minute(database, running, one)
        incident, (offer,), (task,) = case.incident, case.offers, case.assignments
        assert (incident.status, incident.result, incident.drill) == (Status.CLOSED, "canary", True)
        assert None not in {offer.delivered_at, offer.seen_at, task.en_route_at, task.arrived_at}
        for stage in STAGES:
            assert count(running, "kapok_canary_stage_seconds_count", stage=stage) == 2
        assert count(running, "kapok_canary_last_success") > 0
        assert running.desk.fleet.state(CANARY) is UnitState.AVAILABLE
        assert await running.desk.store.broken(10) == []


async def test_nobody_sees_it(database: str) -> None:
    """Not in lists, the feed, nor by its id; it counts nowhere, and no real unit hears of it."""
    await seeded(database, CITY)
    async with wiring.service(database) as running:
        desk, one = running.desk, canary(running)
        await one.run()
        case = await minute(database, running, one)
        assert await desk.incidents(DISPATCHER, status=[], before=None, limit=10) == []
        assert len(desk.units(DISPATCHER, juris=None, box=None, after=None, limit=100)) == 40
        for grant in (DISPATCHER, REGISTRAR):
            with pytest.raises(NotFound):
                desk.unit(CANARY, grant)
        with pytest.raises(NotFound):
            await desk.case(case.incident.id, DISPATCHER)
        log = await desk.store.events(Cursor(), 1000)
        assert log
        assert not [line for line in log if within(line.juris, "gz")]
        assert not [line for line in log if line.entry.unit_id not in {None, CANARY}]
        assert count(running, "kapok_entries_total", type="offered") == 0
        assert running.phones.online() == 0


async def test_a_real_incident_never_asks_it(database: str) -> None:
    """Nor can a person send it, whoever knows its name."""
    phones = await seeded(database, CITY)
    async with wiring.service(database) as running:
        await canary(running).run()
        case = await opened(running, phones[0], "c1")
        assert CANARY not in {offer.unit_id for offer in case.offers}
        field = running.desk._context(case.incident, actor_of(DISPATCHER)).field
        assert (field.state(CANARY), field.candidate(CANARY)) == (None, None)
        assert field.state(case.offers[0].unit_id) is UnitState.OFFERED


async def test_a_failure_rings_once_until_it_works_again(database: str) -> None:
    """At the city; what fails every minute is one alarm, though somebody has taken note of it."""
    await seeded(database, CITY)
    async with wiring.service(database) as running:
        well, ill = canary(running), Canary(running.desk, nobody, new_token)
        await ill.run()
        (alarm,) = await running.desk.alarms.page(DISPATCHER, None, None, 10)
        assert (alarm.kind, alarm.juris) == ("canary_failed", "gz")
        assert "before it was opened" in alarm.reason
        await running.desk.alarms.acknowledge(alarm.id, "I look", DISPATCHER)
        for one, open_alarms in ((ill, 0), (well, 0), (ill, 1)):
            await sql(database, "update turn set until = now() - interval '1 second'")
            await one.run()
            page = await running.desk.alarms.page(DISPATCHER, None, None, 10)
            assert len(page) == open_alarms
        assert count(running, "kapok_canary_failures_total", stage="opened") == 3


async def test_what_a_dead_one_left_is_cleared_away(database: str) -> None:
    """A process that died on the way keeps no later canary from flying."""
    await seeded(database, CITY)
    async with wiring.service(database) as running:
        one = canary(running)
        await one._prepared()
        left = await one._opened()
        case = await minute(database, running, one)
        assert case.incident.status is Status.CLOSED
        before = await running.desk.case(left, GRANT)
        assert before.incident.status is Status.CANCELLED


async def test_one_process_sends_it(database: str) -> None:
    """The others leave it to that one for a minute."""
    await seeded(database, CITY)
    async with wiring.service(database) as running:
        await canary(running).run()
        await canary(running).run()
        found = await running.desk.incidents(GRANT, status=[], before=None, limit=10)
        assert len(found) == 1


async def test_old_ones_are_forgotten_and_nothing_else(database: str) -> None:
    """An hour later no row is left of it; the log of a real incident stays whatever is asked."""
    phones = await seeded(database, CITY)
    async with wiring.service(database) as running:
        real = await opened(running, phones[0], "c1")
        one = canary(running)
        await one.run()
        await sql(
            database,
            "update incident set opened_at = opened_at - interval '2 hours' where juris = 'canary'",
        )
        await sql(database, "update outbox set at = at - interval '2 hours'")
        case = await minute(database, running, one)
        rows = await sql(database, "select distinct incident_id from event order by 1")
        assert [row[0] for row in rows] == [real.incident.id, case.incident.id]
        assert len(await running.desk.incidents(GRANT, status=[], before=None, limit=10)) == 1


async def test_a_service_sends_it_where_that_is_set(database: str) -> None:
    """On where nothing is said, but for a service inside another program."""
    joining = Wire()
    async with (
        wiring.service(database, bus=LocalBus(joining)) as quiet,
        wiring.service(database, Settings(), LocalBus(joining)) as running,
    ):
        sent = [
            [seconds for seconds, work in each.loops._also if isinstance(_owner(work), Canary)]
            for each in (quiet, running)
        ]
    assert sent == [[], [canaries.EVERY_S]]


async def test_a_file_that_is_not_closed_on_disk_is_a_failure(database: str) -> None:
    """What the phone was told is not enough."""
    await seeded(database, CITY)
    async with wiring.service(database) as running:
        one = canary(running)
        await one._prepared()
        left = await one._opened()
        once = Once(scope="key:k1", id="c" * 16, digest=b"")
        await running.desk.act(left, Cancel(why="误报"), GRANT, Right.CANCEL, once)
        with pytest.raises(Exception, match="cancelled"):
            await one._closed(IncidentId(left))


async def test_a_no_from_the_gateway_is_a_failure(database: str) -> None:
    """Whatever command it was said to."""
    await seeded(database, CITY)
    async with wiring.service(database) as running:
        token = await canary(running)._prepared()
        async with inside(UnitSocket(running.phones, running.hub)) as line:
            phone = CanaryPhone(line, running.desk.clock.now)
            await phone.hello(token)
            with pytest.raises(Refused, match=r"assign\.seen"):
                await phone.done(AssignSeen(id="0" * 16, aid="none", rev=1))
