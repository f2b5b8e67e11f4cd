"""What phones are told by a notice."""

from dispatch.core.notices import notice_frame, withdrawn
from schemas.base import ms
from schemas.notice import Notice, NoticeId, NoticeLevel
from tests.dispatch.core.cases import START, at

NOTICE = Notice(
    id=NoticeId("n1"),
    level=NoticeLevel.WARN,
    text="台风红色预警",
    juris="gz",
    by="key:k1",
    at=START,
    expires_at=at(3600),
    need_read=True,
    sent_at=at(2),
)


def test_a_notice_is_told_with_its_end() -> None:
    """In milliseconds, as all times on the wire."""
    frame = notice_frame(NOTICE)
    assert (frame.nid, frame.rev, frame.lvl, frame.text) == ("n1", 1, "warn", "台风红色预警")
    assert (frame.exp, frame.need_read, frame.drill) == (ms(at(3600)), True, False)


def test_one_taken_back_is_newer_has_ended_and_is_to_be_sent_again() -> None:
    """So that phones that show it show it no longer."""
    back = withdrawn(NOTICE, "key:k2", at(60))
    assert (back.rev, back.withdrawn_by, back.withdrawn_at, back.sent_at) == (
        2,
        "key:k2",
        at(60),
        None,
    )
    assert notice_frame(back).exp == ms(at(60))
