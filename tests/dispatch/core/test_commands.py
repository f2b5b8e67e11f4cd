"""What can be asked of a case: plain values, each with one rule."""

from typing import get_args

import msgspec
import pytest

from dispatch.core import commands as c
from dispatch.core.decide import RULES
from schemas.base import OfferId, UnitId
from tests.dispatch.core.cases import START, incident

EVERY = [
    kind for kind in vars(c).values() if isinstance(kind, type) and kind.__module__ == c.__name__
]


def test_every_command_but_the_first_is_in_the_union() -> None:
    """Open makes a case, so it is asked of none; a place is a part of a correction."""
    assert set(get_args(c.Command)) == set(EVERY) - {c.Open, c.Place}


def test_every_command_of_the_union_has_one_rule() -> None:
    """None is forgotten, and no rule is without its command."""
    assert set(RULES) == set(get_args(c.Command))


@pytest.mark.parametrize("kind", EVERY)
def test_a_command_is_an_immutable_value_given_by_names(kind: type[msgspec.Struct]) -> None:
    """Facts are named where they are given, and stay as they were given."""
    assert kind.__struct_config__.frozen
    assert kind.__doc__
    assert issubclass(kind, msgspec.Struct)


def test_a_command_is_equal_to_one_of_the_same_facts() -> None:
    """A repeated command can be known as such."""
    one = c.Accept(unit_id=UnitId("u1"), offer_id=OfferId("o1"), at=START)
    assert one == c.Accept(unit_id=UnitId("u1"), offer_id=OfferId("o1"), at=START, crew=())
    assert one != c.Accept(unit_id=UnitId("u2"), offer_id=OfferId("o1"), at=START)


def test_a_command_cannot_be_changed() -> None:
    """Not even by the desk that carries it."""
    command = c.Open(incident=incident(), trusted=True)
    with pytest.raises(AttributeError):
        command.trusted = False  # type: ignore[misc]  # frozen: that is what is tested
