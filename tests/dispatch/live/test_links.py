"""How well phones are heard."""

import numpy as np
import pytest

from dispatch.live.links import Links
from dispatch.live.table import Stayed
from schemas.unit import Link


def links(online: int, quiet: int = 0) -> Links:
    """Return the links of one unit with so many phones connected, so many of them not heard."""
    made = Links()
    made.table.grow()
    for _ in range(online):
        made.connected(0, +1)
    for _ in range(quiet):
        made.quiet(0, +1)
    return made


@pytest.mark.parametrize(
    ("online", "quiet", "fresh", "link"),
    [
        (0, 0, True, Link.OFFLINE),
        (1, 0, True, Link.ONLINE),
        (1, 0, False, Link.STALE),
        (2, 1, True, Link.ONLINE),
        (2, 2, True, Link.STALE),
    ],
)
def test_a_unit_is_heard_by_one_phone_and_a_fresh_fix(
    online: int, quiet: int, link: Link, *, fresh: bool
) -> None:
    """Stale without either; offline without a phone."""
    assert links(online, quiet).of(0, fresh=fresh) is link


def test_phones_that_come_and_go_are_counted() -> None:
    """Out again, and heard again."""
    made = links(2, quiet=2)
    made.quiet(0, -1)
    made.connected(0, -1)
    assert made.of(0, fresh=True) is Link.STALE
    made.quiet(0, -1)
    assert made.of(0, fresh=True) is Link.ONLINE


def test_phones_of_units_that_stayed_go_on_being_counted() -> None:
    """Wherever the unit's row is now; those of others are none."""
    made = links(1)
    made.renew(2, Stayed(here=np.array([1]), there=np.array([0])))
    assert [made.of(i, fresh=True) for i in range(2)] == [Link.OFFLINE, Link.ONLINE]


def test_phones_that_are_counted_anew_are_counted_from_none() -> None:
    """Whatever was counted before."""
    made = links(3, 2)
    made.recount([(0, False), (0, True)])
    row = made.table.row(0)
    assert (int(row["online"]), int(row["quiet"])) == (2, 1)
