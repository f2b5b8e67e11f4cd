"""A site's file of hours is checked field by field."""

import msgspec
import pytest

from schemas.hours import DAYS, Hours


def test_a_spell_holds_every_day_where_none_is_named() -> None:
    """The short form is the usual one."""
    text = b'[[spells]]\nfrom = "07:00"\nto = "09:30"\ncar = { primary = 1.8 }\n'
    (spell,) = msgspec.toml.decode(text, type=Hours).spells
    assert (spell.start, spell.to, spell.days) == ("07:00", "09:30", DAYS)
    assert spell.car == {"primary": 1.8}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("from", '"7:00"'),
        ("to", '"25:00"'),
        ("days", '["monday"]'),
        ("car", "{ all = 0.0 }"),
        ("bike", "{ all = 1.5 }"),
    ],
)
def test_what_makes_no_sense_is_refused(field: str, value: str) -> None:
    """By the field it stands in."""
    lines = {"from": '"07:00"', "to": '"08:00"', field: value}
    text = "[[spells]]\n" + "\n".join(f"{key} = {said}" for key, said in lines.items())
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.toml.decode(text, type=Hours)
