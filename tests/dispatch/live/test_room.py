"""Room: what waits as it gets less, and from when on all is written again."""

import pytest

from dispatch.core.errors import NoRoom, Unavailable
from dispatch.live.room import HOLD_S, WAITS_FROM, Level, Room, Work

BALLAST = 100
WITHOUT_A_WAY_BACK = [(300, Level.AMPLE), (200, Level.AMPLE), (199, Level.SCARCE)]
DOWN_AND_UP = [
    *WITHOUT_A_WAY_BACK,
    (125, Level.SCARCE),
    (124, Level.SPENT),
    (199, Level.SPENT),
    (249, Level.SPENT),
    (250, Level.AMPLE),
]


def test_it_takes_more_room_to_write_all_again_than_to_stop() -> None:
    """A disk at the edge does not make the service change its mind every second."""
    room = Room(BALLAST)
    assert [(seen, room.look(seen, 0.0)) for seen, _ in DOWN_AND_UP] == DOWN_AND_UP


def test_a_little_more_room_is_still_scarce() -> None:
    """Between the two bounds nothing changes."""
    room = Room(BALLAST)
    assert [room.look(seen, 0.0) for seen in (150, 249, 250, 249)] == [
        Level.SCARCE,
        Level.SCARCE,
        Level.AMPLE,
        Level.AMPLE,
    ]


def test_without_a_ballast_no_disk_is_judged() -> None:
    """The database is elsewhere, or nobody wants it."""
    room = Room()
    assert (room.look(0, 0.0), room.look(None, 0.0)) == (Level.AMPLE, Level.AMPLE)


def test_a_store_that_says_it_is_full_is_believed_for_a_while() -> None:
    """Nobody can look at the disk of another machine: it is tried again."""
    room = Room()
    room.told_full(5.0)
    assert room.level is Level.SPENT
    assert room.look(None, 5.0 + HOLD_S - 1) is Level.SPENT
    assert room.look(None, 5.0 + HOLD_S) is Level.AMPLE


def test_who_sees_room_again_does_not_wait() -> None:
    """Its own disk is known to have room; before that the store's word counts."""
    room = Room(BALLAST)
    room.told_full(5.0)
    assert room.look(150, 6.0) is Level.SPENT
    assert room.look(250, 7.0) is Level.AMPLE


@pytest.mark.parametrize(
    ("seen", "waiting"),
    [
        (300, set()),
        (150, {Work.IMPORTS, Work.NOTICES, Work.REGISTRATIONS, Work.RETENTION}),
        (100, set(Work)),
    ],
)
def test_what_can_wait_waits_in_order(seen: int, waiting: set[Work]) -> None:
    """Where units stand is still written while there is any room beside the ballast."""
    room = Room(BALLAST)
    room.look(seen, 0.0)
    assert {work for work in WAITS_FROM if not room.has(work)} == waiting


def test_who_is_refused_is_told_why_and_counted() -> None:
    """In words, and worth another try when people have made room."""
    refused: list[Work] = []
    room = Room(BALLAST, refused.append)
    room.require(Work.NOTICES)
    room.look(150, 0.0)
    with pytest.raises(NoRoom, match="the store is nearly full: notices wait") as caught:
        room.require(Work.NOTICES)
    assert (refused, caught.value.retry_ms) == ([Work.NOTICES], 30_000)


def test_what_the_store_did_not_take_is_told_with_the_likely_reason() -> None:
    """A caller asks again at once, full or not: an incident does not wait for half a minute."""
    room = Room()
    assert room.away().detail == "the store does not answer; try again"
    room.told_full(0.0)
    assert room.away().detail == "the store is full; try again"
    assert room.away().retry_ms == Unavailable.retry_ms
