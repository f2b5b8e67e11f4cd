"""A whole service over a database: it recovers, runs its clocks, and serves everybody."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient

from dispatch import wiring
from dispatch.auth import token_hash
from dispatch.cli.city import IssuedPhone, register
from dispatch.clock import SystemClock
from dispatch.ports import Once, StoreAway
from dispatch.settings import Settings
from dispatch.store.registry import registry
from geo.city import City
from geo.datum import Datum
from schemas import wire
from schemas.base import IncidentId, KeyId, ms
from schemas.incident import Case, OfferState
from schemas.plan import IncidentKind
from schemas.rest import NeedBody, OpenIncident, Place
from schemas.unit import UnitState
from tests.cities import small_city
from tests.dispatch.desk.station import DISPATCHER, sql, view
from tests.dispatch.router.stand_in import stand_in

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
TOKEN = "kk_desk"
PASSED = """
with o as (
    update offer set sent_at = sent_at - $1::interval, lapse_at = lapse_at - $1::interval,
        exp_at = exp_at - $1::interval
), i as (
    update incident set called_at = called_at - $1::interval, opened_at = opened_at - $1::interval,
        search_at = search_at - $1::interval
)
update due set at = at - $1::interval
"""


@pytest.fixture(scope="module")
def city() -> City:
    """Forty units."""
    return small_city(40)


async def seeded(dsn: str, city: City) -> list[IssuedPhone]:
    """Register the city and a key; return its phones."""
    async with registry(dsn) as registered:
        await registered.put_key(KeyId("k1"), "desk", "dispatcher", "gz", token_hash(TOKEN))
        return await register(registered, city, 40, SystemClock().new_id, lambda *_: None)


def call(phone: IssuedPhone) -> OpenIncident:
    """Return a call from a unit's post."""
    return OpenIncident(
        kind=IncidentKind.THEFT,
        priority=2,
        position=Place(lon=phone.lon, lat=phone.lat, datum=Datum.WGS84),
        title="有人偷电瓶",
        drill=False,
        needs=[NeedBody()],
    )


async def opened(running: wiring.Service, phone: IssuedPhone, name: str) -> Case:
    """Open an incident at a unit's post; return its case."""
    once = Once(scope="key:k1", id=name, digest=b"same")
    outcome = await running.desk.open(call(phone), DISPATCHER, once, running.desk.clock.now())
    return await running.desk.case(IncidentId(view(outcome).id), DISPATCHER)


async def passed(dsn: str, seconds: float) -> None:
    """Let time pass for everything that is on disk."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(PASSED, timedelta(seconds=seconds))
    await connection.close()


async def decided_again(running: wiring.Service, case: Case) -> Case:
    """Wait until a clock of the case was answered; return the case as it then is."""
    for _ in range(500):
        now = await running.desk.case(case.incident.id, DISPATCHER)
        if now.incident.version > case.incident.version:
            return now
        await asyncio.sleep(0.01)
    raise AssertionError("no clock of the case was answered")


async def asked(app: wiring.App, path: str) -> int:
    """Ask the application for a page; return its status."""
    transport = ASGITransport(cast("Any", app))
    async with AsyncClient(transport=transport, base_url="http://kapok") as client:
        answer = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
    return answer.status_code


async def test_a_service_begins_where_another_ended(database: str, city: City) -> None:
    """The same board, unit states, streams and phones; keys open at once."""
    phones = await seeded(database, city)
    async with wiring.service(database) as first:
        case = await opened(first, phones[0], "c1")
        await opened(first, phones[-1], "c2")
        offer = case.offers[0]
        token = next(p.token for p in phones if p.unit == offer.unit_id)
        yes = wire.OfferReply(
            id="0" * 16, oid=offer.id, rev=1, at=ms(first.desk.clock.now()), r=wire.Answer.ACCEPT
        )
        told = await first.phones.command(await first.phones.identify(token), yes)
        assert isinstance(told, wire.Ok)
    async with wiring.service(database) as second:
        assert len(second.desk.board) == len(first.desk.board) == 2
        assert second.desk.board.case(case.incident.id) == first.desk.board.case(case.incident.id)
        for unit in first.desk.fleet:
            assert second.desk.fleet.state(unit.id) is first.desk.fleet.state(unit.id)
        for phone in phones:
            assert second.phones.head(phone.device) == first.phones.head(phone.device)
        state = second.phones.state(await second.phones.identify(token))
        assert [task.oid for task in state.assigns] == [offer.id]
        assert state.unit_state is UnitState.ENGAGED
        assert second.phones.epoch == first.phones.epoch
        assert second.desk.keyring.authenticate(TOKEN).key_id == "k1"


async def test_clocks_go_on_where_they_stood(database: str, city: City) -> None:
    """Silence while nothing ran is answered by a replacement, and the hard end by an end."""
    phones = await seeded(database, city)
    async with wiring.service(database) as first:
        case = await opened(first, phones[0], "c1")
    first_asked = {offer.id for offer in case.offers}
    await passed(database, 25)
    async with wiring.service(database) as second:
        now = await decided_again(second, case)
        assert {o.state for o in now.offers if o.id in first_asked} == {OfferState.LAPSED}
        assert len([o for o in now.offers if o.state is OfferState.OPEN]) == 3
    await passed(database, 300)
    async with wiring.service(database) as third:
        later = await decided_again(third, now)
        assert {o.state for o in later.offers if o.id in first_asked} == {OfferState.EXPIRED}


async def test_one_application_serves_people_and_phones(database: str, city: City) -> None:
    """REST by its path; a phone's socket is answered by the gateway."""
    await seeded(database, city)
    sent: list[wiring.Message] = []

    async def receive() -> wiring.Message:
        return {"type": "websocket.connect" if not sent else "websocket.disconnect", "code": 1001}

    async def send(message: wiring.Message) -> None:
        sent.append(message)

    async with wiring.service(database) as running:
        assert await asked(running.app, "/v1/units") == 200
        assert await asked(running.app, "/v1/nowhere") == 404
        scope = {
            "type": "websocket",
            "path": wiring.UNIT_SOCKET,
            "scheme": "ws",
            "headers": [],
            "subprotocols": [wire.SUBPROTOCOL],
            "client": ("127.0.0.1", 1),
        }
        await running.app(scope, receive, send)
    assert sent[0]["type"] == "websocket.accept"
    assert sent[0]["subprotocol"] == wire.SUBPROTOCOL


async def test_a_service_says_that_it_is_ready(database: str, city: City) -> None:
    """While its loops run; not when they have ended."""
    await seeded(database, city)
    async with wiring.service(database) as running:
        assert all(running.desk.ready().values())
    assert not running.desk.ready()["clocks"]


async def test_what_was_acknowledged_at_the_end_is_on_disk(database: str, city: City) -> None:
    """A stop writes it down."""
    phones = await seeded(database, city)
    async with wiring.service(database) as running:
        case = await opened(running, phones[0], "c1")
        phone = next(p for p in phones if p.unit == case.offers[0].unit_id)
        assert running.phones.acknowledge(phone.device, 1)
    rows = await sql(database, "select acked from device where id = $1", phone.device)
    assert rows[0]["acked"] == 1


async def test_without_a_database_no_service_begins() -> None:
    """It says so, and holds nothing."""
    with pytest.raises(StoreAway):
        async with wiring.service("postgresql://kapok@127.0.0.1:1/kapok"):
            pass


async def test_a_service_asks_the_router_it_is_given(database: str, city: City) -> None:
    """Whether it answers in time is for the router to see to: that it was asked is counted."""
    phones = await seeded(database, city)
    async with stand_in() as server:
        settings = Settings(router_url=server.url)
        async with wiring.service(database, settings) as running:
            await opened(running, phones[0], "c1")
            seen, name = running.desk.metrics.registry, "kapok_router_questions_total"
            counted = [
                seen.get_sample_value(name, {"outcome": outcome}) or 0.0
                for outcome in ("answered", "away")
            ]
    assert sum(counted) >= 1
