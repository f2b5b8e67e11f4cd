"""The floor of an offer: one durable commit and one loopback round trip, one after the other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Final, NamedTuple, Self

import asyncpg

from bench.harness.child import child
from bench.harness.result import Row

HOST: Final = "127.0.0.1"
PAYLOAD: Final = b"x" * 256
"""As long as an offer frame is."""
MS: Final = "ms"


class Pair(NamedTuple):
    """One of each, in ms."""

    commit_ms: float
    trip_ms: float


class Floor:
    """A connection to the database, and a line to a process that sends back what comes."""

    def __init__(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._connection = connection
        self._line = line

    @classmethod
    @asynccontextmanager
    async def opened(cls, dsn: str) -> AsyncIterator[Self]:
        """Open both; the table of the rows stays in the database."""
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute("create table bench_commit (at timestamptz default now())")
            with child("bench.peers.echo") as echo:
                line = await asyncio.open_connection(HOST, echo.facts["port"])
                try:
                    yield cls(connection, line)
                finally:
                    line[1].close()
        finally:
            await connection.close()

    @property
    def database_pid(self) -> int:
        """Return the process of the database that our rows are written by."""
        return self._connection.get_server_pid()

    async def once(self) -> Pair:
        """Measure one of each."""
        insert = self._connection.execute("insert into bench_commit default values")
        return Pair(await _took_ms(insert), await _took_ms(self._round_trip()))

    async def _round_trip(self) -> None:
        reader, writer = self._line
        writer.write(PAYLOAD)
        await reader.readexactly(len(PAYLOAD))


async def _took_ms(work: Awaitable[object]) -> float:
    began = perf_counter()
    await work
    return (perf_counter() - began) * 1000


def rows(pairs: list[Pair], load: str) -> tuple[Row, Row, Row]:
    """Return what a commit, a round trip and both together took beside a load, in words."""
    return (
        Row.of(f"durable commit, {load}", [pair.commit_ms for pair in pairs], MS),
        Row.of(f"loopback round trip, {load}", [pair.trip_ms for pair in pairs], MS),
        Row.of("one durable commit and one round trip, together", list(map(sum, pairs)), MS),
    )
