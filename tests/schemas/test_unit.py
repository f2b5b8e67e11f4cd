"""Units, their members and devices."""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec
import pytest

from geo.eta import Moves
from schemas.base import DeviceId, MemberId, Record, UnitId
from schemas.unit import (
    Capability,
    Device,
    Duty,
    Link,
    Member,
    Position,
    Unit,
    UnitKind,
    UnitRow,
    UnitState,
)

UNIT = Unit(
    id=UnitId("u1"),
    code="hp-001",
    name="夏港一号 / Xiagang 1",
    kind=UnitKind.VILLAGE,
    juris="gz.huangpu",
    lon=113.45,
    lat=23.1,
    capabilities=(Capability.AED, Capability.ROPE),
)
POSITION = Position(
    unit_id=UnitId("u1"), lon=113.45, lat=23.1, acc_m=8, at=datetime(2026, 11, 21, 8, tzinfo=UTC)
)
RECORDS = [
    UNIT,
    Member(id=MemberId("m1"), unit_id=UnitId("u1"), name="陈"),
    Device(
        id=DeviceId("d1"), unit_id=UnitId("u1"), member_id=MemberId("m1"), token_hash=b"\x00\xff"
    ),
    POSITION,
    UnitRow(unit=UNIT, on_duty=2, position=POSITION),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    """Through JSON, with its enumerations, instants and bytes."""
    assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


def test_a_unit_nobody_said_more_of_goes_on_foot_from_a_fixed_post() -> None:
    """One member is enough, and it can be asked."""
    plain = msgspec.structs.replace(UNIT, capabilities=())
    assert (plain.moves, plain.min_crew, plain.fixed, plain.disabled) == (
        Moves.FOOT,
        1,
        True,
        False,
    )


def test_a_member_is_off_duty_until_he_clocks_in() -> None:
    """Only people on duty can be asked."""
    assert Member(id=MemberId("m1"), unit_id=UnitId("u1"), name="陈").duty is Duty.OFF


def test_a_row_of_a_unit_begins_with_nothing() -> None:
    """Nobody on duty, nothing asked, nowhere seen."""
    row = UnitRow(unit=UNIT)
    assert (row.on_duty, row.engaged, row.open_offers, row.position) == (0, False, 0, None)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (UnitState, "off available paused offered engaged disabled"),
        (Duty, "off on paused"),
        (Link, "online stale offline"),
        (
            Capability,
            "aed life_buoy rope extinguisher shield fork baton first_aid radio stretcher",
        ),
        (
            UnitKind,
            "police_post village residential enterprise mall school kindergarten market hospital"
            " office",
        ),
    ],
)
def test_the_words_are_those_of_the_glossary(kind: type[StrEnum], values: str) -> None:
    """They are stored and told to clients, so they are never renamed; order is that of the bits."""
    assert [member.value for member in kind][: len(values.split())] == values.split()
