"""A service as `kapok serve` runs it, with a city and its phones in a folder that is removed."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from dispatch.auth import KEY_PREFIX, Role, token_hash
from dispatch.cli.city import IssuedPhone, register
from dispatch.cli.serve import Worker, database, listener, raise_open_files
from dispatch.clock import SystemClock, new_token
from dispatch.settings import Settings
from dispatch.store.registry import registry
from geo.city import City
from geo.city.build import build
from schemas.base import KeyId

SEED: Final = 20241


class Running(NamedTuple):
    """A running service: its city, the phones that may come, a key to its API, its database."""

    city: City
    issued: list[IssuedPhone]
    url: str
    key: str
    log: Path
    dsn: str


@asynccontextmanager
async def running(units: int, phones: int, role: Role) -> AsyncIterator[Running]:
    """Run everything; all of it is ended and removed."""
    raise_open_files()
    key = new_token(KEY_PREFIX)
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as name:
        folder = Path(name)
        async with database(Settings(data=folder), asyncio.Event()) as dsn:
            city = await asyncio.to_thread(build, SEED, units)
            issued = await _registered(dsn, city, phones, key, role)
            async with _service(dsn, folder / "service.log") as url:
                yield Running(city, issued, url, key, folder / "service.log", dsn)


async def _registered(dsn: str, city: City, phones: int, key: str, role: Role) -> list[IssuedPhone]:
    clock = SystemClock()
    async with registry(dsn) as opened:
        issued = await register(opened, city, phones, clock.new_id, lambda *_: None)
        await opened.put_key(KeyId(clock.new_id()), "bench", role, "gz", token_hash(key))
    return issued


@asynccontextmanager
async def _service(dsn: str, file: Path) -> AsyncIterator[str]:
    stop = asyncio.Event()
    with listener("127.0.0.1", 0) as port, file.open("wb") as log_file:
        worker = Worker(dsn, port, log_file=log_file)
        running = asyncio.create_task(worker.run(stop))
        try:
            await worker.ready.wait()
            yield worker.url
        finally:
            stop.set()
            await running
