"""Counters, and takers that fail without harm to others."""

import pytest
import structlog

from dispatch.bus.tally import Tally
from dispatch.ports import BODY_MOST

pytestmark = pytest.mark.asyncio


def void(_: object) -> None:
    """Take a result that nobody wants."""


def fail(*_: object) -> bytes:
    """Break whatever is handed over."""
    raise RuntimeError("broken")


async def test_what_fails_is_counted_each_time_and_told_once_in_a_while() -> None:
    """Fifty lines a second would bury the reason."""
    tally = Tally()
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            tally.hand(lambda *_: void(fail()), "ev", b"1")
        assert tally.answer_of(fail, "gw", b"1") is None
    assert (tally.taken, tally.failed) == (0, 4)
    assert [(line["event"], line["subject"], line["failed"]) for line in lines] == [
        ("bus_take_failed", "ev", 1)
    ]


async def test_an_answer_that_is_too_large_is_none() -> None:
    """It would end the connection that everybody uses."""
    tally = Tally()
    assert tally.answer_of(lambda _: b"1" * (BODY_MOST + 1), "gw", b"") is None
    assert tally.answer_of(lambda _: b"1" * BODY_MOST, "gw", b"") == b"1" * BODY_MOST
    assert (tally.taken, tally.failed) == (1, 1)


async def test_what_goes_out_and_what_does_not_is_counted() -> None:
    """And passed on."""
    tally = Tally()
    assert [tally.count_sent(sent) for sent in (True, False, True)] == [True, False, True]
    assert (tally.published, tally.dropped) == (2, 1)
