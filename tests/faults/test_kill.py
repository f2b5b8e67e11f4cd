"""kill -9 in the middle of the main job: nothing acknowledged is lost, nobody is in two places."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from dispatch.auth import KEY_PREFIX, Role, token_hash
from dispatch.cli.calls import Caller
from dispatch.cli.city import IssuedPhone, register
from dispatch.cli.phone_fleet import DRAIN_S, PhoneFleet
from dispatch.cli.report import written_report
from dispatch.clock import SystemClock, new_token
from dispatch.phone.behaviour import Habits
from dispatch.store import neighbour
from dispatch.store.connection import connected
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.ledger import Ledger, ledger
from dispatch.store.migrate import migrate
from dispatch.store.registry import registry
from geo.city import City, build
from schemas.base import KeyId
from tests.faults.running import Running, alive

pytestmark = [pytest.mark.asyncio, pytest.mark.faults, pytest.mark.postgres]

UNITS = 120
PER_MINUTE = 600
QUICK = Habits(
    accept=0.8, decline=0.1, see_s=0.2, decide_s=0.2, turnout_s=1, control_s=2, resolve_s=2
)
PATIENCE_S = 60.0


class Town:
    """A registered small city on disk, with a key and its phones."""

    def __init__(self, data: Path, city: City, phones: list[IssuedPhone], key: str) -> None:
        self.data = data
        self.city = city
        self.phones = phones
        self.key = key
        self.clock = SystemClock()
        self.since = self.clock.now()

    def caller(self, url: str) -> Caller:
        """Return someone who calls ten times a second."""
        dice = np.random.default_rng(3)
        return Caller(self.city, url, self.key, PER_MINUTE, dice, self.clock.new_id)


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A town of 120 units, all with phones."""
    data, city, clock, key = tmp_path / "data", build(11, UNITS), SystemClock(), new_token("kk")
    assert key.startswith(KEY_PREFIX)
    async with EmbeddedPostgres(data / "postgres") as server:
        async with connected(server.dsn) as connection:
            await migrate(connection)
        async with registry(server.dsn) as registered:
            phones = await register(registered, city, UNITS, clock.new_id, lambda *_: None)
            await registered.put_key(
                KeyId(clock.new_id()), "test", Role.DISPATCHER, "gz", token_hash(key)
            )
    yield Town(data, city, phones, key)


async def until(true: Callable[[], bool]) -> None:
    """Wait for something to come true, within reason."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)


def dsn(town: Town) -> str:
    """Return the address of the running service's database."""
    found = neighbour.address(town.data / "postgres")
    assert found is not None
    return found


async def settled(book: Ledger) -> None:
    """Wait until every young incident has its answer."""
    async with asyncio.timeout(PATIENCE_S):
        while await book.waiting():  # noqa: ASYNC110 - it is written by another process
            await asyncio.sleep(0.2)


async def test_a_killed_service_loses_nothing_that_was_acknowledged(town: Town) -> None:
    """Parent and worker die by SIGKILL under load; a restart on the same folder goes on."""
    stop = asyncio.Event()
    async with Running.started(town.data) as first:
        url, port = first.url, first.port
        caller = town.caller(url)
        async with PhoneFleet.started(town.phones, url, QUICK) as fleet:
            await until(lambda: fleet.progress.tally.online == UNITS)
            calling = asyncio.create_task(caller.run(stop))
            await until(lambda: fleet.progress.tally.accepts >= 10)
            await first.kill()
            before = len(caller.acknowledged), fleet.progress.tally.accepts
            async with Running.started(town.data, port):
                await until(lambda: len(caller.acknowledged) >= before[0] + 20)
                await until(lambda: fleet.progress.tally.accepts >= before[1] + 10)
                stop.set()
                await calling
                await until(lambda: fleet.progress.tally.online == UNITS)
                async with ledger(dsn(town), town.since) as book:
                    await settled(book)
                    diary = await fleet.stop()
                    report = await written_report(book, diary, caller.acknowledged, DRAIN_S)
    assert report.lost_incidents == 0
    assert report.lost_messages == 0
    assert report.double_booked == 0
    assert report.accepted >= diary.tally.tasks > 0
    assert report.incidents >= before[0] + 20


async def test_a_killed_worker_is_replaced_and_phones_come_back(town: Town) -> None:
    """The parent keeps the port open, so that callers wait instead of failing."""
    async with (
        Running.started(town.data) as service,
        PhoneFleet.started(town.phones, service.url, QUICK) as fleet,
    ):
        await until(lambda: fleet.progress.tally.online == UNITS)
        killed = service.worker
        os.kill(killed, signal.SIGKILL)
        await service.ready(2)
        assert service.worker != killed
        await until(lambda: fleet.progress.tally.losses != {})
        await until(lambda: fleet.progress.tally.online == UNITS)


async def test_a_killed_database_comes_back_under_the_service(town: Town) -> None:
    """Incidents are refused or wait while it is away, and none acknowledged is lost."""
    stop = asyncio.Event()
    async with Running.started(town.data) as service:
        caller = town.caller(service.url)
        calling = asyncio.create_task(caller.run(stop))
        await until(lambda: len(caller.acknowledged) >= 10)
        postmaster = int((town.data / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(server_pid(town, postmaster), signal.SIGKILL)
        known = len(caller.acknowledged)
        await until(lambda: len(caller.acknowledged) >= known + 20)
        stop.set()
        await calling
        async with ledger(dsn(town), town.since) as book:
            opened = await book.opened()
    assert set(caller.acknowledged) <= set(opened)
    assert caller.called.given_up == 0


def server_pid(town: Town, inside: int) -> int:
    """Return the postmaster's pid as we see it; in a namespace of its own it sees another."""
    folder = (town.data / "postgres").resolve()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_postmaster(entry, folder):
            return int(entry.name)
    return inside


def _is_postmaster(entry: Path, folder: Path) -> bool:
    try:
        command = (entry / "cmdline").read_bytes().split(b"\0")
        return command[0].endswith(b"/postgres") and (entry / "cwd").resolve() == folder
    except (OSError, IndexError):
        return False


async def test_ctrl_c_ends_everything_in_order(town: Town) -> None:
    """The parent alone hears it; worker and database are gone when it returns, with code 0."""
    async with Running.started(town.data) as service:
        worker, server = service.worker, server_pid(town, 0)
        assert alive(worker)
        assert alive(server)
        service.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(service.process.wait(), PATIENCE_S) == 0
    assert not alive(worker)
    assert not alive(server)
