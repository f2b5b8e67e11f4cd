"""One-ways, and who is not bound by them."""

import pytest

from geo.osm.oneway import AGAINST, ALONG, BOTH, NEITHER, Directions, directions
from geo.roads.travel import TRAVELS

ONE_WAY = {"highway": "residential", "oneway": "yes"}

# Tags, and the directions of foot, bicycle, motorbike and car.
TABLE = [
    ({}, (BOTH, BOTH, BOTH, BOTH)),
    (ONE_WAY, (BOTH, ALONG, ALONG, ALONG)),
    ({"oneway": "1"}, (BOTH, ALONG, ALONG, ALONG)),
    ({"oneway": "-1"}, (BOTH, AGAINST, AGAINST, AGAINST)),
    ({"oneway": "no"}, (BOTH, BOTH, BOTH, BOTH)),
    ({"oneway": "alternating"}, (BOTH, BOTH, BOTH, BOTH)),
    ({"oneway": "reversible"}, (BOTH, NEITHER, NEITHER, NEITHER)),
    ({"oneway": "unheard of"}, (BOTH, BOTH, BOTH, BOTH)),
    ({"highway": "motorway"}, (BOTH, ALONG, ALONG, ALONG)),
    ({"highway": "motorway", "oneway": "no"}, (BOTH, BOTH, BOTH, BOTH)),
    ({"highway": "motorway_link"}, (BOTH, BOTH, BOTH, BOTH)),
    ({"junction": "roundabout"}, (BOTH, ALONG, ALONG, ALONG)),
    ({"junction": "circular"}, (BOTH, ALONG, ALONG, ALONG)),
    (ONE_WAY | {"oneway:bicycle": "no"}, (BOTH, BOTH, ALONG, ALONG)),
    (ONE_WAY | {"oneway:bicycle": "-1"}, (BOTH, AGAINST, ALONG, ALONG)),
    ({"oneway:bicycle": "yes"}, (BOTH, ALONG, BOTH, BOTH)),
    (ONE_WAY | {"oneway:motorcycle": "no"}, (BOTH, ALONG, BOTH, ALONG)),
    (ONE_WAY | {"oneway:motor_vehicle": "no"}, (BOTH, ALONG, BOTH, BOTH)),
    (ONE_WAY | {"cycleway": "opposite"}, (BOTH, BOTH, ALONG, ALONG)),
    (ONE_WAY | {"cycleway": "opposite_lane"}, (BOTH, BOTH, ALONG, ALONG)),
    (ONE_WAY | {"cycleway:left": "opposite_track"}, (BOTH, BOTH, ALONG, ALONG)),
    (ONE_WAY | {"cycleway:left": "lane"}, (BOTH, ALONG, ALONG, ALONG)),
    (ONE_WAY | {"cycleway:left:oneway": "-1"}, (BOTH, BOTH, ALONG, ALONG)),
    (ONE_WAY | {"cycleway:both:oneway": "no"}, (BOTH, BOTH, ALONG, ALONG)),
    ({"oneway": "-1", "cycleway": "opposite"}, (BOTH, BOTH, AGAINST, AGAINST)),
    ({"oneway": "reversible", "cycleway": "opposite"}, (BOTH, NEITHER, NEITHER, NEITHER)),
    (ONE_WAY | {"oneway:foot": "yes"}, (ALONG, ALONG, ALONG, ALONG)),
    ({"highway": "steps", "conveying": "backward"}, (AGAINST, BOTH, BOTH, BOTH)),
    ({"highway": "steps", "conveying": "yes"}, (BOTH, BOTH, BOTH, BOTH)),
]


@pytest.mark.parametrize(("tags", "expected"), TABLE, ids=str)
def test_each_travel_goes_where_it_may(
    tags: dict[str, str], expected: tuple[Directions, ...]
) -> None:
    """Row by row of the table."""
    assert tuple(directions(tags, travel) for travel in TRAVELS) == expected
