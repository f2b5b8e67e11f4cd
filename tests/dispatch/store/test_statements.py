"""The statements and the functions behind them: what the database itself refuses."""

from typing import Final

import asyncpg
import pytest

from dispatch.store import check_statements, invariants, node_statements, statements

pytestmark = [pytest.mark.postgres, pytest.mark.asyncio]
TEXTS: Final = {
    name: text
    for module in (statements, check_statements, node_statements)
    for name, text in vars(module).items()
    if name.isupper() and name[0] != "_" and isinstance(text, str)
}


TEXTS.update(invariants.INVARIANTS)


@pytest.mark.parametrize("name", sorted(TEXTS))
async def test_every_statement_fits_the_tables(database: str, name: str) -> None:
    """The database understands it: no column, function or type is missing."""
    connection = await asyncpg.connect(database)
    prepared = await connection.prepare(TEXTS[name])
    assert prepared.get_query() == TEXTS[name]
    await connection.close()


@pytest.mark.parametrize("change", ["update event set by = 'x'", "delete from event"])
async def test_the_log_is_append_only(database: str, change: str) -> None:
    """Whoever is connected."""
    connection = await asyncpg.connect(database)
    await connection.execute("insert into event (type, by, via, at) values ('x', 'y', 'z', now())")
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await connection.execute(change)
    await connection.close()
