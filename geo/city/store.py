"""The synthetic city kept in a file, so that a second start need not build it."""

import base64
import json
import zlib
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely

from geo.city.build import build
from geo.city.city import City
from geo.city.river import Bridge, River
from geo.city.unit import UNITS, CityUnit
from geo.eta import Moves
from geo.jurisdiction import Jurisdiction
from geo.point import Point

# It rises with every change of the file or of what `build` makes of a seed.
VERSION: Final = 1
MAGIC: Final = b"kapok-city %d\n" % VERSION
DIGEST_BYTES: Final = 32
QUICK: Final = 1


class BadStoreError(ValueError):
    """The bytes are no city of this version, or not all of one."""


def cached(folder: Path, seed: int, units: int = UNITS) -> City:
    """Return `build(seed, units)`, read from the folder if it is there and whole.

    Otherwise it is built and written; the folder is made.
    """
    path = folder / f"city-{VERSION}-{seed}-{units}.bin"
    try:
        return load(path)
    except (FileNotFoundError, BadStoreError):
        city = build(seed, units)
    folder.mkdir(parents=True, exist_ok=True)
    save(city, path)
    return city


def save(city: City, path: Path) -> None:
    """Write the city; a reader sees the old file or the new one, never a part."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(dumps(city))
    part.replace(path)


def load(path: Path) -> City:
    """Return the city of a file.

    Raises:
        FileNotFoundError: There is no file.
        BadStoreError: It is of another version, or damaged.
    """
    return loads(path.read_bytes())


def dumps(city: City) -> bytes:
    """Return the city as bytes; the same city gives the same bytes."""
    document = {
        "seed": city.seed,
        "jurisdictions": [(each.path, each.name) for each in city.jurisdictions],
        "shapes": _packed([each.polygon for each in city.jurisdictions] + [city.river.water]),
        "units": [_row(unit) for unit in city.units],
        "river": (city.river.middle, city.river.width_m),
        "bridges": city.bridges,
    }
    packed = zlib.compress(json.dumps(document, ensure_ascii=False).encode(), QUICK)
    return MAGIC + sha256(packed).digest() + packed


def loads(data: bytes) -> City:
    """Return the city that `dumps` made bytes of.

    Raises:
        BadStoreError: They are of another version, or damaged.
    """
    start = len(MAGIC) + DIGEST_BYTES
    packed = data[start:]
    if not data.startswith(MAGIC) or sha256(packed).digest() != data[len(MAGIC) : start]:
        raise BadStoreError("not a whole city of this version")
    document = json.loads(zlib.decompress(packed))
    *polygons, water = _unpacked(document["shapes"])
    middle, width_m = document["river"]
    places = zip(document["jurisdictions"], polygons, strict=True)
    return City(
        seed=document["seed"],
        jurisdictions=tuple(Jurisdiction(path, name, polygon) for (path, name), polygon in places),
        units=tuple(_unit(row) for row in document["units"]),
        river=River(tuple(Point(*place) for place in middle), tuple(width_m), water),
        bridges=tuple(Bridge(name, Point(*a), Point(*b)) for name, a, b in document["bridges"]),
    )


def _packed(shapes: list[Any]) -> dict[str, Any]:
    """Return the shapes as one text, and the length of each in it, in bytes."""
    texts = [bytes(each) for each in shapely.to_wkb(np.array(shapes))]
    return {"wkb": base64.b64encode(b"".join(texts)).decode(), "bytes": list(map(len, texts))}


def _unpacked(packed: dict[str, Any]) -> list[Any]:
    text, ends = base64.b64decode(packed["wkb"]), np.cumsum(packed["bytes"]).tolist()
    return list(shapely.from_wkb([text[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]))


def _row(unit: CityUnit) -> list[Any]:
    return [getattr(unit, field.name) for field in fields(unit)]


def _unit(row: list[Any]) -> CityUnit:
    code, name, kind, capabilities, moves, home, jurisdiction, crew, min_crew, roster = row
    return CityUnit(
        code=code,
        name=name,
        kind=kind,
        capabilities=tuple(capabilities),
        moves=Moves(moves),
        home=Point(*home),
        jurisdiction=jurisdiction,
        crew=tuple(crew),
        min_crew=min_crew,
        roster=roster,
    )
