"""Which row of the roads' arrays each way of moving reads."""

from geo.eta import MOVES, Moves
from geo.roads.travel import BICYCLE, CAR, FOOT, MOTORBIKE, TRAVEL_OF, TRAVELS, Travel


def test_every_way_of_moving_travels_somehow() -> None:
    """An e-bike goes where bicycles go."""
    assert {move: TRAVELS[TRAVEL_OF[code]] for code, move in enumerate(MOVES)} == {
        Moves.FOOT: Travel.FOOT,
        Moves.BICYCLE: Travel.BICYCLE,
        Moves.EBIKE: Travel.BICYCLE,
        Moves.MOTORBIKE: Travel.MOTORBIKE,
        Moves.CAR: Travel.CAR,
    }


def test_rows_are_named() -> None:
    """In the order of the enumeration."""
    assert tuple(Travel) == TRAVELS
    assert [TRAVELS[row] for row in (FOOT, BICYCLE, MOTORBIKE, CAR)] == list(Travel)
    assert not TRAVEL_OF.flags.writeable
