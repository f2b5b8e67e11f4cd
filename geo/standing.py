"""Where units stand, as a model of arrival times keeps it: put, and reached from a place."""

from enum import StrEnum
from math import nan
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from geo.point import Floats, Point

Rows = NDArray[np.int64]
# A way of moving is written into arrays as its index in `geo.eta.MOVES`.
MoveCodes = NDArray[np.uint8]


class Quality(StrEnum):
    """What an ETA was reckoned from; answers of two qualities are never ranked together."""

    NETWORK = "network"
    STRAIGHT_LINE = "straight_line"


class Reach(NamedTuple):
    """Ways to one place, all of one quality; inf for both numbers beyond the limit."""

    eta_s: Floats
    distance_m: Floats
    quality: Quality = Quality.STRAIGHT_LINE


class Courses(NamedTuple):
    """Where some head (degrees from north) and how fast (m/s); NaN where that is not known."""

    headings_deg: Floats
    speeds_mps: Floats


class Standings(Protocol):
    """The places of units by row, kept so that all who reach a place are found in one search."""

    def put(
        self,
        row: int,
        lon: float,
        lat: float,
        moves: int,
        heading_deg: float = nan,
        speed_mps: float = nan,
    ) -> None:
        """Let a row stand at a place; at one that is none (NaN) nobody finds it.

        `moves` is an index of `MOVES`; heading (clockwise from north) and speed where known.
        """
        ...  # pragma: no cover - a protocol has no body

    def put_many(
        self, rows: Rows, lons: Floats, lats: Floats, moves: MoveCodes, ways: Courses
    ) -> None:
        """Do the same for many rows, each named once, with the headings and speeds of `ways`."""
        ...  # pragma: no cover - a protocol has no body

    def remove(self, row: int) -> None:
        """Let a row stand nowhere."""
        ...  # pragma: no cover - a protocol has no body

    def settle(self) -> int:
        """Work off what was put since; return how many. A search does it by itself."""
        ...  # pragma: no cover - a protocol has no body

    def reach(self, target: Point, limit_s: float) -> tuple[Rows, Reach]:
        """Return who can be at a place within the limit, in no order, and their ways to it."""
        ...  # pragma: no cover - a protocol has no body
