"""How well the phones of all units are heard, by row."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from dispatch.live.table import Stayed, Table
from schemas.unit import Link

_KINDS: Final = np.dtype([("online", "i2"), ("quiet", "i2")])


class Links:
    """How many phones of each unit are connected, and how many of these are not heard in time."""

    def __init__(self) -> None:
        self.table = Table(_KINDS, 0)

    def renew(self, rows: int, stayed: Stayed) -> None:
        """Begin anew with so many rows; phones of those that stayed go on being counted."""
        before, self.table = self.table, Table(_KINDS, rows)
        self.table.carry(before, ("online", "quiet"), stayed)

    def connected(self, i: int, change: int) -> None:
        """Count a phone in (+1) or out (-1)."""
        self.table["online"][i] += change

    def recount(self, phones: Iterable[tuple[int, bool]]) -> None:
        """Count all phones anew, each by its unit's row and whether it is not heard in time."""
        for name in ("online", "quiet"):
            self.table[name][:] = 0
        for i, quiet in phones:
            self.connected(i, +1)
            self.quiet(i, +quiet)

    def quiet(self, i: int, change: int) -> None:
        """Count a connected phone as not heard in time (+1), or as heard again (-1)."""
        self.table["quiet"][i] += change

    def of(self, i: int, *, fresh: bool) -> Link:
        """Return how well a unit is heard whose fix is fresh, or is not."""
        row = self.table.row(i)
        if row["online"] <= 0:
            return Link.OFFLINE
        heard = row["quiet"] < row["online"]
        return Link.ONLINE if heard and fresh else Link.STALE
