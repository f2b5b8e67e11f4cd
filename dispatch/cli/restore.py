"""`kapok restore`: makes a data folder, or fills an empty database, from a backup."""

import os
from datetime import datetime
from pathlib import Path

import click

from dispatch.cli import database
from dispatch.cli.codes import Failure
from dispatch.cli.database import POSTGRES
from dispatch.settings import read
from dispatch.store import archive as archives
from dispatch.store import restore as restores
from dispatch.store.backup_facts import Facts
from dispatch.store.backup_folder import BackupError
from dispatch.store.restore import Point
from schemas.base import Instant


def _instant(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> Instant | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no instant like 2026-11-22T08:15:00+08:00"
        ) from error
    if at.tzinfo is None:
        raise click.BadParameter(f"{text!r} names no zone: put Z or +08:00 behind it")
    return at


@click.command("restore")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data folder to make: a new or an empty one.",
)
@click.option("--database-url", metavar="URL", help="Or: an empty database, filled from a dump.")
@click.option(
    "--until",
    metavar="INSTANT",
    callback=_instant,
    help="Take what was committed up to then, and no more.  [default: all there is]",
)
@click.option(
    "--archive",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the log since the backup is kept.  [KAPOK_ARCHIVE]",
)
def restore(
    folder: Path,
    data: Path | None,
    database_url: str | None,
    until: Instant | None,
    archive: Path | None,
) -> None:
    """Restore the backup in FOLDER, into a new place: nothing is ever written over.

    What is restored is another epoch: phones notice at their next hello and take the state anew.
    Stop the service that is replaced first: two of them would send units twice.
    """
    if (data is None) == (database_url is None):
        raise click.UsageError("name either --data or --database-url")
    kept = archive or read(os.environ).archive
    try:
        facts = restores.guard_readable(folder)
        point = database.run(_restored(folder, facts, data, database_url, until, kept))
    except BackupError as error:
        raise Failure(str(error)) from error
    click.echo(f"taken: {_reach(facts, kept)}", err=True)
    newest = point.newest_at.isoformat() if point.newest_at else "none"
    click.echo(f"restored {data or 'the database'}: the newest line of its log is of {newest}")
    click.echo(f"epoch {point.epoch}; it was {facts.epoch} when the backup was taken")


def _reach(facts: Facts, kept: Path | None) -> str:
    if kept is not None and facts.chain is not None and archives.kept(kept, facts.chain):
        return f"the backup, and what {facts.chain} holds since"
    return f"the backup, which ends at {facts.ended_at.isoformat(timespec='seconds')}, and no more"


async def _restored(
    folder: Path,
    facts: Facts,
    data: Path | None,
    database_url: str | None,
    until: Instant | None,
    kept: Path | None,
) -> Point:
    if data is not None:
        return await restores.into_folder(folder, facts, data / POSTGRES, until, kept)
    if facts.kind == "physical" or until is not None:
        raise BackupError("an outside server takes a dump, and all of it: name --data instead")
    return await restores.into_server(folder, database_url or "")
