"""kill -9 in the middle of the main job: nothing acknowledged is lost, nobody is in two places."""

import asyncio
import os
import signal

import pytest

from tests.faults.checker import evidence, settled
from tests.faults.running import Running, alive
from tests.faults.strikes import kill, program
from tests.faults.town import UNITS, Town
from tests.faults.witness import Witness
from tests.patience import until

pytestmark = [pytest.mark.asyncio, pytest.mark.faults, pytest.mark.postgres]


def postmaster(service: Running) -> int:
    """Return the pid of the database that the service runs."""
    (found,) = [pid for pid in service.children if program(pid).endswith("/postgres")]
    return found


async def test_a_killed_service_loses_nothing_that_was_acknowledged(town: Town) -> None:
    """Parent and worker die by SIGKILL under load; a restart on the same folder goes on."""
    stop = asyncio.Event()
    async with Running.started(town.data) as first:
        url, port = first.url, first.port
        caller = town.caller(url)
        async with Witness.started(town.lines(), url) as fleet:
            await until(lambda: fleet.online == UNITS)
            calling = asyncio.create_task(caller.run(stop))
            await until(lambda: fleet.tally.tasks >= 10)
            await first.kill()
            before = len(caller.acknowledged), fleet.tally.tasks
            async with Running.started(town.data, port):
                await until(lambda: len(caller.acknowledged) >= before[0] + 20)
                await until(lambda: fleet.tally.tasks >= before[1] + 10)
                stop.set()
                await calling
                fleet.rest()
                await until(lambda: len(fleet.here()) == UNITS)
                await until(fleet.settled)
                assert await settled(town.dsn, town.since, lambda: evidence(caller, fleet)) == []


async def test_a_killed_worker_is_replaced_and_phones_come_back(town: Town) -> None:
    """The parent keeps the port open, so that callers wait instead of failing."""
    async with (
        Running.started(town.data) as service,
        Witness.started(town.lines(), service.url) as fleet,
    ):
        await until(lambda: fleet.online == UNITS)
        killed = service.worker
        os.kill(killed, signal.SIGKILL)
        await service.ready(2)
        assert service.worker != killed
        await until(lambda: fleet.tally.losses != {})
        await until(lambda: fleet.online == UNITS)


async def test_a_killed_database_comes_back_under_the_service(town: Town) -> None:
    """Incidents are refused or wait while it is away; phones stay, and nothing told is lost."""
    stop = asyncio.Event()
    async with (
        Running.started(town.data) as service,
        Witness.started(town.lines(), service.url) as fleet,
    ):
        await until(lambda: fleet.online == UNITS)
        caller = town.caller(service.url)
        calling = asyncio.create_task(caller.run(stop))
        await until(lambda: fleet.tally.tasks >= 10)
        assert kill(postmaster(service)) == 1
        known = len(caller.acknowledged)
        await until(lambda: len(caller.acknowledged) >= known + 20)
        stop.set()
        await calling
        fleet.rest()
        await until(fleet.settled)
        assert await settled(town.dsn, town.since, lambda: evidence(caller, fleet)) == []
    assert caller.called.given_up == 0


async def test_ctrl_c_ends_everything_in_order(town: Town) -> None:
    """The parent alone hears it; worker and database are gone when it returns, with code 0."""
    async with Running.started(town.data) as service:
        worker, server = service.worker, postmaster(service)
        assert alive(worker)
        assert alive(server)
        service.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(service.process.wait(), 60) == 0
    assert not alive(worker)
    assert not alive(server)
