"""A way as GeoJSON readers take it."""

import msgspec

from geo.eta import Quality
from schemas.way import WayFeature, WayProperties


def test_a_way_is_a_feature() -> None:
    """With its type; whose word it is stands there even when it is nobody's."""
    properties = WayProperties(
        unit_id="u1", eta_s=95.0, distance_m=300.0, by=None, quality=Quality.STRAIGHT_LINE
    )
    feature = WayFeature(properties=properties, geometry={"type": "LineString", "coordinates": []})
    told = msgspec.to_builtins(feature)
    assert told["type"] == "Feature"
    assert told["properties"]["by"] is None
    assert msgspec.json.decode(msgspec.json.encode(feature), type=WayFeature) == feature
