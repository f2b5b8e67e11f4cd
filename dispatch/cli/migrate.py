"""`kapok migrate`: brings the tables of the database up to date."""

import click

from dispatch.cli import database
from dispatch.cli.codes import Code
from dispatch.settings import Settings
from dispatch.store import migrate as migrations
from dispatch.store.connection import connected


@click.command("migrate")
@click.option("--check", is_flag=True, help="Change nothing; exit 3 when something is pending.")
@database.options
@click.pass_context
def migrate(context: click.Context, settings: Settings, *, check: bool) -> None:
    """Bring the tables of the database up to date.

    Each migration is applied once, in a transaction of its own, and named when it is done.
    """
    if check:
        context.exit(database.run(_check(settings)))
    database.run(_apply(settings))


async def _check(settings: Settings) -> Code:
    async with database.database(settings) as dsn, connected(dsn) as connection:
        names = await migrations.pending(connection)
    for name in names:
        click.echo(f"pending {name}")
    return Code.NOTHING if names else Code.OK


async def _apply(settings: Settings) -> None:
    async with database.database(settings) as dsn, connected(dsn) as connection:
        names = await migrations.migrate(connection, lambda name: click.echo(f"applied {name}"))
    click.echo(f"{len(names)} migrations applied" if names else "nothing to do")
