"""The bodies about units, members and phones: bounded, and none takes what it does not know."""

from typing import Any

import msgspec
import pytest

from schemas import register as r
from schemas.rest import Body
from schemas.unit import Duty

HOME = {"lon": 113.45, "lat": 23.1, "datum": "gcj02"}
UNIT = {"code": "HP-1", "name": "夏港", "kind": "village", "home": HOME}
GOOD: list[tuple[type[Body], dict[str, Any]]] = [
    (r.CreateUnit, UNIT),
    (r.ChangeUnit, {}),
    (r.DisableUnit, {"why": "x"}),
    (r.EnableUnit, {}),
    (r.ClockMembers, {"duty": "paused"}),
    (r.AddMember, {"name": "陈", "tel": "+86138-1234"}),
    (r.ChangeMember, {"tel": ""}),
    (r.IssueCode, {}),
    (r.RevokeDevice, {"why": "x"}),
    (r.EnrolDevice, {"code": "abc-defgh"}),
]
BAD: list[tuple[type[Body], dict[str, Any]]] = [
    (r.CreateUnit, {**UNIT, "code": "no blanks"}),
    (r.CreateUnit, {**UNIT, "code": "x\n"}),
    (r.CreateUnit, {**UNIT, "min_crew": 0}),
    (r.CreateUnit, {**UNIT, "min_crew": r.MEMBERS_MOST + 1}),
    (r.CreateUnit, {**UNIT, "jurisdiction": "GZ"}),
    (r.ChangeUnit, {"disabled": True}),
    (r.DisableUnit, {"why": ""}),
    (r.ClockMembers, {"duty": "on", "members": []}),
    (r.AddMember, {"name": "陈", "tel": "ask him"}),
    (r.EnrolDevice, {"code": ""}),
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


def test_a_member_is_shown_without_more_than_is_needed() -> None:
    """Seven fields, the number among them as it was masked."""
    shown = r.MemberView(
        id="m", unit_id="u", name="陈", tel="***", leader=False, duty=Duty.OFF, consent=None
    )
    fields = {"id", "unit_id", "name", "tel", "leader", "duty", "consent"}
    assert set(msgspec.to_builtins(shown)) == fields


def test_consent_is_taken_back_by_null_and_kept_by_saying_nothing() -> None:
    """Of all fields of a member only this one may become nothing."""
    assert msgspec.convert({}, r.ChangeMember).consent is msgspec.UNSET
    assert msgspec.convert({"consent": None}, r.ChangeMember).consent is None
    assert msgspec.convert({"name": "陈"}, r.AddMember).consent == "paper"
