"""A service with a city and its phones, in a folder that is removed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from bench.harness.serving import SEED, fill, folder, serving
from dispatch.cli.city import IssuedPhone
from geo.city import City

__all__ = ["SEED", "Running", "running"]


class Running(NamedTuple):
    """A running service: its city, the phones that may come, a key to its API, its database."""

    city: City
    issued: list[IssuedPhone]
    url: str
    key: str
    dsn: str


@asynccontextmanager
async def running(units: int, phones: int) -> AsyncIterator[Running]:
    """Run everything; all of it is ended and removed."""
    async with folder() as data:
        filled = await fill(data, units, phones)
        async with serving(data) as service:
            yield Running(filled.city, filled.issued, service.url, filled.key, service.dsn)
