"""What is under way while somebody compares."""

import asyncio

import pytest

from dispatch.desk.in_flight import InFlight


def test_a_watch_sees_what_began_before_it_and_during_it() -> None:
    """Either may have been read before it was done."""
    flight = InFlight()
    with flight.changing(["a"]):
        with flight.watching() as changed, flight.changing(["b"]):
            pass
        assert changed == {"a", "b"}


def test_a_watch_sees_nothing_of_what_ended_before_or_begins_after() -> None:
    """That is the same in memory and on disk, or will be seen by the next."""
    flight = InFlight()
    with flight.changing(["a"]):
        pass
    with flight.watching() as changed:
        pass
    with flight.changing(["b"]):
        assert changed == set()


def test_two_changes_of_one_thing_are_two() -> None:
    """The end of one is not the end of the other."""
    flight = InFlight()
    with flight.changing(["a"]):
        with flight.changing(["a"]):
            pass
        with flight.watching() as changed:
            assert changed == {"a"}


def test_watches_do_not_end_each_other() -> None:
    """Though they hold the same."""
    flight = InFlight()
    with flight.watching() as outer:
        with flight.watching():
            pass
        with flight.changing(["a"]):
            pass
    assert outer == {"a"}


@pytest.mark.asyncio
async def test_it_is_quiet_once_the_last_change_has_ended() -> None:
    """Who can wait, waits for all of them, and for nothing where there is none."""
    flight = InFlight()
    await flight.quiet()
    with flight.changing(["a"]):
        with flight.changing(["b"]):
            waiting = asyncio.create_task(flight.quiet())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
