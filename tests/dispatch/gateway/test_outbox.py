"""What waits to be written to one socket."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from dispatch.gateway.frames import Template, template
from dispatch.gateway.limits import QUEUE_BYTES_MAX, RELIABLE_MAX, REPLIES_MAX
from dispatch.gateway.outbox import Outbox
from schemas import wire
from schemas.base import ms
from tests.fakes import START
from tests.memory_phones import offer

PONG = template(wire.Pong(now=0.0))
SMALL = Template('{"t":"x"', 9)


def of_size(size: int) -> Template:
    """Return a frame of so many bytes."""
    return Template('{"t":"x"', size)


def seqs(outbox: Outbox) -> list[int | None]:
    """Take everything out; return the place in the stream of each frame."""
    found: list[int | None] = []
    while (text := outbox.take(START)) is not None:
        found.append(msgspec.json.decode(text).get("seq"))
    return found


def test_an_empty_outbox_has_nothing_to_write() -> None:
    """The writer ends there."""
    outbox = Outbox()
    assert not outbox
    assert outbox.take(START) is None


def test_answers_go_first_then_the_reliable_then_the_latest() -> None:
    """A welcome is read before any event, and a statistic waits for an offer."""
    outbox = Outbox()
    assert outbox.refresh("stats", SMALL)
    assert outbox.deliver(SMALL, 1)
    assert outbox.deliver(SMALL, 2)
    assert outbox.answer(PONG)
    assert outbox
    assert seqs(outbox) == [None, 1, 2, None]
    assert not outbox
    assert outbox.size == 0


def test_a_frame_is_finished_when_it_is_written() -> None:
    """What is left to answer is counted from the commit, not from the socket."""
    outbox = Outbox()
    outbox.deliver(template(offer(), START), 9)
    written = START + timedelta(seconds=3.5)
    frame = msgspec.json.decode(outbox.take(written) or "", type=wire.OfferFrame)
    assert (frame.seq, frame.ts, frame.ttl_ms) == (9, ms(written), 16_500.0)


def test_the_latest_of_a_key_is_the_one_that_is_written() -> None:
    """What it replaces was never true for long."""
    outbox = Outbox()
    assert outbox.refresh("policy", of_size(100))
    assert outbox.refresh("stats", of_size(50))
    assert outbox.refresh("policy", of_size(10))
    assert outbox.size == 60
    assert len(seqs(outbox)) == 2


def test_the_reliable_lane_is_bounded() -> None:
    """Whoever does not read that much is closed; the store keeps the rows."""
    outbox = Outbox()
    assert all(outbox.deliver(SMALL, seq) for seq in range(RELIABLE_MAX))
    assert not outbox.deliver(SMALL, RELIABLE_MAX)
    assert outbox.answer(PONG)
    assert len(seqs(outbox)) == RELIABLE_MAX + 1


def test_the_answers_are_bounded() -> None:
    """A phone that asks and never reads is closed too."""
    outbox = Outbox()
    assert all(outbox.answer(PONG) for _ in range(REPLIES_MAX))
    assert not outbox.answer(PONG)
    assert outbox.deliver(SMALL, 1)


@pytest.mark.parametrize("lane", ["answer", "deliver", "refresh"])
def test_the_bytes_of_all_lanes_together_are_bounded(lane: str) -> None:
    """The last byte fits, one more does not, and nothing of it is kept."""
    outbox = Outbox()
    puts: dict[str, Callable[[Template], bool]] = {
        "answer": outbox.answer,
        "deliver": lambda form: outbox.deliver(form, 1),
        "refresh": lambda form: outbox.refresh("key", form),
    }
    assert outbox.answer(of_size(QUEUE_BYTES_MAX - 10))
    assert not puts[lane](of_size(11))
    assert outbox.size == QUEUE_BYTES_MAX - 10
    assert puts[lane](of_size(10))


def test_what_waits_is_told_by_lane() -> None:
    """Answers, reliable frames, latest ones; a row that is taken out is written by its taker."""
    outbox = Outbox()
    assert outbox.pop() is None
    outbox.answer(PONG)
    outbox.deliver(SMALL, 7)
    outbox.deliver(SMALL, 8)
    outbox.refresh("stats", SMALL)
    assert outbox.lengths() == (1, 2, 1)
    assert [row.seq for row in iter(outbox.pop, None)] == [None, 7, 8, None]
    assert (outbox.lengths(), outbox.size) == ((0, 0, 0), 0)
