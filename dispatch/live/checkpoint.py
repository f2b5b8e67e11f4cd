"""Which positions are worth writing down: of units that moved far enough, or were kept long ago."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatch.core.matching import Bools
from dispatch.live.table import Stayed, Table

MOVED_M: Final = 25.0
KEPT_S: Final = 60.0
DEGREE_M: Final = 111_195.08
"""Of a great circle, by the IUGG mean radius of 6,371,008.8 m."""

_KINDS: Final = np.dtype([("kept_lon", "f8"), ("kept_lat", "f8"), ("kept_s", "f8")])
_KEPT_OF: Final = {"kept_lon": "lon", "kept_lat": "lat", "kept_s": "fix_s"}
"""What was written down last, by the columns it was taken from."""


class Checkpoint:
    """The positions as last written down, by row, and who has had a fix since somebody looked."""

    def __init__(self) -> None:
        self._table = Table(_KINDS, 0)
        self._moved: set[int] = set()

    def __len__(self) -> int:
        """Return how many rows have a fix that was not looked at."""
        return len(self._moved)

    def renew(self, rows: int, stayed: Stayed) -> None:
        """Begin anew with so many rows; all that stayed are to be looked at."""
        before, self._table = self._table, Table(_KINDS, rows)
        self._table.carry(before, _KEPT_OF, stayed)
        self._moved = set(stayed.here.tolist())

    def grow(self) -> None:
        """Add a row at the end of which nothing was written down."""
        self._table.grow()

    def note(self, i: int) -> None:
        """Note that a row has a new fix."""
        self._moved.add(i)

    def forget(self, i: int) -> None:
        """Drop what was written down of a row, and what was to be."""
        for name in _KEPT_OF:
            self._table[name][i] = 0
        self._moved.discard(i)

    def take(self, fixes: Table, most: int) -> NDArray[np.intp]:
        """Return rows worth writing down, in order, and hold them to be written.

        At most so many are looked at; the others are left for the next time.
        """
        looked_at = sorted(self._moved)[:most]
        self._moved.difference_update(looked_at)
        rows = np.array(looked_at, np.intp)
        rows = rows[self._worth(rows, fixes)]
        for kept, now in _KEPT_OF.items():
            self._table[kept][rows] = fixes[now][rows]
        return rows

    def _worth(self, rows: NDArray[np.intp], fixes: Table) -> Bools:
        """Say which moved far enough, on a plane: a tenth of a metre off at `MOVED_M`."""
        lon, lat, fix_s = (fixes[name][rows] for name in ("lon", "lat", "fix_s"))
        kept_lon, kept_lat, kept_s = (self._table[name][rows] for name in _KEPT_OF)
        east = (lon - kept_lon) * np.cos(np.radians(lat))
        moved_m = np.hypot(east, lat - kept_lat) * DEGREE_M
        worth: Bools = (fix_s - kept_s >= KEPT_S) | (moved_m > MOVED_M)
        return worth
