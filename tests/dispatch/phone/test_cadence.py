"""The policy of each situation."""

from dispatch.phone.cadence import DEFAULTS, SHARED_MAX, Situation, cadence, shared
from schemas.wire import Cadence


def test_a_silent_policy_leaves_the_defaults() -> None:
    """A server may name some situations only."""
    policy = {"available": Cadence(7, 7, 7)}
    assert cadence(policy, Situation.AVAILABLE) == Cadence(7, 7, 7)
    assert cadence(policy, Situation.OFFERED) == DEFAULTS[Situation.OFFERED]


def test_every_situation_has_a_default() -> None:
    """Off duty nothing is reported."""
    assert set(DEFAULTS) == set(Situation)
    assert DEFAULTS[Situation.OFF].every_s == 0


def test_equal_policies_are_one() -> None:
    """Thousands of phones hold one mapping, whatever else has come by."""
    first = shared({"available": Cadence(7, 7, 7)})
    assert shared({"available": Cadence(7, 7, 7)}) is first
    for n in range(SHARED_MAX + 1):
        assert shared({"available": Cadence(n, 0, 0)})["available"].every_s == n
