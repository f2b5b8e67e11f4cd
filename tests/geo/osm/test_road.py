"""A way's tags as a class of road and its eight paces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.osm import road as module
from geo.osm.road import KEYS, road
from geo.roads.classes import CLASSES, TOP_KMH, WALK_KMH
from geo.roads.travel import BICYCLE, CAR, FOOT, MOTORBIKE, TRAVELS, Travel

# Class, further tags, and who may go along and who against, by first letter.
TABLE = [
    ("residential", {}, "fbmc", "fbmc"),
    ("residential", {"oneway": "yes"}, "fbmc", "f"),
    ("residential", {"oneway": "yes", "oneway:bicycle": "no"}, "fbmc", "fb"),
    ("residential", {"oneway": "-1"}, "f", "fbmc"),
    ("residential", {"access": "private", "foot": "yes"}, "f", "f"),
    ("residential", {"motor_vehicle": "no"}, "fb", "fb"),
    ("residential", {"motor_vehicle:backward": "no"}, "fbmc", "fb"),
    ("motorway", {}, "mc", ""),
    ("motorway_link", {}, "mc", "mc"),
    ("trunk", {}, "fbmc", "fbmc"),
    ("trunk", {"motorroad": "yes"}, "mc", "mc"),
    ("trunk", {"motorroad": "yes", "bicycle": "yes"}, "bmc", "bmc"),
    ("primary", {"junction": "roundabout"}, "fbmc", "f"),
    ("primary", {"foot": "no", "motorcycle": "no"}, "bc", "bc"),
    ("service", {}, "fbmc", "fbmc"),
    ("service", {"access": "customers"}, "fbmc", "fbmc"),
    ("footway", {}, "f", "f"),
    ("footway", {"access": "yes"}, "f", "f"),
    ("footway", {"bicycle": "yes"}, "fb", "fb"),
    ("footway", {"oneway": "yes"}, "f", "f"),
    ("pedestrian", {"motor_vehicle": "destination"}, "fmc", "fmc"),
    ("path", {}, "fb", "fb"),
    ("path", {"foot": "no"}, "b", "b"),
    ("cycleway", {"oneway": "yes"}, "fb", "f"),
    ("steps", {}, "f", "f"),
    ("steps", {"bicycle": "yes", "motor_vehicle": "yes"}, "f", "f"),
    ("busway", {"motorcycle": "yes"}, "m", "m"),
    ("road", {}, "fbmc", "fbmc"),
    ("platform", {}, "f", "f"),
    ("track", {"motor_vehicle": "agricultural"}, "fb", "fb"),
]

NO_ROADS = [
    {},
    {"highway": "construction", "construction": "primary"},
    {"highway": "proposed"},
    {"highway": "abandoned"},
    {"highway": "raceway"},
    {"highway": "bus_stop"},
    {"highway": "residential", "abandoned": "yes"},
    {"highway": "pedestrian", "area": "yes"},
    {"highway": "service", "access": "private"},
    {"highway": "busway"},
    {"railway": "rail"},
    {"route": "ferry"},
]


@pytest.mark.parametrize(("highway", "tags", "along", "against"), TABLE, ids=str)
def test_who_may_go_where(highway: str, tags: dict[str, str], along: str, against: str) -> None:
    """Row by row of the table."""
    found = road({"highway": highway} | tags)
    assert found is not None
    open_to = [
        "".join(t[0] for t, m in zip(TRAVELS, found.mps, strict=True) if m[d]) for d in (0, 1)
    ]
    assert open_to == [along, against]


@pytest.mark.parametrize("tags", NO_ROADS, ids=str)
def test_what_is_no_road(tags: dict[str, str]) -> None:
    """Not built yet, not there any more, an area, or closed to all."""
    assert road(tags) is None


def test_a_limit_holds_for_its_direction() -> None:
    """And only for those whom it slows."""
    free, bound = (
        road({"highway": "primary"}),
        road({"highway": "primary", "maxspeed": "60", "maxspeed:backward": "30"}),
    )
    assert free is not None
    assert bound is not None
    assert bound.mps[CAR] == pytest.approx((free.mps[CAR][0], free.mps[CAR][0] / 2))
    assert bound.mps[FOOT] == free.mps[FOOT]
    assert bound.mps[BICYCLE] == free.mps[BICYCLE]


def test_a_bicycle_is_pushed_at_a_walker_s_pace() -> None:
    """Where one has to dismount."""
    found = road({"highway": "footway", "bicycle": "dismount"})
    assert found is not None
    assert found.mps[BICYCLE] == found.mps[FOOT] == pytest.approx((WALK_KMH / 3.6,) * 2)
    assert found.mps[MOTORBIKE] == (0, 0)


VALUES = ["yes", "no", "private", "-1", "residential", "steps", "footway", "30", "opposite", "x"]


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.sampled_from(VALUES), max_size=8))
def test_any_tags_give_a_road_that_can_be_used_or_none(tags: dict[str, str]) -> None:
    """Somebody can, and nobody faster than they are anywhere."""
    found = road(tags)
    if found is None:
        return
    assert 0 <= found.road_class < len(CLASSES)
    assert any(map(any, found.mps))
    for travel, paces in zip(TRAVELS, found.mps, strict=True):
        assert all(0 <= pace <= TOP_KMH[travel] / 3.6 + 1e-9 for pace in paces)


class Asked(dict[str, str]):
    """Tags that note which of them were asked for."""

    def __init__(self, tags: dict[str, str]) -> None:
        """Take the tags; nothing has been asked yet."""
        super().__init__(tags)
        self.keys_asked: set[str] = set()

    def get(self, key: str, default: str = "") -> str:  # type: ignore[override] # plain texts do
        """Return a tag and remember that it was asked for."""
        self.keys_asked.add(key)
        return super().get(key, default)


def test_no_key_is_asked_for_that_is_not_kept() -> None:
    """Reading an extract drops all tags but `KEYS`."""
    asked: set[str] = set()
    for highway in ("residential", "trunk", "footway"):
        for oneway in ("yes", "no"):
            tags = Asked({"highway": highway, "oneway": oneway})
            module.road(tags)
            asked |= tags.keys_asked
    assert asked <= KEYS
    assert Travel.FOOT in asked
