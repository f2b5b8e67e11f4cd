"""What a database says of itself: its version, what it promises of a commit, what is registered."""

from datetime import datetime, timedelta
from typing import Final

from dispatch.ports.nodes import LIVE_S
from dispatch.store.connection import Connection
from dispatch.store.embedded_settings import DURABLE
from schemas.base import Record

_FACTS: Final = """
select current_setting('server_version_num')::int as version,
       current_setting('synchronous_standby_names') as standbys,
       pg_is_in_recovery() as is_standby,
       current_setting('default_transaction_read_only') = 'on' as read_only,
       (select array_agg(current_setting(name) order by at)
          from unnest($1::text[]) with ordinality as wanted (name, at)) as durable,
       current_setting('max_connections')::int as connections_most
"""
_AHEAD: Final = """
select extract(epoch from service_time() - t.at)::double precision
from (select clock_timestamp() as at) t
"""
_REGISTERED: Final = """
select (select count(*) from unit where not disabled and juris <> $1
            and not starts_with(juris, $1 || '.')) as units,
       (select count(*) from device d join unit u on u.id = d.unit_id
         where d.revoked_at is null and u.juris <> $1
            and not starts_with(u.juris, $1 || '.')) as phones
"""


class ServerFacts(Record, frozen=True, kw_only=True):
    """A server as our own sessions find it: a role's and a database's settings are in it."""

    version: int
    """As 150004 for 15.4."""
    standbys: str
    """The standbys that a commit waits for; '' where it waits for none."""
    is_standby: bool
    read_only: bool
    durable: dict[str, str]
    connections_most: int


class Registered(Record, frozen=True, kw_only=True):
    """How many units can be asked, and phones let in."""

    units: int
    phones: int


async def facts(connection: Connection) -> ServerFacts:
    """Ask for all of it in one statement."""
    row = await connection.fetchrow(_FACTS, list(DURABLE))
    given = dict(row or {})
    durable = dict(zip(DURABLE, given["durable"], strict=True))
    return ServerFacts(**{**given, "durable": durable})


async def registered(connection: Connection, hidden: str) -> Registered:
    """Count what is registered, apart from what lies under the jurisdiction `hidden`."""
    return Registered(**dict(await connection.fetchrow(_REGISTERED, hidden) or {}))


async def instant(connection: Connection) -> datetime:
    """Return the database's own clock, UTC whatever zone its session has."""
    at: datetime = await connection.fetchval("select clock_timestamp()")
    return at


async def ahead_s(connection: Connection) -> float:
    """Return how many seconds the service's time is ahead of the database's own clock."""
    seconds: float = await connection.fetchval(_AHEAD)
    return seconds


class Alive(Record, frozen=True, kw_only=True):
    """The processes that live, on how many machines, of how many versions."""

    processes: int
    machines: int
    builds: int


_ALIVE: Final = """
select count(*) as processes, count(distinct host) as machines, count(distinct build) as builds
from node
where seen_at between clock_timestamp() - $1::interval and clock_timestamp() + $1::interval
"""


async def alive(connection: Connection) -> Alive:
    """Count the processes of the installation."""
    return Alive(**dict(await connection.fetchrow(_ALIVE, timedelta(seconds=LIVE_S)) or {}))
