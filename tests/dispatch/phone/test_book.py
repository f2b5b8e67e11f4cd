"""What a phone notices about its own stream: planted faults are found, and nothing else."""

import pytest

from dispatch.phone import heard
from dispatch.phone.book import Book, Irregular
from dispatch.phone.diary import WELCOMES_MAX
from tests.dispatch.phone.script import NOW_MS


def offer(oid: str = "o1", rev: int = 1) -> heard.Offer:
    """Return an offer."""
    return heard.Offer(oid=oid, rev=rev, d="wgs84", inc=heard.Scene(iid="i1", lon=113.3, lat=23.1))


def task(aid: str = "a1", rev: int = 1) -> heard.Task:
    """Return a task."""
    return heard.Task(aid=aid, rev=rev, d="wgs84", inc=heard.Scene(iid="i1", lon=113.3, lat=23.1))


def notice() -> heard.Notice:
    """Return a notice."""
    return heard.Notice(nid="n1", rev=1, text="rain")


def end() -> heard.OfferEnd:
    """Return the end of an offer."""
    return heard.OfferEnd(oid="o1")


def welcome(
    head: int = 0,
    *,
    epoch: str = "e1",
    rec: bool = True,
    till: int | None = None,
    state: heard.Standing | None = None,
) -> heard.Welcome:
    """Return a welcome."""
    state = state or heard.Standing()
    return heard.Welcome(epoch=epoch, rec=rec, head=head, till=till, state=state)


def begun(head: int = 0, till: int | None = None) -> Book:
    """Return the book of a phone with a line."""
    book = Book()
    assert book.welcome(welcome(head, till=till), NOW_MS) is None
    return book


def test_frames_in_order_with_gaps_are_as_they_should_be() -> None:
    """Gaps are normal."""
    book = begun(head=3)
    frames = [(offer(), 4), (end(), 7), (task(), 8), (task(rev=2), 12)]
    assert [book.frame(message, seq) for message, seq in frames] == [None] * 4
    page = book.page("u1", connected=True)
    assert page.seqs == [[4, 4], [7, 8], [12, 12]]
    assert (page.unit, page.offers, page.tasks, page.connected) == ("u1", ["o1"], ["a1"], True)


def test_the_same_frame_twice_on_a_line_is_doubled() -> None:
    """The last one, or an earlier one."""
    book = begun()
    book.frame(end(), 1)
    book.frame(end(), 2)
    assert book.frame(end(), 2) is Irregular.DOUBLED
    assert book.frame(end(), 1) is Irregular.DOUBLED


def test_a_frame_after_a_later_one_is_out_of_order() -> None:
    """It was not heard before."""
    book = begun()
    book.frame(end(), 5)
    assert book.frame(end(), 4) is Irregular.DISORDERED
    assert book.frame(end(), 6) is None


def test_what_was_committed_before_the_welcome_does_not_come_after_it() -> None:
    """Its state is the truth up to the head."""
    assert begun(head=9).frame(end(), 9) is Irregular.DISORDERED


def test_notices_follow_the_welcome_up_to_their_seq() -> None:
    """Only notices, and only so far."""
    book = begun(head=9, till=6)
    assert book.frame(notice(), 4) is None
    assert book.frame(heard.Unknown(t="parade"), 6) is None
    assert book.frame(notice(), 8) is Irregular.DISORDERED
    assert begun(head=9, till=6).frame(end(), 4) is Irregular.DISORDERED


@pytest.mark.parametrize("message", [offer(), task()])
def test_one_version_told_by_two_frames_is_doubled(message: heard.Offer | heard.Task) -> None:
    """A row that was written twice has two seqs."""
    book = begun()
    assert book.frame(message, 1) is None
    assert book.frame(message, 2) is Irregular.DOUBLED


def test_what_the_state_holds_may_be_told_once_more() -> None:
    """Whoever wrote both did not know of the other; a phone that goes by `rev` does nothing."""
    book = Book()
    book.welcome(welcome(2, state=heard.Standing(offers=[offer()], assigns=[task()])), NOW_MS)
    assert book.frame(offer(), 3) is Irregular.REPEATED
    assert book.frame(task(), 4) is Irregular.REPEATED
    assert book.frame(task(rev=2), 5) is None


def test_what_an_earlier_line_has_told_may_come_again_with_its_seq() -> None:
    """An ack that was lost in a crash; with another seq it was written twice."""
    book = begun()
    book.frame(offer(), 1)
    book.frame(task(), 2)
    book.lost(NOW_MS + 1)
    book.welcome(welcome(1, epoch="e2"), NOW_MS + 2)
    assert book.frame(task(), 2) is Irregular.REPEATED
    assert book.frame(offer(), 3) is Irregular.DOUBLED


def test_another_line_may_repeat_notices_and_goes_on_from_its_head() -> None:
    """At least once, over several lines."""
    book = begun()
    book.frame(notice(), 3)
    book.lost(NOW_MS + 1)
    assert book.lost_ms == NOW_MS + 1
    assert book.welcome(welcome(5, till=3), NOW_MS + 2) is None
    assert book.frame(notice(), 3) is None
    assert book.frame(end(), 6) is None


def test_a_head_below_what_was_heard_has_forgotten_something() -> None:
    """Within an epoch; in a new one the stream begins anew, and the same when it is not ours."""
    book = begun()
    book.frame(end(), 7)
    assert book.welcome(welcome(6), NOW_MS) is Irregular.REWOUND
    assert book.welcome(welcome(1, epoch="e2"), NOW_MS) is None
    book.frame(end(), 4)
    assert book.welcome(welcome(0, epoch="e2", rec=False), NOW_MS) is None
    assert book.epoch == "e2"


def test_welcomes_and_losses_stay_side_by_side() -> None:
    """Of very many the newest."""
    book = Book()
    for n in range(WELCOMES_MAX + 3):
        book.welcome(welcome(), NOW_MS + 10 * n)
        book.lost(NOW_MS + 10 * n + 5)
    book.welcome(welcome(), NOW_MS + 10_000)
    assert len(book.welcomes) == WELCOMES_MAX
    assert len(book.losts) == WELCOMES_MAX - 1
    pairs = zip(book.welcomes, book.losts, strict=False)
    assert all(lost == welcomed + 5 for (_, welcomed), lost in pairs)
