"""Rings drawn for a map."""

import numpy as np
import pytest
import shapely

from dispatch.core.errors import Invalid
from dispatch.desk import ring_maps
from dispatch.desk.ring_maps import RingMaps
from geo.eta import EtaModel, Moves, Quality, Reach, Standings, StraightLine
from geo.point import Floats, Point
from geo.road_eta import RoadNetwork
from geo.roads.travel import TRAVELS, Travel
from geo.standing import MoveCodes
from tests.geo.net import at, net, town

pytestmark = pytest.mark.asyncio
HERE = at((2.5, 2.5))


async def test_the_widest_ring_comes_first() -> None:
    """Each by every way of moving, and each within the next wider."""
    network = RoadNetwork(town(4), compiled=False)
    drawn = await RingMaps(network).around(HERE, TRAVELS, (60, 120, 60))
    assert [(d.ring_s, d.travel) for d in drawn] == [(s, t) for s in (120, 60) for t in TRAVELS]
    assert {d.ring.quality for d in drawn} == {Quality.NETWORK}
    for wide, narrow in zip(drawn[:4], drawn[4:], strict=True):
        assert narrow.ring.lines.length < wide.ring.lines.length


async def test_the_roads_of_a_ring_are_those_from_which_one_is_there_in_time() -> None:
    """Units on them are in, units off their ends are not."""
    network = RoadNetwork(net(((0, 0), (20, 0))), compiled=False)
    (drawn,) = await RingMaps(network).around(at((10, 0)), (Travel.FOOT,), (180,))
    west, _, east, _ = drawn.ring.lines.bounds
    assert shapely.contains_xy(drawn.ring.area, *at((10, 0)))
    inside, outside = np.array([west + 1e-5, east - 1e-5]), np.array([west - 1e-5, east + 1e-5])
    for lons, there in ((inside, True), (outside, False)):
        lats, foot = np.full(2, at((10, 0)).lat), np.zeros(2, np.uint8)
        reach = network.etas(at((10, 0)), lons, lats, foot, 180.0)
        assert np.isfinite(reach.eta_s).tolist() == [there, there]


async def test_where_no_road_is_near_it_is_a_circle() -> None:
    """And says so; the others are none the less by road."""
    network = RoadNetwork(net(((0, 0), (1, 0))), compiled=False)
    (drawn,) = await RingMaps(network).around(at((30, 30)), (Travel.CAR,), (180,))
    assert (drawn.ring.quality, drawn.ring.lines.is_empty) == (Quality.STRAIGHT_LINE, True)


class Elsewhere:
    """A model of somebody's own, that draws nothing."""

    quality = Quality.STRAIGHT_LINE

    def standings(self) -> Standings:
        """Keep nobody."""
        return StraightLine(compiled=False).standings()

    def warm(self) -> None:
        """Do nothing."""

    def etas(
        self, target: Point, lons: Floats, lats: Floats, moves: MoveCodes, limit_s: float
    ) -> Reach:
        """Reach nobody."""
        return Reach(np.full(len(lons), np.inf), np.full(len(lons), np.inf))


@pytest.mark.parametrize("model", [StraightLine(compiled=False), Elsewhere()])
async def test_without_roads_it_is_a_circle(model: EtaModel) -> None:
    """As far as one gets as the crow flies, detours counted."""
    (drawn,) = await RingMaps(model).around(HERE, (Travel.MOTORBIKE,), (180,))
    assert drawn.ring.quality is Quality.STRAIGHT_LINE
    metres = StraightLine().radius_m(Moves.MOTORBIKE, 180.0)
    _, south, _, north = drawn.ring.area.bounds
    assert (north - south) * 110_900 == pytest.approx(2 * metres, rel=0.01)


async def test_more_road_than_an_answer_may_have_is_refused() -> None:
    """Before it is drawn; the field that asks for it is named."""
    network = RoadNetwork(town(4), compiled=False)
    assert ring_maps.STRETCHES_MOST == 20_000
    with pytest.raises(Invalid) as refused:
        await RingMaps(network, most=10).around(HERE, (Travel.FOOT,), (600,))
    assert refused.value.path == "$.ring_s"
