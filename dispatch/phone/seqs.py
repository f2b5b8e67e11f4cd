"""A set of seqs as ranges: small, because a stream has few gaps that stay."""

from typing import Final

RANGES_MAX: Final = 1024


class Seqs:
    """A set of seqs as ranges, lowest first.

    Past RANGES_MAX the lowest are cut off: nothing is known up to `cut`.
    """

    __slots__ = ("cut", "ranges")

    def __init__(self) -> None:
        self.ranges: list[list[int]] = []
        self.cut = 0

    def add(self, seq: int) -> None:
        """Add one; nearly always it continues the last range."""
        ranges = self.ranges
        at = len(ranges)
        while at and ranges[at - 1][0] > seq:
            at -= 1
        if at and seq <= ranges[at - 1][1]:
            return
        ranges.insert(at, [seq, seq])
        self._join(at)
        if at:
            self._join(at - 1)
        if len(ranges) > RANGES_MAX:
            self.cut = ranges.pop(0)[1]

    def __contains__(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in reversed(self.ranges))

    def _join(self, at: int) -> None:
        """Make one range of two that touch."""
        ranges = self.ranges
        if at + 1 < len(ranges) and ranges[at][1] + 1 == ranges[at + 1][0]:
            ranges[at][1] = ranges.pop(at + 1)[1]
