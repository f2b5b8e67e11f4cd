"""Coverage and rings as GeoJSON readers take them."""

import msgspec

from geo.eta import Quality
from schemas.coverage import (
    GridFeature,
    GridProperties,
    RingFeature,
    RingProperties,
    Rings,
)


def test_a_grid_is_a_feature() -> None:
    """With its type, its properties and its geometry."""
    grid = GridFeature(
        properties=GridProperties(
            jurisdiction="gz.a",
            units_180=0,
            units_300=2,
            p_180=0.0,
            p_300=0.5,
            quality=Quality.NETWORK,
        ),
        geometry={"type": "Point", "coordinates": [113.0, 23.0]},
    )
    told = msgspec.to_builtins(grid)
    assert told["type"] == "Feature"
    assert told["properties"]["units_300"] == 2
    assert msgspec.json.decode(msgspec.json.encode(grid), type=GridFeature) == grid


def test_rings_are_a_collection_of_features() -> None:
    """Each says which ring it is, of whom, and from what it was reckoned."""
    properties = RingProperties(travel="foot", ring_s=180, part="area", quality=Quality.NETWORK)
    rings = Rings(features=[RingFeature(properties=properties, geometry={"type": "Polygon"})])
    told = msgspec.to_builtins(rings)
    assert told["type"] == "FeatureCollection"
    assert told["features"][0]["properties"] == {
        "travel": "foot",
        "ring_s": 180,
        "part": "area",
        "quality": "network",
    }
