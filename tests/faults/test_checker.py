"""The checker finds nothing where all is well, and every fault that is planted, by its name.

One town runs for a moment; its disk and its phones' notes are kept. Each fault is planted by SQL in
a transaction that is rolled back, or in a copy of the notes.
"""

import asyncio
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from dispatch.clock import SystemClock
from dispatch.store.connection import Connection, connected
from dispatch.store.embedded import EmbeddedPostgres
from schemas.wire import Progress
from tests.faults.books import Books, read_through
from tests.faults.checker import RULES, Evidence, evidence, violations
from tests.faults.running import Running
from tests.faults.town import UNITS, Town
from tests.faults.witness import Witness
from tests.patience import until
from tests.simulation.ledger import Broken

pytestmark = [pytest.mark.faults, pytest.mark.postgres]

ACCEPTS: Final = 12
NEVER: Final = 1_000_000
"""A number that no stream has come to."""
UNGUARDED: Final = "set local session_replication_role = replica"
"""Without triggers and foreign keys: a planted fault is what they would refuse."""


@dataclass
class Kept:
    """What is left of a run: its disk, open, and what its phones were told."""

    runner: asyncio.Runner
    connection: Connection
    town: Town
    told: Evidence

    def found(self, *statements: str, told: Evidence | None = None) -> set[str]:
        """Return the names of the rules that are broken after these statements."""
        return self.runner.run(self._found(statements, told or self.told))

    async def _found(self, statements: tuple[str, ...], told: Evidence) -> set[str]:
        plant = self.connection.transaction()
        await plant.start()
        try:
            for statement in (UNGUARDED, *NAMES.split(";"), *statements):
                await self.connection.execute(statement)
            books = await read_through(self.connection, self.town.since, SystemClock().now())
        finally:
            await plant.rollback()
        return {violation.rule for violation in violations(books, told)}

    def books(self) -> Books:
        """Return the disk as the run left it."""
        return self.runner.run(read_through(self.connection, self.town.since, SystemClock().now()))


async def lived(town: Town) -> Evidence:
    """Let a town live until some have accepted and set out; return what it was told."""
    stop = asyncio.Event()
    async with (
        Running.started(town.data) as service,
        Witness.started(town.lines(), service.url) as fleet,
    ):
        await until(lambda: fleet.online == UNITS)
        caller = town.caller(service.url)
        calling = asyncio.create_task(caller.run(stop))
        notice = await town.notify(service.url, "a notice to all")
        await until(lambda: fleet.tally.tasks >= ACCEPTS)
        await until(lambda: fleet.notes.answered(Progress) >= ACCEPTS)
        stop.set()
        await calling
        fleet.rest()
        await until(fleet.settled)
        await until(lambda: len(fleet.notes.noticed) == UNITS)
        await asyncio.sleep(0.5)
        return evidence(caller, fleet, [notice])


@pytest.fixture(scope="module")
def kept(original: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A run that is over, to be read and tampered with."""
    town = original.copied(tmp_path_factory.mktemp("kept") / "data")
    with asyncio.Runner() as runner:
        told = runner.run(lived(town))
        server = EmbeddedPostgres(town.postgres)
        dsn = runner.run(server.start())
        opened = connected(dsn)
        yield Kept(runner, runner.run(opened.__aenter__()), town, told)
        runner.run(opened.__aexit__(None, None, None))
        runner.run(server.stop())


def test_where_all_is_well_nothing_is_found(kept: Kept) -> None:
    """And there was something to look at: every book has lines, and every rule was asked."""
    books = kept.books()
    assert violations(books, kept.told) == []
    assert all([books.offers, books.tasks, books.log, books.mail, books.clocks, books.answers])
    assert len(kept.told.online) == UNITS
    assert books.incidents.keys() == set(kept.told.acknowledged)


NAMES: Final = """
    create temporary view one_accepted as
        select id from offer where state = 'accepted' order by id limit 1;
    create temporary view one_task as select id from assignment order by id limit 1;
    create temporary view one_open as
        select id from incident where status in ('open', 'dispatching', 'responding')
            and owner is null and exists (select 1 from due where incident_id = incident.id)
        order by id limit 1"""
ON_DISK: Final = {
    "incident_lost": "delete from incident where id = (select min(id) from incident)",
    "notice_lost": """
        delete from outbox
        where frame ->> 't' = 'notice' and device_id = (select min(device_id) from outbox)""",
    "offer_lost": "delete from offer where id = (table one_accepted)",
    "acceptance_lost": "delete from assignment where offer_id = (table one_accepted)",
    "progress_lost": """
        update assignment set state = 'assigned' where state <> 'assigned';
        delete from event where type = 'assignment_progressed'""",
    "answer_lost": """
        delete from reply
        where scope like 'device:%' and body #>> '{result,aid}' = (table one_task)""",
    "message_lost": """
        insert into outbox (device_id, seq, incident_id, ref, at, expires_at, frame)
        select device_id, max(seq) + 1, 'i', 'n', min(at), now() + interval '1 day',
            '{"t": "notice"}' from outbox group by device_id limit 1""",
    "message_invented": "update device set head = 0, acked = 0",
    "applied_twice": """
        insert into event (incident_id, n, type, by, via, at, unit_id, data)
        select incident_id, n + 1000, type, by, via, at, unit_id, data from event
        where type = 'offered' and data ->> 'offer' = (table one_accepted)""",
    "two_active": """
        drop index assignment_active;
        create index assignment_active on assignment (unit_id);
        update assignment set unit_id = (select min(unit_id) from assignment), ended_at = null""",
    "no_clock": "delete from due where incident_id = (table one_open)",
    "gap_in_log": """
        delete from event where n = 2 and incident_id = (select min(id) from incident)""",
    "incident_backwards": "update incident set status = 'reported' where id = (table one_open)",
    "offer_backwards": "update offer set state = 'open' where id = (table one_accepted)",
    "task_backwards": "update assignment set state = 'arrived' where id = (table one_task)",
    "own_invariants": "update offer set state = 'lapsed' where id = (table one_accepted)",
}


@pytest.mark.parametrize(("rule", "plant"), ON_DISK.items(), ids=ON_DISK.keys())
def test_what_is_planted_on_disk_is_found(kept: Kept, rule: str, plant: str) -> None:
    """By the rule that is meant for it."""
    assert rule in kept.found(*plant.split(";"))


def out_of_order(told: Evidence) -> None:
    """Hand a phone a number it has passed."""
    told.notes.broken = Broken("out of order: 3 after 4")


def rang_twice(told: Evidence) -> None:
    """Let a phone ring a second time for an offer."""
    book = next(book for book in told.notes.books.values() if book.offered)
    book.offered[next(iter(book.offered))] += 1


def showed_twice(told: Evidence) -> None:
    """Let a phone show a notice a second time."""
    told.notes.noticed[next(iter(told.notes.noticed))] += 1


def heard_nothing(told: Evidence) -> None:
    """Let a phone not have heard of a notice that it acknowledged."""
    for book in told.notes.books.values():
        book.seqs.clear()


def rang_for_nothing(told: Evidence) -> None:
    """Let a phone ring for what was never written."""
    next(iter(told.notes.books.values())).offered["never"] += 1


IN_NOTES: Final[list[tuple[str, Callable[[Evidence], None]]]] = [
    ("out_of_order", out_of_order),
    ("told_twice", rang_twice),
    ("told_twice", showed_twice),
    ("message_lost", heard_nothing),
    ("offer_lost", rang_for_nothing),
]


@pytest.mark.parametrize(("rule", "plant"), IN_NOTES, ids=[plant.__name__ for _, plant in IN_NOTES])
def test_what_is_planted_in_the_notes_is_found(
    kept: Kept, rule: str, plant: Callable[[Evidence], None]
) -> None:
    """What phones say counts as much as what is on disk."""
    told = copy.deepcopy(kept.told)
    plant(told)
    assert rule in kept.found(told=told)


def test_what_is_heard_while_the_disk_is_read_is_not_held_against_it(kept: Kept) -> None:
    """Evidence stands still; what phones were told before it still counts."""
    notes = copy.deepcopy(kept.told.notes)
    told = kept.told._replace(notes=notes.frozen())
    rang_for_nothing(kept.told._replace(notes=notes))
    for said in notes.said.values():
        said.result = {"aid": "never", "s": "never"}
    for device, book in notes.books.items():
        book.seqs.add(NEVER)
        notes.noticed[device, "never"] += 1
    assert kept.found(told=told) == set()
    late = kept.found(told=kept.told._replace(notes=notes.frozen()))
    assert {"offer_lost", "message_invented", "acceptance_lost", "answer_lost"} <= late


def test_every_rule_was_seen_to_bite() -> None:
    """No rule is there that no planted fault has broken."""
    assert {*ON_DISK, *(rule for rule, _ in IN_NOTES)} == RULES.keys()
