"""`kapok import`: jurisdictions, units and roads from files, all or nothing, twice at will."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from dispatch.cli import database, units_file
from dispatch.cli.codes import Failure, NothingGood
from dispatch.cli.progress import steps
from dispatch.cli.road_file import roads
from dispatch.cli.rosters import by_unit, roster
from dispatch.cli.texts import NAME_CHARS, is_plain
from dispatch.cli.unit_places import PlacedUnit, Places
from dispatch.cli.unit_rows import BadFileError, heading_text
from dispatch.cli.units_file import READERS, BadField, Reading, faulty
from dispatch.clock import SystemClock
from dispatch.settings import Settings
from dispatch.store.registry import Registry
from geo.datum import Datum
from geo.geojson import BadFeatureError, BadGeoJsonError
from geo.jurisdiction import Jurisdiction, JurisdictionIndex, read_geojson
from schemas.base import UnitId
from schemas.unit import Member, Unit

FILE_BYTES: Final = 256 * 2**20
KNOWN: Final = "a running service knows within seconds"
UNITS_HELP: Final = """Import units from FILE: CSV in UTF-8, or GeoJSON of places.

\b
Columns, in English or Chinese:
  code*         编号
  name*         名称
  kind*         类型
  jurisdiction  辖区
  lon, lat      经度, 纬度
  moves         移动方式
  capabilities  能力/装备  a;b
  crew          人数
  members       队员       name:tel;name:tel

A unit without lon and lat stands in the middle of its jurisdiction; one without jurisdiction
belongs to the smallest that holds its place. Where crew is more than the members named, nameless
ones (队员 1) fill it up.
"""


@click.group("import")
def import_() -> None:
    """Jurisdictions, units and roads from files.

    All or nothing; every bad line is listed with its reason. A second import of the same file
    changes nothing, and nothing is ever removed.
    """


import_.add_command(roads)


def _file_and_datum(command: Callable[..., Any]) -> Callable[..., Any]:
    """Take the two facts every import needs; without its datum a position means nothing."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    datum = click.Choice([each.value for each in Datum])
    command = click.option(
        "--datum", required=True, type=datum, help="What the file's positions are measured in."
    )(command)
    return click.argument("file", type=file)(command)


@import_.command("jurisdictions")
@_file_and_datum
@database.options
def jurisdictions(settings: Settings, file: Path, datum: str) -> None:
    """Import the five-level tree from FILE, GeoJSON.

    Each feature is a Polygon or MultiPolygon with the properties path (gz.huangpu.xiagang) and
    name; the parent of every path is in the same file.
    """
    database.require_room(settings)
    found = _read_jurisdictions(_bytes(file), Datum(datum))
    touched = database.run(_put_jurisdictions(settings, found))
    if not touched:
        click.echo(f"nothing changed: all {len(found)} jurisdictions stand as in the file")
        return
    click.echo(f"{touched} of {len(found)} jurisdictions added or changed; {KNOWN}")


@import_.command("units", help=UNITS_HELP)
@click.option("--skip-bad", is_flag=True, help="Import the good rows, and list the bad ones.")
@_file_and_datum
@database.options
def units(settings: Settings, file: Path, datum: str, *, skip_bad: bool) -> None:
    """Import units, as UNITS_HELP tells."""
    if file.suffix.lower() not in READERS:
        raise click.BadParameter(
            f"{file.name!r} ends in none of {', '.join(READERS)}", param_hint="FILE"
        )
    database.require_room(settings)
    reading = _read_units(file)
    if reading.unused:
        click.echo(f"headings not used: {heading_text(reading.unused)}", err=True)
    done = database.run(_import_units(settings, reading, Datum(datum), skip_bad=skip_bad))
    click.echo(done.sentence)


class Imported(NamedTuple):
    """What an import of units changed."""

    units: int
    added: int
    changed: int
    members: int

    @property
    def sentence(self) -> str:
        """Say it."""
        if not self.added + self.changed + self.members:
            return f"nothing changed: all {self.units} units stand as in the file"
        return (
            f"{self.units} units: {self.added} added, {self.changed} changed; "
            f"{self.members} members added or changed; {KNOWN}"
        )


# Reading. ------------------------------------------------------------------------------------


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES + 1)
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error
    if len(data) > FILE_BYTES:
        raise Failure(f"{file} is larger than {FILE_BYTES >> 20} MiB: import it in parts")
    return data


def _read_jurisdictions(data: bytes, datum: Datum) -> list[Jurisdiction]:
    try:
        found = read_geojson(data, datum)
    except BadGeoJsonError as error:
        raise _refusal(error.bad) from error
    bad = [
        BadFeatureError(number, "name", f"not 1 to {NAME_CHARS} printable characters")
        for number, each in enumerate(found, start=1)
        if not is_plain(each.name, NAME_CHARS)
    ]
    if bad:
        raise _refusal(bad)
    return found


def _refusal(bad: Sequence[BadFeatureError]) -> Failure:
    _list(bad)
    return Failure(f"{len(bad)} bad features, nothing was imported")


def _list(bad: Iterable[object]) -> None:
    for each in bad:
        click.echo(str(each), err=True)


def _read_units(file: Path) -> Reading:
    try:
        return units_file.read(file.name, _bytes(file))
    except BadFileError as error:
        raise Failure(f"{file}: {error}; nothing was imported") from error


# Writing. ------------------------------------------------------------------------------------


async def _put_jurisdictions(settings: Settings, found: Sequence[Jurisdiction]) -> int:
    async with database.registered(settings) as registry, registry.transaction():
        return sum([await registry.put_jurisdictions(s) for s in steps(found, "jurisdictions")])


async def _import_units(
    settings: Settings, reading: Reading, datum: Datum, *, skip_bad: bool
) -> Imported:
    async with database.registered(settings) as registry:
        placed = await _place_units(registry, reading, datum, skip_bad=skip_bad)
        async with registry.transaction():
            done = await _put_units(registry, placed)
        if done.added + done.changed + done.members:
            await registry.analyze()
    return done


async def _place_units(
    registry: Registry, reading: Reading, datum: Datum, *, skip_bad: bool
) -> list[PlacedUnit]:
    """Return what is to be imported, after everything bad about the file was listed.

    Raises:
        Failure: something is bad and was not to be skipped, or nothing is good.
    """
    index = JurisdictionIndex(await registry.jurisdictions())
    if not len(index):
        raise Failure("there are no jurisdictions yet: `kapok import jurisdictions` comes first")
    placed, nowhere = Places(index).put(reading.units, datum)
    bad = sorted([*reading.bad, *nowhere], key=_number)
    _list(bad)
    if not placed:
        raise NothingGood(f"no good rows, {faulty(bad)} bad; nothing was imported")
    if bad and not skip_bad:
        raise Failure(
            f"{faulty(bad)} bad rows, {len(placed)} good; nothing was imported "
            "(--skip-bad imports the good ones)"
        )
    if bad:
        click.echo(f"{faulty(bad)} bad rows skipped", err=True)
    return placed


def _number(bad: BadField) -> int:
    return int(bad.where.rpartition(" ")[2])


async def _put_units(registry: Registry, placed: Sequence[PlacedUnit]) -> Imported:
    new_id = SystemClock().new_id
    ids = await registry.unit_ids()
    known = by_unit(await registry.members())
    units = [_unit(each, ids.get(each.given.code) or UnitId(new_id())) for each in placed]
    members: list[Member] = []
    for each, unit in zip(placed, units, strict=True):
        members += roster(unit.id, each.given, known.get(unit.id, ()), new_id)
    changes = [await registry.put_units(some) for some in steps(units, "units")]
    touched = [await registry.put_members(some) for some in steps(members, "members")]
    return Imported(
        units=len(units),
        added=sum(each.added for each in changes),
        changed=sum(each.changed for each in changes),
        members=sum(touched),
    )


def _unit(placed: PlacedUnit, unit_id: UnitId) -> Unit:
    given = placed.given
    return Unit(
        id=unit_id,
        code=given.code,
        name=given.name,
        kind=given.kind,
        juris=placed.juris,
        lon=placed.home.lon,
        lat=placed.home.lat,
        moves=given.moves,
        capabilities=given.capabilities,
    )
