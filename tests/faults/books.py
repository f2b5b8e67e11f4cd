"""What is on disk after a run: the log, the cases, the mail, the clocks, the answers kept."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec

from dispatch.core.events import Event
from dispatch.store.connection import Connection, connected
from dispatch.store.invariants import INVARIANTS
from dispatch.store.ledger import Ledger
from schemas.base import Instant

INCIDENTS: Final = "select id, status, owner, events from incident where juris <> 'canary'"
OFFERS: Final = "select id, incident_id, unit_id, state from offer where unit_id <> 'canary'"
TASKS: Final = """
select id, incident_id, unit_id, offer_id, state, ended_at from assignment where unit_id <> 'canary'
"""
LOG: Final = """
select e.incident_id, e.n, e.type, e.data, e.unit_id from event e
join incident i on i.id = e.incident_id and i.juris <> 'canary' order by e.incident_id, e.n
"""
MAIL: Final = """
select device_id, seq, frame ->> 't' as t, ref,
    superseded or expires_at <= clock_timestamp() as needless, acked_at is not null as acked
from outbox where device_id <> 'canary' and at < $1
order by device_id, seq
"""
HEADS: Final = "select id, head, acked from device where id <> 'canary'"
CLOCKS: Final = "select distinct incident_id from due"
ANSWERS: Final = "select scope, id, status, body from reply"
NOTICES: Final = "select id from notice"
ROWS_MOST: Final = 100


@dataclass(frozen=True)
class Line:
    """One line of the log."""

    n: int
    type: Event
    data: Mapping[str, Any]
    unit_id: str | None


@dataclass(frozen=True)
class Letter:
    """A reliable message as it was sealed for a phone."""

    seq: int
    t: str
    ref: str
    needless: bool
    acked: bool


@dataclass
class Books:
    """All of it, by id."""

    incidents: dict[str, Mapping[str, Any]]
    offers: dict[str, Mapping[str, Any]]
    tasks: dict[str, Mapping[str, Any]]
    log: dict[str, list[Line]]
    mail: dict[str, list[Letter]]
    heads: dict[str, int]
    clocks: set[str]
    answers: dict[tuple[str, str], tuple[int, Any]]
    notices: set[str]
    twice_held: int
    invariants: dict[str, Sequence[str]]


async def read(dsn: str, since: Instant, before: Instant) -> Books:
    """Read them at one moment; mail that is not from `before` may be under way and is left out."""
    async with (
        connected(dsn) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await read_through(connection, since, before)


async def read_through(connection: Connection, since: Instant, before: Instant) -> Books:
    """Read them through a connection, as its transaction sees them."""
    answers = await connection.fetch(ANSWERS)
    return Books(
        incidents=_by_id(await connection.fetch(INCIDENTS)),
        offers=_by_id(await connection.fetch(OFFERS)),
        tasks=_by_id(await connection.fetch(TASKS)),
        log=_log(await connection.fetch(LOG)),
        mail=_mail(await connection.fetch(MAIL, before)),
        heads={r["id"]: r["head"] for r in await connection.fetch(HEADS)},
        clocks={r["incident_id"] for r in await connection.fetch(CLOCKS)},
        answers={
            (r["scope"], r["id"]): (r["status"], msgspec.json.decode(r["body"])) for r in answers
        },
        notices={r["id"] for r in await connection.fetch(NOTICES)},
        twice_held=await Ledger(connection, since).double_booked(),
        invariants={
            rule: [str(r[0]) for r in await connection.fetch(question, ROWS_MOST)]
            for rule, question in INVARIANTS.items()
        },
    )


Rows = Sequence["asyncpg.Record"]


def _by_id(rows: Rows) -> dict[str, Mapping[str, Any]]:
    return {r["id"]: dict(r) for r in rows}


def _log(rows: Rows) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = defaultdict(list)
    for r in rows:
        data = msgspec.json.decode(r["data"])
        found[r["incident_id"]].append(Line(r["n"], Event(r["type"]), data, r["unit_id"]))
    return found


def _mail(rows: Rows) -> dict[str, list[Letter]]:
    found: dict[str, list[Letter]] = defaultdict(list)
    for r in rows:
        found[r["device_id"]].append(Letter(r["seq"], r["t"], r["ref"], r["needless"], r["acked"]))
    return found
