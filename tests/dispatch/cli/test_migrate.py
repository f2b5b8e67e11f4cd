"""`kapok migrate`: what is applied is named, and asking changes nothing."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from dispatch.store.migrate import read
from tests.dispatch.cli.conftest import Command

pytestmark = pytest.mark.postgres

NAMES = [migration.name for migration in read()]


@pytest.fixture
def blank(postgres_dsn: str) -> Iterator[str]:
    """The address of a database that nobody migrated."""
    asyncio.run(_execute(postgres_dsn, "create database cli_blank"))
    yield postgres_dsn.replace("/kapok?", "/cli_blank?")
    asyncio.run(_execute(postgres_dsn, "drop database cli_blank with (force)"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


def test_each_migration_is_named_once_applied(kapok: Command, blank: str) -> None:
    """The second time there is nothing to do."""
    ended = kapok("migrate", "--database-url", blank)
    assert ended.code == 0
    assert ended.out.splitlines() == [
        *(f"applied {name}" for name in NAMES),
        f"{len(NAMES)} migrations applied",
    ]
    again = kapok("migrate", "--database-url", blank)
    assert (again.code, again.out) == (0, "nothing to do\n")


def test_check_has_a_code_for_what_is_pending(kapok: Command, blank: str) -> None:
    """A deployment asks before it starts; nothing is changed by asking."""
    for _ in range(2):
        ended = kapok("migrate", "--check", "--database-url", blank)
        assert (ended.code, ended.out.splitlines()) == (3, [f"pending {n}" for n in NAMES])
    up_to_date = kapok("migrate", "--check")
    assert (up_to_date.code, up_to_date.out) == (0, "")


def test_other_commands_ask_for_the_migration_first(kapok: Command, blank: str) -> None:
    """One sentence that says what to run."""
    ended = kapok("keys", "list", "--database-url", blank)
    assert ended.code == 1
    assert ended.err == (
        f"Error: the database is {len(NAMES)} migrations behind: run `kapok migrate`\n"
    )


def test_a_database_of_newer_code_is_left_alone(kapok: Command, database: str) -> None:
    """Old code on a schema it does not know would guess."""
    newer = "insert into migration (number, name, sha256) values (9999, '9999_later.sql', '')"
    asyncio.run(_execute(database, newer))
    for arguments in (("migrate",), ("migrate", "--check"), ("keys", "list")):
        ended = kapok(*arguments)
        assert ended.code == 1
        assert "run the newer version of Kapok" in ended.err


def test_a_right_that_is_missing_is_one_sentence(
    kapok: Command, blank: str, postgres_dsn: str
) -> None:
    """What the database refuses is told in its words."""
    asyncio.run(_execute(postgres_dsn, "create role guest login"))
    guest = blank.replace("//kapok@", "//guest@")
    ended = kapok("migrate", "--database-url", guest)
    asyncio.run(_execute(postgres_dsn, "drop role guest"))
    assert ended.code == 1
    assert ended.err == "Error: the database refuses: permission denied for schema public\n"
