"""Real extracts of OpenStreetMap, kept beside the project and never in it."""

import os
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from geo import osm
from geo.roads.build import build
from geo.roads.graph import RoadGraph

BESIDE: Final = Path(__file__).parents[2] / "shared" / "data"
BAYFRONT: Final = "bayfront_singapore"
"""1 km² with full tags: 0.1 s."""
SPO: Final = "spo"
"""35 km² of a dense centre with many one-ways: 0.5 s."""
PORTO: Final = "porto"
"""1,450 km², a river city with few bridges: 3 s."""


def osm_sample(name: str) -> Path:
    """Return the extract of that name, from `KAPOK_OSM_SAMPLES` or from beside the project.

    Where it is missing the test is skipped; in CI, where it never may be, the test fails.
    """
    folder = Path(os.environ.get("KAPOK_OSM_SAMPLES") or BESIDE)
    path = folder / f"{name}.osm.pbf"
    if path.is_file():
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{path} is missing: in CI the extracts are always there")
    pytest.skip(f"{path} is missing: KAPOK_OSM_SAMPLES says where the extracts are")


@cache
def road_sample(name: str) -> RoadGraph:
    """Return the road graph of an extract, built once for all tests that ask."""
    found = osm.read_extract(osm_sample(name))
    return build(found.ways, found.source)
