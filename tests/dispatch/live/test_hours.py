"""Roads are slower at some hours, as a site's own file says."""

from datetime import UTC, datetime

import msgspec
import pytest

from dispatch.live.hours import UnknownClass, check, factors_at
from geo.roads.classes import CLASSES
from geo.roads.travel import CAR, FOOT
from schemas.hours import Hours

PRIMARY = [each.name for each in CLASSES].index("primary")
FILE = b"""
utc_offset_h = 8
[[spells]]
from = "07:00"
to = "09:30"
days = ["mon", "tue", "wed", "thu", "fri"]
car = { all = 1.3, primary = 1.8 }
[[spells]]
from = "22:00"
to = "05:00"
days = ["fri"]
car = { all = 0.8 }
"""
HOURS = msgspec.toml.decode(FILE, type=Hours)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return an hour in Guangzhou; 16 November 2026 is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC).astimezone(UTC)


@pytest.mark.parametrize(
    ("instant", "primary", "other"),
    [
        (at(15, 22, 59), 1.0, 1.0),  # Monday 06:59
        (at(15, 23, 0), 1.8, 1.3),  # Monday 07:00
        (at(16, 1, 29), 1.8, 1.3),
        (at(16, 1, 30), 1.0, 1.0),
        (at(21, 0, 0), 0.8 / 0.8, 1.0),  # Saturday 08:00: no working day
        (at(20, 14, 0), 0.8, 0.8),  # Friday 22:00
        (at(20, 20, 59), 0.8, 0.8),  # Saturday 04:59: Friday's night goes on
        (at(20, 21, 0), 1.0, 1.0),
        (at(19, 14, 0), 1.0, 1.0),  # Thursday 22:00
    ],
)
def test_a_spell_holds_by_the_clock_of_the_site(
    instant: datetime, primary: float, other: float
) -> None:
    """From its first minute to the one before its last, past midnight too."""
    factors = factors_at(HOURS, instant)
    assert factors[CAR, PRIMARY] == pytest.approx(primary)
    assert factors[CAR, PRIMARY + 1] == pytest.approx(other)
    assert (factors[FOOT] == 1.0).all()


def test_a_later_spell_goes_before_an_earlier_one() -> None:
    """An exception is written below its rule."""
    text = FILE + b'[[spells]]\nfrom = "08:00"\nto = "09:00"\ncar = { primary = 1.1 }\n'
    factors = factors_at(msgspec.toml.decode(text, type=Hours), at(16, 0, 30))
    assert factors[CAR, PRIMARY] == 1.1
    assert factors[CAR, PRIMARY + 1] == 1.3


def test_a_class_nobody_has_is_refused() -> None:
    """A factor that never counts would be missed by nobody."""
    check(HOURS)
    wrong = b'[[spells]]\nfrom = "08:00"\nto = "09:00"\ncar = { primry = 1.1 }\n'
    with pytest.raises(UnknownClass, match="primry"):
        check(msgspec.toml.decode(wrong, type=Hours))
