"""What is done to a running service on purpose; each strike says by how many deaths it counts."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from tests.faults.proxy import BLACK_HOLE, DOWN, FINE, Proxy, Weather
from tests.faults.running import Running

STOPPED_S: Final = 6.5
"""Longer than a worker may be away without reading again, shorter than until it is killed."""
SWALLOWED_S: Final = 5.0
BAD_WEATHER_S: Final = 3.0
BAD: Final = Weather(delay_s=0.05, cut=0.01)
LOSSY: Final = Weather(loses=0.1)
LOSSY_S: Final = 5.0
BUS: Final = "nats-server"


class Scene(Protocol):
    """What there is to strike at."""

    @property
    def services(self) -> Sequence[Running]:
        """The services that run."""

    @property
    def database(self) -> int | None:
        """The pid of the database's first process; None while it is not there."""

    @property
    def front(self) -> Proxy:
        """The network between phones and services."""

    @property
    def store_lines(self) -> Sequence[Proxy]:
        """The networks between each service and its database, where there are any."""

    @property
    def bus_lines(self) -> Sequence[Proxy]:
        """The networks between each service and the bus, where there are any."""

    def pick(self, most: int) -> int:
        """Return a number from 0 to below `most`, by the scene's dice."""


Strike = Callable[[Scene], Awaitable[int]]


def kill(*pids: int | None) -> int:
    """Kill -9; return how many were there to be killed. No pid is nobody: never 0, which is all."""
    struck = 0
    for pid in filter(None, pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            struck += 1
    return struck


def service(scene: Scene) -> Running:
    """Return one of the services."""
    return scene.services[scene.pick(len(scene.services))]


async def kill_worker(scene: Scene) -> int:
    """A gateway process dies."""
    workers = service(scene).workers
    return kill(workers[scene.pick(len(workers))])


async def kill_database(scene: Scene) -> int:
    """The database's postmaster dies, and its children with it."""
    return kill(scene.database)


async def kill_bus(scene: Scene) -> int:
    """The bus dies; where there is none, a worker does."""
    buses = [pid for one in scene.services for pid in one.children if BUS in program(pid)]
    return kill(*buses[:1]) or await kill_worker(scene)


async def kill_parent(scene: Scene) -> int:
    """A parent dies, and by the kernel's hand everything it started."""
    return kill(service(scene).process.pid)


async def kill_everything(scene: Scene) -> int:
    """Parent, workers, database and bus die at one moment."""
    one = service(scene)
    kill(*one.children, scene.database)
    return kill(one.process.pid)


async def stop_worker(scene: Scene) -> int:
    """A worker stands still for longer than it may, then goes on as if nothing had been."""
    workers = service(scene).workers
    worker = workers[scene.pick(len(workers))]
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGSTOP)
        await asyncio.sleep(STOPPED_S)
        os.kill(worker, signal.SIGCONT)
    return 0


async def cut_lines(scene: Scene) -> int:
    """All phones' connections are reset at once."""
    scene.front.cut()
    return 0


async def bad_weather(scene: Scene) -> int:
    """Phones' frames are late, and one piece in a hundred ends its connection."""
    await _for_a_while(scene.front, BAD, BAD_WEATHER_S)
    return 0


async def half_dead(scene: Scene) -> int:
    """Phones are heard and hear nothing."""
    await _for_a_while(scene.front, Weather(swallows=frozenset({DOWN})), BAD_WEATHER_S)
    return 0


async def swallow_store(scene: Scene) -> int:
    """A service's packets to its database, and back, are swallowed."""
    await _one_of(scene.store_lines, scene, BLACK_HOLE, SWALLOWED_S)
    return 0


async def swallow_bus(scene: Scene) -> int:
    """A service lives by its database and is silent on the bus: a split."""
    await _one_of(scene.bus_lines, scene, BLACK_HOLE, SWALLOWED_S)
    return 0


async def break_store(scene: Scene) -> int:
    """One piece in thirty between services and database ends its connection."""
    for line in scene.store_lines:
        await line.turn(Weather(cut=0.03))
    await asyncio.sleep(BAD_WEATHER_S)
    for line in scene.store_lines:
        await line.turn(FINE)
    return 0


async def lossy_phones(scene: Scene) -> int:
    """One packet in ten between phones and services is lost."""
    await _for_a_while(scene.front, LOSSY, LOSSY_S)
    return 0


async def lossy_store(scene: Scene) -> int:
    """One packet in ten from a service to its database is lost."""
    await _one_of(scene.store_lines, scene, LOSSY, LOSSY_S)
    return 0


async def lossy_bus(scene: Scene) -> int:
    """One packet in ten between a service and the bus is lost."""
    await _one_of(scene.bus_lines, scene, LOSSY, LOSSY_S)
    return 0


async def _one_of(lines: Sequence[Proxy], scene: Scene, weather: Weather, seconds: float) -> None:
    if lines:
        await _for_a_while(lines[scene.pick(len(lines))], weather, seconds)


async def _for_a_while(line: Proxy, weather: Weather, seconds: float) -> None:
    await line.turn(weather)
    try:
        await asyncio.sleep(seconds)
    finally:
        await line.turn(FINE)


def program(pid: int) -> str:
    """Return the name of a process's program, nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


KILLS: Final[Mapping[str, Strike]] = {
    strike.__name__: strike
    for strike in (kill_worker, kill_database, kill_bus, kill_parent, kill_everything)
}
ON_ONE_HOST: Final[Mapping[str, Strike]] = {
    strike.__name__: strike
    for strike in (stop_worker, cut_lines, bad_weather, half_dead, lossy_phones)
}
FAR_STORE: Final[Mapping[str, Strike]] = {
    strike.__name__: strike
    for strike in (swallow_store, break_store, lossy_store, cut_lines, half_dead)
}
FAR_BUS: Final[Mapping[str, Strike]] = {
    strike.__name__: strike
    for strike in (swallow_store, swallow_bus, lossy_bus, stop_worker, bad_weather)
}
