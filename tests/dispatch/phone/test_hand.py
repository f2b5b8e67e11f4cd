"""Offers and tasks in hand: revs, updates, ends."""

from msgspec.structs import replace

from dispatch.phone import heard
from dispatch.phone.hand import ENDED_MAX, NOTICES_MAX, Hand
from dispatch.phone.news import (
    News,
    Noticed,
    NoticeEnded,
    OfferChanged,
    Offered,
    OfferEnded,
    TaskChanged,
)
from geo.datum import Datum
from schemas.notice import NoticeLevel
from schemas.wire import AssignUpdate, Frame, NoticeFrame, OfferUpdate
from tests.dispatch.phone.script import offer, offer_end, scene, task, task_end, text


def take(hand: Hand, frame: Frame) -> list[News]:
    """Let the hand take a frame, as it comes over the wire."""
    message = heard.read(text(frame))
    assert isinstance(message, heard.HeardReliable)
    return list(hand.take(message))


def offer_update(rev: int, *, seq: int = 2, alert: bool = True) -> OfferUpdate:
    """Return an update of the offer o1 with a scene of its own."""
    return OfferUpdate(
        seq=seq, oid="o1", rev=rev, d=Datum.WGS84, inc=scene("i2"), alert=alert, eta_s=9.0
    )


def task_update(rev: int, *, seq: int = 2) -> AssignUpdate:
    """Return an update of the task a1."""
    return AssignUpdate(seq=seq, aid="a1", rev=rev, d=Datum.WGS84, inc=scene("i2"), alert=True)


def test_only_a_newer_rev_changes_an_offer() -> None:
    """The same one is a repeat; a newer one does not ring like a new offer."""
    hand = Hand()
    take(hand, offer(seq=1, rev=2))
    assert take(hand, offer(seq=2, rev=2)) == []
    assert take(hand, offer(seq=3, rev=1)) == []
    assert [type(one) for one in take(hand, offer(seq=4, rev=3))] == [OfferChanged]


def test_an_update_changes_what_it_names_and_keeps_the_rest() -> None:
    """It rings again only when it says alert."""
    hand = Hand()
    (rung,) = take(hand, offer(seq=1))
    assert isinstance(rung, Offered)
    (changed,) = take(hand, offer_update(2, alert=False))
    assert isinstance(changed, OfferChanged)
    assert not changed.alert
    assert (changed.offer.inc.iid, changed.offer.eta_s, changed.offer.rev) == ("i2", 9.0, 2)
    assert changed.offer.ttl_ms == rung.offer.ttl_ms
    assert take(hand, offer_update(2)) == []


def test_updates_of_what_is_not_in_hand_are_no_news() -> None:
    """The next welcome tells all."""
    hand = Hand()
    assert take(hand, offer_update(2)) == []
    assert take(hand, task_update(2)) == []
    assert not hand.offers
    assert not hand.tasks


def test_an_end_that_overtook_its_offer_keeps_it_silent() -> None:
    """Late frames begin nothing."""
    hand = Hand()
    assert take(hand, offer_end(seq=2)) == []
    assert take(hand, offer(seq=1)) == []
    assert take(hand, task_end(seq=4)) == []
    assert take(hand, task(seq=3)) == []


def test_a_task_follows_its_updates_to_its_end() -> None:
    """The same rules as for offers."""
    hand = Hand()
    take(hand, task(seq=1))
    assert take(hand, task(seq=1)) == []
    assert [type(one) for one in take(hand, task(seq=2, rev=2))] == [TaskChanged]
    (changed,) = take(hand, task_update(3))
    assert isinstance(changed, TaskChanged)
    assert changed.task.inc.iid == "i2"
    assert changed.task.role == "primary"
    assert len(take(hand, task_end(seq=9))) == 1
    assert take(hand, task_end(seq=9)) == []


def test_the_memory_of_ends_is_bounded() -> None:
    """The newest are kept."""
    hand = Hand()
    for n in range(ENDED_MAX + 1):
        take(hand, replace(offer_end(f"o{n}"), seq=n + 1))
    assert take(hand, offer(f"o{ENDED_MAX}", seq=9_998)) == []
    assert [type(one) for one in take(hand, offer("o0", seq=9_999))] == [Offered]


def test_a_state_with_another_rev_is_told_without_ringing() -> None:
    """Nobody is rung up by a reconnect."""
    hand = Hand()
    take(hand, offer(seq=1))
    take(hand, task(seq=2))
    state = heard.Standing(
        offers=[heard.Offer(oid="o1", rev=4, d="wgs84", inc=hand.offers["o1"].inc)],
        assigns=[heard.Task(aid="a1", rev=4, d="wgs84", inc=hand.offers["o1"].inc)],
    )
    news = list(hand.welcome(heard.Welcome(epoch="e", rec=True, head=9, state=state), anew=False))
    assert [type(one) for one in news] == [OfferChanged, TaskChanged]
    assert list(hand.drop_offer("o1", "x")) == [OfferEnded("o1", "x")]


# Notices. ----------------------------------------------------------------------------------------


def notice(nid: str = "n1", *, rev: int = 1, exp: float = 9e12, ts: float = 1.0) -> NoticeFrame:
    """Return a notice; one that has ended where `exp` is before `ts`."""
    return NoticeFrame(seq=1, nid=nid, rev=rev, lvl=NoticeLevel.INFO, text="台风", exp=exp, ts=ts)


def test_a_notice_is_shown_once() -> None:
    """Told again it is no news; a newer one is."""
    hand = Hand()
    assert [type(one) for one in take(hand, notice())] == [Noticed]
    assert take(hand, notice()) == []
    assert [type(one) for one in take(hand, notice(rev=2))] == [Noticed]
    assert take(hand, notice(rev=1)) == []


def test_a_notice_taken_back_ends_what_was_shown_and_nothing_else() -> None:
    """Who never saw it learns nothing, and does not see it later either."""
    hand = Hand()
    take(hand, notice())
    assert take(hand, notice(rev=2, exp=5.0, ts=6.0)) == [NoticeEnded("n1")]
    assert take(hand, notice("n2", rev=2, exp=5.0, ts=6.0)) == []
    assert take(hand, notice("n2")) == []


def test_a_welcome_overtakes_no_notice() -> None:
    """Its state tells of none."""
    hand = Hand()
    hand._covered = 9
    assert [type(one) for one in take(hand, notice())] == [Noticed]
    assert take(hand, offer(seq=1)) == []


def test_of_many_notices_the_newest_are_remembered() -> None:
    """A bound, like every other memory."""
    hand = Hand()
    for number in range(NOTICES_MAX + 1):
        take(hand, notice(f"n{number}"))
    assert (len(hand.notices), "n0" in hand.notices) == (NOTICES_MAX, False)
