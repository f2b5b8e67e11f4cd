"""A database that is out of reach: a clear answer in time, nobody sent off, recovery by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import pytest

from dispatch.clock import new_token
from dispatch.store.socket_folder import PORT
from schemas.wire import Close
from tests.faults.checker import evidence, settled
from tests.faults.proxy import BLACK_HOLE, FINE, Proxy, Weather
from tests.faults.running import Running
from tests.faults.town import CREATED, UNITS, Town, database
from tests.faults.visitor import turned_away
from tests.faults.witness import Witness
from tests.patience import until, until_said

pytestmark = [pytest.mark.asyncio, pytest.mark.faults, pytest.mark.postgres]

AT_ONCE: Final = 20
"""Callers at one moment: more than there are connections to the database."""


class Apart:
    """A service, its database elsewhere, and the network between them."""

    def __init__(self, town: Town, service: Running, network: Proxy, dsn: str) -> None:
        self.town, self.service, self.network, self.dsn = town, service, network, dsn

    async def opens(self) -> httpx.Response:
        """Call in; raise httpx.TimeoutException where nobody answers in time."""
        return await self.town.post(self.service.url, "/v1/incidents", self.town.call())

    async def taken(self) -> bool:
        """Tell whether a call is taken."""
        return (await self.opens()).status_code == CREATED


@asynccontextmanager
async def apart(town: Town) -> AsyncIterator[Apart]:
    """Run a service whose database is reached by TCP, through a network of ours."""
    async with (
        database(town) as server,
        Proxy.started(server.socket_folder / f".s.PGSQL.{PORT}") as network,
    ):
        outside = f"postgresql://kapok@127.0.0.1:{network.port}/kapok"
        async with Running.started(town.data, DATABASE_URL=outside) as service:
            yield Apart(town, service, network, server.dsn)


async def test_a_network_that_swallows_gets_clear_answers_and_recovers(town: Town) -> None:
    """503 with a reason within five seconds for every caller; phones stay, strangers wait."""
    async with apart(town) as here, Witness.started(town.lines(), here.service.url) as fleet:
        await until(lambda: fleet.online == UNITS)
        assert await here.taken()
        await here.network.turn(BLACK_HOLE)
        answers = await asyncio.gather(*(here.opens() for _ in range(AT_ONCE)))
        assert {a.status_code for a in answers} == {503}
        assert {a.json()["code"] for a in answers} == {"overloaded"}
        assert all(int(a.headers["Retry-After"]) >= 1 for a in answers)
        assert await turned_away(here.service.url, new_token("kd")) == Close.OVERLOADED
        assert (fleet.online, fleet.tally.losses) == (UNITS, {})
        await here.network.turn(FINE)
        await until_said(here.taken)
        assert await turned_away(here.service.url, new_token("kd")) == Close.AUTH_INVALID


async def test_a_line_to_the_database_that_breaks_all_the_time_loses_nothing(town: Town) -> None:
    """One piece in fifty ends its connection: commits whose answer is lost are looked up."""
    stop = asyncio.Event()
    async with apart(town) as here, Witness.started(town.lines(), here.service.url) as fleet:
        await until(lambda: fleet.online == UNITS)
        caller = town.caller(here.service.url)
        calling = asyncio.create_task(caller.run(stop))
        await here.network.turn(Weather(cut=0.02, delay_s=0.001))
        await until(lambda: len(caller.acknowledged) >= 20 and fleet.tally.tasks >= 10)
        stop.set()
        await calling
        await here.network.turn(FINE)
        fleet.rest()
        await until(fleet.settled)
        assert await settled(here.dsn, town.since, lambda: evidence(caller, fleet)) == []
