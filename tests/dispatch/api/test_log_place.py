"""Places in the log: of one epoch, opaque, and never trusted."""

import pytest

from dispatch.api import cursor as cursors
from dispatch.api.log_place import cursor_of, place_of
from dispatch.api.problems import Code, Refused
from dispatch.ports import Cursor

PLACE = Cursor(xid="7", id=12)


@pytest.mark.parametrize("epoch", ["598dfdd73820437c", "memory+", "-"])
def test_a_place_comes_back_as_it_was(epoch: str) -> None:
    """While the log is the one it was handed out of."""
    assert place_of(cursor_of(PLACE, epoch), epoch) == PLACE


def test_a_place_of_another_epoch_is_gone() -> None:
    """Lines behind it may have been written since the restore: going on there would skip them."""
    with pytest.raises(Refused, match=r"^Last-Event-ID: .* read again from the start$") as refused:
        place_of(cursor_of(PLACE, "before"), "after", "Last-Event-ID")
    assert refused.value.code is Code.PLACE_GONE


def test_a_place_that_names_no_epoch_is_of_the_present_one() -> None:
    """So it was handed out by builds before; nobody who follows begins anew for an update."""
    assert place_of(cursors.encode("events", "7:12"), "any") == PLACE


@pytest.mark.parametrize("mark", ["x", "7:12@", "7:12@a b", f"7:12@{65 * 'a'}", "7:x@a", "7@a"])
def test_a_place_the_log_never_gave_is_refused(mark: str) -> None:
    """As a parameter that makes no sense, by its name."""
    with pytest.raises(Refused) as refused:
        place_of(cursors.encode("events", mark), "a")
    assert refused.value.code is Code.BAD_PARAMETER
    assert refused.value.faults[0].parameter == "after"
