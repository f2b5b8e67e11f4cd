"""A file of units as rows of text: which cell stands where, before anybody asks what it means."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dispatch.cli.texts import shown
from dispatch.cli.unit_words import COLUMNS, Column, key
from geo.geojson import BadGeoJsonError, Feature, read_features

ROWS: Final = 1_000_000
BETWEEN: Final = ";"
NESTED: Final = "[…]"
NEEDED: Final = (Column.CODE, Column.NAME, Column.KIND)


class BadFileError(ValueError):
    """Nothing of the file can be read, so that no row of it is good; the message says where."""


@dataclass(frozen=True, slots=True)
class Row:
    """One unit as the file has it; `where` is its line, or its feature's number.

    A row with a `fault` has cells of which nobody knows what they mean.
    """

    where: str
    cells: Mapping[Column, str]
    geometry: object = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows in the file's order, and the headings that nothing was read from."""

    rows: tuple[Row, ...]
    unused: tuple[str, ...] = ()


def read_csv(data: bytes, most: int = ROWS) -> Rows:
    """Return the rows of comma-separated UTF-8 with a line of headings; empty rows are left out.

    Raises:
        BadFileError: another encoding, headings missing or doubled, a quote that never ends.
    """
    lines = _records(_text(data), most)
    heading = next(lines, None)
    if heading is None:
        raise BadFileError("the file is empty")
    columns, unused = _columns(heading[1])
    filled = ((where, cells) for where, cells in lines if any(map(str.strip, cells)))
    return Rows(tuple(_row(where, cells, columns) for where, cells in filled), unused)


def read_geojson(data: bytes) -> Rows:
    """Return the rows of a FeatureCollection of places: properties by heading, lon and lat.

    Raises:
        BadFileError: no FeatureCollection with features in it.
    """
    try:
        features = read_features(data)
    except BadGeoJsonError as error:
        raise BadFileError(str(error)) from error
    headings = dict.fromkeys(name for each in features for name in each.properties)
    unused = tuple(name for name in headings if key(name) not in COLUMNS)
    return Rows(tuple(_feature_row(each) for each in features), unused)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadFileError(f"line {line} is not UTF-8: save the file as CSV UTF-8") from error


def _records(text: str, most: int) -> Iterator[tuple[str, list[str]]]:
    """Yield each record with the line it begins on; quoted cells may run over lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for number, cells in enumerate(reader):
            if number > most:
                raise BadFileError(f"more than {most} rows: import them in parts")
            yield f"line {begins}", cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise BadFileError(f"line {begins} cannot be read, nor what follows: {error}") from error


def _columns(heading: Sequence[str]) -> tuple[list[Column | None], tuple[str, ...]]:
    if len(heading) < len(NEEDED):
        raise BadFileError("line 1 has too few cells: headings are parted by commas")
    columns = [COLUMNS.get(key(name)) for name in heading]
    known = [column for column in columns if column is not None]
    if doubled := {column for column in known if known.count(column) > 1}:
        raise BadFileError(f"line 1 has two columns for {', '.join(sorted(doubled))}")
    if missing := [column for column in NEEDED if column not in known]:
        raise BadFileError(f"line 1 has no column for {', '.join(missing)}")
    if (Column.LON in known) != (Column.LAT in known):
        raise BadFileError("line 1 has one of lon and lat, and a place needs both")
    if not {Column.LON, Column.JURISDICTION} & set(known):
        raise BadFileError("line 1 has neither lon and lat nor jurisdiction")
    unused = (name for name, column in zip(heading, columns, strict=True) if column is None)
    return columns, tuple(name for name in unused if name.strip())


def _row(where: str, cells: Sequence[str], columns: Sequence[Column | None]) -> Row:
    """Take a record's cells by their headings; a short record leaves the last ones empty."""
    if any(map(str.strip, cells[len(columns) :])):
        fault = f"{len(cells)} cells under {len(columns)} headings: a comma too many?"
        return Row(where, {}, fault=fault)
    named = zip(columns, cells, strict=False)
    return Row(where, {column: text.strip() for column, text in named if column is not None})


def _feature_row(feature: Feature) -> Row:
    named = ((COLUMNS.get(key(name)), value) for name, value in feature.properties.items())
    cells = {column: _cell(value) for column, value in named if column is not None}
    return Row(f"feature {feature.number}", cells, feature.geometry)


def _cell(value: object) -> str:
    """Return a JSON value as a table would hold it; lists hold texts, or members as objects."""
    if isinstance(value, list):
        return BETWEEN.join(_part(each) for each in value)
    return _part(value)


def _part(value: object) -> str:
    if isinstance(value, dict) and "name" in value:
        return f"{_scalar(value['name'])}:{_scalar(value.get('tel'))}"
    return _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, list | dict):
        return NESTED
    return "" if value is None else str(value).strip()


def heading_text(names: Sequence[str]) -> str:
    """Return headings as a message may show them."""
    return ", ".join(shown(name) for name in names)
