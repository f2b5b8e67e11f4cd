"""The classes of roads, who may be on each, and how fast one really gets along.

Everything that says what a class of road means stands here. Speeds are those of a whole way
through a city, not of a free stretch:

- On foot 1.4 m/s and by bicycle 4.5 m/s, what the straight-line model takes (`geo.eta.PACES`), so
  that answers with and without roads differ by the way and not by the rider. Stairs halve a
  walker's pace; where riders share the way with walkers they ride at 10 km/h or less.
- Motorbikes and cars get along at a share of the limit. Lights, junctions, turning and parked
  vehicles take the rest: reports on Chinese cities put the average between 20 and 35 km/h where
  limits are 40 to 60. Motorways have no lights (0.8), trunk roads few (0.65), city streets many
  (0.5 to 0.55); small streets are so slow by their limit that little is lost (0.6 to 0.7).
  A motorbike passes what stands in a queue, so its share is a tenth more on streets with lights.
  The mean over a city's streets then comes near the 30 km/h (8.3 m/s) of the straight-line model.
- A limit that is written on the map replaces the usual one of the class, and is shared the same
  way. Nothing goes faster than its travel does anywhere (`TOP_KMH`).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.eta import PACES, Moves
from geo.roads.travel import TRAVELS, Travel

MPS_OF_KMH: Final = 1.0 / 3.6

WALK_KMH: Final = PACES[Moves.FOOT].speed_mps / MPS_OF_KMH
RIDE_KMH: Final = PACES[Moves.BICYCLE].speed_mps / MPS_OF_KMH
STEPS_KMH: Final = WALK_KMH / 2

TOP_KMH: Final[dict[Travel, float]] = {
    Travel.FOOT: WALK_KMH,
    Travel.BICYCLE: RIDE_KMH,
    # Guards ride small motorbikes.
    Travel.MOTORBIKE: 70.0,
    Travel.CAR: 100.0,
}


class RoadClass(NamedTuple):
    """What one class of road is to each travel."""

    name: str
    open_to: frozenset[Travel]
    """Who may use it where no tag says otherwise."""
    limit_kmh: float
    """What may be driven where no tag says otherwise."""
    motorbike_share: float
    car_share: float
    ride_kmh: float = RIDE_KMH
    walk_kmh: float = WALK_KMH

    def mps(self, travel: Travel, limit_kmh: float | None = None) -> float:
        """Return how fast the travel gets along, in metres per second, open or not."""
        limit = self.limit_kmh if limit_kmh is None else limit_kmh
        kmh = {
            Travel.FOOT: self.walk_kmh,
            Travel.BICYCLE: min(self.ride_kmh, limit),
            Travel.MOTORBIKE: limit * self.motorbike_share,
            Travel.CAR: limit * self.car_share,
        }[travel]
        return min(kmh, TOP_KMH[travel]) * MPS_OF_KMH


ALL: Final = frozenset(TRAVELS)
MOTORS: Final = frozenset({Travel.MOTORBIKE, Travel.CAR})
MUSCLES: Final = frozenset({Travel.FOOT, Travel.BICYCLE})
WALKERS: Final = frozenset({Travel.FOOT})
NOBODY: Final[frozenset[Travel]] = frozenset()

CLASSES: Final[tuple[RoadClass, ...]] = (
    RoadClass("motorway", MOTORS, 100, 0.80, 0.80),
    RoadClass("motorway_link", MOTORS, 60, 0.70, 0.70),
    RoadClass("trunk", ALL, 80, 0.65, 0.65),
    RoadClass("trunk_link", ALL, 50, 0.60, 0.60),
    RoadClass("primary", ALL, 60, 0.60, 0.55),
    RoadClass("primary_link", ALL, 40, 0.60, 0.55),
    RoadClass("secondary", ALL, 50, 0.60, 0.55),
    RoadClass("secondary_link", ALL, 40, 0.60, 0.55),
    RoadClass("tertiary", ALL, 40, 0.66, 0.60),
    RoadClass("tertiary_link", ALL, 30, 0.66, 0.60),
    RoadClass("unclassified", ALL, 40, 0.66, 0.60),
    RoadClass("residential", ALL, 30, 0.70, 0.65),
    RoadClass("living_street", ALL, 20, 0.70, 0.65, ride_kmh=12),
    RoadClass("service", ALL, 20, 0.70, 0.65),
    RoadClass("track", ALL, 20, 0.70, 0.65, ride_kmh=12),
    RoadClass("busway", NOBODY, 50, 0.60, 0.55),
    RoadClass("cycleway", MUSCLES, 20, 0.70, 0.50),
    RoadClass("path", MUSCLES, 15, 0.70, 0.50, ride_kmh=10),
    RoadClass("pedestrian", WALKERS, 15, 0.70, 0.50, ride_kmh=10),
    RoadClass("bridleway", WALKERS, 15, 0.70, 0.50, ride_kmh=10),
    RoadClass("footway", WALKERS, 15, 0.70, 0.50, ride_kmh=10),
    RoadClass("corridor", WALKERS, 5, 0.70, 0.50, ride_kmh=5),
    RoadClass("steps", WALKERS, 5, 0.50, 0.50, walk_kmh=STEPS_KMH),
)
CLASS_OF: Final[dict[str, int]] = {each.name: code for code, each in enumerate(CLASSES)}


def usual_mps() -> NDArray[np.float32]:
    """Return metres per second, 4 x classes, where no tag says anything; 0 = closed."""
    rows = [
        [each.mps(travel) if travel in each.open_to else 0.0 for each in CLASSES]
        for travel in TRAVELS
    ]
    return np.array(rows, dtype=np.float32)
