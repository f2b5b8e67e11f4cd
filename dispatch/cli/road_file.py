"""`kapok import roads`: an extract of OpenStreetMap made into the file that searches run on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dispatch.cli.codes import Failure, NothingGood
from dispatch.settings import Settings
from geo import osm
from geo.osm import BadExtractError, NoRoadsError
from geo.point import EARTH, Box
from geo.roads import file as road_file
from geo.roads.build import build
from geo.roads.cells import TooWideError
from geo.roads.graph import About
from geo.roads.travel import TRAVELS

FOLDER: Final = "roads"
"""Where roads are kept, inside the data folder."""
SUFFIX: Final = ".roads"
EXTRACT_SUFFIXES: Final = (".pbf", ".osm", "-latest")


class BoxOption(click.ParamType[Box]):
    """A box as four numbers: west,south,east,north."""

    name = "w,s,e,n"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Box:
        """Return the box; fail on anything else, and on one with nothing in it."""
        try:
            box = Box(*(float(each) for each in str(value).split(",")))
        except (TypeError, ValueError):
            self.fail("four numbers are needed: west,south,east,north in degrees", param, ctx)
        if not (EARTH.west <= box.west < box.east <= EARTH.east):
            self.fail(f"no box runs from {box.west}° to {box.east}° east", param, ctx)
        if not (EARTH.south <= box.south < box.north <= EARTH.north):
            self.fail(f"no box runs from {box.south}° to {box.north}° north", param, ctx)
        return box


@click.command("roads")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--bbox", type=BoxOption(), help="Only what has an end in this box, in degrees.")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: roads/<name of FILE>.roads in the data folder]",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="KAPOK_DATA",
    show_envvar=True,
    default=Settings().data,
    show_default=True,
    help="Data folder.",
)
def roads(file: Path, bbox: Box | None, to: Path | None, data: Path) -> None:
    """Import roads from FILE, an extract of OpenStreetMap (.osm.pbf).

    Foot, bicycle, motorbike and car each get their own seconds for every segment, from access and
    one-way tags, gates, limits and classes. The file that is written is read by all processes; an
    old one is replaced in one step, and stays if anything goes wrong.
    """
    target = to or data / FOLDER / f"{plain_name(file)}{SUFFIX}"
    try:
        about = _import(file, bbox, target)
    except NoRoadsError as error:
        raise NothingGood(str(error)) from error
    except (BadExtractError, TooWideError) as error:
        raise Failure(f"{error}; nothing was imported") from error
    except OSError as error:
        raise Failure(f"{error.filename or target}: {error.strerror}") from error
    click.echo(told(about, target))


def plain_name(file: Path) -> str:
    """Return the name of an extract without what tells its format."""
    name = file.name
    for suffix in EXTRACT_SUFFIXES:
        name = name.removesuffix(suffix)
    return name or "extract"


def _import(file: Path, box: Box | None, target: Path) -> About:
    with _stages() as stages:
        reading = stages.add_task("reading", total=None)
        found = osm.read_extract(file, box, lambda ways: stages.update(reading, completed=ways))
        stages.update(reading, description="joining")
        graph = build(found.ways, found.source)
        stages.update(reading, description="writing")
        target.parent.mkdir(parents=True, exist_ok=True)
        road_file.save(graph, target)
    return graph.about


@contextmanager
def _stages() -> Iterator[Progress]:
    """Show what is being done, on stderr and only to a terminal; gone when it is done."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} roads"),
        TimeElapsedColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        yield progress


def told(about: About, target: Path) -> str:
    """Say what is in the file now."""
    size = target.stat().st_size / 1e6
    taken = f"OSM of {about.osm_timestamp}" if about.osm_timestamp else "of no known date"
    lines = [
        f"{about.source} ({taken}): {about.junctions:,} junctions and {about.segments:,} segments "
        f"in {target}, {size:,.1f} MB",
    ]
    lines += [
        f"  {travel:<9} {km:>9,.0f} km, {share:.1%} of them in one piece"
        for travel, km, share in zip(TRAVELS, about.km, about.main_share, strict=True)
    ]
    return "\n".join(lines)
