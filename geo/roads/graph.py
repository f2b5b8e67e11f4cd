"""The road graph: junctions, the segments between them, and what searches and snaps read.

The rules that all its readers lean on:

- A segment is a stretch of road between two junctions. It has one class, and each travel gets
  along it at one pace in each direction: its seconds are in proportion to its metres.
- No segment begins and ends at the same junction; two junctions may have several between them.
- A gate or a bollard is a segment of no length: open to those who pass it, closed to the others.
  It is in no cell, so nobody is ever snapped to it.
- Arrays may be read-only maps of a file. Nobody writes into them.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.point import Box

E7: Final = 10_000_000
"""Units of a degree: positions are kept to a centimetre."""
CELL_E7: Final = 20_000
"""The side of a cell of the snap index, both ways: 222 m of latitude."""

Numbers = NDArray[np.int32]
Singles = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class Grid(NamedTuple):
    """The cells of the snap index, row by row from the south-west."""

    west_e7: int
    south_e7: int
    columns: int
    rows: int


@dataclass(frozen=True)
class About:
    """Where a graph comes from, and what was made of it."""

    source: str
    """The name of the extract, or of the city it was drawn for."""
    sha256: str
    """Of the extract, in hex; of nothing where there is no file: ''."""
    osm_timestamp: str
    """When the map was taken, ISO 8601 in UTC; '' where that is not known."""
    box: Box
    """All that lies in it."""
    ways: int
    nodes: int
    junctions: int
    segments: int
    km: tuple[float, ...]
    """Kilometres of road open to each travel."""
    main_share: tuple[float, ...]
    """The share of those that hang together, one way or another, both ways."""


@dataclass(frozen=True, eq=False)
class RoadGraph:
    """n junctions (nodes), m segments, v vertices of their shapes, k arcs; seconds by travel."""

    node_lon: Numbers
    """n, in 1e-7 degrees, as all positions here."""
    node_lat: Numbers
    segment_a: Numbers
    """m junctions the segments begin at."""
    segment_b: Numbers
    segment_m: Singles
    segment_class: Bytes
    """m indexes of `CLASSES`."""
    segment_main: Bytes
    """m masks; bit t is set where travel t may use the segment and gets there and back: both
    ends lie in its largest strongly connected component."""
    segment_s: Singles
    """4 x 2 x m seconds of a whole segment, by travel and direction (a to b, b to a); inf where
    closed."""
    shape_first: Numbers
    """m + 1 indexes; the vertices of segment s are `shape_first[s]:shape_first[s + 1]`."""
    shape_lon: Numbers
    """v, both ends included."""
    shape_lat: Numbers
    shape_m: Singles
    """v metres from the segment's start."""
    arc_first: Numbers
    """n + 1 indexes; the ways INTO node x are `arc_first[x]:arc_first[x + 1]`, all of them that
    any travel may take."""
    arc_from: Numbers
    """k nodes one comes from."""
    arc_segment: Numbers
    arc_s: Singles
    """4 x k seconds from there to x, inf where closed."""
    cell_first: Numbers
    """rows x columns + 1 indexes into the two below."""
    cell_piece: Numbers
    """Straight stretches between two vertices, each by the index of its first, listed in every
    cell that its bounding box touches."""
    cell_segment: Numbers
    grid: Grid
    about: About

    @property
    def nodes(self) -> int:
        """How many junctions there are."""
        return len(self.node_lon)

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self.segment_a)
