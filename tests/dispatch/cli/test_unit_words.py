"""The words of files: every meaning has its English word and a Chinese one."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from dispatch.cli.unit_words import CAPABILITIES, COLUMNS, KINDS, MOVES, Column, english, key
from geo.eta import Moves
from schemas.unit import Capability, UnitKind

TABLES: list[tuple[Mapping[str, StrEnum], type[StrEnum]]] = [
    (COLUMNS, Column),
    (KINDS, UnitKind),
    (MOVES, Moves),
    (CAPABILITIES, Capability),
]


@pytest.mark.parametrize(("table", "meanings"), TABLES)
def test_every_meaning_can_be_written_in_english_and_chinese(
    table: Mapping[str, StrEnum], meanings: type[StrEnum]
) -> None:
    """No kind, way of moving or piece of equipment is left out."""
    for meaning in meanings:
        spellings = [spelling for spelling, found in table.items() if found is meaning]
        assert key(meaning.value) in spellings
        assert any(not spelling.isascii() for spelling in spellings)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("编号", Column.CODE),
        ("名称", Column.NAME),
        ("类型", Column.KIND),
        ("辖区", Column.JURISDICTION),
        ("经度", Column.LON),
        ("纬度", Column.LAT),
        ("移动方式", Column.MOVES),
        ("能力/装备", Column.CAPABILITIES),
        ("人数", Column.CREW),
        ("队员", Column.MEMBERS),
        ("Code*", Column.CODE),
        ("LNG", Column.LON),
    ],
)
def test_headings_of_real_files_are_known(text: str, column: Column) -> None:
    """Stars, case and slashes do not matter."""
    assert COLUMNS[key(text)] is column


def test_two_spellings_of_a_word_share_a_key() -> None:
    """Blanks, hyphens, underscores and case are spelling."""
    assert key("E-Bike") == key("e_bike") == key("ebike ")
    assert MOVES[key("E-Bike")] is Moves.EBIKE


def test_a_message_lists_each_word_once() -> None:
    """A reader is told what may be written."""
    assert english(MOVES.values()) == "foot, bicycle, ebike, motorbike, car"
