"""`kapok coverage`: how well a city is covered now, and which of its grids are not."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from dispatch.cli import asked
from dispatch.cli.asked import Asked
from geo.coverage import RINGS_S, Part, parts, uncovered
from geo.jurisdiction import Level
from geo.point import Floats
from schemas.coverage import CoverageView, GridFeature

RINGS: Final = [f"{ring_s:.0f}" for ring_s in RINGS_S]
MOST: Final = 10


@click.command("coverage")
@asked.options
@click.option(
    "--level",
    type=click.IntRange(Level.CITY, Level.GRID),
    help="How deep the parts lie: 2 districts, 3 streets …",
)
@click.option(
    "--ring",
    type=click.Choice(RINGS),
    default=RINGS[0],
    show_default=True,
    help="Which grids are listed: those with nobody within so many seconds.",
)
@click.option(
    "--most",
    type=click.IntRange(0),
    default=MOST,
    show_default=True,
    help="How many of them are listed.",
)
@click.option(
    "--geojson",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all grids to this file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def coverage(
    url: str,
    key: str,
    jurisdiction: str | None,
    weights: Path | None,
    level: int | None,
    ring: str,
    most: int,
    geojson: Path | None,
    as_json: bool,
) -> None:
    """Tell how many grids a free unit can reach in 3 and 5 minutes, and which have none.

    Asks a running service, which knows who is free and where. Grids count alike unless --weights
    says otherwise: how many people live in one is not known to it.
    """
    with Asked(url, key) as service:
        view = service.coverage(jurisdiction, level)
        grids = service.grids(jurisdiction)
    counted = asked.read_weights(weights, [grid.properties.jurisdiction for grid in grids])
    if geojson is not None:
        write(geojson, grids, counted)
    told = Told(view, grids, counted, RINGS.index(ring))
    if as_json:
        click.echo(msgspec.json.encode(told.record(most)))
        return
    console = Console(soft_wrap=True, highlight=False)
    for part in told.rendered(most):
        console.print(part)


class Told:
    """One answer of the service, weighed."""

    def __init__(
        self, view: CoverageView, grids: Sequence[GridFeature], weights: Floats, ring: int
    ) -> None:
        self._view = view
        self._grids = list(grids)
        self._weights = weights
        self._ring = ring
        self._covered = asked.covered(self._grids)
        self._paths = [grid.properties.jurisdiction for grid in self._grids]

    def parts(self) -> list[tuple[str, Part]]:
        """Return name and sums of each part, the whole last."""
        names = {part.jurisdiction: part.name for part in (*self._view.parts, self._view.total)}
        whole = self._view.total.jurisdiction
        depths = {path.count(".") + 1 for path in names} - {whole.count(".") + 1}
        levels = [*sorted(depths), whole.count(".") + 1]
        found = [
            p for level in levels for p in parts(self._paths, self._weights, self._covered, level)
        ]
        return [(names.get(part.path, ""), part) for part in found]

    def bare(self) -> list[GridFeature]:
        """Return the grids with nobody within the ring, those that count most first."""
        rows = uncovered(self._weights, self._covered[self._ring])
        return [self._grids[row] for row in rows.tolist() if self._weights[row] > 0.0]

    def record(self, most: int) -> dict[str, Any]:
        """Return all of it for a machine."""
        view, bare = self._view, self.bare()
        return {
            "at": view.at,
            "age_s": view.age_s,
            "quality": view.quality,
            "free_units": view.free_units,
            "pending": view.pending,
            "parts": [{"name": name, **part._asdict()} for name, part in self.parts()],
            "uncovered": len(bare),
            "listed": [grid.properties for grid in bare[:most]],
        }

    def rendered(self, most: int) -> Iterator[Table | str]:
        """Yield what a person reads."""
        view, bare = self._view, self.bare()
        yield (
            f"{view.free_units:,} free units, {len(self._grids):,} grids, {view.quality} "
            f"({view.age_s:.0f} s old)"
        )
        if view.pending:
            yield f"{view.pending:,} units that moved still count where they stood: ask again"
        if 0 < view.straight_line_grids < len(self._grids):
            yield f"{view.straight_line_grids:,} grids have no road near: told as the crow flies"
        yield self._table()
        yield f"{len(bare):,} grids have nobody within {RINGS[self._ring]} s"
        for grid in bare[:most]:
            lon, lat = grid.geometry["coordinates"]
            yield f"  {grid.properties.jurisdiction}  {lon:.6f},{lat:.6f}"

    def _table(self) -> Table:
        table = Table("jurisdiction", "name", box=None, pad_edge=False)
        for head in (
            "grids",
            *(f"within {r} s" for r in RINGS),
            *(f"sure in {r} s" for r in RINGS),
        ):
            table.add_column(head, justify="right")
        for name, part in self.parts():
            shares = [_share(part, each) for each in (*part.within, *part.sure)]
            table.add_row(part.path, name, f"{part.places:,}", *shares)
        return table


def write(file: Path, grids: Sequence[GridFeature], weights: Floats) -> None:
    """Write grids as GeoJSON, each with its weight."""
    features = [
        {
            "type": "Feature",
            "properties": {**msgspec.structs.asdict(grid.properties), "weight": weight},
            "geometry": grid.geometry,
        }
        for grid, weight in zip(grids, np.asarray(weights).tolist(), strict=True)
    ]
    file.write_bytes(msgspec.json.encode({"type": "FeatureCollection", "features": features}))


def _share(part: Part, sum_: float) -> str:
    return f"{sum_ / part.weight:.1%}" if part.weight else "-"
