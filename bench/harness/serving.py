"""`kapok serve` as a site runs it: a process, with a city, in a folder that is removed."""

import asyncio
import atexit
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple
from urllib.parse import quote

import httpx

from bench.harness.family import Family, family
from bench.harness.kapok import NOTHING, kapok
from dispatch.auth import KEY_PREFIX, Role, token_hash
from dispatch.cli.city import IssuedPhone, register
from dispatch.clock import SystemClock, new_token
from dispatch.store.connection import connected
from dispatch.store.embedded import EmbeddedPostgres
from dispatch.store.migrate import migrate
from dispatch.store.registry import registry
from geo.city import City
from geo.city.build import build
from schemas.base import KeyId

SEED: Final = 20241
HOST: Final = "127.0.0.1"
READY_S: Final = 90.0
LOOK_S: Final = 0.005
LAST_WORDS: Final = 2_000
DATABASE: Final = "postgres"
"""The database's folder inside the data folder."""
ALL: Final = 16
"""Connections that all have to be answered: with several workers none of them is left out."""


class Filled(NamedTuple):
    """A data folder with a registered city: the phones that may come, and a key to the API."""

    folder: Path
    city: City
    issued: list[IssuedPhone]
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries to be let in."""
        return {"Authorization": f"Bearer {self.key}"}


class Serving(NamedTuple):
    """A running `kapok serve`; `ready_s` is how long it took to answer."""

    url: str
    pid: int
    folder: Path
    log: Path
    ready_s: float

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def dsn(self) -> str:
        """Return where its database answers now."""
        return dsn_of(self.folder)

    def family(self) -> Family:
        """Return its processes as they are now."""
        return family(self.pid)


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """Make a data folder, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as name:
        yield Path(name)


@asynccontextmanager
async def database(data: Path) -> AsyncIterator[str]:
    """Run the database of a data folder alone, migrated; hand over its address."""
    async with EmbeddedPostgres(data / DATABASE) as server:
        await migrated(server.dsn)
        yield server.dsn


async def migrated(dsn: str) -> None:
    """Apply what is missing of the migrations."""
    async with connected(dsn) as connection:
        await migrate(connection)


async def fill(data: Path, units: int, phones: int) -> Filled:
    """Put a registered city of so many units into a folder, the first of them on duty.

    What is the same is registered once in a run, and copied: only the key to the API is shared.
    """
    wanted = (units, phones)
    if wanted not in _filled:
        place = Path(tempfile.mkdtemp(prefix="kapok-bench-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        _filled[wanted] = await _registered(place / "data", units, phones)
    known = _filled[wanted]
    await asyncio.to_thread(shutil.copytree, known.folder, data, dirs_exist_ok=True)
    return known._replace(folder=data)


_filled: Final[dict[tuple[int, int], Filled]] = {}


async def _registered(data: Path, units: int, phones: int) -> Filled:
    city = await asyncio.to_thread(build, SEED, units)
    async with database(data) as dsn:
        issued, key = await put(dsn, city, phones)
    return Filled(data, city, issued, key)


async def put(dsn: str, city: City, phones: int) -> tuple[list[IssuedPhone], str]:
    """Register a city in a database; return the phones of those on duty, and a commander's key."""
    key, clock = new_token(KEY_PREFIX), SystemClock()
    async with registry(dsn) as opened:
        issued = await register(opened, city, phones, clock.new_id, _silent)
        await opened.put_key(KeyId(clock.new_id()), "bench", Role.COMMANDER, "gz", token_hash(key))
    return issued, key


@asynccontextmanager
async def serving(
    data: Path, *options: str, environment: Mapping[str, str] = NOTHING
) -> AsyncIterator[Serving]:
    """Run the service until the end of this; it ends with us, whatever happens."""
    port, log = free_port(), data.with_name(f"{data.name}.log")
    given = ("serve", "--host", HOST, "--port", str(port), "--data", str(data), *options)
    began = perf_counter()
    try:
        with log.open("wb") as file:
            async with kapok(*given, errors=file, environment=environment) as process:
                url = f"http://{HOST}:{port}"
                await _until_ready(url, process, log)
                yield Serving(url, process.pid, data, log, perf_counter() - began)
    finally:
        log.unlink()


async def _until_ready(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until it says that it is ready, on every connection of several."""
    async with asyncio.timeout(READY_S):
        left = ALL
        while left:
            if process.returncode is not None:
                raise RuntimeError(f"the service ended ({process.returncode}): {_last(log)}")
            left = left - 1 if await is_ready(url) else ALL
            await asyncio.sleep(0 if left < ALL else LOOK_S)


def _last(log: Path) -> str:
    return log.read_text()[-LAST_WORDS:]


async def is_ready(url: str) -> bool:
    """Ask once, on a connection of its own, whether it is ready."""
    address = httpx.URL(url)
    ask = f"GET /readyz HTTP/1.1\r\nHost: {address.host}\r\nConnection: close\r\n\r\n"
    try:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    except OSError:
        return False
    try:
        writer.write(ask.encode())
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def dsn_of(data: Path) -> str:
    """Return where the database of a running service answers, by what it wrote of itself."""
    lines = (data / DATABASE / "postmaster.pid").read_text().splitlines()
    return f"postgresql://kapok@/kapok?host={quote(lines[4], safe='')}&port={lines[3]}"


def _silent(_what: str, _done: int, _of: int) -> None:
    """Report no progress."""
