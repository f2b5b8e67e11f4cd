"""`kapok doctor`: what a site has to have right before it relies on Kapok."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec
import shapely

from dispatch.cli import (
    backup_verdicts,
    machine,
    machine_verdicts,
    site_verdicts,
    store_verdicts,
)
from dispatch.cli.backup_verdicts import Kept, Newest
from dispatch.cli.codes import Code, Failure
from dispatch.cli.database import POSTGRES
from dispatch.cli.open_files import FILES_FOR_OTHERS
from dispatch.cli.serve import roads_of
from dispatch.cli.verdict import Line, Verdict, ok, warn, worst
from dispatch.clock import SystemClock
from dispatch.core.hidden import HIDDEN, is_hidden
from dispatch.desk.the_hour import read_hours
from dispatch.ports import StoreAway
from dispatch.settings import ENVIRONMENT, BadSetting, Settings, bus_servers, read
from dispatch.store import archive, backup_folder, migrate, neighbour, server_facts
from dispatch.store.connection import Connection, StoreRefused, connected
from dispatch.store.registry import Registry
from geo.jurisdiction import Jurisdiction
from geo.point import Box
from geo.roads import file as road_file
from geo.roads.file import BadRoadsError

REACH_S: Final = 5.0
SUBJECT_CHARS: Final = 18
PUSH: Final = "KAPOK_PUSH_"


@click.command()
@click.option("--host", help="Address it listens on.  [KAPOK_HOST; 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port.  [KAPOK_PORT; 8110]")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder.  [KAPOK_DATA; .kapok]")
@click.option(
    "--roads",
    type=click.Path(path_type=Path),
    help="Road file.  [KAPOK_ROADS; the one in the data folder]",
)
@click.option("--database-url", help="An outside PostgreSQL, 15 or later.  [DATABASE_URL]")
@click.option("--checksum", is_flag=True, help="Read every byte of the roads and check it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.pass_context
def doctor(context: click.Context, /, *, checksum: bool, as_json: bool, **options: object) -> None:
    """Look whether this machine and its database are fit for Kapok.

    One line for each thing: ok, warn or fail, with what to do. Changes nothing and starts nothing,
    beside a running Kapok or alone; exit code 1 when anything fails.
    """
    given = {name: value for name, value in options.items() if value is not None}
    settings, lines = _settings(os.environ, given)
    lines += asyncio.run(_examined(settings, checksum=checksum))
    click.echo(_json(lines) if as_json else _text(lines))
    context.exit(Code.FAILED if worst(lines) is Verdict.FAIL else Code.OK)


# What is looked at. -------------------------------------------------------------------------------


def _settings(
    environment: Mapping[str, str], given: Mapping[str, object]
) -> tuple[Settings, list[Line]]:
    """Return the settings without what cannot be, and a line for each of that."""
    left, lines = dict(environment), list[Line]()
    while True:
        try:
            settings = read(left, **given)
        except BadSetting as error:
            bad = [name for name in left if _is_meant(name, str(error))]
            if not bad:
                raise
            lines.append(site_verdicts.bad_setting(str(error)))
            left = {name: text for name, text in left.items() if name not in bad}
        else:
            return settings, lines or [ok("settings", "all can be read")]


def _is_meant(variable: str, message: str) -> bool:
    """Say whether a message is about a variable; those of the webhook stand and fall together."""
    name = variable.removesuffix("_FILE")
    return name in ENVIRONMENT and (name in message or (PUSH in message and PUSH in name))


async def _examined(settings: Settings, *, checksum: bool) -> list[Line]:
    folder = settings.data / POSTGRES
    outside = settings.database_url is not None
    door = await machine.door(settings.host, settings.port)
    holder = None if outside else machine.holder(folder)
    roads, box = _roads(settings, checksum=checksum)
    dsn = settings.database_url or (neighbour.address(folder) if holder else None)
    return [
        machine_verdicts.on_files(
            machine.files_most(holder),
            FILES_FOR_OTHERS,
            running=holder is not None,
            workers=settings.workers,
        ),
        machine_verdicts.on_memory(
            machine.memory_mb(), running=holder is not None or bool(door.kapok)
        ),
        machine_verdicts.on_folder(machine.folder(settings.data, folder), outside=outside),
        *(() if outside else (machine_verdicts.on_lock(folder, holder),)),
        machine_verdicts.on_door(door),
        *roads,
        *_hours(settings),
        *([_unseen(holder)] if dsn is None else await _database(dsn, box)),
        machine_verdicts.on_time(machine.clock_follows()),
        *await _safe(settings, folder, dsn),
        *await _bus(settings),
        site_verdicts.on_push(settings.push_url),
    ]


def _unseen(holder: int | None) -> Line:
    return store_verdicts.NO_DATABASE if holder is None else store_verdicts.hidden_by(holder)


async def _safe(settings: Settings, database: Path, dsn: str | None) -> list[Line]:
    """Judge what there is for a bad day: backups, and the log in a second place."""
    newest, archived = _newest(settings.backups), _kept(settings.archive, database)
    lines = [
        *backup_verdicts.on_backups(_kept(settings.backups, database), newest, SystemClock().now())
    ]
    if settings.database_url is not None:
        return [*lines, *backup_verdicts.on_outside(archived)]
    return [*lines, *backup_verdicts.on_archive(archived, await _chains(dsn), newest)]


def _newest(folder: Path | None) -> Newest | None:
    found = backup_folder.backups(folder) if folder is not None else []
    return Newest(path=found[-1][0], facts=found[-1][1]) if found else None


def _kept(folder: Path | None, database: Path) -> Kept | None:
    if folder is None:
        return None
    beside = machine.on_one_disk(folder, database)
    return Kept(path=folder, free_mb=machine.free_mb(folder), beside_data=beside)


async def _chains(dsn: str | None) -> list[archive.Chain] | None:
    if dsn is None:
        return None
    try:
        async with connected(dsn, REACH_S) as connection:
            return await archive.chains(connection)
    except (StoreAway, StoreRefused):  # told with the database
        return None


async def _bus(settings: Settings) -> list[Line]:
    """Judge every server of the bus; told without the password that an address may have."""
    servers = bus_servers(settings.bus_url)
    if not servers:
        return [machine_verdicts.on_no_bus(settings.workers)]
    return [
        machine_verdicts.on_bus(url.rpartition("@")[2], await machine.bus_trouble(url))
        for url in servers
    ]


def _hours(settings: Settings) -> list[Line]:
    """Judge the hours of roads where a site has its own; nothing is said of what is right."""
    try:
        if settings.road_hours is not None:
            read_hours(settings.road_hours)
    except BadSetting as error:
        return [site_verdicts.bad_setting(str(error))]
    return []


def _roads(settings: Settings, *, checksum: bool) -> tuple[list[Line], Box | None]:
    """Judge roads as a start would find them; hand over what lies in them."""
    try:
        path = roads_of(settings)
        if path is None:
            return [site_verdicts.NO_ROADS], None
        about = road_file.load(path, verify=checksum).about
    except (Failure, BadRoadsError) as error:
        return [site_verdicts.broken_roads(str(error))], None
    now = SystemClock().now()
    return [site_verdicts.on_roads(about, path.name, now, verified=checksum)], about.box


async def _database(dsn: str, roads: Box | None) -> list[Line]:
    try:
        async with connected(dsn, REACH_S) as connection:
            return [
                *store_verdicts.on_server(await server_facts.facts(connection)),
                await _clock(connection),
                *await _tables(connection, roads),
            ]
    except (StoreAway, StoreRefused) as error:
        return [store_verdicts.unreachable(str(error))]


async def _clock(connection: Connection) -> Line:
    """Compare clocks: ours in the middle of the question and its answer."""
    clock = SystemClock()
    asked_at = clock.now()
    theirs = await server_facts.instant(connection)
    unsure = (clock.now() - asked_at) / 2
    return store_verdicts.on_clock(asked_at + unsure - theirs, unsure)


async def _tables(connection: Connection, roads: Box | None) -> list[Line]:
    try:
        pending = await migrate.pending(connection)
    except migrate.MigrationError as error:
        return [store_verdicts.parted(str(error))]
    applied = store_verdicts.on_migrations(pending)
    if pending:
        do = "migrate, then run this again"
        return [applied, warn("register", "units and keys cannot be seen before that", do)]
    processes = store_verdicts.on_alive(await server_facts.alive(connection))
    step = store_verdicts.on_step(await server_facts.ahead_s(connection))
    return [applied, step, processes, *await _register(connection, roads)]


async def _register(connection: Connection, roads: Box | None) -> list[Line]:
    registry = Registry(connection)
    places = [each for each in await registry.jurisdictions() if not is_hidden(each.path)]
    keys = [each for each in await registry.keys() if not is_hidden(each.juris)]
    registered = await server_facts.registered(connection, HIDDEN)
    cover = [site_verdicts.on_cover(roads, _box(places))] if roads and places else []
    paths = frozenset(each.path for each in places)
    return [
        *cover,
        *site_verdicts.on_register(len(places), registered),
        site_verdicts.on_keys(keys, paths),
    ]


def _box(places: Sequence[Jurisdiction]) -> Box:
    return Box(*(float(each) for each in shapely.total_bounds([p.polygon for p in places])))


# How it is told. ----------------------------------------------------------------------------------


def _json(lines: Sequence[Line]) -> str:
    return msgspec.json.encode({"verdict": worst(lines), "lines": lines}).decode()


def _text(lines: Sequence[Line]) -> str:
    return "\n".join(_told(line) for line in lines)


def _told(line: Line) -> str:
    head = f"{line.verdict:<5} {line.subject:<{SUBJECT_CHARS}} {line.found}"
    return f"{head}\n{'':<6}{'':<{SUBJECT_CHARS}} → {line.do}" if line.do else head
