"""Who may stand near a place, found without looking at everybody: rows by cell of a grid."""

from array import array
from collections.abc import Iterator
from math import floor, isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geo.point import Box

CELL_DEGREES: Final = 0.01
"""About a kilometre: a ring of three minutes touches some twenty cells."""
HALF_WAY: Final = round(180 / CELL_DEGREES)
ACROSS: Final = 2 * HALF_WAY + 1
"""Columns of cells, the last for the 180th meridian itself."""
NOWHERE: Final = -(ACROSS**2)
ROW: Final = "q"
"""What numpy calls int64: rows are joined as bytes, without a look at each."""


class Cells:
    """Rows by the cell their place lies in; each row is in one cell, or nowhere."""

    def __init__(self) -> None:
        self._rows: dict[int, array[int]] = {}
        self._cell_of: dict[int, int] = {}

    def put(self, row: int, lon: float, lat: float) -> None:
        """Let a row stand at a place; at one that is none (NaN) nobody finds it."""
        cell = _cell(lon, lat)
        before = self._cell_of.get(row, NOWHERE)
        if cell == before:
            return
        self.remove(row)
        if cell != NOWHERE:
            self._cell_of[row] = cell
            self._rows.setdefault(cell, array(ROW)).append(row)

    def remove(self, row: int) -> None:
        """Let a row stand nowhere."""
        cell = self._cell_of.pop(row, NOWHERE)
        if cell != NOWHERE:
            self._rows[cell].remove(row)
            if not self._rows[cell]:
                del self._rows[cell]

    def near(self, box: Box) -> NDArray[np.int64]:
        """Return all rows in a box, and some of those around it; in no order."""
        if box.crosses_antimeridian:
            west = self.near(box._replace(east=180.0))
            return np.concatenate((west, self.near(box._replace(west=-180.0))))
        bands = range(_step(box.south), _step(box.north) + 1)
        columns = range(_step(box.west) + HALF_WAY, _step(box.east) + HALF_WAY + 1)
        if len(bands) * len(columns) > len(self._rows):
            found = [r for cell, r in self._rows.items() if _inside(cell, bands, columns)]
        else:
            found = [r for band in bands for r in self._band(band * ACROSS, columns) if r]
        return np.frombuffer(b"".join(found), dtype=np.int64)

    def _band(self, first: int, columns: range) -> Iterator["array[int] | None"]:
        return map(self._rows.get, range(first + columns.start, first + columns.stop))


def _cell(lon: float, lat: float) -> int:
    if not (isfinite(lon) and isfinite(lat)):
        return NOWHERE
    return _step(lat) * ACROSS + HALF_WAY + _step(lon)


def _step(degrees: float) -> int:
    return floor(degrees / CELL_DEGREES)


def _inside(cell: int, bands: range, columns: range) -> bool:
    band, column = divmod(cell, ACROSS)
    return band in bands and column in columns
