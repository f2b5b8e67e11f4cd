"""What a backup says of itself, so that what is restored from it can be held against it."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from dispatch.store.connection import Connection
from dispatch.store.invariants import INVARIANTS
from dispatch.store.pools import epoch_of
from dispatch.store.statements import EPOCH
from schemas.base import Instant, Record

COUNT_S: Final = 600.0
"""A log of years is counted in less."""
OF_THE_MOMENT: Final = frozenset({"clock_overdue"})
"""Rules about what a running service does in time: of data at rest they say nothing."""
GROWING: Final = frozenset(
    {"api_key", "assignment", "device", "event", "incident", "jurisdiction", "member", "migration"}
    | {"offer", "unit"}
)
"""Tables that only grow, but for canaries and what retention takes, which waits for a backup."""
_NOT_CANARY: Final[Mapping[str, str]] = {
    "assignment": "where t.unit_id <> 'canary'",
    "event": """where t.unit_id is distinct from 'canary' and not exists (
        select 1 from incident i where i.id = t.incident_id and i.juris = 'canary')""",
    "incident": "where t.juris <> 'canary'",
    "offer": "where t.unit_id <> 'canary'",
}
_TABLES: Final = """
select relname from pg_class
where relkind = 'r' and relpersistence = 'p' and relnamespace = current_schema()::regnamespace
order by relname
"""
_MOMENT: Final = f"""
select current_setting('server_version_num')::int as postgres, clock_timestamp() as at,
       (select sum(pg_database_size(oid)) from pg_database)::bigint as cluster_bytes,
       pg_database_size(current_database()) as database_bytes,
       pg_snapshot_xmin(pg_current_snapshot())::text as settled,
       pg_snapshot_xmax(pg_current_snapshot())::text as newest,
       (select slot_name from pg_replication_slots
        where starts_with(slot_name, 'kapok_archive_') limit 1) as chain,
       (select epoch from ({EPOCH}) e) as history
"""
LINES: Final = f"""
select count(*) as lines, max(t.written_at) as newest_at
from event t {_NOT_CANARY["event"]} and t.xid < $1::text::xid8
"""


class Facts(Record, frozen=True, kw_only=True):
    """A backup in one line: what it is of, when it was taken, and what is in it.

    `least` and `most` are rows by table when it began and when it ended; `still` where no
    transaction came between, so that all of them hold exactly. Of the log, the `lines` that were
    committed when it began (of transactions before `settled`) are exact in any case.
    """

    kind: Literal["physical", "logical"]
    postgres: int
    migration: str
    epoch: str
    began_at: Instant
    ended_at: Instant
    lines: int
    newest_at: Instant | None
    settled: str
    still: bool
    least: dict[str, int]
    most: dict[str, int]
    broken: list[str] = []
    """Rules that did not hold, so that a backup is not blamed for it."""
    chain: str | None = None
    """The part of the archive that goes on from here."""
    sha256: str = ""
    """Of a logical backup's only file."""


class Look(NamedTuple):
    """What a database is found to hold, in one snapshot."""

    postgres: int
    at: Instant
    cluster_bytes: int
    database_bytes: int
    settled: str
    newest: str
    chain: str | None
    epoch: str
    migration: str
    counts: dict[str, int]


async def look(connection: Connection) -> Look:
    """Count every table of the database, but for canaries."""
    row = await connection.fetchrow(_MOMENT)
    given = dict(row or {})
    epoch = epoch_of(given.pop("history"))
    return Look(
        **given,
        epoch=epoch,
        migration=await connection.fetchval("select max(name) from migration"),
        counts=await counts(connection),
    )


async def counts(connection: Connection) -> dict[str, int]:
    """Return the rows of each table that is kept, by its name."""
    return {
        name: await connection.fetchval(
            f'select count(*) from "{name}" t {_NOT_CANARY.get(name, "")}', timeout=COUNT_S
        )
        for name in [row["relname"] for row in await connection.fetch(_TABLES)]
    }


async def lines(connection: Connection, settled: str) -> tuple[int, Instant | None]:
    """Return how many lines the log has of transactions before `settled`, and when the last was."""
    row = await connection.fetchrow(LINES, settled, timeout=COUNT_S)
    return (row["lines"], row["newest_at"]) if row else (0, None)


async def broken(connection: Connection) -> list[str]:
    """Return the rules that do not hold."""
    return [
        rule
        for rule, statement in INVARIANTS.items()
        if rule not in OF_THE_MOMENT and await connection.fetch(statement, 1, timeout=COUNT_S)
    ]


def facts(
    kind: Literal["physical", "logical"],
    began: Look,
    ended: Look,
    log: tuple[int, Instant | None],
    not_held: list[str],
    sha256: str = "",
) -> Facts:
    """Return the line that is written down."""
    return Facts(
        kind=kind,
        postgres=began.postgres,
        migration=began.migration,
        epoch=began.epoch,
        began_at=began.at,
        ended_at=ended.at,
        lines=log[0],
        newest_at=log[1],
        settled=began.settled,
        still=began.settled == began.newest == ended.newest,
        least=began.counts,
        most=ended.counts,
        broken=not_held,
        chain=began.chain if began.chain == ended.chain else None,
        sha256=sha256,
    )
