"""What is the service's own, and what is a city's."""

import pytest

from dispatch.core.hidden import HIDDEN, is_hidden
from geo.jurisdiction import within


@pytest.mark.parametrize(
    ("juris", "hidden"),
    [(HIDDEN, True), ("canary.a", True), ("canarys", False), ("gz.canary", False), ("gz", False)],
)
def test_hidden_is_what_lies_under_its_path(juris: str, hidden: bool) -> None:
    """By whole labels, like every scope; no city's grant reaches there."""
    assert is_hidden(juris) is hidden
    assert within(juris, HIDDEN) is hidden
    assert not within(HIDDEN, "gz")
