"""GET /v1/rings: what is within some seconds of a place, to be drawn on a map."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import numpy as np
import shapely
from litestar import Controller, Response, get
from litestar.params import QueryParameter
from shapely.geometry.base import BaseGeometry

from dispatch.api.access import needs
from dispatch.api.given import TheDatum, TheDesk, TheGrant
from dispatch.api.places import named
from dispatch.api.problems import bad_parameter
from dispatch.api.promises import listing
from dispatch.auth import Right
from dispatch.core.errors import Invalid
from dispatch.desk.ring_maps import Drawn
from geo.datum import Datum, from_wgs84
from geo.point import Floats, Point
from geo.roads.travel import TRAVELS, Travel
from schemas.coverage import Part, RingFeature, RingProperties, Rings
from schemas.rest import Place

RING_MOST_S: Final = 600
RINGS_MOST: Final = 3
DECIMALS: Final = 6
"""Of a degree: 11 cm."""
USUAL: Final = "180,300"

Lon = Annotated[
    float, QueryParameter(ge=-180, le=180, description="Of the place, in the datum asked for.")
]
Lat = Annotated[
    float, QueryParameter(ge=-90, le=90, description="Of the place, in the datum asked for.")
]
Travels = Annotated[
    str | None,
    QueryParameter(description="One or more of foot,bicycle,motorbike,car; all where none is."),
]
Seconds = Annotated[
    str,
    QueryParameter(
        description=f"At most {RINGS_MOST} limits in seconds, each 1 to {RING_MOST_S}: 180,300."
    ),
]


class RingMap(Controller):
    """Rings as GeoJSON."""

    path = "/v1/rings"
    tags = ("rings",)

    @get(
        operation_id="get_rings",
        summary="Draw the rings of a place",
        description="The stretches of road from which one is there in time, turnout included, and"
        " an area around them, by way of moving. Without roads near, or loaded: a circle, and its"
        " `quality` says so. To be looked at only: who is in a ring is told by candidates.",
        opt=needs(Right.SEE_UNITS),
        responses=listing(),
    )
    async def around(
        self,
        desk: TheDesk,
        grant: TheGrant,
        asked: TheDatum,
        lon: Lon,
        lat: Lat,
        travel: Travels = None,
        ring_s: Seconds = USUAL,
    ) -> Response[Rings]:
        """Return the rings, widest first."""
        travels, rings_s = travels_of(travel), seconds_of(ring_s)
        try:
            place = desk.place(Place(lon=lon, lat=lat, datum=asked), grant.juris)
        except Invalid as error:
            raise bad_parameter("lon", error.detail) from error
        try:
            drawn = await desk.ring_maps.around(Point(place.lon, place.lat), travels, rings_s)
        except Invalid as error:
            raise bad_parameter("ring_s", error.detail) from error
        features = [feature for each in drawn for feature in features_of(each, asked)]
        return Response(Rings(features=features), headers=named(asked))


def travels_of(text: str | None) -> tuple[Travel, ...]:
    """Return the ways of moving a parameter names, each once; all for none."""
    if text is None:
        return TRAVELS
    chosen = text.split(",")
    if not set(chosen) <= set(TRAVELS):
        raise bad_parameter("travel", f"expected some of {','.join(TRAVELS)}")
    return tuple(travel for travel in TRAVELS if travel in chosen)


def seconds_of(text: str) -> tuple[int, ...]:
    """Return the limits a parameter names."""
    parts = text.split(",", RINGS_MOST)
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
    good = len(parts) == len(numbers) <= RINGS_MOST
    if not good or not all(0 < number <= RING_MOST_S for number in numbers):
        raise bad_parameter(
            "ring_s", f"expected at most {RINGS_MOST} numbers of seconds, 1 to {RING_MOST_S}"
        )
    return tuple(numbers)


def features_of(drawn: Drawn, datum: Datum) -> Iterator[RingFeature]:
    """Yield the features of a ring: its roads where there are any, and its area."""
    shapes: tuple[tuple[Part, BaseGeometry], ...] = (
        ("roads", drawn.ring.lines),
        ("area", drawn.ring.area),
    )
    for part, shape in shapes:
        if not shape.is_empty:
            yield RingFeature(
                properties=RingProperties(
                    travel=drawn.travel,
                    ring_s=drawn.ring_s,
                    part=part,
                    quality=drawn.ring.quality,
                ),
                geometry=geometry_in(datum, shape),
            )


def geometry_in(datum: Datum, shape: BaseGeometry) -> dict[str, Any]:
    """Return a shape in WGS-84 as GeoJSON in a datum, to the decimals that are of use."""

    def moved(places: Floats) -> Floats:
        moved = np.column_stack(from_wgs84(places[:, 0], places[:, 1], datum))
        rounded: Floats = np.round(moved, DECIMALS)
        return rounded

    made: dict[str, Any] = shapely.geometry.mapping(shapely.transform(shape, moved))
    return made
