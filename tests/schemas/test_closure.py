"""Closures as they are stated over REST."""

from typing import Any, Final

import msgspec
import pytest

from geo.datum import Datum
from schemas.closure import CloseRoads, Closure

BODY: Final[dict[str, Any]] = {
    "polygon": {"type": "Polygon", "coordinates": [[[113, 23]]], "datum": "gcj02"},
    "reason": "河水上涨",
    "expires_at": "2026-11-21T10:00:00Z",
}


def decoded(**changes: Any) -> CloseRoads:
    """Return the body with some of it changed."""
    return msgspec.json.decode(msgspec.json.encode({**BODY, **changes}), type=CloseRoads)


def test_a_polygon_a_reason_and_an_end_are_all_it_needs() -> None:
    """In whatever datum it was drawn."""
    assert decoded().polygon.datum is Datum.GCJ02


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": ""},
        {"reason": "x" * 501},
        {"expires_at": "2026-11-21T10:00:00"},
        {"polygon": {**BODY["polygon"], "datum": None}},
        {"polygon": {**BODY["polygon"], "type": "Point"}},
        {"why": "unknown"},
    ],
)
def test_what_is_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    """By the field that is wrong."""
    with pytest.raises(msgspec.ValidationError):
        decoded(**changes)


def test_a_closure_that_was_not_ended_has_nobody_who_ended_it() -> None:
    """Both come together."""
    fields = {f.name: f.default for f in msgspec.structs.fields(Closure)}
    assert (fields["ended_at"], fields["ended_by"]) == (None, None)
