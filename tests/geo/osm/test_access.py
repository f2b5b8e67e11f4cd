"""Access tags: the most specific one that says anything decides."""

import pytest

from geo.osm.access import BACKWARD, FORWARD, Access, own, told
from geo.roads.travel import TRAVELS, Travel

Y, N, P, U = Access.OPEN, Access.CLOSED, Access.PUSHED, Access.UNTOLD

# Tags, and what they say to foot, bicycle, motorbike and car.
TABLE = [
    ({}, (U, U, U, U)),
    ({"access": "no"}, (N, N, N, N)),
    ({"access": "private"}, (N, N, N, N)),
    ({"access": "yes"}, (U, U, U, U)),
    ({"access": "destination"}, (U, U, U, U)),
    ({"access": "no", "foot": "yes"}, (Y, N, N, N)),
    ({"access": "private", "foot": "permissive", "bicycle": "yes"}, (Y, Y, N, N)),
    ({"vehicle": "no"}, (U, N, N, N)),
    ({"vehicle": "no", "bicycle": "designated"}, (U, Y, N, N)),
    ({"motor_vehicle": "no"}, (U, U, N, N)),
    ({"motor_vehicle": "destination"}, (U, U, Y, Y)),
    ({"motor_vehicle": "yes", "motorcycle": "no"}, (U, U, N, Y)),
    ({"motor_vehicle": "no", "motorcar": "customers"}, (U, U, N, Y)),
    ({"motor_vehicle": "agricultural"}, (U, U, N, N)),
    ({"bicycle": "dismount"}, (U, P, U, U)),
    ({"bicycle": "use_sidepath", "foot": "use_sidepath"}, (N, N, U, U)),
    ({"access": "permit"}, (N, N, N, N)),
    ({"access": "no", "vehicle": "delivery"}, (N, Y, Y, Y)),
    ({"access": "unheard of"}, (U, U, U, U)),
    ({"vehicle": "no", "motorcar": "unheard of"}, (U, N, N, N)),
]


@pytest.mark.parametrize(("tags", "meaning"), TABLE, ids=str)
def test_tags_say_to_each_travel(tags: dict[str, str], meaning: tuple[Access, ...]) -> None:
    """Row by row of the table."""
    assert tuple(told(tags, travel) for travel in TRAVELS) == meaning


def test_a_direction_may_have_tags_of_its_own() -> None:
    """They come before those of both directions, key by key."""
    tags = {"motor_vehicle:backward": "no", "bicycle:forward": "yes", "bicycle": "no"}
    assert told(tags, Travel.CAR, BACKWARD) is N
    assert told(tags, Travel.CAR, FORWARD) is U
    assert told(tags, Travel.BICYCLE, FORWARD) is Y
    assert told(tags, Travel.BICYCLE, BACKWARD) is N


def test_own_keys_leave_the_general_one_aside() -> None:
    """What is private to all says nothing of one travel's own."""
    assert own({"access": "private"}, Travel.CAR) is U
    assert own({"access": "private", "motorcar": "yes"}, Travel.CAR) is Y
