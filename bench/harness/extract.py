"""Real road data to measure on: extracts that lie beside the project, or wherever it is told."""

import os
from pathlib import Path
from typing import Final

from bench.harness.machine import ROOT

BESIDE: Final = ROOT.parent / "shared" / "data"


def extract(name: str) -> Path | None:
    """Return the file of an extract, in `KAPOK_OSM_SAMPLES` or beside; None where there is none."""
    path = Path(os.environ.get("KAPOK_OSM_SAMPLES") or BESIDE) / f"{name}.osm.pbf"
    return path if path.exists() else None
