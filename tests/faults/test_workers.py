"""Several workers on one port: each may go, planned or not, and the others' phones stay."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace

from dispatch.cli.phone_fleets import PhoneFleets
from schemas.wire import Close
from tests.faults.running import Running, alive
from tests.faults.town import QUICK, UNITS, Town
from tests.patience import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.faults,
    pytest.mark.postgres,
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    original: Town, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A service of two workers, with a bus of its own between them."""
    town = original.copied(tmp_path_factory.mktemp("workers") / "data")
    async with Running.started(town.data, workers=2) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(service: Running, original: Town) -> AsyncIterator[PhoneFleets]:
    """The town's phones, all online; in two processes, as those of a city need."""
    async with PhoneFleets.started(original.phones, service.url, QUICK, most=UNITS // 2) as started:
        await until(lambda: started.progress.tally.online == UNITS)
        yield started


def held(service: Running) -> list[int]:
    """Return how many phones each worker holds."""
    return [service.phones_of(worker) for worker in service.workers]


def lost(fleet: PhoneFleets) -> int:
    """Return how many times a phone that was online has lost its line."""
    return sum(fleet.progress.tally.disconnects.values())


def sent_away(fleet: PhoneFleets) -> int:
    """Return how many times a phone was told to come back, here or elsewhere."""
    return fleet.progress.tally.disconnects.get(str(int(Close.DRAINING)), 0)


def command(pid: int) -> str:
    """Return the command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")


@asynccontextmanager
async def desk_at(service: Running, worker: int, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client whose connection a certain worker holds: the kernel deals anew each time."""
    while True:
        async with httpx.AsyncClient(
            base_url=service.url, headers={"Authorization": f"Bearer {key}"}
        ) as client:
            answer = await client.get("/healthz")
            _, port = answer.extensions["network_stream"].get_extra_info("client_addr")
            if service.worker_of(port) == worker:
                yield client
                return


async def test_an_incident_told_to_one_worker_reaches_a_phone_at_the_other(
    service: Running, original: Town
) -> None:
    """The unit beside it is asked, whoever holds its phone, and its yes is heard everywhere."""
    phone = original.phones[0]
    willing = replace(QUICK, accept=1.0, decline=0.0)
    async with PhoneFleets.started([phone], service.url, willing) as fleet:
        await until(lambda: fleet.progress.tally.online == 1)
        (other,) = [worker for worker in service.workers if not service.phones_of(worker)]
        async with desk_at(service, other, original.key) as desk:
            place = {"lon": phone.lon, "lat": phone.lat, "datum": "wgs84"}
            answer = await desk.post(
                "/v1/incidents",
                json={
                    "kind": "traffic",
                    "priority": 2,
                    "title": "两车相撞",
                    "drill": False,
                    "position": place,
                },
                headers={"Idempotency-Key": "one"},
            )
            assert answer.status_code == httpx.codes.CREATED, answer.text
            await until(lambda: fleet.progress.tally.tasks == 1)


async def test_phones_spread_over_all_workers(service: Running, fleet: PhoneFleets) -> None:
    """The kernel deals them out; the log says who serves, and how many phones fit."""
    assert min(held(service)) > 0
    assert sum(held(service)) == fleet.phones
    (serving,) = service.events("serving")
    assert serving["workers"] == service.workers
    assert serving["phones_at_most"] > 2 * UNITS


async def test_a_killed_worker_is_replaced_and_the_others_phones_stay(
    service: Running, fleet: PhoneFleets
) -> None:
    """Its own phones come back, to whichever worker the kernel gives them."""
    killed, other = service.workers
    gone, before = service.phones_of(killed), lost(fleet)
    os.kill(killed, signal.SIGKILL)
    await service.ready(3)
    assert service.workers[0] != killed
    assert service.workers[1] == other
    await until(lambda: lost(fleet) == before + gone)
    await until(lambda: sum(held(service)) == fleet.phones)
    assert lost(fleet) == before + gone


async def test_a_rolling_restart_takes_one_worker_after_the_other(
    service: Running, fleet: PhoneFleets
) -> None:
    """A phone is told to come back (4200) when its worker goes; no line just breaks."""
    first, second = service.workers
    of_first = service.phones_of(first)
    before, broken = sent_away(fleet), lost(fleet) - sent_away(fleet)
    drains = len(service.events("draining"))
    service.process.send_signal(signal.SIGHUP)
    await service.said("renewed")
    assert not {first, second} & set(service.workers)
    one, other = service.events("draining")[drains:]
    follower = next(e for e in service.events("ready") if e["worker"] == service.workers[0])
    assert (one["worker"], one["phones"]) == (first, of_first)
    assert (other["worker"], other["phones"] >= UNITS - of_first) == (second, True)
    assert follower["timestamp"] <= other["timestamp"]
    await until(lambda: sum(held(service)) == fleet.phones)
    assert sent_away(fleet) >= before + UNITS
    assert lost(fleet) - sent_away(fleet) == broken
    assert service.events("worker_silent") == []


async def test_a_killed_bus_is_brought_back(service: Running, fleet: PhoneFleets) -> None:
    """At the same address, and both workers are on it again; no phone notices."""
    (bus,) = [pid for pid in service.children if "nats-server" in command(pid)]
    before = lost(fleet)
    os.kill(bus, signal.SIGKILL)
    await service.said("bus_server_back")
    await service.said("bus_back", len(service.workers))
    assert lost(fleet) == before
    assert sum(held(service)) == fleet.phones


async def test_nothing_outlives_a_killed_parent(service: Running, fleet: PhoneFleets) -> None:
    """Workers, database and bus end with it, by the kernel's hand; one that is stopped too."""
    orphans = service.children
    assert set(service.workers) < set(orphans)
    assert len(orphans) == len(service.workers) + len(("database", "bus"))
    os.kill(service.workers[0], signal.SIGSTOP)
    os.kill(service.process.pid, signal.SIGKILL)
    await service.process.wait()
    await until(lambda: not any(alive(pid) for pid in orphans))
    assert fleet.progress.tally.phones == UNITS
