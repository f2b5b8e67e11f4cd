"""A PostGIS of our own: Debian's packages, a cluster in a folder, a Unix socket, one connection."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from bench.peers.debian import had
from dispatch.store.embedded import EmbeddedError, EmbeddedPostgres
from geo.point import Point

NEWEST: Final = range(18, 14, -1)
BINARIES: Final = "/usr/lib/postgresql/{}/bin"
EXTENSION: Final = "/usr/share/postgresql/{}/extension/postgis.control"
# 4326 is WGS-84; 32649 the plane of zone 49 north, in metres, where the fleet stands: KNN needs no
# sphere there.
TABLE: Final = """
create extension if not exists postgis;
drop table if exists unit;
create table unit (
    id integer primary key, free boolean not null, skilled boolean not null,
    at geometry(point, 32649) not null);
"""
FILL: Final = """
insert into unit select id, free, skilled,
    st_transform(st_setsrid(st_makepoint(lon, lat), 4326), 32649)
from unnest($1::int[], $2::float8[], $3::float8[], $4::bool[], $5::bool[])
    as f (id, lon, lat, free, skilled)
"""
INDEX: Final = "create index on unit using gist (at) where free and skilled"
NEAR: Final = """
select id, at <-> here as m
from unit, (select st_transform(st_setsrid(st_makepoint($1, $2), 4326), 32649) as here) h
where free and skilled and st_dwithin(at, here, $3)
order by at <-> here limit $4
"""
AT_ONCE: Final = 50_000


class Units(NamedTuple):
    """A fleet as columns, in the order of their numbers."""

    places: Sequence[Sequence[float]]
    free: Sequence[bool]
    skilled: Sequence[bool]


class PostGis:
    """One connection; every question is the same prepared statement."""

    def __init__(self, runner: asyncio.Runner, dsn: str) -> None:
        self._runner = runner
        self._connection: asyncpg.Connection[asyncpg.Record] = runner.run(asyncpg.connect(dsn))
        self._near: PreparedStatement[asyncpg.Record] | None = None

    def fill(self, units: Units) -> None:
        """Let the table hold exactly these, by their number from 0."""
        self._near = None
        self._runner.run(self._fill(units))

    async def _fill(self, units: Units) -> None:
        await self._connection.execute(TABLE)
        for first in range(0, len(units.places), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            lon, lat = zip(*units.places[some], strict=True)
            numbers = range(first, first + len(lon))
            free, skilled = list(units.free[some]), list(units.skilled[some])
            await self._connection.execute(FILL, numbers, lon, lat, free, skilled)
        await self._connection.execute(INDEX)
        await self._connection.execute("vacuum analyze unit")
        self._near = await self._connection.prepare(NEAR)

    def near(self, place: Point, radius_m: float, most: int) -> list[int]:
        """Return the nearest that are free and have the skill, nearest first."""
        assert self._near is not None, "nothing was filled in"
        asked = self._near.fetch(*place, radius_m, most)
        rows = self._runner.get_loop().run_until_complete(asked)
        return [row["id"] for row in rows]

    def close(self) -> None:
        """Hang up."""
        self._runner.run(self._connection.close())


def _found() -> Path | None:
    """Return the programs of the newest PostgreSQL here that has PostGIS."""
    having = (v for v in NEWEST if Path(EXTENSION.format(v)).exists())
    return next((Path(BINARIES.format(v)) for v in having), None)


def _package() -> str:
    """Return the package for the newest server here, else for Debian 12's."""
    here = (v for v in NEWEST if shutil.which("postgres", path=BINARIES.format(v)))
    return f"postgresql-{next(here, 15)}-postgis-3"


@contextmanager
def postgis(*, install: bool = True) -> Iterator[PostGis | None]:
    """Run a server and a connection to it; None where there is none, or none may run."""
    programs = had(_found, _package(), install=install)
    if programs is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder, asyncio.Runner() as runner:
        server = EmbeddedPostgres(Path(folder) / "postgis", binaries=programs)
        try:
            runner.run(server.start())
        except EmbeddedError:
            yield None
            return
        try:
            connection = PostGis(runner, server.dsn)
            yield connection
            connection.close()
        finally:
            runner.run(server.stop())
