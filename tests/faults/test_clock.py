"""A database whose clock is stepped: the ladders of incidents go on as if nothing had been."""

import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from dispatch.clock import SystemClock
from dispatch.core.events import Event
from dispatch.store.connection import Connection, connected
from dispatch.store.postgres import PostgresStore
from schemas.base import Instant
from tests.faults.running import Running
from tests.faults.town import CREATED, Town, database
from tests.faults.witness import Witness
from tests.patience import until, until_said

pytestmark = [pytest.mark.asyncio, pytest.mark.faults, pytest.mark.postgres]

HOUR: Final = timedelta(hours=1)
SOON: Final = timedelta(seconds=57)
"""So old is a call whose ring is widened in three seconds."""
NEAR: Final = timedelta(minutes=1)
SHADOW: Final = """
create table step (by interval not null);
insert into step values ('0');
create function clock_timestamp() returns timestamptz language sql volatile as
    'select pg_catalog.clock_timestamp() + by from step';
create function now() returns timestamptz language sql stable as
    'select pg_catalog.now() + by from step';
alter table event alter column written_at set default clock_timestamp();
alter database kapok set search_path = public, pg_catalog
"""
"""What every session takes for the server's clock, from a table."""
ABSORBING: Final = re.compile(r"^kapok_clock_absorbing_seconds{[^}]*} (\S+)$", re.MULTILINE)
WIDENED: Final = "select from event where incident_id = $1 and type = $2"
TIMES: Final = """
select min(at) as first, max(at) as last from event where incident_id is not null
"""


class Stepped:
    """A service of two processes, and a database whose clock is in the test's hands."""

    def __init__(
        self, town: Town, service: Running, keeper: Connection, store: PostgresStore
    ) -> None:
        self.town, self.service, self.keeper, self.store = town, service, keeper, store

    async def step(self, by: timedelta) -> None:
        """Set the database's clock to so much more than what it is."""
        await self.keeper.execute("update step set by = $1", by)

    async def opens(self, n: int = 0, called_at: Instant | None = None) -> Mapping[str, Any]:
        """Call in from the n-th unit's door; return what was opened."""
        body = self.town.call(n)
        if called_at is not None:
            body["called_at"] = called_at.isoformat()
        answer = await self.town.post(self.service.url, "/v1/incidents", body)
        assert answer.status_code == CREATED, answer.text
        opened: Mapping[str, Any] = answer.json()
        return opened

    async def widened(self, incident: Mapping[str, Any]) -> bool:
        """Tell whether the ring of an incident was widened."""
        found = await self.keeper.fetch(WIDENED, incident["id"], Event.WIDENED)
        return bool(found)

    async def times(self) -> tuple[Instant, Instant]:
        """Return when the first thing and the last happened to an incident, by the log."""
        row = await self.keeper.fetchrow(TIMES)
        assert row is not None
        return row["first"], row["last"]

    async def noticed(self, ahead: timedelta) -> bool:
        """Tell whether both processes know how far they are ahead of the database's clock."""
        async with httpx.AsyncClient(base_url=self.service.url) as client:
            told = (await client.get("/metrics")).text
        found = [float(seconds) for seconds in ABSORBING.findall(told)]
        near = [abs(seconds - ahead.total_seconds()) < NEAR.total_seconds() for seconds in found]
        return len(near) == len(self.service.workers) and all(near)


@asynccontextmanager
async def stepped(town: Town) -> AsyncIterator[Stepped]:
    """Run a service of two processes on a database with a clock of our own."""
    async with database(town) as server, connected(server.dsn) as first:
        await first.execute(SHADOW)
        async with (
            connected(server.dsn) as keeper,
            Running.started(town.data, workers=2, DATABASE_URL=server.dsn) as service,
        ):
            store = await PostgresStore.open(server.dsn)
            try:
                yield Stepped(town, service, keeper, store)
            finally:
                await store.close()


async def test_a_stepped_clock_hurries_and_stops_nothing(town: Town) -> None:
    """An hour forwards, a process dies and comes again, then an hour back from what was right."""
    clock = SystemClock()
    began = clock.now()
    async with stepped(town) as here:
        old = await here.opens(0, began - SOON)
        await here.step(HOUR)
        os.kill(here.service.worker, signal.SIGKILL)
        await here.service.ready(3)
        await until_said(lambda: here.noticed(-HOUR))
        await until_said(lambda: here.widened(old))

        other = await here.opens(1, clock.now() - SOON)
        await here.step(-HOUR)
        await until_said(lambda: here.noticed(HOUR))
        by_the_clock = await here.opens(2, clock.now() - HOUR)
        assert datetime.fromisoformat(by_the_clock["called_at"]) > began
        await until_said(lambda: here.widened(other))
        async with Witness.started(town.lines(), here.service.url) as fleet:
            await until(lambda: fleet.tally.tasks >= 3)
        first, last = await here.times()
        assert began <= first <= last <= clock.now() + NEAR
        assert len(here.service.events("clock_stepped")) == 2
        assert here.service.events("clock_jumped") == []
        assert await here.store.broken(1) == []
