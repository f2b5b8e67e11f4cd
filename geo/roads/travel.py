"""The four ways of moving on roads, and which of them each unit takes."""

from enum import StrEnum
from typing import Final

import numpy as np

from geo.eta import MOVES, MoveCodes, Moves


class Travel(StrEnum):
    """A way of moving that roads tell apart; its place in `TRAVELS` is its row of all arrays."""

    FOOT = "foot"
    BICYCLE = "bicycle"
    MOTORBIKE = "motorbike"
    CAR = "car"


TRAVELS: Final[tuple[Travel, ...]] = tuple(Travel)
FOOT, BICYCLE, MOTORBIKE, CAR = range(len(TRAVELS))

_TRAVEL: Final[dict[Moves, Travel]] = {
    Moves.FOOT: Travel.FOOT,
    Moves.BICYCLE: Travel.BICYCLE,
    Moves.EBIKE: Travel.BICYCLE,  # by law it rides where bicycles do
    Moves.MOTORBIKE: Travel.MOTORBIKE,
    Moves.CAR: Travel.CAR,
}
# From a code of `MOVES` to the row of its travel.
TRAVEL_OF: Final[MoveCodes] = np.array(
    [TRAVELS.index(_TRAVEL[move]) for move in MOVES], dtype=np.uint8
)
TRAVEL_OF.setflags(write=False)
