"""Positions in the datum the asker names; all that comes from the desk is WGS-84."""

from typing import Annotated, Final

from litestar.params import HeaderParameter, QueryParameter
from msgspec.structs import replace

from dispatch.api.problems import bad_parameter
from geo.datum import Datum, point_from_wgs84, point_to_wgs84
from geo.point import EARTH, Box, Point
from schemas.rest import IncidentView, Position, UnitView

HEADER: Final = "Kapok-Datum"
CORNERS: Final = 4

DatumQuery = Annotated[
    Datum | None,
    QueryParameter(description=f"The datum of all positions; goes before {HEADER}. Else wgs84."),
]
DatumHeader = Annotated[
    Datum | None,
    HeaderParameter(name=HEADER, description="The datum of all positions. Else wgs84."),
]


async def provide_asked(datum: DatumQuery = None, kapok_datum: DatumHeader = None) -> Datum:
    """Return the datum the asker wants positions in."""
    return datum or kapok_datum or Datum.WGS84


def named(datum: Datum) -> dict[str, str]:
    """Return the header that names the datum of an answer."""
    return {HEADER: datum.value}


def position_in(datum: Datum, position: Position) -> Position:
    """Return the same place in `datum`."""
    there = point_from_wgs84(Point(position.lon, position.lat), datum)
    return Position(lon=there.lon, lat=there.lat, datum=datum)


def incident_in(datum: Datum, view: IncidentView) -> IncidentView:
    """Return the same incident with its place in `datum`."""
    return replace(view, position=position_in(datum, view.position))


def unit_in(datum: Datum, view: UnitView) -> UnitView:
    """Return the same unit with its places in `datum`."""
    home, position = position_in(datum, view.home), position_in(datum, view.position)
    return replace(view, home=home, position=position)


def box_of(text: str, datum: Datum) -> Box:
    """Return `west,south,east,north` in WGS-84; of another datum, the box around its corners."""
    box = _read(text)
    corners = [
        point_to_wgs84(Point(lon, lat), datum)
        for lon in (box.west, box.east)
        for lat in (box.south, box.north)
    ]
    lons, lats = [c.lon for c in corners], [c.lat for c in corners]
    return Box(min(lons), min(lats), max(lons), max(lats))


def _read(text: str) -> Box:
    try:
        numbers = [float(part) for part in text.split(",", CORNERS)]
    except ValueError:
        numbers = []
    if len(numbers) != CORNERS:
        raise bad_parameter("box", "expected west,south,east,north in degrees")
    box = Box(*numbers)
    if not (
        EARTH.contains(Point(box.west, box.south)) and EARTH.contains(Point(box.east, box.north))
    ):
        raise bad_parameter("box", "its corners are not on the earth")
    if box.west > box.east or box.south > box.north:
        raise bad_parameter("box", "west is beyond east, or south beyond north")
    return box
