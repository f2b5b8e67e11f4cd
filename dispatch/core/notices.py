"""Notices: what a phone is told, and how one is taken back."""

from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from schemas.base import Instant, ms
from schemas.notice import Notice
from schemas.wire import NoticeFrame

KEPT: Final = timedelta(hours=24)
"""A phone that was away is told this long after; or until the notice expires."""


def notice_frame(notice: Notice) -> NoticeFrame:
    """Return a notice as phones are told; one taken back has ended already."""
    return NoticeFrame(
        nid=notice.id,
        rev=notice.rev,
        lvl=notice.level,
        text=notice.text,
        exp=ms(notice.withdrawn_at or notice.expires_at),
        need_read=notice.need_read,
        drill=notice.drill,
    )


def withdrawn(notice: Notice, by: str, now: Instant) -> Notice:
    """Return a notice taken back, to be sent once more to all it was addressed to."""
    return replace(notice, rev=notice.rev + 1, withdrawn_by=by, withdrawn_at=now, sent_at=None)
