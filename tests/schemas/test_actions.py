"""The bodies of what a person does: bounded, and none takes what it does not know."""

from typing import Any

import msgspec
import pytest

from schemas import actions as a
from schemas.rest import Body

GOOD: list[tuple[type[Body], dict[str, Any]]] = [
    (a.CorrectIncident, {}),
    (a.SupplementIncident, {"note": "x"}),
    (a.MergeIncident, {"into": "i"}),
    (a.SplitIncident, {"title": "x"}),
    (a.HandOverIncident, {"to": "119", "why": "x"}),
    (a.ReopenIncident, {"why": "x"}),
    (a.EscalateIncident, {"rung": "police", "why": "x"}),
    (a.OwnIncident, {"owner": None}),
    (a.SetIncidentMode, {"mode": "assist"}),
    (a.AskUnit, {"unit_id": "u"}),
    (a.OrderUnit, {"unit_id": "u", "slot": 7}),
    (a.WithdrawOffer, {"why": "x"}),
    (a.AcceptFor, {"via": "radio", "crew": ["m"]}),
    (a.DeclineFor, {"via": "operator"}),
    (a.ReleaseUnit, {"why": "x"}),
    (a.ReassignUnit, {"to": "i", "why": "x"}),
    (a.PinUnit, {"pinned": False}),
    (a.ProgressFor, {"via": "sms", "reached": "aborted"}),
]
BAD: list[tuple[type[Body], dict[str, Any]]] = [
    (a.CorrectIncident, {"priority": 0}),
    (a.CorrectIncident, {"needs": []}),
    (a.CorrectIncident, {"title": ""}),
    (a.OwnIncident, {}),
    (a.OwnIncident, {"owner": ""}),
    (a.OrderUnit, {"unit_id": "u", "slot": 8}),
    (a.AcceptFor, {}),
    (a.AcceptFor, {"via": "app"}),
    (a.ProgressFor, {"via": "sms", "reached": "arrived", "at": "2026-11-21T08:00:00"}),
]


@pytest.mark.parametrize(("kind", "body"), GOOD)
def test_a_body_is_read(kind: type[Body], body: dict[str, Any]) -> None:
    """With what it must have; one field more is refused."""
    assert isinstance(msgspec.convert(body, kind), kind)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({**body, "more": 1}, kind)


@pytest.mark.parametrize(("kind", "body"), BAD)
def test_a_body_out_of_bounds_is_refused(kind: type[Body], body: dict[str, Any]) -> None:
    """Before anybody looks at it."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, kind)
