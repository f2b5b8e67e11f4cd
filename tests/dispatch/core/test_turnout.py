"""Who takes longer to set out."""

from dispatch.core.turnout import LATER_S, later_s
from schemas.unit import UnitKind


def test_a_guard_at_his_post_takes_the_usual_time() -> None:
    """What the ETA models reckon with is the least."""
    assert later_s(UnitKind.RESIDENTIAL) == 0.0
    assert min(LATER_S.values()) > 0.0


def test_who_has_children_to_hand_over_takes_longer() -> None:
    """By the same amount, as long as nobody has measured it."""
    assert later_s(UnitKind.SCHOOL) == later_s(UnitKind.KINDERGARTEN) == 15.0
