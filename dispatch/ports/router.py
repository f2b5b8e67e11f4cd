"""Somebody else's road seconds."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from geo.eta import Moves
from geo.point import Point


class RouterAway(Exception):
    """A router said nothing of use in time; our own reckoning takes its place."""


class Start(NamedTuple):
    """Where a way begins, and how it is gone."""

    place: Point
    moves: Moves


class Leg(NamedTuple):
    """How long a way takes on the road, without turnout, and how far it is; inf: there is none."""

    seconds: float
    metres: float


class Way(NamedTuple):
    """A way on the map, from its start to its end."""

    line: tuple[Point, ...]
    leg: Leg


class Router(Protocol):
    """Somebody else's road seconds. Answers within a fixed time or raises `RouterAway`."""

    @property
    def name(self) -> str: ...
    async def legs(self, place: Point, starts: Sequence[Start]) -> list[Leg]: ...
    async def way(self, start: Start, place: Point) -> Way: ...
