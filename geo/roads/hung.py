"""Units hung on segments: for each travel, the rows of a segment as a linked list in arrays."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from geo.compiled import COMPILED, Array, compiled, handed
from geo.point import Floats
from geo.standing import Rows

NOWHERE: Final = -1


@compiled
def hang(
    rows: Array,
    segments: Array,
    head: Array,
    before: Array,
    behind: Array,
    segment: Array,
) -> None:
    """Take rows from the segments they hang on, and hang them on others; -1 is none."""
    for i in range(len(rows)):
        row = rows[i]
        left = segment[row]
        if left == segments[i]:
            continue
        if left >= 0:
            if before[row] >= 0:
                behind[before[row]] = behind[row]
            else:
                head[left] = behind[row]
            if behind[row] >= 0:
                before[behind[row]] = before[row]
        segment[row] = segments[i]
        before[row] = -1
        behind[row] = -1
        if segments[i] >= 0:
            first = head[segments[i]]
            behind[row] = first
            if first >= 0:
                before[first] = row
            head[segments[i]] = row


class Hung:
    """Rows by travel and segment; each row hangs on one segment of one travel, or on none."""

    def __init__(self, segments: int, travels: int, *, compiled: bool = COMPILED) -> None:
        self._compiled = compiled
        self._kernel = hang.text(compiled=compiled)
        self._heads: list[Any] = [None] * travels
        self._segments = segments
        self.room = 0
        self._count = [0] * travels
        self.travel = np.zeros(0, np.uint8)
        self.segment = np.zeros(0, np.int32)
        self.along, self.off_s = np.zeros(0), np.zeros(0)
        self.turn_a_s, self.turn_b_s = np.zeros(0), np.zeros(0)
        self._before, self._behind = np.zeros(0, np.int32), np.zeros(0, np.int32)
        self.make_room(1)

    def make_room(self, rows: int) -> None:
        """Have room for so many rows at least."""
        if rows <= self.room:
            return
        more = max(rows, 2 * self.room) - self.room
        self.room += more
        self.travel = np.append(self.travel, np.zeros(more, np.uint8))
        self.along, self.off_s = (np.append(a, np.zeros(more)) for a in (self.along, self.off_s))
        self.turn_a_s = np.append(self.turn_a_s, np.zeros(more))
        self.turn_b_s = np.append(self.turn_b_s, np.zeros(more))
        none = np.full(more, NOWHERE, np.int32)
        self.segment = np.append(self.segment, none)
        self._before, self._behind = np.append(self._before, none), np.append(self._behind, none)
        part = (self.along, self.off_s, self.turn_a_s, self.turn_b_s)
        self._links = [self._handed(a) for a in (self._before, self._behind, self.segment)]
        self._read = [self._handed(a) for a in part]

    def travels(self) -> tuple[int, ...]:
        """Return the travels that anybody is hung by."""
        return tuple([travel for travel, count in enumerate(self._count) if count])

    def of(self, travel: int) -> tuple[Any, ...]:
        """Return what a search reads: heads, links, places, seconds to the road, turns."""
        return (self._head(travel), self._links[1], *self._read)

    def _head(self, travel: int) -> Array:
        if self._heads[travel] is None:
            self._heads[travel] = self._handed(np.full(self._segments, NOWHERE, np.int32))
        return self._heads[travel]

    def _handed(self, array: NDArray[Any]) -> Array:
        return handed(array, compiled=self._compiled)

    def hang(
        self,
        travel: int,
        rows: Rows,
        segments: NDArray[np.int32],
        along: Floats,
        off_s: Floats,
        turn_a_s: Floats,
        turn_b_s: Floats,
    ) -> None:
        """Hang rows of one travel on segments; each row once, and each on none or this travel's."""
        self._count[travel] += int(np.count_nonzero(segments >= 0))
        self._count[travel] -= int(np.count_nonzero(self.segment[rows] >= 0))
        self.travel[rows] = travel
        self.along[rows], self.off_s[rows] = along, off_s
        self.turn_a_s[rows], self.turn_b_s[rows] = turn_a_s, turn_b_s
        self._run(travel, rows, segments)

    def take(self, rows: Rows) -> None:
        """Let rows hang nowhere."""
        for travel in range(len(self._heads)):
            part = rows[(self.travel[rows] == travel) & (self.segment[rows] >= 0)]
            if len(part):
                self._count[travel] -= len(part)
                self._run(travel, part, np.full(len(part), NOWHERE, np.int32))

    def on(self, segments: NDArray[np.int32]) -> Rows:
        """Return the rows that hang on some segments, whatever their travel."""
        return np.flatnonzero(np.isin(self.segment, segments)).astype(np.int64)

    def _run(self, travel: int, rows: Rows, segments: NDArray[np.int32]) -> None:
        heads = self._head(travel)
        self._kernel(self._handed(rows), self._handed(segments), heads, *self._links)
