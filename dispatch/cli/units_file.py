"""A file of units read field by field: what is good, and everything that is bad.

Pure: bytes in, units and bad fields out. Any bytes give an answer or a `BadFileError`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final, NamedTuple, TypeVar

from dispatch.cli.texts import NAME_CHARS, is_plain, shown, tidy
from dispatch.cli.unit_rows import Row, Rows, read_csv, read_geojson
from dispatch.cli.unit_words import CAPABILITIES, KINDS, MOVES, Column, english, key
from geo.eta import Moves
from geo.point import Point
from schemas.unit import Capability, UnitKind

Word = TypeVar("Word", bound=StrEnum)

READERS: Final[Mapping[str, Callable[[bytes], Rows]]] = {
    ".csv": read_csv,
    ".geojson": read_geojson,
    ".json": read_geojson,
}
"""How a file is read, by the end of its name."""

CODE_CHARS: Final = 64
MOST_CREW: Final = 100
NUMBER: Final = re.compile(r"[+-]?\d{1,40}(\.\d{0,400})?([eE][+-]?\d{1,4})?")
WHOLE: Final = re.compile(r"\d{1,9}")
TEL: Final = re.compile(r"\+?[0-9][0-9 -]{2,30}")
PARTS: Final = re.compile(r"[;；、,，]")
NAME_AND_TEL: Final = re.compile(r"[:：]")
PLACE: Final = "lon,lat"


class BadField(NamedTuple):
    """Why a row is not taken."""

    where: str
    field: str
    reason: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.where}, {self.field}: {self.reason}"


class GivenMember(NamedTuple):
    """A member as the file names them; `tel` may be empty."""

    name: str
    tel: str


@dataclass(frozen=True, slots=True)
class GivenUnit:
    """A unit whose own fields are good; where it belongs is not looked at yet.

    `place` is in the file's datum. There is a place or a jurisdiction, or both.
    """

    where: str
    code: str
    name: str
    kind: UnitKind
    jurisdiction: str | None
    place: Point | None
    moves: Moves
    capabilities: tuple[Capability, ...]
    crew: int
    members: tuple[GivenMember, ...]


class Reading(NamedTuple):
    """What came of a file: units, everything bad about the others, headings nobody reads."""

    units: list[GivenUnit]
    bad: list[BadField]
    unused: tuple[str, ...]


def read(name: str, data: bytes) -> Reading:
    """Return the units of a file; its name's end, one of READERS, tells how it is read.

    Raises:
        BadFileError: nothing of the file can be read.
    """
    found = READERS[PurePath(name).suffix.lower()](data)
    units, bad = read_rows(found.rows)
    return Reading(units, bad, found.unused)


def read_rows(rows: Iterable[Row]) -> tuple[list[GivenUnit], list[BadField]]:
    """Return the good rows, and every bad field of the others; a code counts where it is first."""
    units: list[GivenUnit] = []
    bad: list[BadField] = []
    first: dict[str, str] = {}
    for row in rows:
        found, faults = _read_row(row)
        code = tidy(row.cells.get(Column.CODE, ""))
        if code and first.setdefault(code, row.where) != row.where:
            faults.append(BadField(row.where, Column.CODE, f"the same as in {first[code]}"))
        bad += faults
        units += [GivenUnit(where=row.where, **found)] if not faults else []
    return units, bad


def _read_row(row: Row) -> tuple[dict[str, Any], list[BadField]]:
    if row.fault is not None:
        return {}, [BadField(row.where, "row", row.fault)]
    found: dict[str, Any] = {}
    bad: list[BadField] = []
    for column, read_field in FIELDS.items():
        try:
            found[column.value] = read_field(tidy(row.cells.get(column, "")))
        except ValueError as error:
            bad.append(BadField(row.where, column, str(error)))
    try:
        found["place"] = _place(row)
    except ValueError as error:
        bad.append(BadField(row.where, PLACE, str(error)))
    return found, bad


def _code(text: str) -> str:
    return _plain(text, CODE_CHARS)


def _name(text: str) -> str:
    return _plain(text, NAME_CHARS)


def _plain(text: str, most_chars: int) -> str:
    if not text:
        raise ValueError("missing")
    if not is_plain(text, most_chars):
        raise ValueError(f"{shown(text)} is not 1 to {most_chars} printable characters")
    return text


def _word(text: str, table: Mapping[str, Word]) -> Word:
    word = table.get(key(text))
    if word is None:
        raise ValueError(f"{shown(text)} is none of {english(table.values())}")
    return word


def _kind(text: str) -> UnitKind:
    if not text:
        raise ValueError("missing")
    return _word(text, KINDS)


def _moves(text: str) -> Moves:
    return _word(text, MOVES) if text else Moves.FOOT


def _capabilities(text: str) -> tuple[Capability, ...]:
    return tuple(sorted({_word(part, CAPABILITIES) for part in _parts(text)}))


def _jurisdiction(text: str) -> str | None:
    return _plain(text, NAME_CHARS) if text else None


def _crew(text: str) -> int:
    """Return how many members there are at least; 0 where the file does not say."""
    if not text:
        return 0
    number = WHOLE.fullmatch(text.removesuffix(".0"))  # as spreadsheets write whole numbers
    if number is None or not 1 <= int(number[0]) <= MOST_CREW:
        raise ValueError(f"{shown(text)} is not a whole number from 1 to {MOST_CREW}")
    return int(number[0])


def _members(text: str) -> tuple[GivenMember, ...]:
    members = tuple(_member(part) for part in _parts(text))
    if len(members) > MOST_CREW:
        raise ValueError(f"{len(members)} members, and {MOST_CREW} are the most")
    if len(set(members)) < len(members):
        raise ValueError("the same member twice")
    return members


def _member(text: str) -> GivenMember:
    name, *rest = (part.strip() for part in NAME_AND_TEL.split(text))
    tel = "".join(rest)
    if len(rest) > 1:
        raise ValueError(f"{shown(text)} is not name:tel")
    if tel and TEL.fullmatch(tel) is None:
        raise ValueError(f"{shown(tel)} is no telephone number")
    return GivenMember(_plain(name, NAME_CHARS), tel)


def _parts(text: str) -> Iterator[str]:
    return (part for each in PARTS.split(text) if (part := each.strip()))


FIELDS: Final[Mapping[Column, Callable[[str], Any]]] = {
    Column.CODE: _code,
    Column.NAME: _name,
    Column.KIND: _kind,
    Column.JURISDICTION: _jurisdiction,
    Column.MOVES: _moves,
    Column.CAPABILITIES: _capabilities,
    Column.CREW: _crew,
    Column.MEMBERS: _members,
}
"""What each cell may be; a reason raised as ValueError is what the importer reads."""


def _place(row: Row) -> Point | None:
    """Return where the unit stands, by its geometry or its cells; None leaves it to the path."""
    lon, lat = _coordinates(row)
    if not lon and not lat and row.geometry is None:
        if row.cells.get(Column.JURISDICTION, "").strip():
            return None
        raise ValueError("missing, and no jurisdiction either")
    if not lon or not lat:
        raise ValueError("a place needs both")
    point = Point(_degrees(lon), _degrees(lat))
    if not point.on_earth:
        raise ValueError(f"{lon}, {lat} are not degrees of longitude and latitude{_swap(point)}")
    return point


def _coordinates(row: Row) -> tuple[str, str]:
    if row.geometry is None:
        return tidy(row.cells.get(Column.LON, "")), tidy(row.cells.get(Column.LAT, ""))
    match row.geometry:
        case {"type": "Point", "coordinates": [int() | float() as lon, int() | float() as lat, *_]}:
            return str(lon), str(lat)
        case _:
            raise ValueError("the geometry is no Point with two numbers")


def _degrees(text: str) -> float:
    if NUMBER.fullmatch(text) is None:
        raise ValueError(f"{shown(text)} is not a number of degrees")
    return float(text)


def _swap(point: Point) -> str:
    return ": swapped?" if Point(point.lat, point.lon).on_earth else ""


def faulty(bad: Sequence[BadField]) -> int:
    """Return how many rows have something bad about them."""
    return len({each.where for each in bad})
