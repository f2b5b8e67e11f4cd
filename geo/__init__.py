"""A city's geography: points, datums, distances, jurisdictions, arrival times; usable alone."""

from geo.datum import Datum, from_wgs84, point_from_wgs84, point_to_wgs84, to_wgs84
from geo.distance import metres, metres_many
from geo.eta import MOVES, EtaModel, Moves, Quality, Reach, StraightLine
from geo.geojson import BadFeatureError, BadGeoJsonError
from geo.jurisdiction import (
    BadPathError,
    Jurisdiction,
    JurisdictionIndex,
    Level,
    is_path,
    parent,
    parse_path,
    read_geojson,
    to_geojson,
    within,
)
from geo.point import Box, Point

__all__ = [
    "MOVES",
    "BadFeatureError",
    "BadGeoJsonError",
    "BadPathError",
    "Box",
    "Datum",
    "EtaModel",
    "Jurisdiction",
    "JurisdictionIndex",
    "Level",
    "Moves",
    "Point",
    "Quality",
    "Reach",
    "StraightLine",
    "from_wgs84",
    "is_path",
    "metres",
    "metres_many",
    "parent",
    "parse_path",
    "point_from_wgs84",
    "point_to_wgs84",
    "read_geojson",
    "to_geojson",
    "to_wgs84",
    "within",
]
