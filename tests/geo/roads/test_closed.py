"""What is closed, and where."""

import numpy as np
import pytest
import shapely

from geo.roads.classes import CLASS_OF
from geo.roads.closed import SHUT, Closed, Cuts, cuts, shares_at
from tests.geo.net import at, net

# From west to east: a straight street, one that winds, and one far away.
STREETS = net(
    ((0, 0), (4, 0)),
    ((0, 1), (1, 2), (2, 1), (3, 2), (4, 1)),
    ((100, 0), (104, 0)),
)


def area(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """Return a box, in steps."""
    return shapely.box(*at((west, south)), *at((east, north)))


def straight() -> int:
    """Return the straight street."""
    ends = STREETS.node_lon[STREETS.segment_b] - STREETS.node_lon[STREETS.segment_a]
    flat = STREETS.node_lat[STREETS.segment_b] == STREETS.node_lat[STREETS.segment_a]
    lon = np.minimum(*(STREETS.node_lon[e] for e in (STREETS.segment_a, STREETS.segment_b)))
    points = np.diff(STREETS.shape_first)
    return int(np.flatnonzero(flat & (ends != 0) & (points == 2) & (lon < lon.max()))[0])


def test_an_area_cuts_the_segments_that_run_through_it() -> None:
    """From where they come in to where they leave."""
    found = cuts(STREETS, area(1, -0.1, 2, 0.1))
    assert found.segments.tolist() == [straight()]
    assert sorted([*found.first, *found.last]) == pytest.approx(
        [0.25, 0.5] if found.first[0] < 0.4 else [0.5, 0.75], abs=1e-3
    )


def test_a_street_that_winds_is_shut_from_its_first_cut_to_its_last() -> None:
    """What lies between them leads nobody anywhere."""
    found = cuts(STREETS, area(0.9, 1.8, 3.1, 2.1))
    assert len(found.segments) == 1
    assert (found.first[0], found.last[0]) == pytest.approx((0.225, 0.775), abs=5e-3)


def test_an_area_that_holds_a_street_shuts_all_of_it() -> None:
    """Beyond its ends as well."""
    found = cuts(STREETS, area(-1, -0.1, 5, 0.1))
    assert straight() in found.segments
    where = found.segments.tolist().index(straight())
    assert (found.first[where], found.last[where]) == (0.0, 1.0)


@pytest.mark.parametrize(
    "nothing",
    [area(1.4, 0.4, 1.6, 0.6), area(50, 50, 51, 51), area(-9, -9, -8, 9), shapely.Polygon()],
)
def test_an_area_without_roads_cuts_none(nothing: shapely.Polygon) -> None:
    """Between the streets, beyond them, or no area at all."""
    assert len(cuts(STREETS, nothing).segments) == 0


def test_shares_are_those_of_metres() -> None:
    """At the vertices of a street that winds as in between; none of a way without a length."""
    winding = int(np.argmax(np.diff(STREETS.shape_first)))
    first, last = STREETS.shape_first[winding : winding + 2]
    vertices = np.column_stack((STREETS.shape_lon[first:last], STREETS.shape_lat[first:last])) / 1e7
    expected = STREETS.shape_m[first:last] / STREETS.segment_m[winding]
    assert shares_at(STREETS, winding, vertices) == pytest.approx(expected, abs=1e-6)
    gate = STREETS.__class__(**{**STREETS.__dict__, "shape_m": STREETS.shape_m * 0})
    assert shares_at(gate, winding, vertices).tolist() == [0.0] * len(vertices)


def test_what_is_closed_is_marked_and_its_stretch_known() -> None:
    """Until it is opened: then it is of its class again."""
    closed = Closed(STREETS)
    lane, first, last = closed.arrays
    shut = Cuts(np.array([1], np.int32), np.array([0.25]), np.array([0.5]))
    closed.close(shut)
    assert (lane.tolist().count(SHUT), lane[1], first[1], last[1]) == (1, SHUT, 0.25, 0.5)
    assert len(closed) == 1
    closed.reopen(shut)
    assert (len(closed), lane[1]) == (0, CLASS_OF["residential"])


def test_closures_may_overlap() -> None:
    """A segment is shut from the first of them to the last, and opens when none is left."""
    closed = Closed(STREETS)
    one = Cuts(np.array([1], np.int32), np.array([0.2]), np.array([0.4]))
    other = Cuts(np.array([1], np.int32), np.array([0.7]), np.array([0.8]))
    for each in (one, other, other):
        closed.close(each)
    assert (closed.first[1], closed.last[1]) == (0.2, 0.8)
    closed.reopen(one)
    closed.reopen(other)
    assert (closed.lane[1], closed.first[1], closed.last[1]) == (SHUT, 0.7, 0.8)
    closed.reopen(other)
    assert len(closed) == 0


def test_what_was_never_closed_cannot_be_opened() -> None:
    """Nor twice, nor another stretch of it."""
    closed = Closed(STREETS)
    whole = Cuts.whole(np.array([2, 2]))
    assert whole.segments.tolist() == [2]
    closed.close(whole)
    part = Cuts(whole.segments, np.array([0.0]), np.array([0.5]))
    with pytest.raises(KeyError, match=r"segment 2 is not closed from 0\.0 to 0\.5"):
        closed.reopen(part)
    closed.reopen(whole)
    with pytest.raises(KeyError):
        closed.reopen(whole)


def test_the_map_is_not_written() -> None:
    """It is shared with other processes."""
    before = STREETS.segment_class.copy()
    Closed(STREETS).close(Cuts.whole(np.arange(3)))
    assert (STREETS.segment_class == before).all()
