"""The names of the synthetic city."""

from geo.city.names import DISTRICTS, street_names
from geo.jurisdiction import is_path


def test_the_districts_are_the_citys() -> None:
    """Eleven of them, with 176 streets."""
    assert len({each.label for each in DISTRICTS}) == 11
    assert sum(each.streets for each in DISTRICTS) == 176


def test_there_are_enough_names_for_streets() -> None:
    """Each label is one of a path, and none is there twice."""
    labels = [label for label, _ in street_names()]
    assert len(labels) == len(set(labels)) > 2 * 176
    assert all(is_path(label) for label in labels)
