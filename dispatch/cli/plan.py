"""`kapok plan`: where more posts would help most."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from dispatch.cli import asked
from dispatch.cli.asked import Asked
from dispatch.cli.codes import Failure, NothingGood
from dispatch.cli.coverage import RINGS
from dispatch.cli.progress import steps
from geo import planning
from geo.coverage import RINGS_S, Reaching, StraightReaching, uncovered
from geo.datum import Datum, point_to_wgs84
from geo.eta import MOVES, Moves, StraightLine
from geo.planning import GREEDY_SHARE, Choice, Covers, NoSolverError, TooLargeError
from geo.point import Floats, Point
from geo.road_coverage import RoadReaching
from geo.road_eta import RoadNetwork
from geo.roads import file as road_file
from geo.roads.file import BadRoadsError
from geo.roads.travel import TRAVELS, Travel

POSTS_MOST: Final = 1000


class Site(NamedTuple):
    """Where a post could be."""

    name: str
    lon: float
    lat: float


@click.command("plan")
@asked.options
@click.option(
    "--posts",
    type=click.IntRange(1, POSTS_MOST),
    required=True,
    help="How many posts there may be more.",
)
@click.option(
    "--travel",
    type=click.Choice([t.value for t in TRAVELS]),
    default=Travel.MOTORBIKE.value,
    show_default=True,
    help="How a unit of such a post moves.",
)
@click.option(
    "--ring",
    type=click.Choice(RINGS),
    default=RINGS[0],
    show_default=True,
    help="Within how many seconds.",
)
@click.option(
    "--roads",
    envvar="KAPOK_ROADS",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Roads, as `kapok import roads` made them.  [default: as the crow flies]",
)
@click.option(
    "--sites",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Where posts could be: CSV with lon,lat and perhaps name.  [default: every grid]",
)
@click.option(
    "--datum",
    type=click.Choice([d.value for d in Datum]),
    default=Datum.WGS84.value,
    show_default=True,
    help="The datum of --sites.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="The best choice there is, not one nearly as good; small cases only.",
)
@click.option(
    "--within",
    "within_s",
    type=click.FloatRange(0.0, 3600.0),
    default=planning.EXACT_WITHIN_S,
    show_default=True,
    help="Seconds that --exact may take.",
)
@click.option(
    "--geojson",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the posts to this file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    url: str,
    key: str,
    jurisdiction: str | None,
    weights: Path | None,
    posts: int,
    travel: str,
    ring: str,
    roads: Path | None,
    sites: Path | None,
    datum: str,
    exact: bool,
    within_s: float,
    geojson: Path | None,
    as_json: bool,
) -> None:
    """Choose posts from which most of the grids that nobody reaches now would be reached.

    One after the other, each where it adds most: at least 63 % (1 - 1/e) of what the best choice
    would cover, and a bound is told. Roads are taken as the file has them: nothing closed, and as
    fast as usual.
    """
    with Asked(url, key) as service:
        grids = service.grids(jurisdiction)
    counted = asked.read_weights(weights, [grid.properties.jurisdiction for grid in grids])
    lons, lats = asked.places(grids)
    bare = uncovered(counted, asked.covered(grids)[RINGS.index(ring)])
    bare = bare[counted[bare] > 0.0]
    if not len(bare):
        raise NothingGood(f"every grid that counts has somebody within {ring} s")
    names = [grid.properties.jurisdiction for grid in grids]
    own = [Site(*row) for row in zip(names, lons.tolist(), lats.tolist(), strict=True)]
    candidates = own if sites is None else list(read_sites(sites, Datum(datum)))
    reaching = _reaching(roads, lons[bare], lats[bare])
    limit_s = RINGS_S[RINGS.index(ring)]
    covers = Covers(covered_by(reaching, candidates, Moves(travel), limit_s), counted[bare])
    choice = _chosen(covers, posts, within_s if exact else None)
    told = Told([candidates[site] for site in choice.sites], choice, float(counted[bare].sum()))
    if geojson is not None:
        geojson.write_bytes(msgspec.json.encode(told.features()))
    if as_json:
        click.echo(msgspec.json.encode(told.record()))
        return
    console = Console(soft_wrap=True, highlight=False)
    for part in told.rendered(ring, exact=exact, by_road=roads is not None):
        console.print(part)


def read_sites(file: Path, datum: Datum) -> Iterator[Site]:
    """Yield the sites of a CSV in its order, in WGS-84."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                given = Point(float(row["lon"]), float(row["lat"]))
            except (KeyError, TypeError, ValueError) as error:
                raise Failure(f"{file}, line {number}: expected lon and lat in degrees") from error
            if not given.on_earth:
                raise Failure(f"{file}, line {number}: not a place on the earth")
            yield Site(row.get("name") or f"line {number}", *point_to_wgs84(given, datum))


def _reaching(roads: Path | None, lons: Floats, lats: Floats) -> Reaching:
    if roads is None:
        return StraightReaching(StraightLine(), lons, lats)
    try:
        return RoadReaching(RoadNetwork(road_file.load(roads)), lons, lats)
    except BadRoadsError as error:
        raise Failure(f"{roads}: {error}") from error


def covered_by(
    reaching: Reaching, sites: Sequence[Site], moves: Moves, limit_s: float
) -> list[planning.Numbers]:
    """Return for each site the places a unit of it would be at in time."""
    found: list[planning.Numbers] = []
    for some in steps(sites, "searching from each site"):
        lons, lats = (np.array([site[i] for site in some], np.float64) for i in (1, 2))
        code = np.full(len(some), MOVES.index(moves), np.uint8)
        pairs = reaching.pairs(lons, lats, code, limit_s)
        order = np.argsort(pairs.units, kind="stable")
        ends = np.searchsorted(pairs.units[order], np.arange(1, len(some)))
        found += np.split(pairs.places[order], ends)
    return found


def _chosen(covers: Covers, posts: int, exact_within_s: float | None) -> Choice:
    if exact_within_s is None:
        return planning.greedy(covers, posts)
    try:
        return planning.exact(covers, posts, exact_within_s)
    except (NoSolverError, TooLargeError) as error:
        raise Failure(f"{error}; without --exact the answer is nearly as good") from error


class Told:
    """The posts that were chosen, and what they are worth."""

    def __init__(self, sites: Sequence[Site], choice: Choice, all_: float) -> None:
        self._sites = sites
        self._choice = choice
        self._all = all_

    def features(self) -> dict[str, Any]:
        """Return the posts as GeoJSON, in the order they were chosen."""
        return {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {"rank": rank, "site": site.name, "adds": gain},
                    "geometry": {"type": "Point", "coordinates": [site.lon, site.lat]},
                }
                for rank, site, gain in self._rows()
            ],
        }

    def record(self) -> dict[str, Any]:
        """Return all of it for a machine."""
        choice = self._choice
        return {
            "uncovered": self._all,
            "covered": choice.covered,
            "at_most": choice.at_most,
            "posts": [
                {"rank": rank, "site": site.name, "lon": site.lon, "lat": site.lat, "adds": gain}
                for rank, site, gain in self._rows()
            ],
        }

    def rendered(self, ring: str, *, exact: bool, by_road: bool) -> Iterator[Table | str]:
        """Yield what a person reads."""
        choice, table = self._choice, Table(box=None, pad_edge=False)
        for head in ("post", "site", "place", "adds", "together"):
            table.add_column(head, justify="left" if head in {"site", "place"} else "right")
        together = 0.0
        for rank, site, gain in self._rows():
            together += gain
            place = f"{site.lon:.6f},{site.lat:.6f}"
            table.add_row(f"{rank}", site.name, place, f"{gain:,g}", f"{together / self._all:.1%}")
        if not by_road:
            yield "no roads given: told as the crow flies, which claims too much"
        yield table
        yield (
            f"{choice.covered:,g} of {self._all:,g} that nobody reaches within {ring} s would be "
            f"covered ({choice.covered / self._all:.1%})"
        )
        yield self._bound(exact=exact)

    def _bound(self, *, exact: bool) -> str:
        choice = self._choice
        if choice.at_most <= choice.covered * (1 + 1e-9):
            return "no other choice of as many posts covers more"
        how = (
            "time was up"
            if exact
            else f"chosen one by one, at least {GREEDY_SHARE:.0%} of the best"
        )
        return f"no choice of as many posts covers more than {choice.at_most:,.1f} ({how})"

    def _rows(self) -> Iterator[tuple[int, Site, float]]:
        rows = zip(self._sites, self._choice.gains, strict=True)
        return ((rank, site, gain) for rank, (site, gain) in enumerate(rows, start=1))
