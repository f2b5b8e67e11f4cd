"""The snap index: which straight pieces of road touch each cell of a grid."""

from typing import Final, NamedTuple

import numpy as np

from geo.roads.graph import CELL_E7, Grid, Numbers
from geo.roads.pieces import Indexes

CELLS_MOST: Final = 64_000_000
"""A province has 10 million cells, and 256 MB of index are enough for any site."""


class TooWideError(ValueError):
    """The roads lie so far apart that their index would fill the memory."""

    def __init__(self, cells: int) -> None:
        """Keep how many cells it would have."""
        super().__init__(cells)
        self.cells = cells

    def __str__(self) -> str:
        """Say it, and what helps."""
        return (
            f"the roads spread over {self.cells:,} cells of 222 m, more than {CELLS_MOST:,}: "
            "a smaller box is needed"
        )


class Cells(NamedTuple):
    """The arrays of the index, as `RoadGraph` names them."""

    first: Numbers
    piece: Numbers
    segment: Numbers
    grid: Grid


def index(shape_first: Numbers, lon: Numbers, lat: Numbers) -> Cells:
    """Return the index of all pieces that have a length.

    Raises:
        TooWideError: It would have more than `CELLS_MOST` cells.
    """
    grid = _grid(lon, lat)
    piece, segment = _pieces(shape_first, lon, lat)
    west, east = _spans(lon, piece, grid.west_e7)
    south, north = _spans(lat, piece, grid.south_e7)
    wide = east - west + 1
    counts = wide * (north - south + 1)
    entry = np.repeat(np.arange(len(piece)), counts)
    number = np.arange(len(entry)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(number, wide[entry])
    cell = (south[entry] + row) * grid.columns + west[entry] + column
    entry = entry[np.argsort(cell, kind="stable")]
    first = np.zeros(grid.columns * grid.rows + 1, dtype=np.int32)
    np.cumsum(np.bincount(cell, minlength=grid.columns * grid.rows), out=first[1:])
    return Cells(first, piece[entry], segment[entry], grid)


def _grid(lon: Numbers, lat: Numbers) -> Grid:
    if not len(lon):
        return Grid(0, 0, 1, 1)
    columns = (int(lon.max()) - int(lon.min())) // CELL_E7 + 1
    rows = (int(lat.max()) - int(lat.min())) // CELL_E7 + 1
    if columns * rows > CELLS_MOST:
        raise TooWideError(columns * rows)
    return Grid(int(lon.min()), int(lat.min()), columns, rows)


def _pieces(shape_first: Numbers, lon: Numbers, lat: Numbers) -> tuple[Numbers, Numbers]:
    """Return the pieces with a length, by their first vertex, and the segment of each."""
    real = np.zeros(len(lon), dtype=bool)
    real[:-1] = (lon[1:] != lon[:-1]) | (lat[1:] != lat[:-1])
    real[shape_first[1:] - 1] = False
    segments = np.arange(len(shape_first) - 1, dtype=np.int32)
    segment = np.repeat(segments, np.diff(shape_first))
    return np.flatnonzero(real).astype(np.int32), segment[real]


def _spans(along: Numbers, piece: Numbers, start: int) -> tuple[Indexes, Indexes]:
    """Return the first and the last row or column that each piece's bounding box touches."""
    one, other = along[piece].astype(np.intp), along[piece + 1].astype(np.intp)
    low, high = np.minimum(one, other) - start, np.maximum(one, other) - start
    return low // CELL_E7, high // CELL_E7
