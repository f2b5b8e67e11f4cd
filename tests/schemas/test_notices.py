"""The bodies of notices and alarms."""

import msgspec
import pytest

from schemas.notices import AtDesk, SendNotice

GOOD = {"level": "info", "text": "x", "drill": False}


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"text": "x" * 1001},
        {"level": "loud"},
        {"jurisdiction": "GZ"},
        {"polygon": {"type": "Point", "coordinates": [1], "datum": "wgs84"}},
        {"polygon": {"type": "Polygon", "coordinates": [[]]}},
        {"why": "unknown"},
    ],
)
def test_what_a_notice_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    """With every unknown field."""
    assert msgspec.convert(GOOD, SendNotice).need_read is False
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**GOOD, **wrong}, SendNotice)


def test_a_desk_is_a_jurisdiction() -> None:
    """By its path."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"jurisdiction": "a b"}, AtDesk)
