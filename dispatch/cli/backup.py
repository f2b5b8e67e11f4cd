"""`kapok backup`: takes a backup beside the running service, or tries one that was taken."""

import asyncio
import os
from pathlib import Path
from typing import Final

import click

from dispatch.cli import database
from dispatch.cli.codes import Code, Failure
from dispatch.cli.database import POSTGRES
from dispatch.clock import SystemClock
from dispatch.settings import Settings, read
from dispatch.store import archive, backup_folder, data_folder, restore
from dispatch.store import backup as backups
from dispatch.store.backup_checks import checks
from dispatch.store.backup_facts import Facts
from dispatch.store.backup_folder import DATA, MB, BackupError

MB_MOST: Final = 1000
NAME: Final = "%Y%m%dT%H%M%SZ"


@click.command("backup")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="Take none: restore FOLDER aside, and look at it.")
@click.option(
    "--rate",
    "rate_mb",
    type=click.IntRange(1, MB_MOST),
    default=backups.RATE_MB,
    show_default=True,
    help="MB read from the embedded database a second.",
)
@click.option(
    "--prune", is_flag=True, help="Remove of the archive what no backup in KAPOK_BACKUPS needs."
)
@database.options
@click.pass_context
def backup(
    context: click.Context,
    folder: Path | None,
    settings: Settings,
    rate_mb: int,
    *,
    verify: bool,
    prune: bool,
) -> None:
    """Take a backup into FOLDER, which must not be there yet, beside a running service or alone.

    Without FOLDER it gets the name of the moment in KAPOK_BACKUPS. Of the embedded database it is
    all of it, as files; with a URL it is a dump. --verify restores a backup into a temporary
    folder (TMPDIR), starts it and checks it; exit code 1 when it is not to be relied on.
    """
    chosen = read(os.environ)
    if prune and (verify or chosen.archive is None or chosen.backups is None):
        raise click.UsageError("--prune goes with KAPOK_ARCHIVE and KAPOK_BACKUPS, not --verify")
    place = folder or _named(chosen, verify=verify)
    try:
        if verify:
            context.exit(database.run(_verify(place)))
        database.run(_take(settings, place, rate_mb))
        if prune and chosen.archive and chosen.backups:
            _prune(chosen.archive, chosen.backups)
    except BackupError as error:
        raise Failure(str(error)) from error


def _named(chosen: Settings, *, verify: bool) -> Path:
    if chosen.backups is None:
        raise click.UsageError("name a FOLDER, or set KAPOK_BACKUPS")
    if not verify:
        return chosen.backups / SystemClock().now().strftime(NAME)
    found = backup_folder.backups(chosen.backups)
    if not found:
        raise Failure(f"there is no backup in {chosen.backups}")
    return found[-1][0]


async def _take(settings: Settings, folder: Path, rate_mb: int) -> None:
    if settings.database_url is not None:
        facts = await backups.logical(settings.database_url, folder)
        click.echo(
            "note: a dump brings back this moment and no other; "
            "any instant is the business of that server's own archive",
            err=True,
        )
    else:
        data = settings.data / POSTGRES
        if data_folder.major(data) is None:
            raise Failure(f"there is no database in {settings.data}")
        async with database.database(settings) as dsn:
            facts = await backups.physical(dsn, folder, rate_mb)
    click.echo(f"{folder}: {_told(facts)}, {backup_folder.size_bytes(folder) // MB:,} MB")


def _told(facts: Facts) -> str:
    kinds = ("unit", "incident", "offer", "event")
    rows = ", ".join(f"{facts.most[kind]:,} {kind}s" for kind in kinds)
    newest = facts.newest_at.isoformat(timespec="seconds") if facts.newest_at else "none"
    return f"{rows}, the newest of {newest}"


async def _verify(folder: Path) -> Code:
    facts = await asyncio.to_thread(restore.guard_readable, folder)
    click.echo(f"{folder}: {facts.kind}, of {facts.ended_at.isoformat(timespec='seconds')}")
    good = True
    async for check in checks(folder, facts):
        click.echo(f"{'ok' if check.holds else 'fail':<5} {check.subject:<11} {check.found}")
        good = good and check.holds
    return Code.OK if good else Code.FAILED


def _prune(archived: Path, folder: Path) -> None:
    needed = dict[str, str]()
    for each, facts in backup_folder.backups(folder):
        first = archive.first_needed(each / DATA)
        if facts.chain and first:
            needed[facts.chain] = min(first, needed.get(facts.chain, first))
    click.echo(f"{archive.prune(archived, needed)} segments removed from the archive")
